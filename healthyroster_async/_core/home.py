"""Paths as people write them, and where their own folders are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def at_home(path: str | os.PathLike[str]) -> Path:
    """Return a path in which ``~`` at the beginning is the user's home.

    What nobody's home is stays as it is.
    """
    # A Path forgets the ./ of a folder that is called ~ indeed.
    found = Path(os.path.expanduser(path))  # noqa: PTH111
    # pyarrow and DuckDB would look for it in the home.
    return found.absolute() if str(found).startswith("~") else found


def user_folder(
    variables: Mapping[str, str], variable: str, *usual: str
) -> Path | None:
    """Return our folder among those of the user; ``None`` if nobody's home is known.

    Args:
        variables: The environment.
        variable: The variable that names the folder around ours; a relative path is
            ignored (XDG Base Directory Specification).
        usual: Where that folder is in the home, if the variable does not say.
    """
    around = Path(variables.get(variable, ""))
    if not around.is_absolute():
        try:
            around = Path.home().joinpath(*usual)
        except RuntimeError:  # a container's user that is in no list
            return None
    return around / "healthyroster"


def not_utf8(name: str) -> str:
    """Return what is wrong with a text that has bytes which could not be decoded."""
    if sys.getfilesystemencoding() == "utf-8":
        return f"{name} is not in UTF-8"
    return (
        f"the locale is not UTF-8, so {name} cannot be read; set PYTHONUTF8=1 or a "
        "UTF-8 locale"
    )
