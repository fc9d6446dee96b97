"""Pulls: exact, also if they are killed, and what may go wrong on the way."""

import asyncio
import contextlib
import datetime as dt
import errno
import json
import os
import random
import signal
import sqlite3
import stat
import sys
import threading
import time
import traceback
from pathlib import Path
from urllib.parse import quote

import attrs
import duckdb
import killing
import pytest
from children import unwatched, variables
from pyarrow import parquet

from healthyroster_async import (
    AuthenticationError,
    ConfigurationError,
    DestinationError,
    Environment,
    MissingExtraError,
    PacingSettings,
    PullPlan,
    RetrySettings,
    ServerError,
    ServiceUnavailableError,
    _apart,
)
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.pull import _discovery, _job
from healthyroster_async.pull._journal import Cell, Journal
from healthyroster_async.pull._remote import open_destination
from healthyroster_async.testing import Answer, ScriptedTransport, scripted_pool

DATES = {"since": "2025-01-01", "until": "2025-05-01"}
LAST_ZONE = dt.timezone(dt.timedelta(hours=-12))
READERS = {
    "parquet": "read_parquet(?, union_by_name=true)",
    "csv": "read_csv(?, union_by_name=true, all_varchar=true)",
    "ndjson": "read_json(?, union_by_name=true, format='newline_delimited')",
}


def ids_in(folder, file_format="parquet"):
    """Return the ids of all rows that lie in a folder, from low to high."""
    pattern = str(folder / "source=*" / "**" / f"*.{file_format}")
    query = f"SELECT id::BIGINT FROM {READERS[file_format]}"
    if not list(folder.glob(f"source=*/**/*.{file_format}")):
        return []
    return sorted(i for (i,) in duckdb.execute(query, [pattern]).fetchall())


async def held(folder, file_format="parquet"):
    return await asyncio.to_thread(ids_in, folder, file_format)


async def files_of(folder):
    """Return the key of the window and the number of rows of each file."""

    def found():
        return [
            (path.parent.name.removeprefix("window="), parquet.read_metadata(path))
            for path in folder.glob("source=*/**/*.parquet")
        ]

    return [(key, data.num_rows) for key, data in await asyncio.to_thread(found)]


async def granted(pool, providers, sources=range(1, 10), **dates):
    """Return the ids that the API itself gives, asked provider by provider."""
    ids = []
    for provider in providers:
        for source in sources:
            rows = pool.session(provider).reporting.rows(source, **dates)
            ids += [row["id"] for row in await rows.to_list()]
    return sorted(ids)


ASKED = {"StartDate": "2025-01-01", "EndDate": "2025-04-30"}


@pytest.mark.parametrize("file_format", ["parquet", "csv", "ndjson"])
async def test_the_files_hold_what_the_api_has_once(file_format, tmp_path):
    """
    Windows, providers and data sources: nothing between them, and nothing twice.
    """
    async with Emulator(providers=2, rows=400) as emulator, emulator.pool() as pool:
        plan = PullPlan([1, 2], format=file_format, **DATES)
        report = await pool.pull(plan, tmp_path)
        expected = await granted(pool, [1, 2], **ASKED)

    assert await held(tmp_path, file_format) == expected
    assert report.rows == len(expected) > 0
    assert report.complete
    assert report.partitions == report.done == 2 * 9 * 4


@pytest.mark.parametrize("calm", [True, False])
async def test_all_cores_work_unless_a_person_waits_for_one(calm, tmp_path):
    """
    A nightly job has the machine for itself; beside an app it leaves the loop a core.
    """
    before = set(threading.enumerate())  # an ident is given again
    async with Emulator(providers=8, rows=50) as emulator, emulator.pool() as pool:
        if not calm:
            # A person waits for the loop, whichever pool it is that answers.
            async with emulator.pool(pacing=PacingSettings(max_streams=3)) as other:
                await other.session(1).reporting.data_sources()
                report = await pool.pull(PullPlan(range(1, 9)), tmp_path)
        else:
            report = await pool.pull(PullPlan(range(1, 9)), tmp_path)
        names = {
            thread.name.partition("_")[0]
            for thread in threading.enumerate()
            if thread not in before
        }

    assert report.complete
    assert "healthyroster-rows" in names
    assert ("healthyroster-last" in names) is (calm and os.cpu_count() > 1)


async def test_without_a_first_date_everything_comes(tmp_path):
    """
    Who gives no dates wants all there is.
    """
    async with Emulator(providers=2, rows=50) as emulator, emulator.pool() as pool:
        report = await pool.pull(PullPlan([1, 2]), tmp_path)
        expected = await granted(pool, [1, 2])

    assert report.partitions == 18
    assert await held(tmp_path) == expected


async def test_a_data_source_is_asked_for_with_its_parameters(tmp_path):
    """
    Who needs the active teams need not pull all that there ever were.
    """
    plan = {"sources": ["Teams", "Patients"], **DATES}
    active = {"Teams": {"ActiveOnly": True}}
    async with Emulator(providers=2, rows=400) as emulator, emulator.pool() as pool:
        report = await pool.pull(PullPlan([1, 2], parameters=active, **plan), tmp_path)
        teams = await granted(pool, [1, 2], [8], ActiveOnly=True, **ASKED)
        every = await granted(pool, [1, 2], [8], **ASKED)
        patients = await granted(pool, [1, 2], [1], **ASKED)
        again = await pool.pull(PullPlan([1, 2], parameters=active, **plan), tmp_path)
        asked = emulator.seen.by_endpoint["rows"]
        for other in (None, {"Teams": {"Sport": "a-canary"}}):
            with pytest.raises(DestinationError, match="of Teams that") as error:
                await pool.pull(PullPlan([1, 2], parameters=other, **plan), tmp_path)
            assert "canary" not in str(error.value)
        assert emulator.seen.by_endpoint["rows"] == asked
    raw = await asyncio.to_thread(
        (tmp_path / "_healthyroster" / "journal.sqlite").read_bytes
    )

    assert await held(tmp_path) == sorted(teams + patients)
    assert 0 < len(teams) < len(every)
    assert report.complete
    assert again.done == 16
    assert b"ActiveOnly" not in raw


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"Teams": {"Nope": 1}}, "Teams has no parameter 'Nope'; it has .*ActiveOnly"),
        ({"8": {"StartDate": "2025-01-01"}}, "StartDate is given .* and since sets it"),
    ],
)
async def test_parameters_that_make_no_sense_are_refused(parameters, text, tmp_path):
    """
    An API that leaves out what it does not know would give all rows.
    """
    plan = PullPlan([1], parameters=parameters, **DATES)
    async with Emulator(rows=10) as emulator, emulator.pool() as pool:
        with pytest.raises(ConfigurationError, match=text):
            await pool.pull(plan, tmp_path)

        assert emulator.seen.by_endpoint["rows"] == 0


async def test_a_slip_in_the_parameters_costs_neither_rows_nor_the_destination(
    tmp_path,
):
    """
    What should have been left out must not lie there, and the next try must be free.
    """
    async with Emulator(rows=10) as emulator, emulator.pool() as pool:
        for name, sources in (("Teem", "*"), ("Teams", ["Patients"])):
            slip = PullPlan([1], sources=sources, parameters={name: {"Sport": 1}})
            with pytest.raises(ConfigurationError, match=f"'{name}', and no data sou"):
                await pool.pull(slip, tmp_path)
        assert emulator.seen.by_endpoint["rows"] == 0
        failed, whole = [
            await pool.pull(
                PullPlan([1], sources=["8"], parameters={"Teams": values}), tmp_path
            )
            for values in ({"ActiveOnly": "yes"}, {"ActiveOnly": True})
        ]

    assert not failed.complete
    assert whole.complete


