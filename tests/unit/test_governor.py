"""The governor: when a call goes, what an answer teaches, and how a pause ends."""

import math
from random import Random

import pytest

from healthyroster_async._core.governor import LONGEST_PAUSE_S, Governor, Ticket
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.learning import START_RATE
from healthyroster_async._core.ratelimits import SILENT, Announced, Quota
from healthyroster_async._core.settings import Limit, PacingSettings, Priority
from healthyroster_async._core.verdicts import Verdict

ACCEPTED, THROTTLED = Verdict.ACCEPTED, Verdict.THROTTLED
FAULT, NOTHING = Verdict.FAULT, Verdict.NOTHING
BULK, INTERACTIVE = Priority.BULK, Priority.INTERACTIVE


def made(*, seed=0, learned=None, **settings):
    return Governor(
        PacingSettings(**settings), now=0.0, rng=Random(seed), learned=learned
    )


def asked(governor, now, *, flow=None, priority=BULK):
    ticket = Ticket(flow, priority)
    governor.ask(ticket, now)
    return ticket


def under_way(governor, count, now=0.0):
    """Return so many calls that were let go one after the other, and the time then."""
    tickets = [asked(governor, now) for _ in range(count)]
    while not all(ticket.granted for ticket in tickets):
        now = governor.wake_at(now)
        while governor.next(now):
            pass
    return tickets, now


def throttled(governor, *, wait=None, now=0.0):
    """Let one call be turned away, and return when the pause that follows ends."""
    (ticket,), now = under_way(governor, 1, now)
    governor.answered(ticket, now, THROTTLED, Announced(wait=wait))
    return governor.paused_until


def probed(governor, verdict, said=SILENT, *, after=0.0):
    """Send the probe as soon as it may go, answer it, and return when that was."""
    ticket = asked(governor, governor.paused_until)
    probe = ticket if ticket.granted else governor.next(governor.paused_until)
    assert probe.probe
    now = probe.sent + after
    governor.answered(probe, now, verdict, said)
    if not ticket.granted:
        governor.abandon(ticket, now)
    return now


def busy(governor, seconds, *, now=0.0, latency=0.02, verdict=lambda now: ACCEPTED):
    """Keep the governor busy for a time; return when each call went."""
    went, answers = [], []
    waiting = [asked(governor, now) for _ in range(20)]
    end = now + seconds
    while now < end:
        for ticket in [t for t in waiting if t.granted]:
            waiting.remove(ticket)
            went.append(ticket.sent)
            answers.append((ticket.sent + latency, ticket))
        while len(waiting) < 20:
            waiting.append(asked(governor, now))
        due = [t for t in (governor.wake_at(now), *(a for a, _ in answers)) if t]
        now = max(now, min(due))
        for answer in [a for a in answers if a[0] <= now]:
            answers.remove(answer)
            governor.answered(answer[1], now, verdict(answer[1].sent))
        while governor.next(now):
            pass
    for ticket in waiting:
        governor.abandon(ticket, now)
    for _, ticket in answers:
        governor.answered(ticket, now, NOTHING)
    return went


def in_second(times, second):
    return sum(second <= time < second + 1 for time in times)


# -- how fast ----------------------------------------------------------------------


def test_it_starts_at_a_polite_rate_and_doubles_every_second():
    """
    Nobody knows the limit, so it is approached from below, and fast.
    """
    went = busy(made(max_concurrency=1000), 4.0)
    first, second, third = (in_second(went, n) for n in range(3))

    assert made().learner.rate == START_RATE
    assert 1.0 <= first / (START_RATE / math.log(2)) <= 1.25
    assert second / first == pytest.approx(2.0, rel=0.1)
    assert third / second == pytest.approx(2.0, rel=0.1)


def test_it_does_not_grow_while_nobody_waits_for_the_rate():
    """
    A rate that nobody uses was never tested; it must not be relied on.
    """
    governor = made()
    for n in range(200):
        ticket = asked(governor, n / 10)
        governor.answered(ticket, n / 10 + 0.05, ACCEPTED)

    assert governor.learner.rate == START_RATE


@pytest.mark.parametrize("most", [3.0, 30.0, 100.0])
def test_it_is_never_faster_than_max_rate(most):
    """
    Whoever caps the rate means from the first call on.
    """
    went = busy(made(max_rate=most), 10.0)

    assert len(went) <= most * 10.0 + most * 0.1 + 2
    assert len(went) >= most * 10.0 * 0.95


