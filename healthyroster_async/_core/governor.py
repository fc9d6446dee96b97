"""Who may send now, and when: a state machine without a clock, a socket or a task.

The shell in ``_policies/pacing.py`` tells it what happens and what time it is, and
carries out what it decides. What it is made of stands in modules of its own: the queue,
the learned rate, the announced quotas, the bound of concurrency, the breaker.
"""

from __future__ import annotations

import math
from random import Random

from attrs import define, field

from healthyroster_async._core.account import Heard
from healthyroster_async._core.breaker import Breaker
from healthyroster_async._core.concurrency import Concurrency
from healthyroster_async._core.fair_queue import FairQueue, Ticket
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.learning import Learner
from healthyroster_async._core.lease import Lease
from healthyroster_async._core.quotas import Quotas
from healthyroster_async._core.ratelimits import SILENT, Announced
from healthyroster_async._core.settings import Limit, PacingSettings, Priority
from healthyroster_async._core.verdicts import Verdict

__all__ = ["LONGEST_PAUSE_S", "Governor", "Ticket"]

# A pause that the API asks for is obeyed, but no header can stop the pool for good.
LONGEST_PAUSE_S = 900.0
# Seconds of unused rate that may be made up for: timers are late, and calls come in
# bursts.
_CATCH_UP_S = 0.05
_STARTING_BURST_S = 0.1
# A rule that a rejection states is gone by if it is no slower than this, per second,
# and not if so many times its calls went well.
_LEAST_STATED, _CONTRADICTED = 0.1, 1.5
# A quota that is used up for so long is a pause.
_PAUSE_S = 1.0
_LEAST_GUESS_S, _LONGEST_GUESS_S = 0.1, 8.0
# A probe may happen to be a report that takes a minute: then another one goes.
_PROBE_PATIENCE_S = 5.0