async def test_what_is_denied_or_fails_costs_nothing_else_and_comes_later(tmp_path):
    """
    The same pull again asks only for what is missing.
    """
    plan = PullPlan([1, 2, 3], sources=["Patients", "Teams"], **DATES)
    broken = Fault(kind="status", status=400, endpoint="rows", provider=2)
    options = {"providers": 3, "rows": 200, "denied": [(3, "rows")]}
    async with (
        Emulator(faults=[broken], **options) as emulator,
        emulator.pool() as pool,
    ):
        first = await pool.pull(plan, tmp_path)
    async with Emulator(**options) as emulator, emulator.pool() as pool:
        second = await pool.pull(plan, tmp_path)
        expected = await granted(pool, [1, 2], [1, 8], **ASKED)
        asked = emulator.seen.by_endpoint["rows"]

    assert {f.provider_id for f in first.failed} == {2}
    assert not first.complete
    assert {f.window for f in first.failed} == {f"2025-0{n}" for n in range(1, 5)}
    assert {(d.provider_id, d.source) for d in first.denied} == {
        (3, "Patients"),
        (3, "Teams"),
    }
    assert second.complete
    assert second.kept == 8
    assert second.done == 8
    assert asked <= 8 + 8 + 4  # what failed, a few that are denied, and our own
    assert await held(tmp_path) == expected


async def test_a_pull_that_was_cancelled_goes_on_where_it_was(tmp_path):
    """
    Ctrl-C is no reason to begin anew.
    """
    plan = PullPlan([1, 2, 3, 4], **DATES)
    async with Emulator(providers=4, rows=400) as emulator, emulator.pool() as pool:
        seen = []
        enough = asyncio.Event()

        def tell(now):
            seen.append(now)
            if now.done >= 20:
                enough.set()

        pulling = asyncio.create_task(pool.pull(plan, tmp_path, progress=tell))
        await enough.wait()
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling
        before = emulator.seen.by_endpoint["rows"]
        report = await pool.pull(plan, tmp_path)
        after = emulator.seen.by_endpoint["rows"] - before
        expected = await granted(pool, [1, 2, 3, 4], **ASKED)

    assert report.kept >= 20
    assert after == report.done == report.partitions - report.kept
    assert await held(tmp_path) == expected
    assert seen[-1].total == report.partitions


async def test_last_asks_for_what_is_new_and_replaces_what_it_asks_for(tmp_path):
    """
    Late edits and deletions of the overlap arrive; what is older is left alone.
    """
    options = {"sources": ["Encounters"]}
    first = PullPlan([1], since="2025-01-10", until="2025-03-20", **options)
    more = PullPlan([1], since="last", until="2025-04-10", overlap=25, **options)
    async with Emulator(providers=1, rows=3000) as emulator, emulator.pool() as pool:
        await pool.pull(first, tmp_path)
        old = await granted(
            pool, [1], [2], StartDate="2025-01-10", EndDate="2025-01-31"
        )
    # Half of the rows: the others were deleted, and those left have other dates.
    async with Emulator(providers=1, rows=1500) as emulator, emulator.pool() as pool:
        report = await pool.pull(more, tmp_path)
        new = await granted(
            pool, [1], [2], StartDate="2025-02-01", EndDate="2025-04-09"
        )

    assert report.partitions == 3  # February, March, April
    assert await held(tmp_path) == sorted(old + new)


async def test_last_gives_a_provider_that_failed_what_it_missed(tmp_path):
    """
    Each has a watermark of its own.
    """
    options = {"sources": ["Encounters"], "overlap": 0}
    first = PullPlan([1, 2], since="2025-01-01", until="2025-03-01", **options)
    more = PullPlan([1, 2, 3], since="last", until="2025-04-01", **options)
    broken = Fault(kind="status", status=400, endpoint="rows", provider=2)
    async with (
        Emulator(providers=3, rows=300, faults=[broken]) as emulator,
        emulator.pool() as pool,
    ):
        await pool.pull(first, tmp_path)
    async with Emulator(providers=3, rows=300) as emulator, emulator.pool() as pool:
        report = await pool.pull(more, tmp_path)
        expected = await granted(
            pool, [1, 2, 3], [2], StartDate="2025-01-01", EndDate="2025-03-31"
        )

    assert report.partitions == 1 + 3 + 3
    assert await held(tmp_path) == expected


async def test_who_fails_keeps_nobody_from_what_is_new(tmp_path):
    """
    A provider that fails all day must not make the hourly job of the others idle, and
    what came of it is not asked for again.
    """
    plan = PullPlan([1, 2], sources=["Teams"], since="last", first="2025-01-01",
                    until="2025-04-01", overlap=1)  # fmt: skip
    asked, new, failing = [], 1, {"2025-02-01"}
    parameters = [
        {"name": name, "type": "date", "description": "inclusive"}
        for name in ("StartDate", "EndDate")
    ]

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": 1, "name": "Teams"}]
        if not request.label.endswith("/Data"):
            return {"id": 1, "fields": [], "parameters": parameters}
        start = json.loads(request.body)["StartDate"]
        if request.provider_id == 2 and start in failing:
            return Answer(400)
        asked.append((request.provider_id, start[5:7]))
        return [{"id": int(f"{request.provider_id}{start[5:7]}{new}")}]

    async with scripted_pool(answer) as pool:
        reports = []
        for new in range(3):
            asked.clear()
            reports.append(await pool.pull(plan, tmp_path))
            if new == 1:
                assert (1, "03") in asked
                assert not {(2, "01"), (2, "03")} & {*asked}
                failing.clear()
        rest = [*asked]
        whole = await pool.pull(plan, tmp_path)

    assert [len(report.failed) for report in reports] == [1, 1, 0]
    assert {(1, "03"), (2, "02")} <= {*rest}
    assert not {(2, "01"), (2, "03")} & {*rest}
    assert whole.complete
    assert await held(tmp_path) == [1010, 1020, 1032, 2010, 2022, 2032]


async def test_a_destination_is_of_one_environment_one_cut_and_one_run(tmp_path):
    """
    Rows that are mixed cannot be told apart again.
    """
    both = (Environment.SANDBOX, Environment.PRODUCTION)
    async with (
        Emulator(providers=1, rows=100, environments=both, latency=0.1) as emulator,
        emulator.pool() as pool,
    ):
        plan = PullPlan([1], **DATES)
        await pool.pull(plan, tmp_path, environment=Environment.SANDBOX)
        before = await held(tmp_path)
        for other, where in (
            (plan, Environment.PRODUCTION),
            (PullPlan([1], window="week", **DATES), Environment.SANDBOX),
            (PullPlan([1]), Environment.SANDBOX),
            (PullPlan([1], format="csv", **DATES), Environment.SANDBOX),
        ):
            with pytest.raises(DestinationError, match="the destination"):
                await pool.pull(other, tmp_path, environment=where)

        begun = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            one = group.create_task(
                pool.pull(
                    plan,
                    tmp_path,
                    environment=Environment.SANDBOX,
                    progress=lambda _: begun.set(),
                )
            )
            await begun.wait()
            with pytest.raises(DestinationError, match="another pull"):
                await pool.pull(plan, tmp_path, environment=Environment.SANDBOX)

        assert one.result().complete
        assert await held(tmp_path) == before


