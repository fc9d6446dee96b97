"""The profile file: where it is, and what a profile may hold."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.home import user_folder
from healthyroster_async._core.settings import Environment

PREFIX = "HEALTHYROSTER_"
# Names of the variables without the prefix, in lower case.
SHARED = (
    "environment",
    "swagger",
    "application_id_header",
    "application_secret_header",
    "rows_key",
)
SECRET = "application_secret"  # noqa: S105 - the name of a setting
KEPT_SECRETS = (f"{SECRET}_file", f"{SECRET}_command", f"{SECRET}_keyring")
EACH = ("application_id", SECRET, *KEPT_SECRETS, "base_url")
# What a profile may hold, in the order in which it is shown.
KEYS = (
    "environment",
    "host",
    "base_url",
    "swagger",
    "application_id",
    *KEPT_SECRETS,
    "application_id_header",
    "application_secret_header",
    "rows_key",
)
_SECRET_KEYS = (SECRET, *(f"{e.value}_{SECRET}" for e in Environment))
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


@frozen(kw_only=True)
class Profile:
    """The settings of one environment and one host.

    Attributes:
        name: What it is called.
        path: The file it stands in.
        environment: The one it is for, or ``None`` if it holds nothing of one.
        settings: Its texts by ``KEYS``.
    """

    name: str
    path: Path
    environment: Environment | None
    settings: Mapping[str, str] = field(repr=False)

    @property
    def host(self) -> str | None:
        """The host it names, with the port if it names one; ``None`` if it does not."""
        if "host" in self.settings:
            return self.settings["host"].lower()
        if "base_url" in self.settings:
            return urlsplit(self.settings["base_url"].strip()).netloc.lower() or None
        return None

    @override
    def __str__(self) -> str:
        return f"the profile {self.name!r}"


def profile_file(variables: Mapping[str, str]) -> Path:
    """Return where profiles are kept.

    It is ``healthyroster/profiles.toml`` in the user's configuration folder (XDG Base
    Directory Specification; ``APPDATA`` on Windows).

    Raises:
        ConfigurationError: There is no such folder, for nobody's home is known.
    """
    if sys.platform == "win32":
        known = "APPDATA"
        folder = user_folder(variables, known, "AppData", "Roaming")
    else:
        known = "HOME or XDG_CONFIG_HOME"
        folder = user_folder(variables, "XDG_CONFIG_HOME", ".config")
    del variables  # error reporters print local variables
    if folder is None:
        raise ConfigurationError(f"there is no folder for profiles; set {known}")
    return folder / "profiles.toml"


def load(path: Path) -> dict[str, Any]:
    """Return all that the file holds.

    Raises:
        ConfigurationError: It cannot be read, or others can write it; the text never
            quotes it.
        FileNotFoundError: There is none.
    """
    try:
        with path.open("rb") as file:
            if not _is_foreign(file.fileno()):
                # Editors of Windows begin with a byte order mark.
                return tomllib.loads(file.read().decode("utf-8-sig"))
        why = (
            "others can write it, and a command that it names is run; make it your "
            f"own, and run: chmod go-w {shlex.quote(str(path))}"
        )
    except FileNotFoundError:
        raise
    except tomllib.TOMLDecodeError as error:
        # The text can quote a line, and a line can hold a secret: only the place is
        # told.
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        why = f"it is no TOML ({place[0] if place else 'somewhere'})"
    except UnicodeDecodeError:
        why = "it is no UTF-8"
    except OSError as error:
        why = error.strerror or type(error).__name__
    raise ConfigurationError(f"{path} cannot be read: {why}")


def _is_foreign(descriptor: int) -> bool:
    """Return whether others can write a file, by the rule of OpenSSH for its own."""
    if os.name != "posix":
        return False
    state = os.fstat(descriptor)
    others = stat.S_IWGRP | stat.S_IWOTH
    return state.st_uid not in {0, os.geteuid()} or bool(state.st_mode & others)


def profile_of(document: Mapping[str, Any], path: Path, name: str) -> Profile:
    """Return a profile of what ``load`` gave.

    Raises:
        ConfigurationError: There is none of that name, or it holds what it may not; the
            text names keys and never a value.
    """
    try:
        return _profile_of(document, path, name)
    except ConfigurationError as error:
        why = str(error)
    # Raised out here: frames of the other error hold what is in the file.
    del document
    raise ConfigurationError(why)


def _profile_of(document: Mapping[str, Any], path: Path, name: str) -> Profile:
    table = document.get(name)
    if not isinstance(table, dict):
        names = ", ".join(sorted(k for k, v in document.items() if isinstance(v, dict)))
        raise ConfigurationError(
            f"{path} has no profile {name!r}; it has {names or 'none'}"
        )
    where = f"the profile {name!r} in {path}"
    _check_keys(table, where, name)
    environment = _environment(table, where)
    settings: dict[str, str] = {}
    for key, value in table.items():
        plain = key.removeprefix(f"{environment.value}_") if environment else key
        if plain in settings:
            raise ConfigurationError(f"{where} has {plain} twice; keep one")
        if value:
            settings[plain] = value
    check_values(settings, where)
    return Profile(name=name, path=path, environment=environment, settings=settings)


def check_values(settings: Mapping[str, str], where: str) -> None:
    """Refuse values that cannot be meant.

    Raises:
        ConfigurationError: The text begins with *where*.
    """
    host, url = settings.get("host"), settings.get("base_url", "")
    if host is not None and not (_HOST.fullmatch(host) and _is_readable(f"//{host}")):
        raise ConfigurationError(
            f"{where} has a host that is none; give one such as api.example.com"
        )
    if not _is_readable(url):
        raise ConfigurationError(
            f"{where} has a base_url that is none; give one such as "
            "https://api.example.com/v1"
        )
    kinds = [key for key in KEPT_SECRETS if key in settings]
    if len(kinds) > 1:
        raise ConfigurationError(f"{where} has both {' and '.join(kinds)}; keep one")


def _is_readable(url: str) -> bool:
    try:
        urlsplit(url.strip()).port  # noqa: B018 - looking at it is what raises
    except ValueError:  # a bracket that is not closed, a port that is none
        return False
    return True


def environment_of(value: str, name: str) -> Environment:
    """Return the environment of a name.

    Raises:
        ConfigurationError: It is neither of the two.
    """
    try:
        return Environment(value.strip().lower())
    except ValueError:
        raise ConfigurationError(
            f"{name} is {value!r}; give sandbox or production"
        ) from None


def _check_keys(table: Mapping[str, Any], where: str, name: str) -> None:
    secrets = [key for key in _SECRET_KEYS if key in table]
    if secrets:
        raise ConfigurationError(
            f"{where} holds a secret ({', '.join(secrets)}), and the file is no place "
            f'for one: take it out and run "healthyroster config secret {name}", or '
            f"name one of {', '.join(KEPT_SECRETS)}"
        )
    prefixed = {f"{e.value}_{key}" for e in Environment for key in EACH}
    unknown = sorted(set(table) - prefixed - set(KEYS))
    if unknown:
        raise ConfigurationError(f"{where} has {unknown}; known are {sorted(KEYS)}")
    not_text = sorted(key for key, value in table.items() if not isinstance(value, str))
    if not_text:
        raise ConfigurationError(f"{where} must have texts for {not_text}")


def _environment(table: Mapping[str, str], where: str) -> Environment | None:
    """Return the one environment that a profile is for."""
    given = table.get("environment")
    prefixes = {
        e for e in Environment for key in table if key.startswith(f"{e.value}_")
    }
    named = {environment_of(given, f"environment of {where}")} if given else prefixes
    if len(named | prefixes) > 1:
        raise ConfigurationError(
            f"{where} has settings of both environments; a profile is for one "
            "environment and one host, so make a second one"
        )
    if not named and set(table) & {"host", *EACH}:
        raise ConfigurationError(
            f'{where} does not say whose settings it has; add environment = "sandbox" '
            'or "production"'
        )
    return next(iter(named), None)
