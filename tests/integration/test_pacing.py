"""Pacing over real sockets: pauses are kept, nobody is lost, a click goes first."""

import asyncio
import contextlib
import gc
import random
import sys
import time
from pathlib import Path

import pytest

from healthyroster_async import (
    ConfigurationError,
    DeadlineExceededError,
    Environment,
    Limit,
    PacingSettings,
    PoolClosedError,
    Priority,
    RateLimitedError,
    RetrySettings,
)
from healthyroster_async.emulator import Emulator, Fault, RateLimit
from healthyroster_async.emulator.limits import HEADERS

pytestmark = pytest.mark.unmeasured

BULK, INTERACTIVE = Priority.BULK, Priority.INTERACTIVE
# Cloudflare asks for 30 seconds, and who is silent asks for nothing.
ASKING = [headers for headers in HEADERS if headers not in {"none", "cloudflare"}]
# What says when in parts of a second; the others need windows of a second.
FINE = {"retry-after-ms", "x-ratelimit-epoch-ms"}


def governor(pool):
    return pool._running.lanes[Environment.SANDBOX].pacing.pacers.of(None).governor


def sources(pool, provider=1, **options):
    return pool.session(provider, **options).reporting.data_sources()


async def all_of(*calls):
    """Await all of them together, and return what came of each."""
    return await asyncio.gather(*calls, return_exceptions=True)


def idle(pool):
    rules = governor(pool)
    return (rules.in_flight, len(rules.queue)) == (0, 0)


async def warm(emulator, *pools, calls=10):
    """Open connections, and begin with a clean slate.

    A call that opens one may be on its way for long when the pause begins.
    """
    limit, emulator.rate_limit = emulator.rate_limit, None
    await all_of(*(sources(pool) for pool in pools for _ in range(calls)))
    emulator.rate_limit = limit
    emulator.seen.clear()


async def during_pause(headers, pools=1, calls=20):
    """Make more calls than a window allows; return how many came inside a pause."""
    per = 0.3 if headers in FINE else 1.0
    limit = RateLimit(rate=15, per=per, kind="window", headers=headers)
    async with contextlib.AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(
            Emulator(providers=5, rate_limit=limit)
        )
        opened = [
            await stack.enter_async_context(emulator.pool()) for _ in range(pools)
        ]
        await warm(emulator, *opened)
        outcomes = await all_of(
            *(
                sources(opened[n % pools], 1 + n % 5, priority=BULK)
                for n in range(calls)
            )
        )

        assert not [o for o in outcomes if isinstance(o, BaseException)]
        assert emulator.seen.by_status[200] == calls
        assert len({id(governor(pool)) for pool in opened}) == 1
        assert all(idle(pool) for pool in opened)
        return emulator.seen.during_pause


async def test_no_request_is_sent_inside_a_pause_that_was_asked_for():
    """
    The API may close the door on whoever does not listen, in whatever dialect it asks.
    """

    async def in_turn(turn, headers):
        # Servers and clients share a loop: all at once, they are late for each other.
        await asyncio.sleep(0.2 * turn)
        return await during_pause(headers)

    # Where the machine stops us for longer than the emulator's grace, what was on its
    # way looks late; whoever does not listen is seen each time.
    broken = ASKING
    for _ in range(4):
        turns = (in_turn(n, headers) for n, headers in enumerate(broken))
        found = await asyncio.gather(*turns)
        broken = [h for h, late in zip(broken, found, strict=True) if late]

    assert broken == []


async def test_a_pause_counts_for_both_pools_of_an_application():
    """
    One is a web app, the other a pull beside it; the API knows one application.
    """
    tries = [await during_pause("retry-after-ms", pools=2) for _ in range(3)]

    assert 0 in tries


async def test_closing_one_pool_leaves_the_other_alone():
    """
    They share a budget and nothing else.
    """
    pacing = PacingSettings(max_concurrency=1)
    async with (
        Emulator(latency=0.05) as emulator,
        emulator.pool(pacing=pacing) as one,
        emulator.pool(pacing=pacing) as two,
    ):
        theirs = [asyncio.ensure_future(sources(two)) for _ in range(3)]
        mine = [asyncio.ensure_future(sources(one)) for _ in range(3)]
        await asyncio.sleep(0.02)
        await one.close()

        assert {type(o) for o in await all_of(*mine)} == {PoolClosedError}
        assert not [o for o in await all_of(*theirs) if isinstance(o, BaseException)]
        assert len(await sources(two)) > 0
        assert idle(two)


