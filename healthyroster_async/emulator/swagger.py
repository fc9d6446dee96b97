"""The swagger document, in the manner of Swashbuckle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import components
from healthyroster_async.emulator.components import array, ref
from healthyroster_async.emulator.document_versions import NUMBERS, convert
from healthyroster_async.emulator.operations import TAGS
from healthyroster_async.emulator.schema import cased
from healthyroster_async.emulator.settings import Settings

_TAG = "Reporting"
_NAMES = {Environment.SANDBOX: "Sandbox", Environment.PRODUCTION: "Production"}


def served(
    settings: Settings,
    base_urls: Mapping[Environment, str],
    environment: Environment,
) -> dict[str, Any]:
    """Return the document in the version that was set, as an environment serves it."""
    return convert(
        document(settings, base_urls), settings.document_version, base_urls[environment]
    )


def document(
    settings: Settings, base_urls: Mapping[Environment, str]
) -> dict[str, Any]:
    """Return the document of an emulator, as OpenAPI 3.0.

    Args:
        settings: What is set; it decides names, ids and the shape of answers.
        base_urls: Base URL of each environment.
    """
    whole = settings.whole_ids
    provider = {
        "name": "id",
        "in": "path",
        "description": "Id of the Healthcare Provider account.",
        "required": True,
        "schema": {"type": "integer", "format": "int32"}
        if whole
        else {"type": "string"},
    }
    source = {
        "name": "datasourceid",
        "in": "path",
        "description": "Id of the data source.",
        "required": True,
        "schema": _source_id(settings),
    }
    return {
        "openapi": NUMBERS["3.0"],
        "info": {
            "title": "Healthy Roster API (emulated)",
            "description": (
                "A local stand-in with synthetic data. Every request carries an "
                "application id and an application secret."
            ),
            "version": "v1",
        },
        "servers": [
            {"url": url, "description": _NAMES[environment]}
            for environment, url in base_urls.items()
        ],
        "paths": {
            "/HealthcareProvider/{id}/Datasources": {
                "get": _operation(
                    "GetDatasources",
                    "Lists the data sources of a Healthcare Provider",
                    [provider],
                    _enveloped(array("DataSource"), settings.list_envelope),
                )
            },
            "/HealthcareProvider/{id}/Reporting/DataSources/{datasourceid}": {
                "get": _operation(
                    "GetDataSource",
                    "Describes a data source: its fields and its parameters",
                    [provider, source],
                    ref("DataSourceDetail"),
                    "404",
                )
            },
            "/HealthcareProvider/{id}/Reporting/Datasources/{datasourceid}/Data": {
                "post": _operation(
                    "GetDatasourceData",
                    "Returns the rows of a data source",
                    [provider, source],
                    _enveloped(array("Row"), settings.envelope),
                    "400",
                    "404",
                )
                | {
                    "description": (
                        "A POST because the parameters do not fit a query string. "
                        "It never modifies data."
                    ),
                    "requestBody": {
                        "description": "Values by the names of the parameters.",
                        "content": {
                            kind: {"schema": ref("DataParameters")}
                            for kind in (
                                "application/json",
                                "text/json",
                                "application/*+json",
                            )
                        },
                    },
                }
            },
            **components.paths(provider),
        },
        "components": {
            "schemas": _schemas(settings)
            | components.schemas(settings.key_casing, whole=whole),
            "securitySchemes": {
                "ApplicationId": {
                    "type": "apiKey",
                    "description": "Application id",
                    "name": settings.application_id_header,
                    "in": "header",
                },
                "ApplicationSecret": {
                    "type": "apiKey",
                    "description": "Application secret",
                    "name": settings.application_secret_header,
                    "in": "header",
                },
            },
        },
        # Both in one object: they are required together.
        "security": [{"ApplicationId": [], "ApplicationSecret": []}],
        "tags": [
            {"name": _TAG, "description": "Flattened rows for reporting tools"},
            *({"name": name, "description": text} for name, text in TAGS.items()),
        ],
    }


def _source_id(settings: Settings) -> dict[str, Any]:
    if settings.id_style == "int":
        return {"type": "integer", "format": "int32"}
    if settings.id_style == "guid":
        return {"type": "string", "format": "uuid"}
    return {"type": "string"}


def _enveloped(schema: dict[str, Any], envelope: str | None) -> dict[str, Any]:
    for key in reversed(envelope.split(".") if envelope else ()):
        schema = {"type": "object", "properties": {key: schema}}
    return schema


def _operation(
    name: str,
    summary: str,
    parameters: list[dict[str, Any]],
    schema: dict[str, Any],
    *statuses: str,
) -> dict[str, Any]:
    success = {"description": "OK", "content": components.content(schema)}
    return {
        "tags": [_TAG],
        "summary": summary,
        "operationId": name,
        "parameters": parameters,
        "responses": {"200": success} | components.errors(statuses),
    }


def _schemas(settings: Settings) -> dict[str, Any]:
    text = {"type": "string", "nullable": True}
    flag = {"type": "boolean"}
    described: dict[str, Any] = {
        "id": _source_id(settings),
        "name": text,
        "description": text,
    }
    listing = {"nullable": True}
    problem: dict[str, Any] = dict.fromkeys(
        ("type", "title", "detail", "instance"), text
    ) | {"status": {"type": "integer", "format": "int32", "nullable": True}}
    models: dict[str, dict[str, Any]] = {
        "DataSource": described,
        "DataSourceDetail": described
        | {
            "fields": array("DataSourceField") | listing,
            "parameters": array("DataSourceParameter") | listing,
        },
        "DataSourceField": {
            "name": text,
            "type": text,
            "description": text,
            "nullable": flag,
        },
        "DataSourceParameter": {
            "name": text,
            "type": text,
            "required": flag,
            "description": text,
            "allowedValues": {"type": "array", "items": {"type": "string"}} | listing,
        },
    }
    schemas: dict[str, Any] = {
        name: {
            "type": "object",
            "properties": {
                cased(key, settings.key_casing): schema
                for key, schema in properties.items()
            },
            "additionalProperties": False,
        }
        for name, properties in models.items()
    }
    loose: dict[str, Any] = {"type": "object", "additionalProperties": {}}
    errors = {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
        "nullable": True,
    }
    return schemas | {
        "DataParameters": loose,
        "ProblemDetails": loose | {"properties": problem},
        "Row": loose,
        "ValidationProblemDetails": loose
        | {"properties": problem | {"errors": errors}},
    }
