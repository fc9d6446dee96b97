"""A 503 that does not say why: a limiter's, or that of an API that is down."""

import asyncio
from collections import Counter

import pytest

from healthyroster_async import Environment, ServerError, ServiceUnavailableError
from healthyroster_async.testing import (
    Answer,
    ScriptedTransport,
    run_in_virtual_time,
    scripted_pool,
)

SOURCES = [{"id": 1, "name": "Teams"}]
MUTE = pytest.mark.parametrize("answer", [503, Answer(503, json={"status": 503})])


def sources(session):
    return session.reporting.data_sources()


@MUTE
def test_when_nothing_else_comes_it_is_an_outage(answer):
    """
    People wait for a limiter; for an outage only a pull does, and not for hours.
    """
    kinds = []

    async def main():
        clock = asyncio.get_running_loop().time
        times = [clock()]
        async with scripted_pool(
            lambda request: answer, on_pacing=lambda event: kinds.append(event.kind)
        ) as pool:
            for provider in (1, 2):
                with pytest.raises(ServiceUnavailableError):
                    await sources(pool.session(provider))
                times.append(clock())
            assert pool.stats()[Environment.SANDBOX].down
            outcomes = await pool.fan_out(range(50), sources)
            times.append(clock())
        assert not outcomes.succeeded
        return times

    began, first, second, last = run_in_virtual_time(main())

    assert 75 <= first - began < 90
    assert second - first < 0.1
    assert last - second < 300
    assert kinds[-1] == "down"


def test_afterwards_calls_go_on():
    """
    The first one that is answered says that the API is back.
    """
    kinds = []

    async def main():
        clock = asyncio.get_running_loop().time
        began = clock()

        def answer(request):
            return 503 if clock() - began < 90 else Answer(json=SOURCES)

        async with scripted_pool(
            answer, on_pacing=lambda event: kinds.append(event.kind)
        ) as pool:
            outcomes = await pool.fan_out(range(50), sources)
            return len(outcomes.succeeded), clock() - began

    succeeded, passed = run_in_virtual_time(main())

    assert succeeded == 50
    assert passed < 130
    assert kinds.index("down") < kinds.index("up")


def test_in_between_it_is_a_limiter():
    """
    One of two is turned away for minutes, and nobody is told that the API is down.
    """
    kinds = []
    asked = []

    def answer(request):
        asked.append(request)
        return 503 if len(asked) % 2 else Answer(json=SOURCES)

    async def main():
        async with scripted_pool(
            answer, on_pacing=lambda event: kinds.append(event.kind)
        ) as pool:
            return await pool.fan_out(range(200), sources)

    outcomes = run_in_virtual_time(main())

    assert len(outcomes.succeeded) == 200
    assert "down" not in kinds


def test_a_window_of_a_minute_is_no_outage():
    """
    Nobody who opens a page is to be told that the API is down while a pull runs.
    """
    kinds = []

    async def main():
        clock = asyncio.get_running_loop().time
        windows = Counter()

        def answer(request):
            windows[clock() // 60] += 1
            return 503 if windows[clock() // 60] > 20 else Answer(json=SOURCES)

        async with scripted_pool(
            answer, on_pacing=lambda event: kinds.append(event.kind)
        ) as pool:
            pull = asyncio.create_task(pool.fan_out(range(50), sources))
            for _ in range(10):
                await sources(pool.session(1))
                await asyncio.sleep(5)
            return await pull

    outcomes = run_in_virtual_time(main())

    assert len(outcomes.succeeded) == 50
    assert "down" not in kinds


@MUTE
async def test_what_changes_something_is_not_sent_again(answer):
    """
    It may come from behind the application, when the message has been sent.
    """
    sent = []

    def script(request):
        sent.append(request)
        return answer

    async with scripted_pool(script) as pool:
        with pytest.raises(ServerError):
            await pool.session(1).request("POST", "/HealthcareProvider/{id}/Messages")

    assert len(sent) == 1


@MUTE
async def test_what_may_have_been_carried_out_is_no_rate_limit(answer):
    """
    Whoever catches RateLimitedError sends it again, and it would be there twice.
    """
    async with scripted_pool(ScriptedTransport([429, answer])) as pool:
        with pytest.raises(ServerError) as caught:
            await pool.session(1).request("POST", "/HealthcareProvider/{id}/Messages")

    assert caught.value.status == 503
