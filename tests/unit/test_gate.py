"""Waiting for a turn: who is let in, who is turned away at once, and what is told."""

import asyncio
import contextlib
import gc
import logging
import sys
import tracemalloc

import pytest
from fakes import ScriptedTransport, error, logged, request, response

from healthyroster_async import (
    ConnectError,
    DeadlineExceededError,
    Limit,
    PacingSettings,
    PoolClosedError,
    Priority,
    RateLimitedError,
    ServerError,
)
from healthyroster_async._core.errors import QueueFullError, ServiceUnavailableError
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.learning import START_RATE
from healthyroster_async._core.places import Places, leave
from healthyroster_async._core.settings import Budget, Environment
from healthyroster_async._policies.budgets import pacers_of
from healthyroster_async._policies.gate import Gate, Waiter
from healthyroster_async._policies.pacing import PacingPolicy

BULK, INTERACTIVE = Priority.BULK, Priority.INTERACTIVE


def clock():
    return asyncio.get_running_loop().time()


def pacing(*, name="an application", learned=None, tell=None, **settings):
    return PacingPolicy(pacers_of(name, PacingSettings(**settings), learned), tell=tell)


def governor(policy, key=None):
    return policy.pacers.of(key).governor


def started(policy, transport, *requests):
    return [asyncio.ensure_future(policy(r, transport.send)) for r in requests]


async def asked_to_wait(policy, seconds):
    """Let the API turn a call away and ask for a wait."""
    throttle = ScriptedTransport([error(429, retry_after=str(seconds))])
    with pytest.raises(RateLimitedError):
        await policy(request(priority=BULK), throttle.send)


async def broken(policy, faults=5):
    """Let so many calls in a row find nobody."""
    dead = ScriptedTransport([ConnectError(request(), "refused")] * faults)
    for _ in range(faults):
        with pytest.raises((ConnectError, ServiceUnavailableError)):
            await policy(request(priority=BULK), dead.send)


# -- the gate ----------------------------------------------------------------------


async def test_a_turned_away_waiter_is_told_and_holds_nothing():
    """
    A pool that closes ends all that wait, and whoever comes next has their places.
    """
    places = Places(1)
    gate = Gate(places, asyncio.get_running_loop())
    holder, waiter = Waiter(), Waiter()
    assert places.ask(holder, 0.0)
    assert not places.ask(waiter, 0.0)
    task = asyncio.ensure_future(gate.wait(waiter))
    await asyncio.sleep(0)
    gate.turn_away(waiter)
    gate.turn_away(waiter)

    assert not await task
    assert (places.in_flight, len(places.queue)) == (1, 0)


@pytest.mark.parametrize("cancelled", [[0], [1], [0, 1], [0, 1, 2], [2]])
@pytest.mark.parametrize("ticks", range(3))
async def test_a_place_is_never_lost_whoever_is_cancelled_when_it_is_given(
    cancelled, ticks
):
    """
    One lost place and a pool of one stands still for good.
    """
    places = Places(1)
    gate = Gate(places, asyncio.get_running_loop())
    holder = Waiter()
    places.ask(holder, 0.0)
    waiters = [Waiter() for _ in range(4)]

    async def take(waiter):
        if places.ask(waiter, 0.0) or await gate.wait(waiter):
            gate.abandon(waiter)

    tasks = [asyncio.ensure_future(take(waiter)) for waiter in waiters]
    await asyncio.sleep(0)
    gate.abandon(holder)
    for _ in range(ticks):
        await asyncio.sleep(0)
    for index in cancelled:
        tasks[index].cancel()
    await asyncio.wait(tasks)

    assert (places.in_flight, len(places.queue)) == (0, 0)


async def test_one_timer_is_enough():
    """
    A timer for each of a hundred thousand waiting calls would be a heap of its own.
    """
    policy = pacing(rate=Limit(1, 1))
    loop = asyncio.get_running_loop()
    transport = ScriptedTransport([])
    tasks = started(policy, transport, *(request() for _ in range(50)))
    await asyncio.sleep(0)

    assert len([t for t in loop._scheduled if not t.cancelled()]) == 1
    await asyncio.gather(*tasks)
    gaps = [
        b - a for a, b in zip(transport.asked_at, transport.asked_at[1:], strict=False)
    ]
    assert min(gaps) == pytest.approx(1 / 0.98, abs=0.06)


# -- turned away at once -------------------------------------------------------------


