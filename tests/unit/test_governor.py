"""Who may send now."""

import pytest

from healthyroster_async import Priority
from healthyroster_async._core.governor import LONGEST_PAUSE_S, Governor, Ticket


def governor(limit=2):
    return Governor(limit)


def test_no_more_than_the_limit_is_under_way():
    """
    The bound is the promise to the API.
    """
    own = governor(2)

    assert [own.enter(0.0) for _ in range(3)] == [True, True, False]
    own.leave()
    assert own.enter(0.0)


def test_nobody_overtakes_the_queue():
    """
    A fresh call must not slip past those that wait.
    """
    own = governor(1)
    own.enter(0.0)
    waiter = Ticket(Priority.BULK)
    own.queue(waiter)
    own.leave()

    assert not own.enter(0.0)
    assert own.next(0.0) is waiter
    assert own.next(0.0) is None


def test_a_pause_holds_everybody_and_ends_by_itself():
    """
    A pause is a deadline, so nobody can strand it or open it early.
    """
    own = governor()
    own.throttled(sent=0.0, now=10.0, asked=5.0)
    own.queue(Ticket(Priority.INTERACTIVE))

    assert not own.enter(14.9)
    assert own.next(14.9) is None
    assert own.wake_at() == 15.0
    assert own.next(15.0) is not None


def test_a_shorter_pause_does_not_shorten_a_longer_one():
    """
    Answers arrive in any order.
    """
    own = governor()
    own.throttled(sent=0.0, now=0.0, asked=30.0)
    own.throttled(sent=0.0, now=1.0, asked=2.0)

    assert own.paused_until == 30.0
    assert own.pauses == 1


def test_no_header_stops_the_pool_for_good():
    """
    2147483647 seconds is what some servers send.
    """
    own = governor()
    own.throttled(sent=0.0, now=0.0, asked=2147483647.0)

    assert own.paused_until == LONGEST_PAUSE_S


def test_answers_to_what_was_sent_before_a_reaction_teach_nothing():
    """
    A hundred answers to one burst are one event, not a hundred.
    """
    own = governor()
    for _ in range(100):
        own.throttled(sent=0.0, now=1.0, asked=None)
    first = own.paused_until

    own.throttled(sent=2.0, now=3.0, asked=None)
    second = own.paused_until - 3.0
    own.accepted()
    own.throttled(sent=5.0, now=6.0, asked=None)

    assert own.paused_until - 6.0 == pytest.approx(first - 1.0)
    assert second == pytest.approx(2 * (first - 1.0))


def test_interactive_goes_first_and_bulk_is_not_starved():
    """
    A person's click overtakes a pull, but the pull goes on.
    """
    own = governor(1)
    for _ in range(20):
        own.queue(Ticket(Priority.INTERACTIVE))
        own.queue(Ticket(Priority.BULK))
    order = []
    while (ticket := own.next(0.0)) is not None:
        order.append(ticket.priority)
        own.leave()

    assert order[:5] == [Priority.INTERACTIVE] * 4 + [Priority.BULK]
    assert order.count(Priority.BULK) == 20


def test_who_left_the_queue_is_passed_over():
    """
    A cancelled waiter costs nothing.
    """
    own = governor(1)
    gone, here = Ticket(Priority.BULK, dropped=True), Ticket(Priority.BULK)
    own.queue(gone)
    own.queue(here)

    assert own.waiting == 1
    assert own.next(0.0) is here
    assert own.wake_at() is None
    assert own.drop_all() == []
