"""The server of the laboratory: the emulator's limits, seen through a network."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from email.utils import formatdate
from heapq import heappop, heappush
from random import Random
from typing import Literal, NamedTuple

from attrs import evolve, frozen

from healthyroster_async.emulator import dialects
from healthyroster_async.emulator.limits import Limiter, RateLimit, Verdict

# What the wall clock shows when a run begins, in seconds since 1970.
EPOCH = 1_780_000_000.0
ATTEMPT_TIMEOUT_S = 60.0
_DRAWS = 4096


class Answer(NamedTuple):
    """What reaches the client; status 0 is a connection that failed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


OK = Answer(200, {})
REFUSED = Answer(0, {})
UNAVAILABLE = Answer(
    503, {"content-type": "text/html"}, b"<h2>Service Unavailable</h2>"
)


@frozen(kw_only=True)
class Site:
    """A server and the network before it.

    Attributes:
        limit: Its rule; ``None``: nobody is turned away.
        latency: Median of the round trip, in seconds, half of it each way.
        jitter: Sigma of the logarithm of the time of each way.
        work: Mean seconds that a call takes inside (exponential).
        workers: Calls worked on at once, the others wait; ``None``: all of them.
        room: Most calls that wait for a worker; the next one gets a 503 page.
        changes: From these seconds on, the rule allows so many calls.
        outages: Spans of seconds in which nothing works.
        outage: What calls get then: a 503 page, or no connection.
        skew: Seconds that the server's wall clock is ahead of the client's.
    """

    limit: RateLimit | None = None
    latency: float = 0.05
    jitter: float = 0.15
    work: float = 0.0
    workers: int | None = None
    room: int = 500
    changes: tuple[tuple[float, float], ...] = ()
    outages: tuple[tuple[float, float], ...] = ()
    outage: Literal["page", "connect"] = "page"
    skew: float = 0.0

    @property
    def told(self) -> str:
        """What it is, in a line."""
        limit = self.limit
        if limit is None:
            return f"no limit, {self.latency * 1000:.0f} ms"
        kind = "aligned" if limit.aligned else limit.kind
        burst = f" burst {limit.burst}" if limit.burst else ""
        said = str(limit.status) if limit.headers == "none" else limit.headers
        return (
            f"{kind} {limit.rate:g} per {limit.per:g} s{burst}, {said}, "
            f"{self.latency * 1000:.0f} ms"
        )

    def rate_at(self, now: float) -> float:
        """Return how many calls per second the rule allows at a time."""
        if self.limit is None:
            return math.inf
        calls = self.limit.rate
        for since, changed in self.changes:
            if now >= since:
                calls = changed
        return calls / self.limit.per


class Server:
    """A site with its state; time is the caller's.

    Args:
        site: What it is.
        rng: For the network and the work.
    """

    def __init__(self, site: Site, rng: Random) -> None:
        self.site = site
        self._rng = rng
        half = site.latency / 2
        self._ways = [half * math.exp(rng.gauss(0, site.jitter)) for _ in range(_DRAWS)]
        self._limit = site.limit
        self._limiters: dict[int, Limiter] = {}
        self._changes = deque(site.changes)
        self._ends: list[tuple[float, int]] = []
        self._free = [0.0] * (site.workers or 0)
        self._starts: deque[float] = deque()

    def way(self) -> float:
        """Return how long one way through the network takes, in seconds."""
        return self._ways[int(self._rng.random() * _DRAWS)]

    def receive(self, now: float, provider: int) -> tuple[Answer, float, float]:
        """Decide about a request that arrives.

        Returns:
            The answer, when it leaves, and until when it asks not to be called (0: it
            does not ask), both in seconds of *now*'s clock.
        """
        site = self.site
        if any(start <= now < stop for start, stop in site.outages):
            return (UNAVAILABLE if site.outage == "page" else REFUSED), now, 0.0
        if self._changes and now >= self._changes[0][0]:
            self._change(self._changes.popleft()[1])
        self._finish(now)
        limit = self._limit
        if limit is None:
            return self._worked(now)
        scope = provider if limit.scope == "provider" else 0
        limiter = self._limiters.get(scope)
        if limiter is None:
            limiter = self._limiters[scope] = Limiter(limit)
        verdict = limiter.ask(now)
        if not verdict.allowed:
            return self._reject(limit, verdict, now)
        leaves = now
        if site.work:
            answer, leaves, _ = self._worked(now)
            heappush(self._ends, (leaves, scope))
            if answer is not OK:
                return answer, leaves, 0.0
        if limit.headers == "none":
            return OK, leaves, 0.0
        fields = self._fields(limit, verdict, now)
        return (Answer(200, fields) if fields else OK), leaves, 0.0

    def _worked(self, now: float) -> tuple[Answer, float, float]:
        site = self.site
        if not site.work:
            return OK, now, 0.0
        needed = self._rng.expovariate(1 / site.work)
        if site.workers is None:
            return OK, now + needed, 0.0
        while self._starts and self._starts[0] <= now:
            self._starts.popleft()
        if len(self._starts) >= site.room:
            return UNAVAILABLE, now, 0.0
        start = max(now, heappop(self._free))
        heappush(self._free, start + needed)
        self._starts.append(start)
        return OK, start + needed, 0.0

    def _change(self, calls: float) -> None:
        # As in the emulator: another rule begins with nothing used.
        assert self._limit is not None
        self._limit = evolve(self._limit, rate=calls)
        self._limiters.clear()
        self._ends.clear()

    def _reject(
        self, limit: RateLimit, verdict: Verdict, now: float
    ) -> tuple[Answer, float, float]:
        wall = EPOCH + now + self.site.skew
        asked = dialects.announced(limit, verdict, wall)
        fields = self._fields(limit, verdict, now)
        body = dialects.body(limit, verdict)
        if body is None:
            fields["content-type"] = "application/problem+json"
            answer = Answer(limit.status, fields, b'{"title": "Too Many Requests"}')
        else:
            if body.content_type:
                fields["content-type"] = body.content_type
            answer = Answer(limit.status, fields, body.content)
        return answer, now, now + asked if asked else 0.0

    def _fields(self, limit: RateLimit, verdict: Verdict, now: float) -> dict[str, str]:
        wall = EPOCH + now + self.site.skew
        fields = dialects.headers(limit, verdict, wall)
        if not fields:
            return fields
        # The emulator's answers have a Date, like all answers of an HTTP server.
        date = formatdate(math.floor(wall), usegmt=True)
        return {"date": date} | {name.lower(): v for name, v in fields.items()}

    def _finish(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            ended, scope = heappop(self._ends)
            limiter = self._limiters.get(scope)
            if limiter is not None:
                limiter.done(ended)
