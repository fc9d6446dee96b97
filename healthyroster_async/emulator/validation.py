"""Whether a value is what a schema of the document says."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_BITS = {"int32": 31, "int64": 63}
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def from_text(schema: Schema, text: str) -> Any:
    """Return the value that a text stands for, as it is sent outside of JSON.

    Raises:
        ValueError: It stands for none of the type.
    """
    match schema.get("type"):
        case "integer" if _INTEGER.fullmatch(text):
            return int(text)
        case "number" if _NUMBER.fullmatch(text):
            return float(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
        case "string":
            return text
    raise ValueError(text)


def complaints(
    schema: Schema, value: Any, schemas: Mapping[str, Schema], where: str
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a value: where, and what.

    Args:
        schema: What it should be.
        value: The value.
        schemas: What references lead to.
        where: Name of the value.
    """
    schema = resolve(schema, schemas)
    if value is None:
        if not schema.get("nullable"):
            yield where, "The value must not be null."
        return
    if "allOf" in schema:
        (inner,) = schema["allOf"]
        yield from complaints(inner, value, schemas, where)
        return
    kind = schema["type"]
    if not _TYPES[kind](value):
        yield where, f"The value is no {kind}."
    elif kind == "object":
        yield from _members(schema, value, schemas, where)
    elif kind == "array":
        for number, entry in enumerate(value):
            yield from complaints(schema["items"], entry, schemas, f"{where}[{number}]")
    else:
        yield from _plain(schema, value, where)


def resolve(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """Return what a schema refers to, or the schema itself."""
    if "$ref" in schema:
        return schemas[str(schema["$ref"]).rpartition("/")[2]]
    return schema


def _members(
    schema: Schema, value: Any, schemas: Mapping[str, Schema], where: str
) -> Iterator[tuple[str, str]]:
    properties, more = schema.get("properties", {}), schema["additionalProperties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield _inside(where, name), "The value is required."
    for name, entry in value.items():
        inner = properties.get(name, more)
        if inner is False:
            yield _inside(where, name), "There is no such property."
        else:
            yield from complaints(inner, entry, schemas, _inside(where, name))


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _plain(schema: Schema, value: Any, where: str) -> Iterator[tuple[str, str]]:
    form = schema.get("format", "")
    if "enum" in schema and value not in schema["enum"]:
        yield where, f"The value is none of {', '.join(schema['enum'])}."
    if "minimum" in schema and value < schema["minimum"]:
        yield where, f"The value is below {schema['minimum']}."
    if form in _BITS and not -(2 ** _BITS[form]) <= value < 2 ** _BITS[form]:
        yield where, f"The value is no {form}."
    if form in _FORMATS and not _FORMATS[form](value):
        yield where, f"The value is no {form}."


def _date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and _parsed(text)


def _date_time(text: str) -> bool:
    match = _DATE_TIME.fullmatch(text)
    return match is not None and _parsed(match[1] + (match[3] or ""))


def _parsed(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    ),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _date,
    "date-time": _date_time,
    "email": lambda text: "@" in text,
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
}
