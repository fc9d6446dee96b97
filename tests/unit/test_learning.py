"""Learning a rate: from what is accepted between two rejections, and from windows."""

import math

import pytest
from ours import run_ours
from scenarios import Scenario
from server import Site
from servers import random_site
from workload import heavy_and_light

from healthyroster_async._core.following import Following
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.learning import START_RATE, Learner
from healthyroster_async._core.settings import Limit
from healthyroster_async.emulator import RateLimit

pytestmark = pytest.mark.unmeasured


def accepted(learner, begin, seconds, rate, *, wanted=True):
    """Note calls that were let in at a steady rate; return when it was over.

    If more were wanted, the rate is what held them back.
    """
    for n in range(round(seconds * rate)):
        learner.accepted(begin + n / rate, begin + n / rate + 0.05)
        if wanted:
            learner.grow(begin + n / rate)
    return begin + seconds


def settled(limit=20.0, events=4, **settings):
    """Return a learner that met a bucket of so many calls per second, and the time."""
    learner = Learner(**settings)
    now = accepted(learner, 0.0, 1.0, START_RATE)
    learner.event(now, now)
    for _ in range(events):
        learner.still(now)
        now += 0.2
        learner.accepted(now, now)
        learner.free(now, now)
        now = accepted(learner, now, 12.0, limit)
        learner.rate = 1.05 * limit
        learner.event(now, now)
    return learner, now


def grown(learner, begin, seconds):
    """Let calls wait for the rate all the time."""
    for n in range(round(seconds * 20)):
        learner.grow(begin + n / 20)
    return learner.rate


def test_it_doubles_each_second_while_nothing_is_turned_away():
    """
    Any limit is found in seconds, from below.
    """
    learner = Learner()
    learner.grow(0.0)
    before = learner.rate

    assert grown(learner, 0.05, 2.0) == pytest.approx(4 * before, rel=0.01)
    assert learner.starting
    assert learner.source == "starting"


def test_it_grows_no_faster_than_answers_come():
    """
    All that is under way when the first one is turned away is turned away too.
    """
    slow, fast = Learner(), Learner()
    for n in range(100):
        slow.accepted(n / 50, n / 50 + 1.0)
        fast.accepted(n / 50, n / 50 + 0.05)

    assert grown(slow, 0.0, 3.0) < 1.5 * START_RATE
    assert grown(fast, 0.0, 3.0) > 5 * START_RATE


@pytest.mark.parametrize("most", [5.0, 80.0])
def test_it_is_never_faster_than_it_may(most):
    """
    Not at the beginning, not after growing, and not with a limit that is known.
    """
    learner = Learner(most=most)
    told = Learner(most=most)
    told.go_by(Limit(1000, 1), 0.0)
    remembered = Learner(most=most)
    remembered.remember(Learned(at=0, rate=1000.0), 0.0)

    assert learner.rate <= most
    assert grown(learner, 0.0, 5.0) == most
    assert told.rate == remembered.rate == most


def test_one_rejection_is_nothing_to_remember():
    """
    A file that says something wrong is worse than none.
    """
    learner = Learner()
    now = accepted(learner, 0.0, 1.0, START_RATE)
    learner.event(now, now)

    assert learner.learned is None
    assert learner.source == "estimating"
    assert not learner.starting


def test_a_rate_that_held_is_kept_for_a_while_and_then_raised_gently():
    """
    The API may allow more by now; finding out must hardly cost a rejection.
    """
    learner, now = settled(events=8)
    rate = learner.rate
    held = grown(learner, now, 5.0)
    later = grown(learner, now + 5.0, 60.0)

    assert held == rate
    assert rate < later


@pytest.mark.parametrize("pause", [0.15, 2.0])
def test_a_quiet_hour_is_no_limit(pause):
    """
    Who makes a call a minute and is turned away twice must not wait for minutes.
    """
    learner, now = Learner(), 0.0
    for _ in range(30):
        learner.event(now, now)
        learner.still(now)
        now += pause
        learner.accepted(now, now + 0.1)
        learner.free(now, now + 0.1)
        now = accepted(learner, now + 60.0, 3600.0, 1 / 60, wanted=False)
        assert learner.rate >= 2.0


