"""One announced quota: what is left of it, and when it is new."""

from __future__ import annotations

import math

from attrs import define, frozen

from healthyroster_async._core.ratelimits import Quota
from healthyroster_async._core.windows import USUAL_WINDOWS_S

LONGEST_HOLD_S = 900.0
"""Whatever is announced, a call goes after so many seconds, to see whether it is so."""
FOR_INTERACTIVE = 0.05
"""Share of a window that is kept if a person clicks now and then beside a pull."""
# Share of it that is not spent at once but evenly until it is new.
_SPARE, _MOST_SPARE = 0.01, 0.2
# What refills is paced a little below its rate, and a little above it while more than
# half is left: a sliding window stays nearly spent, a bucket half full.
_PACE, _FASTER = 0.98, 1.03
_BURST_S = 0.05
# It is cut for a rejection, and recovers, per second; more than is announced goes
# while all of it is left though calls wait: windows are rounded up, too.
_CUT, _RECOVERY, _GROWTH, _LEAST_SHARE = 0.97, 0.0005, 1.01, 0.2
# The window is a usual one if a reset, rounded up, and a date, rounded down, say so.
_ROUNDED_S = 2.0
_ABOUT_TWO_S, _ABOUT_HALF = (1.5, 2.5), (0.35, 0.75)
# A shorter window is over before anybody can say when it is new.
_WORTH_ASKING_S = 5.0
_ASK_AGAIN_S = 1.0
# Who is accepted so often with nothing left goes by something else.
_LIES = 3
# A quota by which too many calls are turned away is not gone by: what the API accepts
# is the better guide. Each answer earns something, each rejection costs 1.
_CREDIT, _EARNED, _DISCREDIT = 3.0, 0.005, 10.0
_AT_ONCE_S = 0.2
_CALM_S = 10.0


@frozen(kw_only=True, slots=False)
class Heard:
    """Which answer says something.

    Attributes:
        number: Number of the call that it answers.
        sent: When that was let go.
        now: When the answer came.
        last: Number of the last call that was let go.
        in_flight: Calls under way, this one no longer.
        ok: Whether the call was let in: a rejection was not.
    """

    number: int
    sent: float
    now: float
    last: int
    in_flight: int
    ok: bool