def test_a_limit_that_was_told_is_gone_by_from_the_first_call():
    """
    Just below it, so that the way there cannot make it too much.
    """
    governor = made(rate=Limit(600, 60))
    went = busy(governor, 30.0)

    assert governor.source == "configured 600 per 60 s"
    assert 0.96 * 300 <= len(went) <= 300


@pytest.mark.parametrize("settings", [{"rate": Limit(5)}, {"max_rate": 5.0}])
@pytest.mark.parametrize("idle", [0.0, 0.07, 0.25, 60.0])
def test_no_second_has_more_calls_than_were_told(settings, idle):
    """
    Also after a rest, and also the first: a strict server rejects the sixth.
    """
    governor = made(**settings)
    first = asked(governor, 100.0)
    sent = [ticket.sent for ticket in under_way(governor, 20, 100.0 + idle)[0]]
    times = [first.sent, *sent]

    assert all(
        later - earlier > 1 - 1e-9
        for earlier, later in zip(times, times[5:], strict=False)
    )


def test_one_rejection_by_itself_does_not_stop_a_rate_that_was_told():
    """
    Someone else's call in the same window is no reason to pause.
    """
    governor = made(rate=Limit(100, 1))
    throttled(governor)
    (_,), now = under_way(governor, 1, 0.1)

    assert governor.pauses == 0
    assert now == 0.1


@pytest.mark.parametrize(
    ("learned", "rate", "source"),
    [
        (Learned(at=0, limit=Limit(600, 60)), 9.8, "learned 600 per 60 s"),
        (Learned(at=0, rate=20.0), 19.7, "learned 20 per s"),
    ],
)
def test_what_an_earlier_run_learned_is_gone_by_at_once(learned, rate, source):
    """
    The second run starts converged, and remembers the same again.
    """
    governor = made(learned=learned)

    assert governor.learner.rate == pytest.approx(rate, rel=0.01)
    assert governor.source == source
    assert governor.learned.limit == learned.limit
    if learned.rate:
        assert governor.learned.rate == pytest.approx(learned.rate)


def test_a_limit_that_was_told_wins_over_what_was_learned():
    """
    Whoever sets a limit knows more than a file does.
    """
    governor = made(rate=Limit(5, 1), learned=Learned(at=0, limit=Limit(600, 60)))

    assert governor.source == "configured 5 per 1 s"
    assert governor.learned is None


def test_a_call_that_was_let_go_and_not_sent_gives_its_turn_back():
    """
    Cancelled in the tick of the grant: the next one goes in its place, at once.
    """
    governor = made(rate=Limit(1, 1))
    (first,), now = under_way(governor, 1)
    second, third = asked(governor, now), asked(governor, now)
    assert not second.granted
    governor.abandon(first, now)

    assert governor.next(now) is second
    assert governor.next(now) is None
    assert governor.in_flight == 1
    governor.abandon(third, now)
    assert not governor.queue


def test_no_more_are_under_way_than_max_concurrency():
    """
    The bound is for the server's sake, however fast it would let us go.
    """
    governor = made(max_concurrency=3)
    tickets = [asked(governor, n / 10) for n in range(5)]

    assert [t.granted for t in tickets] == [True, True, True, False, False]
    assert governor.wake_at(1.0) is None
    governor.answered(tickets[0], 1.0, ACCEPTED)
    assert governor.next(1.0) is tickets[3]
    assert governor.next(1.0) is None


# -- rejections --------------------------------------------------------------------


def test_an_overload_is_reacted_to_once():
    """
    All that was under way comes back together, and says the same thing.
    """
    governor = made()
    tickets, now = under_way(governor, 10)
    governor.answered(tickets[0], now, THROTTLED)
    rate, until = governor.learner.rate, governor.paused_until
    for ticket in tickets[1:]:
        governor.answered(ticket, now, THROTTLED)

    assert rate < START_RATE
    assert (governor.learner.rate, governor.paused_until) == (rate, until)
    assert (governor.pauses, governor.rejections, governor.epoch) == (1, 10, 1)