@pytest.mark.parametrize("window", ["day", "month", 5])
async def test_last_brings_what_was_entered_after_the_run(window, tmp_path):
    """
    The day goes on, and west of UTC the one before it; overlap is for what is late.
    """
    running = dt.datetime.now(LAST_ZONE).date()
    first = running - dt.timedelta(days=3)
    days = [first + dt.timedelta(days=number) for number in range(4)]
    days.append(dt.datetime.now(dt.UTC).date())
    rows = [{"id": number, "date": str(day)} for number, day in enumerate(days)]
    parameters = [
        {"name": name, "type": "date", "description": "inclusive"}
        for name in ("StartDate", "EndDate")
    ]
    there = rows[:3]

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": 1, "name": "Visits"}]
        if not request.label.endswith("/Data"):
            return {"id": 1, "fields": [], "parameters": parameters}
        asked = json.loads(request.body)
        return [r for r in there if asked["StartDate"] <= r["date"] <= asked["EndDate"]]

    plan = PullPlan([1], since="last", first=first, window=window, overlap=0)
    async with scripted_pool(answer) as pool:
        await pool.pull(plan, tmp_path)
        there = rows
        await pool.pull(plan, tmp_path)

    assert await held(tmp_path) == [0, 1, 2, 3, 4]


async def marks_after(pool, folder, *runs):
    """Pull one after the other, and return the first date that "last" asks for."""
    for since, until in runs:
        await pool.pull(
            PullPlan([1], sources=["Teams"], since=since, until=until), folder
        )

    def mark():
        journal = sqlite3.connect(folder / "_healthyroster" / "journal.sqlite")
        with contextlib.closing(journal):
            return journal.execute("SELECT watermark FROM cells").fetchone()[0]

    return await asyncio.to_thread(mark)


async def test_last_goes_on_from_where_all_rows_are(tmp_path):
    """
    A date that is not over everywhere leaves rows out in silence, and a backfill of
    long ago is no reason to ask for years again.
    """
    running = dt.datetime.now(LAST_ZONE).date()
    async with Emulator(providers=1, rows=5) as emulator, emulator.pool() as pool:
        marks = [
            await marks_after(pool, tmp_path / str(number), *runs)
            for number, runs in enumerate(
                (
                    [("2025-01-01", f"{running.year + 2}-01-01")],
                    [("2025-01-01", "2025-06-01"), ("2020-01-01", "2020-02-01")],
                    [("2025-01-01", "2025-03-01"), ("2025-05-01", "2025-06-01")],
                    [("2025-01-01", "2025-03-01"), ("last", "2025-06-01")],
                )
            )
        ]

    assert marks == [str(running), "2025-06-01", "2025-03-01", "2025-06-01"]


async def test_one_command_serves_the_first_night_and_all_others(tmp_path):
    """
    A scheduler has one line, and the folder may be there before anything is in it.
    """
    await asyncio.to_thread((tmp_path / "lake").mkdir)
    plan = PullPlan([1], sources=["Teams"], since="last", first="2025-01-01",
                    until="2025-04-01", overlap=0)  # fmt: skip
    async with Emulator(providers=1, rows=90) as emulator, emulator.pool() as pool:
        first = await pool.pull(plan, tmp_path / "lake")
        other = await pool.pull(
            attrs.evolve(plan, until="2025-05-01"), tmp_path / "lake"
        )

    assert (first.partitions, other.partitions) == (3, 1)


with contextlib.closing(sqlite3.connect(":memory:")) as _other:
    _other.execute("CREATE TABLE runs (id)")
    MISSHAPEN = _other.serialize()


@pytest.mark.parametrize("file_format", ["parquet", "duckdb"])
@pytest.mark.parametrize(
    ("raw", "text"),
    [(None, "holds rows of a pull, but not"), (b"", "holds rows of a pull, but not"),
     (b"x" * 4096, "its journal is damaged"), (MISSHAPEN, "its journal is damaged")],
)  # fmt: skip
async def test_rows_without_a_sound_journal_are_not_pulled_over(
    raw, text, file_format, tmp_path
):
    """
    An analyst's copy of the folder, or a backup that left it out: rows would lie there
    twice, and those that are gone for ever.
    """
    plan = PullPlan([1], sources=["Teams"], format=file_format)
    journal = tmp_path / "_healthyroster" / "journal.sqlite"
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        await pool.pull(plan, tmp_path)
        await asyncio.to_thread(journal.unlink)
        if raw is not None:
            await asyncio.to_thread(journal.write_bytes, raw)
        for dry_run in (True, False):
            with pytest.raises(DestinationError, match=text):
                await pool.pull(plan, tmp_path, dry_run=dry_run)


async def test_a_name_need_not_have_the_right_case(tmp_path):
    """
    Unless two data sources differ in nothing else.
    """
    lists = [
        [{"id": n, "name": name} for n, name in enumerate(["Teams", "teams", "X"])]
    ]

    def answer(request):
        if request.label.endswith("/Datasources"):
            return lists[0]
        end = request.label.endswith("/Data")
        return [{"id": 1}] if end else {"id": 1, "fields": [], "parameters": []}

    async with scripted_pool(answer) as pool:
        pulled = []
        for number, wanted in enumerate((["teams"], ["TEAMS", "x"], ["x"], ["2"])):
            plan = PullPlan([1], sources=wanted, format="ndjson")
            report = await pool.pull(plan, tmp_path / str(number))
            assert report.complete
            pulled.append([total.source for total in report.totals])

    assert pulled == [["teams"], ["Teams", "teams", "X"], ["X"], ["X"]]


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({"TEAMS": {"A": 1}}, [{"A": 1}, {"A": 1}, {}]),
        ({"teams": {"A": 1}, "X": {"A": 2}}, [{}, {"A": 1}, {"A": 2}]),
        ({"x": {"A": 1, "B": 1}, "2": {"A": 2}}, [{}, {}, {"A": 2, "B": 1}]),
        # Filters of a plan stand apart, so none of them is an option of a session.
        ({"X": {"priority": 1, "since": 2}}, [{}, {}, {"priority": 1, "since": 2}]),
    ],
)
async def test_a_filter_need_not_have_the_right_case(parameters, sent, tmp_path):
    """
    One that is dropped without a word would pull everybody.
    """
    names, bodies = ["Teams", "teams", "X"], {}

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": n, "name": name} for n, name in enumerate(names)]
        if request.label.endswith("/Data"):
            bodies[request.url.split("/")[-2]] = json.loads(request.body or b"{}")
            return [{"id": 1}]
        return {"id": int(request.url.rpartition("/")[2]), "fields": []}

    async with scripted_pool(answer) as pool:
        plan = PullPlan([1], parameters=parameters, format="ndjson")
        report = await pool.pull(plan, tmp_path)

    assert report.complete
    assert [bodies[str(n)] for n in range(3)] == sent


@pytest.mark.parametrize("file_format", ["parquet", "duckdb"])
async def test_providers_may_have_other_ids_for_the_same(file_format, tmp_path):
    """
    An analyst reads one folder of all providers, and in it nothing of another kind.
    """
    lists = {1: {1: "Teams", 2: "Patients"}, 2: {1: "Patients", 9: "Teams"}}

    def answer(request):
        own = lists[request.provider_id]
        if request.label.endswith("/Datasources"):
            return [{"id": id_, "name": name} for id_, name in own.items()]
        if request.label.endswith("/Data"):
            return [{"kind": own[int(request.url.split("/")[-2])]}]
        fields = [{"name": "kind", "type": "string"}]
        id_ = int(request.url.rpartition("/")[2])
        return {"id": id_, "fields": fields, "parameters": []}

    async with scripted_pool(answer) as pool:
        plan = PullPlan([1, 2], format=file_format)
        report = await pool.pull(plan, tmp_path)
        again = await pool.pull(plan, tmp_path)

    assert [(t.folder, t.ids, t.rows) for t in report.totals] == [
        ("Teams", (1, 9), 2),
        ("Patients", (2, 1), 2),
    ]
    assert again.totals == report.totals
    found = await asyncio.to_thread(kinds, tmp_path, file_format)
    assert found == [("Patients", "Patients", 2), ("Teams", "Teams", 2)]


