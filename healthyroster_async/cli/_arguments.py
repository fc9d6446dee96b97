"""Texts of a command line as the values that an operation takes."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from healthyroster_async._core.arguments import Binding
from healthyroster_async._core.headers import is_json
from healthyroster_async._core.home import at_home
from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.schemas import Shape
from healthyroster_async._core.values import File

_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def arguments_of(
    operation: Operation,
    texts: Iterable[str],
    files: Iterable[str],
    body: bytes | None,
) -> dict[str, Any]:
    """Return the arguments of a call.

    Args:
        operation: What is called.
        texts: ``name=value`` each; what an array takes may come several times.
        files: ``name=PATH`` each.
        body: The body, or ``None`` for none.

    Raises:
        OSError: A file cannot be read.
        TypeError: An argument is unknown, or of a type that does not fit.
        ValueError: A text has not the form that it needs.
    """
    binding = Binding(operation)
    given: dict[Parameter, list[str]] = {}
    for number, text in enumerate(texts, 1):
        name, equals, value = text.partition("=")
        place = f"argument {number} after the provider"
        if not equals:
            raise ValueError(
                f"{place} has no value; give name=value, or a body with --body"
            )
        given.setdefault(_parameter(binding, name, place), []).append(value)
    arguments: dict[str, Any] = {p.name: _value(p, some) for p, some in given.items()}
    for number, text in enumerate(files, 1):
        name, equals, path = text.partition("=")
        place = f"--file number {number}"
        if not equals:
            raise ValueError(f"{place} has no path; give name=PATH")
        parameter = _parameter(binding, name, place)
        file = File(at_home(path).read_bytes(), Path(path).name)
        if parameter.shape.kind == "array":
            arguments.setdefault(parameter.name, []).append(file)
        else:
            arguments[parameter.name] = file
    if body is not None:
        arguments |= _body(operation, body)
    return arguments


def _parameter(binding: Binding, name: str, place: str) -> Parameter:
    """Return what a name means; what is no name is not shown, as values are not."""
    try:
        return binding.parameter(name)
    except TypeError as error:
        reason = str(error).replace(repr(name), f"such as {place} names")
    raise TypeError(reason)


def _body(operation: Operation, body: bytes) -> dict[str, Any]:
    wanted = next((p for p in operation.parameters if p.where == "body"), None)
    if wanted is None:
        forms = [p.name for p in operation.parameters if p.where == "form"]
        hint = f"; its form has {', '.join(forms)}" if forms else ""
        raise TypeError(f"{operation.name} takes no body{hint}")
    if wanted.shape.kind == "bytes":
        return {wanted.name: File(body)}
    if not is_json(operation.body_type or ""):
        return {wanted.name: body.decode()}
    try:
        # Editors of Windows begin with a byte order mark.
        return {wanted.name: orjson.loads(body.removeprefix(BOM_UTF8))}
    except orjson.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
    raise ValueError(f"the body is no JSON: {at}")


def _value(parameter: Parameter, texts: list[str]) -> Any:
    name, shape = parameter.name, parameter.shape
    if shape.kind == "array":
        # One text may hold several; in JSON a comma says something else.
        inner = shape.items
        if len(texts) == 1 and inner.kind not in {"object", "map", "array"}:
            texts = texts[0].split(",") if texts[0] else []
        return [_single(inner, text, name) for text in texts]
    if len(texts) > 1:
        raise ValueError(f"{name} is given {len(texts)} times and takes one value")
    return _single(shape, texts[0], name)


def _single(shape: Shape, text: str, name: str) -> Any:
    """Return what a text says; no error shows it, for it may be about a person."""
    if shape.kind == "integer":
        return _parsed(int, text, f"{name} is no integer")
    if shape.kind == "number":
        return _number(text, name)
    if shape.kind == "boolean":
        said = text.strip().lower()
        if said not in _TRUE | _FALSE:
            raise ValueError(f"{name} is neither true nor false")
        return said in _TRUE
    if shape.kind in {"object", "map", "array"}:
        return _parsed(orjson.loads, text, f"{name} is no JSON")
    if shape.kind == "bytes":
        raise TypeError(f"{name} is a file; give --file {name}=PATH")
    return text


def _number(text: str, name: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        pass
    return _parsed(Decimal, text, f"{name} is no number")  # type: ignore[no-any-return]


def _parsed(kind: Any, text: str, wrong: str) -> Any:
    try:
        return kind(text)
    except (ValueError, InvalidOperation):
        pass
    raise ValueError(wrong)
