"""The group of all subcommands; each is imported when it is used."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any, NoReturn

import rich_click as click
from typing_extensions import override

from healthyroster_async._version import __version__
from healthyroster_async.cli import _run
from healthyroster_async.cli._lazy import LazyGroup

_MODULES = {
    "access": "healthyroster_async.cli.access",
    "call": "healthyroster_async.cli.call",
    "config": "healthyroster_async.cli.config",
    "contract": "healthyroster_async.cli.contract",
    "demo": "healthyroster_async.cli.demo",
    "describe": "healthyroster_async.cli.describe",
    "emulate": "healthyroster_async.cli.emulate",
    "operations": "healthyroster_async.cli.operations",
    "pull": "healthyroster_async.cli.pull",
    "sources": "healthyroster_async.cli.sources",
}
_EPILOG = "Exit codes:\n\n" + "\n\n".join(
    f"{code:>3}  {meaning}" for code, meaning in _run.EXIT_CODES
)


class _Commands(LazyGroup):
    """The outermost group: it says with which code the process ends."""

    @override
    def make_context(self, *args: Any, **options: Any) -> Any:
        with _run.closed_output():
            return super().make_context(*args, **options)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with _run.closed_output():
            return super().invoke(ctx)

    @override
    def main(self, *args: Any, **options: Any) -> NoReturn:
        options["standalone_mode"] = False
        command = partial(super().main, *args, **options)
        sys.exit(_run.exit_code(command))


@click.group(
    cls=_Commands,
    modules=_MODULES,
    epilog=_EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="healthyroster")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Work with the Healthy Roster API (unofficial).

    Begin with "healthyroster demo", which needs nothing; "healthyroster emulate" runs a
    Healthy Roster of your own, to try the other commands with.

    Data goes to stdout, everything else to stderr. NO_COLOR and FORCE_COLOR are
    respected.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
