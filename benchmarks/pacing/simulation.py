"""The pure governor against the pure limiters, event by event, in virtual time.

Nothing sleeps and nothing is scheduled by an event loop: a heap of (time, action) is
all there is, so a simulated hour of 50 calls a second takes a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from random import Random
from typing import Any, Protocol

from reading import outcome_of, read
from record import ACCEPTED, THROTTLED, Done, Sent, Trace
from server import ATTEMPT_TIMEOUT_S, EPOCH, REFUSED, Answer, Server, Site
from workload import Flow

from healthyroster_async._core.delays import Fault, RetryBudget
from healthyroster_async._core.governor import Ticket
from healthyroster_async._core.ratelimits import Announced
from healthyroster_async._core.settings import Limit, Priority, RetrySettings
from healthyroster_async._core.verdicts import Verdict

# Timers of an event loop are late by up to so many seconds.
_TIMER_LATENESS_S = 0.001
_MOST_SPINS = 1000
_RETRY = RetrySettings()


class StuckError(Exception):
    """A governor wants to be asked again at once, again and again."""


class Pacer(Protocol):
    """What is simulated: our governor, or a peer with the same methods."""

    def ask(self, ticket: Ticket, now: float) -> bool:
        """Let a call go, or queue it."""
        ...

    def next(self, now: float) -> Ticket | None:
        """Return the call that goes now."""
        ...

    def wake_at(self, now: float) -> float | None:
        """Return when to ask for the next one again."""
        ...

    def answered(
        self, ticket: Ticket, now: float, verdict: Verdict, announced: Announced
    ) -> None:
        """Take note of the end of an attempt."""
        ...


class World:
    """A clock, and what will happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], Any]] = []
        self._number = 0

    def at(self, when: float, action: Callable[..., None], argument: Any) -> None:
        """Let something happen at a time; what is due together keeps its order."""
        self._number += 1
        heappush(self._heap, (when, self._number, action, argument))

    def run(self, until: float) -> None:
        """Let everything happen up to a time, or until nothing is left to happen."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, action, argument = heappop(heap)
            action(argument)


class _Call:
    __slots__ = ("asked", "faults", "flow", "sent", "throttles", "ticket")

    def __init__(self, flow: Flow, asked: float) -> None:
        self.flow = flow
        self.asked = asked
        self.faults = 0
        self.throttles = 0
        self.sent = 0.0
        self.ticket = Ticket(
            flow=flow.provider,
            priority=Priority.INTERACTIVE if flow.interactive else Priority.BULK,
        )


class Client:
    """The shell around one governor: what ``_policies`` does, without a loop.

    Args:
        world: The clock.
        server: Whom it calls.
        pacer: Who says when.
        flows: What is to be done.
        trace: Where it is written down.
        rng: For retries, arrivals and late timers.
    """

    def __init__(
        self,
        world: World,
        server: Server,
        pacer: Pacer,
        flows: Sequence[Flow],
        *,
        trace: Trace,
        rng: Random,
    ) -> None:
        self.world = world
        self.server = server
        self.pacer = pacer
        self.trace = trace
        self.open = 0
        self._rng = rng
        self._budget = RetryBudget()
        self._calls: dict[Ticket, _Call] = {}
        self._outstanding = [0] * len(flows)
        self._flows = {id(flow): n for n, flow in enumerate(flows)}
        self._timer = float("inf")
        self._spins = 0
        for flow in flows:
            world.at(flow.start, self._begin, flow)

    def _begin(self, flow: Flow) -> None:
        for _ in range(flow.first):
            self._ask(_Call(flow, self.world.now))
        if flow.gap is not None:
            self.world.at(
                self.world.now + self._rng.expovariate(1 / flow.gap), self._click, flow
            )
        self._pump()

    def _click(self, flow: Flow) -> None:
        now = self.world.now
        self._ask(_Call(flow, now))
        assert flow.gap is not None
        self.world.at(now + self._rng.expovariate(1 / flow.gap), self._click, flow)
        self._pump()

    def _ask(self, call: _Call) -> None:
        self._outstanding[self._flows[id(call.flow)]] += 1
        self.open += 1
        self._calls[call.ticket] = call
        self._again(call)

    def _again(self, call: _Call) -> None:
        if self.pacer.ask(call.ticket, self.world.now):
            self._send(call)

    def _retry(self, call: _Call) -> None:
        self._again(call)
        self._pump()

    def _pump(self) -> None:
        now = self.world.now
        pacer, calls = self.pacer, self._calls
        while (ticket := pacer.next(now)) is not None:
            self._send(calls[ticket])
        when = pacer.wake_at(now)
        if when is None:
            return
        if when <= now:
            self._spins += 1
            if self._spins > _MOST_SPINS:
                raise StuckError(f"wake_at says {when} at {now}, and nobody goes")
            when = now
        else:
            self._spins = 0
        if when < self._timer:
            self._timer = when
            late = self._rng.random() * _TIMER_LATENESS_S
            self.world.at(when + late, self._wake, when)

    def _wake(self, when: float) -> None:
        # A timer that was replaced by an earlier one has nothing to do.
        if when == self._timer:
            self._timer = float("inf")
            self._pump()

    def _send(self, call: _Call) -> None:
        now = call.sent = self.world.now
        self.world.at(now + self.server.way(), self._arrive, call)

    def _arrive(self, call: _Call) -> None:
        now = self.world.now
        flow = call.flow
        answer, leaves, pause = self.server.receive(now, flow.provider)
        heard = leaves + self.server.way()
        if heard - call.sent > ATTEMPT_TIMEOUT_S:
            heard, answer = call.sent + ATTEMPT_TIMEOUT_S, REFUSED
        outcome = outcome_of(answer)
        if pause:
            self.trace.pauses.append((heard, pause, flow.process))
        self.trace.requests.append(
            Sent(call.sent, now, heard, flow.provider, outcome, flow.process)
        )
        self.world.at(heard, self._answered, (call, answer))

    def _answered(self, heard: tuple[_Call, Answer]) -> None:
        call, answer = heard
        now = self.world.now
        outcome, verdict, announced = read(answer, EPOCH + now)
        # As in the pool, a probe is none of the call's attempts.
        probing = call.ticket.probe
        self.pacer.answered(call.ticket, now, verdict, announced)
        if outcome == ACCEPTED:
            self._budget.earn()
            self._finish(call, lost=False)
        elif outcome == THROTTLED:
            call.throttles += 1
            if call.throttles >= _RETRY.max_throttles:
                self._finish(call, lost=True)
            else:
                self._again(call)
        elif probing:
            self._again(call)
        else:
            self._failed(call)
        self._pump()

    def _failed(self, call: _Call) -> None:
        call.faults += 1
        if call.faults >= _RETRY.max_attempts or not self._budget.spend(Fault.FAILED):
            self._finish(call, lost=True)
            return
        ceiling = min(_RETRY.max_delay, _RETRY.base_delay * 2 ** (call.faults - 1))
        when = self.world.now + self._rng.uniform(0.0, ceiling)
        self.world.at(when, self._retry, call)

    def _finish(self, call: _Call, *, lost: bool) -> None:
        now = self.world.now
        flow = call.flow
        del self._calls[call.ticket]
        self.open -= 1
        self.trace.calls.append(
            Done(flow.provider, flow.interactive, call.asked, now, lost)
        )
        number = self._flows[id(flow)]
        self._outstanding[number] -= 1
        if self._outstanding[number] < flow.backlog:
            self._ask(_Call(flow, now))


def _watch(world: World, pacer: Pacer, trace: Trace) -> None:
    """Note once a second what limit a governor believes in."""

    def look(before: Limit | None) -> None:
        learned = getattr(pacer, "learned", None)
        limit = learned.limit if learned is not None else None
        if limit != before:
            trace.learned.append((world.now, limit))
        world.at(world.now + 1.0, look, limit)

    look(None)


def simulate(
    site: Site,
    flows: Sequence[Flow],
    make: Callable[[float, Random], Pacer],
    *,
    seed: int,
    seconds: float,
) -> Trace:
    """Run one scenario with one governor per process.

    Args:
        site: The server.
        flows: What is to be done.
        make: Builds a governor, given the time and its randomness.
        seed: Decides everything that is random.
        seconds: How long, in virtual time; less if all is done before.
    """
    world, trace = World(), Trace()
    server = Server(site, Random(f"{seed}/server"))
    clients = []
    for process in sorted({flow.process for flow in flows}):
        pacer = make(world.now, Random(f"{seed}/governor/{process}"))
        own = [flow for flow in flows if flow.process == process]
        rng = Random(f"{seed}/client/{process}")
        clients.append(Client(world, server, pacer, own, trace=trace, rng=rng))
    _watch(world, clients[0].pacer, trace)
    world.run(seconds)
    finite = not any(flow.backlog or flow.gap for flow in flows)
    trace.unfinished = sum(client.open for client in clients)
    done = finite and not trace.unfinished
    trace.ended = max(call.done for call in trace.calls) if done else seconds
    trace.pacers = [client.pacer for client in clients]
    return trace
