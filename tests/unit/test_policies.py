"""The policies around an attempt, in virtual time."""

import asyncio
import logging
from random import Random

import pytest
from fakes import (
    PRODUCTION_URL,
    SANDBOX_URL,
    SECRET,
    ScriptedTransport,
    contract,
    credentials,
    error,
    logged,
    request,
    response,
)

from healthyroster_async import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    Environment,
    ForbiddenError,
    PacingSettings,
    PoolClosedError,
    Priority,
    RateLimitedError,
    RetrySettings,
    ServerError,
)
from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.delays import RetryBudget
from healthyroster_async._core.errors import error_for
from healthyroster_async._core.verdicts import Verdict
from healthyroster_async._policies.authentication import AuthenticationPolicy
from healthyroster_async._policies.budgets import pacers_of
from healthyroster_async._policies.deadline import DeadlinePolicy
from healthyroster_async._policies.gate import Waiter
from healthyroster_async._policies.pacing import PacingPolicy
from healthyroster_async._policies.retry import RetryPolicy
from healthyroster_async._policies.telemetry import TelemetryPolicy


def clock():
    return asyncio.get_running_loop().time()


def retry(**settings):
    return RetryPolicy(
        RetrySettings(**settings), RetryBudget(), DeadlinePolicy(), 120.0, Random(7)
    )


async def test_waits_at_least_as_long_as_the_api_asked():
    """
    A 429 is retried, never sooner than its Retry-After allows.
    """
    transport = ScriptedTransport([error(429, retry_after="60")])

    answer = await retry()(request(), transport.send)

    assert answer.status == 200
    assert 60.0 <= clock() <= 61.0


@pytest.mark.parametrize("settings", [{}, {"base_delay": 0.001, "max_delay": 0.001}])
async def test_every_way_of_retrying_obeys_the_api(settings):
    """
    Several throttles in a row are obeyed one by one, whatever the own delays are.
    """
    transport = ScriptedTransport([error(429, retry_after="5")] * 4)
    await retry(**settings)(request(), transport.send)
    gaps = [
        b - a for a, b in zip(transport.asked_at, transport.asked_at[1:], strict=False)
    ]

    assert len(gaps) == 4
    assert min(gaps) >= 5.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_what_is_the_callers_matter_is_asked_once(status):
    """
    Asking again changes nothing, and a 403 costs one call.
    """
    transport = ScriptedTransport([error(status)] * 9)

    with pytest.raises(type(error(status))):
        await retry()(request(), transport.send)
    assert len(transport.asked_at) == 1


async def test_the_last_failure_is_what_the_caller_gets():
    """
    After max_attempts the error is the API's own, and nothing hides it.
    """
    transport = ScriptedTransport([error(500), error(502), error(504), error(500)])

    with pytest.raises(ServerError) as caught:
        await retry(max_attempts=3)(request(), transport.send)
    assert caught.value.status == 504
    assert len(transport.asked_at) == 3


async def test_an_unsafe_call_is_not_repeated_when_it_may_have_been_done():
    """
    Two treatments written for one is worse than an error.
    """
    lost = ConnectionLostError(request(safe=False), "lost", True)
    unsent = ConnectError(request(safe=False), "refused")
    first, second = ScriptedTransport([lost]), ScriptedTransport([unsent])

    with pytest.raises(ConnectionLostError):
        await retry()(request(safe=False), first.send)
    assert (await retry()(request(safe=False), second.send)).status == 200


@pytest.mark.parametrize("failure", [error(500), ConnectionLostError(request(), "x")])
async def test_an_outage_is_not_multiplied(failure):
    """
    A hundred calls into a dead API cost little more than a hundred requests.
    """
    transport = ScriptedTransport([failure] * 1000)
    policy = retry()
    for _ in range(100):
        with pytest.raises(type(failure)):
            await policy(request(), transport.send)

    budget = policy.budget
    assert len(transport.asked_at) == 100 + budget.capacity // budget.fault_cost
    assert budget.capacity // budget.fault_cost < 15


async def test_a_retry_that_would_pass_the_deadline_is_not_waited_for():
    """
    The caller learns at once that it cannot work, and how long it would have been.
    """
    own = request(deadline=10.0)
    throttled = response(429, request=own, headers={"retry-after": "60"})
    transport = ScriptedTransport([RateLimitedError(throttled)])

    with pytest.raises(DeadlineExceededError) as caught:
        await retry()(own, transport.send)
    assert clock() < 1.0
    assert caught.value.wait >= 60.0


