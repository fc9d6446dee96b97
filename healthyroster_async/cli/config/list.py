"""``healthyroster config list``: which profiles there are."""

from __future__ import annotations

import os
from typing import Any

import rich_click as click
from rich.text import Text

from healthyroster_async import _profiles
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.cli import _console, _options
from healthyroster_async.cli.config import _file


@click.command("list")
@_options.as_json
def command(*, as_json: bool) -> None:
    """List the profiles, and say where they stand."""
    held = _file.document()
    used = os.environ.get(f"{_profiles.PREFIX}PROFILE")
    rows = [
        _row(held, name, used=name == used)
        for name, table in held.items()
        if isinstance(table, dict)
    ]
    if as_json:
        _console.write_json({"file": str(_file.path()), "profiles": rows})
        return
    console = _console.output()
    console.print(Text(str(_file.path())), soft_wrap=True)
    if not rows:
        _console.message(
            'There are no profiles yet; "healthyroster config set" makes one.'
        )
        return
    table = _console.table(console, "Profile", "Environment", "Host", "Secret in")
    for row in rows:
        name = f"{row['name']} (in use)" if row["used"] else row["name"]
        cells = (name, row["environment"], row["host"], row["secret"])
        table.add_row(*map(_console.plain, cells))
    console.print(table)
    for row in rows:
        if row["problem"]:
            _console.message(f"warning: {_console.plain(row['problem'])}")


def _row(held: dict[str, Any], name: str, *, used: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name, "used": used, "environment": None, "host": None, "secret": None,
        "problem": None,
    }  # fmt: skip
    try:
        profile = _profiles.profile_of(held, _file.path(), name)
    except ConfigurationError as error:
        return row | {"problem": str(error)}
    kinds = [kind for kind in _profiles.KEPT_SECRETS if kind in profile.settings]
    environment = profile.environment
    return row | {
        "environment": environment.value if environment else None,
        "host": profile.host,
        "secret": kinds[0].rpartition("_")[2] if kinds else None,
    }
