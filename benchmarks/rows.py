"""Rows into something useful: this SDK beside what people write by hand.

The answer has 200,000 rows of 40 columns, about 200 MB of JSON, inside an envelope. The
server is nginx in a process of its own; each way runs in a fresh process, in turns. CPU
and wall are those of the work alone; memory is the peak above the process before it;
lag is how late a timer of 1 ms on the event loop came (p99), beside that of the loop
when nothing else runs. What is printed are medians, ratios to the first way named, and
which goals are met.

Two ways are floors: reading and discarding all, and having pyarrow read the same
prepared part again for every 4 MiB that came, with no cutting and no check. A loop that
sleeps until a timer counts whole milliseconds: if it is woken meanwhile, that timer
comes up to 1 ms late, whether there was anything to do or not.

Run: ``python benchmarks/rows.py [--rows 200000] [--rounds 5] [--codings plain]``, or
``--rows 2000000 --only ours`` for what does not fit into memory as a whole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import random
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import orjson
from measured import pool_of
from memory import peak_mb
from serving import nginx

from healthyroster_async.models import DataSourceDetail, DataSourceField

COLUMNS = 40
PREPARED = 4 * 2**20
HEAD, TAIL = b'{"totalCount":0,"data":[', b"]}"
KINDS = (
    "integer",
    "number",
    "string",
    "date",
    "boolean",
    "date-time",
    "string",
    "enum",
)
WORDS = ("Soccer", "Basketball", "Rowing", "Track & Field")


def fields() -> tuple[DataSourceField, ...]:
    """Return the columns, as the data source would name them."""
    return tuple(
        DataSourceField(name=f"column{n}Name", type=KINDS[n % len(KINDS)])
        for n in range(COLUMNS)
    )


def write(path: Path, rows: int) -> None:
    """Write an answer; every value is made up."""
    rng = random.Random(1)
    made = []
    for _ in range(2000):
        row: dict[str, Any] = {}
        for n in range(COLUMNS):
            kind = KINDS[n % len(KINDS)]
            day = f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
            row[f"column{n}Name"] = {
                "integer": rng.randint(0, 10**6),
                "number": round(rng.random() * 100, 3),
                "string": "".join(rng.choices(string.ascii_letters, k=14)),
                "date": day,
                "boolean": rng.choice([True, False, None]),
                "date-time": f"{day}T08:30:{rng.randint(10, 59)}.123Z",
                "enum": rng.choice(WORDS),
            }[kind]
        made.append(orjson.dumps(row))
    with path.open("wb") as file:
        file.write(HEAD)
        for n in range(rows):
            file.write((b"," if n else b"") + made[n % len(made)])
        file.write(TAIL)


@contextlib.asynccontextmanager
async def stream(url: str) -> Any:
    """Open the rows with this SDK."""
    async with pool_of(url) as pool:
        yield pool.session(1).reporting.rows(DataSourceDetail(id=1, fields=fields()))


async def body(url: str) -> bytes:
    """Read the whole answer with aiohttp."""
    path = "/HealthcareProvider/1/Reporting/Datasources/1/Data"
    async with aiohttp.ClientSession() as session, session.post(url + path) as answer:
        return await answer.read()


async def discard(url: str) -> int:
    """Read the answer, and make nothing of it."""
    size = 0
    path = "/HealthcareProvider/1/Reporting/Datasources/1/Data"
    async with aiohttp.ClientSession() as session, session.post(url + path) as answer:
        async for piece in answer.content.iter_any():
            size += len(piece)
    return 0


async def pyarrow_alone(url: str) -> int:
    """Read the answer, and a part that lies ready as often as there are parts."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.json as reader  # noqa: PLC0415

    types = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    row = [(field.name, types.get(field.type or "", pa.string())) for field in fields()]
    schema = pa.schema([("rows", pa.list_(pa.struct(row)))])
    size, held, part = 0, b"", b""
    path = "/HealthcareProvider/1/Reporting/Datasources/1/Data"
    async with aiohttp.ClientSession() as session, session.post(url + path) as answer:
        async for piece in answer.content.iter_any():
            size += len(piece)
            if not part:
                held += piece
                if len(held) >= PREPARED:
                    end = held.rindex(b"},{") + 1
                    part = b'{"rows":[' + held[len(HEAD) : end] + b"]}"
            if part and size >= len(part):
                size -= len(part)
                reader.read_json(
                    pa.BufferReader(part),
                    reader.ReadOptions(use_threads=False, block_size=len(part) + 1),
                    reader.ParseOptions(explicit_schema=schema),
                )
    return 0


