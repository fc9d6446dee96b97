"""Reading what a request gives, as strictly as the document says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError
from attrs import frozen

from healthyroster_async.emulator.components import (
    FORMS,
    argument_schema,
    path_schema,
)
from healthyroster_async.emulator.operations import Operation
from healthyroster_async.emulator.shapes import Argument
from healthyroster_async.emulator.validation import (
    Schema,
    complaints,
    from_text,
    resolve,
)

Schemas = Mapping[str, Schema]
_SEPARATORS = {"csv": ",", "pipes": "|"}
_UNKNOWN = "There is no such parameter."
_REQUIRED = "The value is required."
# What aiohttp raises at a broken form, an unknown charset and an unknown encoding.
_NO_FORM = (
    HttpProcessingError,
    ValueError,
    AssertionError,
    LookupError,
    RuntimeError,
)


class BadInputError(ValueError):
    """A request that is not what the document says.

    Attributes:
        errors: What is wrong, by the name of the parameter.
    """

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(errors)
        self.errors = errors


class UnsupportedError(ValueError):
    """A body of another content type."""


@frozen(kw_only=True)
class File:
    """A file that was sent; its bytes are not kept.

    Attributes:
        name: File name, as the client gave it.
        content_type: Content type, as the client gave it.
        size: Length in bytes.
    """

    name: str
    content_type: str
    size: int


def path(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the ids in a path, by name.

    Raises:
        BadInputError: One is not of its type.
    """
    errors: dict[str, list[str]] = {}
    values = {
        name: _value(name, path_schema(name), text, {}, errors)
        for name, text in given.items()
    }
    return _unless(errors, values)


def arguments(
    operation: Operation, request: web.BaseRequest, schemas: Schemas
) -> dict[str, Any]:
    """Return the arguments in the query and the header, by name, defaults included.

    Raises:
        BadInputError: One is unknown, missing, given twice or not of its type.
    """
    errors: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    query = request.rel_url.query
    known = {a.name for a in operation.arguments if a.place == "query"}
    for name in query:
        if name not in known:
            errors[name] = [_UNKNOWN]
    for argument in operation.arguments:
        if argument.place != "form":
            source: Any = query if argument.place == "query" else request.headers
            texts = source.getall(argument.name, [])
            _take(argument, texts, schemas, values, errors)
    return _unless(errors, values)


def _take(
    argument: Argument,
    texts: list[str],
    schemas: Schemas,
    values: dict[str, Any],
    errors: dict[str, list[str]],
) -> None:
    name = argument.name
    if not texts:
        if argument.required:
            errors[name] = [_REQUIRED]
        elif argument.default is not None:
            values[name] = argument.default
        return
    if argument.many != "multi" and len(texts) > 1:
        errors[name] = ["The value is given more than once."]
        return
    separator = _SEPARATORS.get(argument.many or "")
    parts = texts[0].split(separator) if separator else texts
    schema = argument_schema(argument)
    read = [_value(name, schema, part, schemas, errors) for part in parts]
    values[name] = read[0] if argument.many is None else read


def _value(
    name: str, schema: Schema, text: str, schemas: Schemas, errors: dict[str, list[str]]
) -> Any:
    schema = resolve(schema, schemas)
    try:
        value = from_text(schema, text)
    except ValueError:
        errors.setdefault(name, []).append(f"The value is no {schema['type']}.")
        return None
    for _, complaint in complaints(schema, value, schemas, name):
        errors.setdefault(name, []).append(complaint)
    return value


def _unless(errors: dict[str, list[str]], values: dict[str, Any]) -> dict[str, Any]:
    if errors:
        raise BadInputError(errors)
    return values


async def body(
    request: web.BaseRequest, schema: Schema, schemas: Schemas
) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        BadInputError: It is not what the schema says.
        UnsupportedError: It is no JSON by its content type.
    """
    raw = await request.read()
    if raw and not request.content_type.endswith("json"):
        raise UnsupportedError
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadInputError({"$": ["The body is no JSON."]}) from None
    errors: dict[str, list[str]] = {}
    for name, complaint in complaints(schema, given, schemas, ""):
        errors.setdefault(name or "$", []).append(complaint)
    return _unless(errors, given)


async def form(
    operation: Operation, request: web.BaseRequest, schemas: Schemas
) -> dict[str, Any]:
    """Return the fields of a form, by name; a file as a ``File``.

    Raises:
        BadInputError: One is unknown, missing, given twice or not of its type.
        UnsupportedError: It is no such form by its content type.
    """
    if request.content_type != FORMS[operation.task]:
        raise UnsupportedError
    try:
        given = await (_parts if operation.task == "upload" else _posted)(request)
    except _NO_FORM:
        raise BadInputError({"$": ["The body is no form."]}) from None
    errors: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    known = {argument.name: argument for argument in operation.arguments}
    for name in given:
        if name not in known:
            errors[name] = [_UNKNOWN]
    for name, argument in known.items():
        entries = given.get(name, [])
        files = [entry for entry in entries if isinstance(entry, File)]
        if entries and bool(files) is not (argument.kind == "file"):
            errors[name] = ["A file and its name belong here, and nowhere else."]
        elif files:
            values[name] = files[0]
        else:
            _take(argument, entries, schemas, values, errors)
    return _unless(errors, values)


async def _posted(request: web.BaseRequest) -> dict[str, list[Any]]:
    posted = await request.post()
    return {name: list(posted.getall(name)) for name in posted}


async def _parts(request: web.BaseRequest) -> dict[str, list[Any]]:
    """Return the parts of a form, without keeping a file in memory."""
    given: dict[str, list[Any]] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise ValueError(part)  # noqa: TRY004 - what the client sent is no form
        entries = given.setdefault(part.name or "$", [])
        if part.filename is None:
            entries.append(await part.text())
            continue
        size = 0
        while chunk := await part.read_chunk():
            size += len(chunk)
        kind = part.headers.get("Content-Type", "application/octet-stream")
        entries.append(File(name=part.filename, content_type=kind, size=size))
    return given
