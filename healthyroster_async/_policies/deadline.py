"""One deadline over a whole call, and the means to end every call at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from healthyroster_async._core.errors import DeadlineExceededError, PoolClosedError
from healthyroster_async._core.messages import Request, Response

_T = TypeVar("_T")


class DeadlinePolicy:
    """Ends a call when its deadline passes, or when the pool is cut off."""

    def __init__(self) -> None:
        self._scopes: set[asyncio.Timeout] = set()
        self._cut = False

    async def __call__(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Send *request* within its deadline."""
        return await self.run(request, lambda: send(request))

    async def run(self, request: Request, call: Callable[[], Awaitable[_T]]) -> _T:
        """Await *call* within the deadline of *request*.

        Raises:
            DeadlineExceededError: The deadline passed.
            PoolClosedError: The pool was closed and would wait no longer.
        """
        scope = asyncio.timeout_at(request.deadline)
        try:
            async with scope:
                self._scopes.add(scope)
                return await call()
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._scopes.discard(scope)
        # Raised out here, so that no frame that holds a secret hangs on the error.
        if self._cut:
            raise PoolClosedError(f"{request.label}: the pool was closed")
        raise DeadlineExceededError(request.label)

    def cut(self) -> None:
        """End every call that is under way."""
        self._cut = True
        now = asyncio.get_running_loop().time()
        for scope in tuple(self._scopes):
            if not scope.expired():
                scope.reschedule(now)

    async def ended(self, seconds: float) -> None:
        """Wait until every call has noticed, *seconds* at most."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        # Bounded, short, and only at the end: an event would cost every call.
        while self._scopes and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0)
