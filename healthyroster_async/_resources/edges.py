"""Finding out whether the end of a date range is inclusive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve

from healthyroster_async._core.date_ranges import DateRange, Window
from healthyroster_async._core.errors import ConfigurationError

if TYPE_CHECKING:
    from healthyroster_async._rows.stream import RowStream

_DAY = dt.timedelta(days=1)


async def ends_inclusive(
    rows_of: Callable[..., RowStream],
    range_: DateRange,
    since: dt.date,
    until: dt.date,
) -> bool | None:
    """Return whether rows of the last date come too; ``None`` if there are no rows.

    A day with rows is searched by halves. Then two days together have the rows of both
    if each alone has its own, and none alone has any if the end is exclusive.

    Args:
        rows_of: Asks for the rows of a range, given as parameters. What else is asked
            for is its own: error reporters print local variables.
        range_: The date range.
        since: The first date.
        until: The date after the last.

    Raises:
        ConfigurationError: Neither is so; the text says what to give.
    """
    as_given = evolve(range_, inclusive=False)  # the end is sent as it is

    async def count(first: dt.date, last: dt.date, most: int | None = None) -> int:
        values = as_given.values(Window("", first, last))
        rows = 0
        async with rows_of(**values) as stream:
            async for _ in stream:
                del _  # error reporters print local variables
                rows += 1
                if rows == most:
                    break
        return rows

    low, high = since, until
    if not await count(low, high, 1):
        return None
    while high - low > _DAY:
        middle = low + (high - low) // 2
        if await count(low, middle, 1):
            high = middle
        else:
            low = middle
    both = await count(low, low + _DAY)
    alone = await count(low, low), await count(low + _DAY, low + _DAY)
    # Of date-times, rows between two midnights say nothing about those at midnight.
    if not any(alone) and not range_.timed:
        return False
    if any(alone) and sum(alone) == both:
        return True
    raise ConfigurationError(
        "whether the end of the date range is inclusive cannot be told from the rows; "
        "give end_inclusive"
    )
