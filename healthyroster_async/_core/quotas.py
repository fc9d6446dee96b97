"""Going by the quotas that answers announce: spend them, and never overspend."""

from __future__ import annotations

import math

from attrs import define, field

from healthyroster_async._core.account import FOR_INTERACTIVE, Account, Heard
from healthyroster_async._core.ratelimits import Quota
from healthyroster_async._core.settings import Limit

# A click is a sign of more to come for so many seconds.
_CLICKS_S = 300.0
# A quota that does not say what is left is gone by evenly, if it is no longer.
_PACED_S = 60.0
# A quota of which nobody speaks any more is no longer gone by.
_STALE_S = 10.0
_SILENT = 3
_MOST_ACCOUNTS = 8


@define(eq=False)
class Quotas:
    """All quotas that an API announces; the tightest counts.

    A window is spent, not spread: as fast as the calls may go anyway, down to a small
    share that is given out evenly until it is new. What refills is gone by evenly.

    Attributes:
        accounts: One for each quota of which the API spoke of late.
    """

    accounts: dict[tuple[float | None, float | None], Account] = field(
        init=False, factory=dict
    )
    _clicked_at: float = field(init=False, default=-math.inf)

    def __bool__(self) -> bool:
        return bool(self.accounts)

    def hear(self, quotas: tuple[Quota, ...], answer: Heard) -> None:
        """Note what an answer said, if only by saying nothing."""
        now = answer.now
        for account in self.accounts.values():
            account.silent += answer.ok
        for quota in quotas:
            says_left = quota.remaining is not None
            if quota.window is None and (quota.reset is None or not says_left):
                continue
            if not says_left and (quota.window or 0.0) > _PACED_S:
                continue  # evenly from the first call on, it would never be spent
            key = (quota.limit, quota.window)
            if key not in self.accounts:
                if len(self.accounts) >= _MOST_ACCOUNTS:
                    self.accounts.clear()
                self.accounts[key] = Account()
            self.accounts[key].hear(quota, answer)
        gone = [
            key
            for key, account in self.accounts.items()
            if account.silent >= _SILENT and now - account.heard_at > _STALE_S
        ]
        for key in gone:
            del self.accounts[key]

    def covers(self, rule: Limit) -> bool:
        """Return whether a stated rule is about one of them."""
        return any(a.window == rule.seconds for a in self.accounts.values())

    def refused(self, now: float, last: int) -> bool:
        """Note a rejection, and return whether one of them explains it."""
        explained = [a.refused(now, last) for a in self.accounts.values()]
        return any(explained)

    def opens_at(self, now: float, last: int, *, urgent: bool) -> float:
        """Return when a call may go after call *last*; what is past means now.

        Args:
            now: The time.
            last: Number of the last call that was let go.
            urgent: Whether a person waits for it.
        """
        spare: float | None = 0.0
        if urgent:
            spare, self._clicked_at = None, now
        elif now - self._clicked_at < _CLICKS_S:
            spare = FOR_INTERACTIVE
        opens = now
        for account in self.accounts.values():
            if not account.misleads:
                opens = max(opens, account.opens_at(now, last, spare))
        return opens
