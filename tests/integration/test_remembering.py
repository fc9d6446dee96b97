"""What one run learned, the next one begins with."""

import asyncio
import os
from pathlib import Path

from healthyroster_async import Environment, PacingSettings
from healthyroster_async.emulator import Emulator
from healthyroster_async.emulator.limits import RateLimit

KEPT = PacingSettings(remember=True, share=False)


def kept():
    folder = Path(os.environ["XDG_STATE_HOME"])
    return [path for path in folder.rglob("*") if path.is_file()]


def contents():
    return b"".join(path.name.encode() + path.read_bytes() for path in kept())


async def pull(pool, seconds):
    until = asyncio.get_running_loop().time() + seconds

    async def work():
        while asyncio.get_running_loop().time() < until:
            await pool.session(1).reporting.data_sources()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())


async def test_the_second_run_starts_converged():
    """
    A job that runs every night must not find the limit anew every night.
    """
    limit = RateLimit(rate=30, per=2.0, kind="window", headers="none")
    async with Emulator(providers=1, rate_limit=limit) as emulator:
        async with emulator.pool(pacing=KEPT) as pool:
            # A job that is killed has learned, too. (A window is seen after some of it,
            # and on a machine that stands still for a moment in between, later.)
            for _ in range(10):
                await pull(pool, 2.0)
                if b'"calls": 30' in await asyncio.to_thread(contents):
                    break
            learned = pool.stats()[Environment.SANDBOX]
            first = emulator.seen.rejected
            so_far = await asyncio.to_thread(contents)
        emulator.rate_limit = limit  # a new day
        emulator.seen.clear()
        async with emulator.pool(pacing=KEPT) as pool:
            begins_with = pool.stats()[Environment.SANDBOX]
            await pull(pool, 2.5)
            rejected = emulator.seen.rejected
        found = await asyncio.to_thread(contents)
        secrets = emulator.credentials[Environment.SANDBOX]

    assert b'"calls": 30' in so_far
    assert learned.rate_source == begins_with.rate_source == "learned 30 per 2 s"
    # On a busy machine calls crowd together; who knows nothing is turned away more.
    assert rejected <= 2 < first
    assert secrets.application_id.encode() not in found
    assert secrets.application_secret.reveal().encode() not in found


async def test_nothing_is_remembered_of_an_api_on_this_host_unless_asked_to():
    """
    The port of a test server is another one's tomorrow.
    """
    limit = RateLimit(rate=30, per=2.0, kind="window", headers="none")
    async with (
        Emulator(providers=1, rate_limit=limit) as emulator,
        emulator.pool() as pool,
    ):
        await pull(pool, 3.0)
        source = pool.stats()[Environment.SANDBOX].rate_source

    assert source == "learned 30 per 2 s"
    assert await asyncio.to_thread(kept) == []
