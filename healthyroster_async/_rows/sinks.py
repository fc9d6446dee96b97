"""Files of rows: whole under their name, or not there at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import itertools
import os
import secrets
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson
from typing_extensions import override

from healthyroster_async._core.errors import UsageError
from healthyroster_async._core.extras import extra
from healthyroster_async._core.home import at_home
from healthyroster_async._rows.casts import arrow, as_json, as_text, recast

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP = 64 * 2**10
# What DuckDB says, and what it means; other texts may tell values.
_REASONS = (
    ("Could not set lock", "another program has it open"),
    ("different configuration", "this program has it open itself; close it"),
    ("No space left", "No space left on device"),
    ("File too large", "File too large"),
    ("Permission denied", "Permission denied"),
    ("not a valid DuckDB", "it is no DuckDB file"),
    ("of type View", "a view has its name"),
    ("conflict", "somebody else writes it at the same time"),
)


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that nothing has yet, where names that differ in case are one.

    Args:
        name: What it would be called.
        taken: Names that there are, in lower case.
    """
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return next(n for n in itertools.chain([name], numbered) if n.lower() not in taken)


def duckdb_reason(error: Exception) -> str:
    """Return what an error of DuckDB means, without the values that it may tell."""
    text = str(error)
    return next((why for sign, why in _REASONS if sign in text), type(error).__name__)


class _Named:
    """A file that is written under another name until it is whole."""

    def __init__(self, path: str | Path) -> None:
        """Make one, before the API is asked for what it is to hold.

        Raises:
            FileNotFoundError: There is no folder for it.
            IsADirectoryError: It is a folder.
        """
        self._path = at_home(path)
        folder = self._path.parent
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder has this name", str(path))
        token = secrets.token_hex(4)
        self._partial = self._path.with_name(f".{self._path.name}.{token}.partial")

    def close(self) -> None:
        """Take away what has no name yet; it is worth nothing."""
        with contextlib.suppress(Exception):  # it is closed to be thrown away
            self._abandon()
        self._partial.unlink(missing_ok=True)

    def _abandon(self) -> None:
        """Close what is open; what was written is worth nothing."""

    def _rename(self) -> None:
        with self._partial.open("r+b") as file:  # Windows syncs what may be written
            os.fsync(file.fileno())  # a name must not outlive what it names
        self._partial.replace(self._path)


