"""Small endpoint calls: this SDK beside bare aiohttp and httpx.

A call asks for the data sources of a provider, 1.5 KB of JSON. The server is nginx in a
process of its own, the answer a file in memory. All clients stay open on one event loop
and make the same calls, 100 at a time, in short slices that take turns, so that what
else the machine does meets them all alike. Before that each is warmed up for the same
time: as long as ours needs until its rate rises no more. What is printed are medians;
a ratio is that of a slice to the slice of bare aiohttp in the same round.

Bare aiohttp is what people write by hand: a session with the two headers, ``get`` and
``json()``. Well-set aiohttp is the most that its public API gives. The SDK has all its
policies on and gives models.

Run: ``python benchmarks/calls.py [--rounds 15] [--seconds 0.7] [--uvloop] [--check]``
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import aiohttp
import attrs
import httpx
import orjson
import yarl
from measured import pool_of

from healthyroster_async import ConnectionPool, Contract, Credentials, Environment
from healthyroster_async.emulator import swagger
from healthyroster_async.emulator.settings import Settings

CONCURRENCY = 100
GOAL = 0.9
MOST_COST = 1.15
PROVIDERS = 300
# Pacing may begin slowly and grow by steps of a second.
WARM_UP_SLICE, FLAT, WARM_UP_AT_MOST = 0.5, 5, 30.0
NAMES = (
    "Patients", "Encounters", "Problems", "Incident Reports", "Referrals", "Services",
    "Organizations", "Teams", "Providers",
)  # fmt: skip
ANSWER = orjson.dumps(
    [
        {
            "id": number,
            "name": name,
            "description": f"{name}: flattened rows with everything that a report on "
            f"{name.lower()} needs, one row for each of them and each change.",
        }
        for number, name in enumerate(NAMES, 1)
    ]
)
HEADERS = {"X-Application-Id": "bench-app", "X-Application-Secret": "bench-secret"}
Call: TypeAlias = Callable[[int], Awaitable[object]]
Client: TypeAlias = Callable[[str], AbstractAsyncContextManager[Call]]


@contextlib.contextmanager
def nginx() -> Iterator[str]:
    """Run nginx on a free port, and give its URL."""
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed; it is the server of this benchmark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "answer.json").write_bytes(ANSWER)
        Path(folder, "nginx.conf").write_text(
            f"""
            daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
            user root;
            events {{ worker_connections 1024; }}
            http {{
              access_log off; keepalive_requests 100000000; keepalive_timeout 75;
              open_file_cache max=10; default_type application/json;
              client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
              fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
              scgi_temp_path {folder}/s;
              server {{
                listen 127.0.0.1:{port};
                location / {{ alias {folder}/; try_files answer.json =404; }}
              }}
            }}
            """
        )
        command = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"]
        with subprocess.Popen(command) as process:
            try:
                for _ in range(100):
                    with contextlib.suppress(OSError):
                        socket.create_connection(("127.0.0.1", port), 1).close()
                        break
                    time.sleep(0.05)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def path(provider: int) -> str:
    """Return the path of a call."""
    return f"/HealthcareProvider/{provider}/Datasources"


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncIterator[Call]:
    """Make calls as one writes them by hand."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def call(provider: int) -> object:
            async with session.get(url + path(provider)) as answer:
                return await answer.json()

        yield call


@contextlib.asynccontextmanager
async def well_set(url: str) -> AsyncIterator[Call]:
    """Make calls with everything that aiohttp offers to be fast."""
    urls = [
        yarl.URL(url + path(provider), encoded=True) for provider in range(PROVIDERS)
    ]
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=HEADERS,
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:

        async def call(provider: int) -> object:
            async with session.get(urls[provider], allow_redirects=False) as answer:
                return orjson.loads(await answer.read())

        yield call


@contextlib.asynccontextmanager
async def httpx_client(url: str) -> AsyncIterator[Call]:
    """Make calls with httpx, its pool as wide as the concurrency."""
    limits = httpx.Limits(
        max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY
    )
    async with httpx.AsyncClient(
        base_url=url, headers=HEADERS, limits=limits, timeout=None, trust_env=False
    ) as client:

        async def call(provider: int) -> object:
            answer = await client.get(path(provider))
            return answer.json()

        yield call


@contextlib.asynccontextmanager
async def ours(url: str) -> AsyncIterator[Call]:
    """Make calls with this SDK as its README shows."""
    async with pool_of(url) as pool:

        def call(provider: int) -> Awaitable[object]:
            return pool.session(provider or 1).reporting.data_sources()

        yield call


@contextlib.asynccontextmanager
async def through_operations(url: str) -> AsyncIterator[Call]:
    """Make the same calls with this SDK as an operation of a swagger document."""
    contract = Contract.from_swagger(
        swagger.document(Settings(), {Environment.SANDBOX: url})
    )
    async with ConnectionPool(
        {Environment.SANDBOX: Credentials("bench-app", "bench-secret")},
        contract=contract,
    ) as pool:

        def call(provider: int) -> Awaitable[object]:
            return pool.session(provider or 1).operations.get_datasources()

        yield call


