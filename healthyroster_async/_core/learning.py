"""How fast an API lets us go that does not say: learned from what it accepts."""

from __future__ import annotations

import math

from attrs import define, field

from healthyroster_async._core.learned import Learned
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.windows import LONG_BLOCK_S, Windows

# From here the rate doubles every second for as long as nothing is turned away.
START_RATE = 50.0
# How far below the limit to stay once it is known.
_MARGIN = 0.985
_STEP_S = 0.05
# ... if answers come faster than this, else the slower.
_START_S = 0.1
_RULE_SHARE = 0.98
_ALONE = 1.1
_FAST = 1e9
# So many events that say the same: the limit is known, and is tried less often.
_SETTLED = 2
_OLD = 12
_LONGEST_HOLD_S = 1800.0
# An event so soon after the way was free tells that the rate was far too high.
_SOON_S = 1.5
_CHEAP_PAUSE_S = 0.5
_CAREFUL_S = 8.0
# With less than this share of the rate in use, a rejection measures nothing, and it does
# not push the rate below so many calls per second.
_IDLE_SHARE, _IDLE_RATE = 0.3, 2.0


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
        rule: The limit if it was recognised as so many calls per window.
        scale: How many times as many calls as we make all processes together make.
    """

    most: float = math.inf
    rate: float = START_RATE
    ceiling: float | None = None
    agreed: int = 0
    rule: Limit | None = None
    scale: float = 1.0
    windows: Windows = field(init=False, factory=Windows)
    _certain: bool = field(init=False, default=False)
    _starting: bool = field(init=False, default=True)
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
    # Whether the rate now is a trial of the one that was turned away, a bit lower.
    _trial: bool = field(init=False, default=False)
    _high: float = field(init=False, default=math.inf)
    _no_trials: int = field(init=False, default=0)
    # Readings of the windows: those still to be tested, what is gone back to.
    _faster: list[Limit] = field(init=False, factory=list)
    _slower: Limit | None = field(init=False, default=None)
    _denied: float = field(init=False, default=math.inf)
    _rule_share: float = field(init=False, default=_RULE_SHARE)
    _rule_since: float = field(init=False, default=0.0)
    _rule_event_at: float = field(init=False, default=-math.inf)
    _rule_events: int = field(init=False, default=0)
    _clean: int = field(init=False, default=0)
    _retest_after: float = field(init=False, default=60.0)
    _above: bool = field(init=False, default=False)
    _above_since: float = field(init=False, default=0.0)
    log: object = None

    def __attrs_post_init__(self) -> None:
        self.rate = min(self.most, self.rate)

    def go_by(self, limit: Limit, now: float) -> None:
        """Begin with a limit that is certain."""
        self._starting = False
        self._certain = True
        self._retest_after = math.inf
        self._follow(limit, now)

    def remember(self, learned: Learned, now: float) -> None:
        """Begin with what an earlier run found out."""
        self._starting = False
        if learned.limit is not None:
            self._retest_after = _LONGEST_HOLD_S
            self._follow(learned.limit, now)
        elif learned.rate is not None:
            self.ceiling = self._top = learned.rate
            self.agreed = _OLD + 2
            self._hold(_MARGIN * learned.rate, now)

    def state(self, ahead: float) -> tuple[float, ...]:
        """Return how far learning is, for another process to go on from there.

        Args:
            ahead: Seconds by which the other clock is ahead.
        """
        return (
            1.0 + self._starting,
            self.ceiling or 0.0,
            self.agreed,
            self._plateau,
            self._low,
            self._low_for,
            self._top,
            min(self._high, _FAST),
            max(0, self._no_trials + 1),
            self._trial,
            max(0.0, min(self._hold_until, _FAST) + ahead),
            self._growth,
        )

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
                self._follow(rule, changed_at)
        elif state[0]:
            self.rule = None
            starting, ceiling, agreed, self._plateau, self._low, *rest = state
            self._low_for, self._top, self._high, no_trials, trial, hold, growth = rest
            self._starting, self._trial = starting > 1, bool(trial)
            self.ceiling, self.agreed = ceiling or None, int(agreed)
            self._no_trials = int(no_trials) - 1
            self._hold_until, self._growth = hold - ahead, growth
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
        if self.rule is not None and not self._certain:
            return Learned(at=0.0, limit=self.rule)
        if self.rule is None and self.ceiling is not None and self.agreed >= _SETTLED:
            return Learned(at=0.0, rate=self._plateau / _MARGIN)
        return None

    @property
    def source(self) -> str:
        """Where the rate comes from, in words."""
        if self._starting:
            return "starting"
        if self.rule is not None:
            how = "configured" if self._certain else "learned"
            return f"{how} {self.rule.calls:g} per {self.rule.seconds:g} s"
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
            self._pace += 0.1 * (min(1.0, _START_S / max(now - sent, 0.01)) - self._pace)
        self.windows.accept(sent)
        if self._anchor is None:
            self._anchor = sent
        if sent >= self._anchor:
            self._accepted += 1
        if self.rule is not None:
            self._clean += 1
            if self._clean > 5 * self.rule.calls:
                self._clean, self._rule_events = 0, 0
                self._rule_share = min(_RULE_SHARE, self._rule_share + 0.005)
                if self.rate < self.rule.rate:
                    self.rate = self._rule_rate(self.rule)

    def grow(self, now: float) -> None:
        """Raise the rate; to be called only when it is what holds calls back."""
        past = now - self._grown_at
        if past < _STEP_S:
            return
        self._grown_at = now
        past = min(past, 4 * _STEP_S)
        if self.rule is not None:
            self._test(self.rule, now, past)
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

    def event(self, sent: float, now: float) -> float:
        """React to a rejection of a call that was sent after the last reaction.

        Returns:
            Seconds to wait before the way is tried again, if the API does not say.
        """
        self.windows.block(sent)
        self._blocked_at = sent
        began = sent if self._anchor is None else self._anchor
        span = max(1e-3, sent - began)
        count, self._accepted, self._anchor = self._accepted, 0, sent
        if self.rule is not None:
            wait = self._rule_event(self.rule, now)
            if wait is not None:
                return wait
        if self._shared_count:
            # All that went since the last reaction, by whomever, up to this call.
            late = self.rate * (now - sent) + 2
            count = max(0, round(self._shared_count - late))
            self._shared_count = 0
            if self._shared_anchor:
                span = max(1e-3, sent - self._shared_anchor)
        self._rate_event(count, span, now)
        return max(0.1, 1.5 / self.rate)

    def still(self, sent: float) -> None:
        """Note a probe that was turned away."""
        self.windows.still(sent)

    def free(self, sent: float, now: float) -> None:
        """Note that a probe was let in: the block is over."""
        if self._blocked_at is None:
            return
        lasted = sent - self._blocked_at
        self._blocked_at = None
        self._paused = lasted
        mean = self.windows.mean(sent)
        found = self.windows.free(sent)
        if self.log: print(f"{now:7.2f} free after {lasted:.2f} mean {mean:.1f} found {[(x.calls,x.seconds) for x in found]}")
        known = self.rule
        if self.scale > _ALONE:
            found = []  # what we sent is but a part of what was counted
        if known is not None:
            if self._certain or self._above or lasted < LONG_BLOCK_S:
                return
            # What was taken for the limit is none, and it cost a long block.
            self._denied = min(self._denied, known.rate)
        good = [
            rule
            for rule in found
            if 0.97 * mean <= rule.rate < 0.999 * self._denied
            and (rule.rate >= 0.97 * self._low or rule.seconds > 2 * max(1.0, self._low_for))
        ]
        if good:
            self._faster = good[1:]
            self._slower = None
            self._retest_after = max(20.0, 5 * good[0].seconds)
            self._follow(good[0], now)
        elif known is None and lasted >= LONG_BLOCK_S and self.ceiling is None:
            # Nothing is known yet; and it may have been an outage.
            self._starting = True
            self._start_to = max(START_RATE, self._top / 3.0)
            self.rate = min(self.most, START_RATE)
            self._anchor, self._accepted = None, 0

    # -- a rate --------------------------------------------------------------------

    def _rate_event(self, count: int, span: float, now: float) -> None:
        top, held = self.rate, now < self._hold_until
        measured = count / span
        active = span - self._paused
        if self._starting:
            self._starting = False
            self._top = top
            self._hold(min(0.75 * top, max(measured, 0.1 * top)), now)
            return
        if count < _IDLE_SHARE * top * active:
            # What little was asked for says nothing about what would be let in.
            self._hold(max(0.7 * top, min(top, _IDLE_RATE)), now)
            return
        trial, self._trial = self._trial, False
        if trial and (held or active < _SOON_S):
            # It is a bucket: the rate at which it runs dry says nothing.
            self._high = min(self._high, top)
            self._no_trials = 6
        if held or active < _SOON_S:
            # It was never so high after all; or it was lowered.
            lowered = count >= 5 and measured < 0.8 * self._low
            self._low = 0.0 if lowered else min(self._low, 0.97 * top)
        if active < _SOON_S:
            rate = self._too_fast(count, measured, active, top)
            if rate < 0.8 * top:
                self.agreed = 0
                if self.ceiling is not None:
                    # It was known and has been lowered: grow again with care.
                    self._hold(rate, now, least=_CAREFUL_S)
                    return
        elif held:
            rate = min(_MARGIN * measured, 0.99 * top)
            self._compare(measured, top)
        else:
            self._compare(measured, top)
            if span > 20 * self._paused and measured < 0.93 * self._low:
                self._low = 0.0  # that was spent from a full bucket
            rate = max(_MARGIN * measured, 1.005 * self._low)
            self._no_trials -= 1
            if self._no_trials < 0:
                self._high = math.inf
            high = min(top, self._high)
            cheap = self._paused < _CHEAP_PAUSE_S
            if self._no_trials < 0 and high > 1.02 * rate and (cheap or high < 1.15 * rate):
                rate, self._trial = rate + 0.6 * (high - rate), True
            rate = min(rate, _MARGIN * top)
        self._hold(rate, now)

    def _too_fast(self, count: int, measured: float, active: float, top: float) -> float:
        """Return the rate after an event that came soon: the measure is coarse."""
        if self._paused > _CHEAP_PAUSE_S:
            # What was saved up in the pause may have been lost.
            rate = math.sqrt(max(measured, 0.1 * top) * top)
        else:
            rate = 0.95 * measured if count >= 8 else 0.7 * top
        if active >= 0.8:
            rate = max(rate, 0.97 * top)
        return min(max(rate, 0.3 * top, self._low), 0.95 * top)

    def _compare(self, measured: float, top: float) -> None:
        # A bucket repeats what it gave in all, a window the rate at which it shut.
        same = math.isclose(measured, self.ceiling or 0.0, rel_tol=0.05)
        same = same or math.isclose(top, self._top, rel_tol=0.04)
        self.agreed = self.agreed + 1 if same else 0
        self.ceiling, self._top = measured, top

    def _hold(self, rate: float, now: float, least: float = 1.0) -> None:
        if self.log: print(f"{now:7.2f} event: {self.rate:.1f} -> {rate:.1f} ceiling {self.ceiling} agreed {self.agreed} low {self._low:.1f} trial {self._trial}")
        self.rate = self._plateau = min(self.most, rate)
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

    # -- a rule --------------------------------------------------------------------

    def _follow(self, rule: Limit, now: float) -> None:
        if self.log: print(f"{now:7.2f} follow {rule.calls} per {rule.seconds}")
        self.rule = rule
        self.ceiling = rule.rate
        self._rule_since = now
        self._rule_events = 0
        self._clean = 0
        self._rule_share = _RULE_SHARE
        self.rate = self._rule_rate(rule)

    def _rule_rate(self, rule: Limit) -> float:
        return min(self.most, self._rule_share * rule.rate)

    def _test(self, rule: Limit, now: float, past: float) -> None:
        held = now - self._rule_since
        if self._faster:
            if held > 1.3 * rule.seconds:
                self._slower = rule
                self._follow(self._faster.pop(0), now)
        elif self._slower is not None and held > 1.3 * rule.seconds:
            self._slower = None  # the fastest of the readings stands
        elif held > self._retest_after:
            # Slowly above it: either it is confirmed, or it never was one.
            if self.rate < 1.1 * rule.rate:
                self.rate = min(self.most, self.rate * (1.0 + 0.03 * past))
                self._above_since = now
            elif now - self._above_since > 1.5 * rule.seconds:
                self._forget(now)

    def _rule_event(self, rule: Limit, now: float) -> float | None:
        """React to an event under a rule; return the wait, or ``None`` if it is denied."""
        before, self._rule_event_at = self._rule_event_at, now
        self._above = above = self.rate > rule.rate
        held = now - self._rule_since
        self._clean = 0
        self._rule_events += 1
        if above:
            # It was tried on purpose, and is known better than before.
            self.rate = self._rule_rate(rule)
            self._retest_after = min(_LONGEST_HOLD_S, 2 * self._retest_after)
            self._rule_since, self._rule_events = now, 0
            return max(0.1, 1.5 / self.rate)
        if not self._certain or self._rule_events > 1:
            # On the way calls crowd together: some more room for that.
            self._rule_share = max(0.9, self._rule_share - 0.01)
        self.rate = self._rule_rate(rule)
        if self._certain:
            if self._rule_events == 1:
                return 0.0  # one by itself is noise
            if self._rule_events <= 5:
                return max(0.1, 1.5 / self.rate)
            self._certain = False
            self.most = rule.rate
        elif self._slower is None and held < 1.1 * rule.seconds:
            # The window may still be full of what was sent before it was known.
            if self._rule_events < 7:
                return min(rule.seconds / 4, 0.1 * 2.0**self._rule_events)
        elif self._slower is None and self._rule_events < 3 and now - before > 2.0:
            self._faster = []
            return max(0.1, 1.5 / self.rate)
        return self._deny(rule, now)

    def _deny(self, rule: Limit, now: float) -> float | None:
        if self.log: print(f"{now:7.2f} denied {rule.calls} per {rule.seconds}")
        self._denied, self._faster = rule.rate, []
        if self._slower is not None:
            slower, self._slower = self._slower, None
            # What is faster was tried and denied, so this one is confirmed.
            self._retest_after = _LONGEST_HOLD_S
            self._follow(slower, now)
            return max(0.1, 1.5 / self.rate)
        self.rule = None
        self.agreed, self._low = 0, 0.0
        self._hold_until = math.inf
        return None

    def _forget(self, now: float) -> None:
        if self.log: print(f"{now:7.2f} forget")
        self.rule = None
        self.agreed, self._low = 0, 0.0
        self._anchor, self._accepted = now, 0
        self._hold(self.rate, now)
