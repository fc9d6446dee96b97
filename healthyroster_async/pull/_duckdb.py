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
from healthyroster_async.pull._destination import Destination

FILE = "rows.duckdb"
# Where a row comes from; no column of an API begins so.
_PROVIDER, _WINDOW = "_provider", "_window"


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
                    self._fit(source, str(partial))
                if rows or self._columns(source):
                    self._exchange(source, provider, key, str(partial), rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        partial.unlink()

    def _fit(self, source: str, file: str) -> None:
        """Make the table of a data source one that holds the rows of a file."""
        there = self._columns(source)
        table = _quoted(source)
        came = self._described("FROM read_parquet(?)", file)
        if not there:
            self._db.execute(
                f"CREATE TABLE {table} AS SELECT '' AS {_PROVIDER}, '' AS {_WINDOW}, * "  # noqa: S608 - quoted
                "FROM read_parquet(?) LIMIT 0",
                [file],
            )
        for name, kind in came.items() if there else ():
            if name not in there:
                self._db.execute(f"ALTER TABLE {table} ADD {_quoted(name)} {kind}")
            elif there[name] != kind:
                wider = _wider(there[name], kind)
                if wider != there[name]:
                    self._db.execute(
                        f"ALTER TABLE {table} ALTER {_quoted(name)} TYPE {wider}"
                    )

    def _exchange(
        self, source: str, provider: str, key: str, file: str, rows: int
    ) -> None:
        table = _quoted(source)
        self._db.execute(
            f"DELETE FROM {table} WHERE {_PROVIDER} = ? AND {_WINDOW} = ?",  # noqa: S608 - quoted
            [provider, key],
        )
        if rows:
            self._db.execute(
                f"INSERT INTO {table} BY NAME SELECT ? AS {_PROVIDER}, "  # noqa: S608 - quoted
                f"? AS {_WINDOW}, * FROM read_parquet(?)",
                [provider, key, file],
            )

    def _columns(self, source: str) -> dict[str, str]:
        found = self._db.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?",
            [source],
        )
        return dict(found.fetchall())

    def _described(self, what: str, file: str) -> dict[str, str]:
        found = self._db.execute(f"DESCRIBE {what}", [file]).fetchall()
        return {name: kind for name, kind, *_ in found}

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


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
