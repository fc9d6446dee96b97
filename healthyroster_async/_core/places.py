"""A bound of how many there are at once, with a fair queue before it and no rate."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from healthyroster_async._core.fair_queue import FairQueue, Ticket
from healthyroster_async._core.messages import Request

_KEPT = "_kept_place"


@define(eq=False)
class Places:
    """Gives out a number of places; what a governor is without a rate.

    Attributes:
        most: Places there are.
        in_flight: Places taken.
        queue: Who waits for one.
    """

    most: int
    in_flight: int = field(init=False, default=0)
    queue: FairQueue = field(init=False, factory=FairQueue)

    def ask(self, ticket: Ticket, now: float) -> bool:
        """Give a place, or put the ticket into the queue; return whether it has one."""
        del now
        if self.queue.waiting or self.in_flight >= self.most:
            self.queue.push(ticket)
            return False
        self._give(ticket)
        return True

    def next(self, now: float) -> Ticket | None:
        """Return the ticket that got the next place, or ``None``."""
        del now
        if not self.queue.waiting or self.in_flight >= self.most:
            return None
        ticket = self.queue.pop()
        if ticket is not None:
            self._give(ticket)
        return ticket

    def wake_at(self, now: float) -> float | None:
        """Return ``None``: only a place that is given back changes anything."""
        del now
        return None

    def abandon(self, ticket: Ticket, now: float) -> None:
        """Take a ticket out of the queue, or its place back."""
        del now
        if ticket.queued:
            self.queue.drop(ticket)
        elif ticket.granted:
            ticket.granted = False
            self.in_flight -= 1

    def _give(self, ticket: Ticket) -> None:
        ticket.granted = True
        self.in_flight += 1

    def kept_by(self, request: Request) -> bool:
        """Return whether a request still has the place it got for an attempt."""
        places, _ = vars(request).get(_KEPT, (None, None))
        return places is self

    def keep(self, request: Request, give_back: Callable[[], None]) -> None:
        """Let a request have its place for all its attempts, until ``leave``."""
        vars(request)[_KEPT] = self, give_back


def leave(request: Request) -> None:
    """Give back the place that a request keeps, if it does."""
    _, give_back = vars(request).pop(_KEPT, (None, None))
    if give_back is not None:
        give_back()
