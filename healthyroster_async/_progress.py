"""A progress bar, in a notebook or on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, Self

from healthyroster_async._core.errors import MissingExtraError
from healthyroster_async._core.extras import extra
from healthyroster_async._core.outcome import Progress
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._report.text import duration, size
from healthyroster_async._stats import EnvironmentStats
from healthyroster_async._sync import SyncPool
from healthyroster_async.pull._report import PullProgress

_EVERY_S = 0.1
_LINE_EVERY_S = 10.0


class ProgressBar:
    """Shows how far a fan-out, an access check or a pull is.

    ::

        with ProgressBar("sources", pool) as bar:
            await pool.fan_out(ids, call, progress=bar)

    In a notebook it is a widget (extra ``notebook``), on a terminal a bar (extra
    ``cli``), and where that is not installed, or nobody looks, a line now and then.
    """

    def __init__(
        self, title: str = "", pool: ConnectionPool | SyncPool | None = None
    ) -> None:
        """Make a bar; it appears when its block begins, or with the first news.

        Args:
            title: What stands in front of it.
            pool: Where the pace is looked up: the calls a second that are allowed,
                the pauses, and from them the time left.
        """
        self._title = title
        # A callback of a SyncPool runs on its loop, which must not wait for itself.
        self._pool = pool._inner if isinstance(pool, SyncPool) else pool  # noqa: SLF001 - ours
        self._shown: _Form | None = None
        self._began = self._drawn = monotonic()
        self._start: int | None = None
        self._last: Progress | PullProgress | None = None

    def __call__(self, progress: Progress | PullProgress) -> None:
        """Show how far it is; to be given as ``progress=``."""
        if self._start is None:
            self._start = ended(progress)
        self._last = progress
        if monotonic() - self._drawn >= _EVERY_S or ended(progress) == progress.total:
            self._draw()

    def _draw(self) -> None:
        now, self._drawn = self._last, monotonic()
        if now is None:
            return
        seconds = self._drawn - self._began
        stats = _busiest(self._pool)
        words = counted(now, seconds)
        if stats is not None:
            words.append(f"{stats.rate:.3g} calls/s allowed")
            if stats.paused_for > 0:
                words.append(f"paused {stats.paused_for:.0f} s")
        left = time_left(now, seconds, self._start or 0, stats)
        if left is not None:
            words.insert(0, f"{duration(left)} left")  # a narrow terminal cuts the end
        self._form().show(ended(now), now.total, ", ".join(words))

    def _form(self) -> _Form:
        if self._shown is None:
            self._shown = _chosen(self._title)
        return self._shown

    def close(self) -> None:
        """Show how far it came, and leave the bar as it is."""
        form, self._shown, now = self._shown, None, self._last
        if form is not None:
            if now is not None:
                seconds = monotonic() - self._began
                words = [*counted(now, seconds), f"in {duration(seconds)}"]
                form.show(ended(now), now.total, ", ".join(words))
            form.close()

    def __enter__(self) -> Self:
        # Here, because a notebook shows what appears under the cell that runs now.
        self._form()
        self._began = monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def ended(progress: Progress | PullProgress) -> int:
    """Return how many calls or partitions came to an end, whichever."""
    if isinstance(progress, PullProgress):
        return progress.done + progress.failed + progress.denied
    return progress.done


def counted(progress: Progress | PullProgress, seconds: float) -> list[str]:
    """Return what came, in words."""
    if isinstance(progress, PullProgress):
        return [
            f"{progress.rows:,} rows",
            size(progress.bytes),
            f"{progress.rows / max(seconds, 0.001):,.0f} rows/s",
            f"{progress.failed:,} failed",
            f"{progress.denied:,} denied",
        ]
    names = ("denied", "failed", "skipped")
    return [f"{n:,} {name}" for name in names if (n := getattr(progress, name))]


def time_left(
    progress: Progress | PullProgress,
    seconds: float,
    start: int,
    stats: EnvironmentStats | None,
) -> float | None:
    """Return the seconds that the rest will take, or ``None`` if nobody can tell.

    It takes as long as what came so far took, never less than the pace allows, and a
    pause longer.
    """
    through = ended(progress)
    if progress.total is None or not start < through < progress.total:
        return None
    rest = progress.total - through
    left = rest * seconds / (through - start)
    if stats is not None and stats.rate > 0:
        left = max(left, rest / stats.rate) + stats.paused_for
    return left


def _busiest(pool: ConnectionPool | None) -> EnvironmentStats | None:
    every: Iterable[EnvironmentStats] = () if pool is None else pool.stats().values()
    return max(every, key=lambda stats: stats.attempts, default=None)


class _Form(Protocol):
    def show(self, number: int, total: int | None, beside: str) -> None: ...
    def close(self) -> None: ...


def _chosen(title: str) -> _Form:
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if type(shell).__name__ == "ZMQInteractiveShell":
        try:
            extra("ipywidgets", "notebook")
            return _Widget(title)
        except MissingExtraError as missing:
            return _Lines(title, sys.stdout, f"no bar, but lines: {missing}")
    if sys.stderr is not None and sys.stderr.isatty():
        try:
            return _Terminal(title)
        except MissingExtraError as missing:
            return _Lines(title, sys.stderr, f"no bar, but lines: {missing}")
    return _Lines(title, sys.stderr)


class _Widget:
    """A bar of tqdm's notebook form."""

    def __init__(self, title: str) -> None:
        tqdm = extra("tqdm.notebook", "notebook").tqdm
        form = "{desc} {bar} {n:,} of {total_fmt}{postfix}"
        self._bar = tqdm(desc=title, total=None, bar_format=form, dynamic_ncols=True)

    def show(self, number: int, total: int | None, beside: str) -> None:
        if total != self._bar.total:
            self._bar.reset(total)
        self._bar.n = number
        self._bar.set_postfix_str(beside, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


class _Terminal:
    """A bar of rich."""

    def __init__(self, title: str) -> None:
        rich = extra("rich.progress", "cli")
        column = extra("rich.table", "cli").Column
        console = extra("rich.console", "cli").Console(stderr=True)
        words = column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._bar = rich.Progress(
            rich.TextColumn("{task.description}", markup=False),
            rich.BarColumn(bar_width=20),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[beside]}", markup=False, table_column=words),
            console=console,
            auto_refresh=False,
            expand=True,
        )
        self._task = self._bar.add_task(title, total=None, beside="")

    def show(self, number: int, total: int | None, beside: str) -> None:
        self._bar.start()
        self._bar.update(self._task, completed=number, total=total, beside=beside)
        self._bar.refresh()
        if number == total:
            self._bar.stop()  # gives the cursor back, also to those without a block

    def close(self) -> None:
        self._bar.stop()


class _Lines:
    """A line of text now and then, and at the end."""

    def __init__(self, title: str, out: Any, first: str = "") -> None:
        self._title = f"{title}: " if title else ""
        self._out = out
        self._told = monotonic()
        self._line = self._written = ""
        if first:
            self._write(first)

    def show(self, number: int, total: int | None, beside: str) -> None:
        of = f"{number:,}" if total is None else f"{number:,} of {total:,}"
        self._line = f"{self._title}{of}{beside and ', '}{beside}"
        if monotonic() - self._told >= _LINE_EVERY_S:
            self._told = monotonic()
            self._write(self._line)

    def close(self) -> None:
        if self._line != self._written:
            self._write(self._line)

    def _write(self, line: str) -> None:
        self._written = line
        if self._out is not None:
            self._out.write(f"{line}\n")
            self._out.flush()
