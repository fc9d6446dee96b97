"""aiohttp's web server: a pool for the app, a session for the request.

::

    roster = HealthyRoster()
    app = web.Application()
    roster.setup(app)
    web.run_app(app, handler_cancellation=True)
"""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from healthyroster_async._pool import ConnectionPool
from healthyroster_async._session import ProviderSession
from healthyroster_async.integrations._keeper import PoolKeeper, provider_in
from healthyroster_async.integrations._problems import HANDLED, MEDIA_TYPE, answer_to

__all__ = ["POOL", "HealthyRoster"]

POOL: web.AppKey[ConnectionPool] = web.AppKey("healthyroster_pool", ConnectionPool)
"""Where an app keeps its pool: ``app[POOL]``."""
_BEGUN = web.RequestKey("healthyroster_begun", web.StreamResponse)
# Closing resets the connection, and sends nothing more.
_NO_LINGER = struct.pack("ii", 1, 0)


class HealthyRoster(PoolKeeper):
    """The pool of an ``aiohttp.web`` app.

    Handlers of clients that have gone are cancelled by aiohttp itself, if it is asked
    to: ``web.run_app(app, handler_cancellation=True)``.
    """

    def setup(self, app: web.Application) -> None:
        """Open and close the pool with the app, and answer our errors."""
        app.cleanup_ctx.append(self.cleanup_ctx)
        app.middlewares.append(answer_errors)
        app.on_response_prepare.append(_begin)

    @asynccontextmanager
    async def cleanup_ctx(self, app: web.Application) -> AsyncIterator[None]:
        """Open the pool when the app starts and close it when the app ends."""
        async with self.opened() as pool:
            app[POOL] = pool
            yield

    def session(
        self, request: web.Request, provider_id: int | str | None = None
    ) -> ProviderSession:
        """Return the session of the request's provider.

        Args:
            request: The request.
            provider_id: The provider; by default ``provider_id`` of the path.
        """
        if provider_id is None:
            provider_id = provider_in(request.match_info)
        return self.session_of(provider_id)

    async def health_check(self, request: web.Request) -> web.Response:
        """Answer which environments answer; to be used as a route's handler."""
        del request
        return web.json_response(self.health())


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer our errors with what they mean."""
    try:
        return await handler(request)
    except HANDLED as error:
        begun: web.StreamResponse | None = request.get(_BEGUN)
        problem = answer_to(error, begun=begun is not None)
    if begun is not None:
        _break_off(request)
        return begun
    return web.Response(
        body=problem.body,
        status=problem.status,
        headers=problem.headers,
        content_type=MEDIA_TYPE,
    )


async def _begin(request: web.Request, response: web.StreamResponse) -> None:
    request[_BEGUN] = response


def _break_off(request: web.Request) -> None:
    """End a connection so that no reader takes what it got for the whole."""
    if request.transport is not None:
        # Of HTTP/1.0 an end of the connection is the end of the body; a reset is none.
        request.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
        request.transport.abort()
