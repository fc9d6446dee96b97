"""Starlette: a pool for the app, a session for the request (extra ``starlette``).

::

    roster = HealthyRoster()
    app = Starlette(routes=[...], lifespan=roster.lifespan)
    roster.install(app)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from healthyroster_async._core.extras import extra
from healthyroster_async._session import ProviderSession
from healthyroster_async.integrations._disconnect import CancelOnDisconnect
from healthyroster_async.integrations._keeper import PoolKeeper, provider_in
from healthyroster_async.integrations._problems import HANDLED, MEDIA_TYPE, answer_to

extra("starlette", "starlette")

from starlette.applications import Starlette  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse, Response  # noqa: E402

__all__ = ["CancelOnDisconnect", "HealthyRoster"]


class Keeper(PoolKeeper):
    """What Starlette and FastAPI have in common."""

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Open the pool when the app starts and close it when the app ends.

        An app with a lifespan of its own enters it there::

            async with roster.lifespan(app):
                yield
        """
        del app
        async with self.opened():
            yield

    def install(self, app: Starlette) -> None:
        """Answer our errors with what they mean, and end calls of clients that left."""
        for kind in HANDLED:
            app.exception_handlers.setdefault(kind, self._answer)
        app.add_middleware(CancelOnDisconnect)

    async def health_check(self, request: Request) -> Response:
        """Answer which environments answer; to be used as a route's endpoint."""
        del request
        return JSONResponse(self.health())

    async def _answer(self, request: Request, error: Exception) -> Response:
        del request
        problem = answer_to(error)
        return Response(
            problem.body, problem.status, problem.headers, media_type=MEDIA_TYPE
        )


class HealthyRoster(Keeper):
    """The pool of a Starlette app."""

    def session(
        self, request: Request, provider_id: int | str | None = None
    ) -> ProviderSession:
        """Return the session of the request's provider.

        Args:
            request: The request.
            provider_id: The provider; by default ``provider_id`` of the path.
        """
        if provider_id is None:
            provider_id = provider_in(request.path_params)
        return self.session_of(provider_id)
