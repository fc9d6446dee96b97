"""The shell around the rules: who waits sleeps on a future, and one timer wakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Protocol

from healthyroster_async._core.errors import CallError
from healthyroster_async._core.fair_queue import FairQueue, Ticket
from healthyroster_async._core.settings import Priority


class Rules(Protocol):
    """Who may go: a state machine that knows no clock."""

    queue: FairQueue

    def ask(self, ticket: Ticket, now: float) -> bool:
        """Let it go, or queue it."""
        ...

    def next(self, now: float) -> Ticket | None:
        """Return who goes now."""
        ...

    def wake_at(self, now: float) -> float | None:
        """Return when to look again."""
        ...

    def abandon(self, ticket: Ticket, now: float) -> None:
        """Forget it, and take back what it has."""
        ...


class Waiter(Ticket):
    """A ticket whose call can be woken.

    Attributes:
        gate: Where it waits.
        turn: Done when it may go, or is turned away.
        failure: Why it is turned away.
    """

    __slots__ = ("failure", "gate", "turn")
    gate: Gate
    turn: asyncio.Future[None] | None
    failure: CallError | None

    def __init__(
        self,
        flow: Hashable = None,
        priority: Priority = Priority.BULK,
        weight: float = 1.0,
        label: Hashable = None,
    ) -> None:
        super().__init__(flow, priority, weight, label)
        self.turn = None
        self.failure = None


class Gate:
    """Lets callers in when the rules say so.

    The caller's own task makes the call; there is no task of our own.
    """

    def __init__(self, rules: Rules, loop: asyncio.AbstractEventLoop) -> None:
        self.rules: Rules = rules
        # Called before anybody is let go, with the time.
        self.prepare: Callable[[float], None] | None = None
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0

    async def wait(self, waiter: Waiter) -> bool:
        """Wait until a queued ticket may go; return whether it may.

        ``False`` says that it was turned away.
        """
        waiter.gate = self
        waiter.turn = self._loop.create_future()
        self.pump()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            # Granted and cancelled in the same tick: what it has goes to the next one.
            self.abandon(waiter)
            raise
        return waiter.granted

    def abandon(self, waiter: Waiter) -> None:
        """Take a ticket out, with all that it has."""
        self.rules.abandon(waiter, self._loop.time())
        self.pump()

    def turn_away(self, waiter: Waiter) -> None:
        """Wake a queued ticket, to be told that it may not go."""
        self.rules.abandon(waiter, self._loop.time())
        if waiter.turn is not None and not waiter.turn.done():
            waiter.turn.set_result(None)

    def pump(self) -> None:
        """Wake everybody who may go, and set the timer for the next one."""
        rules = self.rules
        if not rules.queue.waiting:
            return
        now = self._loop.time()
        prepare = self.prepare
        while True:
            if prepare is not None:
                prepare(now)
            ticket = rules.next(now)
            if ticket is None:
                break
            assert isinstance(ticket, Waiter)  # noqa: S101 - nobody else queues
            turn = ticket.turn
            if turn is not None and not turn.done():
                turn.set_result(None)
            else:  # cancelled, and its task has not run yet
                rules.abandon(ticket, now)
        wake_at = rules.wake_at(now)
        if self._timer is not None:
            if wake_at == self._wakes_at:
                return
            self._timer.cancel()
            self._timer = None
        if wake_at is not None:
            self._wakes_at = wake_at
            self._timer = self._loop.call_at(wake_at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.pump()
