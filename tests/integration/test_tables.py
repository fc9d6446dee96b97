"""Rows as tables and files, over real sockets."""

import asyncio
import csv
import json
import secrets
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from healthyroster_async import (
    DecodingError,
    ForbiddenError,
    HealthyRosterError,
    MissingExtraError,
    RetrySettings,
    UsageError,
)
from healthyroster_async._core import extras
from healthyroster_async._rows.sinks import DuckdbSink, TableSink
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.testing import scripted_pool

ROWS = 4000


@pytest.fixture
async def reporting():
    async with Emulator(providers=1, rows=ROWS) as emulator, emulator.pool() as pool:
        yield pool.session(1).reporting


def shown(value):
    """Return a cell as the API writes it."""
    if not hasattr(value, "isoformat"):
        return value
    return value.isoformat().replace("+00:00", "Z")


def alike(held, value):
    """Return whether a cell is what the API said, fractions of a second aside."""
    if isinstance(held, str) and not isinstance(value, str):
        return json.loads(held) == value
    if isinstance(value, str) and isinstance(held, str):
        return held.rstrip("Z").split(".")[0] == value.rstrip("Z").split(".")[0]
    return held == value


@pytest.mark.parametrize("settings", [{}, {"nested": True}, {"envelope": "data"}])
async def test_a_table_holds_what_the_rows_say(settings):
    """
    Every data source, cell by cell.
    """
    emulator = Emulator(providers=1, rows=600, **settings)
    async with emulator, emulator.pool() as pool:
        clinic = pool.session(1).reporting
        for source in emulator.sources:
            rows = await clinic.rows(source).to_list()
            table = await clinic.rows(source).to_arrow()

            assert table.num_rows == len(rows) == 600
            assert table.column_names == list(rows[0])
            cells = await asyncio.to_thread(table.to_pylist)
            for held, row in zip(cells, rows, strict=True):
                for name, value in row.items():
                    assert alike(shown(held[name]), value), name


async def test_frames_of_other_libraries_are_made(reporting):
    """
    They take Arrow's columns as they are.
    """
    polars = await reporting.rows(1).to_polars()
    pandas = await reporting.rows(1).to_pandas()

    assert polars.height == len(pandas) == ROWS
    assert str(polars.schema["registeredOn"]) == "Date"
    assert str(pandas.dtypes["registeredOn"]) == "date32[day][pyarrow]"


async def test_batches_come_inside_the_block(reporting):
    """
    They are as large as columns are worth, and no row is left out.
    """
    async with reporting.rows(1) as rows:
        batches = [batch async for batch in rows.batches()]
        with pytest.raises(UsageError, match="read once"):
            await anext(rows)

    assert all(isinstance(batch, pa.RecordBatch) for batch in batches)
    assert sum(batch.num_rows for batch in batches) == ROWS == rows.row_count
    assert rows.drift == []


@pytest.mark.parametrize("dates", [{}, {"window": "quarter"}])
async def test_all_rows_may_be_taken_in_the_block_too(dates, reporting, tmp_path):
    """
    People open a stream, and then want all of it.
    """
    more = {"since": "2025-01-01", "until": "2026-12-31", **dates} if dates else {}
    expected = len(await reporting.rows(2, **more).to_list())
    async with reporting.rows(2, **more) as rows:
        assert len(await rows.to_list()) == expected > 0
    async with reporting.rows(2, **more) as rows:
        assert (await rows.to_arrow()).num_rows == expected
    async with reporting.rows(2, **more) as rows:
        assert await rows.to_ndjson(tmp_path / "rows.ndjson") == expected
        with pytest.raises(UsageError, match="read once"):
            await rows.to_parquet(tmp_path / "rows.parquet")


@pytest.mark.parametrize(("start", "folder"), [("~", "home"), ("./~", "here/~")])
async def test_a_file_lies_in_the_home_as_people_write_it(
    start, folder, reporting, tmp_path, monkeypatch
):
    """
    What is half there must not be left in it while an error says that there is none.
    """
    await asyncio.to_thread((tmp_path / "here/~").mkdir, parents=True)
    await asyncio.to_thread((tmp_path / "home").mkdir)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    await asyncio.to_thread(monkeypatch.chdir, tmp_path / "here")
    for kind in ("parquet", "csv", "ndjson"):
        written = getattr(reporting.rows(1), f"to_{kind}")(f"{start}/rows.{kind}")
        assert await written == ROWS
    assert await reporting.rows(1).to_duckdb(f"{start}/rows.db", "a") == ROWS

    def names():
        return {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("rows*")}

    kinds = ("parquet", "csv", "ndjson", "db")
    assert await asyncio.to_thread(names) == {f"{folder}/rows.{kind}" for kind in kinds}


