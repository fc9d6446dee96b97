"""Several processes on one credential, each with a pool of its own."""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import pytest
from children import unwatched

from healthyroster_async import (
    DeadlineExceededError,
    Environment,
    PacingSettings,
    Priority,
    RateLimitedError,
)
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.emulator.limits import RateLimit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no shared budget")
RATE = 50
SECONDS = 8
LOADING_S = 4.0

PROCESS = """
import asyncio, json, sys, time
from healthyroster_async import (
    ConnectionPool, Contract, Credentials, Environment, Limit, PacingSettings,
    Priority,
)

async def main():
    url, application, secret, rate, seconds, start = sys.argv[1:]
    contract = Contract(
        base_urls={Environment.SANDBOX: url},
        application_id_header="X-Application-Id",
        application_secret_header="X-Application-Secret",
    )
    told = Limit(float(rate)) if float(rate) else None
    pool = ConnectionPool(
        {Environment.SANDBOX: Credentials(application, secret)},
        contract=contract,
        pacing=PacingSettings(rate=told, share=True, remember=False),
    )
    done = 0
    async with pool:
        session = pool.session(1, priority=Priority.BULK)
        await asyncio.sleep(max(0.0, float(start) - time.time()))
        until = asyncio.get_running_loop().time() + float(seconds)

        async def work():
            nonlocal done
            while asyncio.get_running_loop().time() < until:
                await session.reporting.data_sources()
                done += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(work())
        stats = pool.stats()[Environment.SANDBOX]
    print(json.dumps({"done": done, "throttled": stats.throttled}))

asyncio.run(main())
"""


async def run(emulator, rate, folder, start, seconds=SECONDS):
    credentials = emulator.credentials[Environment.SANDBOX]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROCESS,
        emulator.url,
        credentials.application_id,
        credentials.application_secret.reveal(),
        str(rate),
        str(seconds),
        str(start),
        stdout=asyncio.subprocess.PIPE,
        env={**unwatched(), "XDG_RUNTIME_DIR": str(folder)},
    )


async def results(processes):
    found = []
    for process in processes:
        out, _ = await process.communicate()
        assert process.returncode == 0
        found.append(json.loads(out))
    return found


async def test_four_processes_share_one_limit_evenly(tmp_path):
    """
    A nightly job in four processes must not be four times too fast, nor starve one.
    """
    limit = RateLimit(rate=RATE, burst=20, headers="none")
    async with Emulator(providers=1, rate_limit=limit) as emulator:
        start = time.time() + LOADING_S
        processes = [await run(emulator, RATE, tmp_path, start) for _ in range(4)]
        found = await results(processes)
        rejected = emulator.seen.rejected
        busiest = emulator.seen.accepted_at.most_common(SECONDS - 2)

    done = [one["done"] for one in found]
    jain = sum(done) ** 2 / (len(done) * sum(n * n for n in done))
    per_second = sum(count for _, count in busiest) / len(busiest)
    assert rejected <= 2
    assert jain >= 0.97
    assert 0.93 * RATE <= per_second <= 1.02 * RATE


async def test_a_process_that_is_killed_takes_nothing_along(tmp_path):
    """
    The others go on at once, with all of the budget.
    """
    async with Emulator(providers=1) as emulator:
        start = time.time() + LOADING_S
        victim, heir = [
            await run(emulator, RATE, tmp_path, start, 4.0) for _ in range(2)
        ]
        await asyncio.sleep(LOADING_S + 1.0)
        victim.kill()
        await victim.wait()
        (one,) = await results([heir])

    assert one["done"] >= 2.0 * RATE
    assert await asyncio.to_thread(files, tmp_path) == [".budget"]


def files(folder):
    return [path.suffix for path in Path(folder).rglob("*") if path.is_file()]


# Pools of other settings have governors of their own, as pools of other processes have.
ONE = PacingSettings(share=True, remember=False)
OTHER = PacingSettings(share=True, remember=False, max_concurrency=99)


