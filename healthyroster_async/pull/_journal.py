"""What a destination holds, kept beside the data so that a killed run can go on."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from healthyroster_async._core.date_ranges import Edge, Window
from healthyroster_async._core.errors import DestinationError, WrongDestinationError
from healthyroster_async._rows.sinks import free_name
from healthyroster_async.pull._naming import fitted, quoted, with_checksum

MEMORY = Path(":memory:")
_VERSION = "3"
# OWASP's Password Storage Cheat Sheet: so many rounds of PBKDF2 with SHA-256.
_ROUNDS = 600_000
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) STRICT;
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, arguments TEXT NOT NULL, until TEXT NOT NULL,
  started REAL NOT NULL, ended REAL, failed INTEGER, origin INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS folders (
  source TEXT, provider TEXT, folder TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (source, provider), UNIQUE (provider, folder)
) STRICT;
CREATE TABLE IF NOT EXISTS providers (
  id TEXT PRIMARY KEY, folder TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sources (id TEXT PRIMARY KEY, inclusive INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS cells (
  source TEXT, provider TEXT, since TEXT NOT NULL, watermark TEXT NOT NULL,
  PRIMARY KEY (source, provider)
) STRICT;
CREATE TABLE IF NOT EXISTS partitions (
  source TEXT, provider TEXT, window TEXT, start TEXT, stop TEXT,
  run INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY (source, provider, window)
) STRICT;
"""
# What SQLite says of tables that are not those.
_MISSHAPEN = ("no such", "column")
# What runs that ended without a row were asked for binds no other one. Before the first
# file has its name, the journal knows what its data source was asked with.
_FORGET = """
DELETE FROM facts WHERE name NOT IN ('version', 'salt')
  AND NOT EXISTS (SELECT 1 FROM facts WHERE name GLOB 'parameters of *')
  AND NOT EXISTS (SELECT 1 FROM runs WHERE ended IS NULL)
"""
# Marks of before say that the day of the run was over, when it was running, and in the
# last zone the one before it.
_UNFINISHED = "UPDATE cells SET watermark = max(since, date(watermark, '-2 days'))"


@frozen
class Cell:
    """A data source of a Healthcare Provider, by their ids as text."""

    source: str
    provider: str


@frozen
class Kept:
    """A partition that is in the destination.

    Attributes:
        window: Its dates; ``None`` if it is whole.
        run: Which run wrote it.
    """

    window: Window | None
    run: int


