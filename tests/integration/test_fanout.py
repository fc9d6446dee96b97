"""Fan-out: every outcome kept, in order, in bounded concurrency."""

import asyncio
import contextlib

import pytest

from healthyroster_async import (
    ConfigurationError,
    Denied,
    Environment,
    Failed,
    ForbiddenError,
    NotFoundError,
    PacingSettings,
    PoolClosedError,
    Skipped,
    Succeeded,
    UsageError,
)
from healthyroster_async.emulator import Emulator


def sources(session):
    return session.reporting.data_sources()


async def test_one_failure_costs_the_others_nothing():
    """
    One clinic without a grant must not cost 299 others their night.
    """
    async with (
        Emulator(providers=5, denied=[(2, "*")]) as emulator,
        emulator.pool() as pool,
    ):
        ids = [5, 2, 99, 1, "..", 3, 5]
        outcomes = await pool.fan_out(ids, sources)

    assert [o.key for o in outcomes] == [5, 2, 99, 1, "..", 3]
    assert list(outcomes.succeeded) == [5, 1, 3]
    assert isinstance(outcomes.denied[2], ForbiddenError)
    assert isinstance(outcomes.failed[99], NotFoundError)
    assert isinstance(outcomes.failed[".."], ConfigurationError)
    assert isinstance(outcomes[5], Succeeded)
    assert isinstance(outcomes[2], Denied)
    assert isinstance(outcomes[99], Failed)
    assert len(outcomes) == 6
    assert "3 succeeded, 1 denied, 2 failed" in repr(outcomes)
    assert "Patients" not in repr(outcomes[5])
    with pytest.raises(ExceptionGroup, match="3 of 6") as caught:
        outcomes.raise_for_failures()
    assert len(caught.value.exceptions) == 3


async def test_all_well_raises_nothing():
    """
    The short way to be sure.
    """
    async with Emulator(providers=3) as emulator, emulator.pool() as pool:
        outcomes = await pool.fan_out(emulator.providers, sources)
        empty = await pool.fan_out([], sources)

    outcomes.raise_for_failures()
    assert len(outcomes) == 3
    assert len(empty) == 0


async def test_a_bug_cancels_the_rest_and_comes_as_it_is():
    """
    A typo in a callback must not look like a failed clinic.
    """
    started, cancelled = [], []

    async def call(session):
        started.append(session.provider_id)
        if session.provider_id == 3:
            raise KeyError("typo")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(session.provider_id)
            raise

    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        with pytest.raises(KeyError, match="typo"):
            await pool.fan_out(range(1, 50), call, concurrency=5)
        assert len(started) < 10
        assert set(started) - set(cancelled) == {3}

        started.clear()
        cancelled.clear()
        with pytest.raises(KeyError, match="typo"):
            async for _ in pool.as_completed(range(1, 50), call, concurrency=5):
                pass
        assert len(started) < 10
        assert set(started) - set(cancelled) == {3}


async def endless(seen):
    for number in range(1, 1_000_001):
        seen.append(number)
        yield number
        await asyncio.sleep(0)


