"""``healthyroster contract``: what a swagger document says, and what is made of it."""

from __future__ import annotations

from importlib import import_module

import rich_click as click
from typing_extensions import override

_MODULES = {
    "check": "healthyroster_async.cli.contract_check",
    "diff": "healthyroster_async.cli.contract_diff",
    "generate": "healthyroster_async.cli.contract_generate",
}


class _Commands(click.RichGroup):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        command: click.Command = import_module(_MODULES[cmd_name]).command
        return command


@click.group("contract", cls=_Commands)
def command() -> None:
    """Look into the vendor's swagger document, and write types for it.

    No credentials are needed, and nothing is called.
    """
