"""A group of commands, each imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import rich_click as click
from typing_extensions import override


class LazyGroup(click.RichGroup):
    """Subcommands that cost nothing until they are asked for.

    Args:
        modules: Module of each, by the name of the command. Its ``command`` is run.
    """

    def __init__(self, *args: Any, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._modules = modules

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._modules)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(self._modules[cmd_name]).command
        return command
