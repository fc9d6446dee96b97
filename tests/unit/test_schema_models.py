"""Classes made from a document, and answers that do not quite fit it."""

import copy
import datetime as dt
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import attrs
import orjson
import pytest
from documents import answer, document, operation
from fakes import request

from healthyroster_async import (
    Contract,
    DecodingError,
    Outcomes,
    Response,
    Succeeded,
)
from healthyroster_async._core.document import Document
from healthyroster_async._core.operations import Operations
from healthyroster_async._resources.operations import Registry, registry_of

DAY = dt.date(2001, 2, 3)
MOMENT = dt.datetime(2026, 1, 31, 8, 30, 0, 123456, tzinfo=dt.UTC)


def registry(**changes) -> Registry:
    made = document(GetPatients=operation(**changes))
    return Registry(Contract.from_swagger(made).operations)


def decoded(body: bytes, *, content_type="application/json", **changes):
    prepared = registry(**changes).get("GetPatients")
    headers = {"content-type": content_type}
    response = Response(request=request(), status=200, headers=headers, body=body)
    return prepared.decoder.decode(response)


PATIENT = {"$ref": "#/components/schemas/Patient"}


def test_an_answer_becomes_typed_models():
    """
    Names are Python's, dates are dates, what is nested is a model too.
    """
    (patient,) = decoded(
        b'[{"id": 1, "firstName": "Quill", "dateOfBirth": "2001-02-03", "updatedAt":'
        b'"2026-01-31T08:30:00.1234567Z", "team": {"name": "A", "parent": {"name":'
        b'"B"}, "patients": [{"id": 2}]}, "tags": ["x"], "scores": {"a": 1.5}}]'
    )

    assert patient.first_name == "Quill"
    assert patient.date_of_birth == DAY
    assert patient.updated_at == MOMENT
    assert patient.team.parent.name == "B"
    assert patient.team.patients[0].id == 2
    assert type(patient.team.patients[0]) is type(patient)
    assert patient.tags == ("x",)
    assert patient.scores == {"a": 1.5}
    assert patient.weight_kg is None
    assert patient.extra == {}


NESTED = b"""[{"id": 1, "dateOfBirth": "2001-02-03", "nickname": "A",
    "team": {"name": "A", "patients": [{"id": 2}]}, "tags": ["x"]}]"""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_answer_survives_copy_and_pickle(protocol):
    """
    Caches and pools of processes hold answers, and no module has their classes.
    """
    (patient,) = decoded(NESTED)
    outcomes = Outcomes({1: Succeeded(key=1, provider_id=1, value=patient)})
    raw = pickle.dumps(patient, protocol)

    for again in (
        pickle.loads(raw),
        copy.copy(patient),
        copy.deepcopy(patient),
        pickle.loads(pickle.dumps(outcomes, protocol))[1].value,
        *decoded(NESTED),
    ):
        assert again == patient
        assert type(again) is type(patient)
        assert type(again.team.patients[0]) is type(patient)
        assert again.extra == {"nickname": "A"}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        pickle.loads(raw).id = 2


def test_a_process_that_knows_no_document_reads_an_answer():
    """
    A worker is given answers and not the contract.
    """
    (patient,) = decoded(NESTED)
    program = """
import pickle, sys
patient = pickle.load(sys.stdin.buffer)
again = pickle.loads(pickle.dumps(patient))
assert again == patient and type(again) is type(patient)
print(patient, patient.team.patients[0].id, patient.date_of_birth, patient.__doc__)
"""
    read = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(patient),
        stdout=subprocess.PIPE,
        check=True,
    )

    assert read.stdout.decode().split() == [
        *repr(patient).split(), "2", "2001-02-03", *type(patient).__doc__.split()
    ]  # fmt: skip


class Own(type(decoded(NESTED)[0])):
    pass


def test_a_class_of_ones_own_stays_what_it_is():
    """
    Its module has it, with whatever it adds.
    """
    assert type(pickle.loads(pickle.dumps(Own(id=1)))) is Own


