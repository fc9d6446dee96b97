"""Rate limits: who is turned away, and what the answer says about it."""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Any, Literal, TypeAlias

from attrs import Attribute, define, field, frozen
from attrs.validators import in_

from healthyroster_async._core.errors import ConfigurationError

Kind: TypeAlias = Literal["bucket", "window"]
Headers: TypeAlias = Literal[
    "none", "retry-after", "retry-after-date", "x-ratelimit", "ietf"
]
KINDS: tuple[Kind, ...] = ("bucket", "window")
HEADERS: tuple[Headers, ...] = (
    "none",
    "retry-after",
    "retry-after-date",
    "x-ratelimit",
    "ietf",
)
_HTTP_ERRORS = range(400, 600)


def choice(*allowed: object) -> Any:
    """Make a validator that names the field and what it takes."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        try:
            in_(allowed)(instance, attribute, value)
        except ValueError:
            names = ", ".join(repr(name) for name in allowed)
            raise ConfigurationError(
                f"{_name(instance, attribute)} is {value!r}; give one of {names}"
            ) from None

    return check


def number(*, above: float | None = None, least: float | None = None) -> Any:
    """Make a validator for a finite number that names the field and its bound."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        name = _name(instance, attribute)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError(f"{name} is {value!r}; give a number")
        if not math.isfinite(value):
            raise ConfigurationError(f"{name} is {value!r}; give a finite number")
        if above is not None and not value > above:
            raise ConfigurationError(f"{name} is {value!r}; it must be above {above}")
        if least is not None and value < least:
            raise ConfigurationError(f"{name} is {value!r}; the least is {least}")

    return check


def whole(*, least: int, most: float = math.inf) -> Any:
    """Make a validator for a whole number; ``None`` is left to the field's default."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        if value is None and attribute.default is None:
            return
        name = _name(instance, attribute)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigurationError(f"{name} is {value!r}; give a whole number")
        if not least <= value <= most:
            raise ConfigurationError(
                f"{name} is {value!r}; give a number from {least} to {most}"
            )

    return check


def _name(instance: object, attribute: Attribute[Any]) -> str:
    return f"{type(instance).__name__}.{attribute.alias or attribute.name}"


@frozen(kw_only=True)
class RateLimit:
    """How many requests an application may make; each application id has its own.

    Attributes:
        rate: Requests allowed in ``per`` seconds.
        per: Seconds that ``rate`` is about; for a window its length.
        burst: Most requests at once after a quiet time, for a bucket; ``None`` is
            ``rate``.
        kind: ``bucket`` refills steadily; ``window`` forgets everything at its end.
        headers: What answers say about the limit. ``x-ratelimit`` and ``ietf`` are on
            every answer, with resets in seconds from now; the others on rejections.
        status: Status of a rejection.
    """

    rate: float = field(validator=number(above=0))
    per: float = field(default=1.0, validator=number(above=0))
    burst: int | None = field(default=None, validator=whole(least=1))
    kind: Kind = field(default="bucket", validator=choice(*KINDS))
    headers: Headers = field(default="retry-after", validator=choice(*HEADERS))
    status: int = field(
        default=429, validator=whole(least=_HTTP_ERRORS[0], most=_HTTP_ERRORS[-1])
    )

    def __attrs_post_init__(self) -> None:
        if self.kind == "window" and self.burst is not None:
            raise ConfigurationError(
                "RateLimit.burst is for a bucket; a window allows its rate at once"
            )
        if self.kind == "window" and self.rate < 1:
            raise ConfigurationError(
                f"RateLimit.rate is {self.rate}; a window allows 1 request at least, "
                "so give a longer per"
            )

    @property
    def quota(self) -> int:
        """Most requests at once."""
        return self.burst or max(1, int(self.rate))


@frozen(kw_only=True)
class Verdict:
    """What a limiter says about one request.

    Attributes:
        allowed: Whether it may pass.
        remaining: Requests that may follow at once.
        reset: Seconds until all of the quota is there again.
        retry_after: Seconds until one more request may pass; 0 if one may now.
    """

    allowed: bool
    remaining: int
    reset: float
    retry_after: float


@define
class Limiter:
    """The state of one application id; the clock is the caller's.

    Attributes:
        limit: The rule.
        used: Requests that count now; a bucket's drains all the time.
        since: Instant of the last request, or the beginning of the window.
    """

    limit: RateLimit
    used: float = 0.0
    since: float = -math.inf

    def ask(self, now: float) -> Verdict:
        """Count a request. A rejected one costs nothing."""
        limit = self.limit
        speed = limit.rate / limit.per
        if limit.kind == "window":
            if now - self.since >= limit.per:
                self.used, self.since = 0.0, now
        else:
            self.used = max(0.0, self.used - (now - self.since) * speed)
            self.since = now
        # Draining in floating point leaves dust that must not cost a whole request.
        allowed = self.used + 1 <= limit.quota + 1e-9
        if allowed:
            self.used += 1
        remaining = max(0, int(limit.quota - self.used + 1e-9))
        if limit.kind == "window":
            reset = self.since + limit.per - now
            retry_after = 0.0 if remaining else reset
        else:
            reset = self.used / speed
            missing = self.used + 1 - limit.quota
            retry_after = 0.0 if remaining else missing / speed
        return Verdict(
            allowed=allowed,
            remaining=remaining,
            reset=max(0.0, reset),
            retry_after=max(0.0, retry_after),
        )


def headers(limit: RateLimit, verdict: Verdict, wall: float) -> dict[str, str]:
    """Return what an answer says about the limit.

    Args:
        limit: The rule.
        verdict: What it says about this request.
        wall: Seconds since 1970, for dates.
    """
    fields: dict[str, str] = {}
    reset, wait = math.ceil(verdict.reset), max(1, math.ceil(verdict.retry_after))
    if limit.headers == "x-ratelimit":
        fields["X-RateLimit-Limit"] = str(limit.quota)
        fields["X-RateLimit-Remaining"] = str(verdict.remaining)
        fields["X-RateLimit-Reset"] = str(reset)
    elif limit.headers == "ietf":
        window = math.ceil(limit.quota * limit.per / limit.rate)
        fields["RateLimit-Policy"] = f'"default";q={limit.quota};w={window}'
        fields["RateLimit"] = f'"default";r={verdict.remaining};t={reset}'
    if verdict.allowed:
        return fields
    if limit.headers in {"retry-after", "ietf"}:
        fields["Retry-After"] = str(wait)
    elif limit.headers == "retry-after-date":
        fields["Date"] = formatdate(math.floor(wall), usegmt=True)
        fields["Retry-After"] = formatdate(
            math.ceil(wall + verdict.retry_after), usegmt=True
        )
    return fields


def announced(limit: RateLimit, verdict: Verdict, wall: float) -> float:
    """Return how many seconds of pause a rejection asked for; 0 if it did not say."""
    if verdict.allowed or limit.headers == "none":
        return 0.0
    if limit.headers == "retry-after-date":
        return math.ceil(wall + verdict.retry_after) - wall
    if limit.headers == "x-ratelimit":
        return float(math.ceil(verdict.reset))
    return float(max(1, math.ceil(verdict.retry_after)))
