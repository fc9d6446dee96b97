"""Which windows a run asks for, and which are there already."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

from attrs import frozen

from healthyroster_async._core.date_ranges import (
    UNITS,
    Unit,
    Window,
    beginning,
    fitted,
    parts,
    windows,
)
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.pull._journal import Cell, Journal
from healthyroster_async.pull._plan import LAST, PullPlan

_NO_WINDOW, _ROWS = "none", "rows"
# Where the destination is cut by rows and nobody says by how many.
_USUAL_ROWS = 100_000
# The last zone of the world: a date is over everywhere when it is over there, at noon
# (UTC) of the next one. Until then rows of it are entered.
_LAST_ZONE = dt.timezone(dt.timedelta(hours=-12))


@frozen(kw_only=True)
class Wanted:
    """A window that a run is about.

    Attributes:
        window: Its dates; ``None`` for all there are.
        done: Whether this run has it already.
        divisible: Whether it may be asked for in parts; what was there may not.
    """

    window: Window | None
    done: bool
    divisible: bool = False


class Schedule:
    """The dates of one run into one destination.

    Attributes:
        run: Its number.
        until: The date after the last.
        whole: Whether nothing is cut, because no first date was given.
        most_rows: Rows that an answer should have at most; ``None`` if nobody cares.
    """

    def __init__(self, plan: PullPlan, journal: Journal) -> None:
        """Begin a run, or go on with one.

        Args:
            plan: What is asked for.
            journal: What is there.

        Raises:
            ConfigurationError: ``"last"`` has no run to go on from.
            DestinationError: The destination is cut another way.
        """
        self._journal = journal
        self._plan = plan
        self.whole = plan.since is None
        now = dt.datetime.now(dt.UTC)
        self.until: dt.date = plan.until or now.date() + dt.timedelta(days=1)
        known, first = journal.fact("window"), journal.fact("since")
        self._first = plan.since if isinstance(plan.since, dt.date) else None
        chosen = known
        if plan.since == LAST and first is None:
            self._first = plan.first
            if plan.first is None:
                self._first, chosen = self._tried()
            if self._first is None:
                raise ConfigurationError(
                    "the destination holds no run with dates to go on from; give "
                    "first, the date at which the first run begins"
                )
        if self._first is not None and self._first >= self.until:
            raise ConfigurationError(
                f"since is {self._first}, which has not come yet; give until, the date "
                "after the last"
            )
        self._unit: Unit | None = self._chosen(chosen)
        self.most_rows: int | None = None
        if self._unit is None:
            given = plan.window
            self.most_rows = given if isinstance(given, int) else _USUAL_ROWS
        kind = _NO_WINDOW if self.whole else self._unit or _ROWS
        # Before the run, so that "last" can go on from one that is killed.
        if first is None and self._first is not None and known != _NO_WINDOW:
            journal.agree("since", self._first.isoformat(), "begins at another date")
        journal.agree("window", kind, "is cut by other windows")
        arguments = plan.arguments(journal.digest)
        run, origin = journal.begin(arguments, self.until, last=plan.since == LAST)
        self.run: int = run
        self._origin = origin
        # Of a run that goes on, some rows are as old as its beginning.
        began = min(now.timestamp(), journal.started(origin))
        over = dt.datetime.fromtimestamp(began, _LAST_ZONE).date()
        self._reached = min(self.until, over)

    def _tried(self) -> tuple[dt.date | None, str | None]:
        """Return the first date of a run that brought nothing, and how it was cut.

        It binds nobody, but a job of every night is not stuck for a bad first one.
        """
        for arguments in self._journal.asked():
            asked = json.loads(arguments)
            since, window = asked["since"], asked["window"]
            if since not in {None, LAST}:
                cut = _ROWS if isinstance(window, int) else window
                return dt.date.fromisoformat(since), cut
        return None, None

    def _chosen(self, known: str | None) -> Unit | None:
        """Return what windows are cut by; ``None`` if by their rows."""
        if isinstance(self._plan.window, int):
            return None
        if self._plan.window is not None:
            return self._plan.window
        if known == _ROWS:
            return None
        for unit in UNITS:
            if unit == known:
                return unit
        return "month"

    def since(self, cell: Cell) -> dt.date:
        """Return the first date that is asked of a cell."""
        if self._first is not None:
            return self._first
        mark = self._journal.mark(cell)
        if mark is None:
            # A new provider or data source begins where the destination begins.
            first_of_all = self._journal.fact("since")
            assert first_of_all is not None  # noqa: S101 - "last" is refused without
            return dt.date.fromisoformat(first_of_all)
        first, watermark = mark
        back = self._back(watermark, first)
        return max(first, beginning(back, self._unit) if self._unit else back)

    def was_cut(self, cell: Cell) -> bool:
        """Return whether a cell lies in the destination in windows."""
        there = self._journal.partitions(cell)
        return any(kept.window is not None for kept in there.values())

    def density(self, source: str) -> tuple[int, int]:
        """Return how many rows of a data source came in how many days so far."""
        return self._journal.density(source)

    def windows(self, cell: Cell, *, windowed: bool) -> Iterator[Wanted]:
        """Yield the windows of a cell.

        A window that is there is asked for with all the dates that it had: nothing that
        was there is lost.
        """
        there = self._journal.partitions(cell)
        # What lies there whole stays so, or its rows would lie there twice.
        if not windowed or any(kept.window is None for kept in there.values()):
            done = any(kept.run == self.run for kept in there.values())
            yield Wanted(window=None, done=done)
            return
        before = [kept.window for kept in there.values() if kept.window is not None]
        mark = self._journal.mark(cell)
        failed = mark is None or mark[1] < self._reached
        oldest = self._origin if failed else self.run
        for window in self._cut(self.since(cell), before):
            kept = there.get(window.key)
            if kept is None or kept.window is None:
                divisible = self._unit is None and bool(parts(window))
                yield Wanted(window=window, done=False, divisible=divisible)
                continue
            joined = window.joined(kept.window.start, kept.window.stop)
            done = kept.run >= oldest and joined == kept.window
            yield Wanted(window=joined, done=done)

    def ends_for_good(self, window: Window) -> bool:
        """Return whether another window may begin where one ends.

        One that the end of the run cuts off is asked for anew, with later dates.
        """
        return self._unit is None or beginning(window.stop, self._unit) == window.stop

    def _cut(self, since: dt.date, before: list[Window]) -> Iterator[Window]:
        if self._unit is not None:
            return windows(since, self.until, self._unit)
        settled = self._back(self._reached, since)
        return fitted(since, self.until, before, settled)

    def _back(self, date: dt.date, first: dt.date) -> dt.date:
        """Return where the days begin that are asked for again, from the first one."""
        # Who wants all of it again gives any number; a calendar has its first day.
        return date - dt.timedelta(days=min(self._plan.overlap, (date - first).days))

    def keep_mark(self, cell: Cell, failed: dt.date | None) -> None:
        """Keep up to when all rows of a cell are there, and no more will be entered.

        Args:
            cell: The cell.
            failed: The first date that did not come.
        """
        since = self.since(cell)
        reached = max(since, self._reached)
        _, before = self._journal.mark(cell) or (None, since)
        if since > before:
            reached = before  # nobody asked for what is between
        elif failed is not None:
            reached = min(failed, reached)
        else:
            reached = max(before, reached)
        self._journal.keep_mark(cell, since, reached)
