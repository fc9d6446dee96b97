"""Pulls into places that fsspec reaches."""

import asyncio
import contextlib
import datetime as dt
import io
import json
import shutil
import tempfile
from pathlib import Path

import attrs
import fsspec
import pyarrow.parquet as pq
import pytest

from healthyroster_async import DestinationError, PullPlan
from healthyroster_async.emulator import Emulator
from healthyroster_async.pull._journal import Cell
from healthyroster_async.pull._remote import open_destination, rehearsed
from healthyroster_async.testing import ScriptedTransport, scripted_pool

LAST = "last"
PLAN = PullPlan([1, 2], sources=["Patients"], since="2025-01-01", until="2025-04-01")


@pytest.fixture(autouse=True)
def _state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=["memory", "local"])
def url(request, tmp_path):
    """A store that takes whole objects, and one whose files must be renamed."""
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "memory://lake"
    return f"local://{tmp_path}/lake"


def files(url):
    system, place = fsspec.core.url_to_fs(url)
    return {
        name.removeprefix(f"{place}/"): system.cat_file(name)
        for name in system.find(place)
    }


def rows(url):
    return sorted(
        id_
        for name, raw in files(url).items()
        if name.endswith(".parquet")
        for id_ in pq.read_table(io.BytesIO(raw))["id"].to_pylist()
    )


async def pull(pool, url, plan=PLAN):
    return await pool.pull(plan, url)


async def test_a_store_holds_what_a_folder_would(url):
    """
    A warehouse reads from where it is, not from the machine that pulled.
    """
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        report = await pull(pool, url)
    there = await asyncio.to_thread(files, url)

    assert report.rows == len(await asyncio.to_thread(rows, url)) > 0
    assert "source=Patients/provider=1/window=2025-01/rows.parquet" in there
    assert {n for n in there if n.startswith("_")} == {
        "_healthyroster/journal.sqlite",
        "_healthyroster/summary.json",
    }


@pytest.mark.parametrize("call", [open_destination, rehearsed])
@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("", "the destination is empty"),
        ("caf\udce9", "the destination is not in UTF-8"),
        ("s3://key:secret@bucket/lake", "Install s3fs"),
        ("foo://key:secret@bucket", "knows no place that begins with foo://"),
        (Path("s3://secret/lake"), "has lost a slash"),
        (Path("file:///secret/lake"), "has lost a slash"),
    ],
)
def test_a_place_that_is_none_says_what_to_give(
    place, text, call, tmp_path, monkeypatch
):
    """
    An unset variable must not fill the folder one is in, and a package is installed by
    its name.
    """
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DestinationError, match=text) as raised:
        call(place, "parquet")

    assert "secret" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", [open_destination, rehearsed])
async def test_rows_without_a_journal_are_not_pulled_over(url, call):
    """
    Nobody would know which of them are old, and they would lie there twice.
    """
    async with Emulator(providers=2, rows=30) as emulator, emulator.pool() as pool:
        await pull(pool, url)
    system, place = fsspec.core.url_to_fs(url)
    await asyncio.to_thread(system.rm, f"{place}/_healthyroster", recursive=True)
    before = await asyncio.to_thread(files, url)
    with pytest.raises(DestinationError, match="holds rows of a pull, but not"):
        await asyncio.to_thread(call, url, "parquet")

    assert await asyncio.to_thread(files, url) == before


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_dry_run_looks_into_the_store(url, elsewhere, monkeypatch, tmp_path):
    """
    On the machine that pulled and on another one, and neither keeps anything of it.
    """
    one = PullPlan([1], sources=["Patients"], since=LAST, until="2025-05-01")
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        fresh = await pool.pull(PLAN, url, dry_run=True)
        await pull(pool, url)
        if elsewhere:
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        before = await asyncio.to_thread(files, url)
        newer = await pool.pull(one, url, dry_run=True)

    assert (fresh.partitions, fresh.kept, fresh.calls) == (6, 0, 6 + 3)
    assert newer.calls == newer.partitions + 2 == 4
    assert await asyncio.to_thread(files, url) == before
    assert not await asyncio.to_thread((tmp_path / "elsewhere").exists)


