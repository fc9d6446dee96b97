"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def at_home(path: str | os.PathLike[str]) -> Path:
    """Return a path in which ``~`` at the beginning is the user's home.

    What nobody's home is stays as it is.
    """
    # A Path forgets the ./ of a folder that is called ~ indeed.
    found = Path(os.path.expanduser(path))  # noqa: PTH111
    # pyarrow and DuckDB would look for it in the home.
    return found.absolute() if str(found).startswith("~") else found
