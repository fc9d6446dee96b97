"""What commands that call the API have in common."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from attrs import frozen
from typing_extensions import override

from healthyroster_async._core.errors import ConfigurationError, NotFoundError
from healthyroster_async._core.home import at_home
from healthyroster_async._core.settings import Environment
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._session import ProviderSession
from healthyroster_async.cli import _run

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_FIRST_TIME = (
    'To try it without the vendor, run "healthyroster emulate" in another terminal and '
    "paste the export lines that it prints."
)


class HomePath(click.Path):
    """A path in which ``~`` is the user's home: of ``--x=~/y`` no shell makes that."""

    @override
    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        return super().convert(at_home(value), param, ctx)


# Not a folder, and not one that has to be there.
FILE = HomePath(dir_okay=False, path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
swagger = click.option(
    "--swagger",
    metavar="PATH_OR_URL",
    help="The vendor's swagger document.  [HEALTHYROSTER_SWAGGER]",
)


@frozen(kw_only=True)
class Access:
    """How to reach a Healthcare Provider.

    Attributes:
        provider: Its id.
        environment: Whose credentials to use; ``None`` leaves it to the settings.
        profile: Name of the profile; ``None`` leaves it to the environment.
        swagger: Path or URL of the swagger document; the same.
    """

    provider: str
    environment: str | None
    profile: str | None
    swagger: str | None

    def call(self, call: Callable[[ProviderSession], Awaitable[T]]) -> T:
        """Make calls with a session on the provider.

        Raises:
            HealthyRosterError: Something is missing, or the call came to nothing.
        """
        pool = self.pool()

        async def told(session: ProviderSession) -> T:
            try:
                return await call(session)
            except NotFoundError as error:
                raise click.ClickException(
                    "the API knows no Healthcare Provider with the id "
                    f"{self.provider!r} (404); if there is one, check the base URL"
                ) from error

        return self.run(pool, told)

    def pool(self) -> ConnectionPool:
        """Return the pool that the settings say, not started.

        Raises:
            HealthyRosterError: Something is missing.
        """
        return pool_of(self.environment, self.profile, self.swagger)

    def run(
        self, pool: ConnectionPool, call: Callable[[ProviderSession], Awaitable[T]]
    ) -> T:
        """Make calls with a session on the provider, and close the pool.

        Raises:
            HealthyRosterError: The session makes no sense, or the call came to nothing.
        """
        session = pool.session(self.provider)

        async def main() -> T:
            async with pool:
                return await call(session)

        return _run.run(main)


def pool_of(
    environment: str | None, profile: str | None, swagger: str | None
) -> ConnectionPool:
    """Return a pool, not started, with an environment to use by default.

    Raises:
        ConfigurationError: Something is missing, or no environment is named.
    """
    wanted = Environment(environment) if environment else None
    # It may fetch the document, which blocks: so not in the loop.
    try:
        pool = ConnectionPool.from_environment(
            profile=profile, swagger=swagger, environment=wanted
        )
    except ConfigurationError as error:
        if not any(name.startswith("HEALTHYROSTER_") for name in os.environ):
            error.add_note(_FIRST_TIME)
        raise
    try:
        pool.access  # noqa: B018 - it is that of the default environment
    except ConfigurationError:
        raise ConfigurationError(
            "there are credentials of several environments and none is assumed; give "
            "--environment sandbox or --environment production, or set "
            "HEALTHYROSTER_ENVIRONMENT"
        ) from None
    return pool


def access(command: F) -> F:
    """Add the options that say how to reach the API."""
    for decorate in (
        swagger,
        click.option(
            "--profile",
            metavar="NAME",
            help="Profile to take settings from.  [HEALTHYROSTER_PROFILE]",
        ),
        click.option(
            "--environment",
            type=click.Choice([e.value for e in Environment]),
            help="Whose credentials to use.  [HEALTHYROSTER_ENVIRONMENT]",
        ),
    ):
        command = decorate(command)
    return command
