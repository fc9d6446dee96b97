"""A file that is there whole, or as it was before."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file; see ``whole_file``.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    with whole_file(path, private=private) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Have a file under another name, and give it its own when it is whole.

    Args:
        path: The file; one that is there is replaced, and those read it who could.
        private: Whether only its owner may read it.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    mode = 0o600 if private else 0o666
    try:
        with open(partial, "xb", opener=functools.partial(os.open, mode=mode)) as file:
            if not private and path.exists():
                partial.chmod(path.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())  # a name must not outlive what it names
        try:
            partial.replace(path)
        except OSError as error:
            # A file that is mounted by itself, as into a container, keeps its place.
            if error.errno != errno.EBUSY:
                raise
            shutil.copyfile(partial, path)
            partial.unlink()
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
