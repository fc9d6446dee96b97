"""Who goes next: start-time fair queueing over provider sessions, in two lanes."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import TypeAlias

from attrs import define, field

from healthyroster_async._core.settings import Priority

# Interactive calls go first, but of each five grants one is left to bulk calls.
_INTERACTIVE_SHARE = 4
_PRUNE_AT = 1024


@define(eq=False)
class Ticket:
    """A call that waits for its turn or is under way.

    Attributes:
        flow: Who shares with whom: one provider session is one flow.
        priority: The lane it stands in.
        weight: Share of its flow, against those of the others.
        label: What it asks for.
        tag: Its place in the order; a call that is turned away keeps it.
        queued: Whether it stands in the queue.
        granted: Whether it may go, and is not over.
        number: How many had been let go by then, itself included.
        sent: When it was let go.
        epoch: How often the governor had reacted by then.
        load: Attempts under way by then, itself included.
        probe: Whether it went alone, to see whether the way is free.
    """

    flow: Hashable = None
    priority: Priority = Priority.BULK
    weight: float = 1.0
    label: Hashable = None
    tag: float | None = field(default=None, init=False)
    queued: bool = field(default=False, init=False)
    granted: bool = field(default=False, init=False)
    number: int = field(default=0, init=False)
    sent: float = field(default=0.0, init=False)
    epoch: int = field(default=0, init=False)
    load: int = field(default=0, init=False)
    probe: bool = field(default=False, init=False)


_Entry: TypeAlias = tuple[float, int, Ticket]


@define(eq=False)
class FairQueue:
    """Gives each flow its share, whatever its backlog; first in, first out inside one.

    Start-time fair queueing (Goyal, Vin and Cheng, 1996): the tag of a ticket is the
    later of the virtual time and the end of its flow's ticket before it; the least tag
    goes first, and the virtual time is the tag that went last.
    """

    _lanes: tuple[list[_Entry], list[_Entry]] = field(
        init=False, factory=lambda: ([], [])
    )
    _ends: dict[Hashable, float] = field(init=False, factory=dict)
    _backlog: dict[Hashable, int] = field(init=False, factory=dict)
    _virtual: float = field(init=False, default=0.0)
    _count: int = field(init=False, default=0)
    _streak: int = field(init=False, default=0)
    _waiting: list[int] = field(init=False, factory=lambda: [0, 0])

    def __bool__(self) -> bool:
        return bool(self._waiting[0] or self._waiting[1])

    def __len__(self) -> int:
        return self._waiting[0] + self._waiting[1]

    @property
    def urgent(self) -> bool:
        """Whether a person waits."""
        return self._waiting[Priority.INTERACTIVE] > 0

    @property
    def lanes(self) -> dict[Priority, int]:
        """How many wait, by lane."""
        return {lane: self._waiting[lane] for lane in Priority}

    @property
    def flows(self) -> dict[Hashable, int]:
        """How many wait, by flow."""
        return dict(self._backlog)

    def push(self, ticket: Ticket) -> None:
        """Put a ticket into the queue; one that was there before keeps its place."""
        if ticket.tag is None:
            begin = max(self._virtual, self._ends.get(ticket.flow, 0.0))
            ticket.tag = begin
            self._ends[ticket.flow] = begin + 1.0 / ticket.weight
            if len(self._ends) > _PRUNE_AT + 2 * len(self):
                self._prune()
        self._count += 1
        ticket.queued = True
        entry = (ticket.tag, self._count, ticket)
        heapq.heappush(self._lanes[ticket.priority], entry)
        self._waiting[ticket.priority] += 1
        self._backlog[ticket.flow] = self._backlog.get(ticket.flow, 0) + 1

    def pop(self) -> Ticket | None:
        """Take out the ticket whose turn it is."""
        interactive, bulk = self._lanes
        if not self._waiting[Priority.INTERACTIVE] or (self._waiting[Priority.BULK] and self._streak >= _INTERACTIVE_SHARE):
            lane = bulk
        else:
            lane = interactive
        self._streak = 0 if lane is bulk else self._streak + 1
        while lane:
            tag, _, ticket = heapq.heappop(lane)
            if ticket.queued:
                self._virtual = max(self._virtual, tag)
                self._leave(ticket)
                return ticket
        return None

    def drop(self, ticket: Ticket) -> None:
        """Forget a ticket that nobody waits for; it is taken out when its turn comes.

        Those that only take up room are swept out when they are the greater part.
        """
        if ticket.queued:
            self._leave(ticket)
            lane = self._lanes[ticket.priority]
            if len(lane) > 2 * self._waiting[ticket.priority] + _PRUNE_AT:
                lane[:] = [entry for entry in lane if entry[2].queued]
                heapq.heapify(lane)

    def ahead_of(self, flow: Hashable, priority: Priority) -> int:
        """Return how many tickets go before a new one of *flow*, at the least."""
        mine = self._backlog.get(flow, 0)
        others = sum(min(mine, n) for f, n in self._backlog.items() if f != flow)
        before = self._waiting[Priority.INTERACTIVE] if priority else 0
        return max(mine + others, before)

    def drain(self) -> list[Ticket]:
        """Empty the queue and return who stood in it."""
        left = [ticket for lane in self._lanes for *_, ticket in lane if ticket.queued]
        for ticket in left:
            self._leave(ticket)
        for lane in self._lanes:
            lane.clear()
        return left

    def _leave(self, ticket: Ticket) -> None:
        ticket.queued = False
        self._waiting[ticket.priority] -= 1
        left = self._backlog[ticket.flow] - 1
        if left:
            self._backlog[ticket.flow] = left
        else:
            del self._backlog[ticket.flow]

    def _prune(self) -> None:
        """Forget flows that have no claim from the past."""
        now = self._virtual
        self._ends = {flow: end for flow, end in self._ends.items() if end > now}