async def test_a_long_pause_fails_a_click_at_once_and_is_kept():
    """
    The person learns how long it will be, and nothing is sent in the meantime.
    """
    limit = RateLimit(rate=1, per=300, kind="window", headers="retry-after")
    async with Emulator(rate_limit=limit) as emulator, emulator.pool() as pool:
        await sources(pool)
        begun = time.monotonic()
        errors = await all_of(*(sources(pool) for _ in range(3)))
        sent = emulator.seen.requests
        errors += await all_of(*(sources(pool) for _ in range(20)))

        assert {type(error) for error in errors} == {RateLimitedError}
        assert all(250 < error.retry_after <= 331 for error in errors)
        assert time.monotonic() - begun < 2.0
        assert emulator.seen.rejected <= 3
        assert emulator.seen.requests == sent
        assert idle(pool)


async def test_a_configured_limit_is_kept_without_a_rejection():
    """
    Whoever was told the limit loses no call to finding it.
    """
    limit = RateLimit(rate=60, headers="none")
    async with (
        Emulator(rate_limit=limit) as emulator,
        emulator.pool(pacing=PacingSettings(rate=Limit(60, 1))) as pool,
    ):
        outcomes = await all_of(*(sources(pool, priority=BULK) for _ in range(90)))

        assert not [o for o in outcomes if isinstance(o, BaseException)]
        assert emulator.seen.rejected == 0


async def test_a_click_overtakes_a_pull():
    """
    Bulk calls wait for seconds, and the person does not notice.
    """
    async with (
        Emulator(providers=20, latency=0.01) as emulator,
        emulator.pool(pacing=PacingSettings(rate=Limit(50, 1))) as pool,
    ):
        pull = [
            asyncio.ensure_future(sources(pool, 1 + n % 20, priority=BULK))
            for n in range(150)
        ]
        await asyncio.sleep(0.2)
        waits = []
        for _ in range(5):
            begun = time.monotonic()
            await sources(pool, 7, priority=INTERACTIVE)
            waits.append(time.monotonic() - begun)
        left = sum(not task.done() for task in pull)
        await all_of(*pull)

        assert sorted(waits)[2] < 0.25
        assert left > 50
        assert not [task for task in pull if task.exception()]


async def test_a_call_that_cannot_be_in_time_fails_at_once_and_says_the_wait():
    """
    Its caller can answer from a cache instead of looking at a clock.
    """
    async with (
        Emulator() as emulator,
        emulator.pool(pacing=PacingSettings(rate=Limit(10, 1))) as pool,
    ):
        pull = [asyncio.ensure_future(sources(pool, priority=BULK)) for _ in range(30)]
        await asyncio.sleep(0.05)
        hurried = pool.session(1, priority=BULK).with_options(deadline=0.5)
        begun = time.monotonic()
        with pytest.raises(DeadlineExceededError) as caught:
            await hurried.reporting.data_sources()

        assert time.monotonic() - begun < 0.3
        assert 1.5 < caught.value.wait < 4.0
        for task in pull:
            task.cancel()
        await all_of(*pull)
        assert idle(pool)


async def test_an_outage_costs_a_handful_of_requests_and_no_bulk_call():
    """
    A server that restarts must not meet a thousand retries.
    """
    retry = RetrySettings(max_attempts=10, base_delay=0.05, max_delay=0.2)
    async with Emulator() as emulator, emulator.pool(retry=retry) as pool:
        await sources(pool)
        emulator.outage = Fault(kind="html", status=502)
        pull = [asyncio.ensure_future(sources(pool, priority=BULK)) for _ in range(8)]
        await asyncio.sleep(1.0)
        during = emulator.seen.requests
        emulator.outage = None
        outcomes = await all_of(*pull)

        assert during <= 20
        assert not [o for o in outcomes if isinstance(o, BaseException)]
        assert governor(pool).breaker.opened == 1
        assert not governor(pool).breaker.is_open


