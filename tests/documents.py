"""Swagger documents of our own, for tests: small, and odd where services are odd."""

from __future__ import annotations

import copy

PROVIDER = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer"},
}
PATIENT = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer", "format": "int32"},
        "firstName": {"type": "string", "nullable": True},
        "dateOfBirth": {"type": "string", "format": "date", "nullable": True},
        "updatedAt": {"type": "string", "format": "date-time"},
        "weightKg": {"type": "number"},
        "isActive": {"type": "boolean"},
        "sport": {"$ref": "#/components/schemas/Sport"},
        "team": {"$ref": "#/components/schemas/Team"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "scores": {"type": "object", "additionalProperties": {"type": "number"}},
    },
}
TEAM = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "parent": {"$ref": "#/components/schemas/Team"},
        "patients": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Patient"},
        },
    },
    "additionalProperties": False,
}


def answer(schema: dict) -> dict:
    return {"200": {"content": {"application/json": {"schema": schema}}}}


def patients() -> dict:
    return {"type": "array", "items": {"$ref": "#/components/schemas/Patient"}}


def query(name: str, schema: dict, **more) -> dict:
    return {"name": name, "in": "query", "schema": schema} | more


def operation(*parameters: dict, schema: dict | None = None, **more) -> dict:
    return {
        "parameters": [PROVIDER, *parameters],
        "responses": answer(schema or patients()),
    } | more


def document(**operations: dict) -> dict:
    """Return a document with these operations below ``/HealthcareProvider/{id}``.

    ``GetPatients=operation(...)`` is ``GET /HealthcareProvider/{id}/GetPatients``; the
    verb is the first word of the name.
    """
    verbs = {"Get": "get", "Create": "post", "Update": "put", "Delete": "delete"}
    paths = {}
    for name, one in operations.items():
        verb = next(v for word, v in verbs.items() if name.startswith(word))
        template = one.get("x-path", f"/HealthcareProvider/{{id}}/{name}")
        paths.setdefault(template, {})[verb] = {"operationId": name} | one
    return copy.deepcopy(
        {
            "openapi": "3.0.4",
            "info": {"title": "Clinics", "version": "v1"},
            "servers": [{"url": "https://sandbox.example.test/api"}],
            "paths": paths,
            "components": {
                "schemas": {
                    "Patient": PATIENT,
                    "Team": TEAM,
                    "Sport": {"type": "string", "enum": ["Rowing", "Judo"]},
                },
                "securitySchemes": {
                    "ApplicationId": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "X-App-Id",
                    },
                    "ApplicationSecret": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "X-App-Secret",
                    },
                },
            },
        }
    )