def test_answers_to_calls_sent_before_teach_nothing_when_the_gate_is_open_again():
    """
    A slow rejection must not cut the rate a second time.
    """
    governor = made()
    (first, late), now = under_way(governor, 2)
    governor.answered(first, now, THROTTLED)
    now = probed(governor, ACCEPTED)
    rate = governor.learner.rate
    governor.answered(late, now, THROTTLED)

    assert governor.learner.rate == rate
    assert governor.pauses == 1
    assert under_way(governor, 1, now)[1] <= now + 1.0 / rate


def test_a_wait_that_is_asked_for_late_is_obeyed_nevertheless():
    """
    It teaches nothing about the rate, but it was asked for.
    """
    governor = made()
    (first, late), now = under_way(governor, 2)
    governor.answered(first, now, THROTTLED)
    now = probed(governor, ACCEPTED)
    rate = governor.learner.rate
    governor.answered(late, now, THROTTLED, Announced(wait=30.0))

    assert governor.learner.rate == rate
    assert not asked(governor, now + 29.9).granted
    assert governor.wake_at(now + 29.9) >= now + 30.0


def test_a_longer_wait_counts_and_a_shorter_one_does_not():
    """
    The gate is a deadline: nobody can open it early.
    """
    governor = made()
    tickets, now = under_way(governor, 4)
    ends = []
    for ticket, wait in zip(tickets, (5.0, 60.0, 1.0, None), strict=True):
        governor.answered(ticket, now, THROTTLED, Announced(wait=wait))
        ends.append(governor.paused_until - now)

    assert 5.0 <= ends[0] <= 5.5
    assert 60.0 <= ends[1] <= 61.0
    assert ends[1] == ends[2] == ends[3]


@pytest.mark.parametrize("wait", [0.2, 5.0, 90.0])
def test_jitter_comes_on_top_of_what_was_asked(wait):
    """
    Clients that were throttled together come back neither early nor in step.
    """
    ends = {throttled(made(seed=seed), wait=wait) for seed in range(100)}

    assert all(wait <= end <= wait + min(1.0, 0.1 * wait) for end in ends)
    assert len(ends) == 100


@pytest.mark.parametrize("wait", [0.0, 0.01])
def test_to_wait_for_nothing_is_to_wait_as_long_as_without_a_word(wait):
    """
    Servers round the time down, and go on turning away: twenty attempts in a tick.
    """
    governor, silent = made(), made()

    assert throttled(governor, wait=wait) == throttled(silent)
    for _ in range(4):
        told = probed(governor, THROTTLED, Announced(wait=wait))
        untold = probed(silent, THROTTLED)
        assert governor.paused_until - told == silent.paused_until - untold > 0.1


@pytest.mark.parametrize("wait", [901.0, 2_147_483_647.0, 1e12])
def test_no_header_stops_it_for_good(wait):
    """
    After a quarter of an hour one call looks whether it was meant.
    """
    governor = made()
    until = throttled(governor, wait=wait)
    tickets = [asked(governor, 1.0) for _ in range(3)]

    assert LONGEST_PAUSE_S <= until <= LONGEST_PAUSE_S + 1.0
    assert governor.wake_at(1.0) == until
    assert governor.next(until) is tickets[0]
    assert governor.next(until) is None
    assert governor.wake_at(until) == until + 5.0


def test_a_pause_holds_every_session():
    """
    The API asked the application, not one of its calls.
    """
    governor = made()
    until = throttled(governor, wait=5.0)
    tickets = [
        asked(governor, now, flow=now, priority=priority)
        for now in (0.1, 1.0, 4.9)
        for priority in Priority
    ]

    assert not any(ticket.granted for ticket in tickets)
    assert governor.next(4.999) is None
    assert governor.wake_at(4.999) == until


def test_one_probe_goes_in_and_the_others_follow_when_it_was_let_in():
    """
    A hundred calls that all try whether the way is free are a hundred rejections.
    """
    governor = made()
    until = throttled(governor, wait=5.0)
    tickets = [asked(governor, 1.0) for _ in range(3)]
    probe = governor.next(until)

    assert probe is tickets[0]
    assert probe.probe
    assert governor.next(until + 4.9) is None
    assert not asked(governor, until + 4.9).granted
    governor.answered(probe, until + 4.9, ACCEPTED)
    assert not probe.probe
    assert under_way(governor, 1, until + 4.9)[1] < until + 6
    assert tickets[1].granted
    assert tickets[2].granted


