"""Pulls into one DuckDB file."""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from children import unwatched
from fakes import full_disk

from healthyroster_async import DestinationError, PullPlan
from healthyroster_async.emulator import Emulator
from healthyroster_async.pull._duckdb import DuckdbDestination
from healthyroster_async.testing import scripted_pool

DATES = {"since": "2025-01-01", "until": "2025-04-01"}
PLAN = PullPlan([1, 2], format="duckdb", **DATES)


async def asked(folder, query):
    def ask():
        with duckdb.connect(str(folder / "rows.duckdb"), read_only=True) as db:
            return db.execute(query).fetchall()

    return await asyncio.to_thread(ask)


def publish(folder, source, tables):
    """Publish tables, each of a provider of its own, by runs of their own."""
    for number, table in enumerate(tables):
        with contextlib.closing(DuckdbDestination(folder)) as destination:
            partial = destination.partial()
            pq.write_table(table, partial)
            destination.publish(
                partial,
                source=source,
                provider=str(number),
                key="all",
                rows=len(table),
            )


async def test_each_data_source_is_a_table_of_the_rows_of_all(tmp_path):
    """
    One file to open, and nothing to glob.
    """
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        report = await pool.pull(PLAN, tmp_path)
        again = await pool.pull(PLAN, tmp_path)
        rows = await pool.session(2).reporting.rows(2).to_list()
    tables = await asked(tmp_path, "SELECT name FROM (SHOW TABLES)")
    counted = [
        (await asked(tmp_path, f'SELECT count(*), count(DISTINCT id) FROM "{name}"'))[0]
        for (name,) in tables
    ]
    ids = await asked(tmp_path, "SELECT id FROM Encounters WHERE _provider = '2'")

    assert len(tables) == 9
    assert sum(count for count, _ in counted) == report.rows == again.rows > 0
    assert all(count == different for count, different in counted)
    assert {i for (i,) in ids} <= {row["id"] for row in rows}


async def test_a_table_is_called_as_its_data_source(tmp_path):
    """
    The name of a folder is escaped, and who asks DuckDB does not know how.
    """
    name = "Équipes / 50 %"

    def answers(request):
        if request.stream:
            return [{"id": 1}]
        return [{"id": 1, "name": name}] if request.label.endswith("s") else {"id": 1}

    async with scripted_pool(answers) as pool:
        await pool.pull(PullPlan([1], format="duckdb"), tmp_path)

    assert await asked(tmp_path, f'SELECT id FROM "{name}"') == [(1,)]


@pytest.mark.parametrize("name", ["tables", "sqlite_master", "pg_class", "Patients"])
def test_only_a_table_of_the_pulls_own_is_taken_for_one(name, tmp_path):
    """
    DuckDB has views of its own, and an analyst a schema: neither may end the night.
    """
    publish(tmp_path, "Teams", [pa.table({"id": [1]})])
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as db:
        db.execute("CREATE SCHEMA mart")
        db.execute(f"CREATE TABLE mart.\"{name}\" AS SELECT 'theirs' AS id, 1 AS total")
    tables = [pa.table({"id": [1]}), pa.table({"id": ["x"], "total": [2]})]
    publish(tmp_path, name, tables)

    with duckdb.connect(str(tmp_path / "rows.duckdb")) as db:
        ours = db.execute(f'SELECT id, total FROM main."{name}"').fetchall()
        assert ours == [("1", None), ("x", 2)]
        theirs = db.execute(f'SELECT id, total FROM mart."{name}"').fetchall()
        assert theirs == [("theirs", 1)]


def test_a_table_is_found_whatever_its_case(tmp_path):
    """
    Journals have such names from before; DuckDB takes them for one, but for accents.
    """
    for name in ("Visits", "visits", "Équipe", "équipe"):
        publish(tmp_path, name, [pa.table({"id": [1]})])

    with duckdb.connect(str(tmp_path / "rows.duckdb")) as db:
        tables = {name for (name,) in db.execute("SHOW TABLES").fetchall()}
        assert tables == {"Visits", "Équipe", "équipe"}


def test_what_cannot_be_written_names_its_table(tmp_path):
    """
    A pull writes many, and the error ends the night.
    """
    table = pa.table({"id": [1]})
    publish(tmp_path, "Teams", [table])
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as db:
        db.execute("CREATE VIEW Visits AS SELECT 1 AS id")
    with pytest.raises(DestinationError, match="the table 'Visits' of the DuckDB"):
        publish(tmp_path, "Visits", [table])


