"""The emulator's rows and how they are selected, without a socket."""

import datetime as dt
import itertools
import time
from functools import lru_cache

import orjson
import pytest

from healthyroster_async.emulator.data import chunks, tails
from healthyroster_async.emulator.schema import ORGANIZATIONS, cased
from healthyroster_async.emulator.selection import BadParameterError, select
from healthyroster_async.emulator.sources import SOURCES
from healthyroster_async.emulator.values import Style

PLAIN = Style(0, "camel", False, False)
BY_KEY = {source.key: source for source in SOURCES}


def render(source, parameters=None, *, provider=7, rows=500, style=PLAIN):
    selection = select(
        source, parameters or {}, provider=provider, rows=rows, seed=style.seed
    )
    tail = tails(source, style)
    for _ in tail.make(selection):
        pass
    raw = b"".join(chunks(tail, selection, provider=provider, rows=rows))
    return raw, selection.count


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.key)
@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("casing", ["camel", "pascal", "snake"])
def test_rows_have_the_columns_that_are_described(source, pretty, casing):
    """
    A client builds its table from the description before it sees a row.
    """
    style = Style(3, casing, pretty, True)
    raw, count = render(source, rows=40, style=style)
    rows = orjson.loads(raw)
    columns = source.columns(nested=True)

    assert len(rows) == count == 40
    assert all(list(row) == [cased(c.name, casing) for c in columns] for row in rows)
    assert (b"\n" in raw) is pretty
    assert 15 <= len(source.columns(nested=False)) <= 45


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.key)
def test_values_are_of_the_type_that_is_described(source):
    """
    Only a column that says it is nullable may hold null, and a date is a date.
    """
    types = {
        "integer": int,
        "number": float,
        "string": str,
        "boolean": bool,
        "date": str,
        "date-time": str,
    }
    rows = orjson.loads(render(source)[0])
    for column in source.columns(nested=False):
        values = [row[column.name] for row in rows]
        present = [value for value in values if value is not None]

        assert (len(present) < len(values)) is (column.nulls > 0)
        if column.kind == "provider":
            continue
        assert {type(value) for value in present} == {types[column.type]}
        if column.type == "date":
            assert all(dt.date.fromisoformat(value) for value in present)
        if column.type == "date-time":
            zoned = {dt.datetime.fromisoformat(v).tzinfo is not None for v in present}
            assert zoned == {column.kind != "naive"}


def test_the_text_holds_what_breaks_careless_splitters():
    """
    Rows split at the wrong place are wrong health data.
    """
    raw, _ = render(BY_KEY["encounters"])
    text = "".join(str(row["subjective"]) for row in orjson.loads(raw))

    for nasty in ('"', "\n", "\\", "},{", '"},{"', "🏃"):
        assert nasty in text


@pytest.mark.parametrize("provider", [1, 42, 10**12, 'a%d "quoted" é', "0"])
def test_row_ids_are_unique_and_providers_differ(provider):
    """
    Merged or swapped providers must show in the data.
    """
    rows = orjson.loads(render(SOURCES[0], provider=provider, rows=1500)[0])
    others = orjson.loads(render(SOURCES[0], provider=2, rows=1500)[0])

    assert len({row["id"] for row in rows}) == 1500
    assert {row["providerId"] for row in rows} == {provider}
    assert [row["patientName"] for row in rows] != [
        row["patientName"] for row in others
    ]


def test_the_same_settings_give_the_same_bytes():
    """
    A failure that was seen must be seen again.
    """
    tails.cache_clear()
    first = render(SOURCES[1])[0]
    tails.cache_clear()

    assert render(SOURCES[1])[0] == first
    assert render(SOURCES[1], style=Style(1, "camel", False, False))[0] != first


@lru_cache
def every_row(source, rows):
    return orjson.loads(render(source, rows=rows)[0])


