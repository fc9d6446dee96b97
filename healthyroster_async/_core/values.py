"""Whether a value fits a schema, and what of it is sent.

A value is never shown in what is said about it: it may be about a person.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, SupportsIndex
from uuid import UUID

import attrs
import orjson
from typing_extensions import override

from healthyroster_async._core.schemas import ANY, Shape

_GIVE = {
    "text": "a text",
    "integer": "an int",
    "number": "a number",
    "boolean": "True or False",
    "array": "a list",
    "object": "a dict or a model",
    "map": "a dict",
    "bytes": "bytes, a Path or a File",
}
_FORMATS: dict[str, tuple[type, ...]] = {
    "date": (date,),
    "date-time": (datetime,),
    "datetime": (datetime,),
    "time": (time,),
    "uuid": (UUID,),
    "guid": (UUID,),
}
_TEXTS = (str, date, time, UUID)
_SHOWN = 12
# RFC 9110, section 8.3.1; printable, or it would end its line in a form.
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_MEDIA_TYPE = re.compile(
    rf"{_WORD}/{_WORD} *(?:; *(?:{_WORD}=(?:{_WORD}|{_QUOTED}) *)?)*"
)


def _file_name(_: object, __: object, value: Any) -> None:
    if not isinstance(value, str) or not _can_be_sent(value):
        raise ValueError("the name of a File is no text, or holds half of a character")


def _media_type(_: object, __: object, value: Any) -> None:
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise ValueError(
            "the content_type of a File is no media type; give one such as image/png"
        )


@attrs.frozen
class File:
    """A file to be sent.

    Attributes:
        content: What is in it.
        name: What it is called.
        content_type: Its media type.
    """

    content: bytes = attrs.field(repr=False)
    name: str = attrs.field(default="file", repr=False, validator=_file_name)
    content_type: str = attrs.field(
        default="application/octet-stream", validator=_media_type
    )

    @override
    def __reduce__(self) -> Any:
        raise TypeError("a File is not pickled: it may hold health data")


def fitting(shape: Shape, value: Any, name: str) -> Any:
    """Return what is sent for a value: texts, numbers, bools, lists, dicts, files.

    Args:
        shape: What it has to look like.
        value: What was given.
        name: What it is called in an error.

    Raises:
        TypeError: It is of another type, or lacks what it must have.
        ValueError: It is none of the values it can be, or no such date.
    """
    if value is None:
        if shape.nullable or shape.kind == "any":
            return None
        raise TypeError(f"{name} is None; give {_give(shape)}")
    if isinstance(value, Enum):
        value = value.value
    made = _READ[shape.kind](shape, value, name)
    if shape.enum and made not in shape.enum:
        known = ", ".join(repr(v) for v in shape.enum[:_SHOWN])
        more = ", ..." if len(shape.enum) > _SHOWN else ""
        raise ValueError(f"{name} is none of {known}{more}")
    return made


def _give(shape: Shape) -> str:
    if shape.kind == "text" and shape.format in _FORMATS:
        return f"a {_FORMATS[shape.format][0].__name__} or a text of that form"
    return _GIVE.get(shape.kind, "a value")


def _wrong(shape: Shape, value: Any, name: str) -> TypeError:
    return TypeError(f"{name} is of type {type(value).__name__}; give {_give(shape)}")


def _text(shape: Shape, value: Any, name: str) -> str:
    wanted = _FORMATS.get(shape.format)
    if isinstance(value, str):
        if shape.format in {"date", "date-time"}:
            _check_date(shape, value, name)
        if not _can_be_sent(value):
            raise ValueError(f"{name} holds half of a character (a surrogate)")
        return value
    if not isinstance(value, wanted or _TEXTS):
        raise _wrong(shape, value, name)
    if wanted == (date,) and isinstance(value, datetime):
        raise TypeError(f"{name} is a datetime; give its .date()")
    return plain_text(value)


def _can_be_sent(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_date(shape: Shape, value: str, name: str) -> None:
    kind = date if shape.format == "date" else datetime
    try:
        kind.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"{name} is no {shape.format} in ISO 8601, such as 2026-01-31"
            + ("" if kind is date else "T08:30:00Z")
        ) from None


def plain_text(value: Any) -> str:
    """Return a single value as it stands in a query or a path."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict | list):  # no style says how, and JSON is read by most
        return json_body(value, "an item").decode()
    return str(value)


