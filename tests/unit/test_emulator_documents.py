"""The swagger document in three versions: valid, and the same API in each."""

import collections

import attrs
import jsonschema
import openapi_spec_validator
import orjson
import pytest
from openapi_spec_validator.schemas import schema_v2

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import Emulator, swagger
from healthyroster_async.emulator.document_versions import NUMBERS

pytestmark = pytest.mark.unmeasured

URLS = {
    Environment.SANDBOX: "http://127.0.0.1:8001/api",
    Environment.PRODUCTION: "http://127.0.0.1:8002/api",
}


def served(version, environment=Environment.SANDBOX, **options):
    settings = Emulator(environments=tuple(URLS), document_version=version, **options)
    return swagger.served(settings, URLS, environment)


def operations(document):
    return {
        operation["operationId"]: (verb, path, operation)
        for path, item in document["paths"].items()
        for verb, operation in item.items()
    }


def parameter(document, operation_id, name):
    _, _, operation = operations(document)[operation_id]
    (found,) = [p for p in operation["parameters"] if p["name"] == name]
    return found


def objects(node):
    if isinstance(node, dict):
        yield node
    values = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict | list):
        for value in values:
            yield from objects(value)


@pytest.mark.parametrize("casing", ["camel", "pascal", "snake"])
@pytest.mark.parametrize("version", NUMBERS)
def test_every_version_is_valid(version, casing):
    """
    A client that refuses a valid document must not be excused by an invalid one.
    """
    document = served(version, key_casing=casing, list_envelope="a.b", id_style="guid")
    if version == "2.0":
        jsonschema.validate(document, schema_v2)
        # The validator's second look takes the type file for a fault, which it is not.
        text = orjson.dumps(document)
        text = text.replace(b'"schema":{"type":"file"}', b'"schema":{}')
        document = orjson.loads(text)

    openapi_spec_validator.validate(document)


@pytest.mark.parametrize("version", NUMBERS)
def test_every_version_has_the_same_operations(version):
    """
    What a client can call must not depend on how it is written down.
    """
    document, original = served(version), served("3.0")
    found = operations(document)

    assert {name: place[:2] for name, place in found.items()} == {
        name: place[:2] for name, place in operations(original).items()
    }
    assert len(found) == len(Emulator().endpoints)
    assert NUMBERS[version] in {document.get("openapi"), document.get("swagger")}


@pytest.mark.parametrize("version", NUMBERS)
def test_a_client_has_every_way_of_writing_to_meet(version):
    """
    The emulator is there for what a client can get wrong.
    """
    every = [operation for *_, operation in operations(served(version)).values()]
    tags = collections.Counter(tag for o in every for tag in o["tags"])

    assert any(o.get("deprecated") for o in every)
    assert {"get", "post", "put", "delete"} == {
        verb for verb, *_ in operations(served(version)).values()
    }
    assert len(tags) == 15
    assert all(o["summary"] for o in every)
    assert {"query", "path", "header"} <= {
        p["in"] for o in every for p in o["parameters"]
    }
    assert not {"content", "schema"} & set(
        operations(served(version))["GetAccount"][2]["responses"]["200"]
    )


@pytest.mark.parametrize("environment", Environment)
def test_a_document_of_version_2_0_names_its_own_host_only(environment):
    """
    It has room for one, and the one that gives it out is the one it knows.
    """
    document = served("2.0", environment)
    host = f"127.0.0.1:{8001 if environment is Environment.SANDBOX else 8002}"

    assert (document["host"], document["basePath"]) == (host, "/api")
    assert document["schemes"] == ["http"]
    contract = Contract.from_swagger(document, base_urls=URLS)
    assert contract.application_id_header == "X-Application-Id"
    assert contract.rows.template.endswith("Datasources/{datasourceid}/Data")


def test_arrays_in_a_query_are_written_in_the_way_of_each_version():
    """
    A list that is written in another way is another value, or none.
    """
    old, new = served("2.0"), served("3.1")
    ways = {
        ("GetPatients", "sports"): ("csv", "form", False),
        ("GetTeams", "organizationIds"): ("multi", "form", True),
        ("GetReferrals", "urgencies"): ("pipes", "pipeDelimited", False),
    }

    for place, (collection, style, explode) in ways.items():
        assert parameter(old, *place)["collectionFormat"] == collection
        assert parameter(old, *place)["type"] == "array"
        assert parameter(new, *place)["style"] == style
        assert parameter(new, *place)["explode"] is explode
    assert "Soccer" in parameter(old, "GetPatients", "sports")["items"]["enum"]


def test_what_may_be_null_is_said_in_the_way_of_each_version():
    """
    A model that does not know of null breaks at the first record without a value.
    """
    old, middle, new = (served(version) for version in NUMBERS)
    name = "Patient"
    before = old["definitions"][name]["properties"]
    between = middle["components"]["schemas"][name]["properties"]
    after = new["components"]["schemas"][name]["properties"]

    assert before["email"]["x-nullable"] is between["email"]["nullable"] is True
    assert after["email"]["type"] == ["string", "null"]
    assert before["sport"]["allOf"] == [{"$ref": "#/definitions/Sport"}]
    assert after["sport"]["oneOf"][1] == {"type": "null"}
    assert not any(o.get("nullable") is True for o in objects(new))
    assert not any(o.get("nullable") is True for o in objects(old))


def test_files_are_said_in_the_way_of_each_version():
    """
    Uploads and downloads are where the versions differ most.
    """
    old, middle, new = (served(version) for version in NUMBERS)
    upload, download = "UploadDocument", "GetDocumentContent"
    kind = "multipart/form-data"
    files = [
        operations(document)[upload][2]["requestBody"]["content"][kind]["schema"][
            "properties"
        ]["file"]
        for document in (middle, new)
    ]
    _, _, form = operations(old)[upload]

    assert parameter(old, upload, "file")["type"] == "file"
    assert parameter(old, upload, "file")["in"] == "formData"
    assert form["consumes"] == [kind]
    assert operations(old)[download][2]["responses"]["200"]["schema"] == {
        "type": "file"
    }
    assert files[0]["format"] == "binary"
    assert files[1]["contentMediaType"] == "application/octet-stream"


@pytest.mark.parametrize(("ids", "kind"), [([1, 2], "integer"), ([1, "x"], "string")])
def test_ids_of_providers_are_of_the_same_type_everywhere(ids, kind):
    """
    A client that makes models from the document must read them in every answer.
    """
    document = served("3.0", providers=ids)
    schemas = document["components"]["schemas"]

    assert parameter(document, "GetTeams", "id")["schema"]["type"] == kind
    assert schemas["Team"]["properties"]["healthcareProviderId"]["type"] == kind


def test_changing_the_version_changes_no_other_document():
    """
    Parts are shared between documents; a converter that writes into one spoils all.
    """
    before = orjson.dumps(served("3.0"))
    served("2.0")
    served("3.1")

    assert orjson.dumps(served("3.0")) == before


def test_the_version_is_a_setting_with_a_name():
    """
    The text of the error is all that somebody who misspells it has.
    """
    names = [attribute.alias for attribute in attrs.fields(Emulator)]

    assert {"document_version", "items", "max_page_size"} <= set(names)
    with pytest.raises(Exception, match=r"document_version is '3'.*'2.0'"):
        Emulator(document_version="3")
