"""Calls that a person waits for: none waits for what is not meant for it."""

import asyncio
import contextlib

import pytest

from healthyroster_async import PacingSettings, Priority, RateLimitedError
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._rows.stream import RowStream
from healthyroster_async.testing import Answer, run_in_virtual_time, scripted_pool

PATH = "/HealthcareProvider/{id}/X"
ROWS = Endpoint(name="rows", method="POST", template=PATH, safe=True)


class Window:
    """An API that lets 100 calls through in each window, and says so."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.began = 0.0
        self.used = 0

    async def start(self): ...

    async def close(self): ...

    async def send(self, signed):
        await asyncio.sleep(0.02)
        now = asyncio.get_running_loop().time()
        if now - self.began >= self.seconds:
            self.began, self.used = now, 0
        self.used += self.used < 100
        fields = {
            "ratelimit-limit": "100",
            "ratelimit-remaining": str(100 - self.used),
            "ratelimit-reset": str(round(self.began + self.seconds - now)),
            "ratelimit-policy": f"100;w={self.seconds}",
        }
        return Answer(json=[], headers=fields).to(signed.request)


async def cancelled(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("seconds", "deadline"), [(60, 10.0), (3600, None)])
def test_what_is_left_of_a_quota_for_people_is_not_refused_to_them(seconds, deadline):
    """
    A pull has used up its own part, and a click would go at once.
    """

    async def main():
        api = Window(seconds)
        async with scripted_pool(api) as pool:
            clinic = pool.session(1).with_options(deadline=deadline)
            for _ in range(2):
                await clinic.request("GET", PATH)
            pull = asyncio.create_task(
                pool.fan_out(range(2, 400), lambda s: s.request("GET", PATH))
            )
            await asyncio.sleep(10)
            assert api.used < 100
            began = asyncio.get_running_loop().time()
            await clinic.request("GET", PATH)
            waited = asyncio.get_running_loop().time() - began
            await cancelled(pull)
            return waited

    assert run_in_virtual_time(main()) < 1


@pytest.mark.parametrize("before", [True, False])
def test_rows_for_a_person_do_not_wait_through_a_pause(before):
    """
    Streams of a pull that wait for its end have all the places.
    """

    def rows(session):
        return RowStream(
            session._caller.request(ROWS, stream=True), session._caller, None
        )

    async def main():
        answers = [Answer(429, retry_after=600)]
        async with scripted_pool(
            lambda _: answers.pop() if answers else Answer(json=[]),
            pacing=PacingSettings(max_streams=2),
        ) as pool:
            clinic = pool.session(1)
            bulk = [pool.session(i, priority=Priority.BULK) for i in range(2, 6)]
            places = [rows(session) for session in bulk[:2]]
            if before:  # they have the places while the others begin to wait
                kept = answers.pop()
                for place in places:
                    await place.__aenter__()
                waiting = [asyncio.create_task(rows(clinic).to_list())]
                await asyncio.sleep(1)
                answers.append(kept)
            with pytest.raises(RateLimitedError):
                await clinic.request("GET", PATH)
            if not before:
                pulls = [asyncio.create_task(rows(s).to_list()) for s in bulk]
                await asyncio.sleep(1)
                waiting = [asyncio.create_task(rows(clinic).to_list())]
            began = asyncio.get_running_loop().time()
            with pytest.raises(RateLimitedError):
                await waiting[0]
            assert asyncio.get_running_loop().time() - began < 1
            if before:
                for place in places:
                    await place.__aexit__(None, None, None)
            else:
                assert [await pull for pull in pulls] == [[]] * 4

    run_in_virtual_time(main())


@pytest.mark.parametrize("status", [429, 503, 500, 502, 504, 408, 425])
def test_nobody_sleeps_for_as_long_as_any_answer_asks(status):
    """
    A header of a gateway must not put a call to sleep until tomorrow.
    """

    async def main():
        async with scripted_pool([Answer(status, retry_after=30_000), []]) as pool:
            with pytest.raises(Exception, match=str(status)) as caught:
                await pool.session(1).request("GET", PATH)
            return caught.value.retry_after, asyncio.get_running_loop().time()

    asked, passed = run_in_virtual_time(main())

    assert asked == 30_000
    assert passed < 1