async def test_files_are_whole(reporting, tmp_path):
    """
    Parquet, CSV, JSON lines and a table of DuckDB hold the same rows.
    """
    paths = {kind: tmp_path / f"rows.{kind}" for kind in ("parquet", "csv", "ndjson")}
    for kind, path in paths.items():
        assert await getattr(reporting.rows(1), f"to_{kind}")(path) == ROWS
    assert await reporting.rows(1).to_duckdb(tmp_path / "rows.db", 'pa"tients') == ROWS

    def ids():
        table = pa.parquet.read_table(paths["parquet"])
        assert pa.parquet.ParquetFile(paths["parquet"]).metadata.row_group(0)
        with paths["csv"].open(newline="") as file:
            in_csv = [int(row["id"]) for row in csv.DictReader(file)]
        with paths["ndjson"].open() as file:
            in_lines = [json.loads(line)["id"] for line in file]
        duckdb = extras.extra("duckdb", "duckdb")
        with duckdb.connect(str(tmp_path / "rows.db")) as connection:
            found = connection.execute('SELECT id FROM "pa""tients"').fetchall()
        return table["id"].to_pylist(), in_csv, in_lines, [row[0] for row in found]

    parquet, *others = await asyncio.to_thread(ids)
    assert len(parquet) == ROWS
    assert all(other == parquet for other in others)
    left = await asyncio.to_thread(lambda: sorted(p.name for p in tmp_path.iterdir()))
    assert left == ["rows.csv", "rows.db", "rows.ndjson", "rows.parquet"]


@pytest.mark.usefixtures("syncs_as_windows")
async def test_files_are_synced_where_windows_would_sync_them(tmp_path):
    """
    There it refuses a file that was opened to be read, and none could be written.
    """
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        reporting = pool.session(1).reporting
        for kind in ("parquet", "csv", "ndjson"):
            write = getattr(reporting.rows(1), f"to_{kind}")
            assert await write(tmp_path / f"rows.{kind}") == 9
        assert await reporting.rows(1).to_duckdb(tmp_path / "rows.db", "Patients") == 9


@pytest.mark.parametrize("kind", ["reset", "truncate"])
async def test_a_connection_lost_on_the_way_costs_and_repeats_no_row(kind):
    """
    The answer is asked for again, and what was read is compared.
    """
    emulator = Emulator(providers=1, rows=ROWS, faults=[Fault(kind=kind, times=1)])
    async with emulator, emulator.pool() as pool:
        clinic = pool.session(1).reporting
        table = await clinic.rows(1).to_arrow()

        assert table.num_rows == ROWS
        assert len(set(table["id"].to_pylist())) == ROWS


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
async def test_what_fails_leaves_no_file(kind, tmp_path):
    """
    Neither half of one under its name, nor a part of one beside it; an older one stays.
    """
    path = tmp_path / "rows"
    await asyncio.to_thread(path.write_bytes, b"older")
    emulator = Emulator(
        providers=1, rows=ROWS, faults=[Fault(kind="truncate", every=1)]
    )
    async with emulator, emulator.pool() as pool:
        session = pool.session(1).with_options(retry=RetrySettings(max_attempts=2))
        rows = session.reporting.rows(1)
        with pytest.raises(HealthyRosterError):
            await getattr(rows, f"to_{kind}")(path)

    left = await asyncio.to_thread(
        lambda: [(p.name, p.read_bytes()) for p in tmp_path.iterdir()]
    )
    assert left == [("rows", b"older")]


async def test_to_duckdb_the_name_of_a_folder_says_nothing(
    reporting, tmp_path, monkeypatch
):
    """
    It takes brackets for a pattern of other folders, and ``=`` for another column.
    """
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0")
    table = await reporting.rows(1).to_arrow()
    file = tmp_path / "year=[26]" / "rows.db"

    def beside():
        file.parent.mkdir()
        other = tmp_path / "year=2" / ".rows.db.0.partial"
        other.parent.mkdir()
        pa.parquet.write_table(table.slice(1), other)

    def found():
        with extras.extra("duckdb", "duckdb").connect(str(file)) as connection:
            rows = connection.execute("SELECT * FROM Patients ORDER BY id")
            return [name for name, *_ in rows.description], rows.fetchall()

    await asyncio.to_thread(beside)
    await reporting.rows(1).to_duckdb(file, "Patients")
    names, rows = await asyncio.to_thread(found)

    assert names == table.column_names
    assert len(rows) == ROWS