def test_a_probe_that_takes_long_is_followed_by_another():
    """
    It may happen to be a report that takes a minute, and all others would wait for it.
    """
    governor = made()
    until = throttled(governor, wait=5.0)
    tickets = [asked(governor, 1.0) for _ in range(3)]

    assert governor.next(until) is tickets[0]
    assert governor.next(until + 5.0) is tickets[1]
    assert governor.next(until + 9.9) is None
    governor.answered(tickets[1], until + 9.9, ACCEPTED)
    assert governor.next(until + 10.0) is tickets[2]
    governor.answered(tickets[0], until + 11.0, ACCEPTED)
    assert governor.in_flight == 1


@pytest.mark.parametrize(
    ("settings", "wait"), [({}, None), ({}, 3.0), ({"rate": Limit(10, 1)}, 3.0)]
)
def test_a_probe_that_is_turned_away_makes_the_next_wait_longer(wait, settings):
    """
    Twice as long each time, up to 8 s, however the first pause came about.
    """
    governor = made(**settings)
    throttled(governor, wait=wait)
    waits = []
    for _ in range(12):
        now = probed(governor, THROTTLED)
        waits.append(governor.paused_until - now)

    assert waits[0] >= 0.1
    assert waits == pytest.approx([min(8.0, waits[0] * 2.0**n) for n in range(12)])


def test_a_probe_that_is_asked_to_wait_waits_as_long_as_it_was_asked():
    """
    The API knows better than our guess.
    """
    governor = made()
    throttled(governor)
    for wait in (0.5, 40.0, 3.0):
        now = probed(governor, THROTTLED, Announced(wait=wait))
        assert wait <= governor.paused_until - now <= 1.1 * wait


@pytest.mark.parametrize("how", ["abandoned", "gave up"])
def test_a_probe_that_dies_hands_its_role_on(how):
    """
    A cancelled caller must not leave everybody waiting for its answer.
    """
    governor = made()
    until = throttled(governor, wait=5.0)
    asked(governor, 1.0), asked(governor, 1.0)
    probe = governor.next(until)
    if how == "abandoned":
        governor.abandon(probe, until)
    else:
        governor.answered(probe, until, NOTHING)
    other = governor.next(until)

    assert other.probe
    assert governor.in_flight == 1
    assert governor.next(until) is None


def test_a_probe_does_not_open_a_gate_that_another_answer_closed_for_longer():
    """
    The later word of the API counts, not the luckier call.
    """
    governor = made()
    (first, late), _ = under_way(governor, 2)
    governor.answered(first, 0.1, THROTTLED, Announced(wait=1.0))
    asked(governor, 0.2), asked(governor, 0.2)
    probe = governor.next(governor.paused_until)
    governor.answered(late, probe.sent, THROTTLED, Announced(wait=60.0))
    governor.answered(probe, probe.sent + 0.1, ACCEPTED)

    assert governor.next(probe.sent + 59.9) is None
    assert governor.next(probe.sent + 61.1).probe


def test_a_call_that_is_turned_away_goes_next():
    """
    It waited its turn, and may have been let go without having to queue at all.
    """
    governor = made()
    (first, second), now = under_way(governor, 2)
    asked(governor, now, flow="other")
    governor.answered(second, now, THROTTLED)
    governor.answered(first, now, THROTTLED)
    asked(governor, now, flow="later")
    governor.ask(second, now)
    governor.ask(first, now)
    order = [governor.next(governor.paused_until)]
    governor.answered(order[0], governor.paused_until, ACCEPTED)
    _, now = under_way(governor, 1, governor.paused_until)

    assert order == [first]
    assert second.sent < now


def test_a_probe_that_is_turned_away_stays_the_first():
    """
    Whoever waits longest must not be passed by those who were turned away with it.
    """
    governor = made()
    (first, second), now = under_way(governor, 2)
    for ticket in (first, second):
        governor.answered(ticket, now, THROTTLED)
        governor.ask(ticket, now)
    for _ in range(3):
        now = governor.paused_until
        assert governor.next(now) is first
        governor.answered(first, now, THROTTLED)
        governor.ask(first, now)


# -- faults ------------------------------------------------------------------------


def down(governor, *, faults=5):
    tickets, now = under_way(governor, faults)
    for ticket in tickets:
        governor.answered(ticket, now, FAULT)
    return now