def test_a_full_disk_is_said(tmp_path):
    """
    Whoever is called at night knows what to do then, and it shows no values.
    """
    texts = [f"{number} Quill" * 100 for number in range(50)]
    large = pa.table({"note": pa.array(texts * 1000)})
    with full_disk(), pytest.raises(DestinationError, match=r"File too large$"):
        publish(tmp_path, "Teams", [large])


async def test_rows_that_are_gone_are_gone_there_too(tmp_path):
    """
    A partition is replaced whole, also by nothing.
    """
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        await pool.pull(PLAN, tmp_path)
    async with Emulator(providers=2, rows=0) as emulator, emulator.pool() as pool:
        await pool.pull(PLAN, tmp_path)

    assert await asked(tmp_path, "SELECT count(*) FROM Patients") == [(0,)]


@pytest.mark.parametrize("theirs", [{"name": ["theirs"]}, {"name": [4711]}])
def test_brackets_in_the_path_are_no_pattern(theirs, tmp_path):
    """
    To DuckDB they are, and rows or types of another pull beside would come instead.
    """
    beside = tmp_path / "lakeA" / "_healthyroster" / "partial"
    beside.mkdir(parents=True)
    pq.write_table(pa.table(theirs), beside / "0.duckdb")
    publish(tmp_path / "lake[A]", "Patients", [pa.table({"name": ["ours"]})])

    with duckdb.connect(str(tmp_path / "lake[A]" / "rows.duckdb")) as db:
        assert db.execute("SELECT name, typeof(name) FROM Patients").fetchall() == [
            ("ours", "VARCHAR")
        ]


def test_duckdb_does_not_take_all_memory_there_is(tmp_path):
    """
    By default that is four fifths of it, and the job has a small container.
    """
    with contextlib.closing(DuckdbDestination(tmp_path)) as destination:
        (limit,) = destination._db.execute(
            "SELECT current_setting('memory_limit')"
        ).fetchone()

    assert limit == "244.1 MiB"


ANALYST = """
import sys, duckdb
held = duckdb.connect(sys.argv[1], read_only=True)
print(flush=True)
sys.stdin.read()
"""


async def test_a_file_that_is_open_elsewhere_or_none_is_said(tmp_path):
    """
    DuckDB lets one process write.
    """
    file = tmp_path / "rows.duckdb"
    async with Emulator(providers=2, rows=3) as emulator, emulator.pool() as pool:
        await pool.pull(PLAN, tmp_path)
        analyst = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ANALYST, file),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await analyst.stdout.readline()
        with pytest.raises(DestinationError, match="another program has it open"):
            await pool.pull(PLAN, tmp_path)
        await analyst.communicate(b"")
        own = await asyncio.to_thread(duckdb.connect, file)
        with pytest.raises(DestinationError, match="this program has it open itself"):
            await pool.pull(PLAN, tmp_path)
        await asyncio.to_thread(own.close)
        await asyncio.to_thread(file.write_text, "no database")
        with pytest.raises(DestinationError, match="it is no DuckDB file") as caught:
            await pool.pull(PLAN, tmp_path)
        assert caught.value.__context__ is None  # its text may tell values
        with pytest.raises(DestinationError, match="no URL"):
            await pool.pull(PLAN, "memory://lake")


@pytest.mark.parametrize("where", [":memory:", "./:memory:", ":memory:/lake"])
@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_database_in_memory_is_no_destination(
    where, dry_run, tmp_path, monkeypatch
):
    """
    DuckDB would keep the rows there, and the journal would say that they are done.
    """
    await asyncio.to_thread(monkeypatch.chdir, tmp_path)
    async with scripted_pool([]) as pool:
        with pytest.raises(DestinationError, match="in memory would be gone"):
            await pool.pull(PLAN, where, dry_run=dry_run)


async def test_columns_that_differ_in_case_only_stay_apart(tmp_path):
    """
    To DuckDB they are one, and so is a column that the table has for itself.
    """
    tables = [
        {"Name": ["a"], "_provider": ["x"], "name_1": ["n"], "": ["z"]},
        {"name": ["b"], "Name": ["c"], "_PROVIDER": [True]},
        {"NAME": ["d"], "name": ["e"], "_provider": ["y"]},
    ]

    await asyncio.to_thread(publish, tmp_path, "it's", map(pa.table, tables))
    found = await asked(tmp_path, 'SELECT * EXCLUDE _window FROM "it\'s" ORDER BY 1')
    named = await asked(
        tmp_path,
        "SELECT column_name, comment FROM duckdb_columns() "
        "WHERE table_name = 'it''s' ORDER BY column_index",
    )

    assert dict(named) == {
        "_provider": None,
        "_window": None,
        "Name": None,
        "_provider_1": "in the API: _provider",
        "name_1": None,
        "column": "in the API: ",
        "name_2": "in the API: name",
        "_PROVIDER_2": "in the API: _PROVIDER",
        "NAME_3": "in the API: NAME",
    }
    assert found == [
        ("0", "a", "x", "n", "z", None, None, None),
        ("1", "c", None, None, None, "b", True, None),
        ("2", None, "y", None, None, "e", None, "d"),
    ]


