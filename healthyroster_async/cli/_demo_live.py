"""How far the demo is, on a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import define, field
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from healthyroster_async._report.text import size
from healthyroster_async.cli import _console

if TYPE_CHECKING:
    from healthyroster_async.cli._demo_job import Job

_REFRESH_S = 0.1


@define(eq=False)
class _Picture:
    """Draws a job again and again, from a timer of its loop and no thread."""

    job: Job
    live: Live
    bar: Progress
    loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop)
    _began: float = field(init=False, default=0.0)
    _timer: asyncio.TimerHandle | None = field(init=False, default=None)

    def start(self) -> None:
        self._began = self.loop.time()
        self.bar.add_task("", total=None)
        self._draw()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _draw(self) -> None:
        self.live.update(self._now(), refresh=True)
        self._timer = self.loop.call_later(_REFRESH_S, self._draw)

    def _now(self) -> RenderableType:
        job = self.job
        seconds = max(self.loop.time() - self._began, 0.001)
        self.bar.update(
            self.bar.task_ids[0], completed=job.cells, total=job.expected_cells
        )
        counted = (
            f"{job.rows:,} rows   {size(job.size)}   {job.rows / seconds:,.0f} rows/s"
        )
        lines: list[RenderableType] = [self.bar, Text(f"  {counted}")]
        stats = job.stats()
        if stats is not None:
            line = Text(
                f"  {stats.attempts} calls   {stats.in_flight} under way   "
                f"{stats.retries} retries   {stats.throttled} throttled   "
                f"{stats.pauses} pauses   {stats.rate:.3g} calls/s"
            )
            if stats.paused_for > 0:
                line.append(f"   paused {stats.paused_for:.1f} s", "yellow")
            lines.append(line)
        return Group(*lines)


@contextmanager
def watched(job: Job) -> Iterator[None]:
    """Show how far *job* is while the block runs; nothing if nobody looks."""
    console = _console.messages()
    if not _console.is_terminal(sys.stderr) or console.is_dumb_terminal:
        yield
        return
    bar = Progress(
        TextColumn("  Pulling data sources"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        auto_refresh=False,
    )
    live = Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        picture = _Picture(job, live, bar)
        picture.start()
        try:
            yield
        finally:
            picture.stop()
