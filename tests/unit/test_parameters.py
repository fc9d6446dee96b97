"""Parameters: sent as what they are, or not at all."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from urllib.parse import parse_qs
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fakes import pool
from hypothesis import given
from hypothesis import strategies as st

from healthyroster_async import ConfigurationError, PoolClosedError
from healthyroster_async._core.parameters import check_parameter, query_string
from healthyroster_async._resources.reporting import body_of

ROUTE = "/HealthcareProvider/{id}/Anything"


class Kind(Enum):
    """An enum as users have them."""

    FULL = "full text"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ""),
        ({"a": []}, ""),
        ({"a": "x y&z=ü"}, "?a=x+y%26z%3D%C3%BC"),
        ({"a b": 1}, "?a+b=1"),
        ({"a": [1, "2"], "b": (True, False)}, "?a=1&a=2&b=true&b=false"),
        ({"on": date(2026, 1, 2)}, "?on=2026-01-02"),
        (
            {"at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)},
            "?at=2026-01-02T03%3A04%3A00%2B00%3A00",
        ),
        ({"n": 1.5, "d": Decimal("1.50")}, "?n=1.5&d=1.50"),
        ({"id": UUID(int=1)}, "?id=00000000-0000-0000-0000-000000000001"),
        ({"kind": Kind.FULL}, "?kind=full+text"),
    ],
)
def test_a_query_says_what_was_given(query, expected):
    """
    The API reads lower-case bools and ISO dates, not what Python prints.
    """
    assert query_string(query) == expected


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(min_size=1), min_size=1)))
def test_a_query_reads_back_as_it_was_given(query):
    """
    No name and no text can add a parameter of its own.
    """
    assert parse_qs(query_string(query)[1:], errors="surrogatepass") == query


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("a=b", "query is of type str; give a mapping"),
        ([("a", "b")], "query is of type list"),
        (0, "query is of type int"),
        ({"b": None}, "parameter b is None, .* leave it out"),
        ({"b": [1, None]}, "parameter b is None"),
        ({"a": {"x": 1}}, "parameter a is of type dict; give a text"),
        ({"a": [["x"]]}, "parameter a is of type list"),
        ({"a": object()}, "parameter a is of type object"),
        ({"a": b"x"}, "parameter a is of type bytes"),
        ({"a": math.nan}, "parameter a is no finite number"),
        ({"a": Decimal("inf")}, "parameter a is no finite number"),
        ({1: "x"}, "a name of query is of type int"),
    ],
)
async def test_what_a_query_cannot_say_is_refused(query, sentence):
    """
    "b=None" would be looked for by the API, and find nothing or everything.
    """
    with pytest.raises(ConfigurationError, match=sentence):
        await pool().session(1).request("GET", ROUTE, query=query)


@pytest.mark.parametrize(
    "id_",
    [
        "7",
        "4711",
        "0d9d6f2e-3d4c-4d6b-9a55-2b1b6f0a6c11",
        "0D9D6F2E3D4C4D6B9A552B1B6F0A6C11",
        "kim%40example.org",
        "kim@example.org",
    ],
)
async def test_an_id_in_a_path_is_refused_and_not_repeated(id_):
    """
    Paths reach logs, spans, errors and the report; whoever writes an f-string forgets.
    """
    path = f"/HealthcareProvider/{{id}}/Athletes/{id_}/Notes"
    with pytest.raises(ConfigurationError, match=r"segment 4 .* values=") as raised:
        await pool().session(1).request("GET", path)

    assert id_ not in str(raised.value).replace("segment 4", "")


@pytest.mark.parametrize("part", ["v2", "2026-01", "cafe", "Notes7", "@all", "{a}"])
async def test_what_is_no_id_may_stand_in_a_path(part):
    """
    Versions and words are part of routes.
    """
    path = f"/{part}/HealthcareProvider/{{id}}"
    with pytest.raises(PoolClosedError):
        await (
            pool()
            .session(1)
            .request("GET", path, values={"id": 1} if part == "{a}" else None)
        )


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((None, ROUTE), {}, "method is of type NoneType"),
        (("GET", 7), {}, "path is of type int"),
        (("GET", ROUTE), {"values": [1]}, "values is of type list"),
    ],
)
async def test_a_request_is_made_of_texts(arguments, options, sentence):
    """
    A raw AttributeError does not say which argument it was.
    """
    with pytest.raises(ConfigurationError, match=sentence):
        await pool().session(1).request(*arguments, **options)


@pytest.mark.parametrize(
    "bad", [math.nan, -math.inf, [1, math.nan], {"a": [math.nan]}, (Decimal("nan"),)]
)
async def test_no_number_is_no_parameter_of_rows(bad):
    """
    JSON has no NaN: it would go out as null, which filters nothing.
    """
    with pytest.raises(ConfigurationError, match="parameter Weight is no finite"):
        pool().session(1).reporting.rows(1, Weight=bad)


@pytest.mark.parametrize("bad", [object(), b"x", {1}, [object()], {"a": object()}])
def test_what_has_no_meaning_is_refused_and_not_shown(bad):
    """
    The text names the parameter and the type.
    """
    with pytest.raises(ConfigurationError, match="parameter Weight is of type") as told:
        check_parameter("Weight", bad)
    assert "0x" not in str(told.value)


@pytest.mark.parametrize(
    "good",
    [None, "x", 1, True, 1.5, Decimal(1), date(2026, 1, 2), UUID(int=1), Kind.FULL, [1],
     (1, None), {"from": date(2026, 1, 2)}],
)  # fmt: skip
def test_what_has_a_meaning_passes(good):
    """
    Filters are lists and objects too.
    """
    check_parameter("Weight", good)


def test_what_pandas_and_numpy_hold_is_sent_as_what_it_is():
    """
    Analysts take filters out of a frame.
    """
    filters = {
        "from": pd.Timestamp("2025-06-01T08:30"),
        "id": np.int64(101),
        "ids": np.array([1, 2]),
        "active": np.bool_(True),
        "rate": np.float64(0.5),
    }

    assert json.loads(body_of(filters)) == {
        "from": "2025-06-01T08:30:00",
        "id": 101,
        "ids": [1, 2],
        "active": True,
        "rate": 0.5,
    }
    assert query_string({"id": np.int64(101), "ids": np.array([1, 2])}) == (
        "?id=101&ids=1&ids=2"
    )
    with pytest.raises(ConfigurationError, match="parameter from is no date"):
        body_of({"from": pd.NaT})


def test_what_polars_holds_is_sent_as_what_it_is():
    """
    Its users take filters out of a frame as well.
    """
    days = pl.Series([date(2026, 1, 31)])

    assert json.loads(body_of({"on": days})) == {"on": ["2026-01-31"]}
    assert query_string({"type": pl.Series(["Note", "Rehab"])}) == (
        "?type=Note&type=Rehab"
    )


def test_what_numpy_holds_is_sent_from_inside_a_list_too():
    """
    ``list(frame["id"].unique())`` is a list of numpy's own numbers.
    """
    ids = [np.int64(1), np.int64(2)]
    at = np.datetime64("2026-01-31T08:30", "ns")

    assert json.loads(body_of({"ids": ids, "range": {"from": at}})) == {
        "ids": [1, 2],
        "range": {"from": "2026-01-31T08:30:00"},
    }
    assert query_string({"id": tuple(ids)}) == "?id=1&id=2"


def test_what_only_looks_like_an_array_is_refused_by_its_type():
    """
    A raw AttributeError does not say which parameter it was.
    """
    with pytest.raises(ConfigurationError, match="parameter ids is of type Lazy"):
        body_of({"ids": type("Lazy", (), {"dtype": "int"})()})


@pytest.mark.parametrize("unit", ["s", "us", "ns", "as"])
def test_a_moment_of_numpy_is_a_moment_in_every_unit(unit):
    """
    Frames hold nanoseconds, and a number of them is no date to the API.
    """
    on = np.datetime64("1970-01-01T00:00:02", unit)

    assert json.loads(body_of({"from": on})) == {"from": "1970-01-01T00:00:02"}
    assert json.loads(body_of({"on": np.array([on])})) == {
        "on": ["1970-01-01T00:00:02"]
    }
    assert query_string({"from": on}) == "?from=1970-01-01T00%3A00%3A02"


def test_a_day_of_numpy_stays_one():
    """
    Midnight is something else to an API that compares days.
    """
    assert query_string({"on": np.datetime64("2026-01-31")}) == "?on=2026-01-31"


def test_moments_of_a_column_are_sent_as_moments():
    """
    With and without a time zone, whatever unit pandas chose.
    """
    column = pd.Series(pd.to_datetime(["2026-01-31"]))
    texts = ["2026-01-31T00:00:00"]

    assert json.loads(body_of({"on": column})) == {"on": texts}
    assert json.loads(body_of({"on": column.to_numpy()})) == {"on": texts}
    assert json.loads(body_of({"on": column.dt.tz_localize("UTC")})) == {
        "on": [f"{texts[0]}+00:00"]
    }


@pytest.mark.parametrize("unit", ["s", "ns", "M"])
def test_a_span_of_numpy_is_refused(unit):
    """
    The API has no word for one, and a number would be taken for something else.
    """
    with pytest.raises(ConfigurationError, match="parameter a is of type timedelta"):
        query_string({"a": np.timedelta64(1, unit)})
