"""Date ranges that data sources filter by, and the windows they are asked in."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import IntEnum
from typing import Any, Literal, TypeAlias, get_args

from attrs import frozen

from healthyroster_async._core.errors import ConfigurationError

Unit: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = get_args(Unit)
# Each holds whole ones of the next; weeks lie across months.
_NESTED: tuple[Unit, ...] = ("year", "quarter", "month", "day")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_BEGINNINGS = frozenset({"after", "begin", "from", "since", "start"})
_ENDS = frozenset({"before", "end", "thru", "through", "to", "until"})
_EXCLUSIVE = re.compile(
    r"\bexclusive|\bexcluded|\bnot including|\bbefore\b", re.IGNORECASE
)
_INCLUSIVE = re.compile(
    r"\binclusive|\bincluded|\bincluding|\bthrough\b", re.IGNORECASE
)
_DAY = dt.timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def bound_of(name: str, kind: str) -> Literal["start", "end"] | None:
    """Return which end of a date range a parameter is, by its name and type."""
    if "date" not in kind.lower() and "date" not in name.lower():
        return None
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _ENDS:
        return "end"
    return "start" if words & _BEGINNINGS else None


class Edge(IntEnum):
    """Which rows of its date the end of a date range lets in; journals keep the number.

    Attributes:
        MIDNIGHT: At most those at its midnight, as ``BETWEEN`` does with date-times.
            They would be in two windows.
        INCLUSIVE: All of them.
        EXCLUSIVE: None.
    """

    MIDNIGHT = 0
    INCLUSIVE = 1
    EXCLUSIVE = 2


@frozen(kw_only=True)
class DateRange:
    """The two parameters that bound the dates of the rows.

    Attributes:
        start: Name of the parameter for the first date.
        end: Name of the one for the last.
        timed: Whether they take date-times.
        edge: Which rows of the last date come too; ``None`` if nobody says.
    """

    start: str
    end: str
    timed: bool = False
    edge: Edge | None = None

    def values(self, window: Window) -> dict[str, str]:
        """Return the parameters that ask for a window and nothing else."""
        inclusive = self.edge is Edge.INCLUSIVE
        last = window.stop - _DAY if inclusive else window.stop
        if not self.timed:
            return {self.start: window.start.isoformat(), self.end: last.isoformat()}
        # The last instant that SQL Server's datetime has before midnight: a later one
        # is rounded to the next day.
        clock = "T23:59:59.997" if inclusive else "T00:00:00"
        return {self.start: f"{window.start}T00:00:00", self.end: f"{last}{clock}"}


@frozen
class Window:
    """Dates that are asked for at once.

    Attributes:
        key: What a file of it is called.
        start: The first date.
        stop: The date after the last.
    """

    key: str
    start: dt.date
    stop: dt.date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.stop - self.start).days

    def joined(self, start: dt.date, stop: dt.date) -> Window:
        """Return the window that holds this one and other dates."""
        return Window(self.key, min(self.start, start), max(self.stop, stop))


def date_range(parameters: Iterable[tuple[str, str, str]]) -> DateRange | None:
    """Return the date range among parameters, or ``None`` if it is not clear.

    Args:
        parameters: Name, type and description of each, in the API's words.
    """
    ends: dict[str, list[tuple[str, str, str]]] = {"start": [], "end": []}
    for name, kind, description in parameters:
        bound = bound_of(name, kind)
        if bound is not None:
            ends[bound].append((name, kind, description))
    if len(ends["start"]) != 1 or len(ends["end"]) != 1:
        return None
    (first, kind, _), (last, _, description) = ends["start"][0], ends["end"][0]
    edge = None
    if _EXCLUSIVE.search(description):
        edge = Edge.EXCLUSIVE
    elif _INCLUSIVE.search(description):
        edge = Edge.INCLUSIVE
    return DateRange(
        start=first,
        end=last,
        timed="time" in kind.lower(),
        edge=edge,
    )


def check_unit(value: Any) -> Unit:
    """Return what windows are cut by if it is that.

    Raises:
        ConfigurationError: It is not.
    """
    for unit in UNITS:
        if unit == value:
            return unit
    raise ConfigurationError(f"window is {value!r}; give one of {', '.join(UNITS)}")


def as_date(name: str, value: Any) -> dt.date:
    """Return a date given as such, as its midnight or as text.

    Raises:
        ConfigurationError: It is none.
    """
    if type(value) is dt.date:
        return value
    # pandas has no other dates than midnights.
    if isinstance(value, dt.datetime) and value == value.replace(
        hour=0, minute=0, second=0, microsecond=0
    ):
        return value.date()
    # Python would take weeks too.
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):
            return dt.date.fromisoformat(value)
    raise ConfigurationError(f"{name} is {value!r}; give a date such as 2026-01-31")


def windows(since: dt.date, until: dt.date, unit: Unit) -> Iterator[Window]:
    """Yield the windows of a range of dates, cut by the calendar.

    Args:
        since: The first date.
        until: The date after the last.
        unit: What to cut by; weeks begin on Monday (ISO 8601).
    """
    start = since
    while start < until:
        begin = beginning(start, unit)
        stop = min(until, _next(begin, unit))
        yield Window(_key(begin, unit), start, stop)
        start = stop


def fitted(
    since: dt.date, until: dt.date, kept: Iterable[Window], settled: dt.date
) -> Iterator[Window]:
    """Yield the windows of a range of dates, as long as they may be, at most a year.

    Args:
        since: The first date.
        until: The date after the last.
        kept: Windows of before. They stay as they are, with all their dates, and no
            other lies across them.
        settled: From when on windows are a month at most, because they will be asked
            for again.
    """
    there = {window.key: window for window in kept}
    divided = {
        _key(beginning(window.start, unit), unit)
        for window in there.values()
        for unit in _NESTED[: _NESTED.index(_unit_of(window))]
    }

    def cut(window: Window) -> Iterator[Window]:
        before = there.get(window.key)
        if before is not None:
            yield window.joined(before.start, before.stop)
            return
        unit = _unit_of(window)
        long = unit in {"year", "quarter"}
        ends = _next(beginning(window.start, unit), unit)
        if window.key in divided or (long and ends > settled):
            for part in parts(window):
                yield from cut(part)
        else:
            yield window

    for year in windows(since, until, "year"):
        yield from cut(year)


def parts(window: Window) -> list[Window]:
    """Return the quarters of a year, months of a quarter, days of a month, or none."""
    finer = _NESTED[_NESTED.index(_unit_of(window)) + 1 :]
    return list(windows(window.start, window.stop, finer[0])) if finer else []


def _unit_of(window: Window) -> Unit:
    if "Q" in window.key:
        return "quarter"
    units: tuple[Unit, ...] = ("year", "month", "day")
    return units[window.key.count("-")]


def beginning(day: dt.date, unit: Unit) -> dt.date:
    """Return the first date of the calendar's window that holds a date."""
    if unit == "day":
        return day
    if unit == "week":
        return day - dt.timedelta(days=day.weekday())
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _next(begin: dt.date, unit: Unit) -> dt.date:
    days = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[unit]
    if (dt.date.max - begin).days < days:
        return dt.date.max  # there is no date of the next one
    return beginning(begin + dt.timedelta(days=days), unit)


def _key(begin: dt.date, unit: Unit) -> str:
    if unit == "year":
        return f"{begin.year:04}"
    if unit == "quarter":
        return f"{begin.year:04}-Q{begin.month // 3 + 1}"
    return begin.isoformat()[:7] if unit == "month" else begin.isoformat()