def test_four_faults_in_a_row_are_bad_luck_and_five_an_outage():
    """
    A gateway that hiccups must not stop a pull.
    """
    bad_luck, outage = made(), made()
    down(bad_luck, faults=4)
    now = down(outage)

    assert not bad_luck.breaker.is_open
    assert under_way(bad_luck, 1, 0.2)[1] == 0.2
    assert outage.breaker.is_open
    assert outage.reaction == "down"
    assert outage.paused_until == now + 2.0


def test_any_answer_begins_the_count_of_faults_anew():
    """
    In a row means that nothing else came between, a rejection included.
    """
    governor = made()
    for now in range(40):
        (ticket,), _ = under_way(governor, 1, float(now))
        governor.answered(ticket, now + 0.1, FAULT if now % 5 else ACCEPTED)

    assert not governor.breaker.is_open


def test_faults_of_calls_from_before_an_outage_do_not_prolong_it():
    """
    A hundred calls that were under way fail together, and that is one outage.
    """
    governor = made()
    tickets, now = under_way(governor, 50)
    for ticket in tickets:
        governor.answered(ticket, now, FAULT)

    assert governor.breaker.opened == 1
    assert governor.paused_until == now + 2.0


def test_an_outage_is_probed_less_and_less_often():
    """
    Thirty seconds of outage cost a handful of requests and not a thousand.
    """
    governor = made()
    now = down(governor)
    waits = []
    for _ in range(5):
        waits.append(governor.paused_until - now)
        now = probed(governor, FAULT)

    assert waits == pytest.approx([2.0, 4.0, 8.0, 10.0, 10.0])


def test_it_says_when_the_api_is_back_and_goes_on():
    """
    Whoever was told that it is down wants to be told that it is up.
    """
    governor = made()
    down(governor)
    now = probed(governor, ACCEPTED)

    assert governor.reaction == "up"
    assert not governor.breaker.is_open
    assert under_way(governor, 1, now + 0.1)[1] == now + 0.1


def test_a_rejection_ends_an_outage_and_begins_a_pause():
    """
    An API that turns calls away is there.
    """
    governor = made()
    down(governor)
    now = probed(governor, THROTTLED, Announced(wait=20.0))

    assert not governor.breaker.is_open
    assert governor.reaction == "up"
    assert governor.paused_until >= now + 20.0


def test_an_outage_that_begins_in_a_pause_is_one_too():
    """
    Only probes go then, so they have to count, or nobody is ever told.
    """
    governor = made()
    throttled(governor, wait=5.0)
    opened = [(probed(governor, FAULT), governor.breaker.is_open)[1] for _ in range(5)]

    assert opened == [False, False, False, False, True]
    assert governor.reaction == "down"


def test_a_person_is_told_at_once_and_a_pull_when_it_has_lasted():
    """
    A click must not hang; a nightly pull outlives a restart of the server.
    """
    governor = made(max_pause=60.0)
    now = since = down(governor)
    assert governor.refuses(INTERACTIVE, now)
    assert not governor.refuses(BULK, now)
    while now <= since + 60.0:
        assert not governor.gave_up(now)
        now = probed(governor, FAULT)

    assert governor.refuses(BULK, now)
    assert governor.gave_up(now)


def test_who_comes_when_a_probe_is_due_may_be_it():
    """
    Somebody has to ask, or the API stays down for ever.
    """
    governor = made(max_pause=1.0)
    down(governor)
    for _ in range(5):
        now = probed(governor, FAULT)
    due = governor.paused_until

    assert governor.refuses(INTERACTIVE, now)
    assert not governor.refuses(INTERACTIVE, due)
    asked(governor, due)
    assert governor.next(due).probe
    assert governor.refuses(INTERACTIVE, due)


def test_an_attempt_that_was_given_up_tells_nothing():
    """
    Cancelled callers are no outage.
    """
    governor = made()
    tickets, now = under_way(governor, 20)
    for ticket in tickets:
        governor.answered(ticket, now, NOTHING)

    assert not governor.breaker.is_open
    assert governor.in_flight == governor.rejections == governor.epoch == 0


# -- what is announced ---------------------------------------------------------------


def announced(governor, quota, now=0.0):
    (ticket,), now = under_way(governor, 1, now)
    governor.answered(ticket, now, ACCEPTED, Announced(quotas=(quota,)))
    return now


