"""``healthyroster config show``: what is set, and where it comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import rich_click as click
from attrs import frozen

from healthyroster_async import _config, _profiles
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.errors import HealthyRosterError
from healthyroster_async._core.settings import Environment
from healthyroster_async._secrets import program_of
from healthyroster_async.cli import _console, _options, _run

_DOCUMENT = "swagger document"


@frozen
class _Row:
    setting: str
    value: str
    origin: str


@click.command("show")
@click.argument("name", required=False)
@_options.swagger
@_options.as_json
def command(name: str | None, *, swagger: str | None, as_json: bool) -> int:
    """Show every setting and where it comes from.

    NAME is a profile; without one it is that of HEALTHYROSTER_PROFILE, or none. An
    argument wins over a variable, a variable over the profile, the profile over the
    swagger document. Of a secret it is shown that it is set.
    """
    for line in _config.unknown(sorted(os.environ)):
        _console.message(f"warning: {_console.plain(line)}")
    settings = _config.collect(os.environ, profile=name, swagger=swagger)
    contract, problem = _contract(settings)
    rows = [*_profile(settings, name), *_rows(settings, contract)]
    if as_json:
        _console.write_json(
            {
                "settings": [
                    {"setting": row.setting, "value": row.value, "from": row.origin}
                    for row in rows
                ],
                "problem": None if problem is None else str(problem),
            }
        )
    else:
        console = _console.output()
        table = _console.table(console, "Setting", "Value", "From")
        for row in rows:
            table.add_row(*map(_console.plain, (row.setting, row.value, row.origin)))
        console.print(table)
        if problem is not None:
            _console.error(str(problem))
    return _run.DONE if problem is None else _run.code_of(problem)


def _contract(
    settings: _config.Settings,
) -> tuple[Contract | None, HealthyRosterError | None]:
    """Return how the API looks, and what is wrong with the settings."""
    contract = None
    try:
        contract = _config.contract_of(settings)
        _config.made_of(settings, contract)
    except HealthyRosterError as error:
        return contract, error
    return contract, None


def _profile(settings: _config.Settings, name: str | None) -> Iterator[_Row]:
    profile = settings.profile
    if profile is not None:
        origin = "argument NAME" if name else f"variable {_profiles.PREFIX}PROFILE"
        yield _Row("profile", profile.name, origin)


def _rows(settings: _config.Settings, contract: Contract | None) -> Iterator[_Row]:
    for key in _profiles.SHARED:
        yield from _found(settings, key, key)
        given = key not in settings.found and getattr(contract, key, None)
        if given:
            yield _Row(key, str(given), _DOCUMENT)
    profile = settings.profile
    for environment in Environment:
        for key in _profiles.EACH:
            shown = f"{environment.value} {key}"
            yield from _found(settings, f"{environment.value}_{key}", shown)
        full = f"{environment.value}_base_url"
        if contract is not None and full not in settings.found:
            url = contract.base_urls.get(environment)
            if url is not None:
                yield _Row(f"{environment.value} base_url", url, _DOCUMENT)
        if profile is not None and profile.environment is environment:
            host = profile.settings.get("host")
            if host is not None:
                origin = f"profile {profile.name!r}"
                yield _Row(f"{environment.value} host", host, origin)


def _found(settings: _config.Settings, key: str, shown: str) -> Iterator[_Row]:
    setting = settings.found.get(key)
    if setting is None:
        return
    value: Any = setting.value
    if key.endswith(_profiles.SECRET):
        value = "set"
    elif key.endswith(f"{_profiles.SECRET}_command"):
        value = _program(value)
    origin = f"variable {setting.name}"
    if setting.origin == "profile" and settings.profile is not None:
        origin = f"profile {settings.profile.name!r}"
    elif setting.origin == "argument":
        origin = "argument --swagger"
    yield _Row(shown, value, origin)


def _program(command: str) -> str:
    """Return a command without its arguments: a password may be among them."""
    program = program_of(command)
    if not program:
        return "set"
    return program if command.strip(" '\"") == program else f"{program} ..."
