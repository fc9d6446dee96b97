"""Several processes that share one budget, in virtual time: the real rules, no file."""

from __future__ import annotations

from typing import Any

from healthyroster_async._core.governor import Governor, Ticket
from healthyroster_async._core.ratelimits import SILENT, Announced
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.shared import FRESH, Budget, learn, react, reserve
from healthyroster_async._core.verdicts import Verdict
from healthyroster_async._policies.leasing import Leasing
from healthyroster_async._policies.sharing import Reservation


class MemoryStore:
    """What the file is, without the file."""

    def __init__(self) -> None:
        self.now = 0.0
        self.budget: Budget = FRESH

    def reserve(self, calls: int) -> Reservation:
        """Take the next slots."""
        self.budget, slot = reserve(self.budget, calls, self.now)
        return Reservation(slot, self.budget)

    def react(
        self,
        seen: int,
        *,
        rate: float,
        limit: Limit | None,
        pause_until: float,
        asked_until: float = 0.0,
        state: tuple[float, ...] = FRESH.state,
    ) -> Budget:
        """Apply an overload."""
        self.budget = react(
            self.budget,
            seen,
            self.now,
            rate=rate,
            limit=limit,
            pause_until=pause_until,
            asked_until=asked_until,
            state=state,
        )
        return self.budget

    def learn(
        self,
        seen: int,
        *,
        rate: float,
        limit: Limit | None,
        state: tuple[float, ...] = FRESH.state,
    ) -> Budget:
        """Set rate and limit."""
        self.budget = learn(
            self.budget, seen, self.now, rate=rate, limit=limit, state=state
        )
        return self.budget

    def read(self) -> Budget:
        """Look."""
        return self.budget

    def close(self) -> None:
        """Do nothing."""


class SharedPacer:
    """A governor with its side of the store, as the pool puts them together."""

    def __init__(self, governor: Governor, store: MemoryStore) -> None:
        self.governor = governor
        self._store = store
        self._leasing = Leasing(governor, store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.governor, name)

    def next(self, now: float) -> Ticket | None:
        """Have slots ready, then as the governor."""
        self._store.now = now
        self._leasing.before_next(now)
        return self.governor.next(now)

    def answered(
        self,
        ticket: Ticket,
        now: float,
        verdict: Verdict,
        announced: Announced = SILENT,
    ) -> None:
        """As the governor, and tell the others."""
        self._store.now = now
        self._leasing.before_answer(now, verdict)
        self.governor.answered(ticket, now, verdict, announced)
        self._leasing.after_answer(now)
