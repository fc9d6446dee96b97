"""A web app that people wait for, while a pull of two million rows runs in it.

A FastAPI app on uvicorn, in a process of its own, asks the API for each request it
gets: 200 a second, sent at their times whether or not the ones before are answered, so
a request that had to wait counts with its wait. They run for a while alone, then beside
``pool.pull`` into Parquet through the same pool, then beside the same rows as people
read them by hand on the event loop of an app, ``pandas.DataFrame(await r.json())``; in
turns, several rounds. The API is nginx in a process of its own.

What is printed are medians over the rounds of the 50th and 99th percentile of the time
until an answer, and of how late a timer of 5 ms came on the app's event loop.

Run: ``python benchmarks/web.py [--rounds 5] [--answers 10] [--rows 200000] [--check]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
IDLE, ALONE, PULL, BY_HAND = "idle", "alone", "beside a pull", "beside pandas"
# A pull may make people wait so many times as long, and a timer come so late.
GOALS = {"answers": 2.0, "lag": 3.0}
_TICK = 0.005
_SOURCES = [{"id": 1, "name": "Rows"}, {"id": 2, "name": "More rows"}]


def p(late: list[float], percent: int) -> float:
    """Return a percentile, in milliseconds."""
    return 1000 * statistics.quantiles(late, n=100)[percent - 1]


# -- the app ---------------------------------------------------------------------------


class App:
    """A web app with an endpoint for people, and some for this benchmark."""

    def __init__(self, url: str, providers: int) -> None:
        self.url = url
        self.providers = range(1, providers + 1)
        self.late: list[float] = []
        self.working: set[asyncio.Task[None]] = set()
        # However long somebody waits, it is counted.
        self.roster = HealthyRoster(lambda: pool_of(url), deadline=None)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Have the pool open, and note how late timers come."""
        async with self.roster.lifespan(app):
            ticking = asyncio.create_task(self.tick())
            yield
            ticking.cancel()

    async def tick(self) -> None:
        """Note how late each timer comes."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self.late.append(loop.time() - due)

    async def pull(self) -> None:
        """Pull all rows through the pool that answers people."""
        with tempfile.TemporaryDirectory() as folder:
            plan = PullPlan(self.providers, sources=["Rows"])
            report = await self.roster.pool.pull(plan, folder)
            assert report.complete and report.rows > len(self.providers) * 9, report

    async def by_hand(self) -> None:
        """Do the same as one does it by hand."""
        import pandas as pd  # noqa: PLC0415

        async with aiohttp.ClientSession() as session:
            for provider in self.providers:
                path = f"/HealthcareProvider/{provider}/Reporting/Datasources/1/Data"
                async with session.post(self.url + path) as answer:
                    frame = pd.DataFrame((await answer.json())["data"])
                with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
                    await asyncio.to_thread(frame.to_parquet, file.name)

    async def begin(self, way: str) -> None:
        """Begin to work; a request waits for nothing."""
        work = self.pull() if way == PULL else self.by_hand()
        self.working.add(asyncio.create_task(work))

    async def is_done(self) -> bool:
        """Return whether all work is done."""
        for task in [task for task in self.working if task.done()]:
            self.working.remove(task)
            task.result()
        return not self.working

    async def lag(self) -> list[float]:
        """Return how late timers came since the last time."""
        taken, self.late = self.late, []
        return taken


def made(url: str, providers: int) -> FastAPI:
    """Return the app."""
    own = App(url, providers)
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
def running(url: str, providers: int) -> Iterator[str]:
    """Run the app in a process of its own, and give its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "--serve", url, "--port", str(port)]
    with subprocess.Popen([*command, "--answers", str(providers)]) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


# -- the people ------------------------------------------------------------------------


