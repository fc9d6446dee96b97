"""Rate limits: who is turned away. The clock is the caller's, and so is the socket."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import Attribute, Factory, define, field, frozen

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.emulator.checks import choice, number, whole

Kind: TypeAlias = Literal["bucket", "window", "sliding", "concurrency", "firewall"]
Headers: TypeAlias = Literal[
    "none",
    "retry-after",
    "retry-after-date",
    "retry-after-ms",
    "x-ratelimit",
    "x-ratelimit-epoch",
    "x-ratelimit-epoch-ms",
    "x-ratelimit-iso",
    "ietf",
    "ietf-old",
    "aspnet",
    "aspnetcoreratelimit",
    "azure",
    "azure-quota",
    "cloudflare",
]
Scope: TypeAlias = Literal["application", "provider"]
KINDS: tuple[Kind, ...] = ("bucket", "window", "sliding", "concurrency", "firewall")
HEADERS: tuple[Headers, ...] = (
    "none",
    "retry-after",
    "retry-after-date",
    "retry-after-ms",
    "x-ratelimit",
    "x-ratelimit-epoch",
    "x-ratelimit-epoch-ms",
    "x-ratelimit-iso",
    "ietf",
    "ietf-old",
    "aspnet",
    "aspnetcoreratelimit",
    "azure",
    "azure-quota",
    "cloudflare",
)
SCOPES: tuple[Scope, ...] = ("application", "provider")
_HTTP_ERRORS = range(400, 600)
_FORBIDDEN, _TOO_MANY = 403, 429
# What a server says that cannot know when a request under way will end.
_GUESS_S = 1.0
# Floating point leaves dust that must not cost a request, nor a second wait.
_DUST = 1e-9


def _block(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        number(above=0)(instance, attribute, value)


@frozen(kw_only=True)
class RateLimit:
    """How many requests may be made.

    Attributes:
        rate: Requests allowed in ``per`` seconds; for ``concurrency`` at once.
        per: Seconds that ``rate`` is about; for a window its length.
        kind: ``bucket`` refills steadily. ``window`` forgets everything at its end.
            ``sliding`` looks back on the last ``per`` seconds. ``concurrency`` counts
            what is under way. ``firewall`` counts in windows too, but one request too
            many closes it for ``block`` seconds.
        burst: Most requests at once after a quiet time, for a bucket; ``None`` is
            ``rate``.
        block: Seconds that a firewall rejects everything.
        aligned: Whether windows begin at multiples of ``per`` on the clock, and not
            with the first request after the last one.
        count_rejected: Whether a rejected request costs too: it counts in a sliding
            window, keeps a bucket empty and begins the block of a firewall anew. A
            window is full anyway.
        scope: Who shares a limit: all requests of an ``application``, or only those
            to the same ``provider``.
        headers: What answers say about the limit; ``emulator/dialects.py`` knows how.
        status: Status of a rejection; 403 if ``headers`` is ``azure-quota``, else 429.
        empty_body: Whether a rejection has no body, and not the one of its dialect.
    """

    rate: float = field(validator=number(above=0))
    per: float = field(default=1.0, validator=number(above=0))
    burst: int | None = field(default=None, validator=whole(least=1))
    kind: Kind = field(default="bucket", validator=choice(*KINDS))
    block: float | None = field(default=None, validator=_block)
    aligned: bool = False
    count_rejected: bool = False
    scope: Scope = field(default="application", validator=choice(*SCOPES))
    headers: Headers = field(default="retry-after", validator=choice(*HEADERS))
    status: int = field(
        default=Factory(
            lambda self: _FORBIDDEN if self.headers == "azure-quota" else _TOO_MANY,
            takes_self=True,
        ),
        validator=whole(least=_HTTP_ERRORS[0], most=_HTTP_ERRORS[-1]),
    )
    empty_body: bool = False

    def __attrs_post_init__(self) -> None:
        if self.kind != "bucket" and self.burst is not None:
            raise ConfigurationError(
                f"RateLimit.burst is for a bucket; {self.kind} allows its rate at once"
            )
        if self.kind != "bucket" and self.rate < 1:
            raise ConfigurationError(
                f"RateLimit.rate is {self.rate}; {self.kind} allows 1 request at "
                "least, so give a longer per"
            )
        if self.kind == "firewall" and self.block is None:
            raise ConfigurationError("RateLimit.block is missing; give its seconds")
        if self.kind != "firewall" and self.block is not None:
            raise ConfigurationError("RateLimit.block is for a firewall only")
        if self.kind not in {"window", "firewall"} and self.aligned:
            raise ConfigurationError(
                "RateLimit.aligned is for a window or a firewall only"
            )
        if self.kind == "concurrency" and self.count_rejected:
            raise ConfigurationError(
                "RateLimit.count_rejected is not for concurrency, where a rejected "
                "request is over at once"
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
        retry_after: Seconds until one more request may pass; 0 if one may now. A guess
            where it hangs on how long other requests take.
    """

    allowed: bool
    remaining: int
    reset: float
    retry_after: float


