"""Recognising a limit of so many calls per window, which never says what it is."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque

from attrs import define, field, frozen

from healthyroster_async._core.settings import Limit

# What people choose as the span of a limit, in seconds.
USUAL_WINDOWS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
# As many accepted calls are remembered one by one; a larger limit is recognised by the
# count between two blocks only.
_REMEMBERED = 4096
# A block that lasts so many seconds is that of a window, a firewall or an outage.
LONG_BLOCK_S = 3.0
_MANY = 20
# One count of so many is hardly round by chance; to be wrong about a block that lasted
# so many seconds is dear.
_RARELY_ROUND = 100
_DEAR_S = 8.0
# ... and one that shuts for less of its span than this may be a bucket.
_SHUT_FOR = 0.25
# What is asked for may be rounded down by so much.
_ROUNDED_S = 0.25
# So many blocks are remembered. On the way calls overtake each other: of those before
# one of them, such a share may be counted wrongly.
_BLOCKS, _OVERTAKEN = 8, 0.02
# With fewer calls any two counts are alike.
_LEAST = 8
# Short windows see many blocks, so one more can be waited for.
_SHORT_S = 2
_SURE = 3
_DOZEN = 12


@frozen
class _Count:
    at: float
    calls: int


@frozen
class _Block:
    """What is known of a block that is over.

    Attributes:
        lasted: Seconds from the block before to this one.
        calls: Calls that were accepted in that time.
        until: Seconds from the block before to the last probe that failed.
        latest: Calls accepted in the last of the windows that passed in that time, if
            they take so many seconds.
    """

    lasted: float
    calls: int
    until: float
    latest: dict[int, int]


@define(eq=False)
class Windows:
    """Counts what was accepted before each block.

    Two counts tell a window. The calls of the last so many seconds before a block: if
    they are the same as before an earlier block that lies farther back, that is a
    sliding window, or a quota that was spent within that time. And the calls since
    the block before it: a fixed window begins when its block ends, so they are its
    quota, and the time from the end of one block to the end of the next is its span.

    Attributes:
        accepted: Calls accepted since the last block ended.
    """

    accepted: int = 0
    _times: deque[float] = field(init=False, factory=lambda: deque(maxlen=_REMEMBERED))
    _blocked_at: float = field(init=False, default=math.nan)
    _turned_away_at: float = field(init=False, default=math.nan)
    _free_since: float | None = field(init=False, default=None)
    _before: dict[int, _Count] = field(init=False, factory=dict)
    _same: dict[int, int] = field(init=False, factory=dict)
    _most: dict[int, int] = field(init=False, factory=dict)
    _last: _Count | None = field(init=False, default=None)
    # Seconds that the rejection asked to wait for.
    _asked: float = field(init=False, default=math.inf)
    _blocks: deque[_Block] = field(init=False, factory=lambda: deque(maxlen=_BLOCKS))

    def accept(self, sent: float) -> None:
        """Note a call that was accepted."""
        if self._free_since is None:
            self._free_since = sent
        self._times.append(sent)
        self.accepted += 1

    def block(self, sent: float, asked: float | None = None) -> None:
        """Note the rejection that a block begins with."""
        self._blocked_at = self._turned_away_at = sent
        self._asked = math.inf if asked is None else asked

    def still(self, sent: float) -> None:
        """Note a probe that was turned away."""
        self._turned_away_at = sent
        self._asked = math.inf  # it was not so

    def mean(self, now: float) -> float:
        """Return the calls per second that were accepted since the last block ended."""
        began = self._free_since
        return (
            self.accepted / (now - began) if began is not None and now > began else 0.0
        )

    def since(self, at: float) -> int:
        """Return how many calls were accepted since a time, as far as remembered."""
        return sum(1 for sent in self._times if sent >= at)

    def free(self, sent: float) -> list[Limit]:
        """Note that a block has ended, and return what the limit may be.

        Args:
            sent: When the call left that was accepted; it is counted after this.

        Returns:
            Possible limits, the slowest first.
        """
        calls, began = self.accepted, self._free_since
        self.accepted, self._free_since = 0, sent
        long = sent - self._blocked_at
        certain = long >= LONG_BLOCK_S
        found = {
            window: quota
            for window, quota in self._alike_before(certain=certain).items()
            # A window that slides lets the next call in after a share of its span.
            if quota * long > 0.5 * window
        }
        if began is not None and calls >= _LEAST:
            span = sent - began
            active = self._blocked_at - began
            told = active + self._asked + _ROUNDED_S
            if certain:
                until = self._turned_away_at - began
                latest = self._latest_windows(began, active)
                self._blocks.append(_Block(active, calls, until, latest))
                found |= self._quota_of_firewall()
            late = sent - self._turned_away_at
            said, once = self._quota(calls, long)
            least = _SHUT_FOR if once else 0.1
            for window in USUAL_WINDOWS_S:
                # The block ended at some time after the last probe that failed.
                if (
                    said
                    and span - 1.1 * late <= window <= span + 0.1
                    and long > least * window
                    and window <= told
                    # As many went in before as two windows hold, and more.
                    and self._most.get(window, 0) <= 2 * said + 1
                    and not self._is_over(window)
                ):
                    found[window] = said
        return sorted(
            (Limit(calls, seconds) for seconds, calls in found.items()),
            key=lambda limit: limit.rate,
        )

    def _is_over(self, window: int) -> bool:
        """Return whether a block outlasted a window that it had begun in."""
        return any(
            block.lasted < window < block.until - _ROUNDED_S for block in self._blocks
        )

    def _latest_windows(self, began: float, active: float) -> dict[int, int]:
        times = sorted(self._times)
        latest = {}
        for window in USUAL_WINDOWS_S:
            # A call that left just after a window ended may have come before that.
            start = began + (active - _ROUNDED_S) // window * window
            if window <= active and (len(times) < _REMEMBERED or times[0] < start):
                latest[window] = len(times) - bisect_left(times, start)
        return latest

    def _quota_of_firewall(self) -> dict[int, int]:
        """Return the quota of a window whose block says nothing of its span.

        All that was accepted since the block before is the quota where that came fast,
        and where it came slowly, all that was accepted within the span.
        """
        found = {}
        for window in USUAL_WINDOWS_S:
            fast = [b.calls for b in self._blocks if b.lasted < window]
            slow = [b.latest[window] for b in self._blocks if window in b.latest]
            if not fast or not slow or max(fast) - min(fast) > 1:
                continue
            quota = max(fast)
            near = max(2.0, _OVERTAKEN * quota)
            if quota >= _MANY and all(abs(count - quota) <= near for count in slow):
                found[window] = quota
        return found

    def _quota(self, calls: int, long: float) -> tuple[int | None, bool]:
        """Return the quota that was spent between two blocks, if it shows itself.

        Returns:
            The quota, and whether its count was seen only once.
        """
        last, self._last = self._last, _Count(self._blocked_at, calls)
        if last is not None and abs(last.calls - calls) <= 1:
            quota = round_between(last.calls, calls)
            certain = quota is None and long >= LONG_BLOCK_S
            return (max(last.calls, calls) if certain else quota), False
        least = _RARELY_ROUND if long >= _DEAR_S else _MANY
        return (round_between(calls, calls) if calls >= least else None), True

    def _alike_before(self, *, certain: bool) -> dict[int, int]:
        """Return usual windows before this block that hold as many calls as before.

        Args:
            certain: Whether the block was so long that no bucket explains it: then the
                number need not be a round one.
        """
        found: dict[int, int] = {}
        at, times = self._blocked_at, self._times
        index = len(times) - 1
        calls = 0
        while index >= 0 and times[index] > at:
            # On the way calls overtake each other: nothing more was let in since.
            calls += certain
            index -= 1
        is_alike = False
        for window in USUAL_WINDOWS_S:
            while index >= 0 and times[index] > at - window:
                index -= 1
                calls += 1
            if index < 0 and len(times) == _REMEMBERED:
                break
            before = self._before.get(window)
            shorter, is_alike = is_alike, before is not None and _alike(before, calls)
            quota = self._repeated(window, at, calls, certain=certain)
            # Who goes evenly has the same counts before each block, whatever the span.
            if quota is not None and (certain or window <= _SHORT_S or not shorter):
                found[window] = quota
        return found

    def _repeated(
        self, window: int, at: float, calls: int, *, certain: bool
    ) -> int | None:
        """Return the quota of a window if the count before it was the same."""
        before = self._before.get(window)
        if before is not None and at - before.at < window:
            return None  # the same calls again, in part
        self._before[window] = _Count(at, calls)
        most = self._most[window] = max(calls, self._most.get(window, 0))
        if before is None or calls < _LEAST or abs(before.calls - calls) > 1:
            self._same[window] = 1
            return None
        same = self._same[window] = self._same.get(window, 1) + 1
        # More went in as much time before; or one more block can be waited for.
        if most > calls + 1 or (same < _SURE and window <= _SHORT_S):
            return None
        quota = round_between(before.calls, calls)
        if quota is None and certain and calls >= _MANY:
            quota = max(before.calls, calls)
        return quota


def _alike(before: _Count, calls: int) -> bool:
    return abs(before.calls - calls) <= max(1.0, _OVERTAKEN * calls)


def round_between(one: int, other: int) -> int | None:
    """Return a number between the two that people choose as a limit, or ``None``."""
    low, high = min(one, other), max(one, other)
    if low < _MANY:
        return low
    for number in range(low, high + 1):
        head = number / 10 ** (len(str(number)) - 2)
        if head % 5 == 0 or head == _DOZEN:
            return number
    return None
