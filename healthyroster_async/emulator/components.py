"""What the document says about the operations beside reporting, as OpenAPI 3.0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from healthyroster_async.emulator.operations import OPERATIONS, Operation
from healthyroster_async.emulator.paging import ENVELOPES
from healthyroster_async.emulator.resources import (
    BY_NAME,
    ENUMS,
    MODELS,
    RESOURCES,
    fields_of,
)
from healthyroster_async.emulator.schema import Casing, cased
from healthyroster_async.emulator.shapes import TYPES, Argument, Field, Resource

_TEXT = {"type": "string"}
_FILE = {"type": "string", "format": "binary"}
_IDS: Mapping[str, Mapping[str, Any]] = {
    "int": TYPES["int"],
    "guid": TYPES["guid"],
    "text": _TEXT,
}
_BY_ID_NAME = {resource.id_name: resource for resource in RESOURCES}
_STYLES: Mapping[str, Mapping[str, Any]] = {
    "multi": {"style": "form", "explode": True},
    "csv": {"style": "form", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
}
_ERRORS = {
    "400": ("Bad Request", "ValidationProblemDetails"),
    "401": ("Unauthorized", "ProblemDetails"),
    "403": ("Forbidden", "ProblemDetails"),
    "404": ("Not Found", "ProblemDetails"),
}
_RECEIPT = (Field("messageId", "guid"), Field("patientId", "int"), Field("at", "utc"))
FORMS = {
    "upload": "multipart/form-data",
    "send": "application/x-www-form-urlencoded",
}
"""Content type of the form that a task takes."""


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(name: str) -> dict[str, Any]:
    """Return the schema of an array of references."""
    return {"type": "array", "items": ref(name)}


def content(schema: Mapping[str, Any], kind: str = "application/json") -> Any:
    """Return the content of a body."""
    return {kind: {"schema": schema}}


def errors(statuses: Iterable[str]) -> dict[str, Any]:
    """Return the responses that are errors; 401 and 403 are always among them."""
    return {
        status: {
            "description": _ERRORS[status][0],
            "content": content(ref(_ERRORS[status][1]), "application/problem+json"),
        }
        for status in sorted({*statuses, "401", "403"})
    }


def argument_schema(argument: Argument) -> dict[str, Any]:
    """Return the schema of one value of an argument."""
    if argument.kind == "enum":
        return ref(argument.of)
    if argument.kind == "file":
        return dict(_FILE)
    schema = dict(TYPES.get(argument.kind, _TEXT))
    if argument.least is not None:
        schema["minimum"] = argument.least
    if argument.default is not None:
        schema["default"] = argument.default
    return schema


def path_schema(name: str) -> Mapping[str, Any]:
    """Return the schema of an id in a path, the provider's excepted."""
    return _IDS[_BY_ID_NAME[name].ids]


