"""Answers of which little is known become models, or a clear error."""

import copy
import json
import pickle
import traceback

import orjson
import pytest
from attrs import asdict, evolve, fields, has
from attrs.exceptions import FrozenInstanceError
from fakes import response

from healthyroster_async import DecodingError, models
from healthyroster_async._converters import decode_list, decode_one
from healthyroster_async.models import DataSource, DataSourceDetail


def answer(value, content_type="application/json"):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return response(body=body, headers={"content-type": content_type})


@pytest.mark.parametrize(
    "item",
    [
        {"id": 7, "name": "Patients", "description": "All"},
        {"Id": 7, "Name": "Patients", "Description": "All"},
        {"data_source_id": 7, "data_source_name": "Patients", "description": "All"},
        {"DatasourceId": 7, "Title": "Patients", "DESCRIPTION": "All"},
    ],
)
def test_any_casing_of_a_key_is_understood(item):
    """
    PascalCase, camelCase and snake_case all occur in practice.
    """
    (source,) = decode_list(answer([item]), DataSource)

    assert source == DataSource(id=7, name="Patients", description="All")


def test_what_is_not_known_is_kept_and_what_is_missing_is_none():
    """
    A vendor's update must neither break nor lose anything.
    """
    items = [{"id": "a-1", "ID": 2, "isNew": True, "name": None, "description": 3}]
    (source,) = decode_list(answer({"meta": {"x": [1]}, "what": items}), DataSource)

    assert source.id == "a-1"
    assert (source.name, source.description) == (None, "3")
    assert source.extra == {"ID": 2, "isNew": True}


def test_its_own_word_beats_another_of_the_same_meaning():
    """
    Wherever it stands: else the name would change with the order of the keys.
    """
    item = {"Title": "b", "datasourceid": 2, "Name": "a", "ID": 1}
    (source,) = decode_list(answer([item]), DataSource)

    assert (source.id, source.name) == (1, "a")
    assert source.extra == {"Title": "b", "datasourceid": 2}


def test_a_description_is_read_whatever_its_words():
    """
    Columns or fields, filters or parameters, required or isRequired.
    """
    detail = decode_one(
        answer(
            {
                "Columns": [{"FieldName": "id", "DataType": "integer", "Width": 3}],
                "Filters": [
                    {"ParameterName": "StartDate", "IsRequired": "true"},
                    {"Name": "Sport", "Required": False},
                    {"name": "Other", "required": 7},
                ],
            }
        ),
        DataSourceDetail,
    )

    assert (detail.fields[0].name, detail.fields[0].type) == ("id", "integer")
    assert detail.fields[0].extra == {"Width": 3}
    assert [p.required for p in detail.parameters] == [True, False, None]
    assert decode_one(answer({"fields": None}), DataSourceDetail).fields == ()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"<html>Quillfeather", "no JSON: 18 bytes of application/json"),
        (b"", "no JSON: 0 bytes"),
        ("Quillfeather", "a list was expected, not str"),
        ({"Quillfeather": 1}, "a list was expected, not dict"),
        ([["Quillfeather"]], "no DataSource: an object was expected, not list"),
        ([{"name": "Quillfeather"}], "no DataSource: 'id' is missing"),
        ([{"id": {"x": "Quillfeather"}}], "an id is an int or a text, not dict"),
        ([{"id": True}], "an id is an int or a text, not bool"),
    ],
)
def test_what_does_not_fit_is_told_by_kind(value, sentence):
    """
    The error says what was expected and what came, and never the data itself.
    """
    with pytest.raises(DecodingError, match=sentence) as caught:
        decode_list(answer(value), DataSource)
    assert "Quillfeather" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["Quillfeather", [1], {"fields": 7}, {"fields": ["Quillfeather"]}]
)
def test_one_object_that_is_none_is_told_too(value):
    """
    A list where an object belongs is another endpoint's answer.
    """
    with pytest.raises(DecodingError, match="no DataSourceDetail") as caught:
        decode_one(answer(value), DataSourceDetail)
    assert "Quillfeather" not in str(caught.value)


@pytest.mark.parametrize("depth", [1000, 2000])
def test_what_goes_too_deep_is_told_too(depth):
    """
    Not as an error of the interpreter, which would be taken for a bug.
    """
    raw = b'{"a":' * depth + b"1" + b"}" * depth

    with pytest.raises(DecodingError):
        decode_list(answer(raw), DataSource)
    with pytest.raises(DecodingError):
        decode_one(answer(raw), DataSourceDetail)


