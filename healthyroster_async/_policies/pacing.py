"""Waiting for a turn: the governor of a budget, asked before each attempt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from healthyroster_async._core.attempts import told_by
from healthyroster_async._core.errors import (
    CallError,
    DeadlineExceededError,
    PoolClosedError,
    QueueFullError,
    RateLimitedError,
    ResponseError,
    ServiceUnavailableError,
    of_call,
)
from healthyroster_async._core.governor import Governor
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.places import Places
from healthyroster_async._core.ratelimits import SILENT, Announced, announced
from healthyroster_async._core.settings import (
    Budget,
    Environment,
    Priority,
)
from healthyroster_async._core.verdicts import Verdict
from healthyroster_async._policies.budgets import Pacer, Pacers
from healthyroster_async._policies.deadline import IN_VAIN
from healthyroster_async._policies.gate import Gate, Waiter

if TYPE_CHECKING:
    from healthyroster_async._policies.leasing import Leasing

_logger = logging.getLogger("healthyroster_async.pacing")
_PLACE = "_place_in_the_queue"


@frozen(kw_only=True)
class PacingEvent:
    """Something that happened to the pace of an environment.

    Attributes:
        kind: ``paused``, ``resumed``, ``rate``, ``down`` or ``up``: a pause began or is
            over, the rate was cut or recognised anew, the API stopped answering or
            answers again.
        environment: The environment.
        rate: Calls per second from now on.
        source: Where the rate comes from, in words.
        pause_s: Seconds until calls start again; 0 if they do.
    """

    kind: str
    environment: Environment
    rate: float
    source: str
    pause_s: float


class PacingPolicy:
    """Lets an attempt go when it is its turn; the caller's own task sends it.

    An attempt holds a permit until its answer is there. A row stream holds one of the
    stream places until ``places.leave``, so that a consumer of rows can make other
    calls in the meantime. It holds it also while it has no connection: the places might
    all be those of streams that are read after this one, and none come back.

    Attributes:
        pacers: The budgets.
        streams: The places of open row streams.
        throttled: How many answers asked for fewer calls.
        in_flight: Attempts of this pool under way.
    """

    def __init__(
        self,
        pacers: Pacers,
        *,
        tell: Callable[[PacingEvent], None] | None = None,
    ) -> None:
        settings = pacers.settings
        self.pacers: Pacers = pacers
        self.streams: Places = Places(settings.max_streams)
        self.throttled: int = 0
        self.in_flight: int = 0
        self._settings = settings
        self._by_provider = settings.budget is Budget.PROVIDER
        self._loop = asyncio.get_running_loop()
        self._stream_gate = Gate(self.streams, self._loop)
        self._waiting: dict[Waiter, Request] = {}
        pacers.policies.add(self)
        self._idle: asyncio.Future[None] | None = None
        self._closed = False
        self._tell = tell
        # The one of all calls is looked up once.
        self._pacer = None if self._by_provider else pacers.of(None)

    def __call__(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Awaitable[Response]:
        """Send *request* when it is its turn."""
        return (self._stream if request.stream else self._attempt)(request, send)

    @property
    def learned(self) -> Learned | None:
        """What is worth remembering."""
        if self._pacer is not None:
            return self._pacer.governor.learned
        return self.pacers.learned

    @property
    def slowest(self) -> Governor:
        """The budget with the lowest rate: it is what an operator asks for."""
        governors = [pacer.governor for pacer in self.pacers]
        if not governors:  # each provider has its own, and none was called yet
            settings, now = self.pacers.settings, self._loop.time()
            return Governor(settings, now=now, rng=Random(0))  # noqa: S311 - never used
        return min(governors, key=lambda governor: governor.learner.rate)

    def pace(self) -> tuple[float, str]:
        """Return the calls per second that may go now, and where that comes from."""
        slowest = self.slowest
        return slowest.learner.rate, slowest.source

    async def drained(self) -> None:
        """Wait until nothing of this pool is under way."""
        while self.in_flight or self.streams.in_flight:
            if self._idle is None:
                self._idle = self._loop.create_future()
            # Several may wait, and one of them may be cancelled.
            await asyncio.shield(self._idle)

    def close(self) -> None:
        """Let nothing start any more; who waits gets ``PoolClosedError``."""
        self._closed = True
        for waiter in tuple(self._waiting):
            waiter.gate.turn_away(waiter)
        for pacer in self.pacers:
            pacer.gate.pump()

    def leave(self) -> None:
        """Let go of the budgets, once nothing is waited for any more."""
        self.pacers.leave(self)

    async def _stream(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if not self.streams.kept_by(request):
            await self._take_place(request)
        return await self._attempt(request, send)

    async def _take_place(self, request: Request) -> None:
        gate = self._stream_gate
        waiter = Waiter(request.provider_id, request.priority)
        if self._closed or not self.streams.ask(waiter, 0.0):
            # Those that have the places may be waiting for the end of a pause.
            failure = self._in_vain(waiter, self._pacer_of(request), request)
            if len(self.streams.queue) > self._settings.max_queue:
                failure = QueueFullError(request.label, self._settings.max_queue)
            if failure is not None and not self._closed:
                gate.abandon(waiter)
                raise of_call(failure, request)
            await self._wait(waiter, gate, request)
        self.streams.keep(request, partial(self._leave_stream, waiter))

    def _leave_stream(self, waiter: Waiter) -> None:
        self._stream_gate.abandon(waiter)
        self._settle()

    async def _attempt(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        pacer = self._pacer_of(request)
        loop, governor = self._loop, pacer.governor
        waiter = vars(request).pop(_PLACE, None) or Waiter(
            request.provider_id, request.priority, request.weight, request.label
        )
        if pacer.leasing is not None:
            self._look(pacer, pacer.leasing, request)
        if self._closed or not governor.ask(waiter, loop.time()):
            self._admit(waiter, pacer, request)
            if not await self._wait(waiter, pacer.gate, request):
                pause = governor.held_for(loop.time())
                down = ServiceUnavailableError(request.label, pause)
                raise of_call(down, request)
        self.in_flight += 1
        verdict, said = Verdict.NOTHING, SILENT
        try:
            response = await send(request)
            verdict, said = Verdict.ACCEPTED, announced(response.headers)
            if said.used_up:
                pacer.refusal = evolve(response, body=b"", stream=None)
        except CallError as error:
            verdict, said = told_by(error)
            error.probing = waiter.probe
            if verdict.throttles and isinstance(error, ResponseError):
                self.throttled += 1
                # Not the error: its frames hold secrets and would live on.
                pacer.refusal = evolve(error.response, body=b"")
                # Whoever is turned away keeps his place.
                vars(request)[_PLACE] = waiter
            raise
        finally:
            self.in_flight -= 1
            self._answered(pacer, waiter, verdict, said, request)
        return response

    def _answered(
        self,
        pacer: Pacer,
        waiter: Waiter,
        verdict: Verdict,
        said: Announced,
        request: Request,
    ) -> None:
        governor, now = pacer.governor, self._loop.time()
        before, leasing = governor.reactions, pacer.leasing
        if leasing is not None:
            leasing.before_answer(now, verdict)
        governor.answered(waiter, now, verdict, said)
        if leasing is not None:
            leasing.after_answer(now)
        if governor.queue.waiting:
            pacer.gate.pump()
        if governor.reactions != before:
            self._note(pacer, request)
        if self._idle is not None:
            self._settle()

    def _look(self, pacer: Pacer, leasing: Leasing, request: Request) -> None:
        """See whether another process was asked to wait."""
        before = pacer.governor.reactions
        leasing.look(self._loop.time())
        if pacer.governor.reactions != before:
            self._note(pacer, request)

    def _admit(self, waiter: Waiter, pacer: Pacer, request: Request) -> None:
        """Turn away at once what would wait in vain."""
        if self._closed:
            return
        governor, now = pacer.governor, self._loop.time()
        failure = self._in_vain(waiter, pacer, request)
        if failure is None:
            if len(governor.queue) > self._settings.max_queue and waiter.place is None:
                failure = QueueFullError(request.label, self._settings.max_queue)
            elif request.deadline is not None:
                left = request.deadline - now
                wait = governor.wait_at_least(waiter, now, enough=left)
                if now + wait >= request.deadline:
                    failure = DeadlineExceededError(request.label, wait)
        if failure is not None:
            pacer.gate.abandon(waiter)
            raise of_call(failure, request)

    def _in_vain(
        self, waiter: Waiter, pacer: Pacer, request: Request
    ) -> CallError | None:
        """Return why a call is not to wait for the end of a pause or an outage."""
        governor, now = pacer.governor, self._loop.time()
        urgent = waiter.priority is Priority.INTERACTIVE
        pause = governor.held_for(now, urgent=urgent)
        if governor.refuses(waiter.priority, now):
            return ServiceUnavailableError(request.label, pause)
        if urgent and pause > self._settings.max_pause:
            # Else it was another process that was turned away.
            refusal = pacer.refusal or Response(request=request, status=429)
            failure = RateLimitedError(evolve(refusal, request=request))
            failure.retry_after = pause
            return failure
        if request.deadline is not None and now + pause >= request.deadline:
            return DeadlineExceededError(request.label, pause)
        return None

    def _pacer_of(self, request: Request) -> Pacer:
        return self._pacer or self.pacers.of(request.provider_id)

    def note_waiting(self, pacer: Pacer) -> bool:
        """Say what the governor did, if a call of this pool waits for it."""
        for waiter, request in self._waiting.items():
            if waiter.gate is pacer.gate:
                self._note(pacer, request)
                return True
        return False

    def release(self, pacer: Pacer) -> None:
        """Wake whoever waits in vain since a pause or an outage began."""
        for waiter, request in tuple(self._waiting.items()):
            if self._pacer_of(request) is pacer and waiter.queued:
                failure = self._in_vain(waiter, pacer, request)
                if failure is not None:
                    waiter.failure = of_call(failure, request)
                    waiter.gate.turn_away(waiter)

    async def _wait(self, waiter: Waiter, gate: Gate, request: Request) -> bool:
        """Wait for a turn; return whether it came, and not that it never will."""
        if self._closed:
            raise PoolClosedError(f"{request.label}: the pool is closed")
        self._waiting[waiter] = request
        began = self._loop.time()
        try:
            granted = await gate.wait(waiter)
        finally:
            del self._waiting[waiter]
            waited = self._loop.time() - began
            vars(request)["_waited"] = vars(request).get("_waited", 0.0) + waited
            if request.deadline is not None and self._loop.time() >= request.deadline:
                # For the deadline's error: the API was not asked, so it was not slow.
                vars(request)[IN_VAIN] = waited
        failure, waiter.failure = waiter.failure, None
        if failure is not None:
            raise failure
        if self._closed and not granted:
            raise PoolClosedError(f"{request.label}: the pool was closed")
        return granted

    def _settle(self) -> None:
        if self._idle is not None and not (self.in_flight or self.streams.in_flight):
            self._idle.set_result(None)
            self._idle = None

    def _note(self, pacer: Pacer, request: Request) -> None:
        """Say what the governor did."""
        governor = self.pacers.guide = pacer.governor
        now = self._loop.time()
        event = PacingEvent(
            kind=governor.reaction,
            environment=request.environment,
            rate=governor.learner.rate,
            source=governor.source,
            pause_s=governor.held_for(now),
        )
        environment = request.environment.value
        _logger.info(
            "pace of %s: %s, %.3g calls per s (%s), pause of %.3g s",
            environment,
            event.kind,
            event.rate,
            event.source,
            event.pause_s,
            extra={
                "environment": environment,
                "kind": event.kind,
                "rate_per_s": event.rate,
                "source": event.source,
                "pause_s": event.pause_s,
            },
        )
        for policy in tuple(self.pacers.policies):
            if policy._tell is not None:  # noqa: SLF001 - it is one of us
                policy._tell(event)  # noqa: SLF001
            if event.kind in {"paused", "down"}:
                policy.release(pacer)