async def test_a_full_queue_turns_the_next_one_away():
    """
    A web app that lost its API must not keep every request in memory.
    """
    policy, transport = pacing(max_concurrency=1, max_queue=2), ScriptedTransport([])
    transport.latency = 1.0
    tasks = started(policy, transport, *(request() for _ in range(3)))
    await asyncio.sleep(0.1)

    with pytest.raises(QueueFullError, match="2 calls wait") as caught:
        await policy(request(), transport.send)
    assert caught.value.waiting == 2
    assert [answer.status for answer in await asyncio.gather(*tasks)] == [200] * 3
    assert len(governor(policy).queue) == governor(policy).in_flight == 0


SPENT = {
    "x-ratelimit-limit": "30",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "20",
}


async def test_nobody_who_waits_in_person_waits_longer_for_a_quota_than_for_a_pause():
    """
    An API that says how much is left instead of turning calls away says the same.
    """
    events = []
    policy = pacing(tell=events.append, max_pause=2.0, max_concurrency=2)
    transport = ScriptedTransport([response(headers=SPENT), response(headers=SPENT)])
    transport.latency = 1.0
    tasks = started(policy, transport, *(request() for _ in range(3)))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(o).__name__ for o in outcomes][2] == "RateLimitedError"
    assert outcomes[2].retry_after == pytest.approx(20.0, abs=1.5)
    assert clock() == pytest.approx(1.0, abs=0.1)
    assert [(e.kind, round(e.pause_s)) for e in events] == [("paused", 20)]
    with pytest.raises(RateLimitedError):
        await policy(request(), transport.send)
    assert clock() == pytest.approx(1.0, abs=0.1)


async def test_a_deadline_before_the_next_turn_is_told_at_once():
    """
    Also where nobody waits before it.
    """
    policy, transport = pacing(rate=Limit(1, 30)), ScriptedTransport([])
    await policy(request(), transport.send)

    with pytest.raises(DeadlineExceededError) as caught:
        await policy(request(deadline=clock() + 3.0), transport.send)
    assert caught.value.wait == pytest.approx(30.0, rel=0.1)
    assert clock() < 0.1


async def test_who_was_turned_away_by_the_api_has_a_place_in_a_full_queue():
    """
    It was let in once, and goes before all that came after it.
    """
    policy = pacing(max_queue=1)
    transport = ScriptedTransport([error(429, retry_after="1")])
    first = request(priority=BULK)
    with pytest.raises(RateLimitedError):
        await policy(first, transport.send)
    (other,) = started(policy, transport, request(priority=BULK, provider_id=1))
    await asyncio.sleep(0)
    again = asyncio.ensure_future(policy(first, transport.send))

    assert (await again).status == (await other).status == 200


async def test_a_call_that_cannot_start_before_its_deadline_is_told_the_wait():
    """
    At once, so that its caller can do something else with the time.
    """
    policy, transport = pacing(rate=Limit(1, 1)), ScriptedTransport([])
    waiting = started(policy, transport, *(request() for _ in range(20)))
    await asyncio.sleep(0)

    with pytest.raises(DeadlineExceededError) as caught:
        await policy(request(deadline=clock() + 10.0), transport.send)
    assert clock() == 0.0
    assert caught.value.wait == pytest.approx(19 / 0.98, rel=0.1)
    for task in waiting:
        task.cancel()


async def test_a_click_in_front_of_a_long_queue_keeps_its_deadline():
    """
    It goes first, so what waits behind it is no reason to fail it.
    """
    policy, transport = pacing(rate=Limit(2, 1)), ScriptedTransport([])
    pull = [request(priority=BULK, provider_id=n) for n in range(300)]
    waiting = started(policy, transport, *pull)
    await asyncio.sleep(0)
    click = request(priority=INTERACTIVE, provider_id=1, deadline=clock() + 3.0)

    assert (await policy(click, transport.send)).status == 200
    assert clock() < 1.5
    for task in waiting:
        task.cancel()


async def test_in_a_long_pause_a_person_is_told_at_once_and_a_pull_waits():
    """
    Nobody looks at a spinner for ten minutes; a pull has the night.
    """
    policy, transport = pacing(max_pause=60.0), ScriptedTransport([])
    await asked_to_wait(policy, 600)
    (pull,) = started(policy, transport, request(priority=BULK))
    await asyncio.sleep(10.0)

    with pytest.raises(RateLimitedError) as caught:
        await policy(request(priority=INTERACTIVE), transport.send)
    assert clock() == 10.0
    assert 590.0 <= caught.value.retry_after <= 591.0
    assert caught.value.response.body == b""
    assert (await pull).status == 200
    assert 600.0 <= clock() <= 602.0


