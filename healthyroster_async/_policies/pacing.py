"""Waiting for a turn: the shell around the governor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from attrs import define, field

from healthyroster_async._core.delays import Fault, fault_of
from healthyroster_async._core.errors import (
    DeadlineExceededError,
    PoolClosedError,
    ResponseError,
)
from healthyroster_async._core.governor import Governor, Ticket
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.settings import PacingSettings

_logger = logging.getLogger(__name__)


@define(eq=False, kw_only=True)
class _Waiter(Ticket):
    turn: asyncio.Future[None] = field()


class _Gate:
    """Lets callers in when the governor says so."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._idle: asyncio.Future[None] | None = None

    def enter_at_once(self, now: float) -> bool:
        """Take a permit if there is one for the asking; return whether there was."""
        return not self._closed and self.governor.enter(now)

    async def enter(self, request: Request) -> None:
        """Wait for a permit; whoever gets one gives it back with ``leave``."""
        if self._closed:
            raise PoolClosedError(f"{request.label}: the pool is closed")
        governor = self.governor
        if governor.enter(self._loop.time()):
            return
        deadline = request.deadline
        if deadline is not None and governor.paused_until >= deadline:
            wait = governor.paused_until - self._loop.time()
            raise DeadlineExceededError(request.label, wait)
        waiter = _Waiter(priority=request.priority, turn=self._loop.create_future())
        governor.queue(waiter)
        self._pump()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            # Granted and cancelled in the same tick: the permit goes to the next one.
            if waiter.granted:
                self.leave()
            waiter.dropped = True
            raise
        if not waiter.granted:
            raise PoolClosedError(f"{request.label}: the pool was closed")

    def leave(self) -> None:
        """Give a permit back."""
        self.governor.leave()
        if self._idle is not None and not self.governor.in_flight:
            self._idle.set_result(None)
            self._idle = None
        if self.governor.has_queue:
            self._pump()

    async def drained(self) -> None:
        """Wait until every permit is back."""
        while self.governor.in_flight:
            if self._idle is None:
                self._idle = self._loop.create_future()
            # Several may wait, and one of them may be cancelled.
            await asyncio.shield(self._idle)

    def close(self) -> None:
        """Let nobody in any more; who waits gets ``PoolClosedError``."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for ticket in self.governor.drop_all():
            turn = _turn_of(ticket)
            if not turn.done():
                turn.set_result(None)

    def _pump(self) -> None:
        now = self._loop.time()
        while (ticket := self.governor.next(now)) is not None:
            turn = _turn_of(ticket)
            if turn.done():  # cancelled, and its task has not run yet
                ticket.granted = False
                self.governor.leave()
            else:
                turn.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake_at = self.governor.wake_at()
        if wake_at is not None and wake_at > now and not self._closed:
            self._timer = self._loop.call_at(wake_at, self._pump)


class PacingPolicy:
    """Lets an attempt go when it is its turn; the caller's own task sends it.

    An attempt holds a permit until its answer is there. A row stream holds one of the
    stream permits until it is closed, so that a consumer of rows can make other calls
    in the meantime.

    Attributes:
        attempts: The rules for attempts; shared by every session of an environment.
        streams: The rules for open row streams.
        throttled: How many answers asked for fewer calls.
    """

    def __init__(self, settings: PacingSettings) -> None:
        self.attempts: Governor = Governor(settings.max_concurrency)
        self.streams: Governor = Governor(settings.max_streams)
        self.throttled: int = 0
        self._gate = _Gate(self.attempts)
        self._stream_gate = _Gate(self.streams)
        self._loop = asyncio.get_running_loop()

    def __call__(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Awaitable[Response]:
        """Send *request* when it is its turn."""
        return (self._stream if request.stream else self._attempt)(request, send)

    async def _stream(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        await self._stream_gate.enter(request)
        handed_over = False
        try:
            response = await self._attempt(request, send)
            if response.stream is not None:
                response.stream.on_close(self._stream_gate.leave)
                handed_over = True
        finally:
            if not handed_over:
                self._stream_gate.leave()
        return response

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        await self._gate.drained()
        await self._stream_gate.drained()

    def close(self) -> None:
        """Let nothing start any more; who waits gets ``PoolClosedError``."""
        self._gate.close()
        self._stream_gate.close()

    async def _attempt(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        gate = self._gate
        sent = self._loop.time()
        if not gate.enter_at_once(sent):
            await gate.enter(request)
            sent = self._loop.time()
        try:
            response = await send(request)
        except ResponseError as error:
            if fault_of(error) is Fault.THROTTLED:
                self._heed(error, sent)
            raise
        finally:
            gate.leave()
        self.attempts.accepted()
        return response

    def _heed(self, error: ResponseError, sent: float) -> None:
        self.throttled += 1
        governor = self.attempts
        pauses = governor.pauses
        now = self._loop.time()
        governor.throttled(sent=sent, now=now, asked=error.retry_after)
        if governor.pauses > pauses:
            _logger.info(
                "the API asked for fewer calls, all calls of the environment wait",
                extra={
                    "environment": error.request.environment.value,
                    "label": error.label,
                    "pause_s": round(governor.paused_until - now, 3),
                },
            )


def _turn_of(ticket: Ticket) -> asyncio.Future[None]:
    assert isinstance(ticket, _Waiter)  # noqa: S101 - only this module queues
    return ticket.turn