@pytest.mark.parametrize("file_format", ["parquet", "duckdb"])
async def test_names_that_differ_in_case_only_are_spelled_alike(file_format, tmp_path):
    """
    To DuckDB and on some disks they are one: each night ended there for all providers.
    """

    def answer(request):
        name = "VISITS" if new else {1: "Visits", 2: "visits"}[request.provider_id]
        if request.label.endswith("/Datasources"):
            return [{"id": 7, "name": name}]
        return [{"id": 1}] if request.label.endswith("/Data") else {"id": 7}

    async with scripted_pool(answer) as pool:
        for new in (False, True):
            providers = [1, 2, 3] if new else [1, 2]
            report = await pool.pull(PullPlan(providers, format=file_format), tmp_path)

            assert [t.folder for t in report.totals] == ["Visits"]
            assert report.rows == len(providers)


def kinds(folder, file_format):
    """Return folders, what rows in them say, and how many say it."""
    if file_format == "parquet":
        query = "SELECT source, kind, count(*) FROM read_parquet(?) GROUP BY 1, 2"
        files = f"{folder}/source=*/**/*.parquet"
        return sorted(duckdb.execute(query, [files]).fetchall())
    with duckdb.connect(str(folder / "rows.duckdb"), read_only=True) as file:
        return [
            (
                name,
                *file.execute(
                    f"SELECT kind, count(*) FROM {name} GROUP BY 1"
                ).fetchone(),
            )
            for name in ("Patients", "Teams")
        ]