async def test_in_a_short_pause_a_person_waits_too():
    """
    Two seconds are no reason for an error.
    """
    policy, transport = pacing(max_pause=60.0), ScriptedTransport([])
    await asked_to_wait(policy, 2)
    await policy(request(priority=INTERACTIVE), transport.send)

    assert 2.0 <= clock() <= 2.5


async def test_when_the_api_is_down_a_person_is_told_at_once_and_a_pull_waits():
    """
    Thirty clicks into a dead API are thirty requests and thirty long waits too many.
    """
    policy, transport = pacing(), ScriptedTransport([])
    await broken(policy)
    (pull,) = started(policy, transport, request(priority=BULK))
    await asyncio.sleep(0.5)

    with pytest.raises(ServiceUnavailableError) as caught:
        await policy(request(priority=INTERACTIVE), transport.send)
    assert caught.value.retry_after == pytest.approx(1.5)
    assert transport.asked_at == []
    assert (await pull).status == 200
    assert transport.asked_at == [2.0]
    assert (await policy(request(), transport.send)).status == 200


async def test_after_max_pause_of_outage_a_pull_is_told_too():
    """
    Whoever waits until the morning wants to know in the night.
    """
    policy = pacing(max_pause=30.0)
    dead = ScriptedTransport([ConnectError(request(), "refused")] * 99)
    await broken(policy)

    probes = []

    async def pull():
        while True:
            try:
                return await policy(request(priority=BULK), dead.send)
            except ConnectError:
                probes.append(clock())

    outcomes = await asyncio.gather(
        *(pull() for _ in range(20)), return_exceptions=True
    )

    assert {type(outcome) for outcome in outcomes} == {ServiceUnavailableError}
    assert all(0.0 < outcome.retry_after <= 10.0 for outcome in outcomes)
    assert 30.0 < clock() <= 42.0
    assert probes == dead.asked_at
    assert len(probes) <= 6
    assert len(governor(policy).queue) == governor(policy).in_flight == 0


async def test_a_probe_says_so_to_whoever_counts_attempts():
    """
    A call that only looked whether the API is back has not used up an attempt.
    """
    policy = pacing()
    failures = []
    dead = ScriptedTransport([ConnectError(request(), "refused") for _ in range(9)])
    for _ in range(6):
        with pytest.raises(ConnectError) as caught:
            await policy(request(priority=BULK), dead.send)
        failures.append(caught.value.probing)

    assert failures == [False] * 5 + [True]


# -- budgets -------------------------------------------------------------------------


async def test_two_pools_of_a_loop_that_use_one_application_share_its_budget():
    """
    The API counts them together.
    """
    one, two = pacing(rate=Limit(2, 1)), pacing(rate=Limit(2, 1))
    transport = ScriptedTransport([])
    tasks = [
        *started(one, transport, *(request() for _ in range(5))),
        *started(two, transport, *(request() for _ in range(5))),
    ]
    await asyncio.gather(*tasks)

    assert one.pacers is two.pacers
    assert clock() == pytest.approx(9 / 1.96, abs=0.06)


async def test_other_applications_and_other_settings_share_nothing():
    """
    Nobody is slowed down for what somebody else was asked.
    """
    one, other, faster = pacing(), pacing(name="another"), pacing(max_rate=1e6)

    assert len({id(policy.pacers) for policy in (one, other, faster)}) == 3


async def test_closing_one_pool_leaves_the_calls_of_the_other_alone():
    """
    A notebook closes its pool while the web app beside it goes on.
    """
    one, two = pacing(max_concurrency=1), pacing(max_concurrency=1)
    transport = ScriptedTransport([], latency=1.0)
    mine, *waiting = started(one, transport, *(request() for _ in range(3)))
    theirs = started(two, transport, *(request() for _ in range(3)))
    await asyncio.sleep(0.5)
    one.close()
    await one.drained()

    assert mine.done()
    for task in waiting:
        with pytest.raises(PoolClosedError):
            await task
    assert [answer.status for answer in await asyncio.gather(*theirs)] == [200] * 3
    assert clock() == pytest.approx(4.0)
    with pytest.raises(PoolClosedError):
        await one(request(), transport.send)
    assert (await two(request(), transport.send)).status == 200


