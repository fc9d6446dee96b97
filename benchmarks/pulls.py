"""Whole pulls: this SDK beside its own stages alone, and what people write by hand.

50 providers x 9 data sources to Parquet, from an emulator in a process of its own; each
way runs in a fresh process, in turns. The stages are what a pull cannot be faster than:
reading and discarding all answers, decoding the same bytes from memory, and writing the
same tables; the goal is 0.85 of the rate of the slowest. Decoding alone has the threads
that a row stream has, one fewer than there are cores; a pull has the last one, too,
while nobody makes interactive calls.

Run: ``python benchmarks/pulls.py [--providers 50] [--rows 10000] [--rounds 5]``, with
``--without "dlt's REST source"`` where ``dlt[parquet]`` is not installed: no group of
dependencies has it, for it takes 100 MB. Its CPU is shown without the processes that it
starts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from healthyroster_async import ConnectionPool, PullPlan
from healthyroster_async._rows.frames import FrameBuilder
from healthyroster_async._rows.tables import TableReader
from healthyroster_async.emulator import Emulator
from healthyroster_async.models import DataSourceDetail

SOURCES = range(1, 10)
AT_ONCE = 8
GOAL = 0.85
_PIECE = 64 * 2**10


async def serve(providers: int, rows: int) -> None:
    """Run the emulator until stdin ends, and print how to reach it."""
    async with Emulator(providers=providers, rows=rows) as emulator:
        (own,) = emulator.credentials.values()
        (headers,) = [
            {
                emulator.contract().application_id_header: own.application_id,
                emulator.contract().application_secret_header: (
                    own.application_secret.reveal()
                ),
            }
        ]
        variables = {
            "HEALTHYROSTER_SWAGGER": emulator.swagger_url,
            "HEALTHYROSTER_SANDBOX_APPLICATION_ID": own.application_id,
            "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": own.application_secret.reveal(),
            "BENCH_URL": emulator.url,
            "BENCH_HEADERS": json.dumps(headers),
            "BENCH_PROVIDERS": str(providers),
        }
        print(json.dumps(variables), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def now() -> tuple[float, float]:
    """Return the clock, and the CPU time of this process."""
    return time.perf_counter(), time.process_time()


def since(began: tuple[float, float]) -> dict[str, float]:
    """Return what has passed of both."""
    wall, cpu = began
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def cells() -> list[tuple[int, int]]:
    """Return every provider and data source."""
    count = int(os.environ["BENCH_PROVIDERS"])
    return [(p, s) for s in SOURCES for p in range(1, count + 1)]


def path(provider: int, source: int) -> str:
    """Return where the rows of a cell are."""
    return f"/HealthcareProvider/{provider}/Reporting/Datasources/{source}/Data"


async def some_at_once(call: Callable[[int, int], Awaitable[int]]) -> int:
    """Do something for every cell, some at a time, and return the sum."""
    waiting = iter(cells())
    total = 0

    async def work() -> None:
        nonlocal total
        for provider, source in waiting:
            rows = await call(provider, source)
            total += rows

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return total


async def network(_: str) -> tuple[int, dict[str, float]]:
    """Read and discard everything."""
    headers = json.loads(os.environ["BENCH_HEADERS"])
    base = os.environ["BENCH_URL"]
    began = now()
    async with aiohttp.ClientSession(headers=headers) as session:

        async def read(provider: int, source: int) -> int:
            async with session.post(base + path(provider, source), json={}) as answer:
                async for _ in answer.content.iter_any():
                    pass
            return 0

        await some_at_once(read)
    return 0, since(began)


class Memory:
    """An answer that is in memory, for a reader that wants a connection."""

    def __init__(self, body: bytes) -> None:
        self.open, self.lines, self.closed, self.at, self.body = (
            True, False, False, 0, body,
        )  # fmt: skip
        self.request, self.source, self.bytes_read = None, self, 0
        self.most_rows = None

    def ended(self, *_: Any, **__: Any) -> None:
        """Nobody wants to hear."""

    async def repeat(self, _: Any, call: Callable[[], Awaitable[Any]]) -> Any:
        """Await a call once."""
        return await call()

    async def read(self, size: int) -> bytes:
        """Return the next bytes."""
        piece = self.body[self.at : self.at + size]
        self.at += size
        return piece

    def disconnect(self) -> None:
        """Do nothing."""

    leave = disconnect


async def _bodies() -> tuple[dict[int, bytes], dict[int, DataSourceDetail]]:
    """Return one answer of each data source, and what it is."""
    headers = json.loads(os.environ["BENCH_HEADERS"])
    bodies = {}
    async with aiohttp.ClientSession(headers=headers) as session:
        for source in SOURCES:
            url = os.environ["BENCH_URL"] + path(1, source)
            async with session.post(url, json={}) as answer:
                bodies[source] = await answer.read()
    pool = await asyncio.to_thread(ConnectionPool.from_environment)
    async with pool:
        details = {
            source: await pool.session(1).reporting.data_source(source)
            for source in SOURCES
        }
    return bodies, details


async def _table(body: bytes, detail: DataSourceDetail) -> pa.Table:
    declared = {f.name: f.type for f in detail.fields if f.name is not None}
    memory: Any = Memory(body)
    reader = TableReader(memory, FrameBuilder(declared), None, 2**24)
    return await reader.whole()


async def decode(_: str) -> tuple[int, dict[str, float]]:
    """Make tables of bytes that are in memory."""
    bodies, details = await _bodies()
    began = now()

    async def one(_: int, source: int) -> int:
        table = await _table(bodies[source], details[source])
        return int(table.num_rows)

    rows = await some_at_once(one)
    return rows, since(began)


async def write(folder: str) -> tuple[int, dict[str, float]]:
    """Write tables that are in memory."""
    bodies, details = await _bodies()
    tables = {s: await _table(bodies[s], details[s]) for s in SOURCES}

    def one(cell: tuple[int, int]) -> int:
        provider, source = cell
        file = Path(folder, f"{provider}-{source}.parquet")
        pq.write_table(tables[source], file, compression="zstd")
        with file.open("rb") as written:
            os.fsync(written.fileno())
        return int(tables[source].num_rows)

    def everything() -> int:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return sum(threads.map(one, cells()))

    began = now()
    rows = await asyncio.to_thread(everything)
    return rows, since(began)


async def ours(folder: str) -> tuple[int, dict[str, float]]:
    """Pull with this SDK."""
    plan = PullPlan(range(1, int(os.environ["BENCH_PROVIDERS"]) + 1))
    pool = await asyncio.to_thread(ConnectionPool.from_environment)
    began = now()
    async with pool:
        report = await pool.pull(plan, folder)
    return report.rows, since(began)


async def by_hand(folder: str) -> tuple[int, dict[str, float]]:
    """Pull with httpx and pandas, some at a time, as a careful script does."""
    headers = json.loads(os.environ["BENCH_HEADERS"])
    base = os.environ["BENCH_URL"]
    began = now()
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:

        def keep(answer: httpx.Response, file: Path) -> int:
            value = answer.json()
            rows = value if isinstance(value, list) else value["data"]
            frame = pd.DataFrame(rows)
            frame.to_parquet(file, compression="zstd")
            return len(frame)

        async def one(provider: int, source: int) -> int:
            answer = await client.post(base + path(provider, source), json={})
            answer.raise_for_status()
            file = Path(folder, f"{provider}-{source}.parquet")
            return await asyncio.to_thread(keep, answer, file)

        rows = await some_at_once(one)
    return rows, since(began)


async def with_dlt(folder: str) -> tuple[int, dict[str, float]]:
    """Pull with dlt's REST source: rows as they are, both cores, no nested tables."""
    os.environ |= {
        "EXTRACT__WORKERS": str(AT_ONCE),
        "EXTRACT__MAX_PARALLEL_ITEMS": str(2 * AT_ONCE),
        "NORMALIZE__WORKERS": str(os.cpu_count()),
        # Else one file, and one core, for all of a data source.
        "DATA_WRITER__FILE_MAX_ITEMS": "50000",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }
    # Typed nowhere, and nothing that whoever checks the types should have to install.
    dlt, rest = import_module("dlt"), import_module("dlt.sources.rest_api")

    def pull() -> tuple[int, dict[str, float]]:
        began = now()
        resources = [
            {
                "name": f"cell_{provider}_{source}",
                "table_name": f"source_{source}",
                "write_disposition": "append",
                "parallelized": True,
                "endpoint": {
                    "path": path(provider, source).lstrip("/"),
                    "method": "POST",
                    "json": {},
                    "paginator": "single_page",
                },
            }
            for provider, source in cells()
        ]
        client = {
            "base_url": os.environ["BENCH_URL"],
            "headers": json.loads(os.environ["BENCH_HEADERS"]),
        }
        found = rest.rest_api_source({"client": client, "resources": resources})
        found.max_table_nesting = 0
        pipeline = dlt.pipeline(
            "bench",
            destination=dlt.destinations.filesystem(bucket_url=f"file://{folder}"),
            dataset_name="rows",
            pipelines_dir=f"{folder}/.dlt",
        )
        pipeline.run(found, loader_file_format="parquet").raise_on_failed_jobs()
        counts = pipeline.last_trace.last_normalize_info.row_counts
        rows = sum(n for name, n in counts.items() if not name.startswith("_"))
        return rows, since(began)

    return await asyncio.to_thread(pull)