async def test_a_long_pause_of_another_process_is_told_like_an_own_one():
    """
    Else a click hangs behind what another worker was asked for, and nobody sees why.
    """
    told = []
    asks = Fault(kind="status", status=429, retry_after="600", times=1, provider=1)
    async with (
        asyncio.timeout(30),
        Emulator(providers=2, faults=[asks]) as emulator,
        emulator.pool(pacing=ONE) as one,
        emulator.pool(pacing=OTHER, on_pause=told.append) as other,
    ):
        # One that has just seen that nobody pauses hears of it all the same.
        await other.session(2).reporting.data_sources()
        with pytest.raises(RateLimitedError):
            await one.session(1).reporting.data_sources()
        with pytest.raises(RateLimitedError) as click:
            await other.session(1).reporting.data_sources()
        bulk = other.session(1, priority=Priority.BULK).with_options(deadline=2)
        with pytest.raises(DeadlineExceededError, match=r"wait of \d{3} s"):
            await bulk.reporting.data_sources()
        paused = other.stats()[Environment.SANDBOX].paused_for

    assert 590 < click.value.retry_after < 602
    assert 590 < paused < 602
    assert [event.kind for event in told] == ["paused"]
    assert 590 < told[0].pause_s < 602
    assert emulator.seen.requests == 2


async def test_what_a_probe_is_asked_to_wait_holds_the_other_processes_too():
    """
    It tells of no new overload, but of a longer pause.
    """
    told, probed = [], asyncio.Event()

    def heard(event):
        if event.attempt == 2:
            probed.set()

    faults = [
        Fault(kind="status", status=429, retry_after=wait, times=1, every=n, provider=1)
        for n, wait in ((1, "1"), (2, "3"))
    ]
    async with (
        Emulator(providers=2, faults=faults) as emulator,
        emulator.pool(pacing=ONE, on_attempt=heard) as one,
        emulator.pool(pacing=OTHER, on_pacing=told.append) as other,
    ):
        await other.session(2).reporting.data_sources()
        probing = asyncio.ensure_future(
            one.session(1, priority=Priority.BULK).reporting.data_sources()
        )
        async with asyncio.timeout(10):
            await probed.wait()
        began = time.monotonic()
        await other.session(2).reporting.data_sources()
        waited = time.monotonic() - began
        await probing

    assert waited > 2.5
    assert emulator.seen.during_pause == 0
    assert [event.kind for event in told].count("paused") == 1
    assert told[-1].kind == "resumed"


async def test_every_pool_that_is_held_hears_of_it():
    """
    A dashboard is often on the pool that makes few calls.
    """
    one, other = [], []
    asks = Fault(kind="status", status=429, retry_after="1", times=1)
    async with (
        Emulator(faults=[asks]) as emulator,
        emulator.pool(on_pause=one.append) as first,
        emulator.pool(on_pause=other.append),
    ):
        await first.session(1).reporting.data_sources()

    assert [event.kind for event in one] == ["paused"]
    assert one == other


def sharing(caplog):
    """Return what was said of sharing: asyncio speaks of a slow machine, too."""
    name = "healthyroster_async.sharing"
    return [record for record in caplog.records if record.name == name]


async def test_a_pool_starts_where_nothing_can_be_written(monkeypatch, caplog):
    """
    A container may have a root that is read-only, and no temporary folder.
    """
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/gone"])
    settings = PacingSettings(share=True)
    clock = asyncio.get_running_loop().time
    async with (
        Emulator(providers=1) as emulator,
        emulator.pool(pacing=settings) as pool,
    ):
        until = clock() + 5.0
        while not (told := sharing(caplog)) and clock() < until:
            await pool.session(1).reporting.data_sources()

    (record,) = told
    assert record.getMessage().endswith(
        "out of reach (FileNotFoundError); this process paces itself"
    )
