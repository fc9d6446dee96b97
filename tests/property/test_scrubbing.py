"""What a recording keeps of what people are, and what it does not."""

import asyncio
import datetime as dt
import json
import re
import tempfile
import uuid
from pathlib import Path

import fakes
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from healthyroster_async._core.messages import SignedRequest
from healthyroster_async._rows.kinds import kind_of
from healthyroster_async.testing import Answer, Recorder, ScriptedTransport
from healthyroster_async.testing._scrubbing import Scrubber

texts = st.text(max_size=40)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.from_regex(r"[A-Za-z]{1,9}", fullmatch=True), inner),
    ),
    max_leaves=20,
)


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@pytest.mark.parametrize("wrapped", [False, True])
def test_columns_keep_their_names_and_people_within_a_row_do_not(wrapped):
    """
    An object in a row may be a mapping from people to something.
    """
    row = {
        "Home town": {"Kim Quillfeather": {"last seen": 1}, "zip_code": [{"a b": 1}]}
    }
    made = Scrubber().value({"page no": 1, "data": [row]} if wrapped else [row])

    (made_row,) = made["data"] if wrapped else made
    within = made_row["Home town"]
    assert "zip_code" in within
    assert not wrapped or "page no" in made
    for secret in ("Kim", "Quillfeather", "last seen", "a b"):
        assert secret not in str(within)


@pytest.mark.parametrize(
    "answer",
    [
        {"patientsByName": {"Kim Quillfeather": {"age": 12}}},
        {"patientsByName": {"Kim Quillfeather": [{"age": 12}]}},
        {"Kim Quillfeather": [{"age": 12}], "Bo": 1},
        {"data": [{"age": 12}], "ages": {"Kim Quillfeather": 12}},
        {"data": [{"age": 12}], "Kim Quillfeather": [1]},
    ],
)
def test_people_beside_rows_do_not_keep_their_names_either(answer):
    """
    An answer may be a mapping from people to something.
    """
    assert "Quillfeather" not in str(Scrubber().value(answer))


@given(values)
@example("1.7976931348623157e308")
@example([1.7976931348623157e308, 5e-324, -0.0, 1e16, 2**64 - 1, -(2**63)])
def test_shapes_and_types_stay(value):
    """
    Code that reads a recording must meet what it would have met.
    """
    made = Scrubber().value(value)

    assert json.loads(json.dumps(made)) == made
    before, after = list(leaves(value)), list(leaves(made))
    assert [type(v) for v in before] == [type(v) for v in after]
    assert [v for v in before if v is None or isinstance(v, bool)] == [
        v for v in after if v is None or isinstance(v, bool)
    ]
    for one, other in zip(before, after, strict=True):
        if isinstance(one, str):
            assert len(one) == len(other)


@given(st.from_regex(r"[A-Za-z]{6,20}( [A-Za-z]{6,20})?", fullmatch=True))
@example("Quillfeather")
@example("Broken ankle")
def test_no_word_stays(text):
    """
    Six letters that come by chance again are one in 300 million.
    """
    made = Scrubber().text(text)

    assert made != text
    assert not set(text.split()) & set(made.split())
    assert [c.isupper() for c in text] == [c.isupper() for c in made]


@given(st.integers(min_value=10**6, max_value=10**15))
def test_no_long_number_stays(number):
    """
    A number of a record is a name.
    """
    made = Scrubber(b"k" * 32).value(number)

    assert made != number
    assert len(str(made)) == len(str(number))


@given(
    st.integers(0, 2**64 - 1) | st.integers(0, 999),
    st.integers(0, 2**64 - 1) | st.integers(0, 999),
)
@example(1, 7)
@example(108, 109)
def test_an_id_stays_that_of_one_record_wherever_it_stands(one, other):
    """
    A path has as text what a body has as number, and one record's detail is no other's.
    """
    scrubber = Scrubber()

    assert scrubber.text(str(one)) == str(scrubber.value(one))
    assert (scrubber.value(one) == scrubber.value(other)) is (one == other)


@given(
    st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    st.sampled_from(["", "T10:20:30", "T10:20", "T10:20:30.123Z", " 10:20:30+01:00"]),
)
def test_dates_stay_dates_and_are_others(day, clock):
    """
    A date of birth says who it is; a column of dates must stay one.
    """
    made = Scrubber().text(f"{day}{clock}")

    assert made[:10] != str(day)
    dt.date.fromisoformat(made[:10])
    assert re.sub(r"\d", "0", made[10:]) == re.sub(r"\d", "0", clock)
    if clock:
        dt.datetime.fromisoformat(made)