async def test_a_column_that_becomes_wider_keeps_what_it_had(tmp_path):
    """
    Each partition has the types of its own rows.
    """
    tables = [
        pa.table({"id": [1, 2], "size": [1, None], "x": ["a", "b"]}),
        pa.table({"id": [3], "size": [0.5], "new": [True]}),
        pa.table({"id": ["four"], "size": [4]}),
    ]

    await asyncio.to_thread(publish, tmp_path, 'odd "name"', tables)
    found = await asked(
        tmp_path, 'SELECT id, "size", x, "new" FROM "odd ""name""" ORDER BY id'
    )

    assert found == [
        ("1", 1.0, "a", None),
        ("2", None, "b", None),
        ("3", 0.5, None, True),
        ("four", 4.0, None, None),
    ]


MOMENT = dt.datetime(2026, 1, 31, 8, 30, 0, 120_000)
FAR = dt.datetime(9999, 12, 31)


@pytest.mark.parametrize("text_first", [True, False])
@pytest.mark.parametrize("zone", ["America/New_York", "UTC"])
async def test_what_becomes_text_is_written_as_json_writes_it(
    text_first, zone, tmp_path, monkeypatch
):
    """
    Whichever came first, and wherever the machine is.
    """
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    values = {
        "utc": (pa.timestamp("us", "UTC"), MOMENT, "2026-01-31T08:30:00.12Z"),
        "fine": (
            pa.timestamp("ns", "UTC"),
            10**9 + 1,
            "1970-01-01T00:00:01.000000001Z",
        ),
        "local": (
            pa.timestamp("us"),
            MOMENT.replace(microsecond=0),
            "2026-01-31T08:30:00",
        ),
        "day": (pa.date32(), MOMENT.date(), "2026-01-31"),
        "money": (pa.decimal128(38, 10), Decimal("12.50"), "12.5"),
        "whole": (pa.decimal128(38, 10), Decimal(100), "100"),
        "number": (pa.float64(), 1.0, "1"),
        "part": (pa.float64(), 0.25, "0.25"),
        "id": (pa.int64(), 2**62, str(2**62)),
        "flag": (pa.bool_(), True, "true"),
    }
    typed = pa.table({n: pa.array([v], kind) for n, (kind, v, _) in values.items()})
    texts = pa.table({name: ["Quill"] for name in values})
    tables = [texts, typed] if text_first else [typed, texts]

    await asyncio.to_thread(publish, tmp_path, "Rows", tables)
    monkeypatch.undo()
    time.tzset()
    found = await asked(
        tmp_path, "SELECT * EXCLUDE (_provider, _window) FROM Rows ORDER BY _provider"
    )

    assert sorted(found) == sorted(
        [tuple(text for *_, text in values.values()), ("Quill",) * len(values)]
    )


