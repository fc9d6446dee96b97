"""A progress bar, in a notebook or on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from healthyroster_async._core.extras import extra
from healthyroster_async._core.outcome import Progress
from healthyroster_async.pull._report import PullProgress


class ProgressBar:
    """Shows how far a fan-out, an access check or a pull is (extra ``notebook``).

    ::

        with ProgressBar("sources") as bar:
            await pool.fan_out(ids, call, progress=bar)

    In a notebook it is a widget, on a terminal a line of text.
    """

    def __init__(self, title: str = "") -> None:
        """Make a bar; it appears when something happens.

        Args:
            title: What stands in front of it.

        Raises:
            MissingExtraError: The extra ``notebook`` is not installed.
        """
        self._make = extra("tqdm.auto", "notebook").tqdm
        self._title = title
        self._bar: Any = None

    def __call__(self, progress: Progress | PullProgress) -> None:
        """Show how far it is; to be given as ``progress=``."""
        if self._bar is None:
            self._bar = self._make(desc=self._title or None, total=progress.total)
        bar = self._bar
        bar.total = progress.total
        bar.n = _ended(progress)
        bar.set_postfix_str(self._beside(progress), refresh=False)
        bar.refresh()

    def _beside(self, progress: Progress | PullProgress) -> str:
        said = []
        if isinstance(progress, PullProgress):
            said = [
                f"{progress.rows:,} rows",
                self._make.format_sizeof(progress.bytes, "B"),
            ]
        said += [
            f"{number:,} {name}"
            for name in ("denied", "failed")
            if (number := getattr(progress, name))
        ]
        return ", ".join(said)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _ended(progress: Progress | PullProgress) -> int:
    if isinstance(progress, PullProgress):
        return progress.done + progress.failed + progress.denied
    return progress.done
