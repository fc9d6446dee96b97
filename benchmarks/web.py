"""A web app that people wait for, while a pull of two million rows runs in it.

A FastAPI app on uvicorn, in a process of its own, asks the API for each request it
gets. A client in another process sends 200 a second, at their times whether or not the
ones before are answered: a request that had to wait counts with its wait. In turns,
several rounds, the app does

- *nothing*: no request comes; how late timers are on an event loop that rests
- *requests*: they come, and nothing else is to be done
- *and a pull*: ``pool.pull`` into Parquet runs through the pool that answers them
- *and pandas*: on the same loop ``pandas.DataFrame(await r.json())`` reads one answer,
  as one does it by hand

The API is nginx in a process of its own. What is printed are medians over the rounds:
of the time until an answer, and of how late a timer of 5 ms came on the app's loop. A
ratio is that of two turns of the same round. Four processes that all have something to
do want more than two cores, and quiet ones: what waits for a core waits here too.

Run: ``python benchmarks/web.py [--rounds 5] [--rows 2000000] [--check]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from fastapi import Depends, FastAPI
from measured import pool_of
from rows import fields, write
from serving import nginx

from healthyroster_async import ProviderSession, PullPlan
from healthyroster_async.integrations.fastapi import HealthyRoster

PER_SECOND = 200
PROVIDERS = 10
NOTHING, ALONE, PULL, BY_HAND = "nothing", "requests", "and a pull", "and pandas"
WORK = {PULL: "pull", BY_HAND: "by-hand"}
# What is compared with what, and how many times as long it may be.
GOALS = (("answers, p99", "p99", ALONE, 2.0), ("lag, p99", "lag p99", NOTHING, 3.0))
_TICK = 0.005
_LOOK = 0.5
_OK = 200
_SOURCE = {"id": 1, "name": "Rows"}

Turn = dict[str, float]


# -- the app ---------------------------------------------------------------------------


class App:
    """A web app with an endpoint for people, and some for this benchmark."""

    def __init__(self, url: str, rows: int) -> None:
        self.url = url
        self.rows = rows
        self.late: list[float] = []
        self.working: asyncio.Task[None] | None = None
        self.roster = HealthyRoster(lambda: pool_of(url))

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Have the pool open, and note how late timers come."""
        async with self.roster.lifespan(app):
            ticking = asyncio.create_task(self.tick())
            yield
            ticking.cancel()

    async def tick(self) -> None:
        """Note how late each timer comes."""
        clock = time.perf_counter  # uvloop's own is a whole number of milliseconds
        while True:
            due = clock() + _TICK
            await asyncio.sleep(_TICK)
            self.late.append(clock() - due)

    async def pull(self) -> None:
        """Pull all rows through the pool that answers people."""
        with tempfile.TemporaryDirectory() as folder:
            plan = PullPlan(range(1, PROVIDERS + 1))
            report = await self.roster.pool.pull(plan, folder)
            assert report.complete, report.failed
            assert report.rows == self.rows * PROVIDERS

    async def by_hand(self) -> None:
        """Read one answer as one does it by hand, and write it."""
        import pandas as pd  # noqa: PLC0415 - a peer; the app needs none

        path = "/HealthcareProvider/1/Reporting/Datasources/1/Data"
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + path) as answer,
        ):
            frame = pd.DataFrame((await answer.json())["data"])
        assert len(frame) == self.rows
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            await asyncio.to_thread(frame.to_parquet, file.name)

    async def begin(self, way: str) -> None:
        """Begin to work; the request does not wait for it."""
        work = self.pull() if way == WORK[PULL] else self.by_hand()
        self.working = asyncio.create_task(work)

    async def is_done(self) -> bool:
        """Return whether the work is done."""
        if self.working is None or not self.working.done():
            return self.working is None
        self.working.result()
        return True

    async def lag(self) -> list[float]:
        """Return how late timers came since the last time."""
        taken, self.late = self.late, []
        return taken


def made(url: str, rows: int) -> FastAPI:
    """Return the app."""
    own = App(url, rows)
    app = FastAPI(lifespan=own.lifespan)
    own.roster.install(app)

    async def sources(
        clinic: ProviderSession = Depends(own.roster.session),  # noqa: B008
    ) -> list[str | None]:
        return [source.name for source in await clinic.reporting.data_sources()]

    app.add_api_route("/clinics/{provider_id}/sources", sources)
    app.add_api_route("/work/{way}", own.begin, methods=["POST"])
    app.add_api_route("/work", own.is_done)
    app.add_api_route("/lag", own.lag)
    return app