async def test_a_million_ids_do_not_become_a_million_tasks():
    """
    Input is taken as it is needed, from an async iterable too.
    """
    seen = []
    peak = 0

    async def call(session):
        nonlocal peak
        peak = max(peak, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        return session.provider_id

    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        outcomes = pool.as_completed(endless(seen), call, concurrency=10)
        got = []
        async with contextlib.aclosing(outcomes):
            async for outcome in outcomes:
                got.append(outcome.value)
                if len(got) == 200:
                    break
        before = len(asyncio.all_tasks())
        assert len(seen) <= 230
        assert peak < 40
        assert before < 20

    assert len(set(got)) == 200


async def test_outcomes_come_as_they_complete():
    """
    The quick ones must not wait for the slow one.
    """

    async def call(session):
        await asyncio.sleep(0.3 if session.provider_id == 1 else 0.01)
        return session.provider_id

    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        order = [o.value async for o in pool.as_completed([1, 2, 3, 4], call)]

    assert order[-1] == 1
    assert sorted(order) == [1, 2, 3, 4]


async def test_concurrency_is_bounded_at_the_server():
    """
    What counts is what the API sees.
    """
    async with (
        Emulator(providers=60, latency=0.02) as emulator,
        emulator.pool(pacing=PacingSettings(max_concurrency=7)) as pool,
    ):
        await pool.fan_out(emulator.providers, sources, concurrency=50)

        assert emulator.seen.peak_in_flight <= 7
        assert emulator.seen.by_endpoint["data_sources"] == 60
        for bad in (0, -1, 1.5, True):
            with pytest.raises(ConfigurationError, match="concurrency"):
                await pool.fan_out([1], sources, concurrency=bad)


async def test_a_session_fans_out_over_its_own_calls():
    """
    A page that shows three things asks for them at once.
    """
    async with (
        Emulator(providers=1, rows=5, denied=[(1, "data_source")]) as emulator,
        emulator.pool() as pool,
    ):
        outcomes = await pool.session(1).fan_out(
            {
                "sources": sources,
                "one": lambda s: s.reporting.data_source(1),
                "rows": lambda s: s.reporting.rows(1).to_list(),
            }
        )

    assert list(outcomes.succeeded) == ["sources", "rows"]
    assert list(outcomes.denied) == ["one"]
    assert outcomes["rows"].provider_id == 1
    assert len(outcomes.succeeded["rows"]) == 5


async def test_progress_is_told_after_every_outcome():
    """
    A bar needs to know how far it is, and of how much.
    """
    told = []
    async with (
        Emulator(providers=4, denied=[(2, "*")]) as emulator,
        emulator.pool() as pool,
    ):
        await pool.fan_out([1, 2, 3, 99], sources, progress=told.append)

    assert [p.done for p in told] == [1, 2, 3, 4]
    assert (told[-1].succeeded, told[-1].denied, told[-1].failed) == (2, 1, 1)
    assert told[-1].total == 4


async def test_a_pool_that_closes_skips_what_is_left():
    """
    What was not asked is not failed: it can be asked again.
    """
    async with Emulator(providers=1) as emulator:
        pool = await emulator.pool().start()

        async def call(session):
            if session.provider_id == 2:
                await pool.close()
            return await session.reporting.data_sources()

        outcomes = await pool.fan_out([1, 2, 3, 4], call, concurrency=1)

    assert list(outcomes.succeeded) == [1]
    assert list(outcomes.skipped) == [2, 3, 4]
    assert isinstance(outcomes[3], Skipped)
    assert isinstance(outcomes.skipped[3], PoolClosedError)


async def begin(pool, form, ids=(1, 2), call=sources, **options):
    """Begin a fan-out of either form and return how many outcomes it has."""
    if form == "fan_out":
        return len(await pool.fan_out(ids, call, **options))
    return len([o async for o in pool.as_completed(ids, call, **options)])


FORMS = pytest.mark.parametrize("form", ["fan_out", "as_completed"])


@FORMS
async def test_what_is_wrong_with_every_call_is_no_outcome(form):
    """
    A forgotten 'async with' must not look like two clinics that were skipped.
    """
    called = []
    both = (Environment.SANDBOX, Environment.PRODUCTION)
    async with Emulator(providers=2, environments=both) as emulator:
        pool = emulator.pool()
        with pytest.raises(PoolClosedError, match="not started"):
            await begin(pool, form, call=called.append)
        clinic = pool.session(1, environment=Environment.SANDBOX)
        with pytest.raises(PoolClosedError, match="not started"):
            await clinic.fan_out({"x": called.append})
        async with pool:
            with pytest.raises(ConfigurationError, match="several environments"):
                await begin(pool, form, call=called.append)
            with pytest.raises(ConfigurationError):
                await begin(pool, form, call=called.append, environment="sandbox ")

            def elsewhere():
                for making in (begin(pool, form), clinic.fan_out({"x": sources})):
                    with pytest.raises(UsageError, match="another event loop"):
                        asyncio.run(making)

            await asyncio.to_thread(elsewhere)
        with pytest.raises(PoolClosedError):
            await begin(pool, form, call=called.append)

        assert emulator.seen.requests == 0
    assert not called


@FORMS
@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ("42", r"is a str; give a list of ids; \[id\] for one"),
        (b"42", "is a bytes; give a list"),
        ({42: "Northside"}, "is a dict; give its keys"),
        (42, "is a int; give a list"),
        (None, "is a NoneType; give a list"),
    ],
)
async def test_one_id_is_no_list_of_ids(form, ids, sentence):
    """
    "42" holds a "4" and a "2", which may be two other clinics.
    """
    async with Emulator(providers=50) as emulator, emulator.pool() as pool:
        with pytest.raises(ConfigurationError, match=sentence) as caught:
            await begin(pool, form, ids)

        assert emulator.seen.requests == 0
    assert "42" not in str(caught.value)
    assert "Northside" not in str(caught.value)


async def test_what_can_never_be_called_is_said_first():
    """
    A list of calls, an async callback: said by name, before anything is sent.
    """

    async def told(_): ...

    async with Emulator(providers=2) as emulator, emulator.pool() as pool:
        clinic = pool.session(1)
        made_already = sources(clinic)
        for making, sentence in (
            (begin(pool, "fan_out", call=None), "call is a NoneType"),
            (begin(pool, "as_completed", call=made_already), "call is a coroutine"),
            (begin(pool, "fan_out", progress=told), "progress is an async function"),
            (begin(pool, "fan_out", progress=7), "progress is a int"),
            (clinic.fan_out([sources]), "calls is a list; give a dict"),
            (clinic.fan_out({"x": 7}), "a value of calls is a int"),
            (clinic.fan_out({"x": sources}, progress=told), "async function"),
            (clinic.fan_out({"x": sources}, concurrency=0), "concurrency"),
        ):
            with pytest.raises(ConfigurationError, match=sentence):
                await making
        made_already.close()

        assert emulator.seen.requests == 0


async def test_an_id_that_comes_again():
    """
    Where outcomes are kept it is called once, where they are not, each time.
    """
    called, told = [], []

    async def call(session):
        called.append(session.provider_id)
        return session.provider_id

    async with Emulator(providers=2) as emulator, emulator.pool() as pool:
        outcomes = await pool.fan_out([1, 1, 2, "1", 1], call, progress=told.append)
        assert called == list(outcomes.succeeded) == [1, 2, "1"]
        assert (told[-1].done, told[-1].total) == (3, 3)

        called.clear()
        again = pool.as_completed([1, 1, 2], call, progress=told.append)
        assert sorted([o.key async for o in again]) == [1, 1, 2]
        assert sorted(called) == [1, 1, 2]
        assert (told[-1].done, told[-1].total) == (3, 3)
