"""Does a pull that is killed at any instant end as one that was not?

Pulls in processes of their own are killed with SIGKILL, each in a new folder: at random
instants, and before and after every step that changes the folder (a file is synced or
given its name, DuckDB's rows are exchanged, the journal is told). Then

- what lies there under a final name must be whole: the very rows of its provider, data
  source and window;
- the same pull is run again, and all rows must be the emulator's, each once, with no
  file left over.

Half of the pulls have windows of a month, half windows that are fitted to their rows,
in files of Parquet and NDJSON and in one of DuckDB. It ends with 1 if anything else is
seen.

    python benchmarks/kills.py [--kills 100] [--seed 1]

"In the middle" is who was killed when some of its partitions were there and some not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import killing
import pyarrow.parquet as pq
from attrs import astuple, define, evolve, frozen

from healthyroster_async import ConnectionPool, PullPlan
from healthyroster_async._core.date_ranges import UNITS, windows
from healthyroster_async.emulator import Emulator
from healthyroster_async.pull._destination import DUCKDB

PROVIDERS, ROWS = 4, 500
SOURCES = {"Patients": 1, "Encounters": 2, "Teams": 8}
SINCE, UNTIL = date(2025, 1, 1), date(2025, 5, 1)
PLAN: dict[str, Any] = {
    "providers": list(range(1, PROVIDERS + 1)),
    "sources": list(SOURCES),
    "since": SINCE.isoformat(),
    "until": UNTIL.isoformat(),
}
WAYS = [
    {"format": file_format, "window": window}
    for window in ("month", 100)
    for file_format in ("parquet", "ndjson", "duckdb")
]
AT_ONCE = 2
ALL = {one.key: one for unit in UNITS for one in windows(SINCE, UNTIL, unit)}
# Data source, provider and window, as the names of folders have them.
Key: TypeAlias = tuple[str, str, str]
Rows: TypeAlias = Counter[tuple[tuple[str, str], ...]]


@frozen
class Kill:
    """Where a pull is to die: at a step, or some seconds after so many steps."""

    way: dict[str, Any]
    step: str | None = None
    number: int = 0
    seconds: float = 0.0


@frozen
class Usual:
    """What a pull does that nobody kills: its seconds and its steps."""

    seconds: float
    steps: dict[str, int]

    def instant(self, way: dict[str, Any], rng: random.Random) -> Kill:
        """Return a random instant, of whatever speed a pull has this time."""
        total = sum(self.steps.values())
        seconds = rng.uniform(0.0, 2.0 * self.seconds / total)
        return Kill(way, number=rng.randrange(total), seconds=seconds)


@define
class Seen:
    """What was seen of kills."""

    killed: int = 0
    middle: int = 0
    partial: int = 0
    lost: int = 0
    twice: int = 0
    left: int = 0


def counted(rows: Iterable[dict[str, Any]]) -> Rows:
    """Return rows as text, with how often each is there."""
    return Counter(
        tuple(sorted((k, str(v)) for k, v in row.items() if v is not None))
        for row in rows
    )


class Expected:
    """What the API itself gives, window by window."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._known: dict[tuple[bool, Key], Rows] = {}

    async def rows(self, key: Key, *, typed: bool) -> Rows:
        """Return the rows of a window, with the types of a table or those of JSON."""
        if (typed, key) not in self._known:
            source, provider, window = key
            start, stop = ALL[window].start, ALL[window].stop
            rows = self._pool.session(int(provider)).reporting.rows(
                SOURCES[source],
                StartDate=start.isoformat(),
                EndDate=(stop - timedelta(days=1)).isoformat(),
            )
            came = (
                (await rows.to_arrow()).to_pylist() if typed else await rows.to_list()
            )
            self._known[typed, key] = counted(came)
        return self._known[typed, key]

    async def everything(self, *, typed: bool) -> Rows:
        """Return all rows of the plan; the cells differ in them."""
        every: Rows = Counter()
        for source in SOURCES:
            for provider in PLAN["providers"]:
                key = source, str(provider), "2025"
                every += await self.rows(key, typed=typed)
        return every


def lying(folder: Path, file_format: str) -> Iterator[tuple[Key, Rows | None]]:
    """Yield what lies in a folder under a final name; ``None`` if it is no whole file.

    Nothing is changed there: DuckDB would mend a file that it opens.
    """
    if file_format == "duckdb":
        yield from _in_duckdb(folder)
        return
    for file in folder.glob(f"source=*/provider=*/window=*/rows.{file_format}"):
        source, provider, window = (p.partition("=")[2] for p in file.parts[-4:-1])
        rows: Rows | None = None
        with contextlib.suppress(Exception):
            if file_format == "parquet":
                rows = counted(pq.ParquetFile(file).read().to_pylist())
            else:
                rows = counted(map(json.loads, file.read_text().splitlines()))
        yield (source, provider, window), rows


def _in_duckdb(folder: Path) -> Iterator[tuple[Key, Rows | None]]:
    if not (folder / DUCKDB).exists():
        return
    with tempfile.TemporaryDirectory() as copy:
        for file in folder.glob(f"{DUCKDB}*"):
            shutil.copy(file, copy)
        found: dict[Key, list[dict[str, Any]]] = {}
        with duckdb.connect(f"{copy}/{DUCKDB}") as db:
            for (source,) in db.sql("SELECT name FROM (SHOW TABLES)").fetchall():
                for row in db.sql(f'FROM "{source}"').to_arrow_table().to_pylist():
                    key = source, row.pop("_provider"), row.pop("_window")
                    found.setdefault(key, []).append(row)
    for key, rows in found.items():
        yield key, counted(rows)


