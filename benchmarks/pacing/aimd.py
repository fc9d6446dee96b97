"""A peer: a token bucket with additive increase and multiplicative decrease.

It has the methods of our governor, so it runs in the same simulation. One queue, first
in, first out; one reaction to all answers of a round trip; pauses as it is asked to.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from attrs import define, field
from record import Trace
from scenarios import Scenario
from simulation import simulate

from healthyroster_async._core.ratelimits import Announced
from healthyroster_async._core.verdicts import Verdict

_CUT = 0.7
_GROWTH = 1.0
_CONCURRENCY = 100


@define
class Aimd:
    """Doubles its rate each second until the first rejection, then adds one call/s."""

    now: float
    rate: float = 10.0
    _tokens: float = 1.0
    _slow_start: bool = True
    _closed_until: float = 0.0
    _reacted_at: float = float("-inf")
    _under_way: int = 0
    _queue: deque[Any] = field(factory=deque)
    _sent: dict[Any, float] = field(factory=dict)

    def ask(self, ticket: Any, now: float) -> bool:
        """Queue a call."""
        del now
        self._queue.append(ticket)
        return False

    def next(self, now: float) -> Any:
        """Return the call that goes now."""
        passed, self.now = now - self.now, now
        if self._under_way >= self.rate / 10 or self._queue:
            grown = self.rate * 2**passed if self._slow_start else self.rate + passed
            self.rate = min(1e4, grown)
        self._tokens = min(max(1.0, self.rate / 10), self._tokens + self.rate * passed)
        blocked = now < self._closed_until or self._under_way >= _CONCURRENCY
        if blocked or not self._queue or self._tokens < 1 - 1e-9:
            return None
        self._tokens -= 1
        self._under_way += 1
        ticket = self._queue.popleft()
        self._sent[ticket] = now
        return ticket

    def wake_at(self, now: float) -> float | None:
        """Return when to look again."""
        if not self._queue or self._under_way >= _CONCURRENCY:
            return None
        missing = max(1e-4, (1 - self._tokens) / self.rate)
        return max(self._closed_until, now + missing)

    def answered(
        self, ticket: Any, now: float, verdict: Verdict, announced: Announced
    ) -> None:
        """Learn from an answer."""
        self._under_way -= 1
        sent = self._sent.pop(ticket)
        if not verdict.throttles:
            return
        self._closed_until = max(self._closed_until, now + (announced.wait or 0.1))
        if sent >= self._reacted_at:
            self.rate, self._reacted_at = max(0.5, self.rate * _CUT), now
            self._slow_start, self._tokens = False, 0.0


def run_aimd(scenario: Scenario, seed: int) -> Trace:
    """Run it; it cannot be told a limit, remembers nothing and shares nothing."""
    return simulate(
        scenario.site(seed),
        scenario.flows,
        lambda now, _: Aimd(now),
        seed=seed,
        seconds=scenario.seconds,
    )