async def ours_rows(url: str) -> int:
    """Go through the rows as dicts."""
    count = 0
    async with stream(url) as rows, rows:
        async for _ in rows:
            count += 1
    return count


async def ours_batches(url: str) -> int:
    """Go through record batches."""
    count = 0
    async with stream(url) as rows, rows:
        async for batch in rows.batches():
            count += batch.num_rows
    return count


async def ours_arrow(url: str) -> int:
    """Make an Arrow table."""
    async with stream(url) as rows:
        return (await rows.to_arrow()).num_rows  # type: ignore[no-any-return]


async def ours_polars(url: str) -> int:
    """Make a polars frame."""
    async with stream(url) as rows:
        return (await rows.to_polars()).height  # type: ignore[no-any-return]


async def ours_parquet(url: str) -> int:
    """Write a Parquet file."""
    with tempfile.TemporaryDirectory() as folder:
        async with stream(url) as rows:
            return await rows.to_parquet(Path(folder, "rows.parquet"))  # type: ignore[no-any-return]


async def whole_orjson(url: str) -> int:
    """Parse the whole answer with orjson."""
    return len(orjson.loads(await body(url))["data"])


async def orjson_polars(url: str) -> int:
    """Make a polars frame of what orjson parsed."""
    import polars as pl  # noqa: PLC0415 - a peer in its own process

    return pl.DataFrame(orjson.loads(await body(url))["data"]).height


async def pandas_json(url: str) -> int:
    """Make a pandas frame of ``await response.json()``."""
    import pandas as pd  # noqa: PLC0415

    path = "/HealthcareProvider/1/Reporting/Datasources/1/Data"
    async with aiohttp.ClientSession() as session, session.post(url + path) as answer:
        return len(pd.DataFrame((await answer.json())["data"]))


async def polars_ndjson(url: str) -> int:
    """Have polars read the whole answer, made NDJSON: the fastest reader there is."""
    import polars as pl  # noqa: PLC0415

    raw = await body(url)
    border = b'},{"column0Name"'
    lines = raw[len(HEAD) : -len(TAIL)].replace(border, b"}\n" + border[2:])
    return pl.read_ndjson(lines).height


WAYS: dict[str, Callable[[str], Awaitable[int]]] = {
    "pandas of json()": pandas_json,
    "orjson, then polars": orjson_polars,
    "polars NDJSON, whole body": polars_ndjson,
    "ours: to_arrow": ours_arrow,
    "ours: to_polars": ours_polars,
    "ours: batches": ours_batches,
    "ours: to_parquet": ours_parquet,
    "orjson, whole body": whole_orjson,
    "ours: rows": ours_rows,
    "floor: read and discard": discard,
    "floor: that and pyarrow": pyarrow_alone,
}
_IMPORTS = ("pandas", "polars", "pyarrow.parquet", "pyarrow.json", "pyarrow.compute")


async def lag(until: asyncio.Future[None] | float) -> list[float]:
    """Return how late a timer of 1 ms came, in seconds, again and again."""
    late = []
    loop = asyncio.get_running_loop()
    ends = loop.time() + until if isinstance(until, float) else None
    while loop.time() < ends if ends is not None else not until.done():  # type: ignore[union-attr]
        began = loop.time()
        await asyncio.sleep(0.001)
        late.append(loop.time() - began - 0.001)
    return late


async def work(name: str, url: str) -> dict[str, float]:
    """Do one way, and measure it."""
    import importlib  # noqa: PLC0415

    for module in _IMPORTS:  # none pays for what another would import
        importlib.import_module(module)
    idle = await lag(0.5)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ticking = asyncio.create_task(lag(done))
    before = peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    rows = await WAYS[name](url)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_mb()
    done.set_result(None)
    late = await ticking
    return {
        "rows": rows,
        "wall": wall,
        "cpu": cpu,
        "memory": peak - before,
        "lag": statistics.quantiles(late, n=100)[98] * 1000
        if len(late) > 1
        else wall * 1000,
        "idle": statistics.quantiles(idle, n=100)[98] * 1000,
    }


Medians: TypeAlias = dict[str, dict[str, float]]
CODINGS = ("plain", "gzip", "zstd")
_MEMORY = {"rows": 8, "batches": 64, "to_parquet": 100}
_MOST = {
    "pandas of json()": {"cpu": 1 / 3.3, "wall": 1 / 3.3, "memory": 1 / 3},
    "orjson, then polars": {"cpu": 1 / 1.7, "wall": 1 / 1.7, "memory": 1 / 3},
    "polars NDJSON, whole body": {"cpu": 1.4, "wall": 1.3},
}