async def test_a_dry_run_needs_a_folder_for_what_it_copies_only(
    url, monkeypatch, tmp_path
):
    """
    On the machine that pulled it copies nothing; on another one it says what it lacks.
    """
    async with Emulator(providers=2, rows=30) as emulator, emulator.pool() as pool:
        await pull(pool, url)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/gone"])
    (await asyncio.to_thread(rehearsed, url, "parquet")).close()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(DestinationError, match="no folder for a copy"):
        await asyncio.to_thread(rehearsed, url, "parquet")


async def test_a_pull_into_the_home_is_not_around_that_into_a_store(
    url, tmp_path, monkeypatch
):
    """
    What a store needs of this machine lies in the home too, and nobody reads it.
    """
    async with Emulator(providers=2, rows=9) as emulator, emulator.pool() as pool:
        await pull(pool, tmp_path / "home")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/.local/state"))
        tried = await pool.pull(PLAN, url, dry_run=True)
        report = await pull(pool, url)

    assert tried.partitions == report.done > 0
    assert len(await asyncio.to_thread(rows, url)) == report.rows > 0


async def test_another_machine_goes_on_from_the_journal_in_the_store(
    url, monkeypatch, tmp_path
):
    """
    A container has no state folder that outlives it.
    """
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        first = await pull(pool, url)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        more = PullPlan([1, 2], sources=["Patients"], since="last", until="2025-04-01")
        second = await pull(pool, url, more)

    assert 0 < second.partitions < first.partitions
    assert len(set(await asyncio.to_thread(rows, url))) == first.rows


def visits(number):
    """Return the script of an API with so many rows of each provider."""
    days = [dt.date(2023, 1, 1) + dt.timedelta(29 * i % 700) for i in range(number)]
    parameters = [
        {"name": name, "type": "date", "description": "inclusive"}
        for name in ("StartDate", "EndDate")
    ]

    def answer(request):
        if request.label.endswith("/Datasources"):
            return [{"id": 7, "name": "Visits"}]
        if not request.label.endswith("/Data"):
            return {"id": 7, "fields": [], "parameters": parameters}
        asked = json.loads(request.body)
        first = 1000 * request.provider_id
        return [
            {"id": first + i}
            for i, day in enumerate(days)
            if asked["StartDate"] <= str(day) <= asked["EndDate"]
        ]

    return answer


class Snapshots(ScriptedTransport):
    """Keeps what is there before the third rows are answered.

    That is what a kill leaves at this instant, in the store and in the state folder.
    """

    def __init__(self, script, url, state):
        super().__init__(script)
        self.there = {}
        self._url, self._state = url, state

    async def send(self, signed):
        answer = await super().send(signed)
        if sum(request.stream for request in self.requests) == 3 and not self.there:
            await asyncio.to_thread(self._keep)
        return answer

    def _keep(self):
        self.there = files(self._url)
        shutil.copytree(self._state, f"{self._state}-killed")

    def restore(self):
        system, place = fsspec.core.url_to_fs(self._url)
        system.rm(place, recursive=True)
        for name, raw in self.there.items():
            system.makedirs(f"{place}/{name}".rpartition("/")[0], exist_ok=True)
            system.pipe_file(f"{place}/{name}", raw)
        shutil.rmtree(self._state)
        shutil.move(f"{self._state}-killed", self._state)


async def killed(url, state, window):
    """Pull until a kill after the second file, and return what was to be pulled."""
    plan = PullPlan([1, 2], since="2023-01-01", until="2025-01-01", window=window)
    api = Snapshots(visits(14), url, state)
    async with scripted_pool(api) as pool:
        await pool.pull(plan, url, concurrency=1)
    await asyncio.to_thread(api.restore)
    return plan


@pytest.mark.parametrize(("machine", "kept"), [("state", 2), ("elsewhere", 0)])
async def test_what_a_killed_machine_put_there_lies_there_once(
    url, machine, kept, monkeypatch, tmp_path
):
    """
    A container is gone with its journal; more rows would be cut into other windows.
    """
    plan = await killed(url, tmp_path / "state", 15)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / machine))
    async with scripted_pool(visits(40)) as pool:
        report = await pool.pull(plan, url)
        again = await pool.pull(plan, url)
    there = await asyncio.to_thread(rows, url)

    assert report.complete
    assert report.kept == kept
    assert again.rows == len(there) == len({*there}) == 80
    assert not [n for n in await asyncio.to_thread(files, url) if "announced" in n]


