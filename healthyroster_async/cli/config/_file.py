"""Changing the profile file: all of it or nothing, and what else it holds is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthyroster_async import _profiles
from healthyroster_async._core.errors import ConfigurationError, MissingExtraError
from healthyroster_async._core.files import write_whole

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

# The service under which ``config secret`` keeps secrets in the keyring.
SERVICE = "healthyroster"


def path() -> Path:
    """Return where profiles are kept.

    Raises:
        ConfigurationError: There is no folder for them.
    """
    return _profiles.profile_file(os.environ)


def document() -> dict[str, Any]:
    """Return all that the file holds; nothing where there is none.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        return _profiles.load(path())
    except FileNotFoundError:
        return {}


def profile(name: str) -> _profiles.Profile:
    """Return a profile.

    Raises:
        ConfigurationError: There is none of that name, or it is not in order.
    """
    return _profiles.profile_of(document(), path(), name)


def require(name: str) -> None:
    """Refuse the name of a profile that is not there.

    Raises:
        ConfigurationError: The text names those that are.
    """
    held = document()
    if not isinstance(held.get(name), dict):
        known = ", ".join(sorted(k for k, v in held.items() if isinstance(v, dict)))
        raise ConfigurationError(
            f"there is no profile {name!r} in {path()}; there is {known or 'none'}"
        )


def change(edit: Callable[[TOMLDocument], None]) -> None:
    """Let *edit* change the file; comments and what it does not touch are kept.

    Raises:
        ConfigurationError: The file cannot be read or written.
        MissingExtraError: The package that writes TOML is not installed.
    """
    try:
        import tomlkit  # noqa: PLC0415 - reading needs none of it
    except ImportError:
        raise MissingExtraError(
            'changing profiles needs the extra "cli": pip install '
            "'healthyroster-async[cli]'"
        ) from None
    document()  # what cannot be read is told without being quoted, and stays as it is
    target = path()
    before = target.read_text(encoding="utf-8-sig") if target.exists() else ""
    held = tomlkit.parse(before)
    edit(held)
    write_private(target, tomlkit.dumps(held))


def write_private(target: Path, text: str) -> None:
    """Write a file that only its owner can read: the whole of it, or nothing.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        # Whoever keeps settings elsewhere has put a link here; it stays.
        real = target.resolve()
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(real, text.encode(), private=True)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"{target} cannot be written: {why}") from None