async def cancelled_at_random(pool, rng, calls=12):
    """Make calls, cancel half of them at random moments, and return the others."""
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(
            sources(pool, rng.randint(1, 5), priority=rng.choice([*Priority]))
        )
        for _ in range(calls)
    ]
    doomed = rng.sample(tasks, calls // 2)
    for task in doomed:
        moment = rng.randrange(4)
        if moment == 0:
            task.cancel()
        elif moment == 1:
            loop.call_soon(task.cancel)
        elif moment == 2:
            # In the tick in which another one ends, and gives its permit to the next.
            rng.choice(tasks).add_done_callback(lambda _, t=task: t.cancel())
        else:
            loop.call_later(rng.uniform(0.0, 0.05), task.cancel)
    await asyncio.wait(tasks)
    return [task for task in tasks if task not in doomed]


async def test_whoever_is_cancelled_and_when_no_permit_is_lost():
    """
    One permit lost a day, and after a hundred days a pool stands still.
    """
    pacing = PacingSettings(max_concurrency=3)
    async with (
        Emulator(providers=5, latency=0.002) as emulator,
        emulator.pool(pacing=pacing) as pool,
    ):
        for seed in range(100):
            async with asyncio.timeout(10):
                kept = await cancelled_at_random(pool, random.Random(seed))

            assert not [task for task in kept if task.cancelled() or task.exception()]
            assert idle(pool)
        assert emulator.seen.peak_in_flight <= 6  # a cancelled one may still be there


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_is_cancelled_in_a_pause_nobody_else_sleeps_on(seed):
    """
    A probe that is cancelled must not take the way back with it.
    """
    rng = random.Random(seed)
    limit = RateLimit(rate=8, per=0.3, kind="window", headers="retry-after-ms")
    async with (
        Emulator(providers=5, rate_limit=limit) as emulator,
        emulator.pool() as pool,
    ):
        async with asyncio.timeout(20):
            kept = await cancelled_at_random(pool, rng, calls=30)

        assert not [task for task in kept if task.cancelled() or task.exception()]
        assert idle(pool)


async def test_a_long_pause_releases_who_waits_already_and_may_not():
    """
    A person who clicked a moment before the pause must not wait for ten minutes.
    """
    limit = RateLimit(rate=5, per=600.0, kind="window", headers="retry-after")
    async with Emulator(rate_limit=limit) as emulator, emulator.pool() as pool:
        clicks = [
            asyncio.create_task(pool.session(1).reporting.data_sources())
            for _ in range(20)
        ]
        pull = asyncio.create_task(
            pool.session(2, priority=Priority.BULK)
            .with_options(deadline=30.0)
            .reporting.data_sources()
        )
        done = await asyncio.wait_for(
            asyncio.gather(*clicks, pull, return_exceptions=True), 5.0
        )

    kinds = [type(result).__name__ for result in done]
    assert kinds[:20].count("DataSources") in {4, 5}
    assert kinds[:20].count("RateLimitedError") >= 15
    assert all(e.retry_after > 500 for e in done if isinstance(e, RateLimitedError))
    # Or it was itself the one that was asked to wait.
    assert kinds[20] in {"DataSources", "DeadlineExceededError", "RateLimitedError"}


async def test_a_listener_that_fails_costs_no_call(caplog):
    """
    A mistake in a dashboard must not lose the rows of a nightly pull.
    """

    def listen(event):
        raise ZeroDivisionError("4711")

    limit = RateLimit(rate=20, burst=5, headers="none")
    async with (
        Emulator(rate_limit=limit) as emulator,
        emulator.pool(on_pacing=listen) as pool,
    ):
        outcomes = await pool.fan_out(
            range(1, 21), lambda s: s.reporting.data_sources()
        )

    assert len(outcomes.succeeded) == 20
    assert "on_pacing raised ZeroDivisionError" in caplog.text
    assert "4711" not in caplog.text


async def test_a_listener_that_would_have_to_be_awaited_is_refused():
    """
    It would never run, and nobody would know.
    """

    async def listen(event): ...

    async with Emulator() as emulator:
        with pytest.raises(ConfigurationError, match="on_pacing"):
            emulator.pool(on_pacing=listen)


async def test_a_limiter_that_answers_503_is_a_limiter():
    """
    Whoever catches RateLimitedError means it, whatever status the vendor chose.
    """
    limit = RateLimit(
        rate=1, per=600.0, kind="window", headers="retry-after", status=503
    )
    async with Emulator(rate_limit=limit) as emulator, emulator.pool() as pool:
        session = pool.session(1)
        await session.reporting.data_sources()
        with pytest.raises(RateLimitedError) as caught:
            await session.reporting.data_sources()

    assert caught.value.status == 503
    assert caught.value.retry_after > 500


async def test_many_short_pools_share_one_budget_and_leave_no_file_open():
    """
    A job that opens a pool for each task must not become faster with each of them.
    """
    limit = RateLimit(rate=40, burst=20, headers="none")
    shared = PacingSettings(share=True, remember=False)
    async with Emulator(providers=1, rate_limit=limit) as emulator:

        async def job(calls):
            async with (
                emulator.pool(pacing=shared) as pool,
                asyncio.TaskGroup() as group,
            ):
                for _ in range(calls):
                    session = pool.session(1, priority=Priority.BULK)
                    group.create_task(session.reporting.data_sources())

        await job(60)
        await job(60)
        before = await asyncio.to_thread(open_files)
        emulator.seen.clear()
        for _ in range(15):
            await job(10)
        after = await asyncio.to_thread(open_files)

    assert emulator.seen.rejected <= 15
    assert after < before + 5  # and not one more for each of 15 pools


def open_files():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
