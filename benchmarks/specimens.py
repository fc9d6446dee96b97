"""Swagger documents of our own: one clinic's API in three versions, with every oddity.

They hold themselves, inherit, take forms and files, and have names that no Python has.
All people and places in them are made up.
"""

from __future__ import annotations

import copy
from typing import Any

_TEXT = {"type": "string"}
_INTEGER = {"type": "integer", "format": "int32"}


def _schemas(root: str) -> dict[str, Any]:
    return {
        "Clinic.Models.Patient": {
            "type": "object",
            "description": "Who is treated.",
            "required": ["PatientId"],
            "properties": {
                "PatientId": {"type": "integer", "format": "int64", "example": 7},
                "Name": _TEXT,
                "born": {"type": "string", "format": "date"},
                "seen-at": {"type": "string", "format": "date-time"},
                "class": {"type": "string", "enum": ["Athlete", "Employee"]},
                "Team": {"$ref": f"{root}/Team"},
                "Contacts": {
                    "type": "object",
                    "additionalProperties": {"$ref": f"{root}/Contact"},
                },
                "Weight": {"type": "number", "format": "double", "minimum": 1},
                "Active": {"type": "boolean", "default": True},
                "extra": _TEXT,
            },
        },
        "Team": {
            "type": "object",
            "properties": {
                "Name": {**_TEXT, "minLength": 1, "maxLength": 40},
                "Captain": {"$ref": f"{root}/Clinic.Models.Patient"},
                "Parent": {"$ref": f"{root}/Team"},
                "Members": {
                    "type": "array",
                    "items": {"$ref": f"{root}/Clinic.Models.Patient"},
                },
            },
        },
        "Contact": {
            "allOf": [
                {"$ref": f"{root}/Named"},
                {"type": "object", "properties": {"Phone": _TEXT}},
            ]
        },
        "Named": {
            "type": "object",
            "required": ["Name"],
            "properties": {"Name": _TEXT, "name_2": _TEXT},
        },
        "KeyValuePair[String,String]": {
            "type": "object",
            "properties": {"Key": _TEXT, "Value": _TEXT},
            "additionalProperties": False,
        },
        "Page[Patient]": {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {"$ref": f"{root}/Clinic.Models.Patient"},
                },
                "totalCount": _INTEGER,
                "pairs": {
                    "type": "array",
                    "items": {"$ref": f"{root}/KeyValuePair[String,String]"},
                },
            },
        },
        "Kind": {"type": "integer", "enum": [0, 1, 2]},
    }


def _answer_2(schema: Any) -> dict[str, Any]:
    return {"200": {"description": "OK", "schema": schema}}


