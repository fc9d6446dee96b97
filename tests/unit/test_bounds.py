"""A bound ends one attempt in time, and takes nothing that is not its own."""

import asyncio

import pytest

from healthyroster_async._transports.bounds import Bounds


def now():
    return asyncio.get_running_loop().time()


async def sleep_within(bounds, seconds, sleep=1000):
    with bounds.of(seconds):
        await asyncio.sleep(sleep)


async def test_each_is_ended_at_its_own_time():
    """
    One timer serves all, whatever the order in which they begin.
    """
    bounds = Bounds()

    async def ended(seconds):
        with pytest.raises(TimeoutError):
            await sleep_within(bounds, seconds)
        return now()

    times = await asyncio.gather(*map(ended, (3, 1, 2, 1)))

    assert times == [3, 1, 2, 1]
    assert not bounds


async def test_what_is_done_in_time_is_left_alone():
    """
    A bound that fired afterwards would cancel whatever the task does next.
    """
    bounds = Bounds()
    await sleep_within(bounds, 1, sleep=0.5)
    await asyncio.sleep(5)

    assert now() == 5.5
    assert asyncio.current_task().cancelling() == 0


async def test_an_answer_that_was_there_in_time_counts():
    """
    Something else kept the loop busy past the bound: what was read when it was done
    must not be told as a change that may have been carried out or not.
    """
    loop = asyncio.get_running_loop()
    answer = loop.create_future()

    async def attempt():
        with bounds.of(1):
            return await answer

    bounds = Bounds()
    loop.call_at(loop.time() + 1, answer.set_result, "there")

    assert await attempt() == "there"


@pytest.mark.parametrize("first", ["bound", "outside"])
async def test_a_cancel_from_outside_in_the_same_tick_wins(first):
    """
    Whoever cancels a task waits for it to end; a TimeoutError would be retried.
    """
    bounds = Bounds()
    task = asyncio.ensure_future(sleep_within(bounds, 1))
    loop = asyncio.get_running_loop()
    if first == "outside":
        loop.call_at(1, task.cancel)
    await asyncio.sleep(0)
    if first == "bound":
        loop.call_at(1, task.cancel)
    await asyncio.wait([task])

    assert task.cancelled()
    assert now() == 1
    assert not bounds


async def test_an_outer_scope_of_the_same_time_ends_it_too():
    """
    A deadline may pass in the tick in which the attempt takes too long.
    """
    bounds = Bounds()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1) as outer:
            await sleep_within(bounds, 1)

    assert outer.expired()
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("outcome", [ValueError, None])
async def test_what_comes_of_the_end_instead_stays_as_it_is(outcome):
    """
    A client may turn being cancelled into an error of its own, or finish after all;
    the task must not stay marked as cancelled.
    """
    bounds = Bounds()

    async def attempt():
        with bounds.of(1):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                if outcome:
                    raise outcome from None

    if outcome:
        with pytest.raises(outcome):
            await attempt()
    else:
        await attempt()

    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(1)


async def test_all_are_cut_at_once_and_only_once():
    """
    Closing a pool ends what is under way; a second cancel would count as a caller's.
    """
    bounds = Bounds()

    async def stubborn():
        with bounds.of(1):
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(3)

    tasks = [asyncio.ensure_future(stubborn()) for _ in range(3)]
    await asyncio.sleep(0.5)
    bounds.cut()
    bounds.cut()
    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(error) for error in done] == [TimeoutError] * 3
    assert now() == 3.5
