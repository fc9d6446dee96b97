"""Slots of a budget that several processes share, taken some at a time."""

from __future__ import annotations

import math

from attrs import define, field

# Reservations a second, at most: above that rate several calls go on one.
_RESERVATIONS_PER_S = 50.0


@define(eq=False)
class Lease:
    """What is left of the last reservation.

    One reservation is kept at a time, also while nobody wants it: so processes share
    evenly, whatever their backlog.

    Attributes:
        calls: Calls that may still go on it.
        slot: When they may go.
    """

    calls: int = field(init=False, default=0)
    slot: float = field(init=False, default=-math.inf)

    def wanted(self, rate: float) -> int:
        """Return how many calls to reserve now; 0 if there are some left."""
        return 0 if self.calls else max(1, math.ceil(rate / _RESERVATIONS_PER_S))

    def give(self, calls: int, slot: float) -> None:
        """Note a reservation."""
        self.calls, self.slot = calls, slot

    def take(self, now: float) -> bool:
        """Let a call go on it, if it may; return whether it may."""
        if not self.calls or now < self.slot:
            return False
        self.calls -= 1
        return True
