"""A folder of partitions: each whole under its name, or not there at all."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import orjson

from healthyroster_async._core.date_ranges import Window
from healthyroster_async._core.errors import DestinationError, WrongDestinationError
from healthyroster_async.pull._journal import Cell, Journal
from healthyroster_async.pull._plan import Format
from healthyroster_async.pull._report import PullReport

OURS, JOURNAL, DUCKDB = "_healthyroster", "journal.sqlite", "rows.duckdb"
FILES = "source=*/provider=*/window=*/rows.*"
# What the folders say; readers of Hive partitions hide a column of such a name.
KEYS = frozenset({"source", "provider", "window"})
# What Windows says, which opens no folder, and file systems that sync none.
_UNSYNCED = frozenset(
    {errno.EACCES, errno.EPERM, errno.EBADF, errno.EINVAL, errno.ENOTSUP}
)


class Destination:
    """Where the files of a pull go; every method touches the disk.

    Layout (Hive)::

        source=Patients/provider=42/window=2026-01/rows.parquet
        _healthyroster/journal.sqlite, summary.json

    Attributes:
        root: The folder.
        journal: What is in it.
    """

    def __init__(self, root: Path, file_format: Format) -> None:
        """Open or make a destination, and hold it until it is closed.

        Raises:
            DestinationError: It cannot be written, or another pull writes into it.
        """
        if journal_beside(root) is None:
            check_empty(holds_files(root))
        self.root = root
        self._format = file_format
        self._numbers = itertools.count()
        ours = root / OURS
        self._partial = ours / "partial"
        with writing():
            ours.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(ours / JOURNAL)
        try:
            agree_format(self.journal, file_format)
            with writing():
                # What a killed run left behind; nobody else is here.
                shutil.rmtree(self._partial, ignore_errors=True)
                self._partial.mkdir(mode=0o700)
        except BaseException:
            self.journal.close()
            raise

    def close(self) -> None:
        """Give the destination to the next run."""
        shutil.rmtree(self._partial, ignore_errors=True)
        self.journal.close()

    def keep_journal(self) -> None:
        """Keep the journal beside the data, where it is already."""

    def announce(self, cell: Cell, window: Window) -> None:
        """Keep that a window that is cut by rows may be there from now on."""
        self.journal.announce(cell, window)

    def partial(self) -> Path:
        """Return where to write the next file until it is whole."""
        return self._partial / f"{next(self._numbers)}.{self._format}"

    def publish(
        self, partial: Path, *, source: str, provider: str, key: str, rows: int
    ) -> list[str]:
        """Give a whole file its name, instead of what had it before.

        Of no rows there is no file: it could not say the types of its columns.

        Returns:
            What its rows did to those of other partitions, a line for each column.
        """
        folder = self.journal.provider_folder(provider)
        parts = (f"source={source}", f"provider={folder}", f"window={key}")
        name = "/".join((*parts, f"rows.{self._format}"))
        with writing():
            if rows:
                self._replace(partial, name)
            else:
                self._remove(name)
                partial.unlink()
        return []

    def _replace(self, partial: Path, name: str) -> None:
        """Give a file its name; there is the old one or the new one at any time."""
        file = self.root / name
        if not self._partial.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder has vanished")
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(file)
        _sync(file.parent)

    def _remove(self, name: str) -> None:
        """Take away a file, if it is there."""
        (self.root / name).unlink(missing_ok=True)

    def summarise(self, report: PullReport) -> None:
        """Write what came of a pull."""
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        partial = self._partial / "summary.json"
        with writing():
            partial.write_bytes(orjson.dumps(report.to_dict(), option=option))
            partial.replace(self.root / OURS / "summary.json")


def agree_format(journal: Journal, file_format: Format) -> None:
    """Make the format of files that of a destination, or check that it is.

    Raises:
        WrongDestinationError: It holds files of another format.
    """
    journal.agree("format", file_format, "holds files of another format")


def check_place(root: Path) -> None:
    """Refuse a folder that no pull can write into, or none should.

    Raises:
        DestinationError: It could not be made, or written into, or lies inside the
            destination of another pull.
    """
    with writing():
        there = next(one for one in (root.absolute(), *root.absolute().parents)
                     if os.path.lexists(one))  # fmt: skip
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for around in root.absolute().parents:
            if (around / OURS / JOURNAL).exists():
                raise WrongDestinationError(
                    "the destination lies inside that of another pull, whose readers "
                    "would find its rows too; give a folder beside that"
                )


def journal_beside(root: Path) -> Path | None:
    """Return where the journal of a folder is; ``None`` if there is none yet."""
    with writing():
        journal = root / OURS / JOURNAL
        # SQLite makes an empty file first.
        return journal if journal.exists() and journal.stat().st_size else None


def holds_files(root: Path) -> bool:
    """Return whether a pull has put rows into a folder."""
    with writing():
        return (root / DUCKDB).exists() or any(root.glob(FILES))


def check_empty(holds: bool) -> None:  # noqa: FBT001
    """Refuse a destination without a journal that holds files all the same.

    Raises:
        WrongDestinationError: It does.
    """
    if holds:
        raise WrongDestinationError(
            f"the destination holds rows of a pull, but not {OURS}/{JOURNAL}, which "
            "says which: they would lie there twice, or for ever. Bring it back, or "
            "give another destination"
        )


def _sync(folder: Path) -> None:
    # A name must not be lost after the journal says that it is there.
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _UNSYNCED:
            raise


@contextmanager
def writing() -> Iterator[None]:
    """Turn what the system says into our error."""
    try:
        yield
    except OSError as error:
        text = error.strerror or type(error).__name__
    else:
        return
    give_up(f"the destination cannot be written: {text}")


def give_up(text: str) -> NoReturn:
    """Raise our error, and nothing along with it.

    What went wrong would be its context: an error reporter prints the text of that, and
    the local variables of its frames, which hold rows.

    Raises:
        DestinationError: Always.
    """
    error = DestinationError(text)
    try:
        raise error
    finally:
        error.__context__ = None