@pytest.mark.parametrize("key", ["firstName", "FirstName", "first_name", "firstname"])
def test_the_case_of_a_key_does_not_matter(key):
    """
    The vendor's service answers in either, and the document may say the other.
    """
    (patient,) = decoded(b'[{"%s": "Quill"}]' % key.encode())

    assert patient.first_name == "Quill"
    assert patient.extra == {}


@pytest.mark.parametrize(
    ("body", "name", "kept"),
    [
        (b'{"id": "A7"}', "id", "A7"),
        (b'{"dateOfBirth": "unknown"}', "date_of_birth", "unknown"),
        (b'{"dateOfBirth": 7}', "date_of_birth", 7),
        (b'{"team": "A"}', "team", "A"),
        (b'{"tags": "x"}', "tags", "x"),
        (b'{"scores": [1]}', "scores", [1]),
        (b'{"sport": "Chess"}', "sport", "Chess"),
        (b'{"isActive": 1}', "is_active", 1),
        (b'{"updatedAt": null}', "updated_at", None),
    ],
)
def test_a_value_that_does_not_fit_is_kept_as_it_came(body, name, kept):
    """
    A document is older than its service; nothing of an answer is lost for that.
    """
    assert getattr(decoded(body, schema=PATIENT), name) == kept


def test_what_the_document_does_not_name_is_kept():
    """
    Under the API's own names, and a second spelling of a known one too.
    """
    patient = decoded(b'{"id": 1, "ID": 2, "new": {"a": 1}}', schema=PATIENT)

    assert (patient.id, patient.extra) == (1, {"ID": 2, "new": {"a": 1}})


@pytest.mark.parametrize(
    ("wires", "keys", "values", "extra"),
    [
        (("id", "_id"), ("id", "_id"), (0, 1), ()),
        (("id", "_id"), ("_id",), (None, 0), ()),
        (("id", "_id"), ("_Id", "Id"), (1, 0), ()),
        (("_id", "id"), ("id", "ID"), (None, 0), ("ID",)),
        (("userId", "user_id"), ("user_id", "userId"), (1, 0), ()),
        (("address1", "address_1"), ("Address_1", "Address1"), (1, 0), ()),
        (("patientId",), ("patient_id", "patientId"), (1,), ("patient_id",)),
        (("patientId",), ("patient_id", "PatientId"), (1,), ("patient_id",)),
        (("filter.name",), ("FilterName", "filter.name"), (1,), ("FilterName",)),
        (("filter.name",), ("FilterName",), (0,), ()),
    ],
)
def test_a_key_is_of_the_member_that_is_spelled_most_like_it(
    wires, keys, values, extra
):
    """
    Else of two ids that differ in an underscore one is lost, or is taken for the other.
    """
    schema = {"type": "object", "properties": {wire: {} for wire in wires}}
    body = orjson.dumps({key: n for n, key in enumerate(keys)})
    made = decoded(body, schema=schema)

    names = [a.name for a in attrs.fields(type(made)) if a.name != "extra"]
    assert tuple(getattr(made, name) for name in names) == values
    assert tuple(made.extra) == extra


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"error": "Quill"}', "a list was expected, not a dict"),
        (b'"Quill"', "a list was expected, not a str"),
        (b"[Quill", "the answer is no JSON"),
    ],
)
def test_an_answer_of_another_form_is_an_error_that_shows_nothing(body, sentence):
    """
    Whoever goes through it must not go through the keys of a failure.
    """
    with pytest.raises(DecodingError, match=sentence) as caught:
        decoded(body)
    assert "Quill" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "media", "expected"),
    [
        (b"", "application/json", None),
        (b"null", "application/json", None),
        (b"a,b", "text/csv", "a,b"),
        (b"\x00\x01", "application/pdf", b"\x00\x01"),
        (b"[]", "application/problem+json; charset=utf-8", []),
        (b"[]", "text/json", []),
        (b"[]", "application/json+fhir", []),
        (b"[]", "application/vnd.clinic.json", []),
        (b"\x89PNG", "image/*", b"\x89PNG"),
        (b"[]\n[]\n", "application/x-ndjson", "[]\n[]\n"),
        (b"[]", "", []),
    ],
)
def test_what_is_no_json_comes_as_it_is(body, media, expected):
    """
    Text as text, a file as bytes, nothing as None.
    """
    assert decoded(body, content_type=media) == expected


