"""``healthyroster config set``: make a profile, or change one."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from healthyroster_async._core.contract import base_url
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import Environment
from healthyroster_async._profiles import KEPT_SECRETS, KEYS, SECRET, profile_of
from healthyroster_async.cli import _console
from healthyroster_async.cli.config import _file

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_MEANINGS = {
    "environment": "sandbox or production",
    "host": "the one host that its credentials may go to",
    "base_url": "base URL, where the document names none",
    "swagger": "path or https URL of the vendor's swagger document",
    "application_id": "the application id",
    "application_secret_file": "file that holds the secret, and only you can read",
    "application_secret_command": "command that prints the secret; no shell runs it",
    "application_secret_keyring": "service/user of the secret in the keyring",
    "application_id_header": "header field of the id, where the document is unclear",
    "application_secret_header": "header field of the secret, the same",
    "rows_key": "where rows stand in an answer that wraps them",
}
_EPILOG = "Settings:\n\n" + "\n\n".join(f"{key}: {_MEANINGS[key]}" for key in KEYS)


@click.command("set", epilog=_EPILOG)
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
def command(name: str, *, settings: tuple[str, ...]) -> None:
    """Make the profile NAME, or change it.

    KEY= without a value takes a setting out. Relative paths are made absolute, for a
    profile is used from anywhere. Comments in the file are kept.
    """
    changes = _parsed(name, settings)
    is_new = not isinstance(_file.document().get(name), dict)
    dropped: list[str] = []
    _file.change(partial(_edit, name=name, changes=changes, dropped=dropped))
    for key in dropped:
        _console.message(f"{key} was taken out: a secret comes from one place")
    done = "Made" if is_new else "Changed"
    _console.message(f"{done} the profile {name!r} in {_file.path()}.")


def _parsed(name: str, settings: Iterable[str]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for one in settings:
        key, equals, value = one.partition("=")
        key, value = key.strip(), value.strip()
        if not equals:
            raise click.UsageError(f"{_shown(key)} has no value; give KEY=VALUE")
        if key in changes:
            raise click.UsageError(f"{_shown(key)} is given twice")
        if value and (key == SECRET or key.endswith(f"_{SECRET}")):
            raise click.UsageError(
                f"{key} is a secret, and neither a command line nor the file is a "
                f'place for one; run "healthyroster config secret {name}"'
            )
        if value and key not in KEYS:
            raise click.UsageError(
                f"there is no setting {_shown(key)}; there are {', '.join(KEYS)}"
            )
        changes[key] = _made_absolute(key, value)
    return changes


def _shown(key: str) -> str:
    """Return a key as it may be shown: what is none may be a secret."""
    return repr(key) if key.isidentifier() and key.islower() else "an argument"


def _made_absolute(key: str, value: str) -> str:
    is_path = key == f"{SECRET}_file" or (
        key == "swagger" and not value.startswith(("http://", "https://"))
    )
    if not (is_path and value) or value.startswith("~"):
        return value
    return str(Path(value).absolute())


def _edit(
    held: TOMLDocument, *, name: str, changes: dict[str, str], dropped: list[str]
) -> None:
    from tomlkit import table as new_table  # noqa: PLC0415 - only where it is written

    if not isinstance(held.get(name), MutableMapping):
        if name in held:
            raise ConfigurationError(f"{name!r} in {_file.path()} is no profile")
        held[name] = new_table()
    table: Any = held[name]
    dropped += put(table, changes)
    profile = profile_of(held.unwrap(), _file.path(), name)
    url = profile.settings.get("base_url")
    if url is not None and profile.environment is not None:
        base_url(profile.environment, url)


def put(table: MutableMapping[str, Any], changes: dict[str, str]) -> list[str]:
    """Change the settings of a profile and return which other secrets made room."""
    dropped: list[str] = []
    for key, value in changes.items():
        names = (key, *(f"{e.value}_{key}" for e in Environment))
        rivals = [k for k in KEPT_SECRETS if key in KEPT_SECRETS and value and k != key]
        for other in rivals:
            for rival in (other, *(f"{e.value}_{other}" for e in Environment)):
                if rival in table:
                    del table[rival]
                    dropped.append(rival)
        if value and key not in table:
            # It may stand there under the name of its variable.
            for old in names[1:]:
                table.pop(old, None)
        if value:
            table[key] = value
        else:
            for old in names:
                table.pop(old, None)
    return dropped
