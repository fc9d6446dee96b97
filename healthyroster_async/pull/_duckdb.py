"""A destination that is one DuckDB file, with a table for each data source."""

from __future__ import annotations

import glob
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

from typing_extensions import override

from healthyroster_async._core.extras import extra
from healthyroster_async._rows.casts import arrow
from healthyroster_async._rows.kinds import of_column
from healthyroster_async._rows.sinks import duckdb_reason, free_name
from healthyroster_async.pull._destination import DUCKDB, Destination, give_up

# Else it takes what memory there is. One partition is written at a time, and rows wait
# for their decoding, not for it.
_CONFIG = {"memory_limit": "256MB", "threads": 1}
# Where a row comes from.
_PROVIDER, _WINDOW = "_provider", "_window"
_TEXT = "VARCHAR"
# A type, one that holds it as well, and for which values that is true.
_WIDENED = (
    ("BIGINT", "DOUBLE", "abs({}::HUGEINT) < 9007199254740992"),
    (
        "TIMESTAMP",
        "TIMESTAMP_NS",
        "TRY_CAST({0} AS TIMESTAMP_NS) IS NOT NULL OR {0} IS NULL",
    ),
    (
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMPTZ_NS",
        "TRY_CAST({0} AS TIMESTAMPTZ_NS) IS NOT NULL OR {0} IS NULL",
    ),
)
# Times as they are in UTC, or as written where they have no zone.
_TIMES = {
    "TIMESTAMP": "{}",
    "TIMESTAMP_NS": "{}",
    "TIMESTAMP WITH TIME ZONE": "make_timestamp(epoch_us({}))",
    "TIMESTAMPTZ_NS": "make_timestamp_ns(epoch_ns({}))",
}
_IN_UTC = frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"})
# A type, a value of it, and where that is.
_Values: TypeAlias = tuple[str, str, str]
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
                self._db: Any = self._duckdb.connect(str(root / DUCKDB), config=_CONFIG)
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
    ) -> list[str]:
        drift: list[str] = []
        source = unquote(source)  # a table may be called as it likes
        with self._one_at_a_time, self._told(f"the table {source!r} of "):
            self._db.execute("BEGIN")
            try:
                if rows:
                    into, drift = self._fitted(source, str(partial))
                    self._clear(source, provider, key)
                    self._fill(source, provider, key, str(partial), into)
                elif self._columns(source):
                    self._clear(source, provider, key)
                self._db.execute("COMMIT")
            except BaseException:
                # A COMMIT that fails has done so already, and its error says why.
                with suppress(self._duckdb.Error):
                    self._db.execute("ROLLBACK")
                raise
        partial.unlink()
        return drift

    def _fitted(self, source: str, file: str) -> tuple[dict[str, str], list[str]]:
        """Make the table of a data source one that holds the rows of a file.

        Returns:
            Columns of the table and what of the file goes into them, and which of them
            became text. To DuckDB names that differ in case only are one; of those, and
            of names that are taken, the second gets a number, and keeps the name that
            the API gives it as a comment.
        """
        table = _table(source)
        there = self._columns(source)
        if not there:
            self._db.execute(
                f"CREATE TABLE {table} ({_PROVIDER} VARCHAR, {_WINDOW} VARCHAR)"
            )
        taken = {_PROVIDER, _WINDOW, *(column.lower() for column, _ in there.values())}
        into, drift = {}, []
        columns = self._came(file)
        rows = _rows_of(file, len(columns))
        for number, (name, came) in enumerate(columns):
            value, kind = f"c{number}", came
            if name in there:
                column, held = there[name]
                own = _quoted(column)
                # Nulls fit everywhere: of no value nobody knows whether it has a zone.
                if kind != held and not self._has_values(value, rows):
                    value, kind = "NULL", held
                elif kind != held and not self._has_values(own, table):
                    self._db.execute(
                        f"ALTER TABLE {table} ALTER {own} TYPE {kind} USING NULL"
                    )
                    held = kind
                wider = self._wider((held, own, table), (kind, value, rows))
                if wider == _TEXT != held:
                    self._make_text(table, own, held, free_name("text", taken))
                    said = f"{held} before, but {kind} came; the column is text"
                    drift.append(of_column(name, said))
                elif wider != held:
                    self._db.execute(f"ALTER TABLE {table} ALTER {own} TYPE {wider}")
            else:
                column, wider = free_name(name or "column", taken), kind
                taken.add(column.lower())
                self._db.execute(f"ALTER TABLE {table} ADD {_quoted(column)} {kind}")
                if column != name:
                    self._db.execute(
                        f"COMMENT ON COLUMN {table}.{_quoted(column)} "
                        f"IS {_literal(_NAMED + name)}"
                    )
            into[column] = _as_text(value, kind) if wider == _TEXT else value
        return into, drift

    def _make_text(self, table: str, own: str, held: str, free: str) -> None:
        """Make a column text.

        The log of a killed process is read before DuckDB has functions: what it repeats
        of an ALTER may call none, so that they are called in an UPDATE.
        """
        text = _quoted(free)
        for change in (
            f"ALTER TABLE {table} ADD {text} {_TEXT}",
            f"UPDATE {table} SET {text} = {_as_text(own, held)}",  # noqa: S608 - quoted
            f"ALTER TABLE {table} ALTER {own} TYPE {_TEXT} USING {text}",
            f"ALTER TABLE {table} DROP {text}",
        ):
            self._db.execute(change)

    def _wider(self, held: _Values, came: _Values) -> str:
        """Return the type that holds the values of two columns, as exactly."""
        kinds = held[0], came[0]
        if kinds[0] == kinds[1]:
            return kinds[0]
        for narrow, wide, holds in _WIDENED:
            if {*kinds} == {narrow, wide}:
                _, value, rows = held if kinds[0] == narrow else came
                query = f"SELECT bool_and({holds.format(value)}) FROM {rows}"  # noqa: S608 - quoted
                (exact,) = self._db.execute(query).fetchone()
                return _TEXT if exact is False else wide
        return _TEXT

    def _has_values(self, value: str, rows: str) -> bool:
        query = f"SELECT 1 FROM {rows} WHERE {value} IS NOT NULL LIMIT 1"  # noqa: S608 - quoted
        return self._db.execute(query).fetchone() is not None

    def _clear(self, source: str, provider: str, key: str) -> None:
        self._db.execute(
            f"DELETE FROM {_table(source)} WHERE {_PROVIDER} = ? AND {_WINDOW} = ?",  # noqa: S608 - quoted
            [provider, key],
        )

    def _fill(
        self, source: str, provider: str, key: str, file: str, into: dict[str, str]
    ) -> None:
        columns = ", ".join([_PROVIDER, _WINDOW, *map(_quoted, into)])
        values = ", ".join(["?", "?", *into.values()])
        self._db.execute(
            f"INSERT INTO {_table(source)} ({columns}) SELECT {values} "  # noqa: S608 - quoted
            f"FROM {_rows_of(file, len(into))}",
            [provider, key],
        )

    def _columns(self, source: str) -> dict[str, tuple[str, str]]:
        """Return the columns of a table and their types, by the API's names.

        To DuckDB names of tables that differ in the case of ASCII letters are one.
        """
        found = self._db.execute(
            "SELECT comment, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = 'main' "
            "AND lower(url_encode(table_name)) = lower(url_encode(?)) "
            "AND column_name NOT IN (?, ?)",
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
            "DESCRIBE FROM read_parquet(?, hive_partitioning = false)",
            [glob.escape(file)],
        )
        return list(zip(names, [kind for _, kind, *_ in found.fetchall()], strict=True))

    @contextmanager
    def _told(self, what: str = "") -> Iterator[None]:
        """Turn DuckDB's errors into ours, without the values that they may tell."""
        try:
            yield
        except self._duckdb.Error as error:
            reason = duckdb_reason(error)
        else:
            return
        give_up(f"{what}the DuckDB file cannot be written: {reason}")


def _rows_of(file: str, columns: int) -> str:
    """Return the rows of a file; its columns are c0, c1, and so on.

    To DuckDB some of the file's own names may be one.
    """
    names = ", ".join(f"c{number}" for number in range(columns))
    path = _literal(glob.escape(file))
    return f"read_parquet({path}, hive_partitioning = false) t({names})"


def _as_text(value: str, kind: str) -> str:
    """Return a value as text, the way that JSON writes it and as short as it can be."""
    if kind == "DOUBLE":
        return f"regexp_replace({value}::VARCHAR, '\\.0$', '')"
    if kind.startswith("DECIMAL"):
        return f"rtrim(rtrim({value}::VARCHAR, '0'), '.')"
    if kind not in _TIMES:
        return f"{value}::VARCHAR"
    # DuckDB itself would write the time in the zone of this machine.
    time = _TIMES[kind].format(value)
    text = f"regexp_replace(strftime({time}, '%Y-%m-%dT%H:%M:%S.%n'), '\\.?0+$', '')"
    return f"{text} || 'Z'" if kind in _IN_UTC else text


def _table(source: str) -> str:
    # Else a view of DuckDB's own or a table of another schema may be meant.
    return f"main.{_quoted(source)}"


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
