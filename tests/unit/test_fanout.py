"""Fan-out without sockets: every call gets an outcome, whatever ends it."""

import asyncio
import contextlib
import gc
import sys
from functools import partial

import pytest

from healthyroster_async import Failed, InnerCancellationError
from healthyroster_async._fanout import Counting, Job, as_completed, each, fan_out


async def jobs_of(ids, call):
    async for number in each(ids):
        yield Job(number, number, partial(call, number))


async def kept(ids, call, *, limit):
    """Return the outcomes of a fan-out, by key."""
    counting = Counting(None, None)
    outcomes = await fan_out(jobs_of(ids, call), limit=limit, counting=counting)
    return {outcome.key: outcome for outcome in outcomes}


async def streamed(ids, call, *, limit):
    """Return the outcomes as they came, by key."""
    counting = Counting(None, None)
    outcomes = as_completed(jobs_of(ids, call), limit=limit, counting=counting)
    return {outcome.key: outcome async for outcome in outcomes}


BOTH = pytest.mark.parametrize("run", [kept, streamed])


@BOTH
async def test_a_call_that_gives_nothing_to_await_is_told_so(run):
    """
    A function that was not called, or is not async, is a slip of the first minute.
    """
    with pytest.raises(TypeError, match="of a fan-out gave int; give a function"):
        await run([1], lambda number: number, limit=1)


@BOTH
@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_a_call_that_is_cancelled_from_inside_is_an_outcome(run, limit):
    """
    A shared task that somebody cancelled must not make 26 of 30 clinics vanish.
    """
    shared = asyncio.create_task(asyncio.sleep(60))

    async def call(number):
        await asyncio.sleep(0.01)
        if number == 5:
            shared.cancel()
            await shared
        return number

    outcomes = await run(range(1, 31), call, limit=limit)

    assert sorted(outcomes) == list(range(1, 31))
    assert isinstance(outcomes[5], Failed)
    assert isinstance(outcomes[5].error, InnerCancellationError)
    assert [k for k, o in outcomes.items() if isinstance(o, Failed)] == [5]


@BOTH
@pytest.mark.parametrize("limit", [1, 7])
@pytest.mark.parametrize("last", [0, 4, 20])
async def test_an_input_that_is_cancelled_from_inside_is_an_error(run, limit, last):
    """
    Half the providers are not all of them.
    """

    async def ids():
        for number in range(last):
            yield number
        raise asyncio.CancelledError

    with pytest.raises(InnerCancellationError, match="input"):
        await run(ids(), lambda _: asyncio.sleep(0.01), limit=limit)


@BOTH
@pytest.mark.parametrize("limit", [1, 3])
async def test_a_call_that_cancels_its_own_task_is_an_error(run, limit):
    """
    The task is the fan-out's, and other calls were to be made in it.
    """

    async def call(number):
        if number == 5:
            asyncio.current_task().cancel()
        await asyncio.sleep(0.01)

    with pytest.raises(InnerCancellationError, match="cancelled the task"):
        await run(range(10), call, limit=limit)


@BOTH
async def test_a_caller_that_is_cancelled_ends_every_call(run):
    """
    What was sent to us goes on to whoever waits for us.
    """
    before = asyncio.all_tasks()
    running = set()

    async def call(number):
        running.add(number)
        try:
            await asyncio.sleep(60)
        finally:
            running.discard(number)

    task = asyncio.create_task(run(range(30), call, limit=5))
    await asyncio.sleep(1)
    assert running == {0, 1, 2, 3, 4}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not running
    assert asyncio.all_tasks() == before


@BOTH
async def test_a_timeout_around_a_fan_out_is_a_timeout(run):
    """
    It is a cancellation that was sent to us, for a while.
    """
    before = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await run(range(30), lambda _: asyncio.sleep(60), limit=5)

    assert asyncio.all_tasks() == before


