"""Who goes next: shares, lanes, places that are kept, and what waiting costs."""

import statistics
import time

import pytest

from healthyroster_async._core.fair_queue import FairQueue, Ticket
from healthyroster_async._core.settings import Priority

pytestmark = pytest.mark.unmeasured

BULK, INTERACTIVE = Priority.BULK, Priority.INTERACTIVE


def pushed(queue, *flows, priority=BULK, weight=1.0):
    """Push a ticket for each flow and return them."""
    tickets = [Ticket(flow, priority, weight) for flow in flows]
    for ticket in tickets:
        queue.push(ticket)
    return tickets


def popped(queue, count):
    """Return the flows of those that go next, as one word."""
    return "".join(queue.pop().flow for _ in range(count))


def turned_away(queue, ticket, place):
    """Push a ticket that went as number *place* and was not let in."""
    ticket.place = place
    queue.push(ticket)


def test_inside_a_session_the_first_to_come_goes_first():
    """
    A caller who awaits calls in order must not be surprised.
    """
    queue = FairQueue()
    tickets = pushed(queue, *"aaaa")

    assert [queue.pop() for _ in range(4)] == tickets
    assert queue.pop() is None


def test_sessions_take_turns_whatever_their_backlog():
    """
    One session with a thousand calls must not hold up those with a few.
    """
    queue = FairQueue()
    pushed(queue, *"a" * 1000)
    pushed(queue, *"bbbccc")

    assert popped(queue, 12) == "abcabcabcaaa"


def test_who_comes_later_begins_now_and_makes_up_for_nothing():
    """
    A session that slept has no claim to what the others used in the meantime.
    """
    queue = FairQueue()
    pushed(queue, *"a" * 100)
    popped(queue, 50)
    pushed(queue, *"b" * 50)

    assert popped(queue, 40).count("b") == 20


def test_who_comes_back_at_once_does_not_go_twice():
    """
    A session with one call at a time could otherwise starve all others.
    """
    queue = FairQueue()
    pushed(queue, *"aaaab")
    order = ""
    for _ in range(6):
        ticket = queue.pop()
        order += ticket.flow
        if ticket.flow == "b":
            pushed(queue, "b")

    assert order == "ababab"


@pytest.mark.parametrize("backlog", [40, 400])
def test_shares_follow_the_weights_whatever_the_backlog(backlog):
    """
    Twice the weight is twice the calls, however many wait.
    """
    queue = FairQueue()
    pushed(queue, *"a" * backlog)
    pushed(queue, *"b" * 400, weight=2.0)
    pushed(queue, *"c" * 400, weight=0.5)
    order = popped(queue, 70)

    assert [order.count(flow) for flow in "abc"] == pytest.approx([20, 40, 10], abs=1)


def test_interactive_calls_go_first_and_bulk_calls_stay_alive():
    """
    A click overtakes a pull, but a hundred clicks must not stop it.
    """
    queue = FairQueue()
    pushed(queue, *"b" * 10)
    pushed(queue, *"i" * 10, priority=INTERACTIVE)

    assert popped(queue, 20) == "iiiibiiiibiibbbbbbbb"


def test_interactive_calls_wait_for_nobody_who_is_not_there():
    """
    The share of bulk calls is for calls, not for an empty place.
    """
    queue = FairQueue()
    pushed(queue, *"i" * 9, priority=INTERACTIVE)

    assert popped(queue, 9) == "i" * 9


def test_a_click_does_not_make_others_wait_for_the_backlog_of_its_session():
    """
    Lanes know nothing of each other: a backlog in one is no debt in the other.
    """
    queue = FairQueue()
    pushed(queue, *"a" * 1000)
    pushed(queue, *"a", priority=INTERACTIVE)
    pushed(queue, *"b", priority=INTERACTIVE)
    assert popped(queue, 2) == "ab"
    pushed(queue, *"bb")

    assert popped(queue, 4) == "abab"


def test_a_click_of_a_session_with_a_backlog_goes_before_later_clicks():
    """
    A person is not to wait because the same clinic is being pulled.
    """
    queue = FairQueue()
    pushed(queue, *"a" * 1000)
    pushed(queue, *"abbb", priority=INTERACTIVE)

    assert queue.pop().flow == "a"


def test_who_is_turned_away_goes_before_all_who_never_went():
    """
    A retried call keeps its place, and those turned away together their order.
    """
    queue = FairQueue()
    pushed(queue, *"xyz")
    first, second = pushed(queue, *"ab", priority=BULK)
    queue.drop(first)
    queue.drop(second)
    turned_away(queue, second, 8)
    turned_away(queue, first, 7)

    assert popped(queue, 5) == "abxyz"


def test_a_place_is_kept_through_several_rejections():
    """
    Who was turned away as a probe must not fall behind those after it.
    """
    queue = FairQueue()
    early, late = Ticket("early"), Ticket("late")
    turned_away(queue, early, 1)
    turned_away(queue, late, 2)
    for _ in range(3):
        assert queue.pop() is early
        queue.push(early)

    assert queue.pop() is early
    assert queue.pop() is late


def test_who_is_turned_away_pays_once():
    """
    A rejection must not cost a session part of its share.
    """
    queue = FairQueue()
    pushed(queue, *"aaaabbbb")
    ticket = queue.pop()
    turned_away(queue, ticket, 0)

    assert popped(queue, 8) == "abababab"


