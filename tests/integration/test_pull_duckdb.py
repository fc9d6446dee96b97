"""Pulls into one DuckDB file."""

import asyncio

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from healthyroster_async import DestinationError, PullPlan
from healthyroster_async.emulator import Emulator
from healthyroster_async.pull._duckdb import DuckdbDestination

DATES = {"since": "2025-01-01", "until": "2025-04-01"}
PLAN = PullPlan([1, 2], format="duckdb", **DATES)


async def asked(folder, query):
    def ask():
        with duckdb.connect(str(folder / "rows.duckdb"), read_only=True) as db:
            return db.execute(query).fetchall()

    return await asyncio.to_thread(ask)


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


async def test_rows_that_are_gone_are_gone_there_too(tmp_path):
    """
    A partition is replaced whole, also by nothing.
    """
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        await pool.pull(PLAN, tmp_path)
    async with Emulator(providers=2, rows=0) as emulator, emulator.pool() as pool:
        await pool.pull(PLAN, tmp_path)

    assert await asked(tmp_path, "SELECT count(*) FROM Patients") == [(0,)]


async def test_a_file_that_is_open_elsewhere_or_none_is_said(tmp_path):
    """
    DuckDB lets one process write.
    """
    await asyncio.to_thread((tmp_path / "rows.duckdb").write_text, "no database")
    async with Emulator(providers=2, rows=3) as emulator, emulator.pool() as pool:
        with pytest.raises(DestinationError, match="DuckDB file"):
            await pool.pull(PLAN, tmp_path)
        with pytest.raises(DestinationError, match="no URL"):
            await pool.pull(PLAN, "memory://lake")


async def test_columns_that_differ_in_case_only_stay_apart(tmp_path):
    """
    To DuckDB they are one, and so is a column that the table has for itself.
    """
    tables = [
        {"Name": ["a"], "_provider": ["x"], "name_1": ["n"]},
        {"name": ["b"], "Name": ["c"], "_PROVIDER": [1]},
        {"NAME": ["d"], "name": ["e"], "_provider": ["y"]},
    ]

    def publish():
        for number, table in enumerate(tables):
            destination = DuckdbDestination(tmp_path)
            partial = destination.partial()
            pq.write_table(pa.table(table), partial)
            destination.publish(
                partial, source="it's", provider=f"{number}", key="all", rows=1
            )
            destination.close()

    await asyncio.to_thread(publish)
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
        "name_2": "in the API: name",
        "_PROVIDER_2": "in the API: _PROVIDER",
        "NAME_3": "in the API: NAME",
    }
    assert found == [
        ("0", "a", "x", "n", None, None, None),
        ("1", "c", None, None, "b", 1, None),
        ("2", None, "y", None, "e", None, "d"),
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

    def publish():
        destination = DuckdbDestination(tmp_path)
        for number, table in enumerate(tables):
            partial = destination.partial()
            pq.write_table(table, partial)
            destination.publish(
                partial,
                source='odd "name"',
                provider="1",
                key=str(number),
                rows=len(table),
            )
        destination.close()

    await asyncio.to_thread(publish)
    found = await asked(
        tmp_path, 'SELECT id, "size", x, "new" FROM "odd ""name""" ORDER BY id'
    )

    assert found == [
        ("1", 1.0, "a", None),
        ("2", None, "b", None),
        ("3", 0.5, None, True),
        ("four", 4.0, None, None),
    ]
