"""An event loop in a thread, for those who do not await."""

from __future__ import annotations

import asyncio
import atexit
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, Generic, TypeVar

from healthyroster_async._core.errors import PoolClosedError, UsageError

_T = TypeVar("_T")
# A wait without end is deaf to Ctrl-C on some systems.
_LOOK_S = 0.5
# What is cancelled has so long to end.
_END_S = 1.0
_CLOSED = "the pool is closed"
_NAME = "healthyroster"


class LoopThread:
    """Runs coroutines on a loop of its own, and waits for what they return.

    Attributes:
        kept: What is iterated, whose tasks must not be collected before it is closed.
    """

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
        self._stopped = False
        # What is collected while it is held may want it too.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self.kept: set[object] = set()

    @property
    def running(self) -> bool:
        """Whether there is a thread; a fork of the process has none."""
        return self._thread is not None and os.getpid() == self._process

    @property
    def here(self) -> bool:
        """Whether this runs on the loop, which must not wait for itself."""
        return threading.current_thread() is self._thread

    def check_not_here(self) -> None:
        """Raise ``UsageError`` if this runs on the loop."""
        if self.here:
            raise UsageError(
                "this runs on the event loop of the pool, which would wait for itself: "
                "here the async session is at hand, so return its call or await it"
            )

    def run(
        self,
        call: Callable[[], Awaitable[_T]],
        *,
        opening: bool = True,
        timeout: float = math.inf,
    ) -> _T:
        """Call on the loop, and wait for what comes of it.

        Ctrl-C, and the stop button of a notebook, cancel the call.

        Args:
            call: What to call.
            opening: Whether to open before it, if that has not been done.
            timeout: Seconds after which it counts as stopped.

        Raises:
            UsageError: It is called on the loop itself, or after a fork; or it was
                stopped (``PoolClosedError``).
        """
        if self._thread is not None and os.getpid() != self._process:
            raise UsageError(
                "this pool was opened in another process, and its thread is not in a "
                "fork of it: make a pool after the fork"
            )
        self.check_not_here()
        loop, thread = self._started()

        async def opened() -> _T:
            if opening and self._loop is not loop:  # another thread stops it just now
                raise PoolClosedError(_CLOSED)
            if opening and self._opened is not loop:
                await self._opening()
                self._opened = loop
            return await call()

        under_way = _Call(opened, loop, thread)
        try:
            under_way.begin()
            task = under_way.wait(timeout)
        except PoolClosedError:
            raise
        except BaseException:
            # What the call holds is given back before anybody goes on.
            under_way.cancel()
            raise
        if task.cancelled() and self._thread is not thread:
            raise PoolClosedError(_CLOSED)
        task.result()
        return under_way.returned

    def start(self) -> None:
        """Start, also after it was stopped; the first call does it too."""
        with self._lock:
            self._stopped = False
        self.run(_nothing)

    def stop(self, *, timeout: float = 0.0) -> None:
        """End the loop and its thread.

        Args:
            timeout: Seconds, at least one, after which a function that swallows its
                cancellation is left to itself.
        """
        with self._lock:
            thread, loop = self._thread, self._loop
            self._thread = self._loop = None
            _open.discard(self)
            self._stopped = True
        if thread is not None and loop is not None and os.getpid() == self._process:
            with suppress(RuntimeError):  # a call that exits just then has ended it
                loop.call_soon_threadsafe(loop.stop)
            thread.join(max(_END_S, timeout))

    def close_at_exit(self) -> None:
        """Close what is open."""
        # A fork may have got the lock as somebody else held it.
        if self.running:
            self._closing()

    def _started(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        with self._lock:
            if self._stopped:
                raise PoolClosedError(f"{_CLOSED}; pool.start() opens it again")
            if self._loop is None or self._thread is None:
                self._process = os.getpid()
                self._loop = asyncio.new_event_loop()
                workers = ThreadPoolExecutor(thread_name_prefix=f"{_NAME}-io")
                self._loop.set_default_executor(workers)
                self._thread = threading.Thread(
                    target=self._serve, args=(self._loop,), name=_NAME, daemon=True
                )
                self._thread.start()
                _open.add(self)
            return self._loop, self._thread

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        runner = asyncio.Runner(loop_factory=lambda: loop)
        runner.get_loop()  # it closes no other
        try:
            while self._loop is loop:
                # What a call exits with ends the loop too, but is for who waits for it.
                with suppress(KeyboardInterrupt, SystemExit):
                    loop.run_forever()
        finally:
            # It takes a thread to wait for others, and from Python 3.12 on none begins
            # when the interpreter ends; the loop is closed all the same.
            with suppress(RuntimeError):
                runner.close()


# Each is closed in the end, also one that nobody else keeps.
_open: set[LoopThread] = set()


def _close_all() -> None:
    # The interpreter waits for other threads, which may call until they end: with the
    # process.
    if not any(map(_goes_on, threading.enumerate())):
        with ExitStack() as all_of_them:
            for one in tuple(_open):
                all_of_them.callback(one.close_at_exit)


# Before the threads of executors are gone, which closing needs.
getattr(threading, "_register_atexit", atexit.register)(_close_all)


def _goes_on(thread: threading.Thread) -> bool:
    ours = thread.name.startswith(_NAME)
    return not (thread.daemon or ours or thread is threading.main_thread())


async def _nothing() -> None:
    """Do what comes before the first call, and no call."""


class _Call(Generic[_T]):
    """A call that one thread waits for, and another one makes.

    Attributes:
        returned: What came of it. The task has none: its ``repr`` would show that, and
            asyncio logs it of one that takes long in debug mode.
    """

    returned: _T

    def __init__(
        self,
        call: Callable[[], Coroutine[Any, Any, _T]],
        loop: asyncio.AbstractEventLoop,
        thread: threading.Thread,
    ) -> None:
        self._call = call
        self._loop = loop
        self._thread = thread
        self._ended = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        # In the caller's context: spans find their parent, a notebook its cell.
        self._tell(self._begin)

    def wait(self, timeout: float = math.inf) -> asyncio.Task[None]:
        until = time.monotonic() + timeout
        while not self._ended.wait(_LOOK_S):
            if not self._thread.is_alive() or time.monotonic() > until:
                break
        if self._task is None or not self._task.done():
            raise PoolClosedError(_CLOSED)
        return self._task

    def cancel(self) -> None:
        self._tell(self._cancel)
        with suppress(PoolClosedError):
            task = self.wait()
            if not task.cancelled():
                task.exception()  # nobody wants to know, but it is seen

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._make())
        self._task.add_done_callback(lambda _: self._ended.set())

    async def _make(self) -> None:
        self.returned = await self._call()

    def _cancel(self) -> None:
        if self._task is None:  # the loop keeps the order, so it never begins
            self._ended.set()
        else:
            # A task that is cancelled before its first step takes none: one that closes
            # something would leave it open.
            self._loop.call_soon(self._task.cancel)

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # the loop is closed
            raise PoolClosedError(_CLOSED) from None