@pytest.mark.parametrize(
    "value",
    [
        {"success": False, "data": []},
        {"data": {"id": 1, "name": "Patients"}},
        {"error": "Quillfeather"},
        {},
    ],
)
def test_an_object_of_which_nothing_is_known_is_no_description(value):
    """
    A failure with status 200 must not look like a data source without columns.
    """
    with pytest.raises(DecodingError, match="has none of its fields") as caught:
        decode_one(answer(value), DataSourceDetail)
    assert "Quillfeather" not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_answer():
    """
    Servers of the vendor's kind write one; rows are read with it as well.
    """
    mark = b"\xef\xbb\xbf"

    (source,) = decode_list(answer(mark + b'[{"id": 7}]'), DataSource)
    (wrapped,) = decode_list(answer(mark + b'{"items": [{"id": 7}]}'), DataSource)
    detail = decode_one(answer(mark + b'{"id": 7}'), DataSourceDetail)

    assert source.id == wrapped.id == detail.id == 7


def test_many_shapes_cost_no_memory():
    """
    What is learned of the keys is bounded.
    """
    for number in range(600):
        decode_list(answer([{"id": 1, f"key{number}": 2}]), DataSource)


@pytest.mark.parametrize(
    ("model", "item"),
    [
        (DataSource, {"id": 1}),
        (DataSource, {"extra": 1, "ID": "a", "x": [1]}),
        (DataSourceDetail, {}),
        (DataSourceDetail, {"name": "n", "description": "d"}),
    ],
)
def test_what_is_read_is_what_the_class_would_have_made(model, item):
    """
    Models are filled past their ``__init__``, which nobody should be able to tell.
    """
    (read,) = decode_list(answer([item]), model)
    names = {"ID": "id", "id": "id", "name": "name", "description": "description"}
    extra = {key: value for key, value in item.items() if key not in names}
    known = {names[key]: value for key, value in item.items() if key in names}
    made = model(**known, extra=extra)

    assert (read, repr(read), vars(read)) == (made, repr(made), vars(made))
    for copied in (copy.deepcopy(read), pickle.loads(pickle.dumps(read)), evolve(read)):
        assert copied == made
    with pytest.raises(FrozenInstanceError):
        read.id = 2


@pytest.mark.parametrize(
    "model", [m for n in models.__all__ if has(m := getattr(models, n))]
)
def test_no_model_converts_or_validates(model):
    """
    It would not when it is read.
    """
    assert not any(a.validator or a.converter for a in fields(model))
    assert not hasattr(model, "__attrs_post_init__")
    assert "extra" in vars(model(**{"id": 1} if model is DataSource else {}))


def test_the_empty_extra_is_nobodys_to_fill():
    """
    All models share it: what one caller puts in, all others would find.
    """
    first, second = decode_list(answer([{"id": 1}, {"id": 2}]), DataSource)

    for change in (
        lambda extra: extra.__setitem__("x", 1),
        lambda extra: extra.update(x=1),
        lambda extra: extra.setdefault("x", 1),
        lambda extra: extra.__ior__({"x": 1}),
    ):
        with pytest.raises(TypeError, match="do not change"):
            change(first.extra)
    assert second.extra == {}
    assert orjson.dumps(asdict(second)) == (
        b'{"id":2,"name":null,"description":null,"extra":{}}'
    )


def test_a_list_may_change_its_shape_at_any_item():
    """
    What was learned of the item before is not what the next one means.
    """
    items = [{"id": 1, "name": "a"}, {"Name": "b", "Id": 2}, {"id": 3}, {"name": "d"}]

    made = decode_list(answer(items[:3]), DataSource)

    assert [(m.id, m.name) for m in made] == [(1, "a"), (2, "b"), (3, None)]
    with pytest.raises(DecodingError, match="'id' is missing"):
        decode_list(answer(items), DataSource)


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (decode_one, {"note": "Broken ankle"}),
        (decode_one, ["Broken ankle"]),
        (decode_one, {"id": 7, "fields": [{"name": "x"}, "Broken ankle"]}),
        (decode_list, {"note": "Broken ankle"}),
        (decode_list, [{"name": "Broken ankle"}]),
        (decode_list, ["Broken ankle"]),
    ],
)
def test_a_traceback_with_locals_shows_nothing_of_an_answer_that_does_not_fit(
    decode, body
):
    """
    Error reporters print the locals of each frame, and send them elsewhere.
    """
    model = models.DataSourceDetail if decode is decode_one else models.DataSource
    with pytest.raises(DecodingError) as caught:
        decode(response(body=orjson.dumps(body)), model)
    shown = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )
    ours = [frame for frame in shown.stack if "healthyroster_async" in frame.filename]

    assert ours
    assert "ankle" not in str([frame.locals for frame in ours])