def test_a_page_of_html_is_what_the_document_says_or_an_error():
    """
    A login or a proxy answers 200 with one, and a text goes through as if it were data.
    """
    page, media = b"<html>Quill</html>", "text/html; charset=utf-8"
    for responses in ({"200": {}}, None):
        changes = {} if responses is None else {"responses": responses}
        with pytest.raises(DecodingError, match="a page of HTML") as caught:
            decoded(page, content_type=media, **changes)
        assert "Quill" not in str(caught.value)
    printed = {"200": {"content": {"text/html": {"schema": {"type": "string"}}}}}
    assert decoded(page, content_type=media, responses=printed) == page.decode()


def test_an_answer_that_the_document_does_not_describe_is_plain():
    """
    Many have a 200 without a schema.
    """
    assert decoded(b'{"a": [1]}', responses={"200": {}}) == {"a": [1]}
    binary = {"200": {"content": {"application/octet-stream": {}}}}
    assert decoded(b"{}", responses=binary) == b"{}"


def test_an_answer_is_read_by_what_the_document_has_for_its_status():
    """
    A job that was begun is no patient, and no error.
    """
    team = {"$ref": "#/components/schemas/Team"}
    other = answer({"type": "array", "items": team})["200"]
    responses = answer(PATIENT) | {"201": answer(PATIENT)["200"], "202": other}
    prepared = registry(responses=responses).get("GetPatients")

    def read(status, body):
        return prepared.decoder.decode(
            Response(request=request(), status=status, body=body)
        )

    assert read(202, b'[{"name": "A"}]')[0].name == "A"
    assert [read(status, b'{"id": 1}').id for status in (200, 201, 203)] == [1, 1, 1]
    assert read(202, b"") is None
    assert str(prepared.signature).endswith("-> Patient | list[Team]")


def test_a_range_of_statuses_is_what_no_other_is():
    """
    A job that was begun is no patient, whichever of them says so.
    """
    team = answer({"$ref": "#/components/schemas/Team"})["200"]
    responses = answer(PATIENT) | {"2XX": team}
    read = registry(responses=responses).get("GetPatients").decoder.decode

    def decoded_as(status):
        made = read(Response(request=request(), status=status, body=b'{"id": 1}'))
        return type(made).__name__

    assert list(map(decoded_as, (200, 201, 202))) == ["Patient", "Team", "Team"]


def test_a_model_is_silent_about_people():
    """
    A repr ends in logs and notebooks; attrs.asdict shows the values.
    """
    patient = decoded(b'{"id": 1, "firstName": "Quill", "x": 1}', schema=PATIENT)
    empty = decoded(b"{}", schema=PATIENT)

    assert repr(patient) == "<Patient: id, first_name, extra>"
    assert repr(empty) == "<Patient: empty>"
    assert attrs.asdict(patient)["first_name"] == "Quill"