def swagger_2() -> dict[str, Any]:
    """Return the document in version 2.0."""
    root = "#/definitions"
    patient = {"$ref": f"{root}/Clinic.Models.Patient"}
    many = {"type": "array", "items": patient}
    return {
        "swagger": "2.0",
        "info": {"title": "Clinic", "version": "v1"},
        "host": "sandbox.clinic.test:8443",
        "basePath": "/api",
        "schemes": ["https"],
        "consumes": ["application/json", "text/json"],
        "produces": ["application/json"],
        "securityDefinitions": {
            "applicationId": {"type": "apiKey", "in": "header", "name": "X-App-Id"},
            "applicationSecret": {
                "type": "apiKey",
                "in": "header",
                "name": "X-App-Secret",
            },
        },
        "security": [{"applicationId": [], "applicationSecret": []}],
        "parameters": {
            "top": {"name": "$top", "in": "query", **_INTEGER, "maximum": 50},
        },
        "paths": {
            "/HealthcareProvider/{id}/Patients": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, **_INTEGER}
                ],
                "get": {
                    "operationId": "Patients_GetAll",
                    "summary": "All patients.",
                    "tags": ["Patients"],
                    "parameters": [
                        {"$ref": "#/parameters/top"},
                        {"name": "page", "in": "query", **_INTEGER},
                        {"name": "filter.name", "in": "query", **_TEXT},
                        {
                            "name": "ids",
                            "in": "query",
                            "type": "array",
                            "items": _INTEGER,
                            "collectionFormat": "multi",
                        },
                        {
                            "name": "codes",
                            "in": "query",
                            "type": "array",
                            "items": _TEXT,
                            "collectionFormat": "csv",
                        },
                        {
                            "name": "since",
                            "in": "query",
                            "type": "string",
                            "format": "date-time",
                        },
                        {
                            "name": "kind",
                            "in": "query",
                            "type": "string",
                            "enum": ["Athlete", "Employee"],
                        },
                        {"name": "X-Trace", "in": "header", **_TEXT},
                    ],
                    "responses": _answer_2({"$ref": f"{root}/Page[Patient]"}),
                },
                "post": {
                    "operationId": "Patients_Add",
                    "parameters": [
                        {
                            "name": "patient",
                            "in": "body",
                            "required": True,
                            "schema": patient,
                        }
                    ],
                    "responses": _answer_2(patient),
                },
            },
            "/HealthcareProvider/{id}/Patients/{patientId}": {
                "get": {
                    "operationId": "Patients_GetAll2",
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, **_INTEGER},
                        {
                            "name": "patientId",
                            "in": "path",
                            "required": True,
                            **_INTEGER,
                        },
                    ],
                    "responses": _answer_2(patient),
                },
                "put": {
                    "operationId": "Patients_Form",
                    "consumes": ["application/x-www-form-urlencoded"],
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, **_INTEGER},
                        {
                            "name": "patientId",
                            "in": "path",
                            "required": True,
                            **_INTEGER,
                        },
                        {"name": "Name", "in": "formData", "required": True, **_TEXT},
                        {"name": "from", "in": "formData", **_INTEGER},
                    ],
                    "responses": {"204": {"description": "Done"}},
                },
            },
            "/HealthcareProvider/{id}/Files": {
                "post": {
                    "consumes": ["multipart/form-data"],
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, **_INTEGER},
                        {"name": "note", "in": "formData", **_TEXT},
                        {
                            "name": "scan",
                            "in": "formData",
                            "required": True,
                            "type": "file",
                        },
                    ],
                    "responses": {"200": {"description": "no schema"}},
                },
                "get": {
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, **_INTEGER},
                    ],
                    "responses": _answer_2(many),
                },
            },
        },
        "definitions": _schemas(root),
    }


def _answer_3(schema: Any) -> dict[str, Any]:
    return {
        "200": {
            "description": "OK",
            "content": {
                "text/plain": {"schema": schema},
                "application/json": {"schema": schema},
                "text/json": {"schema": schema},
            },
        }
    }


def _body_3(media: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"required": True, "content": {media: {"schema": schema, **more}}}


