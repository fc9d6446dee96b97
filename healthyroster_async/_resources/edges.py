"""Finding out which rows of its date the end of a date range lets in."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import evolve

from healthyroster_async._core.date_ranges import DateRange, Edge, Window
from healthyroster_async._core.errors import ConfigurationError

if TYPE_CHECKING:
    from healthyroster_async._rows.stream import RowStream

_DAY = dt.timedelta(days=1)
_WEEK = dt.timedelta(days=7)
# With a zone it may be no midnight of the API's, and a date alone hides its time.
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?")


async def edge_of(
    rows_of: Callable[..., RowStream],
    range_: DateRange,
    since: dt.date,
    until: dt.date,
) -> Edge | None:
    """Return which rows of the last date come too; ``None`` if there are no rows.

    Days that lie together have the rows of all if each alone has its own, and more if
    each alone has only those at its midnight. None alone has any if the end is
    exclusive, or if no row is at midnight.

    Args:
        rows_of: Asks for the rows of a range, given as parameters. What else is asked
            for is its own: error reporters print local variables.
        range_: The date range.
        since: The first date.
        until: The date after the last.

    Raises:
        ConfigurationError: It cannot be told; the text says what to give.
    """
    days = _Days(rows_of, range_, until)
    first = await days.first(since)
    if first is None:
        return None
    together, alone = await days.count(first)
    # Of date-times, rows between two midnights say nothing about those at midnight.
    if range_.timed and not alone:
        raise _unclear()
    if not alone:
        return Edge.EXCLUSIVE if await days.shows(first) else Edge.MIDNIGHT
    if range_.timed:
        return Edge.INCLUSIVE  # of a day as of an instant, the last one is asked for
    if alone == together:
        # Rows that are all at midnight tell nothing, as old ones may be: look on.
        later = await days.first(first + (until - first) // 2)
        if later is not None:
            together, alone = await days.count(later)
    return Edge.INCLUSIVE if alone == together else Edge.MIDNIGHT


def _unclear() -> ConfigurationError:
    return ConfigurationError(
        "whether the end of the date range is inclusive cannot be told from the rows; "
        "give end_inclusive"
    )


class _Days:
    """Asks for days, with the end of the range as it is given."""

    def __init__(
        self, rows_of: Callable[..., RowStream], range_: DateRange, until: dt.date
    ) -> None:
        self._rows_of = rows_of
        self._range = evolve(range_, edge=None)
        self._until = until

    def _rows(self, first: dt.date, last: dt.date) -> RowStream:
        return self._rows_of(**self._range.values(Window("", first, last)))

    async def first(self, since: dt.date) -> dt.date | None:
        """Return the first day with rows, or the one before; it is found by halves."""
        low, high = since, self._until
        if not await _count(self._rows(low, high), 1):
            return None
        while high - low > _DAY:
            middle = low + (high - low) // 2
            if await _count(self._rows(low, middle), 1):
                high = middle
            else:
                low = middle
        return low

    async def count(self, first: dt.date) -> tuple[int, int]:
        """Return how many rows the days of a week have together, and how many alone.

        Raises:
            ConfigurationError: They changed meanwhile.
        """
        length = min(_WEEK, self._until - first)
        together = await _count(self._rows(first, first + length))
        alone = 0
        for number in range(length.days + 1):
            day = first + number * _DAY
            alone += await _count(self._rows(day, day))
        # Somebody may have deleted a row meanwhile, or entered one.
        changed = 0 < alone < together and together != await _count(
            self._rows(first, first + length)
        )
        if alone > together or changed:
            raise _unclear()
        return together, alone

    async def shows(self, day: dt.date) -> bool:
        """Return whether a row shows that it is of the midnight of a day."""
        rows = self._rows(day, day + _DAY)
        return bool(await _count(rows, 1, day.isoformat()))


async def check_midnight(
    rows_of: Callable[..., RowStream], range_: DateRange, stop: dt.date
) -> None:
    """Refuse a window whose answer has rows of the midnight after it.

    It is asked for them only where the end may let them in.

    Args:
        rows_of: Asks for the rows of a range, given as parameters.
        range_: The date range.
        stop: The date after the window's last.

    Raises:
        ConfigurationError: It has some; the text says what to do.
    """
    if range_.edge is not Edge.MIDNIGHT:
        return
    if await _count(rows_of(**range_.values(Window("", stop, stop))), 1):
        raise ConfigurationError(
            f"{range_.end} lets in rows at the midnight with which its date begins and "
            "no later ones, and there are such rows where a window ends: they would "
            "come twice. Ask for all dates at once, or for windows that end elsewhere; "
            "if the end is inclusive, or exclusive, in truth, give end_inclusive"
        )


async def _count(
    rows: RowStream, most: int | None = None, day: str | None = None
) -> int:
    """Return how many rows come, or so many; of a day those at its midnight."""
    found = 0
    async with rows as stream:
        async for row in stream:
            found += day is None or _is_at_midnight(row, day)
            del row  # error reporters print local variables
            if found == most:
                break
    return found


def _is_at_midnight(row: dict[str, Any], day: str) -> bool:
    """Return whether a row shows a day, and no other time of it."""
    times = [
        value.removeprefix(day)
        for value in row.values()
        if isinstance(value, str) and value.startswith(day)
    ]
    return bool(times) and all(map(_MIDNIGHT.fullmatch, times))