def test_a_model_is_a_value():
    """
    It compares, and cannot be changed by accident.
    """
    one, same = (decoded(b'{"id": 1}', schema=PATIENT) for _ in range(2))
    models = registry().models

    assert attrs.asdict(one) == attrs.asdict(same)
    assert models.Patient(id=1) == models.Patient(id=1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.id = 2


def test_the_classes_can_be_found_by_name():
    """
    Tab completion lists them, a wrong name says so.
    """
    models = registry().models

    assert {"Patient", "Team"} <= set(dir(models))
    assert repr(models) == "<Models: Patient, Team>"
    assert "Sport" not in dir(models)  # a text, and no object
    fields = {a.name: a.type for a in attrs.fields(models.Patient)}
    assert fields["date_of_birth"] == "date | None"
    assert fields["team"] == "Team | None"
    assert fields["tags"] == "tuple[str, ...] | None"
    with pytest.raises(AttributeError, match="no object 'Patients'"):
        _ = models.Patients


def test_parts_of_a_schema_are_one_model():
    """
    ``allOf`` is how ASP.NET writes inheritance, and a nullable reference.
    """
    schema = {
        "title": "Athlete",
        "allOf": [
            PATIENT,
            {"type": "object", "properties": {"jersey": {"type": "integer"}}},
        ],
        "properties": {"captain": {"allOf": [PATIENT], "nullable": True}},
    }
    athlete = decoded(
        b'{"firstName": "Quill", "jersey": 4, "captain": {"id": 3}}', schema=schema
    )

    assert (athlete.first_name, athlete.jersey, athlete.captain.id) == ("Quill", 4, 3)
    assert type(athlete).__name__ == "Athlete"
    assert type(athlete.captain).__name__ == "Patient"


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [PATIENT, {"type": "null"}]},
        {"anyOf": [{"type": "null"}, PATIENT]},
        {"type": ["object", "null"], "properties": {"firstName": {"type": "string"}}},
    ],
)
def test_null_and_something_is_something(schema):
    """
    The three ways of OpenAPI 3.1 to say nullable.
    """
    assert decoded(b'{"firstName": "Quill"}', schema=schema).first_name == "Quill"
    assert decoded(b"null", schema=schema) is None


def test_one_of_several_forms_is_not_guessed():
    """
    It stays plain data.
    """
    schema = {"oneOf": [PATIENT, {"$ref": "#/components/schemas/Team"}]}

    assert decoded(b'{"name": "A"}', schema=schema) == {"name": "A"}


def test_a_list_of_lists_and_a_map_of_models_are_read():
    """
    What is nested is read at any depth.
    """
    lists = {"type": "array", "items": {"type": "array", "items": PATIENT}}
    maps = {"type": "object", "additionalProperties": PATIENT}

    assert decoded(b'[[{"id": 1}]]', schema=lists)[0][0].id == 1
    assert decoded(b'{"a": {"id": 1}}', schema=maps)["a"].id == 1


def test_a_schema_that_holds_itself_is_read():
    """
    Circular documents are common; the answer is not circular.
    """
    again = {"type": "array", "items": {"$ref": "#/components/schemas/Again"}}
    made = document(GetPatients=operation(schema=again))
    made["components"]["schemas"]["Again"] = again
    prepared = Registry(Contract.from_swagger(made).operations).get("get_patients")
    response = Response(request=request(), status=200, body=b"[[[]]]")

    assert prepared.decoder.decode(response) == [((),)]


class Slow(dict):
    """A schema whose first reader is held up until others have come."""

    def __init__(self, schema):
        super().__init__(schema)
        self.begun, self.enough = threading.Event(), threading.Event()

    def get(self, *args):
        if not self.begun.is_set():
            self.begun.set()
            assert self.enough.wait(5)
        return super().get(*args)


@pytest.mark.parametrize(
    "look",
    [
        lambda registry: registry.get("get_patients"),
        lambda registry: registry.models.Patient,
        lambda registry: registry.operations["get_patients"].answer.items,
    ],
    ids=["operation", "model", "shape"],
)
def test_threads_that_read_a_schema_at_once_read_it_alike(look):
    """
    Else whoever comes second takes it for anything, and so does the pool, for good.
    """
    made = document(GetPatients=operation())
    schemas = made["components"]["schemas"]
    slow = schemas["Patient"] = Slow(schemas["Patient"])
    operations = Operations(Document.of(made))

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lambda: look(registry_of(operations)))
        assert slow.begun.wait(5)
        second = threads.submit(lambda: look(registry_of(operations)))
        wait([second], timeout=0.1)
        slow.enough.set()

        assert first.result() is second.result()
    items = registry_of(operations).get("get_patients").operation.answer.items
    assert items.name == "Patient"