@define(eq=False, kw_only=True)
class Account:
    """One announced quota.

    Calls are numbered as they go. What remained when call 17 was counted tells what is
    left: less the calls after 17, which had not been counted.

    A long quota is taken for a window, which is new as a whole at its reset, until only
    a part of it has come back by then: so do buckets and sliding windows. A short one
    is taken for those: what is announced in whole seconds tells nothing of a second.

    Attributes:
        limit: Calls in all, as announced or as seen.
        window: Seconds, the same; 0 if unknown.
        heard_at: When an answer spoke of it last.
        silent: How many accepted calls in a row it did not speak of.
        credit: Below 0, it is not gone by.
        lies: How many calls were accepted although there was nothing left.
    """

    limit: float = 0.0
    window: float = 0.0
    heard_at: float = -math.inf
    silent: int = 0
    lies: int = 0
    credit: float = _CREDIT
    # So many calls were left at that time, after that call.
    _level: float = 0.0
    _at: float = -math.inf
    _number: int = 0
    # The least that an answer told of this window.
    _told: float = math.inf
    # Calls that leave within these times share the window.
    _began: float = -math.inf
    _reset_at: float = -math.inf
    # The first call that sees whether it is new.
    _asking: int | None = None
    _refused_at: float = -math.inf
    _is_exact: bool = True
    _spare: float = _SPARE
    # Whether a part of it came back; calls per second, and the share of the announced
    # rate that they are; whether a call had to wait for it.
    _came_back: bool = False
    _speed: float = 0.0
    _share: float = _PACE
    _held: bool = False
    # What the last answer told.
    _heard: float = math.inf
    # Whether the window was told; the least that was left since a time.
    _is_sure: bool = False
    _least: float = math.inf
    _watched_since: float = -math.inf

    @property
    def _refills(self) -> bool:
        return self._came_back or 0.0 < self.window < _WORTH_ASKING_S

    @property
    def _burst(self) -> float:
        """So many calls of one that refills may go at once."""
        return max(1.0, _BURST_S * self._speed)

    @property
    def misleads(self) -> bool:
        """Whether calls are accepted although there is nothing left."""
        return self.credit < 0.0 or (self.lies >= _LIES and not self._refills)

    def hear(self, quota: Quota, answer: Heard) -> None:
        """Note what an answer said."""
        before, self.heard_at, self.silent = self.heard_at, answer.now, 0
        told, reset = quota.remaining, quota.reset
        if told is None:
            self._pace(quota, answer)
            return
        if reset is None:
            reset = quota.window or 0.0
        if answer.sent - before > self.window:
            self._heard = math.inf
            # Left alone, all of it is there and may be spent at once; but not after a
            # pause, or it would end the same way.
            self._came_back &= before - self._refused_at < self.window
        self.credit = min(_CREDIT, self.credit + _EARNED)
        self._measure(quota, told, reset)
        if answer.sent < self._began:
            return  # about a window that is over
        is_new = self._note_reset(told, reset, answer)
        if told >= 1.0:
            self.lies = 0
        elif answer.ok and not is_new and self._told < 1.0:
            self.lies += 1
        self._told = told if is_new else min(told, self._told)
        if self._refills:
            self._adapt(told, answer.now, answer.now - before)
            level = self._level_of_bucket(told, answer)
        else:
            level = self._level_of_window(told, answer, is_new=is_new)
        self._level, self._at, self._number = level, answer.now, answer.last

    def _adapt(self, told: float, now: float, past: float) -> None:
        before, self._heard = self._heard, told
        is_full = min(told, before) >= self.limit - 1.0
        if is_full and self._held and now - self._refused_at > _CALM_S:
            self._share *= _GROWTH
            self._held = False
        self._doubt(told, now)
        recovered = self._share + _RECOVERY * min(past, 1.0)
        self._share = max(self._share, min(_PACE, recovered))
        faster = _FASTER if told > 0.5 * self.limit else 1.0
        self._speed = faster * self._share * self.limit / self.window

    def _doubt(self, told: float, now: float) -> None:
        """Halve a window that was rounded up from a second to two.

        Then about half of it is left all the time though calls wait. A bucket would be
        full instead, and its share would have grown.
        """
        self._least = min(self._least, told)
        if now - self._watched_since < 3 * self.window:
            return
        is_calm = now - self._refused_at > _CALM_S
        is_half = _ABOUT_HALF[0] <= self._least / self.limit <= _ABOUT_HALF[1]
        is_two = not self._is_sure and _ABOUT_TWO_S[0] <= self.window <= _ABOUT_TWO_S[1]
        if is_two and is_half and is_calm and self._held and self._share <= _PACE:
            self.window, self._is_sure = self.window / 2, True
        self._least, self._watched_since, self._held = math.inf, now, False

    def _level_of_window(self, told: float, answer: Heard, *, is_new: bool) -> float:
        if not answer.in_flight:
            return self._told  # all that went has been counted
        left = told - (answer.last - answer.number)
        # Calls overtake each other on the way: one answer of many may say too much.
        return left if is_new else min(left, self._left(answer.now, answer.last))

    def _level_of_bucket(self, told: float, answer: Heard) -> float:
        left = told - (answer.last - answer.number)
        left += self._speed * (answer.now - answer.sent)
        if not answer.ok:
            left = min(0.0, left)
        return min(left, self._left(answer.now, answer.last))

    def _measure(self, quota: Quota, told: float, reset: float) -> None:
        if quota.limit is not None:
            self.limit = quota.limit
        elif told >= self.limit:
            self.limit = told + 1.0
        if quota.window is not None:
            self.window, self._is_sure = quota.window, True
        elif not self._is_sure and reset > self.window:
            # A reset was never farther off.
            self.window = reset
            for usual in USUAL_WINDOWS_S:
                if _WORTH_ASKING_S <= usual <= reset <= usual + _ROUNDED_S:
                    self.window = float(usual)

    def _note_reset(self, told: float, reset: float, answer: Heard) -> bool:
        """Note when it is new; return whether it is new since the last answer."""
        # By the time of the answer: late by a way through the network, never early.
        end = answer.now + min(reset, LONGEST_HOLD_S)
        expected = self._level - (answer.number - self._number)
        went_up = told - expected > 0.25 * self.limit
        went_on = end > self._reset_at + 0.5 * self.window
        is_asked = self._asking is not None and answer.number >= self._asking
        is_due = answer.sent >= self._reset_at or is_asked
        if not is_due and not (went_up and went_on):
            # Resets are rounded up, so the least of them is the best.
            self._reset_at = min(self._reset_at, end)
            return False
        if not answer.ok:
            self._reset_at = end  # it was not new yet
            return False
        if self._asking is not None and told < 0.75 * self.limit:
            self._came_back = self.window > 0.0  # but not all of it
        elif told >= self.limit - 1.0 and self._is_exact and self.window:
            # It began with this call; dates and whole seconds may say a little more.
            end = min(end, answer.now + self.window)
        self._began, self._reset_at, self._asking = answer.sent, end, None
        return True

    def _pace(self, quota: Quota, answer: Heard) -> None:
        """Go by one that does not say what is left."""
        if not quota.limit or not quota.window:
            return
        self.limit, self.window, self._came_back = quota.limit, quota.window, True
        now, last = answer.now, answer.last
        self._adapt(0.0, now, 0.0)
        self._level, self._at, self._number = self._left(now, last), now, last

    def refused(self, now: float, last: int) -> bool:
        """Note a rejection, and return whether this quota explains it."""
        left = self._left(now, last)
        told = self._heard if self._refills else left
        if self.misleads or told >= max(2.0, 2 * FOR_INTERACTIVE * self.limit):
            return False
        if now - self._refused_at > _AT_ONCE_S:
            self._refused_at = now
            self.credit -= 1.0
            if self.credit < 0.0:
                self.credit = -_DISCREDIT
            if self._refills:
                self._share = max(_LEAST_SHARE, _CUT * self._share)
        if left >= 1.0 and not self._refills:
            self._spare = min(_MOST_SPARE, 2 * self._spare)  # others spend of it
        if self._asking is not None:
            self._is_exact = False
        self._level, self._at, self._number = min(left, 0.0), now, last
        return True

    def _left(self, now: float, last: int) -> float:
        left = self._level - (last - self._number)
        if self._refills:
            left = min(self._burst, left + self._speed * (now - self._at))
        return left

    def opens_at(self, now: float, last: int, spare: float | None) -> float:
        """Return when a call may go after call *last*.

        Args:
            now: The time.
            last: The number of that call.
            spare: Share of it to keep; ``None``: everything may be spent.
        """
        if self._refills:
            return self._filled_at(now, last)
        if now >= self._reset_at:
            self._renew(now, last)
        if self._asking == last + 1:
            return now
        left = self._left(now, last) - 0.5
        if left < 0.0:
            return self._reset_at
        kept = 0.0 if spare is None else max(spare, self._spare) * self.limit
        if left * self.window >= kept * min(self.window, self._reset_at - now):
            return now
        return self._reset_at - left * self.window / kept

    def _filled_at(self, now: float, last: int) -> float:
        left = self._left(now, last)
        if left >= 1.0:
            self._level, self._at, self._number = left, now, last
            return now
        if now >= self._at + LONGEST_HOLD_S:
            self._level, self._at, self._number = 1.0, now, last
            return now
        self._held = True
        return min(now + (1.0 - left) / self._speed, self._at + LONGEST_HOLD_S)

    def _renew(self, now: float, last: int) -> None:
        """Take it for new, though nobody said so yet."""
        self._at, self._number = now, last
        self._spare = max(_SPARE, 0.9 * self._spare)
        # One call sees whether it is; if its answer says nothing, another one.
        self._level, self._reset_at, self._asking = 1.0, now + _ASK_AGAIN_S, last + 1
