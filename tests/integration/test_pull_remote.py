"""Pulls into places that fsspec reaches."""

import asyncio
import io
import tempfile
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest

from healthyroster_async import DestinationError, PullPlan
from healthyroster_async.emulator import Emulator
from healthyroster_async.pull._remote import open_destination, rehearsed

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