def goals(medians: Medians) -> Iterator[tuple[str, dict[str, tuple[float, float]]]]:
    """Yield what is to be reached: its name, and values with the most they may be."""
    for name, most in _MEMORY.items():
        if own := medians.get(f"ours: {name}"):
            yield f"{name}: memory above idle", {"MB": (own["memory"], most)}
    beside = [(f"ours: {n}", p) for p in _MOST for n in ("to_arrow", "to_polars")]
    for way, peer in [*beside, ("ours: rows", "orjson, whole body")]:
        if way in medians and peer in medians:
            own, other = medians[way], medians[peer]
            most_ = _MOST.get(peer, {"cpu": 1.0})
            yield (
                f"{way[6:]}, as a share of {peer}",
                {what: (own[what] / other[what], most) for what, most in most_.items()},
            )
    for way, own in medians.items():
        if way.startswith("ours"):
            yield f"{way[6:]}: lag", {"idle loops'": (own["lag"] / own["idle"], 3)}


def measured(url: str, chosen: list[str], options: argparse.Namespace) -> Medians:
    """Do all ways in turns and return the medians."""
    results: dict[str, list[dict[str, float]]] = {way: [] for way in chosen}
    # Else what they import is compiled anew in each process.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    for number in range(options.rounds):
        for way in chosen if number % 2 else reversed(chosen):
            command = [sys.executable, __file__, "--work", way, url]
            done = subprocess.run(command, stdout=-1, check=True, env=environment)
            results[way].append(json.loads(done.stdout))
            assert results[way][-1]["rows"] in {options.rows, 0}
    return {
        way: {key: statistics.median(r[key] for r in runs) for key in runs[0]}
        for way, runs in results.items()
    }


def show(medians: Medians) -> None:
    """Print the table, and whether each goal is met."""
    head = f"{'way':<28}{'CPU s':>8}{'ratio':>7}{'wall s':>8}{'ratio':>7}"
    print(f"{head}{'MB':>8}{'lag p99':>9}{'idle':>6} ms")
    base = next(iter(medians.values()))
    for way, middle in medians.items():
        print(
            f"{way:<28}{middle['cpu']:>8.2f}{base['cpu'] / middle['cpu']:>7.2f}"
            f"{middle['wall']:>8.2f}{base['wall'] / middle['wall']:>7.2f}"
            f"{middle['memory']:>8.0f}{middle['lag']:>9.1f}{middle['idle']:>6.1f}"
        )
    print()
    for name, values in goals(medians):
        said = ", ".join(
            f"{what} {value:.2f} (at most {most:.2f})"
            for what, (value, most) in values.items()
        )
        met = all(value <= most for value, most in values.values())
        print(f"{'met    ' if met else 'NOT MET'} {name}: {said}")


def packed(answer: Path, coding: str) -> Path:
    """Return the answer, compressed as a server would."""
    if coding == "plain":
        return answer
    made = answer.with_name(f"answer.{coding}")
    with answer.open("rb") as source, made.open("wb") as file:
        if coding == "gzip":
            with gzip.open(file, "wb", compresslevel=6) as packing:
                shutil.copyfileobj(source, packing, 2**20)
        else:
            from backports import zstd  # noqa: PLC0415 - aiohttp needs it too

            with zstd.open(file, "wb") as packing_:
                shutil.copyfileobj(source, packing_, 2**20)
    return made


def main() -> None:
    """Measure all ways and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--codings", nargs="*", choices=CODINGS, default=CODINGS)
    parser.add_argument("--only", nargs="*", help="ways, by a part of their names")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(asyncio.run(work(*options.work))))
        return
    chosen = [
        way for way in WAYS if not options.only or any(o in way for o in options.only)
    ]
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        write(answer, options.rows)
        size = answer.stat().st_size
        for coding in options.codings:
            name = packed(answer, coding).name
            says = None if coding == "plain" else coding
            with nginx(folder, name=name, coding=says) as url:
                medians = measured(url, chosen, options)
            print(
                f"\n{options.rows:,} rows of {COLUMNS} columns, {size / 1e6:.0f} MB, "
                f"{coding}, median of {options.rounds}\n"
            )
            show(medians)


if __name__ == "__main__":
    main()