class Journal:
    """The journal of one destination, held by one process at a time.

    SQLite keeps its lock until it is closed or the process ends, however it ends.
    """

    def __init__(self, path: Path) -> None:
        """Open or make a journal.

        Args:
            path: Its file; ``MEMORY`` for one that nothing is kept of.

        Raises:
            DestinationError: Another run holds it, or it cannot be read or written.
        """
        # Partitions are kept by several threads; a connection takes one at a time.
        self._lock = threading.Lock()
        self._digests: dict[str, str] = {}
        with self._held():
            self._db = sqlite3.connect(
                path, timeout=0.1, isolation_level=None, check_same_thread=False
            )
        try:
            with self._held():
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._db.execute("PRAGMA journal_mode=WAL")
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._held():
            self._db.execute("BEGIN EXCLUSIVE")
            for statement in filter(str.strip, _TABLES.split(";")):
                self._db.execute(statement)
            if self._db.execute("PRAGMA user_version").fetchone() == (0,):
                self._db.execute(_UNFINISHED)
                self._db.execute("PRAGMA user_version = 1")
            self._db.execute("COMMIT")
        self.agree("version", _VERSION, "was written by another version of this")
        with self._held():
            self._db.execute(_FORGET)

    def take(self, copied: Path | None) -> None:
        """Become a copy of another journal, or an empty one.

        Raises:
            DestinationError: Another run holds it, or it cannot be read or written.
        """
        with self._held():
            _copy(copied or MEMORY, self._db)
        self._prepare()

    def copy(self, path: Path) -> None:
        """Write it as it is now into a file that is not there yet."""
        with self._held():
            self._db.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Give the destination to the next run."""
        with self._held():
            self._db.close()

    def fact(self, name: str) -> str | None:
        """Return what the destination is, in one respect."""
        with self._held():
            found = self._db.execute(
                "SELECT value FROM facts WHERE name = ?", (name,)
            ).fetchone()
        return None if found is None else str(found[0])

    def agree(
        self, name: str, value: str, otherwise: str, *, shown: bool = True
    ) -> None:
        """Make a fact of a new destination, or check that of an old one.

        Args:
            name: Which fact.
            value: What it is now.
            otherwise: What to say of a destination where it is another one.
            shown: Whether to say what it is, too.

        Raises:
            WrongDestinationError: It is another one.
        """
        with self._held():
            self._db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
        self.check(name, value, otherwise, shown=shown)

    def check(
        self, name: str, value: str, otherwise: str, *, shown: bool = True
    ) -> None:
        """Check a fact that may not be one yet; see ``agree``.

        Raises:
            WrongDestinationError: It is another one.
        """
        known = self.fact(name)
        if known not in {None, value}:
            both = f" ({known}, not {value})" if shown else ""
            raise WrongDestinationError(
                f"the destination {otherwise}{both}; give another destination"
            )

    def digest(self, parameters: Mapping[str, Any]) -> str:
        """Return what tells some filters from others and does not show them.

        A filter may be a name or a date of birth, and there are not many of those: each
        guess is made to cost, and to hold for this destination alone.
        """
        if not parameters:
            return ""
        text = json.dumps(parameters, default=str, sort_keys=True)
        if text not in self._digests:
            with self._held():
                self._db.execute(
                    "INSERT OR IGNORE INTO facts VALUES ('salt', ?)",
                    (secrets.token_hex(16),),
                )
            salt = (self.fact("salt") or "").encode()
            made = hashlib.pbkdf2_hmac("sha256", text.encode(), salt, _ROUNDS)
            self._digests[text] = made.hex()
        return self._digests[text]

    def begin(self, arguments: str, until: dt.date, *, last: bool) -> tuple[int, int]:
        """Return the number of a run, which is one before if that can go on.

        A run that was broken off goes on. One that ended with failures goes on if it
        is for the same dates; where what is *last* is asked for, only for the sake of
        the cells that failed, and a new run begins for the others.

        Returns:
            The number, and that of the run whose partitions count for cells that failed
            since.
        """
        with self._held():
            found = self._db.execute(
                "SELECT id, coalesce(origin, id), until, ended, failed FROM runs "
                "WHERE arguments = ? "
                "ORDER BY id DESC LIMIT 1",
                (arguments,),
            ).fetchone()
            origin = None
            if found is not None:
                run, first, before, ended, failed = found
                same = bool(failed) and before == until.isoformat()
                if ended is None or (same and not last):
                    self._db.execute(
                        "UPDATE runs SET until = ?, ended = NULL WHERE id = ?",
                        (until.isoformat(), run),
                    )
                    return int(run), int(first)
                origin = first if same else None
            made = self._db.execute(
                "INSERT INTO runs (arguments, until, started, origin) "
                "VALUES (?, ?, ?, ?)",
                (arguments, until.isoformat(), time.time(), origin),
            )
            run = int(made.lastrowid or 0)
            return run, int(origin or run)

    def started(self, run: int) -> float:
        """Return when a run began first, in seconds since 1970."""
        with self._held():
            found = self._db.execute("SELECT started FROM runs WHERE id = ?", (run,))
            return float(found.fetchone()[0])

    def asked(self) -> list[str]:
        """Return what runs were asked for, the last one first."""
        with self._held():
            found = self._db.execute("SELECT arguments FROM runs ORDER BY id DESC")
            return [str(arguments) for (arguments,) in found]

    def end(self, run: int, failed: int) -> None:
        """Keep that a run ended, and how many of its partitions failed."""
        with self._held():
            self._db.execute(
                "UPDATE runs SET ended = ?, failed = ? WHERE id = ?",
                (time.time(), failed, run),
            )

    def refuse(self, run: int) -> None:
        """Keep that a run ended before it brought anything; one that did goes on."""
        with self._held():
            self._db.execute(
                "UPDATE runs SET ended = ?, failed = 1 WHERE id = ? "
                "AND NOT EXISTS (SELECT 1 FROM partitions WHERE run = ?)",
                (time.time(), run, run),
            )

    def folders(self, wanted: Mapping[Cell, Sequence[str]]) -> dict[Cell, str]:
        """Return the folder of each cell, which stays when a data source is renamed.

        Data sources of several providers may share one, those of one provider may not.
        One that differs from another in case only is spelled like that: to DuckDB and
        on some disks the two are one.

        Args:
            wanted: What the folder of a cell may be called; the first that no other
                data source of its provider has is taken, or the last with a number.
                What other providers have by the same id and name goes before.
        """
        with self._held():
            self._db.execute("BEGIN")
            self._name_providers({cell.provider: None for cell in wanted})
            there = self._db.execute(
                "SELECT source, provider, folder FROM folders ORDER BY rowid"
            )
            known = {Cell(source, provider): name for source, provider, name in there}
            spelled = {name.lower(): name for name in reversed(known.values())}
            # Since they were renamed it may be called otherwise; the first one decides.
            shared = {
                (cell.source, names[0]): known[cell]
                for cell, names in reversed([*wanted.items()])
                if cell in known
            }
            found = {
                cell: self._folder(
                    cell,
                    (shared.get((cell.source, names[0]), names[0]), *names),
                    spelled,
                )
                for cell, names in wanted.items()
            }
            self._db.execute("COMMIT")
        return found

    def provider_folder(self, provider: str) -> str:
        """Return the folder of a provider that ``folders`` was asked for."""
        with self._held():
            found = self._db.execute(
                "SELECT folder FROM providers WHERE id = ?", (provider,)
            ).fetchone()
        return str(found[0])

    def _name_providers(self, wanted: Iterable[str]) -> None:
        """Keep what the folders of providers are called.

        No two names differ in case only: on Windows and macOS those are one.
        """
        known = dict(self._db.execute("SELECT id, folder FROM providers").fetchall())
        # From before names were kept: their rows stay where they are.
        there = self._db.execute("SELECT DISTINCT provider FROM partitions WHERE rows")
        for (provider,) in there.fetchall():
            known.setdefault(provider, quoted(provider))
        taken = set(map(str.lower, known.values()))
        for provider in wanted:
            if provider not in known:
                name = fitted(provider)
                if name.lower() in taken:
                    name = free_name(with_checksum(provider), taken)
                known[provider] = name
                taken.add(name.lower())
        insert = "INSERT OR IGNORE INTO providers VALUES (?, ?)"
        self._db.executemany(insert, known.items())

    def _folder(self, cell: Cell, names: Sequence[str], spelled: dict[str, str]) -> str:
        own = (cell.source, cell.provider)
        numbered = (f"{names[-1]}-{number}" for number in itertools.count(2))
        for wanted in itertools.chain(names, numbered):
            name = spelled.setdefault(wanted.lower(), wanted)
            self._db.execute(
                "INSERT OR IGNORE INTO folders VALUES (?, ?, ?)", (*own, name)
            )
            found = self._db.execute(
                "SELECT folder FROM folders WHERE source = ? AND provider = ?", own
            ).fetchone()
            if found is not None:
                return str(found[0])
        raise AssertionError("there are numbers enough")

    def edge(self, source: str) -> Edge | None:
        """Return what the end of a data source's date range lets in, if it is kept."""
        with self._held():
            found = self._db.execute(
                "SELECT inclusive FROM sources WHERE id = ?", (source,)
            ).fetchone()
        return None if found is None else Edge(found[0])

    def keep_edge(self, source: str, edge: Edge) -> None:
        """Keep what the end of a data source's date range lets in."""
        with self._held():
            self._db.execute(
                "INSERT OR REPLACE INTO sources VALUES (?, ?)", (source, edge)
            )

    def mark(self, cell: Cell) -> tuple[dt.date, dt.date] | None:
        """Return from when on and up to when all rows of a cell are there."""
        with self._held():
            found = self._db.execute(
                "SELECT since, watermark FROM cells WHERE source = ? AND provider = ?",
                (cell.source, cell.provider),
            ).fetchone()
        if found is None:
            return None
        return dt.date.fromisoformat(found[0]), dt.date.fromisoformat(found[1])

    def keep_mark(self, cell: Cell, since: dt.date, watermark: dt.date) -> None:
        """Keep from when on and up to when all rows of a cell are there."""
        with self._held():
            self._db.execute(
                "INSERT INTO cells VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "since = min(since, excluded.since), watermark = excluded.watermark",
                (cell.source, cell.provider, since.isoformat(), watermark.isoformat()),
            )

    def partitions(self, cell: Cell) -> dict[str, Kept]:
        """Return what is there of a cell, by the key of its window."""
        with self._held():
            found = self._db.execute(
                "SELECT window, start, stop, run FROM partitions "
                "WHERE source = ? AND provider = ?",
                (cell.source, cell.provider),
            ).fetchall()
        return {
            key: Kept(
                Window(key, *map(dt.date.fromisoformat, (start, stop)))
                if start
                else None,
                run,
            )
            for key, start, stop, run in found
        }

    def cells(self) -> list[tuple[Cell, str]]:
        """Return every cell that is there, and the folder of its data source."""
        with self._held():
            found = self._db.execute(
                "SELECT DISTINCT source, provider, folder FROM partitions "
                "JOIN folders USING (source, provider) WHERE run > 0 AND rows > 0"
            ).fetchall()
        return [(Cell(source, provider), folder) for source, provider, folder in found]

    def density(self, source: str) -> tuple[int, int]:
        """Return how many rows of a data source came in how many days, in windows."""
        with self._held():
            found = self._db.execute(
                "SELECT coalesce(sum(rows), 0), "
                "coalesce(sum(julianday(stop) - julianday(start)), 0) "
                "FROM partitions WHERE source = ? AND start IS NOT NULL AND run > 0",
                (source,),
            ).fetchone()
        return int(found[0]), int(found[1])

    def announce(self, cell: Cell, window: Window) -> None:
        """Keep that a window may be in the destination from now on, or not yet.

        Where windows are cut by rows, a run that comes after a kill could choose others
        of the same dates, and the file would lie beside theirs.
        """
        dates = window.start.isoformat(), window.stop.isoformat()
        with self._held():
            self._db.execute(
                "INSERT OR IGNORE INTO partitions VALUES (?, ?, ?, ?, ?, 0, 0, 0)",
                (cell.source, cell.provider, window.key, *dates),
            )

    def keep(self, cell: Cell, key: str, kept: Kept, rows: int, size: int) -> None:
        """Keep that a partition is in the destination."""
        window = kept.window
        dates = (
            (None, None)
            if window is None
            else (window.start.isoformat(), window.stop.isoformat())
        )
        with self._held():
            self._db.execute(
                "INSERT OR REPLACE INTO partitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (cell.source, cell.provider, key, *dates, kept.run, rows, size),
            )

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Have the connection to oneself, and turn SQLite's errors into ours."""
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            text = str(error)
            if "locked" in text:
                text = "another pull writes into it at this moment"
            elif not isinstance(error, sqlite3.OperationalError) or any(
                sign in text for sign in _MISSHAPEN
            ):
                text = (
                    f"its journal is damaged ({text}). Bring back a copy of "
                    "_healthyroster/journal.sqlite, or give another destination"
                )
        else:
            return
        raise DestinationError(f"the destination cannot be used: {text}")


def _copy(path: Path, into: sqlite3.Connection) -> None:
    source = sqlite3.connect(path, timeout=0.1, isolation_level=None)
    with closing(source):
        # Copying would wait for a run that holds it until that ends.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(into)
