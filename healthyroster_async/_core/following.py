"""Going by a limit of so many calls per window, and doubting it."""

from __future__ import annotations

import math

from attrs import define, field

from healthyroster_async._core.settings import Limit

# How much of the limit is used: on the way calls crowd together.
_SHARE = 0.98
_LEAST_SHARE = 0.9
# A reading that holds for so many windows is good.
_TESTED = 1.3
_LONGEST_S = 1800.0
# A limit is above nine tenths of what is tried above it.
_ABOVE = 1.1
# Events before a limit that is certain, was just read, or has long held, is given up.
_CERTAIN, _YOUNG, _OLD = 5, 8, 2
_SOON_S = 2.0
# A rejection is risked again after so many times the calls that it cost.
_WORTH = 15.0
_AT_ONCE_S = 1.0


@define(eq=False)
class Following:
    """A limit that is gone by.

    One that was read from counts may be several: the slowest is gone by first, the
    faster ones are tested one at a time, and one that is turned away is never tried
    again. One that holds is tried from above now and then, ever less often.

    Attributes:
        rule: The limit.
        since: When it was first gone by, or last confirmed.
        certain: Whether it was told, and not read.
        faster: Faster readings of the same counts, the slowest first.
        retest_after: Seconds after which more than the limit is tried.
        rate: Calls per second to make now.
        above: Whether the last event came while more than the limit was tried.
        denied: The slowest rate that was turned away.
    """

    rule: Limit
    since: float
    certain: bool = False
    faster: list[Limit] = field(factory=list)
    retest_after: float = math.inf
    rate: float = field(init=False)
    above: bool = field(init=False, default=False)
    denied: float = field(init=False, default=math.inf)
    _share: float = field(init=False, default=_SHARE)
    _slower: Limit | None = field(init=False, default=None)
    _events: int = field(init=False, default=0)
    _event_at: float = field(init=False, default=-math.inf)
    _full: bool = field(init=False, default=False)
    _clean: int = field(init=False, default=0)
    _above_since: float = field(init=False, default=0.0)
    _paid: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.rate = self._share * self.rule.rate

    @property
    def configured(self) -> bool:
        """Whether the user told it: what a rejection states is doubted."""
        return self.certain and math.isinf(self.retest_after)

    def accepted(self) -> None:
        """Note a call that was let in."""
        self._clean += 1
        if self._clean > max(5 * self.rule.calls, self._paid):
            self._clean = self._events = 0
            self._share = min(_SHARE, self._share + 0.005)
            if self.rate < self.rule.rate:
                self.rate = self._share * self.rule.rate

    def paused(self, lasted: float) -> None:
        """Note what a rejection cost: the more, the longer the next one is avoided."""
        self._paid = _WORTH * lasted * self.rule.rate

    def grow(self, now: float, past: float) -> bool:
        """Test what is next to be tested; return whether the limit is still one."""
        rule, held = self.rule, now - self.since
        if self.faster:
            if held > _TESTED * rule.seconds:
                self._slower = rule
                self._turn_to(self.faster.pop(0), now)
        elif self._slower is not None:
            if held > _TESTED * rule.seconds:
                self._slower = None  # the fastest of the readings stands
        elif held > self.retest_after:
            # Slowly above it: either it is confirmed, or it never was one.
            if self.rate >= _ABOVE * rule.rate:
                return now - self._above_since <= 1.5 * rule.seconds
            self.rate *= 1.0 + 0.03 * past
            self._above_since = now
        return True

    def event(self, now: float) -> float | None:
        """React to a rejection.

        Returns:
            Seconds to wait before the way is tried again; ``None`` if the limit is
            none.
        """
        before, self._event_at = self._event_at, now
        self.above = self.rate > self.rule.rate
        self._clean = 0
        self._events += 1
        if self.above:
            # It was tried on purpose, and the limit is known better than before.
            self.retest_after = min(_LONGEST_S, 2 * self.retest_after)
            self.since, self._events = now, 0
        elif not self.certain or self._events > 1:
            self._share = max(_LEAST_SHARE, self._share - 0.01)
        self.rate = self._share * self.rule.rate
        if self.above:
            return self._pause()
        if self.certain:
            # One by itself is noise.
            wait = 0.0 if self._events == 1 else self._pause()
            return wait if self._events <= _CERTAIN else None
        if self._slower is not None:
            return self._turn_back(now)
        if self._events == 1:
            soon = max(_AT_ONCE_S, 0.1 * self.rule.seconds)
            self._full = now - self.since < soon
        if self._full and now - self.since < 1.1 * self.rule.seconds:
            # The window is still full of what was sent before it was known.
            wait = min(self.rule.seconds / 4, 0.1 * 2.0**self._events)
            return wait if self._events <= _YOUNG else None
        self.faster = []
        is_noise = self._events <= _OLD and now - before > _SOON_S
        return self._pause() if is_noise else None

    def _turn_to(self, rule: Limit, now: float) -> None:
        self.rule, self.since = rule, now
        self._share, self._events, self._clean = _SHARE, 0, 0
        self.rate = self._share * rule.rate

    def _turn_back(self, now: float) -> float:
        """Go back to the reading before: as a faster one is denied, it is confirmed."""
        slower, self._slower = self._slower, None
        self.denied, self.faster = self.rule.rate, []
        if slower is not None:
            self._turn_to(slower, now)
        return self._pause()

    def _pause(self) -> float:
        return max(0.1, 1.5 / self.rate)
