"""Values made up for the arguments of an operation, and answers made up for it.

A value is what the document gives as an example or a default, else the first that it
allows, else one of the type; none is ever about a real person.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.schemas import Shape
from healthyroster_async._core.values import File

_DEEPEST, _DEEPEST_REQUIRED = 4, 16
_UUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
# Some that patterns often want.
_LIKELY = (
    "made-up", "a", "A", "1", "00000", "4111111111111111", "made-up.txt", "made-up.png",
    "=", "PERSON", "a::b::1",
)  # fmt: skip
_TEXTS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T08:30:00Z",
    "datetime": "2026-01-31T08:30:00Z",
    "time": "08:30:00Z",
    "date-span": "1.02:03:04",
    "duration": "P1D",
    "uuid": _UUID,
    "guid": _UUID,
    "email": "someone@example.test",
    "uri": "https://example.test/",
    "url": "https://example.test/",
    "byte": "AAAA",
    "password": "made up",
    "ipv4": "192.0.2.1",
    "hostname": "example.test",
}


def arguments(operation: Operation, *, every: bool = False) -> dict[str, Any]:
    """Return arguments for a call: the required ones, or every one."""
    given = {
        parameter.name: argument(parameter)
        for parameter in operation.parameters
        if every or parameter.required
    }
    if "body" in given and "xml" in (operation.body_type or ""):
        given["body"] = "<madeup/>"
    return given


def argument(parameter: Parameter) -> Any:
    """Return a value for a parameter."""
    made = value(parameter.shape)
    if parameter.where in {"path", "header", "cookie"} and made in ("", [], {}, None):
        return "x" if parameter.shape.kind in {"any", "text"} else made
    return made


def value(shape: Shape, depth: int = 0) -> Any:
    """Return a value that a schema describes."""
    raw = _raw(shape)
    for key in ("example", "x-example", "default"):
        said = raw.get(key)
        if said is not None and _fits(shape, said):
            return said
    if shape.enum:
        return next((v for v in shape.enum if _fits(shape, v)), shape.enum[0])
    if shape.kind in {"array", "object", "map"}:
        return _holder(shape, raw, depth)
    variant = _variant(shape, raw)
    if variant is not None and depth < _DEEPEST_REQUIRED:
        return value(variant, depth + 1)
    return _single(shape, raw)


def _single(shape: Shape, raw: Mapping[str, Any]) -> Any:
    if shape.kind in {"integer", "number"}:
        return _number(shape, raw)
    if shape.kind == "text":
        return _text(shape, raw)
    file = File(b"made up", "made-up.txt", "text/plain")
    return {"boolean": True, "bytes": file}.get(shape.kind, 1)


def _holder(shape: Shape, raw: Mapping[str, Any], depth: int) -> Any:
    if shape.kind == "array":
        least = _count(raw, "minItems", 0)
        if (depth >= _DEEPEST and not least) or depth > _DEEPEST_REQUIRED:
            return []
        return [value(shape.items, depth + 1)] * max(1, min(least, 9))
    if shape.kind == "map":
        more = depth < _DEEPEST and shape.open
        return {"key": value(shape.values, depth + 1)} if more else {}
    return {
        member.wire: value(member.shape, depth + 1)
        for member in shape.members
        if (member.required and depth < _DEEPEST_REQUIRED) or depth < _DEEPEST
        if not member.read_only
    }


def _variant(shape: Shape, raw: Mapping[str, Any]) -> Shape | None:
    """Return the first thing that may stand where one of several may."""
    for key in ("oneOf", "anyOf"):
        found = raw.get(key)
        if isinstance(found, list) and found and shape.kind == "any":
            schemas = shape._schemas  # noqa: SLF001
            assert schemas is not None
            return schemas.shape(found[0], f"{shape.where}/{key}/0")
    return None


def _raw(shape: Shape) -> Mapping[str, Any]:
    # Limits and examples, which only a test needs.
    return shape._raw  # noqa: SLF001


def answer(shape: Shape | None) -> Any:
    """Return what an answer could hold, as JSON would give it."""
    made = None if shape is None else value(shape)
    return None if isinstance(made, File) else made


def _fits(shape: Shape, said: Any) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "any": (str, int),
    }
    wanted = kinds.get(shape.kind, ())
    if isinstance(said, bool) and shape.kind != "boolean":
        return False
    if shape.enum and said not in shape.enum:
        return False
    return isinstance(said, wanted) and shape.format not in {"date", "date-time"}


def _number(shape: Shape, raw: Mapping[str, Any]) -> int | float:
    least, most = raw.get("minimum"), raw.get("maximum")
    step = raw.get("multipleOf")
    made: int | float = 1
    if isinstance(step, int | float) and not isinstance(step, bool):
        made = step
    if isinstance(least, int | float) and made <= least:
        made = least + (1 if raw.get("exclusiveMinimum") else 0)
    if isinstance(most, int | float) and made > most:
        made = most
    return int(made) if shape.kind == "integer" else made


def _text(shape: Shape, raw: Mapping[str, Any]) -> str:
    made = _TEXTS.get(shape.format, "made up")
    if shape.format in _TEXTS:
        return made
    made += "." * (_count(raw, "minLength", 0) - len(made))
    most = _count(raw, "maxLength", len(made))
    made = made[:most] if most else made
    return _like(raw.get("pattern"), made)


def _like(pattern: Any, made: str) -> str:
    """Return a text that a pattern allows, if one of those that we know is."""
    with contextlib.suppress(re.error, TypeError):
        return next((t for t in (made, *_LIKELY) if re.search(pattern, t)), made)
    return made


def _count(raw: Mapping[str, Any], key: str, otherwise: int) -> int:
    said = raw.get(key)
    return min(said, 10_000) if type(said) is int and said >= 0 else otherwise
