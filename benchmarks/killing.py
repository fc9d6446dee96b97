"""A pull in a process of its own, which is killed at a step or at any instant.

It is run with what ``command`` returns. It prints a line when it begins, a dot for
every step, and a line when it ends, if it does.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from healthyroster_async import ConnectionPool, PullPlan
from healthyroster_async.pull._duckdb import DuckdbDestination
from healthyroster_async.pull._journal import Journal

# What changes a destination, in the order in which it comes.
STEPS: Mapping[str, tuple[Any, str]] = {
    "sync": (os, "fsync"),
    "announcement": (Journal, "announce"),
    "rename": (Path, "replace"),
    "exchange": (DuckdbDestination, "_fill"),
    "journal": (Journal, "keep"),
    "end": (Journal, "end"),
}
EXTRAS = ("duckdb", "pyarrow.compute", "pyarrow.json", "pyarrow.parquet")


def command(
    folder: Path, plan: Mapping[str, Any], step: str = "-", number: int = 0
) -> list[str]:
    """Return the arguments of such a process, the program left out.

    Args:
        folder: Where it pulls to.
        plan: Arguments of the plan.
        step: One of ``STEPS`` with ``"before "`` or ``"after "``, where it dies.
        number: Which time it does that step; the first one is 1.
    """
    return [__file__, str(folder), json.dumps(plan), step, str(number)]


def _dying(
    call: Callable[..., Any], calls: itertools.count[int], number: int, *, after: bool
) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        mine = next(calls)  # several threads count
        if mine == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments, **options)
        if mine == number:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(sys.stdout.fileno(), b".")
        return result

    return called


def main() -> None:
    """Pull, and die on the way."""
    folder, plan, step, number = sys.argv[1:]
    when, _, wanted = step.partition(" ")
    counts = {name: itertools.count(1) for name in STEPS}
    for name, (owner, attribute) in STEPS.items():
        mine = int(number) if name == wanted else 0
        call = getattr(owner, attribute)
        dying = _dying(call, counts[name], mine, after=when == "after")
        setattr(owner, attribute, dying)
    for extra in EXTRAS:  # importing them would take most of the time that is killed
        importlib.import_module(extra)
    pool = ConnectionPool.from_environment()

    async def pull() -> None:
        async with pool:
            await pool.pull(PullPlan(**json.loads(plan)), folder)

    print("ready", flush=True)
    began = time.perf_counter()
    asyncio.run(pull())
    seconds = time.perf_counter() - began
    steps = {name: next(count) - 1 for name, count in counts.items()}
    print(json.dumps({"seconds": seconds, "steps": steps}), flush=True)


if __name__ == "__main__":
    main()
