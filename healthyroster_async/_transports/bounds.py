"""Bounds of time around attempts: one timer serves them all.

Of a timer for each, nearly all would be cancelled; and ``asyncio.timeout``, which has
one and two coroutines besides, costs an attempt more than all our policies together.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self


class Bounds:
    """The bounds of all attempts under way.

    They belong to the event loop that runs when this is made.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: set[Bound] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def __len__(self) -> int:
        return len(self._open)

    def of(self, seconds: float) -> Bound:
        """Return a scope that is ended with ``TimeoutError`` in so many seconds."""
        return Bound(self, self._loop.time() + seconds)

    def cut(self) -> None:
        """End all of them now."""
        for bound in self._open:
            bound.at = -math.inf
        self._sweep()

    def enter(self, bound: Bound) -> None:
        """Watch over *bound*."""
        self._open.add(bound)
        if bound.at < self._timer_at:
            self._set_timer(bound.at)

    def leave(self, bound: Bound) -> None:
        """Watch over *bound* no more."""
        self._open.discard(bound)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        # A turn later: whoever kept the loop busy for so long has not let anybody see
        # what came meanwhile, and was read just before the timers.
        self._timer = self._loop.call_at(at, self._loop.call_soon, self._sweep)

    def _sweep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf
        now = self._loop.time()
        for bound in self._open:
            if bound.at <= now:
                bound.expire()
        waiting = [bound.at for bound in self._open if not bound.expired]
        if waiting:
            self._set_timer(min(waiting))


class Bound:
    """One attempt's bound: a scope, entered once, by the task that makes the attempt.

    It is ended as ``asyncio.timeout`` ends its own: the task is cancelled, and what
    that raises becomes ``TimeoutError`` unless somebody else has cancelled it too.

    Attributes:
        at: When it ends, in seconds of the event loop's clock.
        expired: Whether it was ended.
    """

    __slots__ = ("_bounds", "_cancelling", "_task", "at", "expired")
    _task: asyncio.Task[object]

    def __init__(self, bounds: Bounds, at: float) -> None:
        self._bounds = bounds
        self.at = at
        self.expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a bound is entered by a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._bounds.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bounds.leave(self)
        if self.expired:
            # Ours is taken back in any case; others' still count.
            alone = self._task.uncancel() <= self._cancelling
            if alone and isinstance(error, asyncio.CancelledError):
                raise TimeoutError from error

    def expire(self) -> None:
        """End it, once."""
        if not self.expired:
            self.expired = True
            self._task.cancel()
