"""What a caller may set, each checked once, when it is built."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, frozen
from attrs.validators import optional

from healthyroster_async._core.errors import ConfigurationError

# What is no argument of a call but an option of a session, and which one.
OF_SESSIONS = {
    **{name: name for name in ("timeouts", "retry", "priority", "weight", "deadline")},
    "timeout": "deadline",
}


class Environment(enum.Enum):
    """One of the two worlds of the vendor; each has credentials of its own."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"

    # Each call looks things up by environment, and Enum's own hash is slow Python.
    if not TYPE_CHECKING:
        __hash__ = object.__hash__


class Priority(enum.IntEnum):
    """Who goes first when calls have to wait."""

    INTERACTIVE = 0
    """A person waits for the answer: goes first."""
    BULK = 1
    """A pull: waits for interactive calls, but is never starved by them."""


def _number(
    *, above: float | None = None, least: float | None = None, whole: bool = False
) -> Any:
    """Make a validator that names field, value and bound."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        name = f"{type(instance).__name__}.{attribute.name}"
        check_number(name, value, above=above, least=least, whole=whole)

    return check


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    whole: bool = False,
) -> None:
    """Refuse what is no finite number within its bounds.

    Raises:
        ConfigurationError: The text names the setting, its value and the bound.
    """
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{name} is {value!r}; give {kind}")
    if not math.isfinite(value):
        raise ConfigurationError(f"{name} is {value!r}; give a finite number")
    if above is not None and not value > above:
        raise ConfigurationError(f"{name} is {value!r}; it must be above {above}")
    if least is not None and value < least:
        raise ConfigurationError(f"{name} is {value!r}; the least is {least}")
    if most is not None and value > most:
        raise ConfigurationError(f"{name} is {value!r}; the most is {most}")


def check_type(name: str, value: Any, kind: type | tuple[type, ...], give: str) -> None:
    """Refuse a value of another type; the text never shows it, it may be a secret.

    Args:
        name: What the caller gave it as.
        value: What was given.
        kind: What it should be an instance of.
        give: What to give instead, as the rest of a sentence.

    Raises:
        ConfigurationError: It is of another type.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(
            f"{name} is of type {type(value).__name__}; give {give}"
        )


def check_priority(value: Any) -> None:
    """Refuse what is no lane, a number of one included.

    Raises:
        ConfigurationError: It is no member of ``Priority``.
    """
    give = "Priority.INTERACTIVE or Priority.BULK"
    check_type("priority", value, Priority, give)


def check_environment(value: Any) -> None:
    """Refuse what is no environment, the name of one included.

    Raises:
        ConfigurationError: It is no member of ``Environment``.
    """
    give = "Environment.SANDBOX or Environment.PRODUCTION"
    if isinstance(value, str) and value.upper() in Environment.__members__:
        give = f"Environment.{value.upper()}"
    check_type("environment", value, Environment, give)


@frozen(kw_only=True)
class Timeouts:
    """How long one attempt may take. Waiting for a turn never counts.

    Attributes:
        connect: Most seconds to find the name, connect and agree on TLS.
        read: Most seconds of silence while a row stream is read.
        attempt: Most seconds of one attempt, from the first byte sent to the last byte
            of the answer; for a row stream to the head of the answer.
    """

    connect: float = field(default=10.0, validator=_number(above=0))
    read: float = field(default=60.0, validator=_number(above=0))
    attempt: float = field(default=60.0, validator=_number(above=0))


@frozen(kw_only=True)
class AnswerSettings:
    """How large an answer may become: a few bytes of gzip can stand for gigabytes.

    What is larger ends with ``AnswerTooLargeError`` and is not asked for again. Memory
    stays bounded meanwhile.

    Attributes:
        max_body: Most bytes of an answer that is read whole, decompressed.
        max_stream: Most bytes of a row stream, decompressed; ``None`` for no bound.
        max_ratio: Most bytes that a byte of a compressed answer may stand for, once it
            is larger than 8 MiB. Rows come to 20 to 60, those with hardly anything but
            nulls to some hundred, zeros to 1000 and, in br and zstd, far more.
    """

    max_body: int = field(default=64 * 2**20, validator=_number(least=1, whole=True))
    max_stream: int | None = field(
        default=None, validator=optional(_number(least=1, whole=True))
    )
    max_ratio: float = field(default=250.0, validator=_number(least=1))


