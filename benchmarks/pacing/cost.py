"""What pacing itself costs for a call: ours beside a semaphore and a leaky bucket.

Nothing is sent: the transport answers at once, so what is measured is the way through
the gate. *Free* calls are made one after the other and never wait. *Queued* ones are
tasks that all want to go at once, one at a time, so each but the first waits for its
turn; the transport gives way once there. Microseconds of this process' CPU for each
call, less those of the same calls without a gate; medians over rounds in which all
take turns. Memory is that of a waiting task, less one that waits for nothing but a
future.

- *ours*: the real policy, its governor and fair queue, 300 sessions in turn
- *ours, learning*: the same while it still looks for the limit, far above what is used
- *asyncio.Semaphore*: a bound of concurrency; it knows no rate, no pause, no fairness
- *aiolimiter*: a leaky bucket; it knows no concurrency, no pause, no fairness

The goal is that a free call of ours costs at most 15 microseconds.

Run: ``python benchmarks/pacing/cost.py [--rounds 9] [--calls 10000] [--check]``
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Literal, TypeAlias

from aiolimiter import AsyncLimiter

from healthyroster_async import (
    Environment,
    Limit,
    PacingSettings,
    Priority,
    Request,
    Response,
)
from healthyroster_async._policies.budgets import pacers_of
from healthyroster_async._policies.pacing import PacingPolicy

GOAL_US = 15.0
SESSIONS = 300
_ENDLESS = Limit(1e9, 1.0)
_WAITING = 10_000

Send: TypeAlias = Callable[[Request], Awaitable[Response]]
Call: TypeAlias = Callable[[Request], Awaitable[Response]]
# Nobody waits, all do and go one at a time, or nobody goes after the first.
Way: TypeAlias = Literal["free", "queued", "stuck"]
Gate: TypeAlias = Callable[[Send, Way], Call]
REQUESTS = [
    Request(
        method="GET",
        url="https://api.example.test/HealthcareProvider/1/Datasources",
        label="GET /HealthcareProvider/{id}/Datasources",
        environment=Environment.SANDBOX,
        safe=True,
        provider_id=provider,
        priority=Priority.BULK,
    )
    for provider in range(SESSIONS)
]
ANSWER = Response(request=REQUESTS[0], status=200, headers={"content-type": "a/b"})


async def at_once(_: Request) -> Response:
    """Answer at once."""
    return ANSWER


async def after_a_turn(_: Request) -> Response:
    """Answer when everybody else had a turn."""
    await asyncio.sleep(0)
    return ANSWER


def _places(way: Way) -> int:
    return 1_000 if way == "free" else 1


def nothing(send: Send, way: Way) -> Call:  # noqa: ARG001 - as all have it
    """Return calls without a gate."""
    return send


def ours(send: Send, way: Way) -> Call:
    """Return calls that our policy lets go."""
    settings = PacingSettings(rate=_ENDLESS, max_concurrency=_places(way))
    return partial(PacingPolicy(pacers_of("cost", settings)), send=send)


def learning(send: Send, way: Way) -> Call:
    """Return calls that our policy lets go while it looks for the limit."""
    settings = PacingSettings(max_concurrency=_places(way))
    pacers = pacers_of("cost", settings)
    # As after minutes of growth; nothing was ever turned away.
    pacers.of(None).governor.learner.rate = _ENDLESS.rate
    return partial(PacingPolicy(pacers), send=send)


def semaphore(send: Send, way: Way) -> Call:
    """Return calls behind a semaphore."""
    bound = asyncio.Semaphore(_places(way))

    async def call(request: Request) -> Response:
        async with bound:
            return await send(request)

    return call


def limiter(send: Send, way: Way) -> Call:
    """Return calls behind a leaky bucket; of one call at a time it leaks at once."""
    seconds = {"free": 1e-9, "queued": 1e-5, "stuck": 1e5}
    bucket = AsyncLimiter(1, seconds[way])

    async def call(request: Request) -> Response:
        async with bucket:
            return await send(request)

    return call


OURS = "ours"
GATES: dict[str, Gate] = {
    OURS: ours,
    "ours, learning": learning,
    "asyncio.Semaphore": semaphore,
    "aiolimiter": limiter,
}


def _requests() -> Iterator[Request]:
    return cycle(REQUESTS)


async def free(gate: Gate, calls: int) -> float:
    """Return the seconds of CPU for each of calls that never wait."""
    call, requests = gate(at_once, "free"), _requests()
    gc.collect()
    begun = time.process_time()
    for _ in range(calls):
        await call(next(requests))
    return (time.process_time() - begun) / calls


async def queued(gate: Gate, calls: int) -> float:
    """Return the seconds of CPU for each of calls that wait for their turn."""
    call, requests = gate(after_a_turn, "queued"), _requests()
    gc.collect()
    begun = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(_task(call, next(requests)))
    return (time.process_time() - begun) / calls


async def _task(call: Call, request: Request) -> None:
    await call(request)


async def memory(gate: Gate | None) -> float:
    """Return the bytes of each of many waiting tasks; ``None``: bare futures."""
    loop = asyncio.get_running_loop()
    never = loop.create_future()

    async def hang(_: Request) -> Response:
        await never
        return ANSWER

    async def bare(_: Request) -> Response:
        await loop.create_future()
        return ANSWER

    call: Call = bare if gate is None else gate(hang, "stuck")
    requests = _requests()
    holder = asyncio.ensure_future(_task(call, next(requests)))
    await asyncio.sleep(0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tasks = [
        asyncio.ensure_future(_task(call, next(requests))) for _ in range(_WAITING)
    ]
    await asyncio.sleep(0)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    for task in (holder, *tasks):
        task.cancel()
    await asyncio.wait([holder, *tasks])
    return taken / _WAITING


def measure(rounds: int, calls: int) -> dict[str, tuple[float, float]]:
    """Return microseconds of a free and a queued call of each, without the rest."""
    gates = {"": nothing, **GATES}
    spent: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in gates}
    for _ in range(rounds):
        for name, gate in gates.items():
            for times, way in zip(spent[name], (free, queued), strict=True):
                times.append(1e6 * asyncio.run(way(gate, calls)))
    bare = [statistics.median(times) for times in spent.pop("")]
    return {
        name: (
            statistics.median(times[0]) - bare[0],
            statistics.median(times[1]) - bare[1],
        )
        for name, times in spent.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure what pacing itself costs.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--check", action="store_true", help="fail below the goal")
    given = parser.parse_args()
    found = measure(given.rounds, given.calls)
    bare = asyncio.run(memory(None))
    print(f"{'':22}{'free, us':>10}{'queued, us':>12}{'waiting, bytes':>16}")
    for name, (alone, waiting) in found.items():
        taken = asyncio.run(memory(GATES[name])) - bare
        print(f"{name:22}{alone:>10.1f}{waiting:>12.1f}{taken:>16.0f}")
    print(f"goal of ours: at most {GOAL_US:g} us when nothing limits")
    if given.check and found[OURS][0] > GOAL_US:
        sys.exit("the goal is missed")


if __name__ == "__main__":
    main()
