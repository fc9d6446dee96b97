"""Going by the quotas that answers announce: spend them, and never overspend."""

from __future__ import annotations

import math

from attrs import define, field

from healthyroster_async._core.ratelimits import Quota

# What of a quota is kept back, so that nothing is turned away if others spend of it.
_RESERVE = 0.05
# A quota nobody spoke of for so long is no longer gone by.
_STALE_S = 120.0
# Seconds in which a bucket's level is brought to where it should be.
_SETTLING_S = 0.5
_FOREVER = 1e9


@define(eq=False)
class _Account:
    """One announced quota.

    A window is new at its reset; a bucket refills all the time, and its "reset" says
    when it would be full: it moves on with what is spent.
    """

    limit: float = 0.0
    window: float = 0.0
    left: float = 0.0
    reset_at: float = math.inf
    heard_at: float = -math.inf
    votes: int = 0
    factor: float = 1.0

    def hear(self, quota: Quota, now: float, in_flight: int) -> None:
        if quota.limit is not None:
            self.limit = quota.limit
        self.heard_at = now
        left, reset = quota.remaining, quota.reset
        if quota.window is not None:
            self.window = quota.window
        elif reset is not None:
            self.window = max(self.window, reset)
        if left is None:
            return
        if reset is not None:
            self._vote(left, reset, now)
            self.reset_at = now + reset
        # What is under way was not counted yet when this was said.
        self.left = left - in_flight

    def _vote(self, left: float, reset: float, now: float) -> None:
        """Find out which kind it is, from how what is left and the reset belong together."""
        if not self.limit or not self.window:
            return
        refilled = (self.limit - left) / self.limit * self.window
        bucket = abs(refilled - reset) <= 1.0
        same_end = self.reset_at < math.inf and abs(now + reset - self.reset_at) <= 1.0
        if bucket and not same_end:
            self.votes = min(8, self.votes + 1)
        elif same_end and not bucket:
            self.votes = max(-8, self.votes - 1)

    def rate(self, now: float) -> float:
        """Return calls per second."""
        if now >= self.reset_at:
            # New, though nobody said so yet; one call finds out how much it is.
            self.left = max(self.left, self.limit or 1.0)
            self.reset_at = now + (self.window or 1.0)
        reserve = max(_RESERVE * self.limit, 1.0)
        over = self.left - reserve
        steady = self.limit / self.window if self.window else 0.0
        if self.window and (self.votes > 0 or self.window <= 1.0):
            return max(0.0, steady * self.factor + over / _SETTLING_S)
        if over > 0:
            return over / 0.05
        return max(0.0, self.left) / max(self.reset_at - now, 0.05)


@define(eq=False)
class Quotas:
    """All quotas that an API announces; the tightest counts."""

    _accounts: dict[tuple[float | None, float | None], _Account] = field(
        init=False, factory=dict
    )
    _heard_at: float = field(init=False, default=-math.inf)

    def __bool__(self) -> bool:
        return bool(self._accounts)

    def hear(self, quotas: tuple[Quota, ...], now: float, in_flight: int) -> None:
        """Note what an answer said.

        Args:
            quotas: What it said.
            now: The time.
            in_flight: Calls that are under way now.
        """
        self._heard_at = now
        for quota in quotas:
            if quota.remaining is None:
                continue
            key = (quota.limit, quota.window)
            account = self._accounts.get(key)
            if account is None:
                if len(self._accounts) > 8:
                    self._accounts.clear()
                account = self._accounts[key] = _Account()
            account.hear(quota, now, in_flight)

    def spend(self) -> None:
        """Note a call that was let go."""
        for account in self._accounts.values():
            account.left -= 1.0

    def refund(self) -> None:
        """Note that a call was not sent after all."""
        for account in self._accounts.values():
            account.left += 1.0

    def refused(self) -> None:
        """Note that a call was turned away although there should have been room."""
        for account in self._accounts.values():
            account.factor = max(0.5, 0.97 * account.factor)
            account.left = min(account.left, 0.0)

    def rate(self, now: float) -> float:
        """Return calls per second; infinite if nothing is announced of late."""
        if now >= self._heard_at + _STALE_S:
            self._accounts.clear()
        return min((a.rate(now) for a in self._accounts.values()), default=math.inf)

    def reset_at(self) -> float:
        """Return when the next of them is new, or none is gone by any more."""
        stale_at = self._heard_at + _STALE_S
        return min([stale_at, *(a.reset_at for a in self._accounts.values())])