async def test_columns_that_duckdb_takes_for_one_are_told_apart(tmp_path):
    """
    Else a query of ``name`` reads the other one, and nobody knows.
    """
    file = tmp_path / "rows.db"
    row = {"Name": "a", "name_1": "b", "name": "c", "": "d", "NAME": "e"}
    async with scripted_pool([[row], 403]) as pool:
        rows = pool.session(1).reporting.rows(1)
        await rows.to_duckdb(file, "t")

    def found():
        with extras.extra("duckdb", "duckdb").connect(str(file)) as connection:
            held = connection.execute("FROM t")
            return [name for name, *_ in held.description], held.fetchall()

    assert await asyncio.to_thread(found) == (
        ["Name", "name_1", "name_2", "column", "NAME_3"],
        [tuple(row.values())],
    )
    assert rows.drift == [
        "name: no name of its own in DuckDB; the column is name_2",
        "(no name): no name of its own in DuckDB; the column is column",
        "NAME: no name of its own in DuckDB; the column is NAME_3",
    ]


@pytest.mark.parametrize("kind", [TableSink, DuckdbSink])
def test_a_name_that_was_given_is_not_that_of_a_column_to_come(kind, tmp_path):
    """
    A file of two columns of one name is read by nobody.
    """
    sink = kind(tmp_path / "rows", "t" if kind is DuckdbSink else ["a"])
    first = {"": ["1"], "a": ["2"], "A": ["3"]}
    sink.write(pa.table(first))
    before = dict(sink.renamed)
    sink.write(pa.table(first | {"A_1": ["4"], "column": ["5"]}))
    sink.close()

    assert before.items() <= sink.renamed.items()
    names = {name: sink.renamed.get(name, name) for name in [*first, "A_1", "column"]}
    assert len({name.lower() for name in names.values()}) == 5


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson", "duckdb"])
async def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(
    kind, tmp_path
):
    """
    The rows of an hour would have nowhere to go.
    """
    more = ("Patients",) if kind == "duckdb" else ()
    async with scripted_pool([]) as pool:
        rows = pool.session(1).reporting.rows(1)
        with pytest.raises(FileNotFoundError, match=r"no such folder: .*out'"):
            await getattr(rows, f"to_{kind}")(tmp_path / "out" / "rows", *more)


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson", "duckdb"])
async def test_a_folder_is_no_file_before_anything_is_asked(kind, tmp_path):
    """
    It would take all rows to find out.
    """
    more = ("Patients",) if kind == "duckdb" else ()
    async with scripted_pool([]) as pool:
        rows = pool.session(1).reporting.rows(1)
        with pytest.raises(IsADirectoryError, match="a folder has this name"):
            await getattr(rows, f"to_{kind}")(tmp_path, *more)


@pytest.mark.parametrize("table", [None, 3, ""])
async def test_a_table_without_a_name_is_refused_before_anything_is_asked(
    table, tmp_path
):
    """
    DuckDB would say so when all rows are there.
    """
    async with scripted_pool([]) as pool:
        rows = pool.session(1).reporting.rows(1)
        with pytest.raises(UsageError, match="the name that the table is to have"):
            await rows.to_duckdb(tmp_path / "rows.db", table)


@pytest.mark.parametrize("path", [":memory:", "./:memory:", ":memory:clinic"])
async def test_rows_are_not_written_into_a_database_that_is_gone_then(path):
    """
    Their number would be returned as if they were somewhere.
    """
    async with scripted_pool([]) as pool:
        rows = pool.session(1).reporting.rows(1)
        with pytest.raises(UsageError, match=r"path of a file, or .*to_arrow\(\)"):
            await rows.to_duckdb(path, "t")