@pytest.mark.parametrize("remote", [False, True])
async def test_a_long_name_has_a_folder_like_any_other(remote, tmp_path, monkeypatch):
    """
    The name of one data source must not end the pull of all providers.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    long = "患者" * 20
    names = [long, f"{long}一", f"{long}二"]

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": id_, "name": name} for id_, name in enumerate(names)]
        return [{"id": 1}] if request.stream else {"id": 1}

    lake = tmp_path / "lake"
    async with scripted_pool(answer) as pool:
        where = f"local://{lake}" if remote else lake
        report = await pool.pull(PullPlan(["p" * 36]), where)
        again = await pool.pull(PullPlan(["p" * 36]), where)

    folders = await asyncio.to_thread(
        lambda: [file.relative_to(lake).parts[0] for file in lake.glob("*/*/*/rows.*")]
    )
    assert report.complete
    assert len({*folders}) == 3
    assert max(map(len, folders)) < 240
    assert [total.source for total in report.totals] == names
    assert {f"source={quote(total.folder)}" for total in again.totals} == {*folders}


async def test_what_is_not_listed_any_more_is_told(tmp_path):
    """
    Its old rows stay there, and whoever reads them must know that they are old.
    """
    lists = [[{"id": 1, "name": "Teams"}, {"id": 2, "name": "Old one"}]]
    row, detail = [{"id": 1}], {"id": 1, "fields": [], "parameters": []}

    def answer(request):
        if request.label.endswith("/Datasources"):
            return lists[0]
        return row if request.label.endswith("/Data") else detail

    async with scripted_pool(answer) as pool:
        plan = PullPlan([1, 2], format="ndjson")
        first = await pool.pull(plan, tmp_path)
        lists[0] = lists[0][:1]
        second = await pool.pull(plan, tmp_path)
        some = await pool.pull(attrs.evolve(plan, sources=["Teams"]), tmp_path)
        old = await pool.pull(attrs.evolve(plan, sources=["OLD ONE"]), tmp_path)

    assert (first.gone, some.gone) == ((), ())
    assert old.gone == second.gone
    assert {(one.provider_id, one.folder) for one in second.gone} == {
        ("1", "Old one"),
        ("2", "Old one"),
    }
    assert [(t.ids, t.folder) for t in second.totals] == [((1,), "Teams")]


async def test_last_needs_a_run_before(tmp_path):
    """
    A first date that nobody gave would be a guess.
    """
    async with Emulator(providers=1, rows=1) as emulator, emulator.pool() as pool:
        with pytest.raises(ConfigurationError, match="give first"):
            await pool.pull(PullPlan([1], since="last"), tmp_path)


async def test_last_goes_on_from_a_first_run_that_was_broken_off(tmp_path):
    """
    A job that runs every night must not be stuck because of its first one.
    """
    broken = PullPlan([1, 2], sources=["Teams"], **DATES)
    more = PullPlan([1, 2], sources=["Teams"], since="last", until="2025-05-01")
    async with (
        Emulator(providers=2, rows=100, latency=0.02) as emulator,
        emulator.pool() as pool,
    ):
        begun = asyncio.Event()
        pulling = asyncio.create_task(
            pool.pull(broken, tmp_path, progress=lambda _: begun.set())
        )
        await begun.wait()
        pulling.cancel()
        await asyncio.wait([pulling])
        report = await pool.pull(more, tmp_path)
        expected = await granted(pool, [1, 2], [8], **ASKED)

    assert pulling.cancelled()
    assert report.complete
    assert await held(tmp_path) == expected != []


@pytest.mark.parametrize("window", ["month", 5000])
async def test_last_with_any_overlap_asks_for_all_that_is_there(window, tmp_path):
    """
    Whoever wants everything again gives a large number; it is no error of a calendar.
    """
    first = PullPlan([1], sources=["Teams"], window=window, **DATES)
    again = attrs.evolve(first, since="last", overlap=99_999_999_999)
    async with Emulator(rows=9) as emulator, emulator.pool() as pool:
        before = await pool.pull(first, tmp_path)
        report = await pool.pull(again, tmp_path)

    assert report.done == before.done > 1


@pytest.mark.parametrize(
    ("window", "kind"), [("year", "year"), (5000, "rows"), (None, "month")]
)
async def test_last_goes_on_from_a_first_run_that_brought_nothing(
    window, kind, tmp_path
):
    """
    The API is away in the first night, and comes back in the second.
    """
    teams = {"sources": ["Teams"], "until": "2025-03-01"}
    first = PullPlan([1], since="2025-01-01", window=window, **teams)
    last = PullPlan([1], since="last", **teams)
    broken = Fault(kind="status", status=400, endpoint="rows")
    async with Emulator(rows=99, faults=[broken]) as emulator, emulator.pool() as pool:
        failed = await pool.pull(first, tmp_path)
    async with Emulator(rows=99) as emulator, emulator.pool() as pool:
        later = attrs.evolve(last, first="2025-02-01")
        other = await pool.pull(later, tmp_path, dry_run=True)
        report = await pool.pull(last, tmp_path)
        dates = {"StartDate": "2025-01-01", "EndDate": "2025-02-28"}
        expected = await granted(pool, [1], [8], **dates)

    def facts():
        journal = Journal(tmp_path / "_healthyroster/journal.sqlite")
        with contextlib.closing(journal):
            return [journal.fact(name) for name in ("since", "window")]

    assert (failed.done, other.partitions, report.complete) == (0, 1, True)
    assert await asyncio.to_thread(facts) == ["2025-01-01", kind]
    assert await held(tmp_path) == expected != []


@pytest.mark.parametrize("file_format", ["parquet", "duckdb"])
async def test_a_folder_lies_in_the_home_as_people_write_it(
    file_format, tmp_path, monkeypatch
):
    """
    No shell expands what stands in quotes, in a script or in a variable.
    """
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    await asyncio.to_thread(monkeypatch.chdir, tmp_path)
    plan = PullPlan([1], sources=["Teams"], format=file_format)
    async with Emulator(rows=9) as emulator, emulator.pool() as pool:
        report = await pool.pull(plan, "~/lake")
        tried = await pool.pull(plan, Path("~", "lake"), dry_run=True)

    def found():
        return [*tmp_path.iterdir()], [*tmp_path.glob("home/lake/**/rows.*")]

    folders, (file,) = await asyncio.to_thread(found)
    assert folders == [tmp_path / "home"]
    assert file.suffix == f".{file_format}"
    assert (report.rows, tried.complete) == (9, True)


async def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """
    And the folder that vanishes in the middle is not made anew with half of the data.
    """
    file = tmp_path / "file"
    await asyncio.to_thread(file.write_text, "")
    plan = PullPlan([1], **DATES)
    async with Emulator(providers=1, rows=100) as emulator, emulator.pool() as pool:
        with pytest.raises(DestinationError, match="cannot be written: "):
            await pool.pull(plan, file / "lake")

        lake = tmp_path / "lake"
        moved = tmp_path / "moved"
        begun = asyncio.Event()
        pulling = asyncio.create_task(
            pool.pull(plan, lake, progress=lambda _: begun.set())
        )
        await begun.wait()
        await asyncio.to_thread(lake.rename, moved)
        with pytest.raises(DestinationError, match="cannot be"):
            await pulling
    names = await asyncio.to_thread(lambda: list(moved.glob("source=*/**/.*")))

    assert not names
    assert not await asyncio.to_thread(lake.exists)


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
@pytest.mark.parametrize("remote", [False, True])
def test_rows_on_their_way_are_open_to_nobody_else(remote, tmp_path, monkeypatch):
    """
    They lie in the folder of a user, or in one that many share.
    """
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    lake = tmp_path / "lake"
    where = f"local://{lake}" if remote else lake
    with contextlib.closing(open_destination(where, "parquet")) as destination:
        partial = destination.partial().parent
        ours = [f for f in partial.parents if f.is_relative_to(state / "healthyroster")]
        modes = [stat.S_IMODE(f.stat().st_mode) for f in [partial, *ours[1:]]]

    assert modes == [0o700] * (4 if remote else 1)


@pytest.mark.usefixtures("syncs_as_windows")
@pytest.mark.parametrize("file_format", ["parquet", "csv", "ndjson", "duckdb"])
async def test_files_are_synced_where_windows_would_sync_them(file_format, tmp_path):
    """
    There it refuses a file that was opened to be read, and no pull brought a row.
    """
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        plan = PullPlan([1], sources=["Teams"], format=file_format)
        report = await pool.pull(plan, tmp_path)

    assert (report.complete, report.rows) == (True, 9)


@pytest.mark.parametrize(
    ("number", "goes_on"),
    [
        (errno.EBADF, True),
        (errno.EINVAL, True),
        (errno.ENOTSUP, True),
        (errno.EIO, False),
        (errno.ENOSPC, False),
    ],
)
def test_a_place_need_not_sync_folders(number, goes_on, tmp_path, monkeypatch):
    """
    Some network file systems cannot; a disk that is broken or full is an error.
    """
    own = os.fsync

    def sync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        own(handle)

    monkeypatch.setattr(os, "fsync", sync)
    said = pytest.raises(DestinationError, match=os.strerror(number))
    with contextlib.closing(open_destination(tmp_path, "ndjson")) as destination:
        destination.journal.folders({Cell("1", "42"): ["Teams"]})
        partial = destination.partial()
        partial.write_text("{}")
        with contextlib.nullcontext() if goes_on else said:
            destination.publish(
                partial, source="Teams", provider="42", key="all", rows=1
            )


async def test_odd_ids_stay_in_the_folder(tmp_path):
    """
    A provider is called what the vendor calls it.
    """
    ids = ["..", "ä b", "A=B"]
    async with Emulator(providers=ids, rows=5) as emulator, emulator.pool() as pool:
        plan = PullPlan(["ä b", "A=B"], sources=["Teams"])
        report = await pool.pull(plan, tmp_path / "lake")
    found = await asyncio.to_thread(
        lambda: sorted(p.name for p in (tmp_path / "lake/source=Teams").iterdir())
    )

    assert report.complete
    assert found == ["provider=%C3%A4 b", "provider=A%3DB"]


@pytest.mark.parametrize("file_format", ["ndjson", "duckdb"])
async def test_no_provider_takes_the_place_of_another_one(file_format, tmp_path):
    """
    Windows and macOS do not tell some of these apart, and half of the rows were gone.
    None is too long for a folder, at the cost of all the others.
    """
    ids = ["abC", "ABc", "X", "X.", "x" * 300]
    lake = tmp_path / "lake"
    async with Emulator(providers=ids, rows=5) as emulator, emulator.pool() as pool:
        plan = PullPlan(ids, sources=["Teams"], format=file_format)
        report = await pool.pull(plan, lake)
        # Who comes first another time changes nothing.
        plan = PullPlan(ids[::-1], sources=["Teams"], format=file_format)
        again = await pool.pull(plan, lake)

    def held():
        if file_format == "duckdb":
            with duckdb.connect(str(lake / "rows.duckdb")) as file:
                query = "SELECT _provider, count(*) FROM Teams GROUP BY 1"
                return dict(file.execute(query).fetchall())
        return {
            file.parts[-3].lower(): len(file.read_text().splitlines())
            for file in lake.glob("source=*/**/rows.*")
        }

    found = await asyncio.to_thread(held)
    assert report.complete
    assert again.complete
    assert list(found.values()) == [5] * len(ids)


async def test_the_summary_is_what_was_returned_and_holds_no_row(tmp_path):
    """
    It is what an operator reads, and mails around.
    """
    async with Emulator(providers=2, rows=20) as emulator, emulator.pool() as pool:
        report = await pool.pull(PullPlan([1, 2]), tmp_path)
        names = [
            row["patientName"]
            for row in await pool.session(1).reporting.rows(1).to_list()
        ]
    file = tmp_path / "_healthyroster" / "summary.json"
    text = await asyncio.to_thread(file.read_text)

    assert json.loads(text) == json.loads(json.dumps(report.to_dict()))
    assert not [name for name in names if name in text]


async def test_the_summary_says_how_the_last_run_ended_however_it_did(tmp_path):
    """
    What watches over a nightly pull must not take the night before for this one.
    """
    file = tmp_path / "_healthyroster" / "summary.json"
    plan = PullPlan([1], sources=["Teams"], **DATES)
    refused = Fault(kind="status", status=401, endpoint="data_sources", provider=2)
    summaries = []

    async def note():
        summaries.append(json.loads(await asyncio.to_thread(file.read_text)))

    async with (
        Emulator(providers=2, rows=9, faults=[refused]) as emulator,
        emulator.pool() as pool,
    ):
        begun = asyncio.Event()
        pulling = asyncio.create_task(
            pool.pull(plan, tmp_path, progress=lambda _: begun.set())
        )
        await begun.wait()
        pulling.cancel()
        await asyncio.wait([pulling])
        await note()
        await pool.pull(plan, tmp_path)
        await note()
        with pytest.raises(AuthenticationError):
            await pool.pull(attrs.evolve(plan, providers=[2]), tmp_path)
        await note()

    ended = [one["ended"] for one in summaries]
    assert ended == ["interrupted", "complete", "failed"]
    assert [one["partitions"] for one in summaries] == [4, 4, 0]
    assert "(401)" in summaries[2]["failed"][0]["reason"]


PLAN = {"providers": [1, 2], "sources": ["Patients", "Teams"], **DATES}


async def started(emulator, folder, step="-", number=0, **changed):
    """Begin to pull in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *killing.command(folder, {**PLAN, **changed}, step, number),
        env=variables(emulator, unwatched()),
        stdout=asyncio.subprocess.PIPE,
    )
    await process.stdout.readline()
    return process


