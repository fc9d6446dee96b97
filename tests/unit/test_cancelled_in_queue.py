"""Cancelled in the same tick in which its turn would come."""

import asyncio

import pytest
from fakes import request, response

from healthyroster_async import PacingSettings
from healthyroster_async._policies.budgets import pacers_of
from healthyroster_async._policies.pacing import PacingPolicy


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_whoever_was_just_cancelled_is_passed_over(cancelled_first):
    """
    Its task has not run yet, so the queue still holds it: waking it raises in whoever
    gave the permit back, and then nobody wakes the next one.
    """
    settings = PacingSettings(max_concurrency=1)
    policy = PacingPolicy(pacers_of("an application", settings))
    ends = asyncio.get_running_loop().create_future()

    async def until_told(request_):
        await ends
        return response()

    async def at_once(request_):
        return response()

    holder = asyncio.ensure_future(policy(request(), until_told))
    await asyncio.sleep(0)
    first, second = (
        asyncio.ensure_future(policy(request(), at_once)) for _ in range(2)
    )
    await asyncio.sleep(0)
    for step in [first.cancel, lambda: ends.set_result(None)][
        :: 1 if cancelled_first else -1
    ]:
        step()

    assert (await holder).status == 200
    assert (await second).status == 200
    assert first.cancelled()
    assert (await policy(request(), at_once)).status == 200