async def test_a_pause_of_one_pool_is_one_of_the_other():
    """
    The application was asked, whichever pool it used.
    """
    one, two, transport = pacing(), pacing(), ScriptedTransport([])
    await asked_to_wait(one, 20)
    await two(request(), transport.send)

    assert 20.0 <= clock() <= 21.0
    assert (one.throttled, two.throttled) == (1, 0)


async def test_each_provider_may_have_a_budget_of_its_own():
    """
    Some APIs count by tenant, and then one clinic's pause is no other's.
    """
    policy, transport = pacing(budget=Budget.PROVIDER), ScriptedTransport([])
    await asked_to_wait(policy, 20)
    await policy(request(provider_id=1), transport.send)

    assert clock() == 0.0
    await policy(request(), transport.send)
    assert 20.0 <= clock() <= 21.0
    assert policy.learned is None


async def test_a_budget_that_is_new_begins_as_another_one_goes():
    """
    What one clinic's calls ran into need not be found out again by each of 300.
    """
    policy, transport = pacing(budget=Budget.PROVIDER), ScriptedTransport([])
    await asked_to_wait(policy, 20)
    await policy(request(provider_id=1), transport.send)
    turned_away = governor(policy, request().provider_id).learner.rate

    assert governor(policy, 1).learner.starting
    assert governor(policy, 1).learner.rate == pytest.approx(turned_away)
    assert turned_away < START_RATE


@pytest.mark.unmeasured
async def test_budgets_of_idle_providers_are_forgotten():
    """
    There are more clinics than a process should remember.
    """
    policy, transport = pacing(budget=Budget.PROVIDER), ScriptedTransport([])
    await asked_to_wait(policy, 600)
    for provider in range(5_000, 10_000):
        await policy(request(provider_id=provider), transport.send)

    assert len(list(policy.pacers)) <= 4_096
    assert governor(policy, request().provider_id).paused_until >= 600.0


async def test_what_was_learned_is_begun_with_and_given_back():
    """
    The second run starts where the first one ended.
    """
    learned = Learned(at=0, limit=Limit(600, 60))
    policy = pacing(learned=learned)

    assert governor(policy).source == "learned 600 per 60 s"
    assert policy.learned == learned


# -- streams -------------------------------------------------------------------------


async def test_a_stream_holds_a_place_of_its_own_and_no_permit():
    """
    Whoever reads rows makes other calls in the meantime.
    """
    policy, transport = pacing(max_streams=1, max_concurrency=1), ScriptedTransport([])
    first, then = request(stream=True), request(stream=True)
    await policy(first, transport.send)
    (second,) = started(policy, transport, then)
    assert (await policy(request(), transport.send)).status == 200
    await asyncio.sleep(1.0)

    assert not second.done()
    assert policy.streams.in_flight == 1
    leave(first)
    assert (await second).status == 200
    leave(then)
    assert policy.streams.in_flight == governor(policy).in_flight == 0


async def test_a_full_queue_of_streams_turns_the_next_one_away():
    """
    A stream waits in a queue of its own, and that has the same bound.
    """
    policy, transport = pacing(max_streams=1, max_queue=1), ScriptedTransport([])
    first, then = request(stream=True), request(stream=True)
    await policy(first, transport.send)
    (second,) = started(policy, transport, then)
    await asyncio.sleep(0.1)

    with pytest.raises(QueueFullError, match="1 calls wait"):
        await policy(request(stream=True), transport.send)
    leave(first)
    assert (await second).status == 200
    leave(then)
    assert policy.streams.in_flight == len(policy.streams.queue) == 0


@pytest.mark.parametrize("waits_for", ["a place", "a permit"])
async def test_a_stream_that_is_cancelled_while_it_waits_holds_nothing(waits_for):
    """
    Two queues, one behind the other, and nothing lost in either.
    """
    policy = pacing(max_streams=1, max_concurrency=1)
    slow = ScriptedTransport([], latency=5.0)
    held, given_up = request(stream=waits_for == "a place"), request(stream=True)
    holder, stream = started(policy, slow, held, given_up)
    await asyncio.sleep(1.0)
    stream.cancel()
    await asyncio.wait([holder, stream])
    leave(held)
    leave(given_up)

    assert stream.cancelled()
    assert policy.streams.in_flight == policy.in_flight == 0
    assert governor(policy).in_flight == 0
    assert (await policy(request(stream=True), slow.send)).status == 200


