"""The table of operations, what is made up from it, and the names of endpoints."""

import re

import pytest

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.emulator import Emulator, Fault, paging, routes
from healthyroster_async.emulator.faults import endpoint_name
from healthyroster_async.emulator.items import Shelf, content, item
from healthyroster_async.emulator.operations import ENDPOINTS, OPERATIONS
from healthyroster_async.emulator.resources import ENUMS, MODELS, RESOURCES, fields_of
from healthyroster_async.emulator.validation import complaints, from_text

SHELVES = [
    Shelf(resource=resource, provider=7, above=3, count=40) for resource in RESOURCES
]


def test_there_are_about_forty_endpoints_each_with_a_name_of_its_own():
    """
    A grant that two endpoints share would be no matrix.
    """
    assert len(ENDPOINTS) == len(set(ENDPOINTS)) == 43
    assert Emulator().endpoints == ENDPOINTS
    for operation in OPERATIONS:
        assert re.fullmatch(r"([A-Z][a-z]+)+", operation.id)
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation.endpoint)


def test_the_table_names_only_what_there_is():
    """
    A misspelt reference would show up in one answer of a thousand.
    """
    names = {resource.many for resource in RESOURCES} | set(ENUMS) | set(MODELS)
    names |= {resource.one for resource in RESOURCES}
    for resource in RESOURCES:
        columns = fields_of(resource)
        assert {column.of for column in columns} - {""} <= names
        for argument in resource.filters:
            assert argument.column in {column.name for column in columns}
            assert not argument.of or argument.of in ENUMS


def test_every_way_to_page_is_there():
    """
    A client's helpers are tested against all of them.
    """
    used = {operation.paging for operation in OPERATIONS}

    assert used == set(paging.ARGUMENTS)


@pytest.mark.parametrize("shelf", SHELVES, ids=lambda shelf: shelf.resource.many)
def test_an_object_is_found_by_its_id_and_is_always_the_same(shelf):
    """
    Nothing is stored, so the id must be enough to make the object again.
    """
    for number in (0, 1, 17, 39):
        made = item(shelf, number, "camel")
        assert shelf.number(made["id"]) == number
        assert item(shelf, number, "camel") == made
    assert len({str(shelf.id(number)) for number in range(40)}) == 40
    for wrong in ("0", "41", "-1", "x", "1.5", "", "IR-1", "²"):
        assert shelf.number(wrong) is None


@pytest.mark.parametrize("shelf", SHELVES, ids=lambda shelf: shelf.resource.many)
def test_fields_that_may_be_empty_are_empty_now_and_then(shelf):
    """
    A model is tested by both: a value, and none.
    """
    many = [item(shelf, number, "camel") for number in range(40)]
    for column in fields_of(shelf.resource):
        nulls = sum(one[column.name] is None for one in many)
        if column.nulls >= 0.1:
            assert 0 < nulls < 40, column.name
        elif column.kind != "parent":
            assert nulls == 0, column.name


def test_organizations_are_a_tree():
    """
    A model that refers to itself must be read, and must end.
    """
    (shelf,) = [shelf for shelf in SHELVES if shelf.resource.one == "Organization"]
    for number in range(40):
        depth, one = 0, item(shelf, number, "pascal")
        while one["Parent"] is not None:
            depth, one = depth + 1, one["Parent"]
        assert one["Id"] == 1
        assert depth <= 3


def test_a_document_is_as_long_as_it_says():
    """
    A download that was cut short must be seen.
    """
    (shelf,) = [shelf for shelf in SHELVES if shelf.resource.one == "Document"]
    for number in range(40):
        size = item(shelf, number, "camel")["sizeBytes"]
        assert len(b"".join(content(shelf, number))) == size


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("7", "integer", 7),
        ("-7", "integer", -7),
        ("7.0", "integer", None),
        (" 7", "integer", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", "integer", None),
        ("1e3", "number", 1000.0),
        ("nan", "number", None),
        ("true", "boolean", True),
        ("False", "boolean", None),
        ("1", "boolean", None),
        ("", "string", ""),
    ],
)
def test_a_text_stands_for_one_value_or_none(text, kind, value):
    """
    Whatever a lenient server would make of it, here it is seen.
    """
    if value is None:
        with pytest.raises(ValueError, match=re.escape(text)):
            from_text({"type": kind}, text)
    else:
        assert from_text({"type": kind}, text) == value


@pytest.mark.parametrize(
    ("form", "text", "good"),
    [
        ("date", "2026-02-28", True),
        ("date", "2026-02-29", False),
        ("date", "20260228", False),
        ("date-time", "2026-02-28T10:00:00", True),
        ("date-time", "2026-02-28T10:00:00.1234567Z", True),
        ("date-time", "2026-02-28T10:00:00+05:30", True),
        ("date-time", "2026-02-28T10:00:00 05:30", False),
        ("date-time", "2026-02-28 10:00:00Z", False),
        ("date-time", "2026-02-28T25:00:00Z", False),
        ("uuid", "6F1D1F0A-0000-4000-8000-68656d756c61", True),
        ("uuid", "6f1d1f0a00004000800068656d756c61", False),
    ],
)
def test_formats_are_as_strict_as_their_standard(form, text, good):
    """
    A plus sign that was not quoted arrives as a blank.
    """
    schema = {"type": "string", "format": form}

    assert (list(complaints(schema, text, {}, "x")) == []) is good


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_has_a_name_that_is_known(endpoint):
    """
    What the document has can be denied, and can go wrong.
    """
    emulator = Emulator(denied=[(1, endpoint)])

    assert Fault(kind="reset", endpoint=endpoint).matches(endpoint, 1)
    assert not emulator.granted("1", endpoint)
    assert emulator.granted("2", endpoint)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("get_patent", "did you mean get_patient"),
        ("GetPatients", "did you mean get_patients?"),
        ("GetDatasourceData", "did you mean rows?"),
        ("row", "did you mean rows"),
        ("data_sorces", "did you mean data_sources"),
        ("everything", "in snake_case, such as get_patients"),
        ("", "give '*', data_sources, data_source, rows"),
    ],
)
def test_an_endpoint_that_is_misspelt_is_met_with_a_near_one(wrong, hint):
    """
    There are too many names to list them all.
    """
    with pytest.raises(ConfigurationError, match=re.escape(hint)):
        endpoint_name(wrong)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_path_leads_to_its_operation(operation):
    """
    Paths share their beginnings, and a word where another has an id.
    """
    path = re.sub(r"\{[^}]+\}", "a%2Fb", operation.path)
    for written in (path, path.lower(), path.upper().replace("%2F", "%2f") + "/"):
        route = routes.find(written, operation.method)
        assert route is not None
        assert route.operation is operation
        assert set(map(str.lower, (route.provider, *route.ids.values()))) == {"a/b"}
    assert routes.find(f"{path}//", operation.method) is None