async def child(emulator, folder, step, number, **changed):
    """Pull in a process that kills itself at a step; return how it ended."""
    process = await started(emulator, folder, step, number, **changed)
    return await process.wait()


async def check_whole(pool, emulator, folder, expected):
    """Run the pull again, and compare what is there with what the API has."""
    plan = PullPlan(**PLAN)
    before = emulator.seen.by_endpoint["rows"]
    report = await pool.pull(plan, folder)
    asked = emulator.seen.by_endpoint["rows"] - before

    assert report.complete
    assert asked == report.done
    assert report.kept + report.done == 16
    assert await held(folder) == expected
    left = await asyncio.to_thread(
        lambda: [
            p.name
            for p in folder.rglob("*")
            if p.is_file() and p.suffix not in {".parquet", ".json", ".sqlite"}
        ]
    )
    assert not left
    return report


@pytest.mark.unmeasured
@pytest.mark.parametrize("number", [2, 17])
@pytest.mark.parametrize(
    "step", ["before rename", "after rename", "before journal", "after journal"]
)
async def test_killed_at_a_step_that_matters_it_ends_the_same(step, number, tmp_path):
    """
    Between a name and the journal's line about it, either may be missing.
    """
    if step.endswith("journal"):
        number = (number + 1) // 2
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        ended = await child(emulator, tmp_path, step, number)
        expected = await granted(pool, [1, 2], [1, 8], **ASKED)
        report = await check_whole(pool, emulator, tmp_path, expected)

    assert ended == -signal.SIGKILL
    assert report.done > 0


@pytest.mark.unmeasured
async def test_killed_at_any_instant_it_ends_the_same(tmp_path):
    """
    Law 10, at instants that nobody chose.
    """
    rng = random.Random(5)
    killed = 0
    async with (
        Emulator(providers=2, rows=3000, latency=0.01) as emulator,
        emulator.pool() as pool,
    ):
        expected = await granted(pool, [1, 2], [1, 8], **ASKED)
        process = await started(emulator, tmp_path / "whole")
        began = time.monotonic()
        await process.wait()
        whole = time.monotonic() - began
        for number in range(6):
            folder = tmp_path / str(number)
            process = await started(emulator, folder)
            # At any instant of each sixth.
            instant, began = (number + rng.random()) / 6 * whole, time.monotonic()
            try:
                await asyncio.wait_for(process.wait(), instant)
                whole = time.monotonic() - began  # it was faster than the one before
            except TimeoutError:
                process.kill()
            killed += await process.wait() == -signal.SIGKILL
            await check_whole(pool, emulator, folder, expected)

    assert killed >= 3


@pytest.mark.unmeasured
@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("step", ["after rename", "before journal"])
async def test_killed_and_cut_another_way_it_holds_no_row_twice(step, number, tmp_path):
    """
    The file of a window that the journal misses must not lie beside files of its days.
    """
    plan = {**PLAN, "until": "2025-03-01"}
    asked = {**ASKED, "EndDate": "2025-02-28"}
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        ended = await child(emulator, tmp_path, step, number, window=1000, **plan)
        report = await pool.pull(PullPlan(**plan, window=10), tmp_path)
        expected = await granted(pool, [1, 2], [1, 8], **asked)

    assert ended == -signal.SIGKILL
    assert report.complete
    assert report.partitions > 20
    assert await held(tmp_path) == expected


async def test_windows_are_as_long_as_their_rows_allow(tmp_path):
    """
    Where there are few rows a call for each month is a waste; where there are many, an
    answer of a year is one to lose.
    """
    options = {"since": "2025-01-01", "until": "2026-07-01", "sources": ["Teams"]}
    last = {**ASKED, "EndDate": "2026-06-30"}
    async with Emulator(providers=2, rows=600) as emulator, emulator.pool() as pool:
        few = await pool.pull(PullPlan([1, 2], window=9999, **options), tmp_path / "a")
        dry = await pool.pull(
            PullPlan([1, 2], window=50, **options), tmp_path / "b", dry_run=True
        )
        many = await pool.pull(PullPlan([1, 2], window=50, **options), tmp_path / "b")
        asked = emulator.seen.by_endpoint["rows"]
        again = await pool.pull(PullPlan([1, 2], window=50, **options), tmp_path / "b")
        asked = emulator.seen.by_endpoint["rows"] - asked
        expected = await granted(pool, [1, 2], [8], **last)
    sizes = [rows for _, rows in await files_of(tmp_path / "b")]

    # 2025, the first quarter of 2026, and the months of the second.
    assert few.partitions == 2 * (1 + 1 + 3)
    assert dry.partitions == few.partitions
    assert await held(tmp_path / "a") == await held(tmp_path / "b") == expected
    assert many.complete
    assert max(sizes) <= 50 < len(expected) / 10
    assert few.partitions < many.partitions < 18 * 20
    # What is there is asked for as it lies there.
    assert again.partitions == again.done == asked == many.partitions


