"""Finding out whether the end of a date range is inclusive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from healthyroster_async._core.date_ranges import DateRange, Window
from healthyroster_async._core.errors import ConfigurationError

if TYPE_CHECKING:
    from healthyroster_async._resources.reporting import Reporting
    from healthyroster_async.models import DataSource, DataSourceDetail

_DAY = dt.timedelta(days=1)


async def ends_inclusive(
    reporting: Reporting,
    source: DataSource | DataSourceDetail,
    range_: DateRange,
    since: dt.date,
    until: dt.date,
    *,
    parameters: Mapping[str, Any],
) -> bool | None:
    """Return whether rows of the last date come too; ``None`` if there are no rows.

    A day with rows is searched by halves. Then two days together have the rows of both
    if each alone has its own, and none alone has any if the end is exclusive.

    Raises:
        ConfigurationError: Neither is so; the text says what to give.
    """
    as_given = evolve(range_, inclusive=False)  # the end is sent as it is

    async def count(first: dt.date, last: dt.date, most: int | None = None) -> int:
        values = as_given.values(Window("", first, last))
        rows = 0
        async with reporting.rows(source, **parameters, **values) as stream:
            async for _ in stream:
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