async def test_a_file_that_is_open_here_is_said_before_anything_is_asked(tmp_path):
    """
    A notebook that looks at a file forgets it, and then waits an hour for an error.
    """
    file = tmp_path / "rows.db"

    def looked_at():
        duckdb = extras.extra("duckdb", "duckdb")
        duckdb.connect(str(file)).close()
        return duckdb.connect(str(file), read_only=True)

    async with scripted_pool([]) as pool:
        rows = pool.session(1).reporting.rows(1)
        own = await asyncio.to_thread(looked_at)
        with own, pytest.raises(OSError, match="has it open itself; close") as caught:
            await rows.to_duckdb(file, "t")

    assert caught.value.__context__ is None


@pytest.mark.parametrize("rows", [[], [{}]])
async def test_to_duckdb_rows_without_a_column_are_no_table(rows, tmp_path):
    """
    It has none without; where the data source is not described, nobody knows any.
    """
    file = tmp_path / "rows.db"
    async with scripted_pool([rows, 403]) as pool:
        with pytest.raises(OSError, match="says what its columns are"):
            await pool.session(1).reporting.rows(1).to_duckdb(file, "t")

    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_a_table_that_cannot_be_replaced_is_an_error_of_the_system(
    reporting, tmp_path
):
    """
    Whoever writes files need not know the errors of DuckDB, which may tell values.
    """
    file = tmp_path / "rows.db"
    duckdb = extras.extra("duckdb", "duckdb")
    with await asyncio.to_thread(duckdb.connect, str(file)) as other:

        async def execute(query):
            await asyncio.to_thread(other.execute, query)

        await execute("CREATE VIEW seen AS SELECT 1")
        with pytest.raises(OSError, match="a view has its name"):
            await reporting.rows(1).to_duckdb(file, "seen")
        await execute("BEGIN")
        await execute("CREATE TABLE Patients AS SELECT 1")
        with pytest.raises(OSError, match="somebody else writes it") as caught:
            await reporting.rows(1).to_duckdb(file, "Patients")
        await execute("ROLLBACK")
        assert await reporting.rows(1).to_duckdb(file, "Patients") == ROWS

    assert caught.value.__context__ is None


async def test_columns_are_typed_where_the_description_is_denied():
    """
    Then the values alone say what they are; the rows are what was asked for.
    """
    emulator = Emulator(providers=1, rows=50, denied=[("*", "data_source")])
    async with emulator, emulator.pool() as pool:
        table = await pool.session(1).reporting.rows(1).to_arrow()
        assert str(table["id"].type) == "int64"
        assert str(table["registeredOn"].type) == "string"

        emulator.deny("*", "rows")
        with pytest.raises(ForbiddenError):
            await pool.session(1).reporting.rows(1).to_arrow()


async def test_a_page_of_html_is_no_table():
    """
    A proxy's login page comes with 200.
    """
    emulator = Emulator(providers=1, rows=50, faults=[Fault(kind="html", status=200)])
    async with emulator, emulator.pool() as pool:
        session = pool.session(1).with_options(retry=RetrySettings(max_attempts=1))
        with pytest.raises((DecodingError, HealthyRosterError)):
            await session.reporting.rows(1).to_arrow()


async def test_a_missing_extra_is_named(reporting, monkeypatch):
    """
    Before anything is sent for it.
    """

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"healthyroster-async\[frames\]"):
        await reporting.rows(1).to_arrow()
    with pytest.raises(MissingExtraError, match=r"healthyroster-async\[polars\]"):
        await reporting.rows(1).to_polars()
    with pytest.raises(MissingExtraError, match=r"healthyroster-async\[frames\]"):
        await reporting.rows(1).to_parquet("rows.parquet")
    with pytest.raises(MissingExtraError, match=r"healthyroster-async\[duckdb\]"):
        await reporting.rows(1).to_duckdb("rows.db", "Patients")


ALL_WAYS = """
import asyncio, sys
from pathlib import Path
from healthyroster_async.emulator import Emulator

async def main(folder):
    async with Emulator(rows=300) as emulator, emulator.pool() as pool:
        rows = pool.session(1).reporting.rows
        for source in range(1, 10):
            await rows(source).to_parquet(folder / "a.parquet")
        await rows(1).to_csv(folder / "a.csv")
        await rows(1).to_arrow()
    print("pandas" in sys.modules)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_pandas_is_not_imported_by_who_wants_none(tmp_path):
    """
    pyarrow imports it before it looks at a Python value, and an app stands still then.
    """
    command = [sys.executable, "-c", ALL_WAYS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False"]
