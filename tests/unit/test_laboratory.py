"""The pacing laboratory: its measures are right, and our governor stands its tests."""

import math
from random import Random

import pytest
from ideal import capacity, seconds_for
from metrics import METRICS, Run
from ours import run_ours
from record import ACCEPTED, FAULT, THROTTLED, Done, Sent, Trace
from scenarios import scenarios
from server import UNAVAILABLE, Server, Site
from servers import TABLE, TUNING, random_site
from simulation import StuckError, simulate
from workload import Flow, heavy_and_light, job

from healthyroster_async.emulator import RateLimit

pytestmark = pytest.mark.unmeasured

LIMITS = [
    RateLimit(rate=20, headers="none"),
    RateLimit(rate=20, burst=5, headers="none"),
    RateLimit(rate=20, burst=150, headers="none"),
    RateLimit(rate=45, per=3, kind="window", headers="none"),
    RateLimit(rate=45, per=3, kind="window", aligned=True, headers="none"),
    RateLimit(rate=45, per=3, kind="sliding", headers="none"),
]
SCENARIOS = {scenario.name: scenario for scenario in scenarios()}


def flooded(site, until, *, since=0.0, every=0.005):
    """Ask a server again and again; return when it accepted."""
    server = Server(site, Random(0))
    times = (since + n * every for n in range(int((until - since) / every)))
    return [t for t in times if server.receive(t, 0)[0].status == 200]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_a_client_that_keeps_the_server_full_has_a_goodput_of_one(limit):
    """
    Goodput compares with this client, so it must be exactly one for it.
    """
    arrivals = flooded(Site(limit=limit), 60.0)
    calls, start, stop = capacity(Site(limit=limit), arrivals, 10.0, 60.0)

    # One instant of asking more or less, and one call.
    assert sum(start <= t < stop for t in arrivals) == pytest.approx(calls, abs=1.5)


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_no_client_has_a_goodput_above_one(limit):
    """
    Whatever state a server is in when the steady phase begins, all it has is counted.
    """
    rng, server = Random(1), Server(Site(limit=limit), Random(0))
    now, arrivals = 0.0, []
    for _ in range(2000):
        now += rng.expovariate(rng.choice((5, 20, 60)))
        if server.receive(now, 0)[0].status == 200:
            arrivals.append(now)
    for start in (0.0, 7.3, 20.1):
        calls, begin, end = capacity(Site(limit=limit), arrivals, start, now)

        assert sum(begin <= t < end for t in arrivals) <= calls + 1


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_no_job_can_be_faster_than_the_ideal(limit):
    """
    A finite job is held against the least time it can take.
    """
    site = Site(limit=limit, latency=0.0)
    arrivals = flooded(site, 60.0)

    # The flood takes 5 ms for each call of a window, the ideal none.
    assert 0.0 <= arrivals[299] - seconds_for(site, 300) < 45 * 0.005


def test_a_change_and_an_outage_count_as_what_was_possible():
    """
    A client must not be blamed for what the server did not offer.
    """
    site = Site(
        limit=RateLimit(rate=20, headers="none"),
        changes=((20.0, 10.0), (40.0, 40.0)),
        outages=((50.0, 55.0),),
    )
    arrivals = flooded(site, 60.0)
    calls, *_ = capacity(site, arrivals, 0.0, 60.0)

    assert len(arrivals) == pytest.approx(calls, abs=5)
    assert calls == 20 + 400 + 10 + 200 + 40 + 400 + 40 + 200


def test_a_concurrency_limit_knows_when_calls_end():
    """
    The answers leave later than the decision is made.
    """
    limit = RateLimit(rate=2, kind="concurrency", headers="none")
    server = Server(Site(limit=limit, work=0.5), Random(3))
    answers = [server.receive(0.0, 0) for _ in range(3)]

    assert [answer.status for answer, *_ in answers] == [200, 200, 429]
    assert server.receive(max(leaves for _, leaves, _ in answers), 0)[0].status == 200