@define(eq=False)
class Governor:
    """Rate, concurrency, pauses and queue of one budget.

    Attributes:
        settings: What the caller fixed or capped.
        rng: Source of jitter.
        in_flight: Attempts under way.
        epoch: How often it reacted: answers to what was sent before tell nothing new.
        paused_until: Nothing starts before this time.
        asked_until: The same, if the API asked for it.
        pauses: How many pauses began.
        rejections: How many answers asked for fewer calls.
        sent: How many attempts were let go.
        cuts: How often the rate was reconsidered because of a rejection.
        lease: Slots of a budget that is shared with other processes, or ``None``.
        urgent_at: When an interactive call last came.
        reactions: How often something changed that is worth telling.
        reaction: What it was: paused, resumed, rate, down or up.
    """

    settings: PacingSettings
    now: float = field(kw_only=True)
    rng: Random = field(kw_only=True)
    _known: Learned | None = field(kw_only=True, default=None, alias="learned")
    queue: FairQueue = field(init=False, factory=FairQueue)
    learner: Learner = field(init=False)
    quotas: Quotas = field(init=False, factory=Quotas)
    concurrency: Concurrency = field(init=False)
    breaker: Breaker = field(init=False, factory=Breaker)
    in_flight: int = field(init=False, default=0)
    epoch: int = field(init=False, default=0)
    paused_until: float = field(init=False, default=-math.inf)
    asked_until: float = field(init=False, default=-math.inf)
    pauses: int = field(init=False, default=0)
    rejections: int = field(init=False, default=0)
    sent: int = field(init=False, default=0)
    cuts: int = field(init=False, default=0)
    lease: Lease | None = field(init=False, default=None)
    urgent_at: float = field(init=False, default=-math.inf)
    reactions: int = field(init=False, default=0)
    reaction: str = field(init=False, default="")
    _last: float = field(init=False, default=-math.inf)
    _stated: Limit | None = field(init=False, default=None)
    # Whether the caller said how many calls are too many.
    _bound: bool = field(init=False, default=False)
    _shut: bool = field(init=False, default=False)
    _probe: Ticket | None = field(init=False, default=None)
    _pause: float = field(init=False, default=0.0)
    _starved: bool = field(init=False, default=False)
    _used_up: bool = field(init=False, default=False)
    # A pause that another process was asked for.
    _elsewhere_until: float = field(init=False, default=-math.inf)
    _held_elsewhere: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        self._bound = settings.rate is not None or settings.max_rate is not None
        self.learner = Learner(most=settings.max_rate or math.inf)
        if settings.rate is not None:
            self.learner.go_by(settings.rate, self.now)
        elif self._known is not None:
            self.learner.remember(self._known, self.now)
        self.concurrency = Concurrency(settings.max_concurrency)

    @property
    def learned(self) -> Learned | None:
        """What is worth remembering for the next run; its time is not set."""
        return self.learner.learned

    def ask(self, ticket: Ticket, now: float) -> bool:
        """Let a call go if nothing stands in its way, else put it into the queue.

        Returns:
            Whether it goes now, counted as under way.
        """
        urgent = ticket.priority is Priority.INTERACTIVE
        if urgent:
            self.urgent_at = now
        if not self.queue.waiting and not self._shut and self._take(now, urgent=urgent):
            self._let_go(ticket, now)
            return True
        self.queue.push(ticket)
        return False

    def next(self, now: float) -> Ticket | None:
        """Return the ticket that goes now, counted as under way, or ``None``."""
        if not self.queue.waiting:
            return None
        if self._shut:
            if now < self._opens_at() or self.in_flight >= self.concurrency.cap:
                return None
            if self.quotas.accounts:
                # What came back in the pause is no more than there may be, and the
                # probe takes one of it.
                self.quotas.opens_at(now, self.sent, urgent=self.queue.urgent)
            ticket = self.queue.pop()
            if ticket is not None:
                self._probe = ticket
                ticket.probe = True
                if self.lease is not None and self.lease.calls:
                    self.lease.calls -= 1
                self._let_go(ticket, now)
            return ticket
        if not self._take(now, urgent=self.queue.urgent):
            return None
        if self._starved:
            self._starved = False
            self.learner.grow(now)
        ticket = self.queue.pop()
        if ticket is not None:
            self._let_go(ticket, now)
        return ticket

    def wake_at(self, now: float) -> float | None:
        """Return when to call ``next`` although nothing happens, or ``None``."""
        if not self.queue.waiting:
            return None
        if self.in_flight >= self.concurrency.cap:
            return None
        if self._shut:
            return self._opens_at()
        lease = self.lease
        if lease is None:
            due = self._last + 1.0 / self.learner.rate
        else:
            due = lease.slot if lease.calls else now
        if self.quotas.accounts:
            opens = self.quotas.opens_at(now, self.sent, urgent=self.queue.urgent)
            due = max(due, opens)
        return max(now, due, self._elsewhere_until)

    def abandon(self, ticket: Ticket, now: float) -> None:  # noqa: ARG002 - as all have it
        """Note that nobody waits for a ticket any more, or that it was never sent."""
        if ticket.queued:
            self.queue.drop(ticket)
        elif ticket.granted:
            ticket.granted = False
            self.in_flight -= 1
            if ticket.probe:
                pass  # that took no token, or one that is late by now
            elif self.lease is not None:
                self.lease.calls += 1
            else:
                self._last -= 1.0 / self.learner.rate
            if ticket.probe:
                self._give_up_probe(ticket)

    def answered(
        self,
        ticket: Ticket,
        now: float,
        verdict: Verdict,
        announced: Announced = SILENT,
    ) -> None:
        """Note the end of an attempt.

        Args:
            ticket: Whose attempt.
            now: Time of the answer.
            verdict: What it tells.
            announced: What it says about limits.
        """
        ticket.granted = False
        self.in_flight -= 1
        if announced.quotas or (self.quotas.accounts and verdict is Verdict.ACCEPTED):
            heard = Heard(
                number=ticket.number,
                sent=ticket.sent,
                now=now,
                last=self.sent,
                in_flight=self.in_flight,
                ok=not verdict.throttles,
            )
            self.quotas.hear(announced.quotas, heard)
        if verdict is Verdict.ACCEPTED:
            self._accepted(ticket, now)
        elif verdict.throttles:
            self._rejected(ticket, now, verdict, announced)
        elif verdict is Verdict.FAULT:
            self._failed(ticket, now)
        if ticket.probe:
            self._give_up_probe(ticket)
        if announced.quotas:
            used_up = announced.used_up and self.held_for(now) > _PAUSE_S
            if used_up != self._used_up:
                self._used_up = used_up
                if not self._shut:
                    self._react("paused" if used_up else "resumed")

    @property
    def source(self) -> str:
        """Where the rate comes from, in words."""
        if self.quotas.accounts:
            return "announced"
        return self.learner.source

    def refuses(self, priority: Priority, now: float) -> bool:
        """Return whether a call is not to wait for an API that is down.

        A person learns it at once, a pull when it has lasted.
        """
        breaker = self.breaker
        if not breaker.is_open or now >= self._opens_at():
            return False
        return priority is Priority.INTERACTIVE or self.gave_up(now)

    def is_held(self, now: float) -> bool:
        """Return whether nobody goes now, whatever the rate."""
        if not self.queue.waiting or self.in_flight >= self.concurrency.cap:
            return True
        return self._shut and now < self._opens_at()

    def gave_up(self, now: float) -> bool:
        """Return whether the API is down for so long that nobody waits any more."""
        down = self.breaker.is_open
        return down and now - self.breaker.since > self.settings.max_pause

    def held_for(self, now: float, *, urgent: bool = False) -> float:
        """Return for how many seconds nobody goes: a pause, or a used-up quota.

        Of a quota a part is left to *urgent* calls.
        """
        wait = self._pause_left(now)
        if self.quotas.accounts:
            used_up = self.quotas.opens_at(now, self.sent, urgent=urgent) - now
            if used_up > _PAUSE_S:
                wait = max(wait, used_up)
        return wait

    def wait_at_least(
        self, ticket: Ticket, now: float, *, enough: float = 0.0
    ) -> float:
        """Return the least number of seconds that a queued call has to wait.

        Who goes before it is not found out where even the last one in the queue waits
        less than *enough*: that takes a look at everybody who waits.
        """
        wait = self._wait_behind(len(self.queue), ticket, now)
        if wait < enough:
            return wait
        return self._wait_behind(self.queue.ahead_of(ticket), ticket, now)

    def _wait_behind(self, ahead: int, ticket: Ticket, now: float) -> float:
        wait = ahead / self.learner.rate
        if self.lease is None:
            wait += max(0.0, self._last + 1.0 / self.learner.rate - now)
        if self.learner.starting:
            # The rate doubles each second, and the first step may come at once.
            wait = max(0.0, math.log2(1.0 + wait * math.log(2.0)) - 0.2)
        wait += self._pause_left(now)
        if self.quotas.accounts:
            urgent = ticket.priority is Priority.INTERACTIVE
            opens = self.quotas.opens_at(now, self.sent, urgent=urgent)
            wait = max(wait, opens - now)
        return wait

    def hold(self, until: float, now: float) -> None:
        """Note a pause that another process was asked for."""
        known = max(now, self.paused_until, self._elsewhere_until)
        if until <= known:
            return
        self._elsewhere_until = until
        if until > known + _PAUSE_S:
            self.pauses += 1
            self._held_elsewhere = True
            self._react("paused")

    def _pause_left(self, now: float) -> float:
        return max(0.0, max(self.paused_until, self._elsewhere_until) - now)

    # -- going ---------------------------------------------------------------------

    def _opens_at(self) -> float:
        """Return when the next probe may go."""
        opens = max(self.paused_until, self._elsewhere_until)
        probe = self._probe
        return opens if probe is None else max(opens, probe.sent + _PROBE_PATIENCE_S)

    def _take(self, now: float, *, urgent: bool) -> bool:
        """Take a permit and a token, if both are there."""
        if self.in_flight >= self.concurrency.cap or now < self._elsewhere_until:
            return False
        quotas = self.quotas
        if quotas.accounts and quotas.opens_at(now, self.sent, urgent=urgent) > now:
            return False
        if self.lease is not None:
            if self.lease.take(now):
                return True
            self._starved = True
            return False
        due = self._last + 1.0 / self.learner.rate
        if due > now:
            self._starved = True
            return False
        slack = _STARTING_BURST_S if self.learner.starting else _CATCH_UP_S
        if self._bound and not self._starved:
            # Nobody waited, so no timer was late; six of five a second are too many.
            slack = 0.0
        self._last = max(due, now - slack)
        return True

    def _let_go(self, ticket: Ticket, now: float) -> None:
        self.in_flight += 1
        if ticket.place is None:
            ticket.place = self.sent
        self.sent += 1
        ticket.granted = True
        ticket.number = self.sent
        ticket.sent = now
        ticket.epoch = self.epoch
        ticket.load = self.in_flight

    def _give_up_probe(self, ticket: Ticket) -> None:
        """Hand the role of the probe on, if the ticket had it."""
        ticket.probe = False
        if self._probe is ticket:
            self._probe = None

    # -- answers -------------------------------------------------------------------

    def _accepted(self, ticket: Ticket, now: float) -> None:
        breaker = self.breaker
        up = breaker.in_trouble and breaker.answered()
        if ticket.probe:
            self._open(ticket, now)
        if up:
            self._react("up")
        if self._held_elsewhere and not self._pause_left(now):
            self._held_elsewhere = False
            self._react("resumed")
        sent = ticket.sent
        self.learner.accepted(sent, now)
        self.concurrency.accepted(ticket.label, ticket.load, now - sent, now)

    def _open(self, ticket: Ticket, now: float) -> None:
        if now < self.paused_until:
            return  # another answer asked for more in the meantime
        self._shut = False
        self._pause = 0.0
        self._last = now
        known = self.learner.rule
        self.learner.free(ticket.sent, now)
        self._react("resumed" if self.learner.rule is known else "rate")

    def _rejected(
        self, ticket: Ticket, now: float, verdict: Verdict, announced: Announced
    ) -> None:
        """Go slower; refusals that never say why, and never end, are an outage."""
        breaker = self.breaker
        if verdict is Verdict.MUTE:
            self._throttled(ticket, now, announced)
            if breaker.turned_away(now) and ticket.probe:
                breaker.open(now)
            if breaker.is_open and ticket.probe:
                self._react("down")
            return
        up = breaker.answered()
        self._throttled(ticket, now, announced)
        if up:
            self._react("up")

    def _throttled(self, ticket: Ticket, now: float, announced: Announced) -> None:
        self.rejections += 1
        asked = announced.wait
        if asked is not None and asked < _LEAST_GUESS_S:
            asked = None  # rounded down to nothing: it does not say how long
        is_announced = self.quotas.refused(now, self.sent)
        if announced.rule is not None:
            self._go_by(announced.rule, now)
        if ticket.probe:
            self.epoch += 1
            self.learner.still(ticket.sent)
            self._pause = min(_LONGEST_GUESS_S, max(_LEAST_GUESS_S, 2 * self._pause))
            self._close(now, asked, self._pause)
        elif ticket.epoch == self.epoch and not self._shut:
            self.epoch += 1
            self.cuts += 1
            if self.concurrency.refused(ticket.load, now):
                self._pause = 0.0
            elif is_announced:
                self._pause = 0.1
            else:
                self._pause = self.learner.event(ticket.sent, now, asked)
            if asked is not None or self._pause:
                self._close(now, asked, self._pause)
        elif asked is not None:
            self._close(now, asked, 0.0)

    def _go_by(self, rule: Limit, now: float) -> None:
        """Go by a limit that a rejection states, if no quota is about it."""
        if self.quotas.covers(rule):
            return
        known = self.learner.rule
        bound = self._stated if known == self._stated else self.settings.rate
        if bound is not None and rule.rate >= bound.rate:
            return
        # The rule of one endpoint, or of a day, is no pace for all.
        if rule.rate < _LEAST_STATED or rule.seconds > LONGEST_PAUSE_S:
            return
        went_in = self.learner.windows.since(now - rule.seconds)
        if rule.rate < self.learner.rate and went_in <= _CONTRADICTED * rule.calls:
            self._stated = rule
            self.learner.go_by(rule, now, doubt_after=max(300.0, 10 * rule.seconds))

    def _failed(self, ticket: Ticket, now: float) -> None:
        if not ticket.probe and ticket.epoch != self.epoch:
            return
        breaker = self.breaker
        if breaker.failed(now) or ticket.probe:
            self.epoch += 1
            self._close(now, None, breaker.wait() if breaker.is_open else 1.0)
            if breaker.is_open:
                self._react("down")

    def _close(self, now: float, asked: float | None, guess: float) -> None:
        """Let nothing go for a while, and then one call to see whether it may."""
        wait = guess
        if asked is not None:
            # On top of what was asked, never below it.
            wait = min(asked, LONGEST_PAUSE_S)
            wait += self.rng.uniform(0.0, min(1.0, 0.1 * wait))
            self.asked_until = max(self.asked_until, now + wait)
        if not self._shut or now >= self.paused_until:
            self.pauses += 1
            self._react("paused")
        self._shut = True
        self.paused_until = max(self.paused_until, now + wait)

    def _react(self, what: str) -> None:
        self.reactions += 1
        self.reaction = what
