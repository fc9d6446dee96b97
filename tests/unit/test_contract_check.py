"""What is understood of a document: counted, and told with its place."""

import pytest
import written_documents as documents

from healthyroster_async import ConfigurationError, Environment
from healthyroster_async._core.contract_check import Given, check
from healthyroster_async._core.document import Document


def checked(raw, **given):
    return check(Document.of(raw), Given(**given))


def test_a_good_document_is_understood():
    """
    Who reads the report compares it with what the vendor promised.
    """
    found = checked(documents.clinic())

    assert found.usable
    assert (found.title, found.api_version, found.version) == (
        "Clinic API",
        "1.2",
        "3.0",
    )
    assert found.base_urls == {"sandbox": "https://sandbox.clinic.test/v1"}
    assert found.application_secret_header.name == "X-Application-Secret"
    assert found.application_secret_header.how == "declared as an API key"
    assert (found.operations.total, found.operations.safe) == (4, 2)
    assert found.operations.deprecated == 1
    assert dict(found.operations.provider) == {"id": 4}
    assert found.operations.without_provider == 0
    assert found.paging == {"page": ("get_patients",)}
    assert set(found.reporting.values()) == {None}
    assert found.problems == ()


def test_what_is_missing_is_named_with_its_setting():
    """
    The next step is a setting, not a search.
    """
    raw = documents.clinic()
    del raw["servers"], raw["components"]["securitySchemes"]
    found = checked(raw)
    words = " ".join(found.missing)

    assert not found.usable
    for name in (
        "SANDBOX_BASE_URL",
        "APPLICATION_ID_HEADER",
        "APPLICATION_SECRET_HEADER",
    ):
        assert f"HEALTHYROSTER_{name}" in words


def test_settings_make_up_for_what_is_missing():
    """
    A document that leaves things open is the rule.
    """
    raw = documents.clinic()
    del raw["servers"], raw["components"]["securitySchemes"]
    found = checked(
        raw,
        base_urls={Environment.SANDBOX: "https://x.test"},
        headers={"application_id_header": "A", "application_secret_header": "B"},
    )

    assert found.usable
    assert found.application_id_header.how == "given by your settings"


def test_a_base_url_of_the_settings_takes_its_host_from_the_document():
    """
    The check and the pool read the same document, and say the same.
    """
    raw = documents.clinic()
    own = "https://sandbox.clinic.test/v1"
    found = checked(raw, base_urls={Environment.PRODUCTION: own})

    assert found.usable
    assert found.base_urls == {"production": own}


def test_a_pool_that_would_be_refused_is_not_promised():
    """
    Plain http would send the secret unencrypted, whoever says so.
    """
    raw = documents.clinic()
    raw["servers"] = [{"url": "http://sandbox.clinic.test"}]
    found = checked(raw)

    assert not found.usable
    assert "plain http" in found.refused


def test_every_problem_has_its_place():
    """
    Documents are long: where is half of the answer.
    """
    raw = documents.clinic()
    paths, schemas = raw["paths"], raw["components"]["schemas"]
    schemas["Patient"]["properties"]["guardian"] = {"$ref": "other.json#/Guardian"}
    schemas["Patient"]["properties"]["notes"] = {"type": "strnig"}
    photo = paths["/HealthcareProvider/{id}/Patients/{patientId}/Photo"]
    photo["put"]["operationId"] = "GetPhoto"
    paths["/Broken"] = {"get": {"parameters": [{"in": "nowhere", "name": "x"}]}}
    paths["/Files"] = {"get": {}, "servers": [{"url": "https://files.test"}]}
    found = checked(raw)
    patient = "#/components/schemas/Patient/properties"
    photos = "#/paths/~1HealthcareProvider~1{id}~1Patients~1{patientId}~1Photo"

    assert found.usable
    assert {problem.where for problem in found.problems} == {
        "#/paths/~1Broken/get/parameters/0",
        "#/paths/~1Files/servers",
        f"{photos}/put/operationId",
        f"{patient}/guardian",
        f"{patient}/notes",
    }


@pytest.mark.parametrize("raw", documents.all_of_them().values())
def test_odd_documents_are_checked_to_their_end(raw):
    """
    It is most needed where most is wrong.
    """
    found = checked(raw)

    assert found.operations.total > 0


def test_a_document_without_sense_is_refused_with_a_place():
    """
    There is nothing to count in it.
    """
    raw = documents.clinic() | {"paths": []}

    with pytest.raises(ConfigurationError, match="#/paths"):
        checked(raw)
