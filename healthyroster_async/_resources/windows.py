"""The date range of a data source, cut into windows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from attrs import evolve

from healthyroster_async import models
from healthyroster_async._core.date_ranges import (
    DateRange,
    Unit,
    as_date,
    check_unit,
    date_range,
    windows,
)
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._resources.edges import ends_inclusive

if TYPE_CHECKING:
    from healthyroster_async._resources.reporting import Reporting


async def windows_of(
    reporting: Reporting,
    source: int | str | models.DataSource | models.DataSourceDetail,
    *,
    since: dt.date | str,
    until: dt.date | str,
    window: Unit,
    end_inclusive: bool | None,
) -> dict[str, dict[str, str]]:
    """Return what asks for a range of dates in windows; see ``Reporting``."""
    first, stop = as_date("since", since), as_date("until", until)
    cut = list(windows(first, stop, check_unit(window)))
    detail = source
    if not isinstance(detail, models.DataSourceDetail):
        detail = await reporting.data_source(source)
    range_ = date_range_of(detail, end_inclusive=end_inclusive)
    if range_ is None:
        raise ConfigurationError(
            "the data source has no date range that is clear: one parameter for "
            "its start and one for its end"
        )
    if range_.inclusive is None:
        known = await ends_inclusive(reporting, detail, range_, first, stop)
        range_ = evolve(range_, inclusive=bool(known))
    return {one.key: range_.values(one) for one in cut}


def date_range_of(
    detail: models.DataSourceDetail, *, end_inclusive: bool | None
) -> DateRange | None:
    """Return the date range of a data source; ``None`` if it is not clear.

    Args:
        detail: The data source.
        end_inclusive: Whether its end is, if somebody knows better than it says.
    """
    found = date_range(
        (p.name or "", p.type or "", p.description or "") for p in detail.parameters
    )
    if found is None or end_inclusive is None:
        return found
    return evolve(found, inclusive=end_inclusive)