async def test_closing_early_waits_for_calls_that_take_leave_badly():
    """
    What fails while it is cancelled is neither raised nor left behind.
    """
    before = asyncio.all_tasks()

    async def call(number):
        if number > 2:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(1)
                raise KeyError(number)

    told = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    outcomes = as_completed(
        jobs_of(range(9), call), limit=4, counting=Counting(None, None)
    )
    async with contextlib.aclosing(outcomes):
        async for _ in outcomes:
            break
    gc.collect()
    await asyncio.sleep(1)
    loop.set_exception_handler(None)

    assert not told
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_a_slow_consumer_gets_every_outcome(limit):
    """
    It slows the calls down, and the last is kept for it when all have ended.
    """
    called, got = [], []

    async def call(number):
        called.append(number)

    counting = Counting(None, None)
    async for outcome in as_completed(
        jobs_of(range(20), call), limit=limit, counting=counting
    ):
        await asyncio.sleep(10)
        got.append(outcome.key)
        assert len(called) - len(got) <= limit + 2

    assert sorted(got) == list(range(20))


@BOTH
async def test_a_bug_comes_after_what_came_before_it(run):
    """
    A bug is raised as it is, and no task outlives it.
    """
    before = asyncio.all_tasks()

    async def call(number):
        await asyncio.sleep(number)
        if number == 3:
            raise KeyError("typo")

    with pytest.raises(KeyError, match="typo"):
        await run(range(50), call, limit=5)

    assert asyncio.all_tasks() == before


@BOTH
async def test_a_bug_leaves_its_caller_uncancelled(run):
    """
    Else the next Ctrl-C is a CancelledError, and a shared task that somebody cancelled
    ends the fan-out around this one.
    """

    async def call(number):
        raise KeyError(number)

    with pytest.raises(KeyError):
        await run(range(5), call, limit=3)

    assert asyncio.current_task().cancelling() == 0


@BOTH
@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit])
def test_who_fans_out_hears_that_a_call_ends_the_program(run, leaving):
    """
    It stops the loop, and who waits has a pool to close.
    """
    heard = []

    async def call(_):
        raise leaving

    async def main():
        try:
            await run(range(5), call, limit=3)
        except leaving as error:
            heard.append(type(error))

    with pytest.raises(leaving):
        asyncio.run(main())

    assert heard == [leaving]


@BOTH
@pytest.mark.parametrize("limit", [1, 20])
async def test_calls_that_never_wait_do_not_hold_the_loop(run, limit):
    """
    200,000 calls that fail at once must not stop a web app for half a minute.
    """
    made, most = 0, 0

    async def call(_):
        nonlocal made
        made += 1

    async def watch():
        nonlocal most
        while True:
            seen = made
            await asyncio.sleep(0)
            most = max(most, made - seen)

    watching = asyncio.create_task(watch())
    await run(range(1000), call, limit=limit)
    watching.cancel()

    assert made == 1000
    assert 0 < most <= limit


async def test_ids_that_come_again_do_not_hold_the_loop():
    """
    They are passed over, and that takes its time too.
    """
    passes = 0

    async def watch():
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    outcomes = await kept([1] * 1000, lambda _: asyncio.sleep(0), limit=5)
    watching.cancel()

    assert list(outcomes) == [1]
    assert passes >= 1000


@BOTH
async def test_there_are_no_more_tasks_than_calls(run):
    """
    A generous bound costs nothing where the input is short.
    """
    before, most = len(asyncio.all_tasks()), 0

    async def call(_):
        nonlocal most
        most = max(most, len(asyncio.all_tasks()) - before)
        await asyncio.sleep(1)

    await run(range(5), call, limit=200_000)

    assert most <= 6


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
@BOTH
async def test_eager_tasks_do_not_pile_up(run):
    """
    They begin where they are made, which must not be inside each other.
    """
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)

    async def call(number):
        return number

    outcomes = await run(range(3000), call, limit=2000)
    loop.set_task_factory(None)

    assert len(outcomes) == 3000


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
@BOTH
async def test_an_eager_task_that_fails_is_a_bug_and_nothing_else(run):
    """
    It fails where it is made: neither a warning nor a cancellation is left behind.
    """
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)

    async def call(number):
        raise KeyError(number)

    with pytest.raises(KeyError):
        await run(range(5), call, limit=3)
    loop.set_task_factory(None)
    await asyncio.sleep(0)
    gc.collect()  # what was never awaited says so
