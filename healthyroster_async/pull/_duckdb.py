"""A destination that is one DuckDB file, with a table for each data source."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from healthyroster_async._core.errors import DestinationError
from healthyroster_async._core.extras import extra
from healthyroster_async._rows.frames import arrow
from healthyroster_async._rows.sinks import free_name
from healthyroster_async.pull._destination import Destination

FILE = "rows.duckdb"
# Where a row comes from.
_PROVIDER, _WINDOW = "_provider", "_window"
# The comment of a column that could not have its own name.
_NAMED = "in the API: "


class DuckdbDestination(Destination):
    """Rows in one DuckDB file; a partition is replaced in one transaction."""

    def __init__(self, root: Path) -> None:
        """Open or make a destination, and hold it until it is closed.

        Raises:
            DestinationError: It cannot be written, or another pull writes into it.
            MissingExtraError: The extra ``duckdb`` is not installed.
        """
        self._duckdb = extra("duckdb", "duckdb")
        self._one_at_a_time = threading.Lock()
        super().__init__(root, "duckdb")
        try:
            with self._told():
                self._db: Any = self._duckdb.connect(str(root / FILE))
        except BaseException:
            super().close()
            raise

    @override
    def close(self) -> None:
        with self._one_at_a_time:
            self._db.close()
        super().close()

    @override
    def publish(
        self, partial: Path, *, source: str, provider: str, key: str, rows: int
    ) -> None:
        with self._one_at_a_time, self._told():
            self._db.execute("BEGIN")
            try:
                if rows:
                    columns = self._fitted(source, str(partial))
                    self._clear(source, provider, key)
                    self._fill(source, provider, key, str(partial), columns)
                elif self._columns(source):
                    self._clear(source, provider, key)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        partial.unlink()

    def _fitted(self, source: str, file: str) -> list[str]:
        """Make the table of a data source one that holds the rows of a file.

        Returns:
            Which column of the table each column of the file goes into. To DuckDB names
            that differ in case only are one; of those, and of names that are taken, the
            second gets a number, and keeps the name that the API gives it as a comment.
        """
        table = _quoted(source)
        there = self._columns(source)
        if not there:
            self._db.execute(
                f"CREATE TABLE {table} ({_PROVIDER} VARCHAR, {_WINDOW} VARCHAR)"
            )
        taken = {_PROVIDER, _WINDOW, *(column.lower() for column, _ in there.values())}
        columns = []
        for name, kind in self._came(file):
            if name in there:
                column, held = there[name]
                wider = held if held == kind else _wider(held, kind)
                if wider != held:
                    self._db.execute(
                        f"ALTER TABLE {table} ALTER {_quoted(column)} TYPE {wider}"
                    )
            else:
                column = free_name(name, taken)
                taken.add(column.lower())
                self._db.execute(f"ALTER TABLE {table} ADD {_quoted(column)} {kind}")
                if column != name:
                    self._db.execute(
                        f"COMMENT ON COLUMN {table}.{_quoted(column)} "
                        f"IS {_text(_NAMED + name)}"
                    )
            columns.append(column)
        return columns

    def _clear(self, source: str, provider: str, key: str) -> None:
        self._db.execute(
            f"DELETE FROM {_quoted(source)} WHERE {_PROVIDER} = ? AND {_WINDOW} = ?",  # noqa: S608 - quoted
            [provider, key],
        )

    def _fill(
        self, source: str, provider: str, key: str, file: str, columns: list[str]
    ) -> None:
        # By position: to DuckDB some of the file's own names may be one.
        into = ", ".join([_PROVIDER, _WINDOW, *map(_quoted, columns)])
        self._db.execute(
            f"INSERT INTO {_quoted(source)} ({into}) "  # noqa: S608 - quoted
            "SELECT ?, ?, * FROM read_parquet(?, hive_partitioning = false)",
            [provider, key, file],
        )

    def _columns(self, source: str) -> dict[str, tuple[str, str]]:
        """Return the columns of a table and their types, by the API's names."""
        found = self._db.execute(
            "SELECT comment, column_name, data_type FROM duckdb_columns() "
            "WHERE table_name = ? AND column_name NOT IN (?, ?)",
            [source, _PROVIDER, _WINDOW],
        )
        columns = {}
        for comment, column, kind in found.fetchall():
            said = comment or ""
            name = said.removeprefix(_NAMED) if said.startswith(_NAMED) else column
            columns[name] = column, kind
        return columns

    def _came(self, file: str) -> list[tuple[str, str]]:
        """Return the columns of a file and their types in DuckDB."""
        names = arrow().parquet.read_schema(file).names
        found = self._db.execute(
            "DESCRIBE FROM read_parquet(?, hive_partitioning = false)", [file]
        )
        return list(zip(names, [kind for _, kind, *_ in found.fetchall()], strict=True))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn DuckDB's errors into ours, without the values that they may tell."""
        try:
            yield
        except self._duckdb.Error as error:
            kind = type(error).__name__
        else:
            return
        raise DestinationError(f"the DuckDB file cannot be written ({kind})")


def _wider(held: str, came: str) -> str:
    """Return the type that holds the values of two."""
    if {held, came} == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return "VARCHAR"


def _text(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
