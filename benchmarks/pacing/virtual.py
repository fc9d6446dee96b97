"""Clients written with asyncio in virtual time: their own code, the same server."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeAlias

from attrs import define
from reading import outcome_of
from record import ACCEPTED, Done, Sent, Trace
from scenarios import Scenario
from server import ATTEMPT_TIMEOUT_S, REFUSED, Answer, Server
from typing_extensions import override
from workload import Flow

from healthyroster_async._core.headers import retry_after

_STEP_S = 1e-6
Attempt: TypeAlias = Callable[[], Awaitable[None]]
"""Sends one request; raises ``TurnedAwayError`` unless it was accepted."""
Caller: TypeAlias = Callable[[Attempt], Awaitable[None]]
"""Makes one call, with as many attempts as it takes; raises what it gives up with."""


class TurnedAwayError(Exception):
    """An attempt was not accepted.

    Attributes:
        answer: What came back.
        retry_after: Seconds that it asks to wait, or ``None``.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer
        self.retry_after = retry_after(answer.headers)


class _Jumping(selectors.SelectSelector):
    """Waits for nothing but the next timer, and for that no time at all."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    @override
    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task is waiting and no timer is set")
        # Code takes time too; who waits for a float to pass would wait for ever.
        self.now += max(_STEP_S, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which sleeping is instant."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return self._jumping.now


@define
class _Play:
    """One run of one client."""

    server: Server
    trace: Trace
    callers: dict[int, Caller]
    rng: Random
    group: asyncio.TaskGroup
    open: int = 0

    async def attempt(self, flow: Flow) -> None:
        """Send a request, as the simulation of the governor does."""
        loop = asyncio.get_running_loop()
        sent = loop.time()
        await asyncio.sleep(self.server.way())
        arrived = loop.time()
        answer, leaves, pause = self.server.receive(arrived, flow.provider)
        heard = leaves + self.server.way()
        if heard - sent > ATTEMPT_TIMEOUT_S:
            heard, answer = sent + ATTEMPT_TIMEOUT_S, REFUSED
        outcome = outcome_of(answer)
        self.trace.requests.append(
            Sent(sent, arrived, heard, flow.provider, outcome, flow.process)
        )
        if pause:
            self.trace.pauses.append((heard, pause, flow.process))
        await asyncio.sleep(heard - arrived)
        if outcome != ACCEPTED:
            raise TurnedAwayError(answer)

    async def call(self, flow: Flow) -> None:
        """Make calls one after the other, for as long as there is a backlog."""
        loop = asyncio.get_running_loop()
        asked, lost = loop.time(), False
        try:
            await self.callers[flow.process](lambda: self.attempt(flow))
        except TurnedAwayError:
            lost = True
        self.trace.calls.append(
            Done(flow.provider, flow.interactive, asked, loop.time(), lost)
        )

    async def keep_calling(self, flow: Flow, number: int) -> None:
        """Make a call, and again if the flow keeps so many waiting."""
        self.open += 1
        await self.call(flow)
        while number < flow.backlog:
            await self.call(flow)
        self.open -= 1

    async def flow(self, flow: Flow) -> None:
        """Begin a flow."""
        await asyncio.sleep(flow.start)
        # The last ones asked for go on, so that the first ones end.
        for number in reversed(range(flow.first)):
            self.group.create_task(self.keep_calling(flow, number))
        while flow.gap is not None:
            await asyncio.sleep(self.rng.expovariate(1 / flow.gap))
            self.group.create_task(self.keep_calling(flow, 1))


def play(scenario: Scenario, seed: int, make: Callable[[], Caller]) -> Trace:
    """Run a client through a scenario.

    Args:
        scenario: What happens.
        seed: Decides everything that is random, the libraries' choices included.
        make: Builds a client; each process has its own.
    """
    random.seed(f"{seed}/peer")
    trace = Trace()
    flows = scenario.flows
    server = Server(scenario.site(seed), Random(f"{seed}/server"))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        callers = {flow.process: make() for flow in flows}
        play = None
        try:
            async with asyncio.timeout(scenario.seconds), asyncio.TaskGroup() as group:
                rng = Random(f"{seed}/client/0")
                play = _Play(server, trace, callers, rng, group)
                for flow in flows:
                    group.create_task(play.flow(flow))
        except TimeoutError:
            pass
        trace.ended = loop.time()
        trace.unfinished = play.open if play is not None else 0

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    return trace
