"""What a pull is made of: data sources, and parts that are asked for at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from healthyroster_async._core.date_ranges import DateRange, Window, parts
from healthyroster_async._core.errors import ForbiddenError, HealthyRosterError
from healthyroster_async._session import ProviderSession
from healthyroster_async.models import DataSource, DataSourceDetail
from healthyroster_async.pull._journal import Cell

_WHOLE = "all"


def cell_of(source: DataSource, provider: int | str) -> Cell:
    """Return the cell of a data source of a provider."""
    return Cell(str(source.id), str(provider))


@define(eq=False, kw_only=True)
class Source:
    """A data source as some provider has it.

    Attributes:
        filters: What of it is asked for.
        seen: How many rows came in how many days.
    """

    one: DataSource
    folder: str
    filters: Mapping[str, Any] = field(factory=dict, repr=False)
    detail: DataSourceDetail | None = None
    range: DateRange | None = None
    denial: ForbiddenError | None = None
    failure: HealthyRosterError | None = None
    seen: tuple[int, int] = (0, 0)
    drift: dict[str, None] = field(factory=dict)
    count: Counter[str] = field(factory=Counter)

    @property
    def name(self) -> str:
        return self.one.name or str(self.one.id)

    def saw(self, rows: int, window: Window | None) -> None:
        """Learn from an answer how many rows a day has."""
        if window is not None:
            self.seen = self.seen[0] + rows, self.seen[1] + window.days


@define(eq=False)
class Partition:
    """What is asked at once."""

    clinic: ProviderSession
    source: Source
    window: Window | None
    done: bool = False
    divisible: bool = False
    error: HealthyRosterError | None = None
    parts: list[Partition] = field(factory=list)
    kept: bool = False
    rows: int = 0
    bytes: int = 0

    @property
    def cell(self) -> Cell:
        return cell_of(self.source.one, self.clinic.provider_id)

    @property
    def key(self) -> str:
        return _WHOLE if self.window is None else self.window.key

    @property
    def expected(self) -> float:
        """How many rows its answer is likely to have."""
        rows, days = self.source.seen
        return rows * self.window.days / days if self.window and days else 0.0

    @property
    def leaves(self) -> list[Partition]:
        """What is asked for instead of it, if it was divided; else itself."""
        return [leaf for part in self.parts for leaf in part.leaves] or [self]

    def divide(self) -> list[Partition]:
        """Ask for it in parts from now on, and return them."""
        assert self.window is not None  # noqa: S101 - only windows are divisible
        self.parts = [
            Partition(self.clinic, self.source, part, divisible=bool(parts(part)))
            for part in parts(self.window)
        ]
        return self.parts
