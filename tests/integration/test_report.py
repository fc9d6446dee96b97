"""A report of what really happened: its numbers, its secrets, the command."""

import asyncio
import datetime as dt
import json
import os
import re
import signal
import sys
import time
import xml.etree.ElementTree as ET

import pytest

from healthyroster_async import (
    Budget,
    ConfigurationError,
    Environment,
    HealthyRosterError,
    PacingSettings,
    PullPlan,
)
from healthyroster_async.emulator import Emulator, Fault

DATES = {"since": "2025-01-01", "until": "2025-04-01"}
COMMAND = [sys.executable, "-m", "healthyroster_async", "pull"]


def figures(html):
    """Return the key figures of a page by their names."""
    root = ET.fromstring(html.partition("\n")[2])
    return {
        div.find("dt").text: div.find("dd/b").text
        for element in root.iter("dl")
        for div in element.iter("div")
    }


def recording(report):
    return report._data.recording


@pytest.fixture
def troubled():
    """Make an API that pauses, fails now and then, and denies two providers."""
    return Emulator(
        providers=5,
        rows=400,
        denied=[(2, "*"), (3, "rows")],
        faults=[
            Fault(kind="status", status=429, retry_after="1", provider=5, times=1),
            Fault(kind="status", status=503, endpoint="rows", every=4),
            Fault(kind="status", status=400, endpoint="rows", provider=4),
        ],
    )


async def test_the_page_has_the_numbers_of_the_server(troubled, tmp_path):
    """
    Calls, rejections, denials and rows are those that really were.
    """
    plan = PullPlan(troubled.providers, sources=["Teams"], **DATES)
    async with troubled, troubled.pool() as pool:
        pulled = await pool.pull(plan, tmp_path)
        stats = next(iter(pool.stats().values()))
        report = pool.report()
    seen, html = troubled.seen, report.html
    total = recording(report).total
    shown = figures(html)

    assert seen.by_status[429] > 0
    assert seen.by_status[503] > 0
    assert (total.calls, total.throttled) == (seen.requests, seen.by_status[429])
    assert (total.denied, total.retries) == (seen.by_status[403], stats.retries)
    assert total.failed == seen.by_status[503] + seen.by_status[400]
    by_provider = {k: t.calls for k, t in recording(report).providers.items()}
    assert by_provider == {str(k): n for k, n in seen.by_provider.items()}
    buckets = recording(report).buckets
    assert sum(bucket.calls for bucket in buckets) == seen.requests
    assert any(bucket.rate for bucket in buckets)
    assert sum(bucket.paused for bucket in buckets) >= 1.0
    assert shown["rows"] == f"{pulled.rows:,}"
    assert shown["calls"] == f"{seen.requests:,}"
    assert sum(one.rows for one in pulled.providers) == pulled.rows
    assert "2 providers denied, 3 failures of 1 provider." in html
    assert "provider not granted" in html


async def test_no_value_of_a_row_and_no_secret_is_on_the_page(tmp_path):
    """
    It is mailed, and lies beside the data of nobody.
    """
    faults = [
        Fault(kind="malformed", endpoint="rows", provider=1, times=2),
        Fault(kind="html", endpoint="rows", provider=2, times=1),
    ]
    values = set()
    # The page tells the day on which it was made, and a row may hold the same day.
    days = {dt.datetime.now().astimezone().date().isoformat()}
    async with Emulator(providers=3, rows=60, faults=faults) as emulator:
        async with emulator.pool() as pool:
            session = pool.session(3)
            for source in await session.reporting.data_sources():
                for row in await session.reporting.rows(source.id).to_list():
                    values |= {v for v in row.values() if isinstance(v, str)}
            await pool.check_access(emulator.providers)
            await pool.pull(PullPlan([1, 2, 3], sources=["Teams"]), tmp_path)
            report = pool.report()
        (own,) = emulator.credentials.values()
    texts = [report.html, report._repr_html_(), repr(report), str(report)]
    days.add(dt.datetime.now().astimezone().date().isoformat())
    telling = {value for value in values if len(value) > 7} - days

    assert len(telling) > 100
    for text in texts:
        assert not [value for value in telling if value in text]
        assert own.application_secret.reveal() not in text
        assert own.application_id not in text


async def test_a_pool_without_a_pull_has_a_report_too(tmp_path):
    """
    A web app has calls and no job; the pool may be closed already.
    """
    async with Emulator(providers=3, rows=500, denied=[(2, "*")]) as emulator:
        async with emulator.pool() as pool:
            await pool.fan_out([1, 2, 3], lambda s: s.reporting.data_sources())
            async with pool.session(1).reporting.rows(1) as rows:
                count = len([row async for row in rows])
        report = pool.report()
    total = recording(report).total

    assert "4 calls of 3 providers in " in str(report)
    assert (total.calls, total.denied, total.rows) == (4, 1, count)
    assert recording(report).providers["1"].rows == count
    assert "PoolReport sandbox: 4 calls" in repr(report)
    path = await asyncio.to_thread(report.save, tmp_path / "report.html")
    assert await asyncio.to_thread(path.read_text) == report.html