def _line(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # nested deeper than it writes
        return f"{as_json(row)}\n".encode()


class LinesSink(_Named):
    """Writes rows as JSON, one a line."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._file: IO[bytes] | None = None

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows; the list is empty then."""
        try:
            if self._file is None:
                self._file = self._partial.open("wb")
            self._file.writelines(map(_line, rows))
        finally:
            rows.clear()  # error reporters print local variables

    def commit(self) -> None:
        """Give the file its name."""
        if self._file is None:
            self._file = self._partial.open("wb")
        self._file.close()
        self._rename()

    @override
    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()


class TableSink(_Named):
    """Writes a Parquet file, zstd, in row groups of 64k rows.

    When a column becomes wider, what was written is rewritten.

    Attributes:
        renamed: Columns that have another name in the file.
        why_renamed: What keeps them from their own.
    """

    why_renamed = "the path has this name"

    def __init__(self, path: str | Path, apart: Iterable[str] = ()) -> None:
        """Make one.

        Args:
            path: The file.
            apart: Names that no column may have, in any case.
        """
        super().__init__(path)
        self._apart = frozenset(apart)
        self.renamed: dict[str, str] = {}
        self._arrow = arrow()
        self._parquet = self._arrow.parquet
        self._schema: pa.Schema | None = None
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Append a table, whose columns are those of the tables before, or wider."""
        table = self._named_apart(table)
        if self._schema is None:
            self._open(table.schema)
        elif table.schema != self._schema:
            self._widen(table.schema)
        self._writer.write_table(table, row_group_size=_ROW_GROUP)

    def commit(self) -> None:
        """Give the file its name."""
        self._writer.close()
        self._rename()

    def _named_apart(self, table: pa.Table) -> pa.Table:
        names = table.column_names
        given = set(map(str.lower, self.renamed.values()))
        taken = {*self._apart, *given, *map(str.lower, names)}
        for name in self._nameless(names, self._apart | given):
            if name not in self.renamed:
                self.renamed[name] = free_name(name or "column", taken)
                taken.add(self.renamed[name].lower())
        if not self.renamed:
            return table
        return table.rename_columns([self.renamed.get(n, n) for n in names])

    def _nameless(self, names: list[str], apart: Collection[str]) -> list[str]:
        """Return the columns that cannot have their own names."""
        return [name for name in names if name.lower() in apart]

    def _open(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = self._parquet.ParquetWriter(
            self._partial, schema, compression="zstd"
        )

    def _widen(self, schema: pa.Schema) -> None:
        self._writer.close()
        before = self._partial.with_name(f"{self._partial.name}.before")
        self._partial.replace(before)
        try:
            self._open(schema)
            for table in self._tables(before):
                self._writer.write_table(recast(table, schema))
        finally:
            before.unlink(missing_ok=True)

    def _tables(self, path: Path) -> Iterator[pa.Table]:
        with self._parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROW_GROUP):
                yield self._arrow.Table.from_batches([batch])

    @override
    def _abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()


class CsvSink(TableSink):
    """Writes a CSV file (RFC 4180), by way of a Parquet file: columns may come late."""

    @override
    def commit(self) -> None:
        self._writer.close()
        spool = self._partial
        self._partial = spool.with_name(f"{spool.name}.csv")
        try:
            self._convert(spool)
            self._rename()
        finally:
            spool.unlink(missing_ok=True)

    def _convert(self, spool: Path) -> None:
        csv = extra("pyarrow.csv", "frames")
        assert self._schema is not None  # noqa: S101 - a table was written
        schema = as_text(self._schema)
        with csv.CSVWriter(self._partial, schema) as writer:
            for table in self._tables(spool):
                writer.write_table(recast(table, schema))


class DuckdbSink(TableSink):
    """Writes a table of a DuckDB file, by way of a Parquet file, in one transaction."""

    why_renamed = "no name of its own in DuckDB"

    def __init__(self, path: str | Path, table: object) -> None:
        """Make one.

        Raises:
            UsageError: There is no such table, or the rows would be gone with it.
            OSError: What is there cannot be written.
        """
        if not isinstance(table, str) or not table:
            raise UsageError("table is the name that the table is to have: give a text")
        # Its extra brings pyarrow, too.
        self._duckdb = extra("duckdb", "duckdb")
        super().__init__(path, apart=[""])
        if str(self._path).startswith(":memory:"):
            raise UsageError(
                "a database in memory would be gone with its rows; give the path of a "
                "file, or make a table of to_arrow() with duckdb.sql"
            )
        self._name = table
        if self._path.exists():
            self._execute("SELECT 1")

    @override
    def commit(self) -> None:
        self._writer.close()
        assert self._schema is not None  # noqa: S101 - a table was written
        if not self._schema.names:
            raise OSError(
                "the table cannot be written: neither a row nor the data source says "
                "what its columns are"
            )
        name = self._name.replace('"', '""')
        self._execute(
            f'CREATE OR REPLACE TABLE "{name}" AS '  # noqa: S608 - quoted
            "SELECT * FROM read_parquet(?, hive_partitioning = false)",
            [glob.escape(str(self._partial))],
        )

    def _execute(self, *query: Any) -> None:
        try:
            with self._duckdb.connect(str(self._path)) as connection:
                connection.execute(*query)
        except self._duckdb.IOException as error:
            reason = str(error)
        except self._duckdb.Error as error:
            reason = f"the table cannot be written: {duckdb_reason(error)}"
        else:
            return
        raise OSError(reason)

    @override
    def _nameless(self, names: list[str], apart: Collection[str]) -> list[str]:
        # To DuckDB names that differ in case only are one.
        first = {name.lower(): name for name in reversed(names)}
        return [n for n in names if first[n.lower()] != n or n.lower() in apart]
