"""``healthyroster config remove``: take a profile out."""

from __future__ import annotations

from types import ModuleType

import rich_click as click

from healthyroster_async._core.errors import HealthyRosterError
from healthyroster_async._secrets import with_keyring
from healthyroster_async.cli import _console
from healthyroster_async.cli.config import _file


@click.command("remove")
@click.argument("name")
def command(name: str) -> None:
    """Take the profile NAME out, and the secret that "config secret" kept for it.

    A secret in a file stays; its path is told.
    """
    _file.require(name)
    held = _file.document()[name]
    _file.change(lambda document: document.pop(name))
    _console.message(f"Took the profile {name!r} out of {_file.path()}.")
    for key, value in held.items():
        if key.endswith("application_secret_file"):
            _console.message(f"Its secret stays in {value}.")
        if key.endswith("application_secret_keyring"):
            _forget(name, str(value))


def _forget(name: str, entry: str) -> None:
    if entry != f"{_file.SERVICE}/{name}":
        _console.message(f"Its secret stays in the keyring, under {entry!r}.")
        return

    def delete(keyring: ModuleType) -> None:
        if keyring.get_password(_file.SERVICE, name) is not None:
            keyring.delete_password(_file.SERVICE, name)

    try:
        with_keyring(delete, "application_secret_keyring")
    except HealthyRosterError:
        _console.message(f"Its secret may still be in the keyring, under {entry!r}.")
    else:
        _console.message("Its secret was taken out of the keyring.")
