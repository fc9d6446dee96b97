"""What was learned is kept in a small file, for the next run."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from healthyroster_async._core.home import user_folder
from healthyroster_async._core.learned import Learned, from_text, to_text

_logger = logging.getLogger("healthyroster_async.memory")

# What we write is a hundred bytes; whatever is longer is not ours.
_MOST_BYTES = 4096


@frozen
class Memory:
    """Keeps what was learned, if it can.

    Remembering is a convenience: whatever goes wrong, nothing is raised, and the next
    run learns anew. Both methods touch the disk, which may be far away: call them off
    the event loop.

    Attributes:
        folder: Where the files are, or ``None`` to remember nothing.
    """

    folder: Path | None

    def load(self, key: str, now: float) -> Learned | None:
        """Return what was learned, or ``None`` if nothing of use is there.

        Args:
            key: The name from ``shared.key_of``.
            now: The wall clock, in seconds.
        """
        if self.folder is None:
            return None
        try:
            with self._file(self.folder, key).open("rb") as file:
                raw = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log("read", error)
            return None
        return from_text(raw, now)

    def save(self, key: str, learned: Learned) -> None:
        """Keep what was learned instead of what was kept before.

        A reader sees the old or the new, never a half. Of two processes that save at
        once, one has its way.
        """
        if self.folder is None:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._file(self.folder, key), to_text(learned))
        except OSError as error:
            _log("written", error)

    @staticmethod
    def _file(folder: Path, key: str) -> Path:
        return folder / f"{key}.json"


def state_folder(variables: Mapping[str, str]) -> Path | None:
    """Return where state is kept between runs, or ``None`` if there is no such place.

    It is ``healthyroster`` in the user's state folder (XDG Base Directory
    Specification; ``LOCALAPPDATA`` on Windows).
    """
    if sys.platform == "win32":
        return user_folder(variables, "LOCALAPPDATA", "AppData", "Local")
    return user_folder(variables, "XDG_STATE_HOME", ".local", "state")


def _replace(path: Path, text: str) -> None:
    # mkstemp makes it readable by its owner only.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with open(handle, "w", encoding="ascii") as file:  # noqa: PTH123 - a handle
            file.write(text)
        os.replace(name, path)  # noqa: PTH105 - as text, as mkstemp gave it
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise


def _log(what: str, error: OSError) -> None:
    # The error's own text holds a path, and the path a user's name.
    kind = type(error).__name__
    fields = {"what": what, "error": kind}
    _logger.debug("what was learned could not be %s (%s)", what, kind, extra=fields)
