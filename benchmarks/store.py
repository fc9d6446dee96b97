"""Taking a slot of a budget that processes share: our file store beside its peers.

All give out slots by the same arithmetic under a lock, and keep them in a file:

- *bare flock*: two numbers, no checksum, no boot, no care; the least it can cost
- *mmap + lockf*: our budget, in shared memory, under a POSIX record lock
- *sqlite, one UPDATE*: WAL, ``synchronous=OFF``, ``UPDATE ... RETURNING``
- *sqlite, BEGIN IMMEDIATE*: the same, read and written in one transaction

*Alone*: one process takes slots in a loop. *Four at once*: four do, as fast as they
can (elapsed time by all grants of the host). *Four paced*: four share 1,000 slots a
second and sleep until theirs, which is what the pool does: how long the one call takes.
*Missed*: how often a paced one was told that the store is out of reach. Medians over
alternating runs; the goal is that a paced grant takes at most 60 microseconds.

Run: ``python benchmarks/store.py [--runs 5] [--seconds 0.5]``
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import mmap
import multiprocessing
import os
import sqlite3
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeAlias

from attrs import frozen

from healthyroster_async._core.shared import (
    CATCH_UP_S,
    FRESH,
    SIZE,
    decode,
    encode,
    learn,
    reserve,
)
from healthyroster_async._policies.sharing import FileStore, boot_mark

GOAL_US = 60.0
PACE = 1000.0
PROCESSES = 4
# Takes one slot: when it is due, or None if it missed.
Take: TypeAlias = Callable[[], float | None]
Open: TypeAlias = Callable[[Path, float], Take]


def ours(path: Path, rate: float) -> Take:
    """Take slots as the pool does."""
    store = FileStore(path)
    store.learn(0, rate=rate, limit=None)

    def take() -> float | None:
        got = store.reserve(1)
        return None if got is None else got.slot

    return take


def bare(path: Path, rate: float) -> Take:
    """Take slots with a lock and two numbers."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, struct.pack("<2d", 0.0, rate), 0)

    def take() -> float:
        fcntl.flock(fd, fcntl.LOCK_EX)
        now = time.monotonic()
        due, rate = struct.unpack("<2d", os.pread(fd, 16, 0))
        start = max(due, now - CATCH_UP_S)
        os.pwrite(fd, struct.pack("<2d", start + 1 / rate, rate), 0)
        fcntl.flock(fd, fcntl.LOCK_UN)
        return max(float(start), now)

    return take


