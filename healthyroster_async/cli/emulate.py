"""``healthyroster emulate``: a local Healthy Roster until Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from healthyroster_async._core.settings import Environment
from healthyroster_async.cli import _console, _run
from healthyroster_async.cli._rate import limit_options, take_limit

if TYPE_CHECKING:
    from healthyroster_async.emulator import Emulator

_BOTH = "both"


@click.command("emulate")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--providers",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Healthcare Providers; their ids begin with 1.",
)
@click.option(
    "--rows",
    default=1000,
    show_default=True,
    type=click.IntRange(0),
    help="Rows of each data source.",
)
@click.option(
    "--items",
    default=50,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="Objects of each other resource: patients, teams and so on.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Decides data and credentials.",
)
@click.option(
    "--environment",
    default=Environment.SANDBOX.value,
    show_default=True,
    type=click.Choice([*(e.value for e in Environment), _BOTH]),
    help="What it stands for.",
)
@click.option(
    "--key-casing",
    default="camel",
    show_default=True,
    type=click.Choice(["camel", "pascal", "snake"]),
    help="How keys are spelled.",
)
@click.option("--envelope", metavar="KEY", help="Key of the rows in an object around.")
@click.option(
    "--id-style",
    default="int",
    show_default=True,
    type=click.Choice(["int", "guid", "text"]),
    help="Ids of data sources.",
)
@click.option(
    "--document-version",
    default="3.0",
    show_default=True,
    type=click.Choice(["2.0", "3.0", "3.1"]),
    help="Version of the swagger document.",
)
@click.option(
    "--latency",
    default=0.0,
    metavar="SECONDS",
    type=click.FloatRange(0),
    help="Seconds that every answer takes longer.",
)
@click.option(
    "--capacity",
    metavar="CALLS",
    type=click.IntRange(1),
    help="Calls that are worked on at once, each for the seconds of --latency; the "
    "others wait, as on a server that is overloaded.",
)
@click.option(
    "--clock-skew",
    default=0.0,
    metavar="SECONDS",
    type=float,
    help="Seconds that the server's clock is ahead; a negative number is behind.",
)
@limit_options
@click.option(
    "--deny",
    "denied",
    multiple=True,
    metavar="PROVIDER[:ENDPOINT]",
    help="Grant to leave out, of all providers with *; ENDPOINT is data_sources, "
    "data_source, rows or another operation such as get_patients, and all of them if "
    "it is left out. Repeatable.",
)
def command(environment: str, denied: Sequence[str], **settings: Any) -> None:
    """Run a local Healthy Roster with synthetic data until Ctrl-C.

    What to export, so that other commands find it, is written to stdout. The
    credentials open nothing but this emulator.
    """
    from healthyroster_async.emulator import Emulator  # noqa: PLC0415 - slow

    environments = (
        tuple(Environment) if environment == _BOTH else (Environment(environment),)
    )
    limit = take_limit(settings)
    emulator = Emulator(environments=environments, rate_limit=limit, **settings)
    for grant in denied:
        provider, _, endpoint = grant.partition(":")
        if provider != "*" and emulator.provider(provider) is None:
            raise click.BadParameter(
                f"{grant!r} names no Healthcare Provider there is; give an id that the "
                "emulator has, or *",
                param_hint="--deny",
            )
        emulator.deny(provider, endpoint or "*")

    async def serve() -> None:
        async with emulator:
            _announce(emulator)
            await asyncio.Event().wait()

    _run.run(serve)


def _announce(emulator: Emulator) -> None:
    variables = {"HEALTHYROSTER_SWAGGER": emulator.swagger_url}
    for environment, credentials in emulator.credentials.items():
        prefix = f"HEALTHYROSTER_{environment.name}_APPLICATION"
        variables[f"{prefix}_ID"] = credentials.application_id
        variables[f"{prefix}_SECRET"] = credentials.application_secret.reveal()
        if emulator.document_version == "2.0":
            # That version has no words for which environment a host is.
            name = f"HEALTHYROSTER_{environment.name}_BASE_URL"
            variables[name] = emulator.base_urls[environment]
    # Of several environments none is assumed, so one has to be named.
    variables["HEALTHYROSTER_ENVIRONMENT"] = emulator.environments[0].value
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.flush()
    _console.message(
        f"A local Healthy Roster with synthetic data listens on {emulator.url}\n"
        f"  look at it   {emulator.url}/swagger, "
        f"{len(emulator.endpoints)} endpoints\n"
        "  call it      paste the export lines into another terminal, then:\n"
        "               healthyroster sources 1\n"
        "  stop it      Ctrl-C"
    )
