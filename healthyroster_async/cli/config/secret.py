"""``healthyroster config secret``: put the secret of a profile where it is safe."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import rich_click as click

from healthyroster_async._core.credentials import Credentials, Secret
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._profiles import profile_of
from healthyroster_async._secrets import INSTEAD, with_keyring
from healthyroster_async.cli import _console
from healthyroster_async.cli.config import _file
from healthyroster_async.cli.config.set import put

_INSTEAD = f"give --file PATH, {INSTEAD}"
_MOST = 64 * 2**10


@click.command("secret")
@click.argument("name")
@click.option(
    "--file",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep it in a file that only you can read, not in the keyring.",
)
def command(name: str, *, target: Path | None) -> None:
    """Ask for the application secret of the profile NAME, and keep it.

    It is asked for without an echo; where stdin is no terminal it is read from there.
    It is kept in the keyring of the system (extra "keyring"), or with --file in a file.
    The profile then says where it is.
    """
    _file.require(name)
    secret = _read()
    if target is None:
        key, value = "application_secret_keyring", f"{_file.SERVICE}/{name}"
        _keep(name, secret)
        place = "in the keyring"
    else:
        path = target.expanduser().absolute()
        key, value = "application_secret_file", str(path)
        _file.write_private(path, f"{secret.reveal()}\n")
        place = f"in {path}"

    def edit(document: Any) -> None:
        table = document[name]
        for old in tuple(table):
            if old.endswith("application_secret"):
                del table[old]  # it stood where it may not
        put(table, {key: value})
        profile_of(document.unwrap(), _file.path(), name)

    _file.change(edit)
    _console.message(f"Kept the secret of the profile {name!r} {place}.")


def _read() -> Secret:
    if _console.is_terminal(sys.stdin):
        text = click.prompt("Application secret", hide_input=True, err=True)
    else:
        text = sys.stdin.read(_MOST + 1).removeprefix("\ufeff").strip()
    try:
        return Credentials("any", text).application_secret
    except ConfigurationError as error:
        why = str(error)
    raise ConfigurationError(why)


def _keep(name: str, secret: Secret) -> None:
    def keep(keyring: ModuleType) -> bool:
        keyring.set_password(_file.SERVICE, name, secret.reveal())
        found = keyring.get_password(_file.SERVICE, name)
        return bool(found == secret.reveal())

    if not with_keyring(keep, f"the profile {name!r}", _INSTEAD):
        raise ConfigurationError(f"the keyring of this system is none; {_INSTEAD}")
