"""A file that is there whole, or as it was before."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file under another name, and give it its own when it is whole.

    Args:
        path: The file; one that is there is replaced.
        content: What is to be in it.
        private: Whether only its owner may read it.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    mode = 0o600 if private else 0o666
    try:
        with open(partial, "xb", opener=functools.partial(os.open, mode=mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # a name must not outlive what it names
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
