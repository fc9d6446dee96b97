"""How far a pull is: a live view on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, strftime

from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from healthyroster_async._pool import ConnectionPool
from healthyroster_async._progress import counted, ended
from healthyroster_async.cli import _console
from healthyroster_async.pull._job import PullCallback
from healthyroster_async.pull._report import PullProgress

_LINE_S = 30.0


@contextmanager
def watched(pool: ConnectionPool, *, quiet: bool) -> Iterator[PullCallback | None]:
    """Show how far a pull with *pool* is while the block runs."""
    console = _console.messages()
    if quiet:
        yield None
        return
    if not _console.is_terminal(sys.stderr) or console.is_dumb_terminal:
        yield _lines()
        return
    bar = Progress(
        TextColumn("  Pulling"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
    )
    task = bar.add_task("", total=None)
    live = Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    began = monotonic()

    def show(now: PullProgress) -> None:
        bar.update(task, completed=min(ended(now), now.total), total=now.total)
        lines = ["  " + "   ".join(counted(now, monotonic() - began))]
        for stats in pool.stats().values():
            if stats.attempts:
                paused = stats.paused_for
                lines.append(
                    f"  {stats.attempts:,} calls   {stats.rate:.3g} calls/s allowed   "
                    f"{stats.retries:,} retries"
                    + (f"   paused {paused:.1f} s" if paused > 0 else "")
                )
        text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
        live.update(Group(bar, text), refresh=True)

    with live:
        yield show


def _lines() -> PullCallback:
    told = monotonic()

    def tell(now: PullProgress) -> None:
        nonlocal told
        if monotonic() - told >= _LINE_S:
            told = monotonic()
            _console.message(
                f"{strftime('%H:%M:%S')}  {now.done:,} of {now.total:,} partitions, "
                f"{now.rows:,} rows, {now.failed:,} failed, {now.denied:,} denied"
                + (f"; nothing came for {now.idle} s" if now.idle > _LINE_S else "")
            )

    return tell