FILTERS = [
    (source, parameters)
    for source in SOURCES
    for parameters in [
        {},
        {"StartDate": "2026-01-01"},
        {"ENDDATE": "2025-03-31T23:59:59Z"},
        {"startdate": dt.date(2025, 6, 1), "endDate": dt.date(2025, 6, 30)},
        {"StartDate": "2026-02-02", "EndDate": "2026-02-01"},
        {"StartDate": "1999-01-01", "EndDate": "2099-01-01"},
        {"StartDate": "2027-01-01"},
        {"EndDate": "2024-12-31"},
        {"StartDate": None},
        *(
            {"StartDate": "2025-08-15", p.name: value}
            for p in source.filters
            for value in {
                "boolean": [True, False],
                "integer": [ORGANIZATIONS[2], -1],
                "string": [v.upper() for v in p.values[:2]],
                "array": [list(p.values[:2]), []],
            }[p.type]
        ),
        {
            p.name: {
                "boolean": True,
                "integer": ORGANIZATIONS[0],
                "string": p.values[:1] and p.values[0],
                "array": list(p.values),
            }[p.type]
            for p in source.filters
        },
    ]
]


@pytest.mark.parametrize("rows", [0, 1, 37, 1100])
@pytest.mark.parametrize(("source", "parameters"), FILTERS)
def test_the_count_that_is_computed_is_the_count_that_is_made(source, parameters, rows):
    """
    Every completeness test of a pull stands on this number.
    """
    raw, count = render(source, parameters, rows=rows)
    got = orjson.loads(raw)
    everything = every_row(source, rows)
    given = {name.lower(): value for name, value in parameters.items()}
    start = str(given.pop("startdate", None) or "0")[:10]
    end = str(given.pop("enddate", None) or "9")[:10]
    columns = {p.name.lower(): p.column for p in source.filters}

    def passes(row):
        for name, value in given.items():
            allowed = value if isinstance(value, list) else [value]
            spelled = [str(item).lower() for item in allowed]
            if value is not False and str(row[columns[name]]).lower() not in spelled:
                return False
        return start <= row[source.date] <= end

    assert len(got) == count
    assert got == [row for row in everything if passes(row)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"Nothing": 1},
        {"StartDate": "yesterday"},
        {"StartDate": 5},
        {"EndDate": ["2026-01-01"]},
        {"OrganizationId": "101"},
        {"OrganizationId": True},
        {"SignedOnly": "true"},
        {"SignedOnly": 1},
        {"Status": "Lost"},
        {"Status": 3},
        {"EncounterTypes": "Rehab"},
        {"EncounterTypes": ["Rehab", "Nap"]},
    ],
)
def test_a_parameter_is_refused_by_name(parameters):
    """
    A server that overlooks a misspelt filter would send too many rows.
    """
    with pytest.raises(BadParameterError) as caught:
        select(BY_KEY["encounters"], parameters, provider=1, rows=9, seed=0)

    assert caught.value.name in parameters


def test_ten_million_rows_are_counted_without_being_made():
    """
    Benchmarks ask for the number before they begin.
    """
    started = time.perf_counter()
    selection = select(
        SOURCES[0], {"OrganizationId": 101}, provider=1, rows=10**7, seed=0
    )

    assert 10**6 < selection.count < 2 * 10**6
    assert time.perf_counter() - started < 0.5


def test_rows_are_made_in_pieces_faster_than_anybody_reads_them():
    """
    The emulator must not be what a benchmark measures, nor block its event loop.
    """
    source = BY_KEY["services"]
    selection = select(source, {}, provider=1, rows=10**7, seed=0)
    tail = tails(source, PLAIN)
    for _ in tail.make(selection):
        pass
    pieces = chunks(tail, selection, provider=1, rows=10**7)
    started = time.perf_counter()
    sizes = [len(piece) for piece in itertools.islice(pieces, 400)]
    seconds = time.perf_counter() - started

    assert max(sizes) < 300_000
    # Ten times slower than what was measured, so that a busy machine passes.
    assert sum(sizes) / seconds > 50e6
