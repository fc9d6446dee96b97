"""Scripts and virtual time, as users have them for tests of their own."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from healthyroster_async import (
    ConfigurationError,
    ConnectError,
    Credentials,
    Environment,
    ForbiddenError,
    Grant,
    PacingSettings,
    RateLimitedError,
    RetrySettings,
    ServerError,
)
from healthyroster_async.testing import (
    Answer,
    ScriptedTransport,
    VirtualTimeLoop,
    run_in_virtual_time,
    scripted_pool,
)

SOURCES = [{"id": 7, "name": "Patients"}]


def test_a_wait_of_a_minute_takes_no_time():
    """
    A test of patience must not need it.
    """

    async def main():
        async with scripted_pool([Answer(429, retry_after=60), SOURCES]) as pool:
            sources = await pool.session(1).reporting.data_sources()
            return sources, asyncio.get_running_loop().time()

    sources, passed = run_in_virtual_time(main())

    assert [s.name for s in sources] == ["Patients"]
    assert 60 <= passed < 62


async def test_a_script_is_played_in_turn_and_what_was_asked_is_kept():
    """
    A test looks at both sides of a call.
    """
    rows = [{"id": 1}, {"id": 2}]
    script = ScriptedTransport([503, ConnectError, SOURCES, rows, 403])
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    async with scripted_pool(script) as pool:
        clinic = pool.session(42)
        await clinic.reporting.data_sources()
        came = await clinic.reporting.rows(7, StartDate="2026-01-01").to_list()
        assert script.left == 1
        with pytest.raises(
            AssertionError, match=r"script: 1, the next is 403; .*Data$"
        ):
            script.assert_played()
        with pytest.raises(ForbiddenError):
            await clinic.reporting.data_source(7)

    assert came == rows
    script.assert_played()
    assert [r.label.partition("{id}")[2] for r in script.requests] == [
        "/Datasources", "/Datasources", "/Datasources",
        "/Reporting/Datasources/{datasourceid}/Data",
        "/Reporting/DataSources/{datasourceid}",
    ]  # fmt: skip
    assert script.requests[3].body == b'{"StartDate":"2026-01-01"}'
    assert "not-a-secret" not in repr(script.requests)


async def test_a_function_answers_by_what_is_asked():
    """
    Fan-outs ask in any order.
    """

    def answer(request):
        return 403 if request.provider_id == 2 else SOURCES

    async with scripted_pool(answer) as pool:
        outcomes = await pool.fan_out([1, 2, 3], lambda s: s.reporting.data_sources())

    assert set(outcomes.succeeded) == {1, 3}
    assert set(outcomes.denied) == {2}


async def test_what_the_script_does_not_foresee_fails_the_test():
    """
    It is a mistake of the test, and no failure that the code should handle.
    """
    async with scripted_pool([]) as pool:
        with pytest.raises(AssertionError, match=r"no answer for GET .*call 1"):
            await pool.session(1).reporting.data_sources()


async def test_what_the_api_answers_is_a_status_in_a_script():
    """
    A class of the errors for 403 is a natural mistake too, and no AttributeError.
    """
    async with scripted_pool([ForbiddenError]) as pool:
        with pytest.raises(TypeError, match=r"this is ForbiddenError.*403"):
            await pool.session(1).reporting.data_sources()


async def test_a_step_that_is_none_says_what_a_script_holds():
    """
    An error as an instance is a natural mistake, for a class of it is right.
    """
    async with scripted_pool([ValueError("no step")]) as pool:
        with pytest.raises(TypeError, match=r"a script holds .*; this is a ValueError"):
            await pool.session(1).reporting.data_sources()


@pytest.mark.parametrize(
    ("step", "told"),
    [(SOURCES, "a list"), (ConnectError, "ConnectError"), (Answer(429), "429")],
)
def test_what_is_left_of_a_script_is_named_and_not_shown(step, told):
    """
    Answers in a test may have been real once.
    """
    with pytest.raises(AssertionError, match=f"next is {told}; asked for was nothing"):
        ScriptedTransport([step]).assert_played()


async def test_options_of_a_pool_are_taken():
    """
    A test sets what the code sets.
    """
    once = RetrySettings(max_attempts=1)
    async with scripted_pool([500], retry=once) as pool:
        with pytest.raises(ServerError):
            await pool.session(1).reporting.data_sources()


async def test_a_secret_can_be_rotated():
    """
    Code that fetches its secret is what a test wants to see through a 401.
    """
    fetched = []

    async def fetch():
        fetched.append(Credentials("test", f"secret-{len(fetched)}"))
        return fetched[-1]

    script = ScriptedTransport([401, SOURCES])
    async with scripted_pool(
        script, credentials={Environment.SANDBOX: fetch}, pacing=None
    ) as pool:
        await pool.session(1).reporting.data_sources()
    script.assert_played()

    assert len(fetched) == 2


async def test_two_environments_can_be_played():
    """
    That each call goes to its own is worth a test.
    """
    both = {one: Credentials("test", one.value) for one in Environment}
    script = ScriptedTransport([SOURCES, SOURCES])
    async with scripted_pool(script, credentials=both) as pool:
        for one in both:
            await pool.session(1, environment=one).reporting.data_sources()

    assert [request.url.partition(".")[0] for request in script.requests] == [
        "https://sandbox",
        "https://production",
    ]


def test_what_was_denied_is_asked_again_after_a_quarter_of_an_hour_of_its_time():
    """
    Virtual time is the time of all of a pool, also once it is closed.
    """

    async def sources(session):
        return await session.reporting.data_sources()

    async def main():
        async with scripted_pool([403, SOURCES, 403]) as pool:
            await pool.fan_out([1], sources)
            early = await pool.fan_out([1], sources, skip_denied=True)
            await asyncio.sleep(900)
            late = await pool.fan_out([1], sources, skip_denied=True)
            await pool.fan_out([2], sources)
        return early, late, pool.access

    before = time.time()
    early, late, access = run_in_virtual_time(main())

    assert list(early.skipped) == [1]
    assert list(late.succeeded) == [1]
    assert access.cell(2, "data_sources").grant is Grant.DENIED
    assert before <= access.cell(2, "data_sources").at.timestamp() <= time.time()


def test_an_option_that_is_none_says_what_to_give():
    """
    The script is the transport already.
    """
    with pytest.raises(TypeError, match="in place of the script"):
        scripted_pool([], transport=ScriptedTransport([]))
    with pytest.raises(ConfigurationError, match="pacing"):
        scripted_pool([], pacing=5)


def test_other_pacing_shares_no_file_with_other_tests():
    """
    A test that sets a rate must not wait for the pause of another one.
    """

    async def main():
        pacing = PacingSettings(max_rate=5)
        async with scripted_pool([SOURCES, SOURCES], pacing=pacing) as pool:
            for _ in range(2):
                await pool.session(1).reporting.data_sources()
            return pool.stats()[Environment.SANDBOX].rate

    assert run_in_virtual_time(main()) == 5
    assert not list(Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*.*"))


async def test_a_month_is_written_as_seconds():
    """
    2.592e+06 is no Retry-After, and would not be waited for.
    """
    async with scripted_pool([Answer(429, retry_after=2_592_000)]) as pool:
        with pytest.raises(RateLimitedError) as raised:
            await pool.session(1).reporting.data_sources()

    assert raised.value.retry_after == 2_592_000


async def test_a_used_up_quota_is_told_as_one():
    """
    The answer that announced it was no error.
    """
    gone = {"RateLimit-Policy": '"a";q=10;w=900', "RateLimit": '"a";r=0;t=800'}
    script = [Answer(json=SOURCES, headers=gone)]
    async with scripted_pool(script) as pool:
        clinic = pool.session(1)
        await clinic.reporting.data_sources()
        with pytest.raises(RateLimitedError, match=r"is used up; it is new in \d+ s$"):
            await clinic.reporting.data_sources()
