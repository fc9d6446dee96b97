"""The gate before the API: who is let in, and what the server's clock says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from attrs import define, field, frozen

from healthyroster_async.emulator import dialects
from healthyroster_async.emulator.limits import Limiter, RateLimit, Verdict
from healthyroster_async.emulator.seen import Caller, Seen
from healthyroster_async.emulator.settings import ProviderId, Settings


@frozen(kw_only=True)
class Entry:
    """What the gate says about one request.

    Attributes:
        caller: Who asked, as far as the limit is concerned.
        now: When it did, on the event loop's clock.
        headers: What every answer to it says about the limit.
        limiter: The limiter that was asked, ``None`` without a limit.
        verdict: What it said.
    """

    caller: Caller
    now: float
    headers: Mapping[str, str] = field(factory=dict)
    limiter: Limiter | None = None
    verdict: Verdict | None = None

    @property
    def rejection(self) -> tuple[RateLimit, Verdict] | None:
        """The limit and the verdict that turn this request away, if they do."""
        if self.limiter is None or self.verdict is None or self.verdict.allowed:
            return None
        return self.limiter.limit, self.verdict


@define(kw_only=True, eq=False)
class Gate:
    """Limiters by caller, seats for those that are served, and the clock.

    Attributes:
        settings: What is set.
        seen: Counters of what arrived.
    """

    settings: Settings
    seen: Seen
    _limit: RateLimit | None = field(init=False, default=None)
    _limiters: dict[Caller, Limiter] = field(init=False, factory=dict)
    _seats: dict[int, asyncio.Semaphore] = field(init=False, factory=dict)
    _started: float = field(init=False, default=0.0)
    _epoch: float = field(init=False, default=0.0)

    def start(self) -> None:
        """Begin as a server that knows nobody, on the clock of this event loop."""
        self._limiters.clear()
        self._seats.clear()
        self._started = self.now()
        # Taken once: a limit must not feel that somebody sets the clock.
        self._epoch = time.time() - self._started

    def now(self) -> float:
        """Return the event loop's time."""
        return asyncio.get_running_loop().time()

    def wall(self, now: float) -> float:
        """Return what the server takes for the seconds since 1970."""
        return self._epoch + now + self.settings.clock_skew

    def date(self) -> str:
        """Return the value of Date for an answer that leaves now."""
        return dialects.date(self.wall(self.now()))

    def enter(self, application_id: str, provider: ProviderId) -> Entry:
        """Ask the limit about a request, and count what it says."""
        limit, now = self.settings.rate_limit, self.now()
        if limit is None:
            self.seen.admit(now - self._started)
            return Entry(caller=(application_id, None), now=now)
        caller = (application_id, provider if limit.scope == "provider" else None)
        limiter = self._limiter(limit, caller)
        verdict = limiter.ask(self._epoch + now)
        if verdict.allowed:
            self.seen.admit(now - self._started)
        else:
            self.seen.rejected += 1
        return Entry(
            caller=caller,
            now=now,
            headers=dialects.headers(limit, verdict, self.wall(now)),
            limiter=limiter,
            verdict=verdict,
        )

    def leave(self, entry: Entry) -> None:
        """Note that a request which was let in is over."""
        if entry.limiter is not None:
            entry.limiter.done(self._epoch + self.now())

    def turned_away(self, entry: Entry) -> None:
        """Note that the answer to a rejected request has left."""
        if entry.rejection is not None:
            pause = dialects.announced(*entry.rejection, self.wall(entry.now))
            self.seen.paused(entry.caller, self.now(), entry.now + pause)

    async def work(self) -> None:
        """Take as long as the server does for an answer, its queue included."""
        capacity, latency = self.settings.capacity, self.settings.latency
        if capacity is None:
            if latency:
                await asyncio.sleep(latency)
            return
        async with self._seats.setdefault(capacity, asyncio.Semaphore(capacity)):
            await asyncio.sleep(latency)

    def _limiter(self, limit: RateLimit, caller: Caller) -> Limiter:
        """Return the limiter of a caller; a new limit forgets all of the old one."""
        if self._limit is not limit:
            self._limit = limit
            self._limiters.clear()
        if caller not in self._limiters:
            self._limiters[caller] = Limiter(limit)
        return self._limiters[caller]