def test_workers_make_calls_wait_and_turn_away_what_has_no_room():
    """
    An overloaded server says nothing but how long it takes.
    """
    server = Server(Site(work=1.0, workers=2, room=3), Random(3))
    answers = [server.receive(0.0, 0) for _ in range(6)]
    leaves = sorted(when for _, when, _ in answers[:5])

    assert answers[5][0] is UNAVAILABLE
    assert all(answer.status == 200 for answer, *_ in answers[:5])
    assert leaves[-1] > leaves[1]


def test_a_provider_has_a_limit_of_its_own_if_the_rule_says_so():
    """
    Budgets may turn out to be per provider.
    """
    limit = RateLimit(rate=1, per=60, kind="window", scope="provider")
    server = Server(Site(limit=limit), Random(0))

    assert [server.receive(0.0, p)[0].status for p in (1, 1, 2)] == [200, 429, 200]


def requests(*arrived, outcome=ACCEPTED, provider=0):
    return [Sent(t, t, t, provider, outcome, 0) for t in arrived]


def made(trace, **options):
    """Return a run of a bucket of 50 calls a second."""
    site = Site(limit=RateLimit(rate=50, headers="none"), **options)
    return Run(site, heavy_and_light(), trace, steady=10.0)


def test_rejections_are_counted_in_their_phase():
    """
    The slow start must not spoil the steady share, nor faults count as rejections.
    """
    trace = Trace(ended=20.0)
    trace.requests += requests(1, 2, outcome=THROTTLED)
    trace.requests += requests(3, 4, 11, 12, 13) + requests(14, outcome=FAULT)
    run = made(trace)

    assert METRICS["rejected"](run) == 0.0
    assert METRICS["rejected_whole"](run) == pytest.approx(2 / 8)


def test_the_steady_goodput_leaves_the_start_out():
    """
    A slow start and what comes after it are two numbers.
    """
    steady = requests(*(10 + n / 50 for n in range(500)))
    run = made(Trace(requests=steady, ended=20.0))

    # 50 calls were in the bucket when the phase began.
    assert METRICS["goodput"](run) == pytest.approx(500 / 550, abs=0.01)
    assert METRICS["goodput_whole"](run) == pytest.approx(500 / 1050, abs=0.01)


def test_a_request_inside_a_pause_is_found_and_one_at_its_ends_is_not():
    """
    What was sent before the client heard of the pause is no fault of it.
    """
    trace = Trace(ended=20.0, pauses=[(5.0, 7.0, 0), (5.5, 7.5, 0), (9.0, 10.0, 1)])
    trace.requests += requests(4.9, 5.0, 6.0, 7.2, 7.5, 9.5)

    assert METRICS["in_pause"](made(trace)) == 2
    assert METRICS["pauses"](made(trace)) == 2


def test_the_limit_is_reached_when_as_many_calls_as_it_allows_took_so_long():
    """
    One lucky instant is not convergence.
    """
    slow = [n / 10 for n in range(100)]
    fast = [10 + n / 46 for n in range(200)]
    run = made(Trace(requests=requests(*slow, *fast), ended=20.0))

    assert METRICS["reach_s"](run) == pytest.approx(10 + 50 / 46, abs=0.2)
    assert METRICS["reach_s"](made(Trace(requests=requests(*slow)))) == math.inf


def test_following_a_falling_limit_is_seen_from_what_is_sent():
    """
    A client that goes on too fast for three seconds needs three seconds.
    """
    sent = [n / 50 for n in range(13 * 50)] + [13 + n / 20 for n in range(200)]
    trace = Trace(requests=requests(*sent), ended=40.0)
    run = made(trace, changes=((10.0, 20.0), (30.0, 50.0)))

    assert METRICS["down_s"](run) == pytest.approx(3.0, abs=0.7)
    assert METRICS["up_s"](run) == math.inf