async def test_how_files_are_cut_is_known_before_there_is_one(
    url, monkeypatch, tmp_path
):
    """
    Whoever cuts otherwise after a kill would put the same rows beside what is there.
    """
    plan = await killed(url, tmp_path / "state", "month")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    async with scripted_pool(visits(40)) as pool:
        with pytest.raises(DestinationError, match="is cut by other windows"):
            await pool.pull(attrs.evolve(plan, window=15), url)


async def test_machines_that_take_turns_know_of_each_other(url, monkeypatch, tmp_path):
    """
    The first one has a journal of its own, and that of the second one is newer.
    """
    turns = [("a", 25, "2024-01-01"), ("b", 25, "2024-06-01"), ("a", 60, "2025-01-01")]
    plan = PullPlan([1, 2], since=LAST, first="2023-01-01", window=4)

    def known():
        with contextlib.closing(rehearsed(url, "parquet")) as journal:
            return {*journal.partitions(Cell("7", "1"))}

    for machine, number, until in turns:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / machine))
        before = await asyncio.to_thread(known)
        names = await asyncio.to_thread(files, url)
        keys = {n.split("window=")[1].split("/")[0] for n in names if "provider=1" in n}
        assert keys <= before
        async with scripted_pool(visits(number)) as pool:
            await pool.pull(attrs.evolve(plan, until=until), url)

    there = await asyncio.to_thread(rows, url)
    assert len(there) == len({*there}) > 50


def remove(state, pattern):
    """Remove what lies somewhere in the state folder."""
    for file in [*state.rglob(pattern)]:
        file.unlink()


async def test_a_journal_that_is_lost_here_is_taken_from_the_store(url, tmp_path):
    """
    Somebody deleted it, for it was damaged; an empty one in its place knows of no file.
    """
    plan = PullPlan([1], since="2023-01-01", until="2025-01-01", window=15)
    async with scripted_pool(visits(14)) as pool:
        await pool.pull(plan, url)
    await asyncio.to_thread(remove, tmp_path / "state", "journal.sqlite*")
    async with scripted_pool(visits(60)) as pool:
        await pool.pull(plan, url)
    there = await asyncio.to_thread(rows, url)

    assert len(there) == len({*there}) == 60


async def test_what_an_older_version_left_as_it_was_killed_lies_there_once(
    url, tmp_path
):
    """
    It announced nothing in the store, and did not keep what it had sent.
    """
    plan = await killed(url, tmp_path / "state", 15)
    await asyncio.to_thread(remove, tmp_path / "state", "sent.sqlite")
    store, place = fsspec.core.url_to_fs(url)
    announced = f"{place}/_healthyroster/announced"
    await asyncio.to_thread(store.rm, announced, recursive=True)
    async with scripted_pool(visits(40)) as pool:
        report = await pool.pull(plan, url)
        await pool.pull(plan, url)
    there = await asyncio.to_thread(rows, url)

    assert report.kept == 2
    assert len(there) == len({*there}) == 80


async def test_a_store_that_was_emptied_is_filled_anew(url):
    """
    The journal of the machine must not say that the rows are there.
    """
    async with Emulator(providers=2, rows=300) as emulator, emulator.pool() as pool:
        first = await pull(pool, url)
        system, place = fsspec.core.url_to_fs(url)
        await asyncio.to_thread(system.rm, place, recursive=True)
        again = await pull(pool, url)

    assert again.rows == first.rows == len(await asyncio.to_thread(rows, url))


async def test_what_cannot_be_reached_is_an_error_without_the_url(tmp_path):
    """
    A URL may hold a secret.
    """
    async with Emulator(providers=1, rows=3) as emulator, emulator.pool() as pool:
        for url in ("nonsense://key:canary@bucket/lake", "local:///dev/null/canary"):
            with pytest.raises(DestinationError) as caught:
                await pull(pool, url)

            assert "canary" not in str(caught.value)