async def test_a_stream_that_failed_keeps_its_place_until_it_is_left():
    """
    Else a window that nobody reads yet would take it, and hold it for as long as the
    one before it waits for a place.
    """
    policy, lost = pacing(max_streams=1), ConnectError(request(), "refused")
    first, then = request(stream=True), request(stream=True)
    with pytest.raises(ConnectError):
        await policy(first, ScriptedTransport([lost]).send)
    (second,) = started(policy, ScriptedTransport([]), then)
    assert (await policy(first, ScriptedTransport([]).send)).status == 200

    assert not second.done()
    leave(first)
    assert (await second).status == 200


# -- what is told --------------------------------------------------------------------


async def test_hooks_hear_of_pauses_and_outages_and_of_their_end():
    """
    An operator's dashboard is made of these.
    """
    events = []
    policy, transport = pacing(tell=events.append), ScriptedTransport([])
    await asked_to_wait(policy, 5)
    await policy(request(), transport.send)
    await broken(policy)
    await policy(request(priority=BULK), transport.send)

    assert [event.kind for event in events] == ["paused", "resumed", "down", "up"]
    assert {event.environment for event in events} == {Environment.SANDBOX}
    assert 5.0 <= events[0].pause_s <= 5.5
    assert events[2].pause_s == 2.0
    assert events[1].pause_s == events[3].pause_s == 0.0
    assert all(event.rate > 0 for event in events)


async def test_the_log_says_the_same_and_nothing_about_people(caplog):
    """
    Constant words, a name of an environment and numbers: nothing that names a patient.
    """
    caplog.set_level(logging.DEBUG)
    private = b'{"patient": "Quillfeather", "message": "API calls quota exceeded!"}'
    turned_away = RateLimitedError(
        response(429, body=private, headers={"retry-after": "5", "x": "Quillfeather"})
    )
    page = ServerError(response(502, body=private))
    policy = pacing()
    transport = ScriptedTransport([turned_away, response(), *[page] * 5])
    for _ in range(7):
        with contextlib.suppress(RateLimitedError, ServerError):
            await policy(request(priority=BULK), transport.send)
    records = [r for r in caplog.records if r.name == "healthyroster_async.pacing"]

    assert [record.kind for record in records] == ["paused", "resumed", "down"]
    for record in records:
        assert record.levelno == logging.INFO
        assert record.environment in record.getMessage()
        assert record.source in record.getMessage()
        assert {"rate_per_s", "pause_s"} <= vars(record).keys()
        for shown in (record.getMessage(), logged(record)):
            assert "Quillfeather" not in shown
            assert "4711" not in shown


async def test_a_rejection_is_not_kept_alive_with_what_was_sent():
    """
    The frames of an error hold the secrets of the call, and a pool lives for months.
    """
    policy = pacing()
    await asked_to_wait(policy, 5)
    kept = policy.pacers.of(None).refusal

    assert kept.status == 429
    assert kept.body == b""
    assert not isinstance(kept, BaseException)


# -- memory --------------------------------------------------------------------------


async def taken(count, wait):
    """Return the bytes that so many tasks take, each of which awaits *wait* of it."""
    requests = [request(priority=BULK, provider_id=n % 300) for n in range(count)]
    gc.collect()
    # Measuring coverage gives each coroutine that waits a frame object of its own.
    tracing = sys.gettrace()
    sys.settrace(None)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tasks = [asyncio.ensure_future(wait(r)) for r in requests]
        await asyncio.sleep(0)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        sys.settrace(tracing)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return after - before


async def test_a_waiting_call_costs_less_than_a_kilobyte():
    """
    A hundred thousand calls may wait: that is 100 MB at most, beside their own tasks.
    """
    policy, transport = pacing(rate=Limit(1, 60)), ScriptedTransport([])
    await policy(request(), transport.send)

    async def one_that_waits(request_):
        await asyncio.get_running_loop().create_future()

    count = 10_000
    ours = await taken(count, lambda r: policy(r, transport.send))
    bare = await taken(count, one_that_waits)

    assert transport.asked_at == [0.0]
    assert (ours - bare) / count < 1024
    assert governor(policy).in_flight == len(governor(policy).queue) == 0
