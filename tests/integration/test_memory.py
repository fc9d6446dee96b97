"""Ten times the rows do not cost more memory: 300 providers x 9 data sources."""

import subprocess
import sys

import pytest
from children import unwatched

# The emulator runs in a process of its own, so that only the client is measured.
CLIENT = """
import asyncio, os, resource, sys
from healthyroster_async import ConnectionPool

async def pull(clinic):
    count = 0
    for source in await clinic.reporting.data_sources():
        async with clinic.reporting.rows(source.id) as rows:
            async for row in rows:
                count += 1
    return count

async def main():
    pool = POOL
    async with pool:
        outcomes = await pool.fan_out(range(1, 301), pull)
    outcomes.raise_for_failures()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(sum(outcomes.succeeded.values()), peak)

POOL = ConnectionPool.from_environment()
asyncio.run(main())
"""


def peak_of(rows):
    """Return how many rows came, and the most memory in KiB."""
    emulate = [
        sys.executable, "-m", "healthyroster_async", "emulate", "--port", "0",
        "--providers", "300", "--rows", str(rows),
    ]  # fmt: skip
    emulator = subprocess.Popen(
        emulate, stdout=subprocess.PIPE, text=True, env=unwatched()
    )
    with emulator:
        try:
            variables = {}
            while "HEALTHYROSTER_ENVIRONMENT" not in variables:
                line = emulator.stdout.readline()
                name, _, value = line.removeprefix("export ").strip().partition("=")
                variables[name] = value.strip("'")
            done = subprocess.run(
                [sys.executable, "-c", CLIENT],
                env={**unwatched(), **variables},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            emulator.terminate()
    assert done.returncode == 0, done.stderr[-2000:]
    count, peak = done.stdout.split()
    return int(count), int(peak)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage here")
def test_ten_times_the_rows_do_not_cost_more_memory():
    """
    The container of a nightly job is small, and the data grows every year.
    """
    few, little = peak_of(100)
    many, much = peak_of(1000)

    assert (few, many) == (300 * 9 * 100, 300 * 9 * 1000)
    assert much < 1.2 * little, f"{little} KiB, then {much} KiB"
