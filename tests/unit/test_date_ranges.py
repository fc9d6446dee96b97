"""Windows of dates, and the parameters that bound them."""

import datetime as dt
import itertools

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthyroster_async import ConfigurationError
from healthyroster_async._core.date_ranges import (
    UNITS,
    DateRange,
    Edge,
    Window,
    as_date,
    beginning,
    check_unit,
    date_range,
    fitted,
    parts,
    windows,
)

days = st.dates(dt.date(1990, 1, 1), dt.date(2050, 1, 1))


@given(since=days, length=st.integers(1, 900), unit=st.sampled_from(UNITS))
@example(since=dt.date(9999, 1, 1), length=364, unit="year")
@example(since=dt.date(9999, 1, 1), length=364, unit="quarter")
@example(since=dt.date(9999, 1, 1), length=364, unit="month")
@example(since=dt.date(9999, 1, 1), length=364, unit="week")
@example(since=dt.date(9999, 1, 1), length=364, unit="day")
def test_windows_hold_every_day_once(since, length, unit):
    """
    A day in none loses its rows; a day in two has them twice.
    """
    until = since + dt.timedelta(days=length)
    cut = list(windows(since, until, unit))

    assert (cut[0].start, cut[-1].stop) == (since, until)
    assert all(a.stop == b.start for a, b in itertools.pairwise(cut))
    assert all(window.start < window.stop for window in cut)
    assert len({window.key for window in cut}) == len(cut)
    for window in cut:
        last = window.stop - dt.timedelta(days=1)
        assert beginning(window.start, unit) == beginning(last, unit)


@st.composite
def divided(draw):
    """Return windows of a range as a pull divides them, and which of them are there."""
    since = draw(days)
    until = since + dt.timedelta(days=draw(st.integers(1, 900)))
    settled = until - dt.timedelta(days=draw(st.integers(0, 40)))
    waiting = list(fitted(since, until, [], settled))
    leaves, kept = [], []
    while waiting:
        window = waiting.pop()
        finer = parts(window)
        if finer and draw(st.integers(0, 3)) == 0:
            waiting += finer
        else:
            leaves.append(window)
            if draw(st.booleans()):
                kept.append(window)
    return since, until, settled, kept


@given(divided(), st.integers(0, 400), st.integers(0, 60))
def test_windows_that_are_there_stay_as_they_are(asked, before, after):
    """
    Files of other windows with the same dates would hold the same rows twice.
    """
    since, until, settled, kept = asked
    since -= dt.timedelta(days=before)
    until += dt.timedelta(days=after)
    cut = list(fitted(since, until, kept, settled))
    by_key = {window.key: window for window in cut}

    assert (cut[0].start, cut[-1].stop) == (since, until)
    assert all(a.stop == b.start for a, b in itertools.pairwise(cut))
    assert len(by_key) == len(cut)
    for window in kept:
        assert by_key[window.key].start <= window.start
        assert by_key[window.key].stop >= window.stop
    there = {window.key for window in kept}
    for window in cut:
        if window.key not in there and window.stop > settled:
            assert window.days <= 31


@given(divided())
@example((dt.date(9998, 1, 1), dt.date.max, dt.date(9999, 6, 1), []))
def test_no_window_is_longer_than_a_year_nor_shorter_than_it_must_be(asked):
    """
    A window more is a call more.
    """
    since, until, settled, _ = asked
    cut = list(fitted(since, until, [], settled))

    assert all(window.days <= 366 for window in cut)
    years = until.year - since.year + 1
    assert len(cut) <= years + 3 + 3 + 3 * 2


@given(day=days, unit=st.sampled_from(UNITS))
def test_a_window_is_called_the_same_whatever_part_of_it_is_asked(day, unit):
    """
    Its file is replaced then, not joined by another.
    """
    (part,) = windows(day, day + dt.timedelta(days=1), unit)
    (whole, *_) = windows(beginning(day, unit), day + dt.timedelta(days=1), unit)

    assert part.key == whole.key or unit == "day"


@pytest.mark.parametrize(
    ("unit", "keys"),
    [
        ("month", ["2024-02", "2024-03"]),
        ("quarter", ["2024-Q1"]),
        ("year", ["2024"]),
        ("week", ["2024-02-26"]),
        ("day", ["2024-02-28", "2024-02-29", "2024-03-01"]),
    ],
)
def test_keys_sort_as_dates_do(unit, keys):
    """
    People read them, and Hive partitions are made of them.
    """
    cut = windows(dt.date(2024, 2, 28), dt.date(2024, 3, 2), unit)

    assert [window.key for window in cut] == keys


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ([("StartDate", "date"), ("EndDate", "date")], ("StartDate", "EndDate")),
        ([("dateTo", "text"), ("dateFrom", "text")], ("dateFrom", "dateTo")),
        ([("from_date", ""), ("to_date", ""), ("Sport", "")], ("from_date", "to_date")),
        ([("since", "date-time"), ("until", "date-time")], ("since", "until")),
        ([("StartDate", "date")], None),
        ([("Status", "string"), ("Order", "integer")], None),
        (
            [
                ("StartDate", "date"),
                ("EndDate", "date"),
                ("ModifiedFromDate", "date"),
                ("ModifiedToDate", "date"),
            ],
            None,
        ),
    ],
)
def test_a_date_range_is_two_parameters_that_nothing_else_could_be(parameters, names):
    """
    Where it is not clear nothing is guessed: the data source comes whole.
    """
    found = date_range((name, kind, "") for name, kind in parameters)

    assert (found and (found.start, found.end)) == names


@pytest.mark.parametrize(
    ("description", "edge"),
    [
        ("Last date, inclusive.", Edge.INCLUSIVE),
        ("Through this date", Edge.INCLUSIVE),
        ("Records before this date", Edge.EXCLUSIVE),
        ("Up to, exclusive", Edge.EXCLUSIVE),
        ("Last date, not including the day itself", Edge.EXCLUSIVE),
        ("The end.", None),
    ],
)
def test_a_description_says_what_the_end_means(description, edge):
    """
    What it does not say is found out.
    """
    found = date_range([("From", "date", ""), ("To", "date", description)])

    assert found.edge is edge


def test_values_ask_for_the_window_and_nothing_else():
    """
    The last instant of a day is one that SQL Server does not round up.
    """
    january = Window("2025-01", dt.date(2025, 1, 1), dt.date(2025, 2, 1))

    def ends(**options):
        return DateRange(start="a", end="b", **options).values(january)["b"]

    assert ends(edge=Edge.INCLUSIVE) == "2025-01-31"
    assert ends(edge=Edge.EXCLUSIVE) == "2025-02-01"
    assert ends(edge=Edge.INCLUSIVE, timed=True) == "2025-01-31T23:59:59.997"
    assert ends(edge=Edge.EXCLUSIVE, timed=True) == "2025-02-01T00:00:00"


@pytest.mark.parametrize(
    "value", ["31.01.2025", None, 20250131, dt.datetime(2025, 1, 1, 8), pd.NaT]
)
def test_what_is_no_date_is_refused(value):
    """
    Nor is a date-time, as its zone is one that nobody said; its midnight is.
    """
    assert as_date("since", pd.Timestamp("2025-01-31")) == dt.date(2025, 1, 31)
    with pytest.raises(ConfigurationError, match="give a date such as"):
        as_date("since", value)
    with pytest.raises(ConfigurationError, match="give one of day"):
        check_unit(value)