def test_equal_values_stay_equal_within_a_recording_only():
    """
    Tables can still be joined, and two recordings cannot.
    """
    one, other = Scrubber(), Scrubber()

    assert one.value({"id": "Quillfeather", "n": 123456789}) == one.value(
        {"id": "Quillfeather", "n": 123456789}
    )
    assert one.text("Quillfeather") != other.text("Quillfeather")


@given(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1))
@example([2**63 - 1])
@example([2**63])
@example([2**64 - 1, 2**53])
def test_whole_numbers_stay_in_their_columns(numbers):
    """
    A column of int64 that became text would be another table; more than uint64 no JSON.
    """
    made = Scrubber().value(numbers)

    assert kind_of(made) == kind_of(numbers)
    assert kind_of([*made, 0.5]) == kind_of([*numbers, 0.5])
    assert orjson.loads(orjson.dumps(made)) == made


@given(
    st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    st.sampled_from(["%m/%d/%Y", "%d/%m/%Y"]),
    st.sampled_from([("", ""), (" 9:05 PM", " %I:%M %p"), (" 23:59:59", " %H:%M:%S")]),
)
@example(dt.date(2026, 1, 31), "%m/%d/%Y", ("", ""))
def test_dates_with_slashes_stay_dates(day, way, clock):
    """
    APIs write dates as people of their country do.
    """
    text = f"{day.strftime(way)}{clock[0]}"
    made = Scrubber().text(text)

    assert made[:10] != text[:10]
    found = {
        parsed
        for way in ("%m/%d/%Y", "%d/%m/%Y")
        if (parsed := parsed_as(made, f"{way}{clock[1]}")) is not None
    }
    assert found
    assert len(made) == len(text)


def parsed_as(text, way):
    try:
        return dt.datetime.strptime(text, way)  # noqa: DTZ007
    except ValueError:
        return None


@given(st.uuids(), st.times().map(lambda time: time.isoformat("seconds")))
def test_guids_and_times_stay_such(guid, time):
    """
    A row is read as what its class says.
    """
    scrubber = Scrubber()

    assert uuid.UUID(scrubber.text(str(guid))) != guid
    assert scrubber.text(time) != time
    dt.time.fromisoformat(scrubber.text(time))


# Of fewer letters some come again by chance, somewhere in a file.
told = st.text(
    st.characters(categories=["L", "M", "Nd", "S"]),
    min_size=4,
    max_size=30,
)
long = st.from_regex(r"[A-Za-z0-9]{10,20}( [A-Za-z0-9]{8,20})?", fullmatch=True)
scalars_of_rows = st.one_of(told, long, st.integers(), st.none(), st.dates().map(str))


def recorded(rows, status):
    """Return what a recording of an answer holds, as text and as its body."""

    async def record(path):
        recorder = Recorder(path)
        label = (
            "POST /HealthcareProvider/{id}/Reporting/Datasources/{datasourceid}/Data"
        )
        url = f"{fakes.SANDBOX_URL}/HealthcareProvider/1/Reporting/Datasources/2/Data"
        request = fakes.request(label=label, url=url)
        body = json.dumps(rows).encode()  # orjson writes no integer of 65 bits
        recorder.around(ScriptedTransport([Answer(status, body=body)]))
        await recorder.start()
        await recorder.send(SignedRequest(request, {"X-Secret": fakes.SECRET}))
        await recorder.close()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape.json"
        asyncio.run(record(path))
        text = path.read_text("utf-8")
        return text, json.loads(text)["calls"][0]["body"]


@settings(max_examples=40)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), scalars_of_rows)),
    st.sampled_from([200, 400]),
)
@example([{"a": "Zoë Quillfeather"}, {"a": "\N{CYRILLIC SMALL LETTER A}" * 4}], 200)
@example([{"a": "\N{DEVANAGARI VOWEL SIGN AA}" * 4}], 200)
@example([{"a": -9223372036854775809}], 200)
def test_no_text_of_a_row_is_in_a_recording(rows, status):
    """
    It lies in a repository, for everybody to read.
    """
    text, body = recorded(rows, status)

    for one, other in zip(leaves(rows), leaves(body), strict=True):
        if isinstance(one, str) and any(c.isalnum() or not c.isascii() for c in one):
            assert one != other
            if not one.isascii() or (len(one) >= 10 and one[4] != "-"):
                assert one not in text
    assert fakes.SECRET not in text