def openapi_3() -> dict[str, Any]:
    """Return the document in version 3.0."""
    root = "#/components/schemas"
    patient = {"$ref": f"{root}/Clinic.Models.Patient"}
    provider = {"name": "id", "in": "path", "required": True, "schema": _INTEGER}
    one = {"name": "patientId", "in": "path", "required": True, "schema": _INTEGER}

    def query(name: str, schema: Any, **more: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", "schema": schema, **more}

    texts = {"type": "array", "items": _TEXT}
    schemas = _schemas(root)
    schemas["Team"]["properties"]["Parent"] = {
        "allOf": [{"$ref": f"{root}/Team"}],
        "nullable": True,
    }
    schemas["Note"] = {
        "anyOf": [{"$ref": f"{root}/Named"}, {"$ref": f"{root}/Contact"}],
        "discriminator": {"propertyName": "Name"},
    }
    return {
        "openapi": "3.0.4",
        "info": {"title": "Clinic", "version": "v1"},
        "servers": [
            {
                "url": "https://{tenant}.clinic.test/{path}",
                "description": "Sandbox",
                "variables": {
                    "tenant": {"default": "a", "enum": ["a", "b"]},
                    "path": {"default": "api"},
                },
            }
        ],
        "security": [{"applicationId": [], "applicationSecret": []}],
        "paths": {
            "/HealthcareProvider/{id}/Patients": {
                "parameters": [provider],
                "get": {
                    "operationId": "Patients_GetAll",
                    "summary": "All patients.",
                    "tags": ["Patients"],
                    "parameters": [
                        {"$ref": "#/components/parameters/top"},
                        query("page", _INTEGER),
                        query("filter.name", _TEXT),
                        query("ids", {"type": "array", "items": _INTEGER}),
                        query("codes", texts, explode=False),
                        query("piped", texts, style="pipeDelimited", explode=False),
                        query("spaced", texts, style="spaceDelimited", explode=False),
                        query("since", {"type": "string", "format": "date-time"}),
                        query(
                            "deep",
                            {
                                "type": "object",
                                "properties": {"from": _TEXT, "to": _TEXT},
                            },
                            style="deepObject",
                            explode=True,
                        ),
                        {
                            "name": "json",
                            "in": "query",
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "type": "object",
                                        "properties": {"a": _INTEGER},
                                    }
                                }
                            },
                        },
                        {"name": "X-Trace", "in": "header", "schema": _TEXT},
                        {"name": "crumb", "in": "cookie", "schema": _TEXT},
                    ],
                    "responses": _answer_3({"$ref": f"{root}/Page[Patient]"}),
                },
                "post": {
                    "operationId": "Patients_Add",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "text/json": {"schema": patient},
                            "application/*+json": {"schema": patient},
                            "application/json": {"schema": patient},
                        },
                    },
                    "responses": _answer_3(patient),
                },
            },
            "/HealthcareProvider/{id}/Patients/{patientId}": {
                "parameters": [provider, one],
                "get": {
                    "operationId": "Patients_GetOne",
                    "responses": _answer_3(patient),
                },
                "put": {
                    "operationId": "Patients_Form",
                    "requestBody": _body_3(
                        "application/x-www-form-urlencoded",
                        {
                            "type": "object",
                            "required": ["Name"],
                            "properties": {
                                "Name": _TEXT,
                                "from": _INTEGER,
                                "tags": texts,
                                "codes": texts,
                            },
                        },
                        # Prism does not know that this is so by default.
                        encoding={
                            "tags": {"style": "form", "explode": True},
                            "codes": {"style": "form", "explode": False},
                        },
                    ),
                    "responses": {"204": {"description": "Done"}},
                },
                "patch": {
                    "operationId": "Patients_Note",
                    "requestBody": _body_3(
                        "application/json", {"$ref": f"{root}/Note"}
                    ),
                    "responses": {"default": {"description": "no content"}},
                },
                "head": {"responses": {"200": {"description": "no body"}}},
            },
            "/HealthcareProvider/{id}/Ranges/{ids}/{plain}": {
                "get": {
                    "parameters": [
                        provider,
                        {
                            "name": "ids",
                            "in": "path",
                            "required": True,
                            "schema": {"type": "array", "items": _INTEGER},
                        },
                        {
                            "name": "plain",
                            "in": "path",
                            "required": True,
                            "schema": {"type": "string", "format": "uuid"},
                        },
                        # Required, for Prism crashes over a list that is not sent.
                        {
                            "name": "X-Many",
                            "in": "header",
                            "required": True,
                            "schema": texts,
                        },
                    ],
                    "responses": _answer_3({"type": "array", "items": patient}),
                }
            },
            "/HealthcareProvider/{id}/Files": {
                "parameters": [provider],
                "post": {
                    "requestBody": _body_3(
                        "multipart/form-data",
                        {
                            "type": "object",
                            "required": ["scan"],
                            "properties": {
                                "note": _TEXT,
                                "scan": {"type": "string", "format": "binary"},
                            },
                        },
                    ),
                    "responses": {"200": {"description": "no schema"}},
                },
                "put": {
                    "requestBody": _body_3(
                        "application/octet-stream",
                        {"type": "string", "format": "binary"},
                    ),
                    "responses": {"200": {"description": "no schema"}},
                },
                "get": {
                    "responses": {
                        "200": {
                            "description": "a file",
                            "content": {
                                "application/octet-stream": {
                                    "schema": {"type": "string", "format": "binary"}
                                }
                            },
                        }
                    },
                },
            },
        },
        "components": {
            "parameters": {"top": query("$top", {**_INTEGER, "maximum": 50})},
            "securitySchemes": {
                "applicationId": {"type": "apiKey", "in": "header", "name": "X-App-Id"},
                "applicationSecret": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-App-Secret",
                },
            },
            "schemas": schemas,
        },
    }


def openapi_31() -> dict[str, Any]:
    """Return the document in version 3.1, where null is a type."""
    document = copy.deepcopy(openapi_3())
    document["openapi"] = "3.1.1"
    schemas = document["components"]["schemas"]
    team = schemas["Team"]["properties"]
    team["Parent"] = {
        "description": "A reference with siblings.",
        "oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Team"}],
    }
    team["Name"] = {"type": ["string", "null"], "minLength": 1}
    team["Captain"]["description"] = "A sibling of a reference."
    schemas["Kind"] = {"const": 2}
    schemas["Anything"] = True
    document["webhooks"] = {"seen": {"post": {"responses": {}}}}
    return document


DOCUMENTS = {
    "clinic-2.0": swagger_2,
    "clinic-3.0": openapi_3,
    "clinic-3.1": openapi_31,
}
