"""Swagger documents of our own: what real ones have, and what nobody would expect."""

from __future__ import annotations

CREDENTIALS = {
    "Id": {"type": "apiKey", "in": "header", "name": "X-Application-Id"},
    "Secret": {"type": "apiKey", "in": "header", "name": "X-Application-Secret"},
}
HOSTILE = 'end""" \\" + __import__("os").system("false") + r\'\'\' {x} \\'


def _ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(schema):
    return {
        "200": {"description": "", "content": {"application/json": {"schema": schema}}}
    }


def _query(name, schema, **more):
    return {"name": name, "in": "query", "schema": schema, **more}


def clinic():
    """Return a document as a vendor would write it, in OpenAPI 3.0."""
    provider = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "integer"},
    }
    below = "/HealthcareProvider/{id}"
    return {
        "openapi": "3.0.4",
        "info": {"title": "Clinic API", "version": "1.2"},
        "servers": [{"url": "https://sandbox.clinic.test/v1"}],
        "components": {
            "securitySchemes": CREDENTIALS,
            "schemas": {
                "Patient": {
                    "type": "object",
                    "description": "A person who is treated.",
                    "properties": {
                        "patientId": {"type": "integer"},
                        "name": {
                            "type": "string",
                            "description": "Given and family name.",
                        },
                        "birthDate": {"type": "string", "format": "date"},
                        "guardian": _ref("Patient"),
                        "status": {"type": "string", "enum": ["active", "former"]},
                        "visits": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "at": {"type": "string", "format": "date-time"}
                                },
                            },
                        },
                        "notes": {
                            "type": "object",
                            "additionalProperties": {"type": "string"},
                        },
                    },
                },
            },
        },
        "paths": {
            f"{below}/Patients": {
                "parameters": [provider],
                "get": {
                    "operationId": "GetPatients",
                    "summary": "List the patients",
                    "tags": ["Patients"],
                    "parameters": [
                        _query("organizationId", {"type": "integer"}, required=True),
                        _query(
                            "status", {"type": "string", "enum": ["active", "former"]}
                        ),
                        _query("teams", {"type": "array", "items": {"type": "string"}}),
                        _query("since", {"type": "string", "format": "date"}),
                        _query("page", {"type": "integer"}),
                    ],
                    "responses": _answer({"type": "array", "items": _ref("Patient")}),
                },
                "post": {
                    "operationId": "AddPatient",
                    "summary": "Add a patient",
                    "tags": ["Patients"],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": _ref("Patient")}},
                    },
                    "responses": _answer(_ref("Patient")),
                },
            },
            f"{below}/Patients/{{patientId}}/Photo": {
                "parameters": [
                    provider,
                    {
                        "name": "patientId",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "integer"},
                    },
                ],
                "get": {
                    "operationId": "GetPhoto",
                    "deprecated": True,
                    "responses": {
                        "200": {
                            "description": "",
                            "content": {
                                "application/octet-stream": {
                                    "schema": {"type": "string", "format": "binary"}
                                }
                            },
                        }
                    },
                },
                "put": {
                    "operationId": "PutPhoto",
                    "requestBody": {
                        "content": {
                            "multipart/form-data": {
                                "schema": {
                                    "type": "object",
                                    "properties": {
                                        "photo": {"type": "string", "format": "binary"},
                                        "caption": {"type": "string"},
                                    },
                                }
                            }
                        }
                    },
                    "responses": {"204": {"description": ""}},
                },
            },
        },
    }


def swagger_2():
    """Return a document of version 2.0: forms, files, generics, no operationIds."""
    pair = {"$ref": "#/definitions/KeyValuePair%5BString%2CInt32%5D"}
    return {
        "swagger": "2.0",
        "info": {"title": "Old", "version": "v0"},
        "host": "sandbox.old.test",
        "securityDefinitions": CREDENTIALS,
        "definitions": {
            "KeyValuePair[String,Int32]": {
                "type": "object",
                "properties": {"key": {"type": "string"}, "value": {"type": "integer"}},
            },
            "Clinic.Models.Team": {
                "type": "object",
                "properties": {"counts": {"type": "array", "items": pair}},
            },
        },
        "paths": {
            "/Teams": {
                "get": {
                    "responses": {
                        "200": {
                            "description": "",
                            "schema": {
                                "type": "array",
                                "items": {"$ref": "#/definitions/Clinic.Models.Team"},
                            },
                        }
                    },
                },
                "post": {
                    "consumes": ["application/x-www-form-urlencoded"],
                    "parameters": [
                        {
                            "name": "name",
                            "in": "formData",
                            "type": "string",
                            "required": True,
                        },
                        {"name": "logo", "in": "formData", "type": "file"},
                        {
                            "name": "sports",
                            "in": "formData",
                            "type": "array",
                            "items": {"type": "string"},
                            "collectionFormat": "csv",
                        },
                    ],
                    "responses": {"200": {"description": "", "schema": pair}},
                },
            },
        },
    }