async def test_last_keeps_the_windows_that_were_fitted(tmp_path):
    """
    The nightly job asks for the last weeks, not for the year they are part of.
    """
    first = {"since": "2025-01-01", "until": "2025-09-10", "sources": ["Teams"]}
    more = {"since": "last", "until": "2025-10-02", "sources": ["Teams"]}
    async with Emulator(providers=1, rows=600) as emulator, emulator.pool() as pool:
        await pool.pull(PullPlan([1], window=9999, **first), tmp_path)
        report = await pool.pull(PullPlan([1], **more), tmp_path)
        until = {**ASKED, "EndDate": "2025-10-01"}
        expected = await granted(pool, [1], [8], **until)

    assert report.partitions == 2  # September and October
    assert await held(tmp_path) == expected
    assert {key for key, _ in await files_of(tmp_path)} == {
        "2025-Q1", "2025-Q2", "2025-07", "2025-08", "2025-09", "2025-10"
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
async def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path):
    """
    What is there stays whole, and a run with more room goes on.
    """
    full = (
        "import resource, runpy, signal, sys; sys.argv.pop(0)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, -1))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    async with Emulator(providers=2, rows=6000) as emulator, emulator.pool() as pool:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", full, *killing.command(tmp_path, PLAN),
            env=variables(emulator),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, err = await process.communicate()
        names = await asyncio.to_thread(lambda: list(tmp_path.glob("source=*/**/*")))
        expected = await granted(pool, [1, 2], [1, 8], **ASKED)
        report = await check_whole(pool, emulator, tmp_path, expected)

    assert process.returncode == 1
    assert b"DestinationError: the destination" in err
    assert not [name for name in names if Path(name).name.startswith(".")]
    assert report.done > 0


async def test_an_api_that_goes_away_is_not_asked_for_everything(tmp_path, monkeypatch):
    """
    What was not asked is asked in the end if it is there again, and is told if not.
    """
    monkeypatch.setattr(_job, "_LOST_IN_A_ROW", 2)
    once = RetrySettings(max_attempts=1)
    plan = PullPlan([1, 2], sources=["Teams"], **DATES)
    for times, done, failed in ((3, 7, 1), (None, 0, 3)):
        away = Fault(kind="reset", endpoint="rows", times=times)
        async with (
            Emulator(providers=2, rows=50, faults=[away]) as emulator,
            emulator.pool(retry=once) as pool,
        ):
            report = await pool.pull(plan, tmp_path / str(times), concurrency=1)
            asked = emulator.seen.by_endpoint["rows"]

        assert report.done == done
        assert len(report.failed) == failed
        assert asked <= 10
    assert "6 partitions were not asked for, because" in report.failed[-1].reason
    assert "(the connection" in report.failed[-1].reason


def test_of_what_a_run_gives_up_nobody_says_that_it_is_tried_again():
    """
    It sends who reads the list of failures to wait for something that never comes.
    """
    down = ServiceUnavailableError("GET /Patients", 9.98)

    found = _discovery.failure(1, "Teams", None, down)

    assert found.reason == "GET /Patients: the API is down"


@pytest.mark.parametrize("status", [401, 500])
async def test_an_api_that_refuses_or_fails_all_is_not_asked_for_all(
    status, tmp_path, monkeypatch
):
    """
    A revoked secret that is sent a thousand times locks the application out, and a job
    that waits through every partition hangs for days.
    """
    monkeypatch.setattr(_job, "PATIENCE_S", 0.3)
    broken = Fault(kind="status", status=status, endpoint="rows")
    plan = PullPlan(range(1, 31), sources=["Teams", "Patients"], window="day", **DATES)
    async with (
        Emulator(providers=30, rows=5, faults=[broken], latency=0.05) as emulator,
        emulator.pool(retry=RetrySettings(max_attempts=1)) as pool,
    ):
        async with asyncio.timeout(30):
            report = await pool.pull(plan, tmp_path, concurrency=4)
        asked = emulator.seen.by_endpoint["rows"]

    assert report.partitions == 30 * 2 * 120
    assert asked <= 4 if status == 401 else 4 < asked < 1000
    why = "refuses the application" if status == 401 else "did not answer any more"
    assert why in report.failed[-1].reason
    assert f"{report.partitions - len(report.failed) + 1:,}".replace(",", "") in (
        report.failed[-1].reason
    )


async def test_a_secret_refused_where_dates_end_is_not_sent_for_all(tmp_path):
    """
    Who goes on with a secret that was revoked is locked out.
    """
    dates = [{"name": name, "type": "date"} for name in ("FromDate", "ToDate")]
    sources = [{"id": n, "name": f"S{n}"} for n in range(60)]

    def answer(request):
        if request.label.endswith("/Datasources"):
            return sources
        return (
            401 if request.label.endswith("/Data") else {"parameters": dates, "id": 1}
        )

    transport = ScriptedTransport(answer)
    async with scripted_pool(transport) as pool:
        with pytest.raises(AuthenticationError):
            await pool.pull(PullPlan([1], format="ndjson", **DATES), tmp_path)

    asked = [r for r in transport.requests if r.label.endswith("/Data")]
    assert len(asked) < len(sources)


async def test_lists_that_nobody_answers_are_not_all_asked_for(tmp_path, monkeypatch):
    """
    Ten thousand providers would be asked one by one, a minute each.
    """
    monkeypatch.setattr(_discovery, "PATIENCE_S", 0.2)
    broken = Fault(kind="status", status=500, endpoint="data_sources")
    async with (
        Emulator(providers=2000, faults=[broken], latency=0.05) as emulator,
        emulator.pool(retry=RetrySettings(max_attempts=1)) as pool,
    ):
        async with asyncio.timeout(30):
            with pytest.raises(ServerError):
                await pool.pull(PullPlan(range(1, 2001)), tmp_path)
        asked = emulator.seen.requests

    assert 0 < asked < 1000


@pytest.mark.parametrize("file_format", ["parquet", "duckdb"])
async def test_what_a_run_that_brought_nothing_was_asked_for_binds_nobody(
    file_format, tmp_path
):
    """
    The name of a data source is spelled wrongly, and the second try has no dates.
    """
    wrong = PullPlan([1], sources=["Teems"], format="csv", **DATES)
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        report = await pool.pull(wrong, tmp_path)
        assert report.failed
        assert not report.rows
        plan = PullPlan([1], sources=["Teams"], format=file_format)
        report = await pool.pull(plan, tmp_path)
        assert report.complete
        assert report.rows == 9
        with pytest.raises(DestinationError, match="another format"):
            await pool.pull(wrong, tmp_path)
        with pytest.raises(DestinationError, match="other windows"):
            await pool.pull(attrs.evolve(plan, **DATES), tmp_path)


async def test_a_plan_that_was_wrong_binds_nobody(tmp_path):
    """
    A filter is spelled wrongly, and the second try is for other dates.
    """
    wrong = PullPlan([1], parameters={"Teams": {"ActivOnly": True}}, **DATES)
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        with pytest.raises(ConfigurationError, match="has no parameter 'ActivOnly'"):
            await pool.pull(wrong, tmp_path)
        report = await pool.pull(PullPlan([1], sources=["Teams"]), tmp_path)

    assert report.rows == 9


async def test_a_plan_that_was_wrong_costs_nothing_of_what_was_broken_off(tmp_path):
    """
    The API is another one for a moment, and a pull of many nights would begin again.
    """
    state, asked = {"filter": "Active", "left": 5}, []

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": n, "name": f"S{n}"} for n in range(8)]
        if request.label.endswith("/Data"):
            asked.append(request)
            if len(asked) > state["left"]:
                raise ZeroDivisionError
            return [{"id": 1}]
        id_ = int(request.url.rpartition("/")[2])
        return {"id": id_, "parameters": [{"name": state["filter"]}]}

    def begin_the_day_before():
        with contextlib.closing(
            sqlite3.connect(tmp_path / "_healthyroster" / "journal.sqlite")
        ) as journal:
            journal.execute("UPDATE runs SET until = '2025-01-01'")
            journal.commit()

    plan = PullPlan([1], parameters={"S1": {"Active": True}}, format="ndjson")
    async with scripted_pool(answer) as pool:
        with pytest.raises(ZeroDivisionError):
            await pool.pull(plan, tmp_path, concurrency=1)
        state |= {"filter": "Renamed", "left": 99}
        with pytest.raises(ConfigurationError, match="has no parameter 'Active'"):
            await pool.pull(plan, tmp_path)
        state["filter"] = "Active"
        await asyncio.to_thread(begin_the_day_before)
        report = await pool.pull(plan, tmp_path)

    assert (report.kept, report.done) == (5, 3)


async def test_no_destination_lies_inside_another_one(tmp_path):
    """
    Who reads the outer one would find each row twice.
    """
    plan = PullPlan([1], sources=["Teams"])
    async with Emulator(providers=1, rows=9) as emulator, emulator.pool() as pool:
        await pool.pull(plan, tmp_path / "lake")
        for inner in ("lake/source=Teams", "lake/more/rows"):
            for dry_run in (True, False):
                with pytest.raises(DestinationError, match="inside that of another"):
                    await pool.pull(plan, tmp_path / inner, dry_run=dry_run)
        await pool.pull(plan, tmp_path / "lake2")

    assert not await asyncio.to_thread(lambda: [*tmp_path.glob("lake/more")])


async def test_data_sources_are_described_at_once(tmp_path):
    """
    Where each provider has ids of its own, one after the other takes minutes.
    """
    spans = []

    def note(event):
        if event.label.endswith("/DataSources/{datasourceid}"):
            spans.append((event.started, event.started + event.duration_s))

    async with (
        Emulator(providers=2, rows=3, latency=0.1) as emulator,
        emulator.pool(on_attempt=note) as pool,
    ):
        report = await pool.pull(PullPlan([1, 2]), tmp_path, dry_run=True)

    assert report.calls == 2 + 9 + 18
    assert len(spans) == 9
    assert max(began for began, _ in spans) < min(ended for _, ended in spans)


@pytest.mark.parametrize(
    ("status", "raised"), [(401, AuthenticationError), (500, ServerError)]
)
async def test_descriptions_that_nobody_gives_are_not_all_asked_for(
    status, raised, tmp_path, monkeypatch
):
    """
    A secret that is revoked meanwhile locks the application out; an outage takes hours.
    """
    monkeypatch.setattr(_discovery, "PATIENCE_S", 0.0)
    monkeypatch.setattr(_apart, "_AT_ONCE", 2)
    broken = Fault(kind="status", status=status, endpoint="data_source")
    async with (
        Emulator(providers=2, rows=3, faults=[broken], latency=0.05) as emulator,
        emulator.pool(retry=RetrySettings(max_attempts=1)) as pool,
    ):
        with pytest.raises(raised):
            await pool.pull(PullPlan([1, 2]), tmp_path)
        asked = emulator.seen.by_endpoint["data_source"]

    assert 1 <= asked <= 2


async def test_who_looks_at_a_pull_sees_what_did_not_come(tmp_path):
    """
    In the progress, in a notebook and in a script; a dry run does not read like a pull.
    """
    told = []
    plan = PullPlan([1, 2, 99], sources=["Teams"])
    async with Emulator(providers=2, rows=3) as emulator, emulator.pool() as pool:
        emulator.deny(2, "data_sources")
        tried = await pool.pull(plan, tmp_path, dry_run=True)
        report = await pool.pull(plan, tmp_path, progress=told.append)

    last = told[-1]
    assert (last.total, last.done, last.failed, last.denied) == (3, 1, 1, 1)
    assert "denied=1, failed=1" in repr(report)
    assert "would ask" in tried._repr_html_()
    assert "came" not in tried._repr_html_().replace("did not come", "")
    assert "would ask" not in report._repr_html_()


@pytest.mark.parametrize("asked", ["/Datasources", "/{datasourceid}", "/Data"])
async def test_a_pull_that_raises_leaves_its_caller_uncancelled(asked, tmp_path):
    """
    Else the next Ctrl-C of a script that goes on is a CancelledError.
    """

    def answer(request):
        if request.label.endswith(asked):
            raise ZeroDivisionError
        return [{"id": 1}] if request.label.endswith("/Datasources") else {"id": 1}

    async with scripted_pool(answer) as pool:
        with pytest.raises(ZeroDivisionError):
            await pool.pull(PullPlan([1], format="ndjson"), tmp_path)

    assert asyncio.current_task().cancelling() == 0


async def test_an_error_of_whoever_is_told_is_not_lost(tmp_path):
    """
    It is a bug of theirs, and they look for it.
    """

    def tell(_):
        raise ZeroDivisionError

    async with Emulator(providers=1, rows=3) as emulator, emulator.pool() as pool:
        with pytest.raises(ZeroDivisionError):
            await pool.pull(PullPlan([1]), tmp_path, progress=tell)


async def test_an_error_of_whoever_is_told_ends_the_pull_at_once(tmp_path, monkeypatch):
    """
    What was pulled stays; nobody hears of the rest, and it would take all night.
    """
    monkeypatch.setattr(_job, "_TELL_S", 0.005)

    def tell(now):
        if now.done:
            raise ZeroDivisionError

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": 1, "name": "Teams"}]
        return [{"id": 1}] if request.stream else {"id": 1}

    async with scripted_pool(answer) as pool:
        with pytest.raises(ZeroDivisionError):
            await pool.pull(PullPlan([*range(24)]), tmp_path, progress=tell)
        assert 1 <= len(await held(tmp_path)) < 20
        assert (await pool.pull(PullPlan([*range(24)]), tmp_path)).complete

    assert len(await held(tmp_path)) == 24


async def test_no_secret_and_no_row_stands_in_a_traceback(tmp_path, caplog):
    """
    A pull runs at night, and its log is mailed around.
    """
    caplog.set_level("DEBUG")
    file = tmp_path / "file"
    await asyncio.to_thread(file.write_text, "")
    async with Emulator(providers=1, rows=3) as emulator, emulator.pool() as pool:
        row = (await pool.session(1).reporting.rows(1).to_list())[0]
        (own,) = emulator.credentials.values()
        with pytest.raises(DestinationError) as caught:
            await pool.pull(PullPlan([1]), file)
        await pool.pull(PullPlan([1]), tmp_path / "lake")
    told = "".join(traceback.format_exception(caught.value)) + caplog.text

    assert row["patientName"] not in told
    assert own.application_secret.reveal() not in told


async def test_what_lies_there_whole_or_cut_is_not_pulled_the_other_way(tmp_path):
    """
    Its rows would be there twice.
    """
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    plan = PullPlan([1], sources=["Patients", "Teams"], **DATES)
    async with Emulator(providers=1, rows=60) as emulator, emulator.pool() as pool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_discovery, "date_range_of", lambda *_, **__: None)
            first = await pool.pull(plan, whole)
        again = await pool.pull(plan, whole)
        await pool.pull(plan, cut)
        before = await held(cut)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_discovery, "date_range_of", lambda *_, **__: None)
            refused = await pool.pull(plan, cut)
        everything = await granted(pool, [1], [1, 8])

    assert [total.whole for total in first.totals] == [True, True]
    assert again.partitions == 2
    assert await held(whole) == everything
    assert {f.reason for f in refused.failed} == {
        "it lies there in windows, and has no clear date range any more"
    }
    assert await held(cut) == before