def test_fairness_is_one_for_equal_shares_and_low_for_one_winner():
    """
    Jain's index is only as good as the counts in it.
    """
    equal = [r for p in range(10) for r in requests(*range(10, 15), provider=p)]

    assert METRICS["jain"](made(Trace(requests=equal))) == pytest.approx(1.0)
    assert METRICS["jain"](made(Trace(requests=equal[:5]))) == pytest.approx(0.1)


def test_a_light_session_is_done_with_the_last_of_its_first_calls():
    """
    The calls that it makes later do not count, nor do those of the heavy one.
    """
    trace = Trace(ended=20.0)
    for provider in range(10):
        first = [Done(provider, False, 1e-6, 0.3 * n, False) for n in range(20)]
        trace.calls += [*first, Done(provider, False, 6.0, 9.0, False)]

    # Ten sessions of 20 calls take 4 s at 50 calls a second, and a round trip.
    assert METRICS["light_median_x"](made(trace)) == pytest.approx(5.7 / 4.05)


def test_a_lost_call_is_counted_and_a_job_with_one_under_way_is_not_finished():
    """
    Giving up would otherwise look fast.
    """
    trace = Trace(calls=[Done(0, False, 0.0, 1.0, True)], unfinished=1, ended=9.0)

    assert METRICS["lost"](made(trace)) == 1
    assert METRICS["finished_x"](made(trace)) == math.inf


def test_the_seed_decides_everything():
    """
    A result that cannot be repeated cannot be explained.
    """
    scenario = SCENARIOS["ietf, bucket 50/s, job of 1,180"]
    once, again, other = (run_ours(scenario, seed) for seed in (1, 1, 2))

    assert once.requests == again.requests
    assert once.requests != other.requests


def test_nobody_tunes_on_the_servers_of_the_table():
    """
    Servers that were tuned on prove nothing about others.
    """
    assert not set(TUNING) & set(TABLE)
    assert len({random_site(seed).told for seed in (*TUNING, *TABLE)}) == 200


class Stuck:
    """Wants to be asked again at once, and never lets anybody go."""

    def ask(self, ticket, now):
        return False

    def next(self, now):
        return None

    def wake_at(self, now):
        return now


def test_a_governor_that_spins_is_named():
    """
    In a real loop it would burn a processor without a word.
    """
    with pytest.raises(StuckError):
        simulate(Site(), job(10), lambda now, rng: Stuck(), seed=0, seconds=60.0)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "name",
    [
        "configured, bucket 50/s",
        "configured, window 600/min",
        "ietf, window 600/min, job of 1,180",
        "x-ratelimit-epoch, bucket 50/s, job of 1,180",
        "unknown, bucket 50/s, 429",
        "heavy and nine light, 429",
        "interactive behind 1,800, 429",
    ],
)
def test_our_governor_reaches_its_goals(name, seed):
    """
    A change that makes it slower, ruder or less fair must not pass unseen.
    """
    scenario = SCENARIOS[name]
    trace = run_ours(scenario, seed)
    run = Run(scenario.site(seed), scenario.flows, trace, scenario.steady)
    missed = {
        goal.metric: METRICS[goal.metric](run)
        for goal in scenario.goals
        if not goal.met(METRICS[goal.metric](run))
    }

    assert not missed


def test_a_pause_that_was_asked_for_is_kept_by_everybody():
    """
    The API may close the door for good on who does not listen.
    """
    site = Site(limit=RateLimit(rate=20, headers="retry-after"))
    flows = [Flow(provider=n, first=100, backlog=100) for n in range(5)]
    scenario = SCENARIOS["unknown, bucket 50/s, Retry-After"]
    trace = run_ours(
        type(scenario)(
            name="", site=lambda _: site, flows=flows, goals=(), seconds=60.0
        ),
        0,
    )
    run = Run(site, flows, trace, steady=10.0)

    assert METRICS["pauses"](run) >= 1
    assert METRICS["in_pause"](run) == 0