def odd():
    """Return a document of version 3.1 in which every name and text is a trap."""
    traps = [
        "from",
        "class",
        "None",
        "self",
        "raw",
        "paging",
        "id",
        "type",
        "filter",
        "list",
        "str",
        "date",
        "datetime",
        "field",
        "dict",
        "tuple",
        "l",
        "O",
        "a.b",
        "$top",
        "1st",
        "",
        "-",
        "日本",
        "Any",
        "Model",
        "extra",
        "builtins",
        "int",
    ]
    kinds = [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
        {"type": ["string", "null"]},
        {"type": "string", "format": "uuid"},
        {"type": "array", "items": {"type": "string", "format": "date"}},
        {"type": "array", "items": {"type": "string", "format": "binary"}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "title": "Inline", "properties": {"a": {"type": "string"}}},
        {"enum": ["a, b", HOSTILE, "line\nbreak", "\u202e"], "type": "string"},
        {"enum": [1, 2, 1], "type": "integer"},
        {"enum": [0.5, 1], "type": "number"},
        {"$ref": "#/components/schemas/Tree"},
        {"$ref": "#/components/schemas/Any"},
        {"const": True, "type": "boolean"},
        {},
    ]
    members = {trap: kinds[n % len(kinds)] for n, trap in enumerate(traps)}
    parameters = [
        _query(trap, kinds[n % len(kinds)], description=HOSTILE, required=n % 3 == 0)
        for n, trap in enumerate(traps)
        if trap
    ]
    names = [
        "list",
        "property",
        "str",
        "Get",
        "operations",
        "models",
        "cast",
        "日本",
        "Literal",
        "Operations",
        "Call",
        "date",
        "import",
        "a-b",
        "a_b",
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": f"# coding: utf-7 {HOSTILE}", "version": HOSTILE},
        "servers": [{"url": "https://sandbox.odd.test"}],
        "components": {
            "securitySchemes": CREDENTIALS,
            "schemas": {
                "Any": {
                    "type": "object",
                    "description": HOSTILE,
                    "properties": members,
                },
                "Tree": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Tree"},
                },
                "Model": {
                    "type": "object",
                    "properties": {"日本": {"$ref": "#/components/schemas/日本"}},
                },
                "日本": {
                    "type": "object",
                    "title": "x",
                    "properties": {"Any": {"type": "string"}},
                },
                "ValueError": {
                    "type": "object",
                    "properties": {"x": {"type": "string"}},
                },
                "a_b": {"type": "object", "properties": {"x": {"type": "string"}}},
                "a b": {"type": "object", "properties": {"x": {"type": "string"}}},
            },
        },
        "paths": {
            f"/{n}": {
                "get": {
                    "operationId": name,
                    "summary": "Args:" if n % 2 else HOSTILE,
                    "description": "Returns:\n\nRaises\n" + HOSTILE * 9,
                    "parameters": parameters[n:],
                    "responses": _answer(
                        {"type": "array", "items": kinds[n % len(kinds)]}
                        if n % 2
                        else kinds[n % len(kinds)]
                    ),
                },
                "post": {
                    "operationId": name,
                    "requestBody": {
                        "content": {"application/json": {"schema": kinds[n]}}
                    },
                    "responses": {"default": {"description": ""}},
                },
            }
            for n, name in enumerate(names)
        },
    }


def all_of_them():
    """Return every document by a name that can be imported."""
    return {"clinic_api": clinic(), "old_api": swagger_2(), "odd_api": odd()}
