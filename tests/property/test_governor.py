"""Laws of the governor: no permit is lost and nobody sleeps for ever."""

import math
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from healthyroster_async._core.governor import Governor, Ticket
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.ratelimits import Announced, Quota
from healthyroster_async._core.settings import Limit, PacingSettings, Priority
from healthyroster_async._core.verdicts import Verdict

_SETTINGS = [
    {},
    {"rate": Limit(600, 60)},
    {"rate": Limit(0.5, 1)},
    {"max_rate": 3.0},
    {"max_concurrency": 1},
    {"max_concurrency": 5, "max_pause": 5.0},
]
_LEARNED = [None, Learned(at=0, limit=Limit(50, 10)), Learned(at=0, rate=20.0)]
amounts = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 5.0, 100.0]))
sizes = st.one_of(st.none(), st.sampled_from([1.0, 20.0, 1e9]))
quotas = st.builds(
    Quota,
    limit=sizes,
    window=st.one_of(st.none(), st.sampled_from([1.0, 60.0, 3600.0])),
    remaining=amounts,
    reset=st.one_of(st.none(), st.sampled_from([0.0, 1.0, 60.0, 3e7])),
)
said = st.builds(
    Announced,
    wait=st.one_of(st.none(), st.sampled_from([0.0, 0.5, 30.0, 2e9])),
    quotas=st.lists(quotas, max_size=2).map(tuple),
)
SILENT = Announced()
indices = st.integers(0, 1_000)


