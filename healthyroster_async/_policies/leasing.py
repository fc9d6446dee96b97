"""Sharing one budget with other processes: the governor's side of the store."""

from __future__ import annotations

from collections.abc import Callable

from healthyroster_async._core.governor import Governor
from healthyroster_async._core.lease import Lease
from healthyroster_async._core.shared import Budget
from healthyroster_async._core.verdicts import Verdict
from healthyroster_async._policies.sharing import BudgetStore

# A rate is raised by whoever finds it unchanged for so long.
_STEP_S = 0.05
_NO_EPOCH = -1


def _nobody() -> None:
    pass


class Leasing:
    """Takes slots from the store before calls go, and tells it what was learned.

    While the store is out of reach the governor paces this process by itself.
    """

    def __init__(
        self, governor: Governor, store: BudgetStore, ahead: float = 0.0
    ) -> None:
        """Begin to share.

        Args:
            governor: Whose calls.
            store: Where processes meet.
            ahead: Seconds by which the store's clock is ahead of the governor's.
        """
        self._governor = governor
        self._store = store
        self._ahead = ahead
        self._lease = Lease()
        self._epoch = 0
        self._reacted = governor.cuts
        self._asked_until = governor.asked_until
        # Called when those who wait pause because of another process.
        self.on_pause: Callable[[], None] = _nobody
        governor.lease = self._lease

    def before_next(self, now: float) -> None:
        """Have slots ready for the queue, if there are calls that want them."""
        seen = self._governor.reactions
        self._prepare(now)
        if self._governor.reactions != seen:
            self.on_pause()

    def _prepare(self, now: float) -> None:
        governor, lease = self._governor, self._lease
        if governor.is_held(now):
            return
        # A pause may have begun since they were reserved.
        if lease.calls and lease.slot <= now and self.look(now):
            lease.calls = 0
        calls = lease.wanted(governor.learner.rate)
        if not calls:
            return
        found = self._store.reserve(calls)
        if found is not None and not found.budget.rate:
            # Nobody has told the rate yet. This call counts, too.
            self._agree(found.budget, now)
            found = self._store.reserve(calls)
        if found is None or not found.budget.rate:
            governor.lease = None  # out of reach: by ourselves, then
            return
        governor.lease = lease
        lease.give(calls, found.slot - self._ahead)
        self._agree(found.budget, now)

    def look(self, now: float) -> bool:
        """Return whether all pause, another process having been asked to wait."""
        budget = self._store.read()
        if budget is None:
            return False
        until = budget.pause_until - self._ahead
        self._governor.hold(until, now)
        return until > now

    def before_answer(self, now: float, verdict: Verdict) -> None:
        """Learn what others did, before a rejection is reacted to.

        One overload is one cut: what left before another process reacted tells nothing.
        """
        if verdict.throttles:
            budget = self._store.read()
            if budget is not None:
                self._agree(budget, now)

    def after_answer(self, now: float) -> None:
        """Tell the others of an overload that was reacted to."""
        governor = self._governor
        is_cut = governor.cuts != self._reacted
        if not is_cut and governor.asked_until <= self._asked_until:
            return
        self._reacted = governor.cuts
        self._asked_until = governor.asked_until
        learner = governor.learner
        until = max(0.0, governor.paused_until + self._ahead)
        budget = self._store.react(
            # A probe that is turned away tells of no other overload, and may ask for
            # more all the same.
            self._epoch if is_cut else _NO_EPOCH,
            rate=learner.rate,
            limit=learner.rule,
            pause_until=until,
            asked_until=max(0.0, governor.asked_until + self._ahead),
            state=learner.state(self._ahead),
        )
        self._lease.calls = 0
        if budget is not None and is_cut:
            if budget.epoch == self._epoch + 1:
                self._epoch = budget.epoch  # nobody was faster
            self._agree(budget, now)

    def _agree(self, budget: Budget, now: float) -> None:
        """Make one of what was learned here and there."""
        governor, learner = self._governor, self._governor.learner
        governor.hold(budget.pause_until - self._ahead, now)
        if not budget.rate:
            self._tell(budget)
        elif budget.epoch != self._epoch:
            self._epoch = budget.epoch
            governor.epoch += 1
            self._adopt(budget)
        elif (budget.limit, budget.rate) != (learner.rule, learner.rate):
            unchanged = now + self._ahead - budget.changed_at
            if unchanged >= _STEP_S and learner.rate > budget.rate:
                self._tell(budget)
            else:
                self._adopt(budget)
        everybody = budget.granted - budget.granted_before
        learner.count_all(everybody, budget.reacted_at - self._ahead)

    def _adopt(self, budget: Budget) -> None:
        self._governor.learner.adopt(
            budget.rate,
            budget.limit,
            budget.state,
            changed_at=budget.changed_at - self._ahead,
            ahead=self._ahead,
        )

    def _tell(self, budget: Budget) -> None:
        learner = self._governor.learner
        self._store.learn(
            budget.epoch,
            rate=learner.rate,
            limit=learner.rule,
            state=learner.state(self._ahead),
        )
