"""The swagger document in the versions that services have: 2.0, 3.0 and 3.1.

It is written once, as 3.0, and turned into the others here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

DocumentVersion: TypeAlias = Literal["2.0", "3.0", "3.1"]

NUMBERS: Mapping[DocumentVersion, str] = {
    "2.0": "2.0",
    "3.0": "3.0.4",
    "3.1": "3.1.1",
}
"""What a document of a version calls its version."""

_BINARY = "binary"
_OCTETS = "application/octet-stream"


def convert(
    document: Mapping[str, Any], version: DocumentVersion, own_url: str
) -> dict[str, Any]:
    """Return a document of version 3.0 in another one.

    Args:
        document: The document.
        version: The version wanted.
        own_url: Base URL of the server that gives the document out: 2.0 has room for
            one host only, and a service names its own.
    """
    if version == "2.0":
        return _to_2_0(document, own_url)
    if version == "3.1":
        changed: dict[str, Any] = _walk(document, _schema_3_1)
        return changed | {"openapi": NUMBERS[version]}
    return dict(document)


def _walk(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return a copy in which every object was changed, the innermost first."""
    if isinstance(node, Mapping):
        return change({key: _walk(value, change) for key, value in node.items()})
    if isinstance(node, list):
        return [_walk(value, change) for value in node]
    return node


def _schema_3_1(node: dict[str, Any]) -> dict[str, Any]:
    # A property may be named like a keyword; then a schema stands there, and no value.
    if node.get("nullable") is True:
        del node["nullable"]
        if "allOf" in node:
            return {"oneOf": [*node["allOf"], {"type": "null"}]}
        node["type"] = [node["type"], "null"]
    if node.get("format") == _BINARY:
        return {**_without(node, "format"), "contentMediaType": _OCTETS}
    return node


def _schema_2_0(node: dict[str, Any]) -> dict[str, Any]:
    if node.get("nullable") is True:
        node = {**_without(node, "nullable"), "x-nullable": True}
    if isinstance(node.get("$ref"), str):
        node["$ref"] = node["$ref"].replace("/components/schemas/", "/definitions/")
    return node


def _without(node: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key not in keys}


def _to_2_0(document: Mapping[str, Any], own_url: str) -> dict[str, Any]:
    parts, components = urlsplit(own_url), document["components"]
    changed: dict[str, Any] = {
        "swagger": NUMBERS["2.0"],
        "info": document["info"],
        "host": parts.netloc,
        "basePath": parts.path or "/",
        "schemes": [parts.scheme],
        "paths": {
            path: {
                verb: _operation(operation, components["schemas"])
                for verb, operation in item.items()
            }
            for path, item in document["paths"].items()
        },
        "definitions": components["schemas"],
        "securityDefinitions": components["securitySchemes"],
        "security": document["security"],
        "tags": document["tags"],
    }
    converted: dict[str, Any] = _walk(changed, _schema_2_0)
    return converted


def _operation(
    operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    changed = _without(operation, "requestBody")
    changed["parameters"] = [
        _parameter(_without(parameter, "schema"), parameter["schema"], schemas)
        for parameter in operation["parameters"]
    ]
    body = operation.get("requestBody")
    if body is not None:
        changed["consumes"] = list(body["content"])
        changed["parameters"] += _body(body, schemas)
    produced = [
        kind
        for answer in operation["responses"].values()
        for kind in answer.get("content", ())
    ]
    changed["produces"] = list(dict.fromkeys(produced))
    changed["responses"] = {
        status: _response(answer) for status, answer in operation["responses"].items()
    }
    return changed


def _parameter(
    parameter: dict[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    """Put the schema of a parameter into the parameter, where 2.0 has it."""
    style, explode = parameter.pop("style", None), parameter.pop("explode", None)
    if schema.get("format") == _BINARY:
        return parameter | {"type": "file"}
    if "items" not in schema:
        return parameter | _named(schema, schemas)
    form = "pipes" if style == "pipeDelimited" else "multi" if explode else "csv"
    return parameter | {
        "type": "array",
        "items": _named(schema["items"], schemas),
        "collectionFormat": form,
    }


def _named(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema itself: no reference may stand in a parameter of 2.0."""
    if "$ref" in schema:
        return dict(schemas[schema["$ref"].rpartition("/")[2]])
    return dict(schema)


def _body(body: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = next(iter(body["content"].values()))["schema"]
    if "$ref" in schema:
        whole = {"name": "body", "in": "body", **_without(body, "content")}
        return [whole | {"schema": schema}]
    return [
        _parameter(
            {
                "name": name,
                "in": "formData",
                "description": part["description"],
                "required": name in schema["required"],
            },
            _without(part, "description"),
            schemas,
        )
        for name, part in schema["properties"].items()
    ]


def _response(answer: Mapping[str, Any]) -> dict[str, Any]:
    changed = _without(answer, "content", "headers")
    for content in answer.get("content", {}).values():
        file = content["schema"].get("format") == _BINARY
        changed["schema"] = {"type": "file"} if file else content["schema"]
    if "headers" in answer:
        changed["headers"] = {
            name: _without(header, "schema") | header["schema"]
            for name, header in answer["headers"].items()
        }
    return changed