class People:
    """Send requests at their times, and note how long each takes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def ask(self, due: float, took: list[float]) -> None:
        """Send one request, and note how long after its time the answer is there."""
        loop = asyncio.get_running_loop()
        async with self.session.get("/clinics/1/sources") as answer:
            assert answer.status == 200, await answer.text()  # noqa: PLR2004
            await answer.read()
        took.append(loop.time() - due)

    async def ask_until(self, done: Callable[[], Awaitable[bool]]) -> list[float]:
        """Send requests until something is done; return how long they took."""
        loop = asyncio.get_running_loop()
        took: list[float] = []
        due = loop.time()
        look_at = due + 0.5
        async with asyncio.TaskGroup() as group:
            while due < look_at or not await done():
                if due >= look_at:
                    look_at = due + 0.5
                await asyncio.sleep(due - loop.time())
                group.create_task(self.ask(due, took))
                due += 1 / PER_SECOND
        return took

    async def lag(self) -> list[float]:
        """Return how late timers came on the app's loop since the last time."""
        async with self.session.get("/lag") as answer:
            return list(await answer.json())

    async def phase(self, way: str, seconds: float) -> dict[str, float]:
        """Measure one way to spend some time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        await self.lag()
        took = []
        if way == IDLE:
            await asyncio.sleep(seconds)
        elif way == ALONE:
            took = await self.ask_until(lambda: _passed(until))
        else:
            async with self.session.post(f"/work/{way}"):
                pass
            took = await self.ask_until(self._is_done)
        late = await self.lag()
        numbers = {"lag p50": p(late, 50), "lag p99": p(late, 99)}
        numbers["seconds"] = loop.time() - until + seconds
        if took:
            numbers |= {"p50": p(took, 50), "p99": p(took, 99), "requests": len(took)}
        return numbers

    async def _is_done(self) -> bool:
        async with self.session.get("/work") as answer:
            assert answer.status == 200, await answer.text()  # noqa: PLR2004
            return bool(await answer.json())


async def _passed(until: float) -> bool:
    return asyncio.get_running_loop().time() >= until


async def measure(url: str, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Let the ways take turns; return what each round of each was."""
    found = []
    async with aiohttp.ClientSession(url) as session:
        people = People(session)
        for _ in range(600):
            try:
                await people.lag()
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        await people.phase(ALONE, 3.0)
        for number in range(rounds):
            for way in (IDLE, ALONE, PULL, BY_HAND):
                told = await people.phase(way, seconds)
                found.append({"round": number, "way": way, **told})
    return found


def medians(found: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the medians over the rounds, by way and what was measured."""
    middle: dict[str, dict[str, float]] = {}
    for way in (IDLE, ALONE, PULL, BY_HAND):
        rounds = [one for one in found if one["way"] == way]
        names = [name for name in rounds[0] if name not in {"round", "way"}]
        middle[way] = {n: statistics.median(one[n] for one in rounds) for n in names}
    return middle


def told(found: list[dict[str, Any]]) -> int:
    """Print the table; return how many goals were missed."""
    print(f"{'':16}{'requests':>9}{'p50':>8}{'p99 ms':>8}{'lag p50':>9}{'p99 ms':>8}")
    for way, one in medians(found).items():
        answers = "".join(
            f"{one[name]:>{width}.{digits}f}" if name in one else " " * width
            for name, width, digits in (
                ("requests", 9, 0),
                ("p50", 8, 1),
                ("p99", 8, 1),
            )
        )
        print(f"{way:16}{answers}{one['lag p50']:>9.1f}{one['lag p99']:>8.1f}")
    rounds = max(one["round"] for one in found) + 1
    by = {(one["round"], one["way"]): one for one in found}
    missed = 0
    for what, name, beside in (("answers", "p99", ALONE), ("lag", "lag p99", IDLE)):
        ratios = [by[n, PULL][name] / by[n, beside][name] for n in range(rounds)]
        ratio, goal = statistics.median(ratios), GOALS[what]
        missed += ratio > goal
        verdict = "ok" if ratio <= goal else "MISSED"
        print(
            f"{what}: p99 beside a pull {ratio:.2f} x {beside} (goal {goal:g}; "
            f"{min(ratios):.2f} to {max(ratios):.2f}) {verdict}"
        )
    return missed


def main() -> int:
    """Run all, or only the app."""
    parser = argparse.ArgumentParser(description="A web app beside a pull.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--answers", type=int, default=10, help="answers a pull reads")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of an answer")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a phase alone")
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        served = made(options.serve, options.answers)
        uvicorn.run(served, port=options.port, log_level="warning", access_log=False)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "rows.json"), options.rows)
        Path(folder, "answer.json").write_text(json.dumps(_SOURCES))
        columns = [{"name": one.name, "type": one.type} for one in fields()]
        detail = {**_SOURCES[0], "fields": columns, "parameters": []}
        Path(folder, "detail.json").write_text(json.dumps(detail))
        others = {"/Data": "rows.json", "/Datasources/[0-9]+": "detail.json"}
        with nginx(folder, others=others) as url, running(url, options.answers) as web:
            found = asyncio.run(measure(web, options.rounds, options.seconds))
    missed = told(found)
    return missed if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
