"""Who may send now: a state machine without a clock, a socket or a task.

The shell in ``_policies/pacing.py`` tells it what happens and what time it is, and
carries out what it decides.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field

from healthyroster_async._core.settings import Priority

# Interactive calls go first, but of each five grants one is left to bulk calls.
_INTERACTIVE_SHARE = 4
# A pause that the API asks for is obeyed, but no header can stop the pool for good.
LONGEST_PAUSE_S = 900.0
# Asked for fewer calls without being told how long to wait: this, doubled each time.
_FIRST_PAUSE_S = 0.1
_LONGEST_GUESS_S = 8.0


@define(eq=False)
class Ticket:
    """A place in the queue.

    Attributes:
        priority: The lane it stands in.
        granted: Whether it was told to go.
        dropped: Whether nobody waits for it any more.
    """

    priority: Priority
    granted: bool = False
    dropped: bool = False


@define
class Governor:
    """Bounds what is under way in one environment, and pauses all of it as one.

    Attributes:
        limit: Most attempts under way at once.
        in_flight: Attempts under way.
        paused_until: Nothing starts before this time, in seconds of the caller's clock.
        pauses: How many pauses began.
    """

    limit: int
    in_flight: int = 0
    paused_until: float = 0.0
    pauses: int = 0
    _lanes: tuple[deque[Ticket], deque[Ticket]] = field(
        init=False, factory=lambda: (deque(), deque())
    )
    _streak: int = field(init=False, default=0)
    _reacted_at: float = field(init=False, default=float("-inf"))
    _guess: float = field(init=False, default=_FIRST_PAUSE_S)

    @property
    def has_queue(self) -> bool:
        """Whether anybody may be waiting."""
        return bool(self._lanes[0] or self._lanes[1])

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return sum(not ticket.dropped for lane in self._lanes for ticket in lane)

    def enter(self, now: float) -> bool:
        """Start an attempt if nothing stands in its way; return whether it may go."""
        if self.in_flight >= self.limit or now < self.paused_until or self.has_queue:
            return False
        self.in_flight += 1
        return True

    def queue(self, ticket: Ticket) -> None:
        """Put a ticket at the end of its lane."""
        self._lanes[ticket.priority].append(ticket)

    def leave(self) -> None:
        """Note that an attempt is over, however it ended."""
        self.in_flight -= 1

    def next(self, now: float) -> Ticket | None:
        """Return the ticket that goes now, already counted as under way."""
        if now < self.paused_until:
            return None
        if self.in_flight >= self.limit:
            return None
        interactive, bulk = (self._head(lane) for lane in self._lanes)
        if interactive and not (bulk and self._streak >= _INTERACTIVE_SHARE):
            lane = self._lanes[Priority.INTERACTIVE]
            self._streak += 1
        elif bulk:
            lane = self._lanes[Priority.BULK]
            self._streak = 0
        else:
            return None
        ticket = lane.popleft()
        ticket.granted = True
        self.in_flight += 1
        return ticket

    def drop_all(self) -> list[Ticket]:
        """Empty the queue and return who stood in it."""
        left = [ticket for lane in self._lanes for ticket in lane if not ticket.dropped]
        for lane in self._lanes:
            lane.clear()
        return left

    def throttled(self, *, sent: float, now: float, asked: float | None) -> None:
        """React to an answer that asks for fewer calls.

        Args:
            sent: When its request was let go.
            now: Time of the answer.
            asked: Seconds the API asked to wait, or ``None`` if it did not say.
        """
        if asked is None:
            # Answers to what was sent before the last reaction tell nothing new.
            if sent < self._reacted_at:
                return
            asked = self._guess
            self._guess = min(_LONGEST_GUESS_S, self._guess * 2)
        self._reacted_at = now
        if now >= self.paused_until:
            self.pauses += 1
        until = now + min(asked, LONGEST_PAUSE_S)
        self.paused_until = max(self.paused_until, until)

    def accepted(self) -> None:
        """Note an answer that asks for nothing."""
        self._guess = _FIRST_PAUSE_S

    def wake_at(self) -> float | None:
        """Return when to look again although nothing happens, or ``None``."""
        if any(self._head(lane) for lane in self._lanes):
            return self.paused_until
        return None

    @staticmethod
    def _head(lane: deque[Ticket]) -> Ticket | None:
        while lane and lane[0].dropped:
            lane.popleft()
        return lane[0] if lane else None
