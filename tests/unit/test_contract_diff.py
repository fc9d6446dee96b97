"""What an update of a document means for who calls the old one."""

import time
from copy import deepcopy

import pytest
import written_documents as documents

from healthyroster_async._core.contract_diff import diff
from healthyroster_async._core.document import Document

PATIENTS = "/HealthcareProvider/{id}/Patients"
PHOTO = "/HealthcareProvider/{id}/Patients/{patientId}/Photo"
MOVED = "/HealthcareProvider/{id}/People"
OLD = documents.clinic()


def operation(raw, verb="get", path=PATIENTS):
    return raw["paths"][path][verb]


def parameter(raw, name):
    return next(p for p in operation(raw)["parameters"] if p["name"] == name)


def body(raw):
    return operation(raw, "post")["requestBody"]["content"]


def members(raw):
    return raw["components"]["schemas"]["Patient"]["properties"]


def changed(change):
    """Compare our document with what a change makes of it."""
    new = deepcopy(OLD)
    change(new)
    return diff(Document.of(deepcopy(OLD)), Document.of(new))


def told(found):
    return [(c.weight, c.where, c.text) for c in found.changes]


@pytest.mark.parametrize("raw", documents.all_of_them().values())
def test_a_document_is_like_itself(raw):
    """
    Whatever is in it: a false alarm teaches to ignore the true ones.
    """
    assert diff(Document.of(raw), Document.of(deepcopy(raw))).changes == ()


def test_what_could_not_be_called_before_is_no_news():
    """
    An alarm that nobody can put out is ignored, and the next one with it.
    """
    raw = deepcopy(OLD)
    operation(raw)["servers"] = [{"url": "https://files.test"}]

    assert diff(Document.of(raw), Document.of(deepcopy(raw))).changes == ()


BREAKS = {
    "its server is elsewhere": (
        lambda raw: operation(raw).update(servers=[{"url": "https://files.test"}])
    ),
    "gone": (lambda raw: operation(raw) and raw["paths"][PATIENTS].pop("get")),
    "called list_patients": (
        lambda raw: operation(raw).update(operationId="ListPatients")
    ),
    "teams is gone": (
        lambda raw: operation(raw)["parameters"].remove(parameter(raw, "teams"))
    ),
    "region is new and required": (
        lambda raw: operation(raw)["parameters"].append(
            {"name": "region", "in": "query", "required": True}
        )
    ),
    "since is required": (lambda raw: parameter(raw, "since").update(required=True)),
    "it was an integer and is a text": (
        lambda raw: parameter(raw, "organizationId").update(schema={"type": "string"})
    ),
    "it was a text and is a date": (
        lambda raw: members(raw).update(name={"type": "string", "format": "date"})
    ),
    "cannot be 'former'": (
        lambda raw: parameter(raw, "status")["schema"].update(enum=["active"])
    ),
    "Patient.birth_date: it is gone": (lambda raw: members(raw).pop("birthDate")),
    "answer is not described": (lambda raw: operation(raw).pop("responses")),
    "its body was application/json and is application/xml now": (
        lambda raw: body(raw).update(
            {"application/xml": body(raw).pop("application/json")}
        )
    ),
    "pages() does not know": (
        lambda raw: operation(raw)["parameters"].remove(parameter(raw, "page"))
    ),
    "header field of the application id was X-Application-Id": (
        lambda raw: raw["components"]["securitySchemes"]["Id"].update(name="X-Id")
    ),
    "base URL of sandbox was": (
        lambda raw: raw.update(servers=[{"url": "https://sandbox.other.test"}])
    ),
}
MAY_BREAK = {
    "deprecated": (lambda raw: operation(raw).update(deprecated=True)),
    "it may be 'new' as well": (
        lambda raw: members(raw)["status"].update(enum=["active", "former", "new"])
    ),
    "it was GET": (
        lambda raw: raw["paths"].update(
            {"/HealthcareProvider/{id}/People": raw["paths"].pop(PATIENTS)}
        )
    ),
}
NEW = {
    "GET /Teams": (lambda raw: raw["paths"].update({"/Teams": {"get": {}}})),
    "region can be given": (
        lambda raw: operation(raw)["parameters"].append(
            {"name": "region", "in": "query"}
        )
    ),
    "Patient.city: it is new": (
        lambda raw: members(raw).update(city={"type": "string"})
    ),
    "may be left out": (lambda raw: parameter(raw, "organizationId").pop("required")),
    "it may be 'new' as well": (
        lambda raw: parameter(raw, "status")["schema"]["enum"].append("new")
    ),
}