WAYS = {
    "network alone": network,
    "decoding alone": decode,
    "writing alone": write,
    "ours: pool.pull": ours,
    "httpx and pandas": by_hand,
    "dlt's REST source": with_dlt,
}


def work(name: str, folder: str) -> None:
    """Do one way, and print what it took."""
    rows, took = asyncio.run(WAYS[name](folder))
    print(json.dumps({"rows": rows, **took}))


def main() -> None:
    """Measure all ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--providers", type=int, default=50)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--without", nargs="*", default=[], choices=WAYS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(*options.serve))
        return
    if options.work:
        work(*options.work)
        return
    expected = options.providers * len(SOURCES) * options.rows
    ways = [way for way in WAYS if way not in options.without]
    results: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    server = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        [*server, str(options.providers), str(options.rows)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        variables = {**os.environ, **json.loads(process.stdout.readline())}
        for number in range(options.rounds):
            for way in ways if number % 2 else reversed(ways):
                with tempfile.TemporaryDirectory() as folder:
                    command = [sys.executable, __file__, "--work", way, folder]
                    done = subprocess.run(
                        command, capture_output=True, check=True, env=variables
                    )
                results[way].append(json.loads(done.stdout))
                assert results[way][-1]["rows"] in {0, expected}, results
        process.communicate()
    print(
        f"{options.providers} providers x {len(SOURCES)} data sources x "
        f"{options.rows:,} rows, median of {options.rounds}\n"
    )
    print(f"{'way':<20}{'wall s':>8}{'rows/s':>12}{'CPU/wall':>10}")
    walls = {}
    for way, runs in results.items():
        walls[way] = wall = statistics.median(r["wall"] for r in runs)
        used = statistics.median(r["cpu"] / r["wall"] for r in runs)
        print(f"{way:<20}{wall:>8.2f}{expected / wall:>12,.0f}{used:>10.2f}")
    stages = {way: wall for way, wall in walls.items() if way.endswith("alone")}
    slowest = max(stages, key=lambda way: stages[way])
    share = stages[slowest] / walls["ours: pool.pull"]
    met = "met" if share >= GOAL else "NOT MET"
    print(f"\n{share:.2f} of the rate of {slowest}, the slowest (goal {GOAL}): {met}")
    for way in ways[list(WAYS).index("ours: pool.pull") + 1 :]:
        print(f"{walls[way] / walls['ours: pool.pull']:.1f} times as fast as {way}")


if __name__ == "__main__":
    main()
