"""How fast an API lets us go that does not say: learned from what it accepts."""

from __future__ import annotations

import math

from attrs import define, field

from healthyroster_async._core.learned import Learned
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.windows import Windows

# From here the rate doubles every second for as long as nothing is turned away.
START_RATE = 20.0
# How far below the limit to stay once it is known.
_MARGIN = 0.985
_STEP_S = 0.05
_SETTLED = 2
_LONG_BLOCK_S = 3.0


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
    """

    most: float = math.inf
    rate: float = START_RATE
    ceiling: float | None = None
    agreed: int = 0
    rule: Limit | None = None
    windows: Windows = field(init=False, factory=Windows)
    _certain: bool = field(init=False, default=False)
    _starting: bool = field(init=False, default=True)
    _anchor: float | None = field(init=False, default=None)
    _accepted: int = field(init=False, default=0)
    _blocked_at: float | None = field(init=False, default=None)
    _paused: float = field(init=False, default=0.1)
    _plateau: float = field(init=False, default=0.0)
    _low: float = field(init=False, default=0.0)
    _low_for: float = field(init=False, default=0.0)
    _set_at: float = field(init=False, default=0.0)
    _top: float = field(init=False, default=0.0)
    _share: float = field(init=False, default=0.96)
    _tried: bool = field(init=False, default=False)
    _hold_until: float = field(init=False, default=-math.inf)
    _growth: float = field(init=False, default=0.0)
    _grown_at: float = field(init=False, default=-math.inf)
    _denied: float = field(init=False, default=math.inf)
    _faster: list[Limit] = field(init=False, factory=list)
    _slower: Limit | None = field(init=False, default=None)
    _rule_since: float = field(init=False, default=0.0)
    _rule_events: int = field(init=False, default=0)
    _clean: int = field(init=False, default=0)
    _retest_after: float = field(init=False, default=60.0)
    _above_since: float = field(init=False, default=0.0)
    log: object = None

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
            self._retest_after = 1800.0
            self._follow(learned.limit, now)
        elif learned.rate is not None:
            self.ceiling = self._top = learned.rate
            self.agreed = 10
            self._set(_MARGIN * learned.rate, now)

    @property
    def learned(self) -> Learned | None:
        """What is worth remembering."""
        if self.rule is not None and not self._certain:
            return Learned(at=0.0, limit=self.rule)
        if self.rule is None and self.ceiling is not None and self.agreed >= _SETTLED:
            return Learned(at=0.0, rate=self.rate / _MARGIN)
        return None

    @property
    def starting(self) -> bool:
        """Whether nothing was ever turned away."""
        return self._starting

    def accepted(self, sent: float) -> None:
        """Note a call that was let in."""
        self.windows.accept(sent)
        if self._anchor is None:
            self._anchor = sent
        if sent >= self._anchor:
            self._accepted += 1
        if self.rule is not None:
            self._clean += 1
            if self._clean == 1000:
                self._rule_events = 0
                self.rate = min(self.most, 0.99 * self.rule.rate)

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
            self.rate = min(self.most, self.rate * 2.0**past)
        elif now >= self._hold_until:
            if self._plateau > self._low:
                self._low, self._low_for = self._plateau, now - self._set_at
            self.rate = min(self.most, self.rate * (1.0 + self._growth * past))
            # Twice as fast every second.
            self._growth = min(0.5, self._growth * 2.0**past)

    def event(self, sent: float, now: float) -> float:
        """React to a rejection of a call that was sent after the last reaction.

        Returns:
            Seconds to wait before the way is tried again, if the API does not say.
        """
        self.windows.block(sent)
        self._blocked_at = sent
        if self.rule is not None:
            return self._rule_event(self.rule, sent, now)
        span = max(1e-3, sent - (self._anchor if self._anchor is not None else sent))
        count, self._accepted = self._accepted, 0
        self._anchor = sent
        self._rate_event(count, count / span, span, now)
        return max(0.1, 1.5 / self.rate)

    def _rate_event(
        self, count: int, measured: float, span: float, now: float
    ) -> None:
        top, held = self.rate, now < self._hold_until
        if self._starting:
            self._starting = False
            self._set(min(0.75 * top, max(measured, 0.1 * top)), now)
            return
        if self._tried:
            if held or span < 1.5:
                self._share = max(0.5, self._share - 0.02)
            else:
                self._share = min(_MARGIN, self._share + 0.002)
        self._tried = False
        if held and top <= self._low * 1.001:
            self._low = 0.0  # it was lowered, or was never so high
        if span < 1.5:
            # Too fast at once: the measure is coarse, but nothing was lost in between.
            rate = 0.95 * measured if count >= 8 else 0.7 * top
            if span - self._paused >= 0.8:
                rate = max(rate, 0.97 * top)
            rate = min(max(rate, 0.3 * top, self._low), 0.95 * top)
            self.agreed = min(self.agreed, _SETTLED) if rate > 0.8 * top else 0
        elif held:
            rate = min(_MARGIN * measured, 0.99 * top)
            self._compare(measured)
        else:
            rate = max(_MARGIN * measured, 1.003 * self._low)
            if self._share * top > rate:
                rate = self._share * top
                self._tried = True
            rate = min(rate, _MARGIN * top)
            self._compare(measured)
        self._set(rate, now)

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
        mean = self.windows.accepted
        began = self.windows._free_since
        mean = mean / (sent - began) if began is not None and sent > began else 0.0
        found = self.windows.free(sent)
        if self.log: print(f"{now:7.2f} free after {lasted:.2f} mean {mean:.1f} found {[(x.calls,x.seconds) for x in found]}")
        if self.rule is None:
            good = [
                r
                for r in found
                if 0.97 * mean <= r.rate < 0.999 * self._denied
                and (r.rate >= 0.97 * self._low or r.seconds > self._low_for)
            ]
            if good:
                self._faster = good[1:]
                self._slower = None
                self._retest_after = max(60.0, 10 * good[0].seconds)
                self._follow(good[0], now)
            elif lasted >= _LONG_BLOCK_S and self.ceiling is None:
                # Nothing is known yet; and it may have been an outage.
                self._starting = True
                self.rate = START_RATE
                self._anchor, self._accepted = None, 0

    def _follow(self, rule: Limit, now: float) -> None:
        if self.log: print(f"{now:7.2f} follow {rule.calls} per {rule.seconds}")
        self.rule = rule
        self.ceiling = rule.rate
        self._rule_since = now
        self._rule_events = 0
        self._clean = 0
        self.rate = min(self.most, 0.98 * rule.rate)

    def _test(self, rule: Limit, now: float, past: float) -> None:
        held = now - self._rule_since
        if self._faster:
            if held > 2.2 * rule.seconds:
                self._slower = rule
                self._follow(self._faster.pop(0), now)
        elif held > self._retest_after:
            # Slowly above it: either it is confirmed, or it never was one.
            if self.rate < 1.1 * rule.rate:
                self.rate = min(self.most, self.rate * (1.0 + 0.03 * past))
                self._above_since = now
            elif now - self._above_since > 1.5 * rule.seconds:
                self._forget(now)

    def _rule_event(self, rule: Limit, sent: float, now: float) -> float:
        self._clean = 0
        above = self.rate > rule.rate
        self.rate = min(self.most, 0.98 * rule.rate)
        self._rule_events += 1
        if above:
            # It was tried on purpose, and is known better than before.
            self._retest_after = min(1800.0, 2 * self._retest_after)
            self._rule_since, self._rule_events = now, 0
        elif self._certain:
            if self._rule_events > 5:
                self._certain = False
                self.most = rule.rate
                self._deny(rule, sent, now)
            elif self._rule_events == 1:
                return 0.0  # one by itself is noise
        elif now - self._rule_since < 1.1 * rule.seconds:
            # The window may still be full of what was sent before it was known.
            if self._rule_events < 7 and not self._slower:
                return min(rule.seconds / 4, 0.1 * 2.0**self._rule_events)
            self._deny(rule, sent, now)
        elif self._rule_events > 2:
            self._deny(rule, sent, now)
        else:
            self._rule_since, self._faster = now, []
        return max(0.1, 1.5 / self.rate)

    def _deny(self, rule: Limit, sent: float, now: float) -> None:
        if self.log: print(f"{now:7.2f} denied {rule.calls} per {rule.seconds}")
        self._denied, self._faster = rule.rate, []
        if self._slower is not None:
            slower, self._slower = self._slower, None
            self._follow(slower, now)
            return
        self._forget(now)
        self._anchor, self._accepted = sent, 0
        self._set(0.9 * self.rate, now)

    def _forget(self, now: float) -> None:
        if self.log: print(f"{now:7.2f} forget")
        self.rule = None
        self.agreed, self._low = 0, 0.0
        self._anchor, self._accepted = now, 0
        self._set(self.rate, now)

    def _compare(self, measured: float) -> None:
        # A bucket repeats what it gave in all, a window the rate at which it shut.
        same = math.isclose(measured, self.ceiling or 0.0, rel_tol=0.05)
        same = same or math.isclose(self.rate, self._top, rel_tol=0.04)
        self.agreed = self.agreed + 1 if same else 0
        self.ceiling, self._top = measured, self.rate

    def _set(self, rate: float, now: float) -> None:
        if self.log: print(f"{now:7.2f} event: {self.rate:.1f} -> {rate:.1f} ceiling {self.ceiling} agreed {self.agreed}")
        self.rate = self._plateau = min(self.most, rate)
        self._grown_at = self._set_at = now
        if self.agreed < _SETTLED:
            self._hold_until = now + max(1.0, 15.0 / rate)
            self._growth = 0.05
        else:
            hold = max(10.0, 250.0 / rate, 40 * self._paused)
            doublings = min(10, max(0, self.agreed - 6))
            self._hold_until = now + min(1800.0, hold * 2.0**doublings)
            self._growth = 0.02