def mapped(path: Path, rate: float) -> Take:
    """Take slots of our budget in shared memory."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, SIZE)
    memory = mmap.mmap(fd, SIZE)
    boot = boot_mark()
    start = learn(FRESH, 0, time.monotonic(), rate=rate, limit=None)
    memory[:] = encode(start, boot)

    def take() -> float:
        fcntl.lockf(fd, fcntl.LOCK_EX)
        now = time.monotonic()
        before = decode(memory[:], boot, now) or FRESH
        after, slot = reserve(before, 1, now)
        memory[:] = encode(after, boot)
        fcntl.lockf(fd, fcntl.LOCK_UN)
        return slot

    return take


def database(path: Path, rate: float) -> sqlite3.Connection:
    """Open a table of one row."""
    base = sqlite3.connect(path, isolation_level=None, timeout=10)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=OFF")
    base.execute("CREATE TABLE IF NOT EXISTS budget (id PRIMARY KEY, due, rate)")
    base.execute("INSERT OR IGNORE INTO budget VALUES (1, 0.0, ?)", (rate,))
    return base


def one_update(path: Path, rate: float) -> Take:
    """Take slots with one statement."""
    base = database(path, rate)

    def take() -> float:
        now = time.monotonic()
        ((due,),) = base.execute(
            "UPDATE budget SET due = max(due, ? - ?) + 1 / rate "
            "RETURNING due - 1 / rate",
            (now, CATCH_UP_S),
        ).fetchall()
        return max(float(due), now)

    return take


def transaction(path: Path, rate: float) -> Take:
    """Take slots in a transaction."""
    base = database(path, rate)

    def take() -> float:
        base.execute("BEGIN IMMEDIATE")
        now = time.monotonic()
        due, rate = base.execute("SELECT due, rate FROM budget").fetchone()
        start = max(due, now - CATCH_UP_S)
        base.execute("UPDATE budget SET due = ?", (start + 1 / rate,))
        base.execute("COMMIT")
        return float(max(start, now))

    return take


@frozen
class Work:
    """What one process did.

    Attributes:
        grants: Slots it got.
        missed: Times it was told that the store is out of reach.
        took: Seconds of each call, sorted.
    """

    grants: int
    missed: int
    took: list[float]


def work(make: Open, path: Path, rate: float, seconds: float, *, paced: bool) -> Work:
    """Take slots for a while."""
    take = make(path, rate)
    took: list[float] = []
    missed = 0
    end = time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        slot = take()
        after = time.monotonic()
        took.append(after - before)
        missed += slot is None
        if paced:
            time.sleep(max(0.0, (slot or after + 1 / rate) - after))
    return Work(len(took) - missed, missed, sorted(took))


def _process(
    make: Open,
    path: Path,
    rate: float,
    seconds: float,
    *,
    paced: bool,
    ready: Barrier,
    out: Connection,
) -> None:
    ready.wait()
    out.send(work(make, path, rate, seconds, paced=paced))
    out.close()


def together(
    make: Open, path: Path, rate: float, seconds: float, *, paced: bool
) -> list[Work]:
    """Let four processes work at once."""
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(PROCESSES)
    pipes = [context.Pipe(duplex=False) for _ in range(PROCESSES)]
    processes = [
        context.Process(
            target=_process,
            args=(make, path, rate, seconds),
            kwargs={"paced": paced, "ready": ready, "out": out},
        )
        for _, out in pipes
    ]
    for process in processes:
        process.start()
    done: list[Work] = [into.recv() for into, _ in pipes]
    for process in processes:
        process.join()
    return done


PEERS: dict[str, Open] = {
    "healthyroster-async": ours,
    "bare flock": bare,
    "mmap + lockf": mapped,
    "sqlite, one UPDATE": one_update,
    "sqlite, BEGIN IMMEDIATE": transaction,
}


def measure(make: Open, seconds: float) -> tuple[float, ...]:
    """Measure once; microseconds, and how many were missed."""
    with tempfile.TemporaryDirectory() as folder:
        private = Path(folder, "private")
        private.mkdir(mode=0o700)
        alone = work(make, private / "alone", 1e6, seconds, paced=False)
        # Opened before the others come, so that nobody sees a half-made database.
        make(private / "full", 1e6)()
        full = together(make, private / "full", 1e6, seconds, paced=False)
        make(private / "paced", PACE)()
        paced = together(make, private / "paced", PACE, seconds, paced=True)
    calls = sorted(took for each in paced for took in each.took)
    return (
        seconds / alone.grants * 1e6,
        seconds / sum(each.grants for each in full) * 1e6,
        statistics.median(calls) * 1e6,
        calls[int(len(calls) * 0.99)] * 1e6,
        float(sum(each.missed for each in paced)),
    )


def main() -> None:
    """Measure all, print the table, fail if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()

    runs: dict[str, list[tuple[float, ...]]] = {name: [] for name in PEERS}
    for _ in range(options.runs):
        for name, make in PEERS.items():
            runs[name].append(measure(make, options.seconds))
    print("microseconds a grant; medians of", options.runs, "runs")
    head = ("alone", "four at once", "four paced", "paced p99", "missed")
    print(f"{'':26}", *(f"{title:>12}" for title in head))
    for name, results in runs.items():
        row = [statistics.median(column) for column in zip(*results, strict=True)]
        print(
            f"{name:26}",
            *(f"{value:12.1f}" for value in row[:4]),
            f"{row[4]:12.0f}",
        )
    ours_us = statistics.median(run[2] for run in runs["healthyroster-async"])
    verdict = "met" if ours_us <= GOAL_US else "MISSED"
    print(f"goal: {GOAL_US:.0f} microseconds a paced grant: {verdict}")
    sys.exit(ours_us > GOAL_US)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
