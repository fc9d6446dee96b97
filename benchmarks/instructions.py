"""What it costs to be watched, in instructions: a busy machine counts the same.

The first three ways of ``telemetry.py``. Valgrind counts the instructions of a process
that makes a few calls and of one that makes many, one after another, so that each has
the event loop to itself; the difference is what calls take. What the kernel does for a
call is not counted, and would make the share smaller.

Run: ``python benchmarks/instructions.py [--calls 1000] [--check]``
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
from typing import Any

from calls import nginx
from telemetry import ABSENT, GOALS, OUT, UNSET, pool

from healthyroster_async.integrations.opentelemetry import OpenTelemetry

FEW = 200


async def work(way: str, calls: int, url: str) -> None:
    """Make calls in one of the ways."""
    options: dict[str, Any] = {"telemetry": OpenTelemetry()} if way == UNSET else {}
    async with pool(url, **options) as (watched, without):
        call = without if way == OUT else watched
        for number in range(calls):
            await call(number)


def instructions(way: str, calls: int, url: str) -> int:
    """Return how many instructions it takes to start, and to make some calls."""
    counting = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}")
    own = (sys.executable, __file__, "--work", way, str(calls), url)
    said = subprocess.run(
        [*counting, *own],
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""},
    ).stderr
    counted = re.search(r"Collected : (\d+)", said)
    assert counted, said
    return int(counted[1])


def main() -> int:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000, help="that are counted")
    parser.add_argument("--check", action="store_true", help="fail below the goals")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        way, calls, url = options.work
        asyncio.run(work(way, int(calls), url))
        return 0
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed; it counts the instructions")
    missed = 0
    counts: dict[str, float] = {}
    print(f"{'telemetry':<14}{'instructions a call':>20}{'ratio':>8}{'goal':>8}")
    with nginx() as url:
        for way in (OUT, ABSENT, UNSET):
            few = instructions(way, FEW, url)
            counts[way] = (instructions(way, FEW + options.calls, url) - few) / (
                options.calls
            )
            ratio, goal, said = counts[way] / counts[OUT], GOALS.get(way), ""
            if goal is not None:
                missed += ratio > goal
                said = f"{goal:>8.2f}  {'met' if ratio <= goal else 'NOT MET'}"
            print(f"{way:<14}{counts[way]:>20,.0f}{ratio:>8.3f}{said}", flush=True)
    return missed if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
