"""How many calls at once: fewer if they only wait longer, or are turned away for it."""

import pytest

from healthyroster_async._core.concurrency import Concurrency


def loaded(concurrency, load, took, *, count=200, now=0.0, label="rows"):
    """Note answers to calls that left at that load; return the time afterwards."""
    for _ in range(count):
        now += took / load
        concurrency.accepted(label, min(load, concurrency.cap), took, now)
    return now


def alone(concurrency, took=0.1, label="rows"):
    return loaded(concurrency, 2, took, count=20, label=label)


def test_it_begins_with_what_was_set():
    """
    Nothing is taken away before the server showed that it is too much.
    """
    concurrency = Concurrency(100)
    alone(concurrency)
    loaded(concurrency, 100, 0.12)

    assert concurrency.cap == 100


def test_answers_that_only_take_longer_lower_the_cap():
    """
    An overloaded server that never says 429 queues what it gets, and so can we.
    """
    concurrency = Concurrency(100)
    now = alone(concurrency)
    for _ in range(60):
        # Ten workers: whatever is above waits.
        took = 0.1 * max(1.0, concurrency.cap / 10)
        now = loaded(concurrency, concurrency.cap, took, count=50, now=now)

    assert concurrency.cap <= 30
    assert concurrency.cap >= 4


def test_it_is_never_lowered_below_four_for_latency():
    """
    Some concurrency is always harmless, and a slow query is no overload.
    """
    concurrency = Concurrency(100)
    now, caps = alone(concurrency), []
    for _ in range(300):
        now = loaded(concurrency, concurrency.cap, 20.0, count=20, now=now)
        caps.append(concurrency.cap)

    assert 4 <= min(caps) <= 5


def test_it_is_raised_again_when_the_server_has_recovered():
    """
    A bad hour must not slow down the night.
    """
    concurrency = Concurrency(40)
    now = alone(concurrency)
    for _ in range(300):
        now = loaded(concurrency, concurrency.cap, 5.0, count=20, now=now)
    low = concurrency.cap
    for _ in range(300):
        now = loaded(concurrency, concurrency.cap, 0.1, count=20, now=now)

    assert low < 10
    assert concurrency.cap == 40


def test_slow_endpoints_are_compared_with_themselves():
    """
    A report takes a hundred times as long as a list, and that is no queue.
    """
    concurrency = Concurrency(100)
    alone(concurrency, took=0.05, label="sources")
    alone(concurrency, took=5.0, label="rows")
    loaded(concurrency, 100, 5.0, label="rows")

    assert concurrency.cap == 100


def test_a_bound_of_concurrency_is_found_from_what_is_refused():
    """
    Eight go in and more are turned away, whatever the rate: that is a bound.
    """
    concurrency = Concurrency(100)
    loaded(concurrency, 8, 0.1)
    explained = [concurrency.refused(9 + n, 10.0) for n in range(3)]

    assert explained == [False, False, True]
    assert concurrency.cap == 8


def test_refusals_that_know_nothing_of_the_load_are_a_limit_of_rate():
    """
    Nobody should be slowed down for the wrong reason.
    """
    concurrency = Concurrency(100)
    loaded(concurrency, 50, 0.1)

    assert not any(concurrency.refused(load, 1.0) for load in (10, 30, 49, 20) * 5)
    assert concurrency.cap == 100


def test_a_call_alone_is_not_refused_for_its_load():
    """
    One at a time cannot be too many at once.
    """
    concurrency = Concurrency(100)

    assert not any(concurrency.refused(1, 1.0) for _ in range(10))
    assert concurrency.cap == 100


def test_a_bound_that_was_found_is_tried_again_later_and_less_often():
    """
    Each try may cost a rejection.
    """
    concurrency = Concurrency(100)
    now = loaded(concurrency, 8, 0.1)
    for load in (9, 10, 11):
        concurrency.refused(load, now)
    tried = []
    for _ in range(3):
        found = now
        while concurrency.cap <= 8:
            now = loaded(concurrency, 8, 0.1, count=1, now=now)
        tried.append(now - found)
        assert concurrency.refused(concurrency.cap, now)
        assert concurrency.cap == 8

    assert tried == pytest.approx([60.0, 120.0, 240.0], rel=0.5)
    assert tried[0] < tried[1] < tried[2]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_small_cap_that_was_set_stays_as_it_is(most):
    """
    Whatever latency says, there is nothing left to lower.
    """
    concurrency = Concurrency(most)
    now = loaded(concurrency, 1, 0.1, count=20)
    loaded(concurrency, most, 60.0, now=now)

    assert concurrency.cap == most
