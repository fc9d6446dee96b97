"""What is tried again, when, and how often."""

from random import Random

import pytest
from fakes import error, request, response

from healthyroster_async import (
    AttemptTimeoutError,
    CertificateError,
    ConnectError,
    ConnectionLostError,
    DecodingError,
    ProtocolError,
    RetrySettings,
)
from healthyroster_async._core.delays import (
    Fault,
    RetryBudget,
    RetryPlan,
    fault_of,
    is_retryable,
    retry_delay,
)
from healthyroster_async._core.errors import error_for

UNSENT = ConnectError(request(), "refused")
TIMED_OUT = AttemptTimeoutError(request(), "slow")
LOST = ConnectionLostError(request(), "lost", True)
STALE = ConnectionLostError(request(), "lost")
PAGE = error_for(response(503, body=b"<html>Service Unavailable</html>"))


@pytest.mark.parametrize(
    ("failure", "safe", "unsafe"),
    [
        (UNSENT, True, True),
        (TIMED_OUT, True, False),
        (LOST, True, False),
        (STALE, True, False),
        (CertificateError(request(), "no"), False, False),
        (ProtocolError(request(), "no"), False, False),
        (DecodingError("GET /", "no"), False, False),
        (error(429), True, True),
        (error(503, retry_after="1"), True, True),
        (error(408), True, False),
        (error(425), True, False),
        (error(500), True, False),
        (error(502), True, False),
        (error(503), True, False),
        (PAGE, True, False),
        (error(504), True, False),
        (error(302), False, False),
        (error(400), False, False),
        (error(401), False, False),
        (error(403), False, False),
        (error(403, retry_after="1"), True, True),
        (error(404), False, False),
        (error(409), False, False),
        (error(422), False, False),
        (error(501), False, False),
        (error(505), False, False),
        (ValueError("a bug"), False, False),
    ],
)
def test_what_is_repeated(failure, safe, unsafe):
    """
    A safe endpoint is repeated after any fault; an unsafe one only if it surely was
    not carried out. 401, 403 and the other 4xx never, but for a used-up quota.
    """
    assert is_retryable(failure, safe=True) is safe
    assert is_retryable(failure, safe=False) is unsafe


@pytest.mark.parametrize("retry", [1, 2, 5, 64, 2000])
@pytest.mark.parametrize("asked", ["0", "7", "100"])
def test_the_wait_is_what_was_asked_and_a_bounded_share_on_top(retry, asked):
    """
    Jitter below what the API asked for would be a stampede ahead of time.
    """
    settings = RetrySettings(base_delay=0.5, max_delay=8)
    ceiling = min(8, 0.5 * 2.0 ** min(retry - 1, 60))
    waits = [
        retry_delay(retry, error(429, retry_after=asked), settings, Random(seed))
        for seed in range(200)
    ]

    assert min(waits) >= float(asked)
    assert max(waits) <= float(asked) + ceiling
    assert max(waits) - min(waits) > ceiling / 2


def plan(**settings):
    return RetryPlan(RetrySettings(**settings), RetryBudget(), 120.0, Random(0))


def test_faults_end_after_max_attempts():
    """
    max_attempts counts the first attempt too.
    """
    own = plan(max_attempts=3)

    assert own.delay(error(500), safe=True) is not None
    assert own.delay(TIMED_OUT, safe=True) is not None
    assert own.delay(error(500), safe=True) is None


def test_throttles_are_not_counted_as_attempts():
    """
    A call that is turned away has not failed, it has not begun.
    """
    own = plan(max_attempts=2, max_throttles=6)
    waits = [own.delay(error(429), safe=True) for _ in range(6)]

    assert None not in waits[:5]
    assert waits[5] is None
    assert plan(max_attempts=2).delay(error(500), safe=True) is not None


def test_a_pause_that_is_too_long_is_not_waited_for():
    """
    A hostile Retry-After must not hold a caller for a year.
    """
    assert plan().delay(error(429, retry_after="121"), safe=True) is None
    assert plan().delay(error(429, retry_after="120"), safe=True) >= 120


def test_a_stale_connection_is_replaced_at_once_and_once():
    """
    The server closed an idle connection: nobody failed, so nobody waits.
    """
    own = plan()

    assert own.delay(LOST, safe=True) > 0.0
    assert own.delay(STALE, safe=True) == 0.0
    assert own.delay(STALE, safe=True) > 0.0


def test_what_is_repeated_at_once_is_an_attempt_and_is_paid_for():
    """
    A server that resets every connection looks like one that closed idle ones.
    """
    own, broke = plan(max_attempts=3), plan()
    broke.budget.left = broke.budget.fault_cost - 1
    delays = [own.delay(STALE, safe=True) for _ in range(3)]

    assert delays[0] == 0.0
    assert delays[2] is None
    assert own.budget.left == own.budget.capacity - 2 * own.budget.fault_cost
    assert broke.delay(STALE, safe=True) is None


def test_a_probe_is_none_of_the_attempts_but_of_one():
    """
    It finds out whether the API is there again, for the others too; but one attempt
    means one.
    """
    probe = ConnectionLostError(request(), "lost")
    probe.probing = True
    own = plan(max_attempts=2)

    assert [own.delay(probe, safe=True) for _ in range(9)] == [0.0] * 9
    assert own.budget.left == own.budget.capacity
    assert own.delay(STALE, safe=True) == 0.0
    assert plan(max_attempts=1).delay(probe, safe=True) is None


def test_one_attempt_means_one():
    """
    max_attempts=1 turns retries off, the quick one as well.
    """
    assert plan(max_attempts=1).delay(STALE, safe=True) is None
    assert plan(max_attempts=1).delay(UNSENT, safe=True) is None


def test_an_outage_empties_the_budget_and_success_refills_it():
    """
    When everything fails, retries stop: they would only multiply the outage.
    """
    budget = RetryBudget()
    granted = sum(budget.spend(Fault.FAILED) for _ in range(1000))
    for _ in range(14):
        budget.earn()

    assert granted == budget.capacity // budget.fault_cost
    assert budget.spend(Fault.FAILED)
    assert not budget.spend(Fault.FAILED)
    assert budget.spend(Fault.THROTTLED)


def test_the_budget_is_never_more_than_full():
    """
    A year of success does not pay for an endless outage.
    """
    budget = RetryBudget()
    for _ in range(1000):
        budget.earn()

    assert budget.left == budget.capacity


def test_a_time_out_is_cheaper_than_a_fault():
    """
    A time-out has already cost its caller the time.
    """
    assert fault_of(TIMED_OUT) is Fault.TIMEOUT
    assert RetryBudget().timeout_cost < RetryBudget().fault_cost
