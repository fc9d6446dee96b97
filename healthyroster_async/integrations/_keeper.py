"""The pool of one process of a web app."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from importlib import import_module
from typing import Any, TypeAlias, cast

from healthyroster_async._core.errors import (
    ConfigurationError,
    MissingExtraError,
    PoolClosedError,
)
from healthyroster_async._core.settings import Environment, check_deadline, check_type
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._rows.casts import arrow
from healthyroster_async._session import ProviderSession
from healthyroster_async._stats import EnvironmentStats
from healthyroster_async.integrations._problems import ProviderIdError

MakePool: TypeAlias = Callable[[], ConnectionPool | Awaitable[ConnectionPool]]


class PoolKeeper:
    """Makes the pool when the app starts, closes it when the app ends.

    It is made at import, and the pool only in the process and on the event loop that
    use it: a server that loads the app before it forks its workers does no harm.
    """

    def __init__(
        self,
        make: MakePool = ConnectionPool.from_environment,
        *,
        deadline: float | None = 10.0,
    ) -> None:
        """Keep how to make the pool; nothing is made yet.

        Args:
            make: Makes the pool: a function, called in a thread, or an async one.
            deadline: Seconds that a call of a request's session may take in all, before
                the client is told when to come again; ``None`` for no bound.

        Raises:
            ConfigurationError: An argument is wrong.
        """
        if not callable(make):
            raise ConfigurationError(
                f"make is a {type(make).__name__}; give a function that makes the "
                "pool, so that each process of the server makes its own"
            )
        self._make = make
        self._deadline = check_deadline(deadline)
        self._pool: ConnectionPool | None = None
        self._ended = False

    @property
    def pool(self) -> ConnectionPool:
        """The pool of this process.

        Raises:
            ConfigurationError: The app was never started.
            PoolClosedError: The app has ended.
        """
        if self._pool is not None:
            return self._pool
        if self._ended:
            raise PoolClosedError("the app has no pool any more: it has ended")
        raise ConfigurationError(
            "the app has no pool: its lifespan was not run. Give the app the lifespan "
            "of this object (aiohttp: setup), and start a mounted app's in its parent's"
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ConnectionPool]:
        """Have a pool, for as long as the app runs, or the app that it is part of."""
        if self._pool is not None:
            yield self._pool
            return
        # It stands still while its first pull imports what that needs: better now.
        if "healthyroster_async.pull" in sys.modules:
            await asyncio.to_thread(_ready_to_pull)
        async with await self._made() as pool:
            self._pool = pool
            try:
                yield pool
            finally:
                self._pool, self._ended = None, True

    async def _made(self) -> ConnectionPool:
        if inspect.iscoroutinefunction(self._make):
            made = await self._make()
        else:
            # Settings are read from files, and perhaps fetched.
            made = await asyncio.to_thread(self._make)
            made = await made if inspect.isawaitable(made) else made
        give = "a function that returns a ConnectionPool"
        check_type("what make returned", made, ConnectionPool, give)
        return cast("ConnectionPool", made)

    def session_of(
        self, provider_id: int | str, environment: Environment | None = None
    ) -> ProviderSession:
        """Return the session for a request: interactive, with the app's deadline.

        Raises:
            ProviderIdError: It is no id of a provider.
            ConfigurationError: The app was never started.
            PoolClosedError: The app has ended.
        """
        pool = self.pool
        try:
            session = pool.session(provider_id, environment=environment)
        except ConfigurationError:
            pool.session(1, environment=environment)  # says so if it is that
            failure = ProviderIdError("the request names no provider")
        else:
            return session.with_options(deadline=self._deadline)
        raise failure

    def health(self) -> dict[str, Any]:
        """Return which environments answer, for a health check.

        ``answers`` is ``null`` before the first call, and ``false`` while the API is
        taken for down, refuses the credentials, or has only failed so far. Nothing is
        called for it.
        """
        return {
            "environments": {
                environment.value: {"answers": _answers(one)}
                for environment, one in self.pool.stats().items()
            }
        }


def provider_in(path: Mapping[str, Any]) -> str:
    """Return the provider id among the parameters of a request's path.

    Raises:
        ConfigurationError: The route has none; its client can do nothing about it.
    """
    if "provider_id" not in path:
        raise ConfigurationError(
            "the path of this route has no parameter provider_id; give it one, as in "
            "/clinics/{provider_id}/sources, or say otherwise which provider it is"
        )
    return str(path["provider_id"])


def _answers(stats: EnvironmentStats) -> bool | None:
    if stats.down or stats.refused:
        return False
    if any(map(_is_understood, stats.answers)):
        return True
    return False if stats.answers or stats.failures else None


def _is_understood(status: int) -> bool:
    return (
        status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.UNAUTHORIZED
    )


def _ready_to_pull() -> None:
    import_module("healthyroster_async.pull._job")
    with suppress(MissingExtraError):
        arrow()
