"""An event loop in a thread, for those who do not await."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from healthyroster_async._core.errors import PoolClosedError, UsageError

_T = TypeVar("_T")
# A wait without end is deaf to Ctrl-C on some systems.
_LOOK_S = 0.5


class LoopThread:
    """Runs coroutines on a loop of its own, and waits for what they return."""

    def __init__(
        self, opening: Callable[[], Awaitable[Any]], closing: Callable[[], Any]
    ) -> None:
        """Start nothing; the thread begins with the first call.

        Args:
            opening: Awaited before the first call.
            closing: Called when the interpreter ends.
        """
        self._opening = opening
        self._closing = closing
        self._opened = self._stopped = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def run(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Call on the loop, and wait for what comes of it.

        Ctrl-C, and the stop button of a notebook, cancel the call.

        Raises:
            UsageError: It is called on the loop itself, or after a fork; or it was
                stopped (``PoolClosedError``).
        """
        if os.getpid() != self._process:
            raise UsageError(
                "this pool was made in another process, and its thread is not in a "
                "fork of it: make a pool after the fork"
            )
        if threading.current_thread() is self._thread:
            raise UsageError(
                "this runs on the event loop of the pool, which would wait for itself: "
                "here the async session is at hand, so return its call or await it"
            )
        loop = self._started()

        ended = threading.Event()
        tasks: list[asyncio.Task[_T]] = []

        async def calling() -> _T:
            if not self._opened:
                await self._opening()
                self._opened = True
            return await call()

        def begin() -> None:
            tasks.append(loop.create_task(calling()))
            tasks[0].add_done_callback(lambda _: ended.set())

        def cancel() -> None:
            tasks[0].cancel()  # it has begun: the loop keeps the order

        loop.call_soon_threadsafe(begin)
        try:
            while not ended.wait(_LOOK_S):
                pass
        except BaseException:
            loop.call_soon_threadsafe(cancel)
            # What the call holds is given back before anybody goes on.
            ended.wait()
            if not tasks[0].cancelled():
                tasks[0].exception()  # nobody wants to know, but it is seen
            raise
        return tasks[0].result()

    def start(self) -> None:
        """Start, also after it was stopped; the first call does it too."""
        with self._lock:
            self._stopped = False
        self.run(_nothing)

    def stop(self) -> None:
        """End the loop and its thread."""
        with self._lock:
            thread, loop = self._thread, self._loop
            self._thread = self._loop = None
            self._opened, self._stopped = False, True
        if thread is not None and loop is not None and os.getpid() == self._process:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._stopped:
                raise PoolClosedError("the pool is closed; pool.start() opens it again")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="healthyroster", daemon=True
                )
                self._thread.start()
                # Before the threads of executors are gone, which closing needs.
                early = getattr(threading, "_register_atexit", atexit.register)
                early(self._closing)
            return self._loop


async def _nothing() -> None:
    """Do what comes before the first call, and no call."""


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