@contextmanager
def running(url: str, rows: int) -> Iterator[str]:
    """Run the app in a process of its own, and give its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "--serve", url, "--port", str(port)]
    # Else what it imports is compiled anew each time.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen([*command, "--rows", str(rows)], env=environment) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


# -- the people ------------------------------------------------------------------------


class People:
    """Send requests at their times, and note how long each takes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def get(self, path: str) -> Any:
        """Return what the app answers."""
        async with self.session.get(path) as answer:
            assert answer.status == _OK, await answer.text()
            return await answer.json()

    async def ask(self, due: float, took: list[float]) -> None:
        """Send one request, and note how long after its time the answer is there."""
        assert await self.get("/clinics/1/sources") == [_SOURCE["name"]]
        took.append(time.perf_counter() - due)

    async def ask_until(self, seconds: float, way: str) -> list[float]:
        """Send requests for a while, or until what the app works at is done."""
        took: list[float] = []
        began = due = time.perf_counter()
        looking: asyncio.Task[Any] | None = None
        done = False
        async with asyncio.TaskGroup() as group:
            for number in range(sys.maxsize):
                due = began + number / PER_SECOND
                if way not in WORK:
                    done = due - began >= seconds
                elif looking is None:
                    looking = group.create_task(self.get("/work"))
                elif looking.done():
                    done = looking.result()
                    looking = None if number % int(_LOOK * PER_SECOND) == 0 else looking
                if done:
                    break
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(self.ask(due, took))
        return took

    async def turn(self, way: str, seconds: float) -> Turn:
        """Have the app do one thing for a while; return what was measured."""
        await self.get("/lag")
        began = time.perf_counter()
        took: list[float] = []
        if way in WORK:
            async with self.session.post(f"/work/{WORK[way]}") as answer:
                assert answer.status == _OK, await answer.text()
        if way == NOTHING:
            await asyncio.sleep(seconds)
        else:
            took = await self.ask_until(seconds, way)
        numbers = {"seconds": time.perf_counter() - began, "requests": len(took)}
        for name, late in (("", took), ("lag ", await self.get("/lag"))):
            for percent in (50, 99) if late else ():
                numbers[f"{name}p{percent}"] = percentile(late, percent)
        numbers["worst"] = 1000 * max(took, default=0.0)
        return numbers


def percentile(late: list[float], percent: int) -> float:
    """Return a percentile of seconds, in milliseconds."""
    return 1000 * statistics.quantiles(late, n=100)[percent - 1]


async def measure(url: str, rounds: int, seconds: float) -> list[dict[str, Turn]]:
    """Return what was measured in each round, by what the app did."""
    found = []
    async with aiohttp.ClientSession(url) as session:
        people = People(session)
        for _ in range(600):
            try:
                await people.get("/lag")
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        await people.turn(ALONE, 2.0)
        ways = [NOTHING, ALONE, PULL, BY_HAND]
        for _ in range(rounds):
            found.append({way: await people.turn(way, seconds) for way in ways})
            ways.reverse()
    return found


def show(found: list[dict[str, Turn]]) -> int:
    """Print the table; return how many goals were missed."""
    names = {"requests": 0, "p50": 1, "p99": 1, "worst": 0, "lag p50": 2, "lag p99": 2}
    print(f"{'the app has':12}{'s':>6}" + "".join(f"{name:>10}" for name in names))
    for way in (NOTHING, ALONE, PULL, BY_HAND):
        turns = [one[way] for one in found]
        cells = ""
        for name, digits in {"seconds": 0, **names}.items():
            width = 6 if name == "seconds" else 10
            value = statistics.median(turn.get(name, 0.0) for turn in turns)
            cells += f"{value:>{width}.{digits}f}" if value else " " * width
        print(f"{way:12}{cells}")
    print()
    missed = 0
    for what, name, beside, most in GOALS:
        ratios = {
            way: [one[way][name] / one[beside][name] for one in found]
            for way in (ALONE, PULL, BY_HAND)
        }
        reached = statistics.median(ratios[PULL])
        missed += reached > most
        print(f"{'met    ' if reached <= most else 'NOT MET'} {what}, beside {beside}:")
        for way, many in ratios.items():
            said = f" (goal {most:g})" if way == PULL else ""
            print(
                f"        {way:12}{statistics.median(many):>7.2f} x{said}, "
                f"{min(many):.2f} to {max(many):.2f}"
            )
    return missed


def main() -> int:
    """Measure, or be the app."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of a pull")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn")
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = options.rows // PROVIDERS
    if options.serve:
        app = made(options.serve, rows)
        uvicorn.run(app, port=options.port, log_level="warning", access_log=False)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "rows.json"), rows)
        Path(folder, "answer.json").write_text(json.dumps([_SOURCE]))
        columns = [{"name": one.name, "type": one.type} for one in fields()]
        detail = {**_SOURCE, "fields": columns, "parameters": []}
        Path(folder, "detail.json").write_text(json.dumps(detail))
        others = {"/Data": "rows.json", "/Datasources/[0-9]+": "detail.json"}
        with nginx(folder, others=others) as url, running(url, options.rows) as web:
            found = asyncio.run(measure(web, options.rounds, options.seconds))
    missed = show(found)
    return missed if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