async def test_each_environment_has_its_own_report():
    """
    What was tried in the sandbox says nothing of production.
    """
    both = [Environment.SANDBOX, Environment.PRODUCTION]
    async with Emulator(providers=2, environments=both) as emulator:
        async with emulator.pool() as pool:
            sandbox = pool.session(1, environment=Environment.SANDBOX)
            await sandbox.reporting.data_sources()
        here = pool.report(environment=Environment.SANDBOX)
        there = pool.report(environment=Environment.PRODUCTION)

    assert "1 call of 1 provider in " in str(here)
    assert str(there) == "This pool has made no call yet."
    with pytest.raises(ConfigurationError, match="give environment="):
        pool.report()


async def test_a_pull_under_way_and_one_that_is_broken_off_are_told_so(tmp_path):
    """
    Whoever waits for it wants to look, and whoever stopped it too.
    """
    looked = []
    async with (
        Emulator(providers=2, rows=300, latency=0.02) as emulator,
        emulator.pool() as pool,
    ):

        def look(progress):
            if progress.done >= 4 and progress.rows and not looked:
                looked.append(str(pool.report()))
                task.cancel()

        plan = PullPlan([1, 2], **DATES)
        task = asyncio.create_task(pool.pull(plan, tmp_path, progress=look))
        await asyncio.wait([task])
        after = pool.report()

    assert task.cancelled()
    assert looked
    assert "Pull broken off" in after.html
    assert re.search(r"[1-9]\d* rows of \d providers? in", str(after))


async def test_a_pull_that_cannot_write_says_why_on_its_page(tmp_path):
    """
    The page is there above all for what went wrong.
    """
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        with pytest.raises(HealthyRosterError):
            await pool.pull(PullPlan([1]), "/dev/null/lake")
        report = pool.report()

    assert "Pull failed: the destination cannot be written" in report.html


@pytest.fixture
def run(tmp_path):
    """Run the command beside an emulator, in a folder of its own."""

    async def start(emulator, *arguments):
        (own,) = emulator.credentials.values()
        prefix = "HEALTHYROSTER_SANDBOX_APPLICATION"
        return await asyncio.create_subprocess_exec(
            *COMMAND, *map(str, arguments), cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {
                "HEALTHYROSTER_SWAGGER": emulator.swagger_url,
                f"{prefix}_ID": own.application_id,
                f"{prefix}_SECRET": own.application_secret.reveal(),
            },
        )  # fmt: skip

    return start


async def read(path):
    return await asyncio.to_thread(path.read_text, encoding="utf-8")


async def test_the_command_writes_the_page_and_says_where(run, tmp_path):
    """
    Also of what failed, and beside JSON, whose reader wants nothing else on stdout.
    """
    broken = Fault(kind="status", status=400, endpoint="rows", provider=2)
    arguments = ("lake", 1, 2, "--source=Teams", "--report=r.html", "--json")
    async with Emulator(providers=2, rows=90, faults=[broken]) as emulator:
        process = await run(emulator, *arguments)
        out, err = await process.communicate()
    html = await read(tmp_path / "r.html")

    assert (process.returncode, err) == (1, b"Report: r.html\n")
    assert figures(html)["rows"] == f"{json.loads(out)['rows']:,}"
    assert "the API did not accept the parameters or dates (400)" in html


async def test_a_page_that_cannot_be_written_ends_the_command_at_once(run, tmp_path):
    """
    Not after nine hours.
    """
    async with Emulator(providers=1, rows=9) as emulator:
        process = await run(emulator, "lake", 1, "--report=no/folder/r.html")
        _, err = await process.communicate()
        dry = await run(emulator, "lake", 1, "--report=r.html", "--dry-run")
        await dry.communicate()
        asked = emulator.seen.requests

    assert process.returncode == 2
    assert b"the report no/folder/r.html cannot be written: No such file" in err
    assert dry.returncode == 2
    assert asked == 0
    assert not await asyncio.to_thread((tmp_path / "lake").exists)


async def test_after_ctrl_c_there_is_a_page_too(run, tmp_path):
    """
    It says how far the pull was.
    """
    lake = tmp_path / "lake"
    arguments = ("--since=2025-01-01", "--until=2025-07-01", "--source=Teams")
    async with Emulator(providers=2, rows=900, latency=0.05) as emulator:
        process = await run(
            emulator, "lake", 1, 2, *arguments, "--concurrency=1", "--report=r.html"
        )

        def wait_for_a_file():
            while not any(lake.glob("source=*/**/rows.parquet")):
                time.sleep(0.01)

        async with asyncio.timeout(30):
            await asyncio.to_thread(wait_for_a_file)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()

    assert process.returncode == 130
    assert b"Report: r.html" in err
    assert "Pull broken off" in await read(tmp_path / "r.html")


async def test_a_pool_whose_providers_have_budgets_of_their_own_tells_its_pace():
    """
    Before the first call there is none yet, and neither stats nor a page may fail.
    """
    settings = PacingSettings(budget=Budget.PROVIDER)
    async with (
        Emulator(providers=1) as emulator,
        emulator.pool(pacing=settings) as pool,
    ):
        (lane,) = pool._running.lanes.values()
        (stats,) = pool.stats().values()

        assert lane.pacing.pace() == (stats.rate, stats.rate_source)
        assert stats.paused_for == 0
        assert pool.report().html
