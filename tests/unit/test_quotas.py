"""Going by announced quotas."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthyroster_async._core.account import LONGEST_HOLD_S, Heard
from healthyroster_async._core.governor import LONGEST_PAUSE_S, Governor, Ticket
from healthyroster_async._core.quotas import Quotas
from healthyroster_async._core.ratelimits import Announced, Quota
from healthyroster_async._core.settings import Limit, PacingSettings
from healthyroster_async._core.verdicts import Verdict


class Api:
    """Calls that are answered at once, and say what the test has them say."""

    def __init__(self):
        self.quotas = Quotas()
        self.sent = 0

    def call(self, now, *quotas, ok=True, took=0.0, in_flight=0):
        self.sent += 1
        return self.hear(self.sent, now, *quotas, ok=ok, took=took, in_flight=in_flight)

    def hear(self, number, sent, *quotas, ok=True, took=0.0, in_flight=0):
        answer = Heard(
            number=number,
            sent=sent,
            now=sent + took,
            last=self.sent,
            in_flight=in_flight,
            ok=ok,
        )
        self.quotas.hear(quotas, answer)

    def opens_at(self, now, *, urgent=False):
        return self.quotas.opens_at(now, self.sent, urgent=urgent)

    def spend(self, now, *, urgent=False, most=10_000):
        """Let go what may go now; nobody answers. Return how many went."""
        for count in range(most):
            if self.opens_at(now, urgent=urgent) > now:
                return count
            self.sent += 1
        return most


def pull(api, now, calls, quota):
    """Make calls as soon as they may go; return when they went."""
    times = []
    while len(times) < calls:
        now = api.opens_at(now)
        api.call(now, quota())
        times.append(now)
    return times


def minute(remaining, reset, limit=600):
    return Quota(limit=limit, window=60.0, remaining=float(remaining), reset=reset)


def second(remaining, limit=50):
    return Quota(limit=limit, window=1.0, remaining=float(remaining), reset=1.0)


def test_nothing_announced_holds_nothing():
    """
    Most APIs say nothing, and then this must not be in the way.
    """
    api = Api()

    assert not api.quotas
    assert api.opens_at(5.0) == 5.0


def test_a_window_is_spent_at_once_down_to_a_small_rest():
    """
    Spreading 600 calls over the minute would make every short job wait for nothing.
    """
    api = Api()
    api.call(0.0, minute(599, 60))

    assert api.spend(0.0) == 593
    assert 0.0 < api.opens_at(0.0) <= 10.0


def test_the_rest_is_given_out_evenly_until_the_window_is_new():
    """
    Nothing may be left over at the end, and nothing may be gone in the middle.
    """
    api = Api()
    api.call(0.0, minute(599, 60))
    api.spend(0.0)
    times = []
    while (now := api.opens_at(times[-1] if times else 0.0)) < 60.0:
        times.append(now)
        api.sent += 1

    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert len(times) == 6
    assert gaps == pytest.approx([10.0] * 5)


def test_more_is_kept_for_clicks_once_somebody_clicked():
    """
    A person in the midst of a pull must not wait for the next window.
    """
    api = Api()
    api.call(0.0, minute(599, 60))
    api.opens_at(0.0, urgent=True)

    assert api.spend(0.0) == 569
    assert api.spend(0.0, urgent=True) == 30
    assert api.opens_at(0.0, urgent=True) == 60.0


def test_what_remained_counts_less_what_was_sent_since():
    """
    An answer that was long on its way must not give out the same calls twice.
    """
    api = Api()
    api.sent += 300

    api.hear(1, 0.0, minute(599, 60), took=0.5, in_flight=299)

    assert api.spend(0.5) == 300 - 6


def test_what_others_spend_is_gone():
    """
    A quota may be shared with programs that we know nothing of.
    """
    api = Api()
    api.call(0.0, minute(599, 60))

    api.call(1.0, minute(100, 59))

    assert api.spend(1.0) == 94


def test_one_call_asks_whether_a_window_is_new():
    """
    A burst at the wrong moment would be turned away as a whole.
    """
    api = Api()
    api.call(0.0, minute(0, 30))

    assert api.opens_at(10.0) == 30.0
    assert api.spend(30.0) == 1
    assert api.opens_at(30.0) == 31.0
    api.hear(api.sent, 30.0, minute(599, 60))
    assert api.spend(30.0) > 500


def test_the_call_that_asks_may_get_no_answer():
    """
    One lost answer must not cost a whole window.
    """
    api = Api()
    api.call(0.0, minute(0, 30))
    api.spend(30.0)

    assert api.spend(31.0) == 1


def test_the_least_reset_is_the_best():
    """
    Resets are rounded up to whole seconds: many answers know more than one.
    """
    api = Api()
    api.call(0.0, minute(300, 60))
    api.call(0.9, minute(200, 59))
    api.call(1.5, minute(0, 59))

    assert api.opens_at(2.0) == pytest.approx(59.9)


def test_a_window_ends_a_window_after_it_began():
    """
    An epoch in whole seconds is up to two seconds late: 3 % of a minute.
    """
    api = Api()
    api.call(0.0, Quota(limit=600, remaining=0.0, reset=62.0))
    api.spend(62.0)
    api.hear(api.sent, 62.0, Quota(limit=600, remaining=599.0, reset=62.0), took=0.1)
    api.call(70.0, Quota(limit=600, remaining=0.0, reset=53.0))

    assert api.opens_at(80.0) == pytest.approx(122.1)


def test_a_late_answer_about_the_window_before_is_not_about_this_one():
    """
    It says that nothing remains, which is long over.
    """
    api = Api()
    api.call(0.0, minute(0, 30))
    api.sent += 1
    api.spend(30.0)
    api.hear(api.sent, 30.0, minute(599, 60))

    api.hear(2, 0.0, minute(0, 30), took=30.5)

    assert api.spend(31.0) > 500


def test_a_bucket_goes_on_at_its_rate():
    """
    It is never new as a whole, and standing still until then would be a waste.
    """
    api = Api()
    api.call(0.0, second(49))
    times = pull(api, 0.0, 20, lambda: second(10))

    assert times[-1] - times[4] == pytest.approx(15 / (0.98 * 50), rel=0.01)


def test_what_comes_back_bit_by_bit_is_gone_by_evenly():
    """
    Spent in bursts, a sliding window costs the time of the burst each time; with a
    share kept back it is never used in full.
    """
    api = Api()
    sliding = minute(12, 60)
    api.call(0.0, minute(0, 10))
    api.spend(10.0)
    api.hear(api.sent, 10.0, sliding)

    times = pull(api, 10.0, 100, lambda: sliding)

    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps == pytest.approx([1 / (0.98 * 10)] * 99)


def test_a_bucket_hovers_half_full():
    """
    What lies in it above that is given out, a little at a time, and nothing is lost.
    """
    api = Api()
    api.call(0.0, second(49))
    times = pull(api, 0.0, 100, lambda: second(40))

    assert 95 / (times[-1] - times[4]) == pytest.approx(0.98 * 1.03 * 50, rel=0.01)


def test_a_bucket_that_stays_full_is_faster_than_it_says():
    """
    A window in whole seconds may be a tenth of one: 20 per second, and really 200.
    """
    api = Api()
    api.call(0.0, second(19, limit=20))
    times = pull(api, 0.0, 300, lambda: second(19, limit=20))

    assert times[-1] - times[-2] < 1 / 200


def test_calls_that_nothing_holds_tell_nothing_of_the_rate():
    """
    A bucket is full too when hardly anybody calls; the next pull is no stampede.
    """
    api = Api()
    for now in range(300):
        api.call(float(now), second(49))
    times = pull(api, 300.0, 20, lambda: second(10))

    assert times[-1] - times[0] == pytest.approx(19 / (0.98 * 50), rel=0.1)


def test_after_a_quiet_time_all_of_it_may_be_spent_at_once():
    """
    What came back bit by bit in a pull is there as a whole for the next one.
    """
    api = Api()
    api.call(0.0, minute(0, 10))
    api.spend(10.0)
    api.hear(api.sent, 10.0, minute(99, 50))
    api.call(100.0, minute(599, 60))

    assert api.spend(100.0) == 593


def test_a_pause_for_a_rejection_is_no_quiet_time():
    """
    It was gone by too fast; spending all of it at once would end the same way.
    """
    api = Api()
    api.call(0.0, minute(0, 10))
    api.spend(10.0)
    api.hear(api.sent, 10.0, minute(99, 50))
    api.call(20.0, minute(0, 60), ok=False)
    api.quotas.refused(20.0, api.sent)
    api.call(100.0, minute(599, 60))

    assert api.spend(100.0) < 10


def test_after_a_rejection_nothing_more_is_tried_for_a_while():
    """
    Else a small bucket is overspent again and again.
    """
    api = Api()
    api.call(0.0, second(1, limit=2))
    api.call(0.0, second(0, limit=2), ok=False)
    api.quotas.refused(0.0, api.sent)
    times = pull(api, 0.0, 15, lambda: second(1, limit=2))

    assert times[-1] - times[-2] > 1 / 2


def test_calls_that_are_turned_away_slow_it_down():
    """
    On the way calls crowd together, or others spend of the quota.
    """
    api = Api()
    api.call(0.0, second(10))
    api.call(0.0, second(0), ok=False)
    api.quotas.refused(0.0, api.sent)
    times = pull(api, 0.0, 20, lambda: second(10))

    assert times[-1] - times[1] == pytest.approx(18 / (0.97 * 0.98 * 50), rel=0.01)


def test_a_probe_takes_one_of_what_came_back_in_the_pause():
    """
    Else the next call goes as soon as it is answered, and a small window is too full.
    """
    governor = Governor(PacingSettings(), now=0.0, rng=Random(0))
    tickets = [Ticket(1) for _ in range(4)]
    governor.ask(tickets[0], 0.0)
    said = Announced(quotas=(second(4, limit=5),))
    governor.answered(tickets[0], 0.1, Verdict.ACCEPTED, said)
    now = 0.1
    for ticket in tickets[1:]:
        governor.ask(ticket, now)
    now = governor.wake_at(now) or now
    refused = tickets[1] if tickets[1].granted else governor.next(now)
    refusal = Announced(wait=1.0, quotas=(second(0, limit=5),))
    governor.answered(refused, now + 0.1, Verdict.THROTTLED, refusal)
    probe = governor.next(governor.paused_until)
    assert probe.probe
    heard = probe.sent + 0.1
    governor.answered(probe, heard, Verdict.ACCEPTED, said)

    assert governor.next(heard) is None
    assert governor.wake_at(heard) > probe.sent + 0.19


def test_what_was_slowed_down_recovers():
    """
    Others who spent of the quota may be gone.
    """
    api = Api()
    api.call(0.0, second(10))
    api.call(0.0, second(0), ok=False)
    api.quotas.refused(0.0, api.sent)
    times = pull(api, 0.0, 3000, lambda: second(10))

    assert times[-1] - times[-11] == pytest.approx(10 / (0.98 * 50), rel=0.01)


def test_a_bucket_that_was_left_alone_is_no_short_window():
    """
    It is full then, but what comes back comes back bit by bit as before.
    """
    api = Api()
    api.call(0.0, second(5))
    api.call(5.0, second(49))
    api.sent += 4

    api.hear(2, 5.5, second(4), took=0.1, in_flight=4)

    assert api.opens_at(5.6) == 5.6


def test_a_rejection_with_room_in_a_bucket_is_not_explained_by_it():
    """
    That it is gone by evenly does not say that it is spent.
    """
    api = Api()
    api.call(0.0, second(40))

    assert not api.quotas.refused(0.0, api.sent)


def test_a_long_bucket_is_told_by_what_came_back():
    """
    600 per minute may be a bucket of 10 per second.
    """
    api = Api()
    api.call(0.0, minute(0, 10))
    api.spend(10.0)
    api.hear(api.sent, 10.0, minute(99, 50))
    api.call(12.0, minute(0, 60))

    assert api.opens_at(12.0) < 25.0


def test_the_tightest_of_several_counts():
    """
    Room in the day is no room in the minute.
    """
    api = Api()
    day = Quota(limit=100_000, window=86_400.0, remaining=90_000.0, reset=80_000.0)
    api.call(0.0, day, minute(0, 20))

    assert api.opens_at(1.0) == 20.0


def test_a_rate_without_a_remainder_is_kept():
    """
    A policy alone says how fast, if not how much is left.
    """
    api = Api()
    policy = Quota(limit=100.0, window=10.0)
    now, count = 0.0, 0
    api.call(now, policy)
    while now < 20.0:
        now = max(now, api.opens_at(now))
        api.call(now, policy)
        count += 1

    assert count == pytest.approx(0.98 * 10 * 20, abs=3)


@pytest.mark.parametrize("reset", [31_536_000.0, 10_000.0, 901.0])
def test_no_reset_stops_the_pool_for_good(reset):
    """
    Some servers say a year; one call sees whether they mean it.
    """
    api = Api()
    api.call(0.0, minute(0, reset))

    assert api.opens_at(1.0) == LONGEST_HOLD_S
    assert api.spend(LONGEST_HOLD_S) == 1


def test_a_long_quota_that_does_not_say_what_is_left_holds_nothing():
    """
    A thousand an hour, gone by evenly, would never be spent.
    """
    api = Api()
    for n in range(50):
        api.call(n / 10, Quota(limit=1000, window=3600), Quota(limit=1, window=1e7))

    assert api.opens_at(5.0) == 5.0


def test_no_rate_stops_the_pool_for_good():
    """
    A call in two hours is no rate that anybody means, but not the way to a stampede.
    """
    api = Api()
    api.call(0.0, Quota(limit=0.01, window=60.0))
    api.spend(0.0)

    assert api.opens_at(1.0) == LONGEST_HOLD_S
    assert api.spend(LONGEST_HOLD_S) == 1


def test_who_accepts_calls_with_nothing_left_is_not_believed():
    """
    A field that always says 0 must not hold anybody.
    """
    api = Api()
    for now in range(5):
        api.call(float(now), minute(0, 60))

    assert api.opens_at(5.0) == 5.0


def test_a_quota_nobody_speaks_of_any_more_is_forgotten():
    """
    A proxy that announced it may be gone.
    """
    api = Api()
    api.call(0.0, minute(0, 60))
    for now in (9.0, 10.0, 11.0):
        api.call(now)

    assert not api.quotas


def test_a_rejection_is_explained_by_a_quota_that_is_spent_only():
    """
    With room in what is announced, it is another limit that has to be learned.
    """
    spent, full = Api(), Api()
    spent.call(0.0, minute(0, 60))
    full.call(0.0, minute(599, 60))

    assert spent.quotas.refused(0.0, spent.sent)
    assert not full.quotas.refused(0.0, full.sent)
    assert full.opens_at(0.0) == 0.0


def test_a_quota_that_misleads_is_left_to_the_learner():
    """
    Whatever is announced, the share of calls that are turned away is bounded.
    """
    api = Api()
    explained = []
    for now in range(8):
        api.call(float(now), second(0), ok=False)
        explained.append(api.quotas.refused(float(now), api.sent))

    assert explained[:3] == [True] * 3
    assert explained[-1] is False
    assert api.opens_at(8.0) == 8.0


def test_a_stated_rule_may_be_about_an_announced_quota():
    """
    AspNetCoreRateLimit says the rule in its rejections and the rest in its fields.
    """
    api = Api()
    api.call(0.0, Quota(window=60.0, remaining=599.0, reset=60.0))

    assert api.quotas.covers(Limit(600, 60))
    assert not api.quotas.covers(Limit(10, 1))


# What the parser lets through, and near its bounds.
_amounts = st.sampled_from([0.0, 1e-9, 0.5, 1.0, 2.0, 50.0, 600.0, 1e9])
_spans = st.sampled_from([1e-9, 0.001, 1.0, 2.0, 60.0, 86_400.0, 366 * 86_400.0])


@st.composite
def hostile(draw):
    limit = draw(st.none() | _amounts.filter(bool))
    remaining = draw(st.none() | _amounts)
    if limit is not None and remaining is not None:
        remaining = min(limit, remaining)
    return Quota(
        limit=limit,
        window=draw(st.none() | _spans),
        remaining=remaining,
        reset=draw(st.none() | _spans | st.just(0.0)),
    )


_steps = st.lists(
    st.tuples(
        st.lists(hostile(), max_size=3),
        st.sampled_from([0.0, 1e-6, 0.02, 1.0, 61.0, 1000.0]),
        st.sampled_from([0.0, 0.05, 30.0]),
        st.booleans(),
        st.booleans(),
        st.integers(min_value=0, max_value=3),
    ),
    max_size=40,
)


@pytest.mark.unmeasured
@given(steps=_steps)
def test_whatever_is_announced_a_call_goes_within_the_longest_hold(steps):
    """
    No sequence of fields stops the pool for good, nor makes a number of it nonsense.
    """
    api = Api()
    now = 0.0
    for quotas, pause, took, ok, urgent, more in steps:
        now += pause
        api.sent += more
        api.call(now, *quotas, ok=ok, took=took, in_flight=more)
        now += took
        if not ok:
            api.quotas.refused(now, api.sent)
        opens = api.opens_at(now, urgent=urgent)
        assert math.isfinite(opens)
        assert now <= opens <= now + LONGEST_HOLD_S + 1e-6

    later = now + LONGEST_HOLD_S + 1.0
    assert any(api.opens_at(later + n * 1e-3) <= later + n * 1e-3 for n in range(3))


def governor():
    return Governor(PacingSettings(), now=0.0, rng=Random(1))


def let_go(own, now):
    ticket = Ticket()
    assert own.ask(ticket, now)
    return ticket


def test_an_older_call_that_is_turned_away_late_prolongs_the_pause():
    """
    It was sent before the pause began, but what it asks for is asked for all the same.
    """
    own = governor()
    first, second, waiting = let_go(own, 0.0), let_go(own, 0.0), Ticket()
    own.ask(waiting, 1.0)
    own.answered(first, 1.0, Verdict.THROTTLED, Announced(wait=5.0))
    own.ask(waiting, 1.0)

    own.answered(second, 2.0, Verdict.THROTTLED, Announced(wait=30.0))

    assert own.next(31.9) is None
    assert own.wake_at(31.9) >= 32.0


def test_a_limit_that_nobody_announces_is_learned_beside_one_that_is():
    """
    A quota for the day says nothing of the limit per second.
    """
    own = governor()
    day = Quota(limit=100_000, window=86_400.0, remaining=90_000.0, reset=80_000.0)
    own.answered(let_go(own, 0.0), 0.1, Verdict.ACCEPTED, Announced(quotas=(day,)))

    own.answered(let_go(own, 5.0), 5.1, Verdict.THROTTLED, Announced(quotas=(day,)))

    assert not own.learner.starting


def test_what_is_turned_away_for_an_announced_quota_teaches_nothing_else():
    """
    The rate was right: it was only too early.
    """
    own = governor()
    spent = Announced(wait=20.0, quotas=(minute(0, 20),))

    own.answered(let_go(own, 5.0), 5.1, Verdict.THROTTLED, spent)

    assert own.learner.starting
    assert own.paused_until >= 25.1


def test_only_the_limit_that_was_reached_is_raised():
    """
    While the quota holds calls back, a faster rate would be a guess in the blue.
    """
    own = governor()
    ticket = let_go(own, 0.0)
    own.answered(ticket, 0.1, Verdict.ACCEPTED, Announced(quotas=(minute(0, 60),)))
    rate = own.learner.rate
    own.ask(Ticket(), 0.2)
    for n in range(50):
        own.next(0.2 + n)

    assert own.learner.rate == rate
    assert own.wake_at(50.2) == pytest.approx(60.1)


def test_a_stated_rule_is_gone_by_like_one_that_was_set():
    """
    AspNetCoreRateLimit writes it into the body of a rejection.
    """
    own = governor()
    stated = Announced(wait=1.0, rule=Limit(30, 60))

    own.answered(let_go(own, 0.0), 0.1, Verdict.THROTTLED, stated)

    assert own.learner.rule == Limit(30, 60)
    assert own.source == "stated 30 per 60 s"


@pytest.mark.parametrize(
    "rule", [Limit(1, 86_400), Limit(10, 3_600), Limit(10, 900), Limit(1e8, 1)]
)
def test_no_stated_rule_stops_the_pool_or_opens_the_gate(rule):
    """
    It may be that of one endpoint, or of a day, or a joke.
    """
    own = governor()
    before = own.learner.rate

    own.answered(let_go(own, 0.0), 0.1, Verdict.THROTTLED, Announced(rule=rule))

    assert own.learner.rule is None
    assert 0.1 * before <= own.learner.rate <= before


def test_a_stated_rule_that_what_went_well_contradicts_is_not_that_of_all():
    """
    AspNetCoreRateLimit counts each endpoint by itself.
    """
    own, now = governor(), 0.0
    for n in range(100):
        now = n / 10
        own.answered(let_go(own, now), now, Verdict.ACCEPTED)

    stated = Announced(rule=Limit(30, 60))
    own.answered(let_go(own, now + 0.1), now + 0.2, Verdict.THROTTLED, stated)

    assert own.learner.rule is None


def test_a_stated_rule_is_doubted_in_the_end():
    """
    What was true of yesterday's plan is not what the API says of today's.
    """
    own, now = governor(), 1.0
    stated = Announced(rule=Limit(30, 60))
    own.answered(let_go(own, 0.0), 0.1, Verdict.THROTTLED, stated)
    while now < 1_000.0:
        own.learner.grow(now)
        now += 0.2

    assert own.learner.rate > 0.5


def test_a_used_up_quota_is_a_pause_that_is_told():
    """
    Whoever looks at a pool that stands still must see for how long, and why.
    """
    own = governor()
    used_up = Announced(quotas=(Quota(limit=30, window=20, remaining=0, reset=20),))
    some_left = Announced(quotas=(Quota(limit=30, window=20, remaining=29, reset=20),))
    own.answered(let_go(own, 0.0), 0.1, Verdict.ACCEPTED, used_up)

    assert own.held_for(0.1) == pytest.approx(20.0, abs=0.1)
    assert (own.reactions, own.reaction) == (1, "paused")
    own.answered(let_go(own, 20.2), 20.3, Verdict.ACCEPTED, some_left)
    assert own.held_for(20.3) == 0.0
    assert (own.reactions, own.reaction) == (2, "resumed")


@pytest.mark.unmeasured
@given(steps=_steps, waits=st.lists(st.none() | _spans, min_size=40, max_size=40))
def test_no_announcement_stops_the_governor_for_good(steps, waits):
    """
    Whatever the API sends, the next call is never farther off than the longest pause.
    """
    own = governor()
    now = 0.0
    for (quotas, pause, took, ok, _, _), wait in zip(steps, waits, strict=False):
        own.ask(Ticket(), now)
        wake = own.wake_at(now)
        now = max(now, wake or now) + pause
        while (ticket := own.next(now)) is not None:
            verdict = Verdict.ACCEPTED if ok else Verdict.THROTTLED
            announced = Announced(wait=wait, quotas=tuple(quotas))
            own.answered(ticket, now + took, verdict, announced)
        now += took
        if own.queue:
            wake = own.wake_at(now)
            assert wake is not None
            # What was asked for is never undercut: there is up to a second on top.
            assert now <= wake <= now + LONGEST_PAUSE_S + 1.0


def test_a_second_that_was_rounded_up_to_two_is_halved():
    """
    Dates in whole seconds say two for one, and half of the calls would be given away.
    """
    api, now, times = Api(), 0.0, []
    for _ in range(400):
        now = api.opens_at(now)
        times.append(now)
        spent = sum(1 for t in times[-20:] if t > now - 1.0)
        api.call(now, Quota(limit=20, remaining=20 - spent, reset=2.0))

    assert 0.95 <= times[-1] - times[-20] < 1.1
    assert times[20] - times[1] > 1.7


def test_a_bucket_of_two_seconds_is_not_halved():
    """
    What comes back bit by bit looks alike, but was full before.
    """
    api, now, times, level, before = Api(), 0.0, [], 40.0, 0.0
    for _ in range(600):
        now = api.opens_at(now)
        level, before = min(40.0, level + 20.0 * (now - before)) - 1.0, now
        assert level >= 0.0
        times.append(now)
        quota = Quota(limit=40, remaining=int(level), reset=(40.0 - level) / 20.0)
        api.call(now, quota)

    assert 0.9 <= times[-1] - times[-20] < 1.1
