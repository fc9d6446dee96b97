"""What a column holds, and what becomes of it when a value does not fit.

A value is never lost or changed: the column gets a kind that holds it too, which in the
end is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "unknown", "boolean", "integer", "number", "decimal", "date", "moment", "text"
]

# Words that APIs use for the types of their columns, in lower case.
_DECLARED: dict[str, Kind] = {
    **dict.fromkeys(
        ("integer", "int", "int16", "int32", "int64", "long", "short", "bigint"),
        "integer",
    ),
    **dict.fromkeys(("number", "float", "double", "real", "single"), "number"),
    **dict.fromkeys(("decimal", "money", "currency", "numeric"), "decimal"),
    **dict.fromkeys(("boolean", "bool", "bit"), "boolean"),
    "date": "date",
    **dict.fromkeys(
        ("date-time", "datetime", "datetime2", "datetimeoffset", "timestamp"), "moment"
    ),
}
_LARGEST = 2**63
# Beyond this a float does not tell one integer from the next.
_EXACT = 2**53
_WORDS = {
    int: "integer",
    float: "number",
    Decimal: "decimal",
    bool: "boolean",
    str: "text",
    list: "array",
}
_NUMBERS = frozenset({"integer", "number", "decimal"})


def declared_kind(word: str | None) -> Kind:
    """Return what a data source's own word for a type means; ``text`` if unknown."""
    plain = re.sub(r"[?\s]|\(.*\)", "", word or "").lower().rpartition(".")[2]
    return _DECLARED.get(plain, "text" if word else "unknown")


def of_column(name: str, text: str) -> str:
    """Return a line of ``drift``."""
    return f"{name or '(no name)'}: {text}"


def kind_of(values: Iterable[Any]) -> Kind:
    """Return the kind that holds JSON values, nulls aside; mixed ones are text."""
    types = {*map(type, values)} - {type(None)}
    if not types:
        return "unknown"
    if types == {bool}:
        return "boolean"
    if types == {int}:
        return "integer" if within(values, _LARGEST) else "text"
    if Decimal in types and types <= {int, Decimal}:
        return "decimal"
    if types <= {int, float}:
        return "number" if within(values, _EXACT) else "text"
    return "text"


def in_words(values: Iterable[Any], *, beside: Kind) -> str:
    """Return what of some values is no such kind, for a column that became text."""
    came = {_WORDS.get(type(value), "object") for value in values if value is not None}
    words = " and ".join(sorted(came - {beside}) or came)
    if not came <= _NUMBERS or beside not in _NUMBERS:
        return words
    # Numbers fit where numbers stand, but for their digits.
    if beside == "integer" and came != {"integer"}:
        return f"{words} beside integers of too many digits"
    return f"{words} of too many digits"


def within(values: Iterable[Any], bound: int) -> bool:
    """Return whether the integers among some values are smaller than a bound."""
    return all(-bound <= v < bound for v in values if type(v) is int)


def promoted(kind: Kind, seen: Kind) -> Kind:
    """Return the narrowest kind that holds what a column held and what came now."""
    if seen == "unknown" or seen == kind:  # noqa: PLR1714 - two questions
        return kind
    if kind == "unknown":
        return "number" if seen == "decimal" else seen
    # Dates and decimals are read from texts and numbers: whether they are such is
    # found out when they are.
    if kind in {"date", "moment"} and seen == "text":
        return kind
    if kind == "decimal" and seen in {"integer", "number"}:
        return kind
    if seen == "decimal":  # digits that only a column of decimals is asked for
        seen = "number"
    if kind in {"integer", "number"} and seen in {"integer", "number"}:
        return "number"
    return "text"
