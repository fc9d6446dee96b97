"""What can be sent as a parameter, in a query or as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import check_type

_SINGLE = (str, bool, int, float, Decimal, date, time, UUID, Enum)
# What numpy makes a bare number of, which says nothing of a time.
_NUMBERED = re.compile(r"datetime64\[[npfa]s\]|timedelta64.*")
_KINDS = "a text, number, bool, date, date-time, UUID or enum"


def check_parameter(name: str, value: Any) -> None:
    """Refuse what would be sent as something else; the text never shows the value.

    Raises:
        ConfigurationError: It is of a type without a meaning here, or no finite number.
    """
    if isinstance(value, dict):
        for inner in value.values():
            check_parameter(name, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_parameter(name, inner)
    elif value is not None:
        _check_single(name, value, f"{_KINDS}, or a list or dict of them")


def plain(value: Any) -> Any:
    """Return what numpy, pandas or polars hold as Python has it, also inside a list."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if not hasattr(value, "dtype"):
        return value
    kind = str(value.dtype)
    if _NUMBERED.fullmatch(kind):
        value = value.astype(f"{kind.partition('[')[0]}[us]")
    # polars spells it otherwise; what has neither is refused by its type.
    as_list = getattr(value, "tolist", None) or getattr(value, "to_list", None)
    return value if as_list is None else as_list()


def query_string(query: Any) -> str:
    """Return a query, ``?`` included, or nothing if it is empty.

    A list gives its name once for each item. Dates and date-times are in ISO 8601,
    bools are ``true`` and ``false``.

    Raises:
        ConfigurationError: It is no mapping of names to values that a query can hold.
    """
    check_type("query", query, Mapping, 'a mapping such as {"from": date.today()}')
    pairs = [
        f"{quote_plus(name)}={quote_plus(text)}"
        for name, value in query.items()
        for text in _texts(name, value)
    ]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _texts(name: Any, value: Any) -> Iterator[str]:
    check_type("a name of query", name, str, "a text")
    value = plain(value)
    for item in value if isinstance(value, list | tuple) else (value,):
        if item is None:
            raise ConfigurationError(
                f"the parameter {name} is None, which a query cannot say: leave it out"
            )
        _check_single(name, item, f"{_KINDS}, or a list of them")
        yield _text(item)


def _check_single(name: str, value: Any, give: str) -> None:
    check_type(f"the parameter {name}", value, _SINGLE, give)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise ConfigurationError(f"the parameter {name} is no finite number")
    if isinstance(value, date) and value != value:  # noqa: PLR0124 - so is pandas' NaT
        raise ConfigurationError(f"the parameter {name} is no date or time (NaT)")


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        return _text(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    return (
        value.isoformat() if isinstance(value, date | datetime | time) else str(value)
    )