BARE, OURS, HTTPX = "bare aiohttp", "healthyroster-async", "httpx.AsyncClient"
OPERATIONS = "... its operations"
CLIENTS: dict[str, Client] = {
    BARE: bare,
    OURS: ours,
    OPERATIONS: through_operations,
    "well-set aiohttp": well_set,
    HTTPX: httpx_client,
}


@attrs.frozen
class Slice:
    """What one client did in a short time.

    Attributes:
        rate: Calls per second of the wall clock.
        cpu: Microseconds of this process' CPU per call.
    """

    rate: float
    cpu: float


async def drive(call: Call, seconds: float) -> Slice:
    """Make calls for some time, ``CONCURRENCY`` at a time, and return how fast it went.

    Calls begin until the time is over, and all of them are waited for.
    """
    calls = 0

    async def work() -> None:
        nonlocal calls
        while time.perf_counter() < until:
            calls += 1
            answer = await call(calls % PROVIDERS)
            assert len(answer) == len(NAMES)  # type: ignore[arg-type]

    # Nobody pays for the garbage of the one before.
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    until = wall + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Slice(calls / wall, cpu / calls * 1e6)


async def warm(call: Call) -> float:
    """Make calls until the rate rises no more, and return how many seconds it took."""
    began = time.perf_counter()
    best, flat = 0.0, 0
    while flat < FLAT and time.perf_counter() - began < WARM_UP_AT_MOST:
        rate = (await drive(call, WARM_UP_SLICE)).rate
        flat = 0 if rate > best * 1.05 else flat + 1
        best = max(best, rate)
    return time.perf_counter() - began


async def measure(url: str, rounds: int, seconds: float) -> dict[str, list[Slice]]:
    """Warm all clients up, and return the slices of each, one a round."""
    results: dict[str, list[Slice]] = {name: [] for name in CLIENTS}
    async with contextlib.AsyncExitStack() as stack:
        calls = {
            name: await stack.enter_async_context(client(url))
            for name, client in CLIENTS.items()
        }
        needed = await warm(calls[OURS])
        for name, call in calls.items():
            if name != OURS:
                await drive(call, needed)
        names = list(calls)
        # Those warmed up first have lost their connections since: a round for nothing.
        for number in range(rounds + 1):
            for name in names:
                done = await drive(calls[name], seconds)
                if number:
                    results[name].append(done)
            # Bare and ours stay neighbours, and each is the first of them in turn.
            names.reverse()
    return results


def main() -> None:
    """Measure all clients and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.7, help="of one slice")
    parser.add_argument("--uvloop", action="store_true", help="use uvloop for all")
    parser.add_argument("--check", action="store_true", help="fail below the goals")
    options = parser.parse_args()
    factory = None
    if options.uvloop:
        import uvloop  # noqa: PLC0415 - only if asked for

        factory = uvloop.new_event_loop
    with nginx() as url, asyncio.Runner(loop_factory=factory) as runner:
        results = runner.run(measure(url, options.rounds, options.seconds))
    loop = "uvloop" if options.uvloop else "asyncio"
    print(
        f"{len(ANSWER)} bytes an answer, concurrency {CONCURRENCY}, median of "
        f"{options.rounds} alternating slices of {options.seconds:g} s, {loop}, "
        f"Python {sys.version_info.major}.{sys.version_info.minor}, "
        f"aiohttp {aiohttp.__version__}, httpx {httpx.__version__}\n"
    )
    print(
        f"{'client':<22}{'calls/s':>9}{'ratio':>8}{'middle half':>14}"
        f"{'CPU us':>9}{'ratio':>8}"
    )
    ratios = {}
    for name, slices in results.items():
        pairs = list(zip(slices, results[BARE], strict=True))
        low, ratios[name], high = statistics.quantiles(
            (own.rate / bare.rate for own, bare in pairs), method="inclusive"
        )
        print(
            f"{name:<22}{statistics.median(s.rate for s in slices):>9.0f}"
            f"{ratios[name]:>8.2f}{low:>9.2f}-{high:.2f}"
            f"{statistics.median(s.cpu for s in slices):>9.0f}"
            f"{statistics.median(own.cpu / bare.cpu for own, bare in pairs):>8.2f}"
        )
    cost = statistics.median(
        own.rate / other.rate
        for own, other in zip(results[OURS], results[OPERATIONS], strict=True)
    )
    own = ratios[OURS]
    print(f"\n{own / ratios[HTTPX]:.0f} times httpx.AsyncClient")
    print(f"a call through operations costs {cost:.2f} of one through reporting")
    if options.check and (own < GOAL or own < 10 * ratios[HTTPX] or cost > MOST_COST):
        sys.exit(
            f"below the goal: {GOAL} of bare aiohttp, 10 times httpx.AsyncClient, "
            f"operations at most {MOST_COST} of reporting"
        )


if __name__ == "__main__":
    main()