def left_over(folder: Path) -> int:
    """Return how many files lie in a folder that belong to nothing."""
    known = {"rows.parquet", "rows.ndjson", DUCKDB, "journal.sqlite", "summary.json"}
    return sum(file.is_file() and file.name not in known for file in folder.rglob("*"))


class Killer:
    """Kills pulls from one emulator, and looks at what they leave."""

    def __init__(self, emulator: Emulator, pool: ConnectionPool) -> None:
        (own,) = emulator.credentials.values()
        self._variables = {
            **os.environ,
            "HEALTHYROSTER_SWAGGER": emulator.swagger_url,
            "HEALTHYROSTER_SANDBOX_APPLICATION_ID": own.application_id,
            "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": own.application_secret.reveal(),
        }
        self._pool = pool
        self._expected = Expected(pool)

    async def usual(self, way: dict[str, Any]) -> Usual:
        """Return what a pull does that nobody kills."""
        with tempfile.TemporaryDirectory() as folder:
            async with self._child(folder, way, "-", 0) as process:
                told = await process.stdout.read()
                assert await process.wait() == 0, "a pull failed that nobody killed"
        return Usual(**json.loads(told.lstrip(b".")))

    async def kill(self, kill: Kill, seen: Seen) -> bool:
        """Kill a pull and run it again; return whether it lived until it was killed."""
        with tempfile.TemporaryDirectory() as folder:
            step = kill.step or "-"
            async with self._child(folder, kill.way, step, kill.number) as process:
                if kill.step is None:
                    with contextlib.suppress(asyncio.IncompleteReadError):
                        await process.stdout.readexactly(kill.number)
                    await asyncio.sleep(kill.seconds)
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                await process.stdout.read()
                code = await process.wait()
            if code != -signal.SIGKILL:
                assert code == 0, f"a pull ended with {code}"
                return False
            seen.killed += 1
            await self._look(Path(folder), kill.way, seen)
        return True

    async def _look(self, folder: Path, way: dict[str, Any], seen: Seen) -> None:
        file_format = way["format"]
        typed = file_format != "ndjson"
        there = await asyncio.to_thread(list, lying(folder, file_format))
        for key, rows in there:
            seen.partial += rows != await self._expected.rows(key, typed=typed)

        report = await self._pool.pull(PullPlan(**PLAN, **way), folder)
        assert report.complete, report.failed
        seen.middle += bool(report.kept and report.done)
        there = await asyncio.to_thread(list, lying(folder, file_format))
        found = sum((rows for _, rows in there if rows is not None), Counter())
        expected = await self._expected.everything(typed=typed)
        seen.lost += (expected - found).total()
        seen.twice += (found - expected).total()
        seen.left += await asyncio.to_thread(left_over, folder)

    @asynccontextmanager
    async def _child(
        self, folder: str, way: dict[str, Any], step: str, number: int
    ) -> AsyncIterator[Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *killing.command(Path(folder), {**PLAN, **way}, step, number),
            env=self._variables,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        await process.stdout.readline()
        yield process


def steps_of(usual: list[Usual], rng: random.Random) -> Iterator[Kill]:
    """Yield every step of every format once, of one of the ways that take it."""
    for file_format in {way["format"]: None for way in WAYS}:
        for step, when in product(killing.STEPS, ("before", "after")):
            able = [
                (way, one.steps[step])
                for way, one in zip(WAYS, usual, strict=True)
                if way["format"] == file_format and one.steps[step]
            ]
            for way, times in rng.sample(able, min(1, len(able))):
                yield Kill(way, f"{when} {step}", rng.randint(1, times))


async def measure(kills: int, seed: int) -> dict[str, Seen]:
    """Kill, and return what was seen, by where."""
    rng = random.Random(seed)
    seen: dict[str, Seen] = {}
    async with (
        Emulator(providers=PROVIDERS, rows=ROWS, latency=0.05) as emulator,
        emulator.pool() as pool,
    ):
        killer = Killer(emulator, pool)
        usual = [await killer.usual(way) for way in WAYS]
        wanted = list(steps_of(usual, rng))
        for number in range(kills):
            at = number % len(WAYS)
            wanted.append(usual[at].instant(WAYS[at], rng))
        rng.shuffle(wanted)

        async def work() -> None:
            while wanted:
                kill = wanted.pop()
                way = f"{kill.way['format']}, {kill.way['window']}"
                mine = seen.setdefault(kill.step or f"any instant ({way})", Seen())
                if await killer.kill(kill, mine):
                    continue
                # It was over before.
                if kill.step is None:
                    again = usual[WAYS.index(kill.way)].instant(kill.way, rng)
                else:
                    again = evolve(kill, number=max(1, kill.number // 2))
                wanted.append(again)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
    return seen


def main() -> None:
    """Kill and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="at random instants")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seen = asyncio.run(measure(options.kills, options.seed))
    heads = ("killed", "in the middle", "partial files", "rows lost", "rows twice")
    print(
        f"pulls of {PROVIDERS} providers x {len(SOURCES)} data sources x "
        f"{ROWS:,} rows, seed {options.seed}\n"
    )
    print(f"{'where':<30}" + "".join(f"{head:>15}" for head in (*heads, "left over")))
    every = [sum(column) for column in zip(*map(astuple, seen.values()), strict=True)]
    for where, values in [
        *sorted((w, astuple(s)) for w, s in seen.items()),
        ("all", every),
    ]:
        print(f"{where:<30}" + "".join(f"{value:>15,}" for value in values))
    sys.exit(1 if any(every[2:]) else 0)


if __name__ == "__main__":
    main()
