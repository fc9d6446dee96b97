"""The package that is written for a document: its texts, and its classes at work."""

import ast
import copy
import importlib
import pickle
import sys
from datetime import date

import attrs
import pytest
import written_documents as documents
from fakes import credentials
from hypothesis import given
from hypothesis import strategies as st

from healthyroster_async import (
    ConfigurationError,
    ConnectionPool,
    Contract,
    Environment,
    Response,
    SyncPool,
)
from healthyroster_async._codegen.package import is_ours, package
from healthyroster_async._codegen.prose import docstring, literal
from healthyroster_async._resources.operations import registry_of
from healthyroster_async.models import Model
from healthyroster_async.testing import Answer, ScriptedTransport

PATIENT = (
    b'{"patientId": 1, "name": "Ada", "birthDate": "2009-03-04", "visits": [{"at": '
    b'"2026-01-01T08:30:00"}], "guardian": {"name": "Bo"}, "nickname": "A"}'
)


def written(raw):
    return package(Contract.from_swagger(raw).operations)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return what imports the module of a package that was written for a document."""

    def made(raw, name="clinic_api", part="models"):
        (tmp_path / name).mkdir()
        for file, text in written(raw).items():
            (tmp_path / name / file).write_text(text, encoding="utf-8")
        return importlib.import_module(f"{name}.{part}" if part else name)

    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield made
    for known in set(sys.modules) - before:
        del sys.modules[known]


def decoded(raw, models, body=PATIENT, name="add_patient"):
    operations = Contract.from_swagger(raw).operations
    prepared = registry_of(operations, models).get(name)
    request = type("Request", (), {"label": "POST /x"})()
    response = Response(
        request=request,
        status=200,
        headers={"content-type": "application/json"},
        body=body,
    )
    return prepared.decoder.decode(response)


@pytest.mark.parametrize("raw", documents.all_of_them().values())
def test_the_same_document_gives_the_same_bytes(raw):
    """
    It stands in a repository: a difference says that the vendor changed something.
    """
    assert written(raw) == written(copy.deepcopy(raw))


def test_a_package_names_its_document_and_its_writer():
    """
    Who finds it years later wants to write it anew.
    """
    init = written(documents.clinic())["__init__.py"]

    assert "Clinic API 1.2" in init
    assert "healthyroster contract generate" in init
    assert is_ours(init)


@pytest.mark.parametrize("file", ["__init__.py", "models.py", "operations.py"])
def test_no_text_of_a_document_becomes_code(file):
    """
    A document comes from outside, and what is written is imported.
    """
    tree = ast.parse(written(documents.odd())[file])
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}

    assert {call.rpartition(".")[2] for call in calls} <= {
        "frozen", "field", "cast", "with_models",
    }  # fmt: skip


def test_a_title_cannot_choose_the_encoding_of_the_file():
    """
    A comment in the first two lines can (PEP 263), so no text stands in one.
    """
    for text in written(documents.odd()).values():
        head = [line for line in text.splitlines()[:2] if line.startswith("#")]
        assert not any("coding" in line for line in head)


@given(
    st.text(),
    st.lists(st.text(), max_size=3),
    st.lists(st.text(), max_size=3),
)
def test_whatever_is_said_stays_in_its_docstring(headline, paragraphs, entries):
    """
    Quotes and backslashes at the end are how texts break out.
    """
    named = [("name", words) for words in entries]
    lines = docstring(headline, paragraphs, ("Args", named), indent=4)
    tree = ast.parse("\n".join(["class X:", *lines]))

    ((statement,),) = [body.body for body in tree.body]
    assert isinstance(statement.value, ast.Constant)


@given(st.text() | st.integers() | st.booleans())
def test_a_literal_is_the_value_it_is_made_of(value):
    """
    It is what is sent.
    """
    text = literal(value)

    assert ast.literal_eval(text) == value
    assert "\n" not in text


def test_answers_are_instances_of_the_written_classes(module):
    """
    Else an editor says one thing, and isinstance another.
    """
    models = module(documents.clinic())
    patient = decoded(documents.clinic(), models)

    assert type(patient) is models.Patient
    assert type(patient.guardian) is models.Patient
    assert patient.birth_date == date(2009, 3, 4)
    assert isinstance(patient.visits[0], Model)
    assert type(patient.visits[0]) in vars(models).values()
    assert patient.extra == {"nickname": "A"}
    assert "Ada" not in repr(patient)
    for again in (pickle.loads(pickle.dumps(patient)), copy.deepcopy(patient)):
        assert again == patient
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        patient.name = "Eve"


def test_a_class_without_a_name_is_found_whatever_was_read_before(module):
    """
    Its name depends on the order of calls; its place in the document does not.
    """
    raw = documents.clinic()
    inline = {
        "title": "Entry",
        "type": "object",
        "properties": {"a": {"type": "string"}},
    }
    for name, member in (("First", "b"), ("Second", "c")):
        schema = inline | {"properties": {member: {"type": "string"}}}
        content = {"application/json": {"schema": schema}}
        raw["paths"][f"/{name}"] = {"get": {"responses": {"200": {"content": content}}}}
    models = module(raw)
    second = decoded(raw, models, b'{"c": "x"}', "get_second")

    assert second.c == "x"
    assert type(second) in vars(models).values()


def test_every_answer_of_a_call_stands_in_its_type():
    """
    Else a type checker lets nobody ask which of two came.
    """
    raw = documents.clinic()
    job = {"type": "object", "title": "Job", "properties": {"id": {"type": "string"}}}
    post = raw["paths"]["/HealthcareProvider/{id}/Patients"]["post"]
    post["responses"]["202"] = {"content": {"application/json": {"schema": job}}}
    texts = written(raw)

    assert "-> models.Patient | models.Job: ..." in texts["operations.py"]
    assert "class Job(Model):" in texts["models.py"]


def test_a_class_of_another_version_of_the_document_still_works(module):
    """
    The vendor updates on a Sunday, and the package is written anew on Monday.
    """
    models = module(documents.clinic())
    new = documents.clinic()
    properties = new["components"]["schemas"]["Patient"]["properties"]
    del properties["birthDate"]
    properties["nickname"] = {"type": "string"}
    patient = decoded(new, models)

    assert patient.birth_date is None
    assert patient.extra == {"birthDate": "2009-03-04", "nickname": "A"}
    assert attrs.asdict(patient)["name"] == "Ada"


def test_a_reference_that_is_escaped_means_the_same_class(module):
    """
    Tools for .NET write brackets and commas as percent signs and digits.
    """
    models = module(documents.swagger_2(), "old_api")
    body = b'[{"counts": [{"key": "a", "value": 1}]}]'
    (team,) = decoded(documents.swagger_2(), models, body, "get_teams")

    assert type(team) is models.Team
    assert type(team.counts[0]) is models.KeyValuePairStringInt32


def test_a_session_with_models_costs_no_more_than_one_without(module):
    """
    It is made for every request of a web app.
    """
    api = module(documents.clinic(), part=None)
    contract = Contract.from_swagger(documents.clinic())
    pool = ConnectionPool({Environment.SANDBOX: credentials()}, contract=contract)
    first, second = (api.operations(pool.session(n)) for n in (1, 2))

    assert first._registry is second._registry
    assert set(first) == set(pool.session(1).operations)
    assert first.get_patients.operation.operation_id == "GetPatients"


def test_answers_are_of_its_classes_without_await_too(module):
    """
    The types are of calls that are awaited: a script is told what to write instead.
    """
    api = module(documents.clinic(), part=None)
    contract = Contract.from_swagger(documents.clinic())
    transport = ScriptedTransport([Answer(body=b"[" + PATIENT + b"]")])
    with SyncPool(
        {Environment.SANDBOX: credentials()}, contract=contract, transport=transport
    ) as pool:
        typed = pool.session(1).operations.with_models(api.models)
        (patient,) = typed.get_patients(organizationId=7)

    assert type(patient) is api.models.Patient
    assert "session.operations.with_models(models)" in api.operations.__doc__


def test_what_is_no_module_is_refused_by_name():
    """
    Whoever gives the package instead of its module finds out at once.
    """
    contract = Contract.from_swagger(documents.clinic())
    pool = ConnectionPool({Environment.SANDBOX: credentials()}, contract=contract)

    with pytest.raises(ConfigurationError, match="models"):
        pool.session(1).operations.with_models({"Patient": object})