def _integer(shape: Shape, value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise _wrong(shape, value, name)
    return operator.index(value)


def _number(shape: Shape, value: Any, name: str) -> int | float | Decimal:
    if isinstance(value, bool):
        raise _wrong(shape, value, name)
    if isinstance(value, SupportsIndex):
        return operator.index(value)
    if not isinstance(value, float | Decimal):
        raise _wrong(shape, value, name)
    if not math.isfinite(value):
        raise ValueError(f"{name} is no finite number")
    return value


def _boolean(shape: Shape, value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(shape, value, name)
    return value


def _array(shape: Shape, value: Any, name: str) -> list[Any]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise _wrong(shape, value, name)
    inner = shape.items
    return [fitting(inner, item, f"{name}[{n}]") for n, item in enumerate(value)]


def _object(shape: Shape, value: Any, name: str) -> dict[str, Any]:
    given = _members_of(shape, value, name)
    known = {member.wire: member for member in shape.members}
    if value is given:  # whoever writes a dict may spell as Python does
        for member in shape.members:
            if member.wire not in given:
                known.setdefault(member.name, member)
    made: dict[str, Any] = {}
    for key, inner in given.items():
        if key in known:
            member = known[key]
            made[member.wire] = fitting(member.shape, inner, f"{name}.{key}")
        elif shape.open:
            made[key] = fitting(ANY, inner, f"{name}.{key}")
        else:
            names = ", ".join(m.wire for m in shape.members)
            raise TypeError(f"{name} has no member {key!r}; it has {names}")
    missing = [
        m.wire
        for m in shape.members
        if m.required and not m.read_only and m.wire not in made
    ]
    if value is not given:  # a model has no other way to say null
        nullable = {m.wire for m in shape.members if m.shape.nullable}
        made |= dict.fromkeys(nullable & set(missing))
        missing = [wire for wire in missing if wire not in nullable]
    if missing:
        raise TypeError(f"{name} lacks {', '.join(missing)}")
    return made


def _members_of(shape: Shape, value: Any, name: str) -> Mapping[str, Any]:
    if attrs.has(type(value)):
        wires = {member.name: member.wire for member in shape.members}
        given: dict[Any, Any] = {
            wires.get(field.name, field.name): getattr(value, field.name)
            for field in attrs.fields(type(value))
            if field.name != "extra"
        }
        # What is not set is not sent: a dict can send null.
        own = {key: inner for key, inner in given.items() if inner is not None}
        return own | dict(getattr(value, "extra", {}))
    if not isinstance(value, Mapping):
        raise _wrong(shape, value, name)
    for key in value:
        if not isinstance(key, str):
            raise TypeError(
                f"{name} has a key of type {type(key).__name__}; give texts"
            )
        if not _can_be_sent(key):
            raise ValueError(f"{name} has a key with half of a character (a surrogate)")
    return value


def _map(shape: Shape, value: Any, name: str) -> dict[str, Any]:
    inner = shape.values
    given = _members_of(shape, value, name)
    return {key: fitting(inner, one, f"{name}.{key}") for key, one in given.items()}


def _bytes(shape: Shape, value: Any, name: str) -> File | str:
    if isinstance(value, File):
        return value
    if isinstance(value, str) and shape.media:
        return _text(shape, value, name)  # inside JSON its media type says no more
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong(shape, value, name)
    return File(bytes(value))


def _any(shape: Shape, value: Any, name: str) -> Any:
    if isinstance(value, str | bool | int):
        return value
    if attrs.has(type(value)) and not isinstance(value, File):
        return _map(ANY, value, name)
    for kinds, read in _ANY:
        if isinstance(value, kinds):
            return read(shape, value, name)
    raise TypeError(
        f"{name} is of type {type(value).__name__}; give a text, number, bool, date, "
        "list or dict"
    )


_ANY: tuple[tuple[Any, Callable[[Shape, Any, str], Any]], ...] = (
    ((float, Decimal), _number),
    ((date, time, UUID), _text),
    ((File, bytes, bytearray), _bytes),
    (Mapping, _map),
    ((list, tuple, set, frozenset), _array),
    (SupportsIndex, _integer),
)
_READ = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
    "map": _map,
    "bytes": _bytes,
    "any": _any,
}


def json_body(value: Any, name: str) -> bytes:
    """Return what ``fitting`` gave as JSON.

    Args:
        value: What it gave.
        name: What it is called in an error.

    Raises:
        TypeError: It holds a file, or an integer beyond 64 bits.
    """
    try:
        return orjson.dumps(value, default=_json)
    except TypeError as error:
        reason = str(error)
    inside: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inside = [(f"{name}.{key}", inner) for key, inner in value.items()]
    elif isinstance(value, list):
        inside = [(f"{name}[{n}]", inner) for n, inner in enumerate(value)]
    for one, inner in inside:
        json_body(inner, one)  # the innermost of them names itself
    raise TypeError(f"{name} cannot be sent as JSON: {reason}")


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"a {type(value).__name__} cannot be sent as JSON")