def test_a_quota_that_is_spent_is_waited_for_until_it_is_new():
    """
    Not a second longer, and with nobody turned away.
    """
    governor = made()
    quota = Quota(limit=100.0, window=60.0, remaining=0.0, reset=7.0)
    now = announced(governor, quota)
    ticket = asked(governor, now + 1.0)

    assert governor.source == "announced"
    assert governor.wake_at(now + 1.0) == pytest.approx(now + 7.0)
    assert governor.next(now + 6.9) is None
    assert governor.next(now + 7.0) is ticket


def test_a_quota_that_never_said_how_large_it_is_lets_one_call_find_out():
    """
    Nothing must be asked for again and again at one instant, and nobody may be stuck.
    """
    governor = made()
    now = announced(governor, Quota(remaining=0.0, reset=5.0))
    first, second = asked(governor, now + 1.0), asked(governor, now + 1.0)
    wake = governor.wake_at(now + 1.0)

    assert wake == pytest.approx(now + 5.0)
    assert governor.next(wake) is first
    assert governor.next(wake) is None
    assert governor.wake_at(wake) > wake
    full = Quota(remaining=50.0, reset=60.0)
    governor.answered(first, wake + 0.1, ACCEPTED, Announced(quotas=(full,)))
    assert governor.next(wake + 0.1) is second


def test_a_quota_that_never_says_when_it_is_new_stops_nobody():
    """
    "0 remaining" alone must not stop a pool for good.
    """
    governor = made()
    now = announced(governor, Quota(remaining=0.0))

    assert asked(governor, now + 1.0).granted


def test_a_quota_of_which_only_one_answer_spoke_fills_up_again():
    """
    A call was held for a quarter of an hour because the answers after it were silent.
    """
    governor = made()
    now = announced(governor, Quota(limit=1.0, window=1.0))
    for _ in range(5):
        (ticket,), then = under_way(governor, 1, now)
        assert then - now < 1.5
        now = then
        governor.answered(ticket, now, ACCEPTED)


# -- how long --------------------------------------------------------------------------


def test_the_least_wait_counts_the_pause_and_who_goes_before():
    """
    Whoever has a deadline is told how long it would have been.
    """
    governor = made(rate=Limit(10, 1))
    tickets, now = under_way(governor, 1)
    waiting = [asked(governor, now) for _ in range(30)]
    wait = governor.wait_at_least(waiting[-1], now)
    governor.answered(tickets[0], now, THROTTLED, Announced(wait=20.0))

    # A slot each, and that of the call under way.
    assert wait == pytest.approx(30 / 9.8)
    assert 22.9 <= governor.wait_at_least(waiting[-1], now) <= 24.0


def test_who_goes_before_is_counted_only_where_it_matters():
    """
    Else thousands that wait with a deadline hold the loop: each looks at all others.
    """
    governor = made(rate=Limit(10, 1))
    _, now = under_way(governor, 1)
    for _ in range(30):
        asked(governor, now)
    click = asked(governor, now, priority=Priority.INTERACTIVE)
    exact = governor.wait_at_least(click, now)

    assert governor.wait_at_least(click, now, enough=2.0) == exact
    assert exact < governor.wait_at_least(click, now, enough=60.0) < 5.0


def test_while_the_rate_doubles_the_least_wait_is_not_that_of_the_rate_now():
    """
    Calls were given up that would have been in time.
    """
    governor = made(max_concurrency=100_000)
    tickets = [asked(governor, 0.0) for _ in range(1_000)]
    least = governor.wait_at_least(tickets[-1], 0.0)
    now = 0.0
    while not tickets[-1].granted:
        now = governor.wake_at(now)
        while governor.next(now):
            pass

    assert least <= now
    assert least == pytest.approx(now, rel=0.25)


def test_when_a_quota_is_spent_the_least_wait_is_until_it_is_new():
    """
    The rate is nearly nothing then, and would make it hours.
    """
    governor = made()
    now = announced(governor, Quota(limit=100.0, window=60.0, remaining=0.0, reset=3.0))
    tickets = [asked(governor, now) for _ in range(5)]

    assert governor.wait_at_least(tickets[-1], now) <= 3.0


def test_it_says_what_it_reacted_to():
    """
    An operator at night reads these words.
    """
    governor = made()
    throttled(governor)
    words = [governor.reaction]
    probed(governor, ACCEPTED)
    words.append(governor.reaction)

    assert words == ["paused", "resumed"]
    assert governor.reactions == 2
    assert governor.source == "estimating"
