"""Small endpoint calls: this SDK beside bare aiohttp and httpx.

A call asks for the data sources of a provider, 1.5 KB of JSON. The server is nginx in a
process of its own, the answer a file in memory. Every client makes the same calls, 100
at a time, in alternating runs; what is printed are medians and ratios to bare aiohttp.

Bare aiohttp is what people write by hand: a session with the two headers, ``get`` and
``json()``. Well-set aiohttp is the most that its public API gives. The SDK has all its
policies on and gives models.

Run: ``python benchmarks/calls.py [--runs 7] [--calls 4000] [--uvloop]``
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
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

from healthyroster_async import ConnectionPool, Contract, Credentials, Environment

CONCURRENCY = 100
GOAL = 0.9
PROVIDERS = 300
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
    contract = Contract(
        base_urls={Environment.SANDBOX: url},
        application_id_header="X-Application-Id",
        application_secret_header="X-Application-Secret",
    )
    async with ConnectionPool(
        {Environment.SANDBOX: Credentials("bench-app", "bench-secret")},
        contract=contract,
    ) as pool:

        def call(provider: int) -> Awaitable[object]:
            return pool.session(provider or 1).reporting.data_sources()

        yield call


CLIENTS: dict[str, Client] = {
    "bare aiohttp": bare,
    "healthyroster-async": ours,
    "well-set aiohttp": well_set,
    "httpx.AsyncClient": httpx_client,
}


@attrs.frozen
class Run:
    """One client's run.

    Attributes:
        rate: Calls per second of the wall clock.
        cpu: Microseconds of this process' CPU per call.
    """

    rate: float
    cpu: float


async def measure(client: Client, url: str, calls: int) -> Run:
    """Make calls, and return how fast it went."""
    async with client(url) as call:
        await drive(call, 2 * CONCURRENCY)
        wall, cpu = time.perf_counter(), time.process_time()
        await drive(call, calls)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Run(calls / wall, cpu / calls * 1e6)


async def drive(call: Call, calls: int) -> None:
    """Make calls, ``CONCURRENCY`` at a time."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            answer = await call(number % PROVIDERS)
            assert len(answer) == len(NAMES)  # type: ignore[arg-type]

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work())


def main() -> None:
    """Measure all clients and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--uvloop", action="store_true", help="use uvloop for all")
    parser.add_argument("--check", action="store_true", help="fail below the goals")
    options = parser.parse_args()
    factory = None
    if options.uvloop:
        import uvloop  # noqa: PLC0415 - only if asked for

        factory = uvloop.new_event_loop
    results: dict[str, list[Run]] = {name: [] for name in CLIENTS}
    with nginx() as url:
        for _ in range(options.runs):
            for name, client in CLIENTS.items():
                calls = options.calls // (10 if client is httpx_client else 1)
                with asyncio.Runner(loop_factory=factory) as runner:
                    results[name].append(runner.run(measure(client, url, calls)))
    loop = "uvloop" if options.uvloop else "asyncio"
    print(
        f"{options.calls} calls of {len(ANSWER)} bytes, concurrency {CONCURRENCY}, "
        f"median of {options.runs} alternating runs, {loop}, "
        f"Python {sys.version_info.major}.{sys.version_info.minor}, "
        f"aiohttp {aiohttp.__version__}, httpx {httpx.__version__}\n"
    )
    print(f"{'client':<22}{'calls/s':>9}{'ratio':>8}{'spread':>14}{'CPU us':>9}")
    ratios = {}
    for name, runs in results.items():
        against = [
            run.rate / base.rate
            for run, base in zip(runs, results["bare aiohttp"], strict=True)
        ]
        ratios[name] = statistics.median(against)
        print(
            f"{name:<22}{statistics.median(r.rate for r in runs):>9.0f}"
            f"{ratios[name]:>8.2f}{min(against):>8.2f}-{max(against):.2f}"
            f"{statistics.median(r.cpu for r in runs):>9.0f}"
        )
    own = ratios["healthyroster-async"]
    print(f"\n{own / ratios['httpx.AsyncClient']:.0f} times httpx.AsyncClient")
    if options.check and (own < GOAL or own < 10 * ratios["httpx.AsyncClient"]):
        sys.exit(
            f"below the goal: {GOAL} of bare aiohttp and 10 times httpx.AsyncClient"
        )


if __name__ == "__main__":
    main()
