"""The same kind of work over real sockets, in real time: the pool and the emulator.

One session has 1,000 calls and nine have 20; all are asked for at once. What is printed
is what the emulator saw, and the time against the least that it can take.

Run: ``python benchmarks/pacing/real.py [--case NAME] [--peers]``
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
from attrs import define, field, frozen
from clients import OURS
from ideal import seconds_for
from scenarios import bucket, window
from server import Answer, Site
from workload import heavy_and_light

from healthyroster_async import HealthyRosterError, PacingSettings, Priority
from healthyroster_async._core.settings import Limit
from healthyroster_async.emulator import Emulator, Fault, RateLimit

_LATENCY_S = 0.05
_PEERS = ("backoff", "aiohttp_retry", "stamina", "limiter 2.0", "botocore")
Call = Callable[[int], Awaitable[bool]]
"""Makes one call to a provider; whether it succeeded."""


@frozen(kw_only=True)
class Case:
    """A server, and what the client is told.

    Attributes:
        limit: The server's rule.
        told: Whether the client is told it.
        events: What happens to the server, and after how many seconds.
        longer: By how many seconds that makes the work longer at least.
    """

    limit: RateLimit
    told: bool = False
    events: tuple[tuple[float, str, object], ...] = ()
    longer: float = 0.0


CASES = {
    "bucket 50/s, configured": Case(limit=bucket(50), told=True),
    "bucket 50/s, IETF": Case(limit=bucket(50, headers="ietf")),
    "bucket 50/s, Retry-After": Case(limit=bucket(50, headers="retry-after")),
    "bucket 50/s, 429": Case(limit=bucket(50)),
    "bucket 50/s, burst 5, 429": Case(limit=bucket(50, 5)),
    "sliding 50/s, 503": Case(limit=window(50, 1, "sliding", status=503)),
    "window 500 per 10 s, X-RateLimit": Case(
        limit=window(500, 10, headers="x-ratelimit")
    ),
    # 8 s at 20 instead of 50 calls per second; a changed bucket is full.
    "50, 20, 50/s, 429": Case(
        limit=bucket(50),
        events=((6.0, "rate_limit", bucket(20)), (14.0, "rate_limit", bucket(50))),
        longer=8.0 * 30 / 50 - (20 + 50) / 50,
    ),
    # Meanwhile the bucket fills.
    "outage of 10 s, 503 page": Case(
        limit=bucket(50),
        events=(
            (6.0, "outage", Fault(kind="html", status=503)),
            (16.0, "outage", None),
        ),
        longer=10.0 - 50 / 50,
    ),
}


@define
class Result:
    """What came out.

    Attributes:
        took: Seconds until all was done, over the least that it can take.
        light: Seconds until each light session was done.
        half: Calls of each session that were done when the first one was through.
        lost: Calls that were given up.
    """

    took: float = 0.0
    light: list[float] = field(factory=list)
    half: Counter[int] = field(factory=Counter)
    lost: int = 0


@asynccontextmanager
async def _pool(emulator: Emulator, case: Case) -> AsyncIterator[Call]:
    limit = Limit(case.limit.rate, case.limit.per) if case.told else None
    async with emulator.pool(pacing=PacingSettings(rate=limit)) as pool:

        async def call(provider: int) -> bool:
            session = pool.session(provider, priority=Priority.BULK)
            try:
                await session.reporting.data_sources()
            except HealthyRosterError:
                return False
            return True

        yield call


@asynccontextmanager
async def _peer(name: str, emulator: Emulator, case: Case) -> AsyncIterator[Call]:
    from peers import MAKERS  # noqa: PLC0415 - the pool is measured without them
    from virtual import TurnedAwayError  # noqa: PLC0415

    caller = MAKERS[name](Site(limit=case.limit))
    (credentials,) = emulator.credentials.values()
    headers = {
        emulator.application_id_header: credentials.application_id,
        emulator.application_secret_header: credentials.application_secret.reveal(),
    }
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def call(provider: int) -> bool:
            url = f"{emulator.url}/HealthcareProvider/{provider}/Datasources"

            async def attempt() -> None:
                async with session.get(url) as response:
                    body = await response.read()
                if response.status != 200:  # noqa: PLR2004
                    fields = {k.lower(): v for k, v in response.headers.items()}
                    raise TurnedAwayError(Answer(response.status, fields, body))

            try:
                await caller(attempt)
            except TurnedAwayError:
                return False
            return True

        yield call


async def _work(client: AbstractAsyncContextManager[Call], least: float) -> Result:
    result = Result()
    done: Counter[int] = Counter()
    flows = heavy_and_light()

    async def one(call: Call, provider: int, of: int) -> None:
        result.lost += not await call(provider)
        done[provider] += 1
        if done[provider] == of:
            if of < flows[0].first:
                result.light.append(time.perf_counter() - begun)
            result.half = result.half or done.copy()

    async with client as call:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for flow in flows:
                for _ in range(flow.first):
                    group.create_task(one(call, flow.provider + 1, flow.first))
        result.took = (time.perf_counter() - begun) / least
    return result


def _jain(counts: Counter[int], number: int) -> float:
    squares = sum(n * n for n in counts.values())
    return counts.total() ** 2 / (number * squares)


async def measure(case: Case, client: str) -> str:
    """Run one client against one server and return its line."""
    flows = heavy_and_light()
    calls = sum(flow.first for flow in flows)
    site = Site(limit=case.limit, latency=_LATENCY_S)
    async with Emulator(
        providers=len(flows), rate_limit=case.limit, latency=_LATENCY_S
    ) as emulator:
        made = (
            _pool(emulator, case) if client == OURS else _peer(client, emulator, case)
        )
        loop = asyncio.get_running_loop()
        for after, setting, value in case.events:
            loop.call_later(after, setattr, emulator, setting, value)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(300):
                result = await _work(made, seconds_for(site, calls) + case.longer)
                seen = emulator.seen
                return (
                    f"{seen.requests:8} {100 * seen.rejected / seen.requests:8.2f}% "
                    f"{seen.during_pause:8} {result.lost:6} {result.took:8.3f} "
                    f"{_jain(result.half, len(flows)):7.3f} "
                    f"{statistics.median(result.light):8.2f} {max(result.light):8.2f}"
                )
    return "   not done within 300 s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Pacing over real sockets.")
    parser.add_argument("--case", action="append", default=[], help="part of a name")
    parser.add_argument("--peers", action="store_true", help="other clients too")
    options = parser.parse_args()
    print(
        f"{'':34} {'':14} {'requests':>8} {'rejected':>9} {'in pause':>8} {'lost':>6} "
        f"{'x ideal':>8} {'Jain':>7} {'light s':>8} {'worst s':>8}"
    )
    for name, case in CASES.items():
        if options.case and not any(part in name for part in options.case):
            continue
        for client in (OURS, *(_PEERS if options.peers else ())):
            line = asyncio.run(measure(case, client))
            print(f"{name:34} {client:14} {line}", flush=True)


if __name__ == "__main__":
    main()
