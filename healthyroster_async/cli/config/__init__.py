"""``healthyroster config``: the group; each of its commands is imported when used."""

from __future__ import annotations

import rich_click as click

from healthyroster_async.cli._lazy import LazyGroup

_MODULES = {
    name: f"{__name__}.{name}"
    for name in ("check", "list", "remove", "secret", "set", "show")
}


_BEGIN = (
    "To begin:",
    "healthyroster config set clinic environment=sandbox swagger=swagger.json",
    "healthyroster config set clinic application_id=ID",
    "healthyroster config secret clinic",
    "healthyroster config check clinic",
)


@click.group(
    "config",
    cls=LazyGroup,
    modules=_MODULES,
    epilog="\n\n".join(_BEGIN),
    invoke_without_command=True,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Make, show and check profiles.

    A profile holds the settings of one environment and one host; other commands take it
    with --profile NAME or from HEALTHYROSTER_PROFILE. It never holds the secret, but
    says where that is: in the keyring, a file, or what a command prints.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
