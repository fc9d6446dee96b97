"""What is tried again, when, and how often: the rules, without a clock."""

from __future__ import annotations

import enum
from random import Random

from attrs import define, field

from healthyroster_async._core.errors import (
    AttemptTimeoutError,
    CallError,
    CertificateError,
    ConnectError,
    ConnectionLostError,
    ProtocolError,
    RateLimitedError,
    ResponseError,
    TransportError,
)
from healthyroster_async._core.settings import RetrySettings
from healthyroster_async._core.verdicts import Verdict, verdict_of


class Fault(enum.Enum):
    """What a failed attempt tells."""

    THROTTLED = "throttled"
    """The API wants fewer calls: nothing was carried out."""
    MUTE = "mute"
    """It was turned away without a word why; it may have been carried out."""
    UNSENT = "unsent"
    """Nothing reached the API."""
    TIMEOUT = "timeout"
    """It took too long; it may have been carried out."""
    FAILED = "failed"
    """The answer is missing or says that the API failed; it may have been done."""


# These wait for the pause that holds everybody, and cost nothing.
TURNED_AWAY = frozenset({Fault.THROTTLED, Fault.MUTE})
# The other 5xx are about what was asked, not about how things are going.
_FAILED_STATUSES = frozenset({408, 425, 500, 502, 503, 504})


# The first class that fits says it. A certificate does not become valid, and what is no
# HTTP does not become any, by asking again.
_FAULT_OF_CLASS: tuple[tuple[type[CallError], Fault | None], ...] = (
    (RateLimitedError, Fault.THROTTLED),
    (CertificateError, None),
    (ProtocolError, None),
    (ConnectError, Fault.UNSENT),
    (AttemptTimeoutError, Fault.TIMEOUT),
    (TransportError, Fault.FAILED),
)


def fault_of(error: BaseException) -> Fault | None:
    """Return what a failed attempt tells, or ``None`` if repeating it is no use."""
    for kind, fault in _FAULT_OF_CLASS:
        if isinstance(error, kind):
            return fault
    if not isinstance(error, ResponseError):
        return None
    answer = error.response
    verdict = verdict_of(answer.status, answer.headers, answer.body)
    if verdict.throttles:
        return Fault.MUTE if verdict is Verdict.MUTE else Fault.THROTTLED
    return Fault.FAILED if answer.status in _FAILED_STATUSES else None


def is_retryable(error: BaseException, *, safe: bool) -> bool:
    """Return whether an attempt may be repeated.

    An unsafe endpoint is repeated only if it surely was not carried out: nothing was
    sent, or the API turned it away before looking at it.
    """
    fault = fault_of(error)
    return fault is not None and (safe or fault in {Fault.THROTTLED, Fault.UNSENT})


def retry_delay(
    retry: int, error: Exception, settings: RetrySettings, rng: Random
) -> float:
    """Return how many seconds to wait before a retry.

    The wait is what the API asked for, plus a random share of an exponentially growing
    ceiling ("full jitter"). The jitter comes on top, so clients that were throttled
    together neither come back early nor come back in step.

    Args:
        retry: Number of the retry; the first one is 1.
        error: What the last attempt failed with.
        settings: Bounds of the ceiling.
        rng: Source of jitter.

    Returns:
        Seconds, between what the API asked for and ``settings.max_delay`` more.
    """
    asked = getattr(error, "retry_after", None) or 0.0
    # 2.0 ** 1024 overflows; no ceiling grows past max_delay long before that.
    ceiling = min(settings.max_delay, settings.base_delay * 2.0 ** min(retry - 1, 63))
    return asked + rng.uniform(0.0, ceiling)


@define
class RetryBudget:
    """What an environment may still spend on retries of faults.

    Every retry is paid for, every call that succeeds pays a little back: while all is
    well nobody notices, in an outage the retries stop instead of multiplying it
    (the retry quota of botocore's "standard" mode). Being throttled costs nothing, the
    pause already holds everyone.

    Attributes:
        capacity: The most that is saved up.
        fault_cost: Price of a retry after a fault.
        timeout_cost: Price of a retry after an attempt that took too long.
        left: What is saved up now.
        retries: How often something was tried again, paid for or not.
    """

    capacity: int = 200
    fault_cost: int = 14
    timeout_cost: int = 5
    left: int = field(init=False)
    retries: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.left = self.capacity

    def spend(self, fault: Fault) -> bool:
        """Pay for a retry; return whether there was enough for it."""
        if fault in TURNED_AWAY:
            return True
        cost = self.timeout_cost if fault is Fault.TIMEOUT else self.fault_cost
        if cost > self.left:
            return False
        self.left -= cost
        return True

    def earn(self) -> None:
        """Note a call that succeeded."""
        if self.left < self.capacity:
            self.left += 1


@define
class RetryPlan:
    """How one call goes on after each failed attempt.

    Attributes:
        settings: Bounds.
        budget: What the environment may still spend.
        max_pause: Longest wait, in seconds, that the API may ask of this call.
        rng: Source of jitter.
    """

    settings: RetrySettings
    budget: RetryBudget
    max_pause: float
    rng: Random
    _faults: int = field(init=False, default=0)
    _throttles: int = field(init=False, default=0)
    _stale: bool = field(init=False, default=True)

    def delay(self, error: CallError, *, safe: bool) -> float | None:
        """Return how many seconds to wait before the next attempt.

        Returns:
            Seconds, or ``None`` to give up and raise *error*.
        """
        asked = getattr(error, "retry_after", None) or 0.0
        if not is_retryable(error, safe=safe) or asked > self.max_pause:
            return None
        fault = fault_of(error)
        if fault in TURNED_AWAY:
            self._throttles += 1
            # The governor puts the jitter on top, and keeps its place in the queue.
            return asked if self._throttles < self.settings.max_throttles else None
        if error.probing and self.settings.max_attempts > 1:
            return 0.0
        self._faults += 1
        more = self._faults < self.settings.max_attempts
        if fault is None or not more or not self.budget.spend(fault):
            return None
        # Most likely the server has closed a kept connection in the meantime, which is
        # nobody's fault: there is nothing to wait for. It costs the same, as the server
        # may be dying just as well.
        if isinstance(error, ConnectionLostError) and not error.answered:
            stale, self._stale = self._stale, False
            if stale:
                return 0.0
        return retry_delay(self._faults, error, self.settings, self.rng)
