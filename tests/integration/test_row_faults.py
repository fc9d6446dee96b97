"""Many streams at once while everything goes wrong: each is exact, or says why not."""

import asyncio
import gc
import json

import attrs
import pyarrow.parquet
import pytest

from healthyroster_async import (
    Environment,
    HealthyRosterError,
    Limit,
    PacingSettings,
    RetrySettings,
    Timeouts,
)
from healthyroster_async.emulator import Emulator, Fault

pytestmark = pytest.mark.unmeasured

STREAMS, ROWS = 40, 400
SANDBOX = Environment.SANDBOX
FAULTS = [
    Fault(kind=kind, endpoint="rows", probability=chance, after_bytes=after, **more)
    for kind, chance, after, more in (
        ("reset", 0.08, 0, {}),
        ("reset-inside", 0.15, 90_000, {}),
        ("truncate", 0.15, 50_000, {}),
        ("stall", 0.08, 70_000, {}),
        ("malformed", 0.03, 0, {}),
        ("html", 0.03, 0, {"status": 200}),
        ("html", 0.03, 0, {"status": 502}),
        ("status", 0.15, 0, {"status": 429, "retry_after": "0"}),
        ("redirect", 0.02, 0, {}),
    )
]


async def iterated(stream, path):
    async with stream as rows:
        return [row async for row in rows]


@attrs.frozen
class Row:
    id: int


async def instances(stream, path):
    async with stream as rows:
        made = [one.id async for one in rows.as_(Row)]
    assert rows.bad_row_count == 0
    return made


async def table(stream, path):
    return (await stream.to_arrow())["id"].to_pylist()


async def parquet(stream, path):
    assert await stream.to_parquet(path) == ROWS
    read = await asyncio.to_thread(pyarrow.parquet.read_table, path)
    return read["id"].to_pylist()


async def lines(stream, path):
    assert await stream.to_ndjson(path) == ROWS
    text = await asyncio.to_thread(path.read_text)
    return [json.loads(line) for line in text.splitlines()]


READS = [iterated, instances, table, parquet, lines]


def pool(emulator):
    return emulator.pool(
        pacing=PacingSettings(
            rate=Limit(10_000, 1), max_streams=STREAMS, max_concurrency=STREAMS
        ),
        retry=RetrySettings(max_attempts=6, base_delay=0.005, max_delay=0.01),
        timeouts=Timeouts(read=0.6, attempt=5),
        deadline=30,
    )


async def settle(condition):
    """Wait until the other side has noticed what ours has closed."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_stream_is_exact_or_an_error(seed, tmp_path):
    """
    Reset, silent, cut off, broken, a page of HTML, too many calls: in the middle of
    forty others. No row too few that nobody knows of, and nothing is left open.
    """
    settings = {"providers": STREAMS, "rows": ROWS, "seed": seed}
    ended = {}
    async with Emulator(**settings) as emulator, pool(emulator) as own:
        outcomes = await own.fan_out(
            range(1, STREAMS + 1), lambda s: s.reporting.rows(1).to_list()
        )
    expected = outcomes.succeeded
    assert len(expected) == STREAMS

    emulator = Emulator(**settings, faults=FAULTS)
    async with emulator:
        async with pool(emulator) as own:

            async def one(provider):
                read = READS[provider % len(READS)]
                stream = own.session(provider).reporting.rows(1)
                try:
                    ended[provider] = await read(stream, tmp_path / str(provider))
                except HealthyRosterError as error:
                    ended[provider] = error

            async with asyncio.TaskGroup() as group:
                for provider in range(1, STREAMS + 1):
                    group.create_task(one(provider))
            stats = own.stats()[SANDBOX]
            assert (stats.open_streams, stats.in_flight, stats.waiting) == (0, 0, 0)
            await settle(lambda: emulator.seen.in_flight == 0)
            assert not own._running.transport._streams
        seen = emulator.seen

    whole = {p: rows for p, rows in ended.items() if isinstance(rows, list)}
    errors = {p: error for p, error in ended.items() if p not in whole}
    assert len(ended) == STREAMS
    assert len(whole) > STREAMS / 4
    assert sum(seen.faults.values()) > STREAMS / 2
    assert len(seen.faults) >= 6
    for provider, rows in whole.items():
        if READS[provider % len(READS)] in {instances, table, parquet}:
            assert rows == [row["id"] for row in expected[provider]]
        else:
            assert rows == expected[provider]
    for error in errors.values():
        assert str(error).startswith("POST /")
    left = await asyncio.to_thread(lambda: {p.name for p in tmp_path.iterdir()})
    assert left == {str(p) for p in whole if READS[p % len(READS)] in {parquet, lines}}
    gc.collect()  # what was not closed warns here, and a warning is an error
