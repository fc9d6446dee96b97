"""How fast an API lets us go that does not say: learned from what it accepts."""

from __future__ import annotations

import math

from attrs import define, field

from healthyroster_async._core.following import Following
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.windows import LONG_BLOCK_S, USUAL_WINDOWS_S, Windows

# From here the rate doubles every second for as long as nothing is turned away.
START_RATE = 50.0
# How far below the limit to stay once it is known.
_MARGIN = 0.985
_STEP_S = 0.05
# ... if answers come faster than this, else the slower.
_START_S = 0.1
_ALONE = 1.1
_NEARLY = 0.97
_RAISED, _MIXED = 1.4, 1.15
_DOUBT = 40.0
_FAST = 1e9
# A window lets in nearly all of its quota before it shuts for a moment.
_FULL = 1.06
# So many events that say the same: the limit is known, and is tried less often.
_SETTLED = 2
_OLD = 12
_LONGEST_HOLD_S = 1800.0
# What an earlier run read is doubted in this one, or every night would be as slow.
_REMEMBERED_S = 300.0
# An event so soon after the way was free tells that the rate was far too high.
_SOON_S = 1.5
_CHEAP_PAUSE_S = 0.5
_CAREFUL_S = 8.0
_SECOND_S = 0.9
# A window that slides and is too full is waited for so long first, and last.
_SLIDING_S = 1.0, 4.0
# With so few calls a measure says little.
_FEW, _ENOUGH = 5, 8
# A trial goes so far towards the rate that was turned away, and less far each time it
# fails.
_REACH, _REACH_FAILED, _REACH_AGAIN = 0.6, 0.4, 1.1
# A measure counts if calls wanted to go for this share of the time.
_BUSY = 0.6
_UNMEASURED = 0.7
# ... and does not push the rate below so many calls per second.
_IDLE_RATE = 2.0
_LEAST_RATE = 0.01