@frozen(kw_only=True, cache_hash=True)
class RetrySettings:
    """How often and how long to try again.

    Before retry *n* we wait what the API asked for, if it did, plus a random share of
    ``min(max_delay, base_delay * 2 ** (n - 1))`` seconds ("full jitter").

    Attributes:
        max_attempts: Attempts in total that may fail by a fault, the first one
            included. 1 turns retries of faults off. An attempt that only looks whether
            an API that was down is back is not counted; but with 1 it is the only one,
            and a bulk call ends if it was the one that looked, in vain.
        max_throttles: Attempts in total that may be turned away because of too many
            calls; they are not counted against ``max_attempts``.
        base_delay: Most seconds of our own added before the first retry.
        max_delay: Most seconds of our own added before any retry.
    """

    max_attempts: int = field(default=4, validator=_number(least=1, whole=True))
    max_throttles: int = field(default=20, validator=_number(least=1, whole=True))
    base_delay: float = field(default=0.5, validator=_number(above=0))
    max_delay: float = field(default=30.0, validator=_number(above=0))

    def __attrs_post_init__(self) -> None:
        if self.base_delay > self.max_delay:
            raise ConfigurationError(
                f"RetrySettings.base_delay is {self.base_delay} s but max_delay "
                f"{self.max_delay} s; give a max_delay that is at least as long"
            )


@frozen
class Limit:
    """So many calls in so much time: ``Limit(600, 60)`` is 600 calls per minute.

    Attributes:
        calls: Most calls in that time.
        seconds: The time, in seconds.
    """

    calls: float = field(validator=_number(above=0))
    seconds: float = field(default=1.0, validator=_number(above=0))

    def __attrs_post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise ConfigurationError(
                f"Limit.calls is {self.calls!r} calls and Limit.seconds "
                f"{self.seconds!r} s; no rate is so extreme"
            )

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


def _a(kind: type, give: str) -> Any:
    """Make a validator for values of a type."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        if not isinstance(value, kind):
            raise ConfigurationError(
                f"{type(instance).__name__}.{attribute.name} is {value!r}; give {give}"
            )

    return check


class Budget(enum.Enum):
    """Whose calls are counted together by the API's limit."""

    APPLICATION = "application"
    """All calls of the application id: what nearly all APIs do."""
    PROVIDER = "provider"
    """Those about one Healthcare Provider: each has a limit of its own."""


_LIMIT = optional(_a(Limit, "a limit such as Limit(600, 60) for 600 calls per minute"))
_FLAG = optional(_a(bool, "True or False"))
_BUDGET = _a(Budget, "Budget.APPLICATION or Budget.PROVIDER")


@frozen(kw_only=True)
class PacingSettings:
    """How fast calls go, how many at once, and how long a pause is obeyed.

    Nothing has to be set: the limit is learned from what the API accepts, rejects and
    announces.

    Attributes:
        rate: The limit, if you were told it: it is gone by from the first call.
        max_rate: Never faster than so many calls per second, whatever is allowed.
        budget: Whose calls the limit counts together.
        max_concurrency: Most attempts under way at once in one environment; fewer go
            when answers take the longer the more are under way.
        max_streams: Most row streams open at once in one environment: report queries
            are the heaviest there are, and an open stream holds about half a MiB.
            A stream opened inside another one needs a permit of its own: see ``rows``.
        max_pause: Longest pause, in seconds, that a call waits for: one that the API
            asked for, the rest of a window whose quota is used up, or an outage. A call
            that was asked for longer fails at once with ``RateLimitedError``, and so do
            interactive calls that come in the meantime; bulk calls wait until it is
            over. Several pauses may follow each other; a ``deadline`` bounds them all.
        max_queue: Most calls that wait for their turn; one more fails at once, also one
            of a fan-out that makes more at once than that.
        share: Whether the processes of this host that use the same application id share
            one budget, through a small file; ``None``: unless the API is on this host.
            Not where each provider has a budget of its own.
        remember: Whether what was learned of the limit is kept for the next run, in the
            user's state folder; ``None``: unless the API is on this host. No id and no
            secret is in it.
    """

    rate: Limit | None = field(default=None, validator=_LIMIT)
    max_rate: float | None = field(default=None, validator=optional(_number(above=0)))
    budget: Budget = field(default=Budget.APPLICATION, validator=_BUDGET)
    max_concurrency: int = field(default=100, validator=_number(least=1, whole=True))
    max_streams: int = field(default=16, validator=_number(least=1, whole=True))
    max_pause: float = field(default=120.0, validator=_number(above=0))
    max_queue: int = field(default=1_000_000, validator=_number(least=1, whole=True))
    share: bool | None = field(default=None, validator=_FLAG)
    remember: bool | None = field(default=None, validator=_FLAG)


def check_deadline(seconds: Any) -> float | None:
    """Return a deadline as it is if it can be one.

    Raises:
        ConfigurationError: It is no finite number above 0.
    """
    if seconds is None:
        return None
    check_number("deadline", seconds, above=0)
    return float(seconds)