class Pacing(RuleBasedStateMachine):
    """A shell without a loop: it pumps after each event, as the gate does."""

    @initialize(
        options=st.sampled_from(_SETTINGS),
        learned=st.sampled_from(_LEARNED),
        seed=st.integers(0, 99),
    )
    def begin(self, options, learned, seed):
        self.now = 1000.0
        self.settings = PacingSettings(**options)
        self.governor = Governor(
            self.settings, now=self.now, rng=Random(seed), learned=learned
        )
        self.waiting, self.going = [], []
        self.asked_until = -math.inf

    # -- what the shell does -------------------------------------------------------

    def _probing(self):
        # One that takes longer than this is followed by another.
        return sum(t.probe and self.now < t.sent + 5.0 for t in self.going)

    def _went(self, ticket):
        assert ticket.granted
        assert not ticket.queued
        assert self.now >= self.asked_until, "let go inside a pause"
        assert self.now >= self.governor.paused_until
        assert not (ticket.probe and self._probing())
        self.going.append(ticket)
        assert len(self.going) <= self.settings.max_concurrency

    def _pump(self):
        while (ticket := self.governor.next(self.now)) is not None:
            self.waiting.remove(ticket)
            self._went(ticket)

    def _ask(self, ticket):
        if self.governor.ask(ticket, self.now):
            self._went(ticket)
        else:
            self.waiting.append(ticket)
            self._pump()

    def _answer(self, ticket, verdict, announced):
        self.going.remove(ticket)
        self.governor.answered(ticket, self.now, verdict, announced)
        if verdict is Verdict.THROTTLED and announced.wait is not None:
            until = self.now + min(announced.wait, 900.0)
            self.asked_until = max(self.asked_until, until)
        self._pump()

    # -- what may happen -----------------------------------------------------------

    @rule(
        flow=st.integers(0, 5),
        priority=st.sampled_from(Priority),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        count=st.integers(1, 30),
    )
    def ask(self, flow, priority, weight, count):
        for _ in range(count):
            self._ask(Ticket(flow, priority, weight, label=flow))

    @precondition(lambda self: self.going)
    @rule(
        index=indices,
        count=st.integers(1, 30),
        verdict=st.sampled_from(Verdict),
        announced=st.one_of(st.just(SILENT), said),
        again=st.booleans(),
    )
    def answer(self, index, count, verdict, announced, again):
        for ticket in self.going[index % len(self.going) :][:count]:
            self._answer(ticket, verdict, announced)
            if again and verdict in {Verdict.THROTTLED, Verdict.FAULT}:
                self._ask(ticket)

    @precondition(lambda self: self.waiting)
    @rule(index=indices, count=st.integers(1, 30))
    def cancel_in_the_queue(self, index, count):
        for ticket in self.waiting[index % len(self.waiting) :][:count]:
            if ticket in self.waiting:  # one that was woken by the one before
                self.waiting.remove(ticket)
                self.governor.abandon(ticket, self.now)
                self._pump()

    @precondition(lambda self: self.waiting)
    @rule()
    def cancel_in_the_tick_of_the_grant(self):
        ticket = self.governor.next(self.now)
        if ticket is not None:
            self.waiting.remove(ticket)
            self.governor.abandon(ticket, self.now)
            self._pump()

    @precondition(lambda self: any(t.sent == self.now for t in self.going))
    @rule()
    def cancel_what_was_let_go_just_now(self):
        ticket = next(t for t in self.going if t.sent == self.now)
        self.going.remove(ticket)
        self.governor.abandon(ticket, self.now)
        self.governor.abandon(ticket, self.now)
        self._pump()

    @precondition(lambda self: self.going)
    @rule(index=indices)
    def cancel_under_way(self, index):
        self._answer(self.going[index % len(self.going)], Verdict.NOTHING, SILENT)

    @precondition(lambda self: any(t.probe for t in self.going))
    @rule(verdict=st.sampled_from(Verdict), announced=said)
    def answer_the_probe(self, verdict, announced):
        probe = next(ticket for ticket in self.going if ticket.probe)
        self._answer(probe, verdict, announced)

    @rule(seconds=st.sampled_from([0.001, 0.1, 1.0, 10.0, 100.0, 5000.0]))
    def let_time_pass(self, seconds):
        end = self.now + seconds
        for _ in range(50):
            wake_at = self.governor.wake_at(self.now)
            if wake_at is None or wake_at > end:
                break
            self.now = max(self.now, wake_at)
            self._pump()
        self.now = max(self.now, end)
        self._pump()

    # -- what always holds ----------------------------------------------------------

    @invariant()
    def nothing_is_lost(self):
        governor = self.governor
        assert governor.in_flight == len(self.going)
        assert len(governor.queue) == len(self.waiting)
        assert bool(governor.queue) == bool(self.waiting)
        assert sum(governor.queue.lanes.values()) == len(self.waiting)
        assert sum(governor.queue.flows.values()) == len(self.waiting)
        assert all(t.queued and not t.granted for t in self.waiting)
        assert all(t.granted and not t.queued for t in self.going)

    @invariant()
    def at_most_one_probes(self):
        assert self._probing() <= 1

    @invariant()
    def the_rate_is_a_rate(self):
        rate = self.governor.learner.rate
        assert 0 < rate < math.inf
        assert rate <= (self.settings.max_rate or math.inf)
        assert self.governor.concurrency.cap >= 1

    @invariant()
    def whoever_waits_is_woken(self):
        wake_at = self.governor.wake_at(self.now)
        if not self.waiting:
            assert wake_at is None
        elif wake_at is None:
            assert self.going, "nothing would ever wake who waits"
        else:
            assert self.now <= wake_at < math.inf
            assert wake_at <= self.now + 1_100, "that is no pacing any more"

    def teardown(self):
        """Let the API accept everything: then everybody is served in finite time."""
        if not hasattr(self, "governor"):
            return
        for _ in range(200 + 30 * (len(self.waiting) + len(self.going))):
            for ticket in tuple(self.going):
                self._answer(ticket, Verdict.ACCEPTED, SILENT)
            if self.going:
                continue
            if not self.waiting:
                break
            wake_at = self.governor.wake_at(self.now)
            assert wake_at is not None
            self.now = max(self.now, wake_at)
            self._pump()

        assert not self.waiting
        assert not self.going
        assert self.governor.in_flight == 0
        assert not self.governor.queue


TestPacing = Pacing.TestCase
TestPacing.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