async def test_a_retry_says_what_it_is_and_nothing_about_people(caplog):
    """
    backoff's own log line prints arguments; ours has fields of our choice.

    basicConfig shows the message only, so what matters of the fields stands in it.
    """
    caplog.set_level(logging.DEBUG)
    transport = ScriptedTransport([error(503)])
    await retry()(request(), transport.send)
    (record,) = [r for r in caplog.records if r.name.startswith("healthyroster")]

    assert record.name == "healthyroster_async.retry"
    assert record.msg == "%s: attempt %d failed (%s), the next one in %.3g s or later"
    assert record.getMessage().startswith(
        "GET /HealthcareProvider/{id}/Datasources: attempt 1 failed (ServerError, 503)"
    )
    assert record.label == "GET /HealthcareProvider/{id}/Datasources"
    assert (record.attempt, record.error, record.status) == (1, "ServerError", 503)
    assert record.delay_s >= 0
    assert "4711" not in logged(record)


async def test_a_deadline_ends_a_call_wherever_it_is():
    """
    One deadline covers waiting, attempts and sleeps.
    """
    transport = ScriptedTransport([], latency=100.0)

    with pytest.raises(DeadlineExceededError):
        await DeadlinePolicy()(request(deadline=3.0), transport.send)
    assert clock() == pytest.approx(3.0)
    assert transport.under_way == 0