@pytest.mark.parametrize("swapped", [True, False])
@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (pa.array([1]), pa.array([0.5]), {1.0, 0.5}),
        (pa.array([2**53 + 1]), pa.array([0.5]), {"9007199254740993", "0.5"}),
        (pa.nulls(1), pa.array([2**60]), {None, 2**60}),
        (pa.nulls(1), pa.array(["x"]), {None, "x"}),
        (pa.array([None], pa.int64()), pa.array([0.5]), {None, 0.5}),
        (pa.array([None], pa.string()), pa.array([7]), {None, 7}),
        (
            pa.array([None], pa.timestamp("us")),
            pa.array([MOMENT], pa.timestamp("us", "UTC")),
            {None, "2026-01-31 08:30:00.12+00"},
        ),
        (
            pa.array([None], pa.timestamp("us")),
            pa.array([True]),
            {None, "true"},
        ),
        (
            pa.array([MOMENT], pa.timestamp("us")),
            pa.array([1001], pa.timestamp("ns")),
            {"2026-01-31 08:30:00.12", "1970-01-01 00:00:00.000001001"},
        ),
        (
            pa.array([MOMENT], pa.timestamp("us", "UTC")),
            pa.array([1001], pa.timestamp("ns", "UTC")),
            {"2026-01-31 08:30:00.12+00", "1970-01-01 00:00:00.000001001+00"},
        ),
        (
            pa.array([FAR], pa.timestamp("us", "UTC")),
            pa.array([1001], pa.timestamp("ns", "UTC")),
            {"9999-12-31T00:00:00Z", "1970-01-01T00:00:00.000001001Z"},
        ),
    ],
)
async def test_two_types_become_one_that_holds_both(
    one, other, found, swapped, tmp_path
):
    """
    No digit is lost on the way.
    """
    tables = [pa.table({"x": column}) for column in (one, other)]
    tables = tables[::-1] if swapped else tables

    await asyncio.to_thread(publish, tmp_path, "Rows", tables)
    text = "x::VARCHAR" if pa.types.is_timestamp(one.type) else "x"
    held = await asked(tmp_path, f"SELECT {text} FROM Rows")

    assert {value for (value,) in held} == found


async def test_a_column_that_becomes_text_is_told(tmp_path):
    """
    Else the first to hear of it is a query, weeks later.
    """
    ended = {1: ["2026-01-31T08:30:00Z"], 2: ["2026-01-31T08:30:00"], 3: [None]}

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": 1, "name": "Visits"}]
        if request.label.endswith("/Data"):
            return [{"ended": value} for value in ended[request.provider_id]]
        fields = [{"name": "ended", "type": "date-time"}]
        return {"id": 1, "fields": fields, "parameters": []}

    told = []
    async with scripted_pool(answer) as pool:
        for provider in (3, 1, 3, 2):
            report = await pool.pull(PullPlan([provider], format="duckdb"), tmp_path)
            told.append(report.totals[0].drift)

    said = "TIMESTAMP WITH TIME ZONE before, but TIMESTAMP came; the column is text"
    assert told == [(), (), (), (f"ended: {said}",)]


KILLED = """
import os, signal, sys
from pathlib import Path
from healthyroster_async.pull._duckdb import DuckdbDestination
folder, *files = map(Path, sys.argv[1:])
destination = DuckdbDestination(folder)
for file in files:
    destination.publish(file, source="Rows", provider=file.name, key="all", rows=1)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL here")
def test_what_became_wider_is_there_after_a_kill(tmp_path):
    """
    What DuckDB repeats then, it repeats without any function; else nothing opens it.
    """
    narrow = {
        "utc": pa.array([MOMENT], pa.timestamp("us", "UTC")),
        "fine": pa.array([MOMENT], pa.timestamp("us", "UTC")),
        "local": pa.array([MOMENT], pa.timestamp("us")),
        "money": pa.array([Decimal("12.50")], pa.decimal128(38, 10)),
        "number": pa.array([1.0]),
        "id": pa.array([7]),
        "text": pa.array([True]),
        "none": pa.array([None], pa.timestamp("us")),
    }
    wide = {name: pa.array(["Quill"]) for name in narrow} | {
        "fine": pa.array([MOMENT], pa.timestamp("ns", "UTC")),
        "id": pa.array([0.5]),
        "none": pa.array([MOMENT], pa.timestamp("us", "UTC")),
    }
    files = [tmp_path / "narrow", tmp_path / "wide"]
    for file, columns in zip(files, (narrow, wide), strict=True):
        pq.write_table(pa.table(columns), file)
    lake = tmp_path / "lake"
    lake.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, lake, *files],
        env=unwatched(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (lake / "rows.duckdb.wal").stat().st_size > 0

    with duckdb.connect(lake / "rows.duckdb") as db:
        found = db.execute(
            "FROM Rows SELECT * EXCLUDE (_window, fine, none)"
        ).fetchall()
        columns = [name for name, *_ in db.execute("DESCRIBE Rows").fetchall()]
        kinds = dict(row[:2] for row in db.execute("DESCRIBE Rows").fetchall())

    text = ("2026-01-31T08:30:00.12Z", "2026-01-31T08:30:00.12", "12.5", "1", 7, "true")
    assert sorted(found) == [("narrow", *text), ("wide", *["Quill"] * 4, 0.5, "Quill")]
    assert columns == ["_provider", "_window", *narrow]
    assert kinds["fine"] == "TIMESTAMPTZ_NS"
    assert kinds["none"] == "TIMESTAMP WITH TIME ZONE"
