"""Starting and closing a pool: one after the other, and no longer than closing may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from healthyroster_async._core.errors import PoolClosedError


class Turns:
    """Whose turn it is to start or close a pool, in one event loop after another."""

    def __init__(self) -> None:
        # A lock belongs to the loop it was used in.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._locks = WeakKeyDictionary()
        self._waits: dict[asyncio.Timeout, asyncio.AbstractEventLoop] = {}

    def next(self, loop: asyncio.AbstractEventLoop) -> asyncio.Lock:
        """Return what is entered when it is one's turn."""
        return self._locks.setdefault(loop, asyncio.Lock())

    @asynccontextmanager
    async def until_closed(
        self, loop: asyncio.AbstractEventLoop, until: float | None = None
    ) -> AsyncGenerator[None]:
        """End the block at *until*, or when whoever closes the pool waits no longer.

        Raises:
            PoolClosedError: It was ended.
        """
        scope = asyncio.timeout_at(until)
        try:
            async with scope:
                self._waits[scope] = loop
                yield
        except TimeoutError:
            if not scope.expired():
                raise
        else:
            return
        finally:
            self._waits.pop(scope, None)
        raise PoolClosedError("the pool was closed")

    def shorten(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        """End at a time what would last longer."""
        for scope, its_loop in self._waits.items():
            when = scope.when()
            # One that has expired was earlier than any.
            if its_loop is loop and (when is None or until < when):
                scope.reschedule(until)
