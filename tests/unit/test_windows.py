"""Recognising "so many calls per window" from when calls went in and were refused."""

import pytest

from healthyroster_async._core.settings import Limit
from healthyroster_async._core.windows import Windows, round_between


def cycle(windows, begin, calls, rate, free_at, *, probe_every=1.0):
    """Make calls until they are turned away, probe, and return what was recognised."""
    for n in range(calls):
        windows.accept(begin + n / rate)
    blocked = begin + calls / rate
    windows.block(blocked)
    probe = blocked + probe_every
    while probe < free_at - 0.001:
        windows.still(probe)
        probe += probe_every
    return windows.free(free_at)


@pytest.mark.parametrize(("calls", "seconds"), [(100, 10), (600, 60), (40, 2)])
def test_a_fixed_window_with_a_round_quota_shows_itself_in_its_first_block(
    calls, seconds
):
    """
    It begins with the first call and is new when the block ends.
    """
    found = cycle(Windows(), 5.0, calls, 1.7 * calls / seconds, 5.0 + seconds)

    assert Limit(calls, seconds) in found


def test_a_quota_that_is_not_round_needs_to_be_seen_twice():
    """
    Any count is somebody's quota; only one that repeats is the API's.
    """
    windows = Windows()
    once = cycle(windows, 0.0, 97, 20.0, 10.0)
    again = cycle(windows, 10.0, 97, 20.0, 20.0)

    assert once == []
    assert Limit(97, 10) in again


def test_a_short_block_makes_no_window_of_a_count_that_is_not_round():
    """
    A bucket that is held at one rate gives like counts, too.
    """
    windows = Windows()
    cycle(windows, 0.0, 97, 55.0, 2.0)
    found = cycle(windows, 2.0, 97, 55.0, 4.0)

    assert found == []


def test_a_small_count_before_a_long_block_needs_to_be_seen_twice():
    """
    One of five such counts is round, and to be wrong costs half an hour.
    """
    windows = Windows()
    once = cycle(windows, 0.0, 40, 80.0, 30.4, probe_every=5.0)
    again = cycle(windows, 30.4, 40, 80.0, 60.8, probe_every=5.0)

    assert once == []
    assert Limit(40, 30) in again


def test_a_moment_s_block_shows_no_long_window():
    """
    Sixty calls an hour that nobody held back are no limit of sixty per hour.
    """
    windows, now = Windows(), 0.0
    for _ in range(4):
        for n in range(60):
            windows.accept(now + 60.0 * n)
        now += 3600.0
        windows.block(now - 0.2)
        found = windows.free(now)

    assert found == []


def test_a_call_more_or_less_on_the_way_hides_nothing():
    """
    Calls overtake each other, so counts are exact to one only.
    """
    windows = Windows()
    cycle(windows, 0.0, 101, 20.0, 10.0)
    found = cycle(windows, 10.0, 100, 20.0, 20.0)

    assert Limit(100, 10) in found


def test_a_firewall_is_read_from_what_it_let_in_before_it_shut():
    """
    The block is no measure: it lasts as long as somebody chose it to.
    """
    windows = Windows()
    cycle(windows, 0.0, 500, 80.0, 6.25 + 30.0, probe_every=5.0)
    found = cycle(windows, 36.25, 500, 80.0, 36.25 + 6.25 + 30.0, probe_every=5.0)

    assert Limit(500, 10) in found


def test_a_firewall_s_window_is_not_as_long_as_its_block():
    """
    Its quota shows where it came fast; its span where it came slowly, over several
    windows: what went in since the last of them began is the quota again.
    """
    windows = Windows()
    cycle(windows, 0.0, 293, 110.0, 12.5)
    for n in range(75):
        windows.accept(12.5 + n / 15)
    found = cycle(windows, 17.5, 293, 80.0, 35.0)

    assert Limit(293, 5) in found
    assert {limit.seconds for limit in found} == {5}


def test_a_block_that_outlasts_a_window_is_none_of_its():
    """
    A window that shut after 9 s and was still shut after 16 s is not one of 15 s, also
    if blocks after less time look like that.
    """
    windows = Windows()
    cycle(windows, 0.0, 400, 44.0, 20.0)
    found = [cycle(windows, at, 293, 110.0, at + 15.0) for at in (20.0, 35.0, 50.0)]

    assert not any(limit.seconds in {10, 15} for read in found for limit in read)


def test_what_a_rejection_asks_to_wait_is_the_longest_that_is_left_of_a_window():
    """
    The block may look longer only because nobody asked sooner.
    """
    windows = Windows()
    for n in range(45):
        windows.accept(n / 70)
    windows.block(45 / 70, 1.0)
    found = windows.free(2.1)

    assert found == [Limit(45, 1)]


def test_who_goes_evenly_has_like_counts_and_no_window():
    """
    95 calls in 5 s, and 38 in 2 s, before each of two short blocks: that is a rate.
    """
    windows = Windows()
    cycle(windows, 0.0, 191, 19.1, 11.1)
    found = cycle(windows, 11.1, 210, 19.1, 23.2)

    assert found == []


def test_more_than_two_windows_hold_is_no_window():
    """
    80 calls before a block, where 300 went in within 2 s before, are not 80 per 2 s.
    """
    windows = Windows()
    cycle(windows, 0.0, 400, 150.0, 4.5)
    found = cycle(windows, 4.5, 80, 150.0, 6.6)

    assert Limit(80, 2) not in found


def test_the_slowest_reading_comes_first():
    """
    What is too slow costs a little, what is too fast another block.
    """
    windows = Windows()
    cycle(windows, 0.0, 500, 80.0, 36.25, probe_every=5.0)
    found = cycle(windows, 36.25, 500, 80.0, 72.5, probe_every=5.0)

    assert len(found) > 1
    assert [limit.rate for limit in found] == sorted(limit.rate for limit in found)


def test_a_handful_of_calls_is_no_quota():
    """
    Any two counts of three are alike.
    """
    windows = Windows()

    assert all(cycle(windows, 10.0 * n, 3, 1.0, 10.0 * n + 10) == [] for n in range(4))


def test_what_was_accepted_on_the_mean_is_known():
    """
    A reading that is slower than what went in cannot be right.
    """
    windows = Windows()
    for n in range(50):
        windows.accept(n / 10)

    assert Windows().mean(3.0) == 0.0
    assert windows.mean(5.0) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (100, 100, 100),
        (99, 100, 100),
        (600, 601, 600),
        (597, 598, None),
        (97, 97, None),
        (12, 12, 12),
        (500, 499, 500),
        (24_999, 25_000, 25_000),
        (1200, 1200, 1200),
        (245, 245, None),
        (480, 480, None),
    ],
)
def test_people_choose_round_numbers(one, other, expected):
    """
    Of two counts that may be off by one, the round one is the quota.
    """
    assert round_between(one, other) == expected
