"""Litestar: a pool for the app, a session for the request (extra ``litestar``).

::

    roster = HealthyRoster()
    app = Litestar([sources], plugins=[roster], dependencies={"clinic": roster.session})
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from typing_extensions import override

from healthyroster_async._core.extras import extra
from healthyroster_async._session import ProviderSession
from healthyroster_async.integrations._disconnect import CancelOnDisconnect
from healthyroster_async.integrations._keeper import PoolKeeper
from healthyroster_async.integrations._problems import HANDLED, MEDIA_TYPE, answer_to

extra("litestar", "litestar")

from litestar import Litestar, Request, Response  # noqa: E402
from litestar.config.app import AppConfig  # noqa: E402
from litestar.params import FromPath  # noqa: E402
from litestar.plugins import InitPlugin  # noqa: E402

__all__ = ["CancelOnDisconnect", "HealthyRoster"]


class HealthyRoster(PoolKeeper, InitPlugin):
    """The pool of a Litestar app: a plugin."""

    @override
    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add lifespan, errors and middleware to the app."""
        app_config.lifespan = [*app_config.lifespan, self._lifespan]
        app_config.exception_handlers = {
            **dict.fromkeys(HANDLED, _answer),
            **app_config.exception_handlers,
        }
        app_config.middleware = [CancelOnDisconnect, *app_config.middleware]
        return app_config

    async def session(self, provider_id: FromPath[str]) -> ProviderSession:
        """Return the session of ``provider_id`` in the path; a dependency."""
        return self.session_of(provider_id)

    @asynccontextmanager
    async def _lifespan(self, app: Litestar) -> AsyncIterator[None]:
        del app
        async with self.opened():
            yield


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    del request
    problem = answer_to(error)
    return Response(
        problem.body,
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )
