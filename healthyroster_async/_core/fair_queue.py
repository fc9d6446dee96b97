"""Who goes next: start-time fair queueing over provider sessions, in two lanes."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Hashable

from attrs import define, field

from healthyroster_async._core.settings import Priority

# Interactive calls go first, but of each five grants one is left to bulk calls.
_INTERACTIVE_SHARE = 4
# What nobody needs any more is swept out when it is the greater part, and more than
# this.
_SWEEP_AT = 256


class Ticket:
    """A call that waits for its turn or is under way.

    Attributes:
        flow: Who shares with whom: one provider session is one flow.
        priority: The lane it stands in.
        weight: Share of its flow, against those of the others.
        label: What it asks for.
        place: How many had gone before it when it went for the first time; a call that
            is turned away goes again in this order, and before all who never went.
        queued: Whether it stands in the queue.
        granted: Whether it may go, and is not over.
        number: How many had been let go by then, itself included.
        sent: When it was let go.
        epoch: How often the governor had reacted by then.
        load: Attempts under way by then, itself included.
        probe: Whether it went alone, to see whether the way is free.
        before: The call of its flow that waits before it.
        after: The call of its flow that waits after it.
    """

    # One is made for each call, and a hundred thousand may wait.
    __slots__ = (
        "after", "before", "epoch", "flow", "granted", "label", "load", "number",
        "place", "priority", "probe", "queued", "sent", "weight",
    )  # fmt: skip
    flow: Hashable
    priority: Priority
    weight: float
    label: Hashable
    place: int | None
    queued: bool
    granted: bool
    number: int
    sent: float
    epoch: int
    load: int
    probe: bool
    before: Ticket | None
    after: Ticket | None

    def __init__(
        self,
        flow: Hashable = None,
        priority: Priority = Priority.BULK,
        weight: float = 1.0,
        label: Hashable = None,
    ) -> None:
        self.flow = flow
        self.priority = priority
        self.weight = weight
        self.label = label
        self.place = None
        self.queued = self.granted = self.probe = False
        self.number = self.epoch = self.load = 0
        self.sent = 0.0
        self.before = self.after = None


@define(eq=False)
class _Flow:
    """The waiting calls of one flow, each linked with the next.

    ``tag`` is where the first begins; of flows with the same tag the one with the lower
    ``number`` goes first.
    """

    tag: float
    number: int = 0
    count: int = 0
    first: Ticket | None = None
    last: Ticket | None = None

    def append(self, ticket: Ticket) -> None:
        ticket.before = self.last
        if self.last is None:
            self.first = ticket
        else:
            self.last.after = ticket
        self.last = ticket
        self.count += 1

    def remove(self, ticket: Ticket) -> None:
        before, after = ticket.before, ticket.after
        if before is None:
            self.first = after
        else:
            before.after = after
        if after is None:
            self.last = before
        else:
            after.before = before
        ticket.before = ticket.after = None
        self.count -= 1


@define(eq=False)
class _Lane:
    """Gives each flow its share, whatever its backlog; first in, first out inside one.

    Start-time fair queueing (Goyal, Vin and Cheng, 1996): the tag of a ticket is the
    later of the virtual time and the end of its flow's ticket before it; the least tag
    goes first, and the virtual time is the tag that went last. A ticket gets its tag
    when it is the first of its flow, so that those that are cancelled cost nothing.
    """

    waiting: int = field(init=False, default=0)
    _flows: dict[Hashable, _Flow] = field(init=False, factory=dict, repr=False)
    _heap: list[tuple[float, int, _Flow]] = field(init=False, factory=list)
    _ends: dict[Hashable, float] = field(init=False, factory=dict, repr=False)
    _sweep_ends_at: int = field(init=False, default=_SWEEP_AT)
    _again: list[tuple[int, int, Ticket]] = field(init=False, factory=list)
    _virtual: float = field(init=False, default=0.0)
    _count: int = field(init=False, default=0)

    @property
    def flows(self) -> Counter[Hashable]:
        """How many wait, by flow."""
        again = (ticket.flow for *_, ticket in self._again if ticket.queued)
        backlog = {key: flow.count for key, flow in self._flows.items()}
        return Counter(again) + Counter(backlog)

    def push(self, ticket: Ticket) -> None:
        ticket.queued = True
        self.waiting += 1
        if ticket.place is not None:
            self._count += 1
            heapq.heappush(self._again, (ticket.place, self._count, ticket))
            return
        flow = self._flows.get(ticket.flow)
        if flow is None:
            begin = max(self._virtual, self._ends.get(ticket.flow, 0.0))
            flow = self._flows[ticket.flow] = _Flow(begin)
            self._line_up(flow)
        flow.append(ticket)

    def pop(self) -> Ticket:
        """Take out the first; there has to be one."""
        self.waiting -= 1
        while self._again:
            *_, ticket = heapq.heappop(self._again)
            if ticket.queued:
                ticket.queued = False
                return ticket
        while True:
            tag, _, flow = heapq.heappop(self._heap)
            if flow.first is not None:
                break
        ticket = flow.first
        flow.remove(ticket)
        ticket.queued = False
        self._virtual = tag
        self._ends[ticket.flow] = flow.tag = tag + 1.0 / ticket.weight
        if flow.count:
            self._line_up(flow)
        else:
            del self._flows[ticket.flow]
            self._sweep_ends()
        return ticket

    def drop(self, ticket: Ticket) -> None:
        ticket.queued = False
        self.waiting -= 1
        if ticket.place is not None:
            return  # it is passed over when its turn comes
        flow = self._flows[ticket.flow]
        flow.remove(ticket)
        if not flow.count:
            del self._flows[ticket.flow]
            if len(self._heap) > _SWEEP_AT + 2 * len(self._flows):
                self._heap = [entry for entry in self._heap if entry[2].count]
                heapq.heapify(self._heap)

    def ahead_of(self, ticket: Ticket) -> int:
        """Return how many that wait now go before a ticket that came last."""
        if ticket.place is not None:
            return 0
        flow = self._flows[ticket.flow]
        before = flow.count - 1
        tag = flow.tag + before / ticket.weight
        for other in self._flows.values():
            if other is not flow and other.tag <= tag and other.first is not None:
                turns = (tag - other.tag) * other.first.weight
                wins = other.number < flow.number
                turns = math.floor(turns) + 1 if wins else math.ceil(turns)
                before += min(turns, other.count)
        return before + sum(other.queued for *_, other in self._again)

    def _line_up(self, flow: _Flow) -> None:
        self._count += 1
        flow.number = self._count
        heapq.heappush(self._heap, (flow.tag, flow.number, flow))

    def _sweep_ends(self) -> None:
        """Forget flows that have no claim from the past, and none to come."""
        if len(self._ends) > self._sweep_ends_at:
            now = self._virtual
            self._ends = {flow: end for flow, end in self._ends.items() if end > now}
            # Only when it has doubled, so that each call pays for a few at most.
            self._sweep_ends_at = _SWEEP_AT + 2 * len(self._ends)


@define(eq=False)
class FairQueue:
    """Two lanes: interactive calls go first, as long as bulk calls stay alive.

    Attributes:
        waiting: How many wait.
    """

    waiting: int = field(init=False, default=0)
    _lanes: tuple[_Lane, _Lane] = field(init=False, factory=lambda: (_Lane(), _Lane()))
    _streak: int = field(init=False, default=0)

    def __len__(self) -> int:
        return self.waiting

    @property
    def urgent(self) -> bool:
        """Whether a person waits."""
        return self._lanes[Priority.INTERACTIVE].waiting > 0

    @property
    def lanes(self) -> dict[Priority, int]:
        """How many wait, by lane."""
        return {priority: self._lanes[priority].waiting for priority in Priority}

    @property
    def flows(self) -> dict[Hashable, int]:
        """How many wait, by flow."""
        interactive, bulk = self._lanes
        return dict(interactive.flows + bulk.flows)

    def push(self, ticket: Ticket) -> None:
        """Put a ticket into the queue; one that went before keeps its place."""
        self.waiting += 1
        self._lanes[ticket.priority].push(ticket)

    def pop(self) -> Ticket | None:
        """Take out the ticket whose turn it is."""
        if not self.waiting:
            return None
        self.waiting -= 1
        interactive, bulk = self._lanes
        crowded = self._streak >= _INTERACTIVE_SHARE and bulk.waiting
        if interactive.waiting and not crowded:
            self._streak += 1
            return interactive.pop()
        self._streak = 0
        return bulk.pop()

    def drop(self, ticket: Ticket) -> None:
        """Forget a ticket that nobody waits for."""
        if ticket.queued:
            self.waiting -= 1
            self._lanes[ticket.priority].drop(ticket)

    def ahead_of(self, ticket: Ticket) -> int:
        """Return how many that wait now go before a ticket that came last."""
        interactive, _ = self._lanes
        ahead = self._lanes[ticket.priority].ahead_of(ticket)
        if ticket.priority is Priority.BULK:
            ahead += min(interactive.waiting, _INTERACTIVE_SHARE * ahead)
        return ahead