def test_a_quiet_night_does_not_turn_a_remembered_limit_into_none():
    """
    It was given up for what a call a minute had measured: one call in 100 seconds.
    """
    learner, now = Learner(), 0.0
    learner.remember(Learned(at=0, limit=Limit(600, 60)), now)
    for _ in range(12):
        now = accepted(learner, now, 3600.0, 1 / 60, wanted=False)
        learner.event(now, now)
        learner.accepted(now + 0.2, now + 0.3)
        learner.free(now + 0.2, now + 0.3)
        assert learner.rate >= 2.0


def test_the_wait_before_a_probe_is_short_and_never_nothing():
    """
    It has to be longer than a burst, and nobody wants to sleep for a guess.
    """
    learner, now = settled()
    now = accepted(learner, now, 5.0, 20.0)
    wait = learner.event(now, now)

    assert 0.1 <= wait < 1.0


# -- a limit that is known -----------------------------------------------------------


def test_a_known_limit_is_gone_by_just_below():
    """
    Calls crowd together on the way, and some of them arrive in the window before.
    """
    learner = Learner()
    learner.go_by(Limit(600, 60), 0.0)

    assert learner.rate == pytest.approx(9.8)
    assert learner.source == "configured 600 per 60 s"
    assert learner.learned is None
    assert grown(learner, 0.0, 3_000.0) == learner.rate


def test_a_single_rejection_of_a_told_limit_is_noise_and_several_are_not():
    """
    A limit that was told may be told wrong, but not because of one call.
    """
    learner = Learner()
    learner.go_by(Limit(600, 60), 0.0)
    waits = [learner.event(float(n), float(n)) for n in range(1, 8)]

    assert waits[0] == 0.0
    assert all(wait >= 0.1 for wait in waits[1:])
    assert learner.rule is None or learner.rate < 9.8


def test_clean_windows_give_back_what_rejections_took():
    """
    A night must not end slower than it began because of a bad minute.
    """
    learner = Learner()
    learner.go_by(Limit(10, 1), 0.0)
    for n in range(1, 4):
        learner.event(float(n), float(n))
    low = learner.rate
    accepted(learner, 10.0, 60.0, 9.0)

    assert low < 9.8
    assert learner.rate == pytest.approx(9.8)


def test_a_remembered_limit_that_was_raised_is_found_in_the_same_night():
    """
    Else every night is as slow as the one in which it was read.
    """
    learner = Learner()
    learner.remember(Learned(at=0.0, limit=Limit(100, 10)), 0.0)
    accepted(learner, 0.0, 600.0, 12.0)

    assert learner.rate > 1.1 * 10.0


def test_a_remembered_limit_that_no_longer_holds_is_given_up():
    """
    The API may have changed since the last run.
    """
    learner = Learner()
    learner.remember(Learned(at=0, limit=Limit(600, 60)), 0.0)
    assert learner.source == "learned 600 per 60 s"
    for n in range(20):
        now = 100.0 + 5.0 * n
        learner.accepted(now - 1.0, now - 0.9)
        learner.event(now, now)
        learner.free(now + 0.2, now + 0.2)

    assert learner.rule is None
    assert learner.rate < 9.8


def test_a_rate_is_always_a_number_above_nothing():
    """
    Whatever comes in whatever order, the next call goes in finite time.
    """
    learner = Learner()
    for n in range(3_000):
        now = n * 0.37
        if n % 3:
            learner.event(now, now)
        if n % 5 == 0:
            learner.accepted(now, now + 1.0)
            learner.free(now, now)
        learner.grow(now)
        assert 0.01 <= learner.rate < math.inf


# -- the whole of it, against servers -------------------------------------------------

WINDOWS = {
    "fixed 300 per 30 s": RateLimit(rate=300, per=30, kind="window", headers="none"),
    "sliding 200 per 20 s": RateLimit(rate=200, per=20, kind="sliding", headers="none"),
    "firewall 500 per 10 s": RateLimit(
        rate=500, per=10, kind="firewall", block=30.0, headers="none"
    ),
}