async def test_a_callers_own_timeout_stays_its_own():
    """
    asyncio.timeout around a call must raise TimeoutError, not our deadline.
    """
    transport = ScriptedTransport([], latency=100.0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await DeadlinePolicy()(request(deadline=3.0), transport.send)
    with pytest.raises(TimeoutError):
        await DeadlinePolicy()(
            request(deadline=50.0), ScriptedTransport([TimeoutError()]).send
        )


async def test_cutting_ends_calls_that_sleep_before_a_retry():
    """
    A closed pool does not let its callers sleep on.
    """
    policy = retry(base_delay=30)
    transport = ScriptedTransport([error(500)] * 9)
    task = asyncio.ensure_future(policy(request(), transport.send))
    await asyncio.sleep(0.01)
    policy._deadline.cut()

    with pytest.raises(PoolClosedError):
        await task
    assert clock() < 1.0


async def test_what_fails_because_it_was_cut_off_is_not_tried_again():
    """
    A row stream is closed under its reader, who would sleep before the next attempt.
    """
    policy = retry(base_delay=30)

    async def cut_off(request):
        policy._deadline.cut()
        raise ConnectionLostError(request, "the stream was closed", answered=True)

    with pytest.raises(PoolClosedError):
        await policy(request(), cut_off)
    assert clock() == 0.0


def pacing(limit=2, **settings):
    settings = PacingSettings(max_concurrency=limit, **settings)
    return PacingPolicy(pacers_of("an application", settings))


def governor(policy):
    return policy.pacers.of(None).governor


async def test_no_more_than_the_bound_is_under_way():
    """
    The bound is kept by waiting, and everybody has a turn.
    """
    policy, transport = pacing(3), ScriptedTransport([], latency=1.0)
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(policy(request(), transport.send))

    assert transport.peak == 3
    assert clock() == pytest.approx(4.0)
    assert governor(policy).in_flight == policy.in_flight == 0


async def test_one_throttled_answer_holds_everybody():
    """
    The API asked the application, not one of its calls.
    """
    policy, transport = pacing(), ScriptedTransport([error(429, retry_after="20")])
    with pytest.raises(RateLimitedError):
        await policy(request(), transport.send)
    await policy(request(), transport.send)

    first, second = transport.asked_at
    assert first == 0.0
    assert 20.0 <= second <= 21.0  # jitter comes on top
    assert policy.throttled == 1


async def test_unavailable_with_a_date_holds_everybody_too():
    """
    503 with Retry-After is how many servers throttle; a page without is a fault.
    """
    policy = pacing()
    asked = error(503, retry_after="7")
    page = error_for(response(503, body=b"<html>Service Unavailable</html>"))
    transport = ScriptedTransport([asked, response(), page])
    with pytest.raises(ServerError):
        await policy(request(), transport.send)
    await policy(request(), transport.send)
    with pytest.raises(ServerError):
        await policy(request(), transport.send)

    first, second, third = transport.asked_at
    assert first == 0.0
    assert 7.0 <= second <= third <= 8.0


async def test_a_denied_call_slows_nobody_down():
    """
    A missing grant is never a reason to slow down.
    """
    policy = pacing()
    transport = ScriptedTransport([error(403)])
    with pytest.raises(ForbiddenError):
        await policy(request(), transport.send)
    await policy(request(), transport.send)

    assert transport.asked_at == [0.0, 0.0]


async def test_a_cancelled_waiter_wakes_the_right_next_one():
    """
    A limiter that loses a permit to a cancelled caller stops for good.
    """
    policy, transport = pacing(1), ScriptedTransport([], latency=1.0)
    tasks = [asyncio.ensure_future(policy(request(), transport.send)) for _ in range(4)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.wait(tasks)

    assert tasks[3].result().status == 200
    assert clock() == pytest.approx(2.0)
    assert (governor(policy).in_flight, len(governor(policy).queue)) == (0, 0)


@pytest.mark.parametrize("ticks", range(6))
async def test_a_permit_granted_to_a_cancelled_caller_comes_back(ticks):
    """
    Granted and cancelled in the same tick: the permit goes to the next one.
    """
    policy, transport = pacing(1), ScriptedTransport([])
    pacer, first = policy.pacers.of(None), Waiter()
    assert pacer.governor.ask(first, clock())
    tasks = [asyncio.ensure_future(policy(request(), transport.send)) for _ in range(3)]
    await asyncio.sleep(0)
    pacer.governor.answered(first, clock(), Verdict.ACCEPTED)
    pacer.gate.pump()
    for _ in range(ticks):
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait(tasks)

    assert tasks[2].result().status == 200
    assert governor(policy).in_flight == 0


async def test_interactive_calls_overtake_bulk_calls():
    """
    A click must not wait behind a nightly pull.
    """
    policy, transport = pacing(1), ScriptedTransport([], latency=1.0)
    order = []

    async def call(priority):
        await policy(request(priority=priority), transport.send)
        order.append(priority.name)

    async with asyncio.TaskGroup() as group:
        for priority in [Priority.BULK] * 3 + [Priority.INTERACTIVE]:
            group.create_task(call(priority))

    assert order == ["BULK", "INTERACTIVE", "BULK", "BULK"]


async def test_a_pause_beyond_the_deadline_fails_at_once():
    """
    A web request must not hang for a pause that it cannot outlive.
    """
    policy, transport = pacing(), ScriptedTransport([error(429, retry_after="60")])
    with pytest.raises(RateLimitedError):
        await policy(request(), transport.send)

    with pytest.raises(DeadlineExceededError, match=r"the wait of 6[0-9.]+ s"):
        await policy(request(deadline=5.0), transport.send)
    assert clock() == 0.0


async def test_closing_turns_away_who_waits_and_who_comes():
    """
    Nothing starts any more, and nobody waits for a turn that never comes.
    """
    policy, transport = pacing(1), ScriptedTransport([], latency=1.0)
    running, waiting = (
        asyncio.ensure_future(policy(request(), transport.send)) for _ in range(2)
    )
    await asyncio.sleep(0.1)
    policy.close()

    with pytest.raises(PoolClosedError):
        await waiting
    with pytest.raises(PoolClosedError):
        await policy(request(), transport.send)
    await policy.drained()
    assert running.done()


async def test_secrets_go_only_to_the_environment_they_belong_to():
    """
    Sandbox credentials never meet the production host, nor any other.
    """
    policy = AuthenticationPolicy(Environment.SANDBOX, credentials(), contract())
    seen = []

    async def send(signed):
        seen.append(signed)
        return response()

    await policy(request(), send)
    for url in (
        f"{PRODUCTION_URL}/x",
        "https://sandbox.example.test/apix",
        "https://sandbox.example.test.evil.test/api/x",
        "http://sandbox.example.test/api/x",
    ):
        with pytest.raises(ConfigurationError, match="credentials stay here"):
            await policy(request(url=url), send)
    with pytest.raises(ConfigurationError):
        await policy(request(environment=Environment.PRODUCTION), send)

    assert [s.secrets for s in seen] == [{"X-App-Id": "app-1", "X-App-Secret": SECRET}]
    assert SECRET not in repr(seen)
    assert SANDBOX_URL not in repr(seen)
    with pytest.raises(TypeError):
        seen[0].__reduce_ex__(2)


async def test_every_attempt_is_counted_and_logged_by_its_template(caplog):
    """
    Whoever operates the pool sees what happened, and no patient.
    """
    caplog.set_level(logging.DEBUG)
    policy = TelemetryPolicy(AccessMap(dict, lambda: 0.0, lambda: 0.0))
    authentication = AuthenticationPolicy(
        Environment.SANDBOX, credentials(), contract()
    )
    steps = [response(), response(403), response(503), ConnectError(request(), "no")]
    transport = ScriptedTransport(steps)
    await authentication(request(), lambda s: policy(s, transport.send))
    for kind in (ForbiddenError, ServerError, ConnectError):
        with pytest.raises(kind):
            await authentication(request(), lambda s: policy(s, transport.send))

    assert policy.attempts == 4
    assert policy.answers == {200: 1, 403: 1, 503: 1}
    assert policy.failures == {"ConnectError": 1}
    label = "GET /HealthcareProvider/{id}/Datasources"
    assert [(r.name, r.getMessage()) for r in caplog.records] == [
        ("healthyroster_async.attempts", f"{label}: {end}")
        for end in (
            "answered 200",
            "answered 403",
            "answered 503",
            "failed (ConnectError)",
        )
    ]
    assert [r.status for r in caplog.records[:3]] == [200, 403, 503]
    for record in caplog.records:
        shown = logged(record)
        assert SECRET not in shown
        assert "4711" not in shown
        assert "Quillfeather" not in shown