@pytest.mark.parametrize(
    ("weight", "words", "change"),
    [
        (weight, words, change)
        for weight, some in (("breaks", BREAKS), ("may break", MAY_BREAK), ("new", NEW))
        for words, change in some.items()
    ],
)
def test_each_change_has_the_weight_it_has_for_callers(weight, words, change):
    """
    Whether a nightly job fails tomorrow is the question.
    """
    found = changed(change)

    assert any(words in f"{c.where}: {c.text}" for c in found.of(weight)), told(found)
    assert found.breaks == (weight == "breaks")


def test_a_form_may_be_sent_as_another_and_json_under_another_name():
    """
    The call is the same; a false alarm teaches to ignore the true ones.
    """
    old, new = deepcopy(OLD), deepcopy(OLD)
    for raw, kind, form in (
        (old, "application/json", "multipart/form-data"),
        (new, "application/vnd.clinic+json", "application/x-www-form-urlencoded"),
    ):
        for content, media in (
            (body(raw), kind),
            (operation(raw, "put", PHOTO)["requestBody"]["content"], form),
        ):
            content[media] = content.pop(next(iter(content)))

    assert told(diff(Document.of(old), Document.of(new))) == []


@pytest.mark.parametrize("media", ["application/x-ndjson", "application/xml"])
def test_json_that_becomes_another_media_type_breaks_calls(media):
    """
    What was a dict is a text now, also where the name has JSON in it.
    """
    new = deepcopy(OLD)
    content = body(new)
    content[media] = content.pop("application/json")

    found = told(diff(Document.of(OLD), Document.of(new)))
    text = f"its body was application/json and is {media} now"
    assert ("breaks", "add_patient", text) in found


def test_what_is_answered_with_another_status_is_compared_too():
    """
    Whoever waits for a job reads it, and not what the usual answer has.
    """
    old, new = deepcopy(OLD), deepcopy(OLD)
    for raw, kind in ((old, "integer"), (new, "string")):
        job = {"type": "object", "title": "Job", "properties": {"id": {"type": kind}}}
        content = {"application/json": {"schema": job}}
        operation(raw)["responses"]["202"] = {"content": content}

    assert told(diff(Document.of(old), Document.of(new))) == [
        ("breaks", "Job.id", "it was an integer and is a text now")
    ]


def test_a_name_that_now_means_another_argument_breaks():
    """
    Nothing would fail: the call would filter by something else.
    """
    old, new = deepcopy(OLD), deepcopy(OLD)
    dotted, exact = ({"name": n, "in": "query"} for n in ("team.id", "team_id"))
    operation(old)["parameters"] += [dotted]
    operation(new)["parameters"] += [dotted, exact]

    assert told(diff(Document.of(old), Document.of(new))) == [
        ("breaks", "get_patients", "the argument team_id is called team_id_query now"),
        ("new", "get_patients", "the argument team_id can be given"),
    ]


def test_a_schema_is_compared_once_however_many_use_it():
    """
    One change of one class is one line for who reads it, and one for who sends it.
    """
    found = changed(lambda raw: members(raw).pop("birthDate"))

    assert [c.weight for c in found.changes if c.where == "Patient.birth_date"] == [
        "may break",
        "breaks",
    ]


@pytest.mark.unmeasured
def test_a_large_document_with_circles_is_compared_in_seconds():
    """
    A vendor's whole API is 3 MB, and every class of it may lead to every other.
    """
    names = [f"Class{n}" for n in range(1500)]
    raw = documents.clinic()
    raw["components"]["schemas"] |= {
        name: {
            "type": "object",
            "properties": {
                f"member{k}": {"$ref": f"#/components/schemas/{names[n - k]}"}
                for k in range(20)
            },
        }
        for n, name in enumerate(names)
    }
    members(raw)["first"] = {"$ref": "#/components/schemas/Class0"}
    new = deepcopy(raw)
    new["components"]["schemas"]["Class700"]["properties"]["member3"] = {
        "type": "string"
    }
    began = time.perf_counter()
    found = diff(Document.of(raw), Document.of(new))

    assert time.perf_counter() - began < 10
    assert "Class700.member3" in {c.where for c in found.changes}