def met(limit, seed, *, seconds=240.0, **site):
    """Return the governor after a run against a server."""
    scenario = Scenario(
        name="",
        site=lambda _: Site(limit=limit, **site),
        flows=heavy_and_light(),
        goals=(),
        seconds=seconds,
    )
    (pacer,) = run_ours(scenario, seed).pacers
    return pacer


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_that_nobody_announced_are_read_exactly(name, seed):
    """
    After two or three blocks no more call is lost to any, and the next run knows it.
    """
    limit = WINDOWS[name]
    governor = met(limit, seed)

    assert governor.learner.rule == Limit(limit.rate, limit.per)
    assert governor.learned.limit == Limit(limit.rate, limit.per)
    assert governor.source == f"learned {limit.rate:g} per {limit.per:g} s"


@pytest.mark.parametrize("burst", [5, 20, 200])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_bucket_accepts_between_two_rejections_is_its_limit(burst, seed):
    """
    It was empty twice, however large it is.
    """
    governor = met(RateLimit(rate=20, burst=burst, headers="none"), seed)
    learned = governor.learned

    # The rate itself may be in the midst of a trial.
    assert governor.learner.ceiling == pytest.approx(20.0, rel=0.05)
    rate = learned.limit.rate if learned.limit else learned.rate
    assert rate == pytest.approx(20.0, rel=0.05)


def test_a_limit_that_fell_is_followed_and_one_that_rose_too():
    """
    What was learned holds until the evidence changes.
    """
    bucket = RateLimit(rate=50, headers="none")
    fell = met(bucket, 1, seconds=110.0, changes=((100.0, 20.0),))
    rose = met(bucket, 1, seconds=160.0, changes=((100.0, 20.0), (130.0, 50.0)))

    assert fell.learner.rate == pytest.approx(20.0, rel=0.1)
    # The rate itself may be in the midst of a trial.
    assert rose.learner.ceiling == pytest.approx(50.0, rel=0.05)


def share_rejected(governor):
    return governor.rejections / governor.sent


@pytest.mark.parametrize("seed", [1, 2])
def test_a_firewall_that_counts_anew_after_its_block_is_read_in_the_end(seed):
    """
    Its block is shorter than its window, so each reading is too short at first.
    """
    firewall = RateLimit(rate=340, per=60, kind="firewall", block=20, headers="none")
    governor = met(firewall, seed, seconds=600.0)

    assert governor.learner.rule == Limit(340, 60)
    assert share_rejected(governor) < 0.02


def test_a_window_that_is_full_of_what_went_before_is_not_given_up():
    """
    One that slides goes on turning calls away after it was recognised.
    """
    site, seed = random_site(248), 248
    governor = met(
        site.limit, seed, seconds=400.0, latency=site.latency, jitter=site.jitter
    )

    assert governor.learner.rule == Limit(5_795, 60)
    assert share_rejected(governor) < 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bucket_that_runs_dry_alike_is_no_window(seed):
    """
    What is said to be recognised exactly is believed for a week.
    """
    learned = met(RateLimit(rate=60, burst=10, headers="none"), seed).learned

    assert learned.limit is None
    assert learned.rate == pytest.approx(60.0, rel=0.05)


def test_a_sliding_window_that_was_overshot_is_waited_for():
    """
    It turns calls away at half its rate then, and that is no reason to halve it.
    """
    site, seed = random_site(115), 115
    governor = met(
        site.limit, seed, seconds=400.0, latency=site.latency, jitter=site.jitter
    )
    went_in = governor.sent - governor.rejections

    assert went_in > 0.92 * 400.0 * site.limit.rate / site.limit.per


def test_a_bucket_that_stays_shut_for_a_second_is_found_in_a_few_blocks():
    """
    Whoever asks for a second each time must not be asked ten times.
    """
    bucket = RateLimit(rate=50, headers="retry-after")
    rates = [met(bucket, seed, seconds=30.0).learner.rate for seed in range(4)]

    assert max(rates) < 65.0


def test_a_reading_that_was_denied_is_doubted_again():
    """
    Else a limit that rises is found half an hour later.
    """
    following = Following(Limit(40, 2), 0.0, faster=[Limit(80, 2)], retest_after=40.0)
    following.grow(3.0, 0.05)
    following.event(4.0)
    held = following.rate
    for n in range(20 * 45):
        following.grow(4.0 + n / 20, 0.05)

    assert following.rule == Limit(40, 2)
    assert following.rate > held
