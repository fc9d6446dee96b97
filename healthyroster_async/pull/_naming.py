"""What the folders of a pull are called, as readers of Hive partitions expect it."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

# File systems take 255 bytes, also for "source=" before it and a number behind it.
_LONGEST = 200


def folder_name(name: str) -> str:
    """Return the name of a data source as a folder has it."""
    return fitted(" ".join(name.split()))


def fitted(text: str) -> str:
    """Return a name that every file system takes, and keeps as it is.

    One too long is cut, and told from others by a checksum.
    """
    name = quoted(text)
    if len(name) > _LONGEST:
        return with_checksum(text)
    if name.endswith((".", " ")):  # Windows would take it away
        return f"{name[:-1]}%{ord(name[-1]):X}"
    return name


def with_checksum(text: str) -> str:
    """Return as much of a name as there is room for, and a checksum of all of it."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    text = text[:_LONGEST]
    while len(quoted(text)) > _LONGEST:
        text = text[:-1]
    return f"{quoted(text)}-{digest}"


def quoted(text: str) -> str:
    """Return a name of any length without what no folder is called."""
    return quote(text, safe=" -_()")
