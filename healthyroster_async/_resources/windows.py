"""The date range of a data source, cut into windows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from attrs import evolve

from healthyroster_async import models
from healthyroster_async._apart import at_once
from healthyroster_async._core.date_ranges import (
    DateRange,
    Edge,
    as_date,
    check_unit,
    date_range,
    windows,
)
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._resources.edges import check_midnight, edge_of

if TYPE_CHECKING:
    from healthyroster_async._rows.stream import RowStream


class Cut:
    """A range of dates that is cut into windows."""

    def __init__(
        self,
        since: dt.date | str | None,
        until: dt.date | str | None,
        window: str,
        end_inclusive: bool | None,  # noqa: FBT001
    ) -> None:
        """Take what a caller gave; see ``Reporting.windows``.

        Raises:
            ConfigurationError: It is no date, no window, or a range without a date.
        """
        self.first, self.stop = as_date("since", since), as_date("until", until)
        self._windows = list(windows(self.first, self.stop, check_unit(window)))
        self._end_inclusive = end_inclusive
        if self.stop <= self.first:
            raise ConfigurationError(
                f"until is {self.stop}, not after since ({self.first}); it is the date "
                "after the last"
            )

    async def parameters(
        self,
        detail: models.DataSourceDetail,
        others: Collection[str],
        rows_of: Callable[..., RowStream],
    ) -> dict[str, dict[str, str]]:
        """Return the parameters of each window, by its key.

        Args:
            detail: The data source.
            others: The names of what is asked for besides.
            rows_of: Asks for it, if only that tells what an end lets in.

        Raises:
            ConfigurationError: The data source has no date range, or others set it, or
                a row would be in two windows.
        """
        range_ = date_range_of(detail, end_inclusive=self._end_inclusive)
        if range_ is None:
            raise ConfigurationError(
                "the data source has no date range that is clear: one parameter for "
                "its start and one for its end"
            )
        for name in (range_.start, range_.end):
            if name in others:
                raise ConfigurationError(f"{name} is given, and windows would set it")
        if range_.edge is None:
            known = await edge_of(rows_of, range_, self.first, self.stop)
            range_ = evolve(range_, edge=known)
        if range_.edge is Edge.MIDNIGHT:
            await at_once(
                lambda one: check_midnight(rows_of, range_, one.stop), self._windows
            )
        return {one.key: range_.values(one) for one in self._windows}


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
    return evolve(found, edge=Edge.INCLUSIVE if end_inclusive else Edge.EXCLUSIVE)
