"""A destination in an object store, or wherever else fsspec reaches."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from typing_extensions import override

from healthyroster_async._core.date_ranges import Window
from healthyroster_async._core.errors import DestinationError, WrongDestinationError
from healthyroster_async._core.extras import extra
from healthyroster_async._core.home import at_home, not_utf8
from healthyroster_async._policies.memory import state_folder
from healthyroster_async.pull._destination import (
    FILES,
    JOURNAL,
    OURS,
    Destination,
    agree_format,
    check_empty,
    check_place,
    give_up,
    holds_files,
    journal_beside,
    writing,
)
from healthyroster_async.pull._duckdb import DuckdbDestination
from healthyroster_async.pull._journal import MEMORY, Cell, Journal
from healthyroster_async.pull._plan import Format
from healthyroster_async.pull._report import PullReport

# There a file is under its name when it is whole, and not before.
_OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"}
)
# What becomes of s3://bucket as a Path; C:/ is a drive.
_SHORTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\](?!/)")
_JOURNAL, _SUMMARY = f"{OURS}/{JOURNAL}", f"{OURS}/summary.json"
# The journal as it was put there from here the last time.
_SENT = f"{OURS}/sent.sqlite"
_ANNOUNCED = f"{OURS}/announced"


class RemoteDestination(Destination):
    """Files in a place that a URL names.

    Files are written on this machine, in the user's state folder, and then put there.
    So is the journal, of which a copy is put beside the data when a run begins and when
    it ends. A window that is cut by rows has an empty object there from before its file
    to the end of the run: the machine may be gone by then, and its journal with it.
    """

    def __init__(self, url: str, file_format: Format) -> None:
        """Open or make a destination, and hold it until it is closed.

        Raises:
            DestinationError: It is out of reach, or another pull writes into it.
            MissingExtraError: The extra ``remote`` is not installed.
        """
        self._files, self._place = _reached(url)
        local = _local(url)
        with writing():
            # Each by itself: a mode is not that of the folders around.
            for folder in (local.parent.parent, local.parent, local, local / OURS):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._agree_journal(local)
        super().__init__(local, file_format)
        try:
            self.keep_journal()
        except BaseException:
            super().close()
            raise

    @override
    def close(self) -> None:
        try:
            self.keep_journal()
            announced = f"{self._place}/{_ANNOUNCED}"
            # Who may delete nothing leaves them there: they say what is in the journal.
            with suppress(DestinationError), _reaching():
                if self._files.exists(announced):
                    self._files.rm(announced, recursive=True)
        finally:
            super().close()

    @override
    def keep_journal(self) -> None:
        partial = self.partial()
        self.journal.copy(partial)
        self._put(partial, _JOURNAL)
        with writing():
            partial.replace(self.root / _SENT)

    @override
    def announce(self, cell: Cell, window: Window) -> None:
        if window.key not in self.journal.partitions(cell):
            there = f"{self._place}/{_ANNOUNCED}"
            with _reaching():
                self._files.makedirs(there, exist_ok=True)
                self._files.pipe_file(f"{there}/{_announcement(cell, window)}", b"")
        super().announce(cell, window)

    @override
    def summarise(self, report: PullReport) -> None:
        super().summarise(report)
        self._put(self.root / _SUMMARY, _SUMMARY)

    @override
    def _replace(self, partial: Path, name: str) -> None:
        self._put(partial, name)
        partial.unlink()

    @override
    def _remove(self, name: str) -> None:
        with _reaching():
            if self._files.exists(f"{self._place}/{name}"):
                self._files.rm_file(f"{self._place}/{name}")

    def _put(self, file: Path, name: str) -> None:
        there = f"{self._place}/{name}"
        protocols = self._files.protocol
        known = {protocols} if isinstance(protocols, str) else set(protocols)
        with _reaching():
            self._files.makedirs(there.rpartition("/")[0], exist_ok=True)
            if known & _OBJECT_STORES:
                self._files.put_file(str(file), there)
                return
            token = hashlib.sha256(name.encode()).hexdigest()[:32]
            partial = f"{self._place}/{OURS}/{token}.partial"
            self._files.makedirs(f"{self._place}/{OURS}", exist_ok=True)
            self._files.put_file(str(file), partial)
            self._files.mv(partial, there)

    def _agree_journal(self, local: Path) -> None:
        """Take the journal from there, or none if none is there."""
        with (
            # It looks whether there is a journal here, before one is made.
            _newest(self._files, self._place, local) as newest,
            closing(Journal(local / _JOURNAL)) as journal,
        ):
            if newest != local / _JOURNAL:
                journal.take(newest)
            _read_announced(self._files, self._place, journal)


def open_destination(where: str | Path, file_format: Format) -> Destination:
    """Open the destination that a path or URL names."""
    text = _checked(where, file_format)
    if "://" in text:
        return RemoteDestination(text, file_format)
    root = _folder(text)
    if file_format == "duckdb":
        return DuckdbDestination(root)
    return Destination(root, file_format)


def rehearsed(where: str | Path, file_format: Format) -> Journal:
    """Return the journal of a destination as a copy in memory: nothing changes there.

    Raises:
        DestinationError: The destination cannot be used for a pull.
        MissingExtraError: The extra ``remote`` is not installed.
    """
    text = _checked(where, file_format)
    journal = Journal(MEMORY)
    try:
        if "://" in text:
            files, place = _reached(text)
            with _newest(files, place, _local(text)) as newest:
                journal.take(newest)
            _read_announced(files, place, journal)
        else:
            root = _folder(text)
            there = journal_beside(root)
            if there is None:
                check_empty(holds_files(root))
            journal.take(there)
        agree_format(journal, file_format)
    except BaseException:
        journal.close()
        raise
    return journal


def _temporary() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory()
    except OSError:
        pass
    return give_up("there is no folder for a copy of the journal; set TMPDIR")


def _checked(where: str | Path, file_format: Format) -> str:
    text = str(where).removeprefix("file://")
    if not text.strip():
        raise WrongDestinationError(
            'the destination is empty; give a folder, or "." for the one you are in'
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongDestinationError(not_utf8("the name of the destination")) from None
    if _SHORTENED.match(text):
        raise WrongDestinationError(
            "the destination is a URL that has lost a slash, as in a Path; give it as "
            'a text, such as "s3://bucket/lake"'
        )
    if "://" in text and file_format == "duckdb":
        raise WrongDestinationError(
            "a DuckDB file is written into a folder; give its path, no URL"
        )
    if str(Path(text)).startswith(":memory:") and file_format == "duckdb":
        raise WrongDestinationError(
            "a database in memory would be gone with its rows; give a folder"
        )
    return text


def _folder(text: str) -> Path:
    """Return the folder that a path names."""
    root = at_home(text)
    check_place(root)
    return root


def _reached(url: str) -> tuple[Any, str]:
    fsspec = extra("fsspec", "remote")
    kind, _, _ = url.partition("://")
    try:
        known = fsspec.get_filesystem_class(kind)
    except ValueError:
        known = None
    except ImportError:
        # It says which package to install, and nothing else.
        known_ones = extra("fsspec.registry", "remote").known_implementations
        advice = known_ones.get(kind, {}).get("err", "")
        raise WrongDestinationError(
            f"{kind}:// cannot be used here. {advice}"
        ) from None
    if known is None:
        raise WrongDestinationError(f"fsspec knows no place that begins with {kind}://")
    with _reaching():
        files, place = fsspec.core.url_to_fs(url)
    # Processes that live long have listings of before another machine was there.
    files.invalidate_cache()
    return files, str(place).rstrip("/")


def _has_journal(files: Any, place: str) -> bool:
    with _reaching():
        known = bool(files.exists(f"{place}/{_JOURNAL}"))
        holds = not known and bool(files.glob(f"{place}/{FILES}"))
    check_empty(holds)
    return known


@contextmanager
def _newest(files: Any, place: str, local: Path) -> Iterator[Path | None]:
    """Have the journal of a place: that of this machine, or a copy of the one there.

    Where nobody else has put one there since, that of this machine says as much, or
    more if its run was killed.
    """
    if not _has_journal(files, place):
        yield None  # somebody emptied the place, or nothing was ever there
        return
    with _reaching():
        there = files.cat_file(f"{place}/{_JOURNAL}")
    sent = local / _SENT
    with writing():
        # Without it, the machine was the last one before there was such a file.
        is_ours = (local / _JOURNAL).exists() and (
            not sent.exists() or sent.read_bytes() == there
        )
    if is_ours:
        yield local / _JOURNAL
        return
    with _temporary() as folder:
        copied = Path(folder, JOURNAL)
        with writing():
            copied.write_bytes(there)
        yield copied


def _announcement(cell: Cell, window: Window) -> str:
    dates = window.start.isoformat(), window.stop.isoformat()
    parts = cell.source, cell.provider, window.key, *dates
    return ",".join(quote(part, safe="") for part in parts)


def _read_announced(files: Any, place: str, journal: Journal) -> None:
    """Keep what a machine that is gone may have put there."""
    with _reaching():
        names = files.find(f"{place}/{_ANNOUNCED}")
    for name in names:
        parts = map(unquote, name.rpartition("/")[2].split(","))
        source, provider, key, start, stop = parts
        window = Window(key, *map(dt.date.fromisoformat, (start, stop)))
        journal.announce(Cell(source, provider), window)


def _local(url: str) -> Path:
    """Return the folder of this machine for what belongs to a place elsewhere."""
    state = state_folder(os.environ)
    if state is None:
        raise WrongDestinationError(
            "there is no folder for the journal; set XDG_STATE_HOME"
        )
    # The URL may hold a secret.
    return state / "pulls" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()


@contextmanager
def _reaching() -> Iterator[None]:
    """Turn what a file system says into our error, without what it may tell."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each has errors of its own
        kind = type(error).__name__
    else:
        return
    give_up(f"the destination is out of reach ({kind})")
