"""What a data source is: columns, parameters, and how names are spelled."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

Casing: TypeAlias = Literal["camel", "pascal", "snake"]

ORGANIZATIONS = tuple(range(101, 108))

# What the API says about a column of a kind; see `data.py` for what stands in it.
_TYPES = {
    "key": "integer",
    "organization": "integer",
    "count": "integer",
    "small": "integer",
    "score": "integer",
    "year": "integer",
    "measure": "number",
    "money": "number",
    "temperature": "number",
    "flag": "boolean",
    "date": "date",
    "birth": "date",
    "utc": "date-time",
    "naive": "date-time",
    "offset": "date-time",
    "object": "object",
    "array": "array",
}


def cased(name: str, casing: Casing) -> str:
    """Return a camelCase name as the emulator was told to spell it."""
    if casing == "pascal":
        return name[:1].upper() + name[1:]
    if casing == "snake":
        return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    return name


def cased_keys(value: Any, casing: Casing) -> Any:
    """Return a value of JSON with every key spelled as the emulator was told to."""
    if isinstance(value, dict):
        return {cased(k, casing): cased_keys(v, casing) for k, v in value.items()}
    if isinstance(value, list):
        return [cased_keys(item, casing) for item in value]
    return value


@frozen
class Column:
    """One column of a data source.

    Attributes:
        name: Name in camelCase.
        kind: What is made up for it.
        description: What the API says about it.
        nulls: Share of rows without a value.
        values: The values of an enum.
    """

    name: str
    kind: str
    description: str
    nulls: float = 0.0
    values: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """What the API calls the type."""
        return _TYPES.get(self.kind, "string")

    @property
    def nested(self) -> bool:
        """Whether it holds objects; such columns exist on request only."""
        return self.kind in {"object", "array"}


@frozen
class Parameter:
    """One parameter of a data source; every one is optional.

    Attributes:
        name: Name as the API documents it.
        type: Type as the API documents it.
        description: What the API says about it.
        column: Column that must have the value given; ``None`` for the date range.
        values: The values allowed; empty allows every one of the type.
    """

    name: str
    type: str
    description: str
    column: str | None = None
    values: tuple[str, ...] = ()


@frozen(kw_only=True)
class Source:
    """One data source.

    The first four columns are the same in all: row id, provider, a date, a date-time.
    The date rises with the row, so that a range of dates is a range of rows.

    Attributes:
        key: Name for URLs.
        name: Name that the API shows.
        description: What the API says about it.
        date: Name of the date column.
        stamp: Name of the date-time column.
        rest: The other columns.
        filters: Parameters besides the date range.
    """

    key: str
    name: str
    description: str
    date: str
    stamp: str
    rest: tuple[Column, ...]
    filters: tuple[Parameter, ...] = field(default=())

    def columns(self, *, nested: bool) -> tuple[Column, ...]:
        """Return the columns in the order of a row."""
        head = (
            Column("id", "key", "Unique id of the row."),
            Column("providerId", "provider", "Healthcare Provider account."),
            Column(self.date, "date", "The date that StartDate and EndDate filter."),
            Column(self.stamp, "utc", "When the record was entered, in UTC."),
        )
        return head + tuple(c for c in self.rest if nested or not c.nested)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter, the date range first."""
        return (
            Parameter("StartDate", "date", f"First {self.date}, inclusive."),
            Parameter("EndDate", "date", f"Last {self.date}, inclusive."),
            *self.filters,
        )