@define
class _Bucket:
    """Refills steadily; ``used`` is what is missing in it."""

    limit: RateLimit
    used: float = 0.0
    since: float = -math.inf

    def ask(self, now: float) -> Verdict:
        limit, quota = self.limit, self.limit.quota
        speed = limit.rate / limit.per
        self.used = max(0.0, self.used - (now - self.since) * speed)
        self.since = now
        allowed = self.used + 1 <= quota + _DUST
        if allowed:
            self.used += 1
        elif limit.count_rejected:
            self.used = quota
        remaining = max(0, int(quota - self.used + _DUST))
        missing = 0.0 if remaining else self.used + 1 - quota
        return Verdict(
            allowed=allowed,
            remaining=remaining,
            reset=self.used / speed,
            retry_after=missing / speed,
        )


@define
class _Window:
    """Counts until its end, then from nothing."""

    limit: RateLimit
    used: int = 0
    until: float = -math.inf

    def ask(self, now: float) -> Verdict:
        limit, per = self.limit, self.limit.per
        if now >= self.until - _DUST:
            self.used = 0
            begun = math.floor(now / per + _DUST) * per if limit.aligned else now
            self.until = begun + per
        allowed = self.used < limit.quota
        if allowed:
            self.used += 1
        remaining = limit.quota - self.used
        reset = max(0.0, self.until - now)
        return Verdict(
            allowed=allowed,
            remaining=remaining,
            reset=reset,
            retry_after=0.0 if remaining else reset,
        )


@define
class _Sliding:
    """Remembers the last ``quota`` requests; older ones decide nothing."""

    limit: RateLimit
    log: deque[float] = field(
        init=False,
        default=Factory(lambda self: deque(maxlen=self.limit.quota), takes_self=True),
    )

    def ask(self, now: float) -> Verdict:
        limit, per, log = self.limit, self.limit.per, self.log
        while log and log[0] + per <= now + _DUST:
            log.popleft()
        allowed = len(log) < limit.quota
        if allowed or limit.count_rejected:
            log.append(now)
        remaining = limit.quota - len(log)
        return Verdict(
            allowed=allowed,
            remaining=remaining,
            reset=log[-1] + per - now,
            retry_after=0.0 if remaining else log[0] + per - now,
        )


@define
class _Concurrency:
    """Counts what is under way; time is nothing to it."""

    limit: RateLimit
    used: int = 0

    def ask(self, now: float) -> Verdict:  # noqa: ARG002 - every kind is asked alike
        allowed = self.used < self.limit.quota
        if allowed:
            self.used += 1
        remaining = self.limit.quota - self.used
        wait = 0.0 if remaining else _GUESS_S
        return Verdict(
            allowed=allowed, remaining=remaining, reset=_GUESS_S, retry_after=wait
        )

    def done(self) -> None:
        self.used -= 1


@define
class _Firewall:
    """Counts in windows, and closes when one of them overflows."""

    limit: RateLimit
    window: _Window = field(
        init=False,
        default=Factory(lambda self: _Window(self.limit), takes_self=True),
    )
    closed_until: float = -math.inf

    def ask(self, now: float) -> Verdict:
        block = self.limit.block or 0.0
        if now >= self.closed_until - _DUST:
            verdict = self.window.ask(now)
            if verdict.allowed:
                return verdict
            self.window = _Window(self.limit)
            self.closed_until = now + block
        elif self.limit.count_rejected:
            self.closed_until = now + block
        wait = self.closed_until - now
        return Verdict(allowed=False, remaining=0, reset=wait, retry_after=wait)


_Rule: TypeAlias = _Bucket | _Window | _Sliding | _Concurrency | _Firewall
_RULES: Mapping[Kind, Callable[[RateLimit], _Rule]] = {
    "bucket": _Bucket,
    "window": _Window,
    "sliding": _Sliding,
    "concurrency": _Concurrency,
    "firewall": _Firewall,
}


@define
class Limiter:
    """The state of one limit; whoever shares it shares this.

    All instants are seconds of one clock that does not go back. Windows that are
    aligned begin at its multiples of ``per``.

    Attributes:
        limit: The rule.
    """

    limit: RateLimit
    _rule: _Rule = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rule = _RULES[self.limit.kind](self.limit)

    def ask(self, now: float) -> Verdict:
        """Count a request that arrives, and return whether it may pass."""
        return self._rule.ask(now)

    def done(self, now: float) -> None:  # noqa: ARG002 - as ask() has it
        """Note that a request which was let in is over; any kind may be told."""
        if isinstance(self._rule, _Concurrency):
            self._rule.done()