def described(operation: Operation, provider: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation as the document has it.

    Args:
        operation: The operation.
        provider: The parameter that names the Healthcare Provider.
    """
    _, *names = re.findall(r"\{([^}]+)\}", operation.path)
    ids = [
        {
            "name": name,
            "in": "path",
            "description": f"Id of the {_BY_ID_NAME[name].one}.",
            "required": True,
            "schema": dict(path_schema(name)),
        }
        for name in names
    ]
    sent = [_parameter(a) for a in operation.arguments if a.place != "form"]
    statuses = {"400", "404"}
    answer: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation.id,
        "parameters": [provider, *ids, *sent],
    }
    body = _body(operation)
    if body is not None:
        answer["requestBody"] = body
    answer["responses"] = {str(operation.status): _success(operation)} | errors(
        statuses
    )
    if operation.deprecated:
        answer["deprecated"] = True
    return answer


def _parameter(argument: Argument) -> dict[str, Any]:
    schema = argument_schema(argument)
    parameter: dict[str, Any] = {
        "name": argument.name,
        "in": argument.place,
        "description": argument.text,
    }
    if argument.required:
        parameter["required"] = True
    if argument.many is not None:
        return parameter | {
            **_STYLES[argument.many],
            "schema": {"type": "array", "items": schema},
        }
    return parameter | {"schema": schema}


def _body(operation: Operation) -> dict[str, Any] | None:
    if operation.task in FORMS:
        schema: dict[str, Any] = {
            "type": "object",
            "required": [a.name for a in operation.arguments if a.required],
            "properties": {
                a.name: argument_schema(a) | {"description": a.text}
                for a in operation.arguments
            },
        }
        return {"required": True, "content": content(schema, FORMS[operation.task])}
    if operation.task in {"create", "update"}:
        one = operation.resource.one
        return {
            "description": f"The {one}.",
            "required": True,
            "content": content(ref(f"{one}Input")),
        }
    return None


def _success(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.paging == "link":
        link = {"description": "Where the next page is.", "schema": _TEXT}
        answer["headers"] = {"Link": link}
    if operation.task == "download":
        answer["content"] = content(_FILE, "application/octet-stream")
    elif operation.task not in {"delete", "account"}:
        answer["content"] = content(_answered(operation))
    return answer


def _answered(operation: Operation) -> dict[str, Any]:
    one = operation.resource.one
    if operation.task == "send":
        return ref("MessageReceipt")
    if operation.task != "list":
        return ref(one)
    return ref(f"{one}Page") if operation.paging in ENVELOPES else array(one)


@cache
def schemas(casing: Casing, *, whole: bool) -> dict[str, Any]:
    """Return the schemas of everything that operations take and answer.

    Args:
        casing: How the names of properties are spelled.
        whole: Whether ids of Healthcare Providers are whole numbers.
    """
    named: dict[str, Any] = {
        name: {"type": "string", "enum": list(values)} for name, values in ENUMS.items()
    }
    for name, columns in {**MODELS, "MessageReceipt": _RECEIPT}.items():
        named[name] = _model(columns, casing, whole=whole)
    for resource in RESOURCES:
        columns = fields_of(resource)
        named[resource.one] = _model(columns, casing, whole=whole)
        if {"create", "update"} & set(resource.verbs):
            given = tuple(column for column in columns if not column.made)
            named[f"{resource.one}Input"] = _model(given, casing, whole=whole)
        if resource.paging in ENVELOPES:
            named[f"{resource.one}Page"] = _page(resource, casing)
    return named


def _model(columns: Iterable[Field], casing: Casing, *, whole: bool) -> dict[str, Any]:
    columns = tuple(columns)
    model: dict[str, Any] = {"type": "object"}
    required = [cased(column.name, casing) for column in columns if column.required]
    if required:
        model["required"] = required
    model["properties"] = {
        cased(column.name, casing): _property(column, whole=whole) for column in columns
    }
    model["additionalProperties"] = False
    return model


def _property(column: Field, *, whole: bool) -> dict[str, Any]:
    schema: dict[str, Any]
    match column.kind:
        case "id" | "above" | "link":
            schema = dict(_IDS[BY_NAME[column.of].ids])
        case "links":
            schema = {"type": "array", "items": dict(_IDS[BY_NAME[column.of].ids])}
        case "provider":
            schema = dict(TYPES["int"] if whole else _TEXT)
        case "enum" | "object" | "parent":
            schema = ref(column.of)
        case "objects":
            schema = array(column.of)
        case kind:
            schema = dict(TYPES.get(kind, _TEXT))
    if column.nulls:
        # Nothing may stand beside a reference, so one that can be null is wrapped.
        schema = {"allOf": [schema]} if "$ref" in schema else schema
        schema["nullable"] = True
    return schema


def _page(resource: Resource, casing: Casing) -> dict[str, Any]:
    items, *others = ENVELOPES[resource.paging]
    properties: dict[str, Any] = {cased(items, casing): array(resource.one)}
    for name in others:
        text = name in {"continuationToken", "next"}
        properties[cased(name, casing)] = (
            {**_TEXT, "nullable": True} if text else dict(TYPES["int"])
        )
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def paths(provider: Mapping[str, Any]) -> dict[str, Any]:
    """Return every path with its operations."""
    found: dict[str, Any] = {}
    for operation in OPERATIONS:
        item = found.setdefault(operation.path, {})
        item[operation.method.lower()] = described(operation, provider)
    return found