@pytest.mark.parametrize("left", [0, 1])
def test_cancelled_calls_cost_their_session_nothing(left):
    """
    After a pull was cancelled, the next call of its session must not wait for as many
    of all others.
    """
    queue = FairQueue()
    tickets = pushed(queue, *"a" * 1000)
    pushed(queue, *"b" * 1000)
    for ticket in tickets[left:]:
        queue.drop(ticket)
    pushed(queue, *"aa")

    assert popped(queue, 4).count("a") == 2


def test_a_session_that_always_gives_up_keeps_its_share():
    """
    Calls with a short deadline are cancelled all the time under load.
    """
    queue = FairQueue()
    pushed(queue, *"b" * 1000)
    order = ""
    for _ in range(100):
        impatient = pushed(queue, *"aaaaa")
        order += popped(queue, 2)
        for ticket in impatient:
            queue.drop(ticket)

    assert order.count("a") == pytest.approx(100, abs=1)


def test_a_dropped_ticket_never_goes_and_a_second_drop_is_nothing():
    """
    A granted permit that nobody uses would be lost for good.
    """
    queue = FairQueue()
    first, second, third, fourth = pushed(queue, *"abab")
    again = Ticket("c")
    turned_away(queue, again, 1)
    for ticket in (again, first, first, fourth):
        queue.drop(ticket)
    rest = [queue.pop(), queue.pop(), queue.pop()]

    assert rest == [third, second, None]
    assert len(queue) == 0
    assert not queue


def test_it_says_who_waits():
    """
    An operator sees which clinic and which lane is behind.
    """
    queue = FairQueue()
    first, *_ = pushed(queue, *"aab")
    pushed(queue, "a", priority=INTERACTIVE)
    turned_away(queue, Ticket("c"), 1)
    queue.drop(first)

    assert queue.flows == {"a": 2, "b": 1, "c": 1}
    assert queue.lanes == {INTERACTIVE: 1, BULK: 3}
    assert len(queue) == 4


def test_it_says_how_many_go_before_and_never_more():
    """
    A call is given up for its deadline because of this number: too high a one makes
    calls fail that would have been in time.
    """
    queue = FairQueue()
    pushed(queue, *"aaaaabb")
    popped(queue, 2)
    (mine,) = pushed(queue, "c")
    ahead = queue.ahead_of(mine)
    order = [queue.pop() for _ in range(6)]

    assert order.index(mine) == ahead


def test_sessions_whose_turn_comes_later_are_not_counted():
    """
    Nor taken off: who has just gone makes nobody's wait shorter than nothing.
    """
    queue = FairQueue()
    pushed(queue, *"aaa")
    (mine,) = pushed(queue, "b")
    popped(queue, 1)

    assert queue.ahead_of(mine) == 0
    assert queue.pop() is mine


def test_a_click_waits_for_clicks_only():
    """
    A click with a deadline of a second must not fail because 300 clinics are pulled.
    """
    queue = FairQueue()
    pushed(queue, *(str(n) for n in range(300)), *"a" * 300)
    (click,) = pushed(queue, "a", priority=INTERACTIVE)
    (bulk,) = pushed(queue, "new")
    (second,) = pushed(queue, "b", priority=INTERACTIVE)

    assert queue.ahead_of(click) == 0
    assert queue.ahead_of(second) == 1
    assert queue.ahead_of(bulk) == 303


def test_nobody_goes_before_who_was_turned_away():
    """
    Its wait is that of the pause.
    """
    queue = FairQueue()
    pushed(queue, *"ab")
    ticket = Ticket("c")
    turned_away(queue, ticket, 0)

    assert queue.ahead_of(ticket) == 0


def cost_each(waiting, flows):
    """Return the seconds that a push and a pop take among so many that wait."""
    queue = FairQueue()
    pushed(queue, *(n % flows for n in range(waiting)))
    samples = []
    for _ in range(9):
        begun = time.perf_counter()
        for n in range(500):
            queue.push(Ticket(n % flows))
            queue.pop()
        samples.append((time.perf_counter() - begun) / 500)
    return statistics.median(samples)


@pytest.mark.parametrize(("flows", "most"), [(300, 4), (100_000, 20)])
def test_a_hundred_thousand_waiting_calls_cost_hardly_more_than_a_thousand(flows, most):
    """
    A queue that walks through itself would stop the loop just when there is much to do.
    With a session for each call most of what is left is that no cache is so large.
    """
    ratios = (cost_each(100_000, flows) / cost_each(1_000, flows) for _ in range(3))

    assert any(ratio < most for ratio in ratios)


def test_sessions_that_come_and_go_cost_the_same_however_many_there_were():
    """
    What is remembered of each for fairness must not be walked through at every call.
    """
    spent = []
    for count in (1_000, 8_000):
        queue = FairQueue()
        begun = time.perf_counter()
        for n in range(count):
            queue.push(Ticket(n))
            queue.pop()
        spent.append((time.perf_counter() - begun) / count)

    assert spent[1] < 4 * spent[0]


def test_sessions_that_have_no_claim_are_forgotten():
    """
    A process that lives for months meets many sessions.
    """
    queue = FairQueue()
    for n in range(20_000):
        pushed(queue, "always", n)
        popped_two = [queue.pop(), queue.pop()]
        assert None not in popped_two

    assert len(queue._lanes[BULK]._ends) < 1_000


def test_calls_that_are_cancelled_in_a_pause_leave_nothing_behind():
    """
    Nothing is taken out while the gate is closed, so nothing else would clear it away.
    """
    queue = FairQueue()
    for n in range(5_000):
        (ticket,) = pushed(queue, n)
        queue.drop(ticket)
    lane = queue._lanes[BULK]

    assert len(lane._heap) + len(lane._flows) + len(lane._ends) < 1_000