@define(eq=False)
class Learner:
    """Finds a rate: starts slowly, then is anchored on what was accepted.

    Between two rejections a token bucket was empty twice, so what it accepted in
    between, by the time that passed, *is* its limit, however large the bucket is.
    A rate that held for long is raised again: gently, and the less often the longer
    it has held.

    Attributes:
        most: Never faster than this.
        rate: Calls per second to make now.
        ceiling: The limit as far as it is known, or ``None`` before the first event.
        agreed: How many events in a row said the same.
        scale: How many times as many calls as we make all processes together make.
    """

    most: float = math.inf
    rate: float = START_RATE
    ceiling: float | None = None
    agreed: int = 0
    scale: float = 1.0
    windows: Windows = field(init=False, factory=Windows)
    _starting: bool = field(init=False, default=True)
    _restarted: bool = field(init=False, default=False)
    _start_to: float = field(init=False, default=math.inf)
    _pace: float = field(init=False, default=1.0)
    # What was accepted since the last event, and when that was.
    _shared_count: int = field(init=False, default=0)
    _shared_anchor: float = field(init=False, default=0.0)
    _anchor: float | None = field(init=False, default=None)
    _accepted: int = field(init=False, default=0)
    _blocked_at: float | None = field(init=False, default=None)
    _paused: float = field(init=False, default=0.1)
    # The rate that is held, and since when; the highest that was held to the end.
    _plateau: float = field(init=False, default=0.0)
    _held_since: float = field(init=False, default=-math.inf)
    _hold_until: float = field(init=False, default=-math.inf)
    _low: float = field(init=False, default=0.0)
    _low_for: float = field(init=False, default=0.0)
    _growth: float = field(init=False, default=0.0)
    _grown_at: float = field(init=False, default=-math.inf)
    _top: float = field(init=False, default=0.0)
    # For how many seconds calls wanted to go since the last event.
    _busy: float = field(init=False, default=0.0)
    # Whether the rate now is a trial of the one that was turned away, a bit lower.
    _trial: bool = field(init=False, default=False)
    # What was measured if the rate was far higher then; seconds waited for that.
    _overshot: float = field(init=False, default=0.0)
    _waited: float = field(init=False, default=0.0)
    _reach: float = field(init=False, default=_REACH)
    _following: Following | None = field(init=False, default=None)
    _denied: float = field(init=False, default=math.inf)

    @property
    def rule(self) -> Limit | None:
        """The limit if it is known as so many calls per window."""
        return None if self._following is None else self._following.rule

    def __attrs_post_init__(self) -> None:
        self.rate = min(self.most, self.rate)

    def go_by(self, limit: Limit, now: float, doubt_after: float = math.inf) -> None:
        """Go by a limit that was told, by the user or by a rejection."""
        self._starting = False
        self._follow(Following(limit, now, certain=True, retest_after=doubt_after))

    def start_at(self, rate: float) -> None:
        """Begin no faster than another budget of the same API goes."""
        if self._starting:
            self.rate = min(self.rate, rate)

    def remember(self, learned: Learned, now: float) -> None:
        """Begin with what an earlier run found out."""
        self._starting = False
        limit = learned.limit
        if limit is not None:
            again = max(_REMEMBERED_S, 10 * limit.seconds)
            self._follow(Following(limit, now, retest_after=again))
        elif learned.rate is not None:
            self.ceiling = self._top = learned.rate
            self.agreed = _OLD + 2
            self._hold(_MARGIN * learned.rate, now)

    def state(self, ahead: float) -> tuple[float, ...]:
        """Return how far learning is, for another process to go on from there.

        Args:
            ahead: Seconds by which the other clock is ahead.
        """
        state = (
            1.0 + self._starting,
            self.ceiling or 0.0,
            self.agreed,
            self._plateau,
            self._low,
            self._low_for,
            self._top,
            self._reach,
            self._trial,
            max(0.0, min(self._hold_until, _FAST) + ahead),
            self._growth,
            0.0,
        )
        # What no file can hold would make the others begin anew.
        return tuple(min(_FAST, max(0.0, float(number))) for number in state)

    def adopt(
        self,
        rate: float,
        rule: Limit | None,
        state: tuple[float, ...],
        *,
        changed_at: float,
        ahead: float,
    ) -> None:
        """Go on from where another process is."""
        if rule is not None:
            if rule != self.rule:
                self._follow(Following(rule, changed_at, retest_after=_LONGEST_HOLD_S))
        elif state[0]:
            self._following = None
            starting, ceiling, agreed, self._plateau, self._low, *rest = state
            self._low_for, self._top, reach, trial, hold, growth, _ = rest
            self._reach = min(_REACH, reach or _REACH)
            self._starting, self._trial = starting > 1, bool(trial)
            self.ceiling, self.agreed = ceiling or None, int(agreed)
            self._hold_until, self._growth = hold - ahead, growth
            self._held_since = changed_at
        self.rate = min(self.most, rate)
        self._grown_at = max(self._grown_at, changed_at)

    def count_all(self, accepted: int, since: float) -> None:
        """Take all processes' calls since the last event for our own."""
        if self._anchor is not None and self._accepted > 0:
            self.scale = max(1.0, accepted / self._accepted)
        if since > 0:
            self._shared_anchor = since
        self._shared_count = accepted

    @property
    def learned(self) -> Learned | None:
        """What is worth remembering."""
        following = self._following
        if following is not None:
            told = following.certain
            return None if told else Learned(at=0.0, limit=following.rule)
        if self.ceiling is not None and self.agreed >= _SETTLED:
            return Learned(at=0.0, rate=self._plateau / _MARGIN)
        return None

    @property
    def source(self) -> str:
        """Where the rate comes from, in words."""
        if self._starting:
            return "starting"
        following = self._following
        if following is not None:
            how = "stated" if following.certain else "learned"
            if following.configured:
                how = "configured"
            rule = following.rule
            return f"{how} {rule.calls:g} per {rule.seconds:g} s"
        if self.ceiling is not None and self.agreed >= _SETTLED:
            return f"learned {self.ceiling:.3g} per s"
        return "estimating"

    @property
    def starting(self) -> bool:
        """Whether nothing was ever turned away."""
        return self._starting

    def accepted(self, sent: float, now: float) -> None:
        """Note a call that was let in."""
        if self._starting:
            took = now - sent
            pace = _START_S / took if took > _START_S else 1.0
            self._pace += 0.1 * (pace - self._pace)
        self.windows.accept(sent)
        anchor = self._anchor
        if anchor is None:
            anchor = self._anchor = sent
        if sent >= anchor:
            self._accepted += 1
        following = self._following
        if following is not None:
            following.accepted()
            self.rate = min(self.most, following.rate)

    def grow(self, now: float) -> None:
        """Raise the rate; to be called only when it is what holds calls back."""
        past = now - self._grown_at
        if past < _STEP_S:
            return
        self._grown_at = now
        self._busy += min(past, max(0.25, 2.0 / self.rate))
        past = min(past, 4 * _STEP_S)
        following = self._following
        if following is not None:
            if following.grow(now, past):
                self._follow(following)
            else:
                self._forget()
                self._hold(self.rate, now)
        elif self._starting:
            # Not faster than answers come: all that is under way may be turned away.
            self.rate = min(self.most, self.rate * 2.0 ** (past * self._pace))
            if self.rate >= self._start_to:
                self._starting = False
                self._hold(self._start_to, now)
        elif now >= self._hold_until:
            if self._plateau > self._low:
                self._low, self._low_for = self._plateau, now - self._held_since
            self.rate = min(self.most, self.rate * (1.0 + self._growth * past))
            # Faster and faster: a limit that was raised is found in seconds.
            doubling = 1.0 if self._paused < _CHEAP_PAUSE_S else 4.0
            self._growth = min(0.5, self._growth * 2.0 ** (past / doubling))

    def event(self, sent: float, now: float, asked: float | None = None) -> float:
        """React to a rejection of a call that was sent after the last reaction.

        Args:
            sent: When the call left.
            now: Time of the rejection.
            asked: Seconds that it asks to wait, if it does.

        Returns:
            Seconds to wait before the way is tried again, if the API does not say.
        """
        self.windows.block(sent, asked)
        self._blocked_at = sent
        began = sent if self._anchor is None else self._anchor
        span = max(1e-3, sent - began)
        count, self._accepted, self._anchor = self._accepted, 0, sent
        following = self._following
        if following is not None:
            longer = self._longer(following)
            if longer is not None:
                self._denied = following.rule.rate
                again = max(5 * longer.seconds, _DOUBT * self._paused)
                self._follow(Following(longer, now, retest_after=again))
                return max(0.1, 1.5 / self.rate)
            wait = following.event(now)
            if wait is not None:
                self._follow(following)
                return wait
            self._denied = following.rule.rate
            if following.configured:
                self.most = min(self.most, following.rule.rate)
            self._forget()
        if self._shared_count:
            # All that went since the last reaction, by whomever, up to this call.
            late = self.rate * (now - sent) + 2
            count = max(0, round(self._shared_count - late))
            self._shared_count = 0
            if self._shared_anchor:
                span = max(1e-3, sent - self._shared_anchor)
        busy, self._busy = self._busy >= _BUSY * (span - self._paused), 0.0
        if busy:
            self._rate_event(count, span, now)
        else:
            # So few calls measure nothing.
            self._starting = self._trial = False
            self._waited = 0.0
            rate = max(_UNMEASURED * self.rate, min(self.rate, _IDLE_RATE))
            self._hold(rate, now)
        return max(0.1, 1.5 / self.rate, self._waited)

    def still(self, sent: float) -> None:
        """Note a probe that was turned away."""
        self.windows.still(sent)

    def free(self, sent: float, now: float) -> None:
        """Note that a probe was let in: the block is over."""
        if self._blocked_at is None:
            return
        blocked_at, self._blocked_at = self._blocked_at, None
        lasted = sent - blocked_at
        self._paused = lasted
        mean = self.windows.mean(sent)
        found = self.windows.free(sent)
        if self.scale > _ALONE:
            found = []  # what we sent is but a part of what was counted
        known = self._following
        if known is not None:
            known.paused(lasted)
            self._denied = min(self._denied, known.denied)
            is_new = known.since >= blocked_at
            if known.certain or known.above or is_new or lasted < LONG_BLOCK_S:
                return
            # What was taken for the limit is none, and it cost a long block.
            self._denied = min(self._denied, known.rule.rate)
        good = [rule for rule in found if self._is_likely(rule, mean)]
        if good:
            # A block is what it costs to doubt a limit.
            again = max(20.0, 5 * good[0].seconds, _DOUBT * lasted)
            self._follow(Following(good[0], now, faster=good[1:], retest_after=again))
        elif known is None and lasted >= LONG_BLOCK_S and self.ceiling is None:
            # Nothing is known yet.
            if self._restarted:
                self._hold(mean, now)
                return
            # It may have been an outage.
            self._starting = self._restarted = True
            self._start_to = max(START_RATE, self._top / 3.0)
            self.rate = min(self.most, START_RATE)
            self._anchor, self._accepted = None, 0

    def _follow(self, following: Following) -> None:
        self._following = following
        self.ceiling = following.rule.rate
        self.rate = min(self.most, following.rate)

    def _forget(self) -> None:
        """Go by no limit any more, and find a rate again."""
        self._following = None
        self.agreed, self._low = 0, 0.0
        self._hold_until = math.inf

    def _longer(self, following: Following) -> Limit | None:
        """Return the same quota for a longer window, if that explains a rejection.

        A firewall counts anew after a block, so the block does not tell its window.
        """
        rule = following.rule
        if (
            following.certain
            or self._paused < LONG_BLOCK_S
            or self.rate > rule.rate
            or abs(self.windows.accepted - rule.calls) > 1
        ):
            return None
        longer = (window for window in USUAL_WINDOWS_S if window > rule.seconds)
        window = next(longer, None)
        return None if window is None else Limit(rule.calls, window)

    def _is_likely(self, rule: Limit, mean: float) -> bool:
        """Return whether a reading does not contradict what went well or wrong."""
        if not _NEARLY * mean <= rule.rate < 0.999 * self._denied:
            return False
        went_in = _FULL * mean * rule.seconds + 1.0
        if self._paused < _CHEAP_PAUSE_S and rule.calls > went_in:
            return False  # a window would have let more in; a bucket ran dry
        # A rate that was held for a while says nothing of a much longer window.
        held_for = max(1.0, self._low_for)
        return rule.rate >= _NEARLY * self._low or rule.seconds > 2 * held_for

    # -- a rate --------------------------------------------------------------------

    def _rate_event(self, count: int, span: float, now: float) -> None:
        top, held = self.rate, now < self._hold_until
        measured = count / span
        active = span - self._paused
        trial, self._trial = self._trial, False
        if self._starting:
            self._starting = False
            self._top = top
            # A rejection is answered sooner than what was accepted before it.
            least = 0.1 if count >= _FEW else 0.5
            self._hold(min(0.75 * top, max(measured, least * top)), now)
            return
        if held or active < _SOON_S:
            if trial:
                # Perhaps a bucket: the rate at which it runs dry says nothing.
                self._reach *= _REACH_FAILED
            # It was never so high after all; or it was lowered.
            lowered = count >= _FEW and measured < 0.8 * self._low
            self._low = 0.0 if lowered else min(self._low, 0.97 * top)
        waited, self._waited = self._waited, 0.0
        if (
            active < max(_SOON_S, waited)
            and top <= self._overshot
            and waited < _SLIDING_S[1]
        ):
            # A window that slides is still full of what was too much.
            self._waited = max(_SLIDING_S[0], 2 * waited)
            rate = _NEARLY * top
        elif active < _SOON_S:
            rate = self._too_fast(count, measured, active, top)
            known = self.ceiling is not None
            if rate < 0.8 * top:
                self.agreed = 0
                # One that was known and has been lowered grows again with care.
                self._hold(rate, now, least=_CAREFUL_S if known else 1.0)
                return
        else:
            self._compare(measured, top)
            if self._paused >= LONG_BLOCK_S:
                # A firewall's block is no part of its window.
                measured = max(measured, _borne(count, active))
            if held:
                rate = min(_MARGIN * measured, 0.99 * top)
            else:
                rate = self._outgrown(measured, span, top)
        self._hold(rate, now)

    def _outgrown(self, measured: float, span: float, top: float) -> float:
        """Return the rate after one that was held was raised until it was too much."""
        if span > 4 * self._paused and measured < 0.93 * self._low:
            self._low = 0.0  # that was spent from a full bucket
        rate = max(_MARGIN * measured, 1.005 * self._low)
        self._overshot = measured if top > _RAISED * measured else 0.0
        if top > 1.15 * self._low:
            # It was full for a while, and lost some: more than was measured may go.
            if self._paused < _CHEAP_PAUSE_S:
                rate = max(rate, min(measured, 1.02 * self._low))
            else:
                rate = max(rate, self._low + 0.1 * (top - self._low))
        is_new = top > _RAISED * rate and measured > _MIXED * self._plateau
        if is_new and self._reach > _REACH_FAILED * _REACH:
            # It was raised: what was measured is mostly from before.
            self.agreed, self._trial = 0, True
            return 0.65 * top
        # A bucket gives what was measured; a window more, and only trying tells.
        if top > 1.02 * rate and self._paused < LONG_BLOCK_S:
            rate, self._trial = rate + self._reach * (top - rate), True
            self._reach = min(_REACH, _REACH_AGAIN * self._reach)
        return min(rate, _MARGIN * top)

    def _too_fast(
        self, count: int, measured: float, active: float, top: float
    ) -> float:
        """Return the rate after an event that came soon: the measure is coarse."""
        if self._paused > _CHEAP_PAUSE_S:
            # What was saved up in the pause may have been lost. Who bore that for so
            # long has a window that is no shorter, or a bucket that shows itself soon.
            borne = _borne(count, active) if active >= _SECOND_S else 0.0
            rate = math.sqrt(max(measured, borne, 0.1 * top) * top)
        else:
            few = (count + 2) * measured / max(count, 1)
            rate = 0.95 * measured if count >= _ENOUGH else min(0.7 * top, few)
            if active >= _SECOND_S:
                # A window of a second bears that, a bucket shows itself next time.
                rate = max(rate, 0.97 * top)
        return min(max(rate, 0.3 * top, self._low), 0.95 * top)

    def _compare(self, measured: float, top: float) -> None:
        # A bucket repeats what it gave in all, a window the rate at which it shut.
        same = math.isclose(measured, self.ceiling or 0.0, rel_tol=0.05)
        same = same or math.isclose(top, self._top, rel_tol=0.04)
        self.agreed = self.agreed + 1 if same else 0
        self.ceiling, self._top = measured, top

    def _hold(self, rate: float, now: float, least: float = 1.0) -> None:
        self.rate = self._plateau = min(self.most, max(rate, _LEAST_RATE))
        rate = self.rate
        self._grown_at = self._held_since = now
        cheap = self._paused < _CHEAP_PAUSE_S
        if self.agreed < _SETTLED:
            hold = max(least, 15.0 / rate)
            self._growth = 0.05 if cheap else 0.02
        else:
            hold = max(8.0, 250.0 / rate, 20 * self._paused)
            hold *= 2.0 ** min(10, max(0, self.agreed - _OLD))
            self._growth = 0.02 if cheap else 0.005
        self._hold_until = now + min(_LONGEST_HOLD_S, hold)


def _borne(count: int, active: float) -> float:
    """Return so many calls per second if they are the quota of a usual window."""
    windows = (window for window in USUAL_WINDOWS_S if window >= _NEARLY * active)
    return count / next(windows, math.inf)