@pytest.mark.parametrize(
    ("file_format", "extra"), [("parquet", "frames"), ("duckdb", "duckdb")]
)
async def test_a_missing_extra_is_said_before_anything_is_asked_for(
    file_format, extra, tmp_path, monkeypatch
):
    """
    Else a thousand providers are asked for what cannot be written. One extra brings all
    that a format needs.
    """
    lake = tmp_path / "lake"
    for module in ("pyarrow.parquet", "duckdb"):
        monkeypatch.setitem(sys.modules, module, None)
    async with Emulator(providers=2) as emulator, emulator.pool() as pool:
        with pytest.raises(MissingExtraError, match=rf"\[{extra}\]"):
            await pool.pull(PullPlan([1, 2], format=file_format), lake)

    assert emulator.seen.requests == 0
    assert not await asyncio.to_thread(lake.exists)


@pytest.mark.parametrize("file_format", ["parquet", "csv", "duckdb"])
async def test_a_column_named_as_a_folder_is_not_hidden_by_it(file_format, tmp_path):
    """
    To who reads the files, the folders are columns, in DuckDB of any case.
    """
    source = {"id": 1, "name": "Encounters"}
    row = {"id": 1, "Provider": "Dr. Quill", "window": "left", "PROVIDER_1": "x"}

    def answers(request):
        if request.stream:
            return [row]
        columns = [{"name": name, "type": "string"} for name in row]
        listed = request.label.endswith("/Datasources")
        return [source] if listed else {**source, "fields": columns, "parameters": []}

    async with scripted_pool(answers) as pool:
        report = await pool.pull(PullPlan([7], format=file_format), tmp_path)

    def read():
        if file_format == "duckdb":
            with duckdb.connect(str(tmp_path / "rows.duckdb")) as db:
                return db.sql("FROM Encounters").pl().to_dicts()
        files = f"'{tmp_path}/**/*.{file_format}', hive_partitioning = true"
        return duckdb.sql(f"FROM read_{file_format}({files})").pl().to_dicts()

    found = await asyncio.to_thread(read)
    if file_format == "duckdb":
        assert found == [{"_provider": "7", "_window": "all", **row, "id": "1"}]
        return
    assert [{name: str(value) for name, value in one.items()} for one in found] == [
        {
            "id": "1", "Provider_2": "Dr. Quill", "window_1": "left",
            "PROVIDER_1": "x", "source": "Encounters", "provider": "7",
            "window": "all",
        }
    ]  # fmt: skip
    assert report.totals[0].drift[-2:] == (
        "Provider: the path has this name; the column is Provider_2",
        "window: the path has this name; the column is window_1",
    )
