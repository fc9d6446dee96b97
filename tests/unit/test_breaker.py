"""The breaker: five faults in a row, and probes that grow apart."""

from healthyroster_async._core.breaker import Breaker


def failed(breaker, count, now=0.0):
    return [breaker.failed(now) for _ in range(count)]


def test_it_opens_after_five_faults_in_a_row():
    """
    And says so once, so that nobody reacts twice.
    """
    breaker = Breaker()

    assert failed(breaker, 7) == [False] * 4 + [True] + [False] * 2
    assert breaker.is_open
    assert breaker.opened == 1


def test_an_answer_in_between_begins_the_count_anew():
    """
    Half of the calls failing is bad, but nobody is to be cut off for it.
    """
    breaker = Breaker()
    for _ in range(20):
        failed(breaker, 4)
        assert not breaker.answered()

    assert not breaker.is_open


def test_refusals_that_say_nothing_are_an_outage_when_nothing_else_comes():
    """
    A limiter lets somebody through in the meantime.
    """
    breaker = Breaker()

    assert not any(breaker.turned_away(second) for second in range(75))
    assert breaker.turned_away(75.0)
    breaker.answered()
    assert not breaker.in_trouble
    assert not breaker.turned_away(76.0)
    assert breaker.in_trouble
    breaker.open(77.0)
    assert not breaker.turned_away(152.0)


def test_two_refusals_with_an_hour_of_silence_between_are_no_outage():
    """
    While nobody asked, nothing else could come.
    """
    breaker = Breaker()

    assert not breaker.turned_away(0.0)
    assert not breaker.turned_away(3600.0)
    assert not breaker.turned_away(3640.0)
    assert breaker.turned_away(3675.0)


def test_the_waits_between_probes_grow_up_to_ten_seconds():
    """
    An API that comes back must be noticed soon, however long it was gone.
    """
    breaker = Breaker()

    assert [breaker.wait() for _ in range(6)] == [2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_the_first_answer_closes_it_and_the_next_outage_is_a_new_one():
    """
    It says that the API had been down, once, and begins with short waits again.
    """
    breaker = Breaker()
    failed(breaker, 5, now=1.0)
    for _ in range(4):
        breaker.wait()

    assert breaker.answered()
    assert not breaker.answered()
    assert failed(breaker, 5, now=7.0)[-1]
    assert (breaker.opened, breaker.since) == (2, 7.0)
    assert breaker.wait() == 2.0
