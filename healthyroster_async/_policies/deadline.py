"""One deadline over a whole call, and the means to end waiting calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from healthyroster_async._core.errors import (
    DeadlineExceededError,
    PoolClosedError,
    of_call,
)
from healthyroster_async._core.messages import Request, Response

_T = TypeVar("_T")
IN_VAIN = "_waited_in_vain"


class DeadlinePolicy:
    """Ends a call when its deadline passes, or when the pool is cut off."""

    def __init__(self) -> None:
        self._scopes: set[asyncio.Timeout] = set()
        self._cut = False

    # These two hand the inner coroutine on as it is: a level less for each call.

    def __call__(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Awaitable[Response]:
        """Send *request* within its deadline."""
        return self.run(request, send, request)

    def run(
        self, request: Request, call: Callable[..., Awaitable[_T]], *args: Any
    ) -> Awaitable[_T]:
        """Await *call* within the deadline of *request*.

        Raises:
            DeadlineExceededError: The deadline passed.
            PoolClosedError: The pool was closed and would wait no longer.
        """
        if request.deadline is None:
            return call(*args)
        return self.scoped(request, call, *args)

    async def scoped(
        self, request: Request, call: Callable[..., Awaitable[_T]], *args: Any
    ) -> _T:
        """Do as ``run`` does, and be ended by ``cut`` even without a deadline."""
        self._check(request)
        scope = asyncio.timeout_at(request.deadline)
        try:
            async with scope:
                self._scopes.add(scope)
                return await call(*args)
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._scopes.discard(scope)
        # Raised out here, so that no frame that holds a secret hangs on the error.
        self._check(request)
        wait = vars(request).get(IN_VAIN)
        raise of_call(DeadlineExceededError(request.label, wait), request)

    def _check(self, request: Request) -> None:
        if self._cut:
            raise PoolClosedError(f"{request.label}: the pool was closed")

    def cut(self) -> None:
        """End every call that has a deadline or waits to be repeated."""
        self._cut = True
        now = asyncio.get_running_loop().time()
        for scope in tuple(self._scopes):
            if not scope.expired():
                scope.reschedule(now)
