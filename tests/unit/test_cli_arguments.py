"""Texts of a command line as arguments."""

from decimal import Decimal

import pytest
import written_documents as documents

from healthyroster_async import Contract, File
from healthyroster_async.cli._arguments import arguments_of

OPERATIONS = Contract.from_swagger(documents.clinic()).operations


def given(name, *texts, files=(), body=None):
    return arguments_of(OPERATIONS[name], texts, files, body)


def test_each_text_becomes_what_its_parameter_takes():
    """
    A shell knows texts only.
    """
    made = given("get_patients", "organization_id=7", "since=2026-01-01", "teams=a,b")

    assert made == {"organizationId": 7, "since": "2026-01-01", "teams": ["a", "b"]}


def test_a_list_may_be_given_text_by_text():
    """
    That is the way to say a value that holds a comma.
    """
    made = given("get_patients", "teams=a,b", "teams=c")

    assert made == {"teams": ["a,b", "c"]}


def test_a_file_keeps_its_name(tmp_path):
    """
    Servers take the kind of a file from it.
    """
    (tmp_path / "x.png").write_bytes(b"picture")
    made = given("put_photo", "patientId=1", files=[f"photo={tmp_path / 'x.png'}"])

    assert made == {"patientId": 1, "photo": File(b"picture", "x.png")}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("get_patients", "organizationId", "give name=value"),
        ("get_patients", "status:x7secret", "argument 1 after the provider"),
        ("get_patients", '{"x7secret": "a=b"}', "such as argument 1 after"),
        ("get_patients", "organizationId=x7secret", "no integer"),
        ("get_patients", "organisation=1", "did you mean"),
        ("put_photo", "photo=x", "--file photo=PATH"),
    ],
)
def test_what_does_not_fit_is_told_without_its_value(name, text, words):
    """
    What is typed may be about a person.
    """
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        given(name, text)
    assert "x7secret" not in str(caught.value)


@pytest.mark.parametrize("file", ["x7secret.pdf", "x7secret.pdf=photo"])
def test_a_file_that_is_not_named_is_told_by_its_place(file):
    """
    Scans are called after whom they are about.
    """
    with pytest.raises((TypeError, ValueError), match="--file number 1") as caught:
        given("put_photo", files=[file])
    assert "x7secret" not in str(caught.value)


def test_one_value_is_not_given_twice():
    """
    Which one is meant, nobody knows.
    """
    with pytest.raises(ValueError, match="2 times"):
        given("get_patients", "since=2026-01-01", "since=2026-01-02")


def test_a_body_is_json_where_the_operation_takes_json():
    """
    A mistake in it is told before anything is sent.
    """
    assert given("add_patient", body=b'{"a": 1}') == {"body": {"a": 1}}
    with pytest.raises(ValueError, match="line 1, column"):
        given("add_patient", body=b'{"a":')
    with pytest.raises(TypeError, match="its form has photo, caption"):
        given("put_photo", body=b"{}")


@pytest.mark.parametrize(
    ("media", "value"),
    [
        ("application/merge-patch+json", {"a": 1}),
        ("*/*", {"a": 1}),
        ("application/x-ndjson", '{"a": 1}'),
    ],
)
def test_a_body_is_what_its_media_type_says(media, value):
    """
    Lines of JSON are no JSON, although they are called so.
    """
    raw = documents.clinic()
    add = raw["paths"]["/HealthcareProvider/{id}/Patients"]["post"]
    add["requestBody"]["content"] = {media: {"schema": {"type": "object"}}}
    operation = Contract.from_swagger(raw).operations["add_patient"]

    assert arguments_of(operation, [], [], b'{"a": 1}') == {"body": value}


def test_numbers_stay_exact():
    """
    0.1 as a float is another number.
    """
    raw = documents.clinic()
    path = raw["paths"]["/HealthcareProvider/{id}/Patients"]
    path["get"]["parameters"][1]["schema"] = {"type": "number"}
    path["get"]["parameters"][2]["schema"] = {"type": "boolean"}
    operation = Contract.from_swagger(raw).operations["get_patients"]
    made = arguments_of(operation, ["status=0.1", "teams=yes"], [], None)

    assert made == {"status": Decimal("0.1"), "teams": True}
    for text in ("status=a", "teams=a"):
        with pytest.raises(ValueError, match=r"no number|neither true nor false"):
            arguments_of(operation, [text], [], None)
