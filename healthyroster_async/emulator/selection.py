"""Which rows a request asks for, worked out without making one."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from attrs import field, frozen

from healthyroster_async.emulator.schema import Parameter, Source
from healthyroster_async.emulator.values import DAYS, FIRST_DAY, SLOTS, filter_value


class BadParameterError(ValueError):
    """A parameter that the data source has not, or a value it cannot take."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


@frozen(kw_only=True)
class Selection:
    """Which rows a request asks for.

    Attributes:
        first: Number of the first row of the date range.
        last: Number after the last one.
        offset: Slot of row 0.
        wanted: For each slot, whether its rows pass the filters; ``None`` if all do.
    """

    first: int
    last: int
    offset: int
    wanted: tuple[bool, ...] | None = field(default=None, repr=False)

    @property
    def count(self) -> int:
        """How many rows there are, without making one."""
        if self.wanted is None:
            return self.last - self.first
        sums = (0, *accumulate(self.wanted))
        below = [
            (row + self.offset) // SLOTS * sums[-1] + sums[(row + self.offset) % SLOTS]
            for row in (self.first, self.last)
        ]
        return below[1] - below[0]


def slot_offset(provider: int | str) -> int:
    """Return the slot of a provider's first row; neighbours begin at other ones."""
    return zlib.crc32(str(provider).encode()) % SLOTS


def select(
    source: Source,
    parameters: Mapping[str, Any],
    *,
    provider: int | str,
    rows: int,
    seed: int,
) -> Selection:
    """Work out which rows the parameters ask for.

    Raises:
        BadParameterError: There is no such parameter, or not with such a value.
    """
    known = {parameter.name.lower(): parameter for parameter in source.parameters}
    columns = {column.name: column for column in source.rest}
    first, last = 0, rows
    wanted: list[bool] | None = None
    for name, given in parameters.items():
        parameter = known.get(name.lower())
        if parameter is None:
            raise BadParameterError(name, f"{name} is no parameter of {source.name}.")
        if given is None:
            continue
        value = _read(parameter, given)
        if parameter.name == "StartDate":
            first = max(first, _first_row((value - FIRST_DAY).days, rows))
        elif parameter.name == "EndDate":
            last = min(last, _first_row((value - FIRST_DAY).days + 1, rows))
        elif parameter.column is not None and value is not False:
            column = columns[parameter.column]
            allowed = value if isinstance(value, list) else [value]
            passes = [
                filter_value(column, source, seed, slot) in allowed
                for slot in range(SLOTS)
            ]
            wanted = (
                passes
                if wanted is None
                else [a and b for a, b in zip(wanted, passes, strict=True)]
            )
    return Selection(
        first=first,
        last=max(first, last),
        offset=slot_offset(provider),
        wanted=None if wanted is None else tuple(wanted),
    )


def _first_row(day: int, rows: int) -> int:
    """Return the first row not before a day; row i is of day i * DAYS // rows."""
    return min(rows, max(0, -(-day * rows // DAYS)))


def _read(parameter: Parameter, value: Any) -> Any:
    """Check a value as strictly as a typed API does."""
    bad = BadParameterError(
        parameter.name, f"The value is no {parameter.type} that this parameter takes."
    )
    if parameter.type == "date":
        try:
            return dt.datetime.fromisoformat(str(value)).date()
        except ValueError:
            raise bad from None
    if parameter.type == "array":
        if not isinstance(value, list):
            raise bad
        return [_allowed(parameter, item, bad) for item in value]
    types = {"boolean": bool, "integer": int, "string": str}
    if not isinstance(value, types[parameter.type]) or (
        parameter.type == "integer" and isinstance(value, bool)
    ):
        raise bad
    return _allowed(parameter, value, bad)


def _allowed(parameter: Parameter, value: Any, bad: BadParameterError) -> Any:
    if not parameter.values:
        return value
    spellings = {allowed.lower(): allowed for allowed in parameter.values}
    if not isinstance(value, str) or value.lower() not in spellings:
        raise bad
    return spellings[value.lower()]
