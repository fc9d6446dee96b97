"""Ten times the rows do not cost more memory, however many streams there are."""

import subprocess
import sys

import pytest
from children import unwatched

# The emulator runs in a process of its own, so that only the client is measured.
CLIENT = """
import asyncio
from memory import peak_mb
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
        outcomes = await pool.fan_out(range(1, 16), pull)
    outcomes.raise_for_failures()
    print(sum(outcomes.succeeded.values()))

POOL = ConnectionPool.from_environment()
asyncio.run(main())
print(peak_mb())
"""


def peak_of(rows):
    """Return how many rows came, and the most memory in MiB."""
    emulate = [
        sys.executable, "-m", "healthyroster_async", "emulate", "--port", "0",
        "--providers", "15", "--rows", str(rows),
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
                env={**unwatched(), **variables, "PYTHONPATH": "benchmarks"},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            emulator.terminate()
    assert done.returncode == 0, done.stderr[-2000:]
    count, peak = done.stdout.split()
    return int(count), float(peak)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_ten_times_the_rows_do_not_cost_more_memory():
    """
    The container of a nightly job is small, and the data grows every year.
    """
    # Even the few are more than all buffers hold.
    few, little = peak_of(1000)
    many, much = peak_of(10_000)

    assert (few, many) == (15 * 9 * 1000, 15 * 9 * 10_000)
    assert much < 1.2 * little, f"{little} MiB, then {much} MiB"
