"""The job of a pull: what is asked, by whom, and what becomes of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from healthyroster_async._apart import apart
from healthyroster_async._core.errors import (
    AuthenticationError,
    CallError,
    ConfigurationError,
    DestinationError,
    ForbiddenError,
    HealthyRosterError,
    MissingExtraError,
    ResponseError,
    ServiceUnavailableError,
    UsageError,
)
from healthyroster_async._core.extras import extra
from healthyroster_async._core.settings import Environment
from healthyroster_async._resources.edges import check_midnight
from healthyroster_async._rows.casts import arrow
from healthyroster_async._rows.reader import (
    CORES,
    TooManyRowsError,
    blocking,
    on_last_core,
    to_the_end,
)
from healthyroster_async._rows.stream import RowStream
from healthyroster_async.pull._destination import KEYS, Destination, writing
from healthyroster_async.pull._discovery import (
    OUTAGE,
    PATIENCE_S,
    Discovery,
    Findings,
    StopError,
    failure,
)
from healthyroster_async.pull._journal import Cell, Journal, Kept
from healthyroster_async.pull._partitions import Partition, Source
from healthyroster_async.pull._plan import PullPlan
from healthyroster_async.pull._remote import open_destination, rehearsed
from healthyroster_async.pull._report import (
    PullFailure,
    PullProgress,
    PullReport,
)
from healthyroster_async.pull._schedule import Schedule
from healthyroster_async.pull._totals import by_folder, by_provider

if TYPE_CHECKING:
    from healthyroster_async._pool import ConnectionPool

PullCallback: TypeAlias = Callable[[PullProgress], None]

_logger = logging.getLogger("healthyroster_async.pull")
_TELL_S = 0.25
_LOG_S = 60.0
# Nobody answers any more: what is left would only fail one by one.
_LOST_IN_A_ROW = 40
_AWAY = "the API did not answer any more"
_REFUSED = "the API refuses the application's id or secret (401)"


class Job:
    """One run of a pull."""

    def __init__(
        self,
        pool: ConnectionPool,
        plan: PullPlan,
        environment: Environment,
        *,
        concurrency: int,
        progress: PullCallback | None,
        is_calm: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._environment = environment
        self._concurrency = concurrency
        self._tell = progress
        self._is_calm = is_calm
        self._clock = asyncio.get_running_loop().time
        self._findings = Findings()
        self._discovery = Discovery(pool, plan, environment, self._findings)
        # A DuckDB file takes what was written as Parquet.
        self._written = "parquet" if plan.format == "duckdb" else plan.format
        self._open: set[RowStream] = set()
        self._closed: set[Cell] = set()
        self._now = PullProgress(total=0)
        self._kept = self._lost = 0
        self._stopped: str | None = None
        self._why = ""
        self._began = self._moved = self._clock()
        self._started = dt.datetime.now(dt.UTC)
        self._partitions: list[Partition] = []
        self._size = 0

    async def dry_run(self, where: str | Path) -> PullReport:
        """Return what a pull would ask for; nothing is changed or made."""
        opening = asyncio.to_thread(rehearsed, where, self._plan.format)
        with closing(await opening) as journal:
            schedule, cells = await self._planned(journal)
            cut = await asyncio.to_thread(self._cut, cells, schedule)
        partitions = [partition for cell in cut for partition in cell]
        for partition in partitions:
            partition.kept = partition.done
            partition.source.count.update(partitions=1)
        kept = sum(p.kept for p in partitions)
        return evolve(
            self._report(partitions, whole=False),
            partitions=len(partitions),
            kept=kept,
            calls=self._discovery.calls + len(partitions) - kept,
        )

    async def run(self, where: str | Path) -> PullReport:
        """Pull everything that is not there yet."""
        # What is missing is said before anything is asked for.
        if self._plan.format == "duckdb":
            await asyncio.to_thread(extra, "duckdb", "duckdb")
        if self._plan.format != "ndjson":
            await asyncio.to_thread(arrow)
        async with (
            _held(where, self._plan) as destination,
            self._summarised(destination),
        ):
            schedule, cells = await self._planned(destination.journal)
            await self._discovery.find_edges(cells, destination, schedule)
            partitions = await asyncio.to_thread(self._cut, cells, schedule)
            ordered = [
                p for turn in zip_longest(*partitions) for p in turn if p is not None
            ]
            await self._learn(ordered, schedule)
            # How files are cut is known before there is one, if all else is gone.
            await to_the_end(blocking(destination.keep_journal))
            self._partitions = ordered
            await apart(lambda: self._pull_all(ordered, destination, schedule))
            report = self._report(_leaves(ordered))
            finish = self._finish
            done = blocking(finish, partitions, destination, schedule, report)
            await to_the_end(done)
            return report

    @asynccontextmanager
    async def _summarised(self, destination: Destination) -> AsyncIterator[None]:
        """Write what came until now, if a run is broken off or raises."""
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            report = self.so_far()
            if isinstance(error, HealthyRosterError):
                why = failure("*", None, None, error)
                report = evolve(report, failed=(*report.failed, why))
            broken_off = isinstance(error, asyncio.CancelledError)
            ended = "interrupted" if broken_off else "failed"
            # What cannot be written hides nothing of how it ended.
            with suppress(DestinationError):
                write = destination.summarise
                await to_the_end(blocking(write, evolve(report, ended=ended)))
            raise

    async def _planned(self, journal: Journal) -> tuple[Schedule, list[Partition]]:
        """Return which dates are asked for, and every cell."""
        name = self._environment.value
        wrong = "holds rows of another environment"
        await asyncio.to_thread(journal.agree, "environment", name, wrong)
        schedule = await asyncio.to_thread(Schedule, self._plan, journal)
        self._began = self._clock()
        try:
            cells = await self._discovery.cells(journal)
        except ConfigurationError:
            # Nobody goes on with a plan that is wrong, until it is right again.
            await asyncio.to_thread(journal.refuse, schedule.run)
            raise
        for source in {cell.source for cell in cells}:
            await asyncio.to_thread(self._parameters, source, journal.check, journal)
        self._discovery.note_gone(await asyncio.to_thread(journal.cells))
        return schedule, cells

    def _cut(self, cells: list[Partition], schedule: Schedule) -> list[list[Partition]]:
        """Return the partitions of each cell that can be pulled."""
        return [
            list(self._windows(cell, schedule))
            for cell in cells
            if self._discovery.is_open(cell)
            and self._discovery.can_be_cut(cell, schedule)
        ]

    def _parameters(
        self, source: Source, hold: Callable[..., None], journal: Journal
    ) -> None:
        """Check, or agree, that rows of some filters are not mixed with others'."""
        hold(
            f"parameters of {source.one.id}",
            journal.digest(source.filters),
            f"holds rows of {source.name} that other parameters were given for",
            shown=False,
        )

    def so_far(self) -> PullReport:
        """Return what came until now, of a run that goes on or was broken off."""
        return self._report(_leaves(self._partitions), whole=False)

    def _windows(self, cell: Partition, schedule: Schedule) -> Iterator[Partition]:
        """Yield the partitions of a cell; what is there already is done."""
        range_ = cell.source.range
        windowed = range_ is not None and not schedule.whole
        for wanted in schedule.windows(cell.cell, windowed=windowed):
            yield Partition(
                cell.clinic, cell.source, wanted.window, wanted.done, wanted.divisible
            )

    async def _learn(self, partitions: list[Partition], schedule: Schedule) -> None:
        """Find out how many rows a day has, from what is there."""
        for source in dict.fromkeys(p.source for p in partitions if p.divisible):
            key = str(source.one.id)
            source.seen = await asyncio.to_thread(schedule.density, key)

    async def _pull_all(
        self,
        partitions: list[Partition],
        destination: Destination,
        schedule: Schedule,
    ) -> None:
        for partition in partitions:
            partition.kept = partition.done
        self._kept = sum(p.kept for p in partitions)
        failed, denied = len(self._findings.failed), len(self._findings.denied)
        self._now = PullProgress(
            total=len(partitions) + failed + denied,
            done=self._kept,
            failed=failed,
            denied=denied,
        )
        try:
            # If whom progress is told to raises, nothing more is asked for.
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(self._tick())
                # What did not come is asked once more, when the others are through.
                for _ in range(2):
                    left = [
                        p
                        for p in _leaves(partitions)
                        if not p.done and p.cell not in self._closed
                    ]
                    self._now = evolve(self._now, failed=failed)
                    self._stopped = await self._some(left, destination, schedule)
                    if self._stopped == _REFUSED:
                        break
                ticking.cancel()
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
        else:
            self._told()
            return
        raise first

    async def _some(
        self, wanted: list[Partition], destination: Destination, schedule: Schedule
    ) -> str | None:
        """Pull some partitions, and return why not all were asked for, if so."""
        waiting = deque(wanted)
        self._lost, self._moved = 0, self._clock()
        most = schedule.most_rows or 0
        workers: set[asyncio.Task[None]] = set()

        async def work(number: int) -> None:
            # Where a person waits for the loop, a core is left to it.
            may = CORES > 1 and number % CORES == 0
            while waiting:
                on_last_core.set(may and self._is_calm())
                partition = waiting.popleft()
                if partition.divisible and partition.expected > most:
                    self._divide(partition)
                else:
                    await self._one(partition, destination, schedule)
                if partition.parts:
                    waiting.extendleft(reversed(partition.parts))
                    employ()

        def employ() -> None:
            for _ in range(min(self._concurrency - len(workers), len(waiting))):
                worker = group.create_task(work(len(workers)))
                workers.add(worker)
                worker.add_done_callback(workers.discard)

        try:
            async with asyncio.TaskGroup() as group:
                employ()
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
        else:
            return None
        if isinstance(first, StopError):
            return str(first)
        raise first

    async def _one(
        self, partition: Partition, destination: Destination, schedule: Schedule
    ) -> None:
        """Pull a partition, and keep what became of it."""
        source = partition.source
        provider = partition.clinic.provider_id
        if partition.cell in self._closed:
            self._now = evolve(self._now, denied=self._now.denied + 1)
            return
        partition.error = stop = None
        try:
            await self._pulled(partition, destination, schedule)
        except ForbiddenError as error:
            partition.error = error
            if partition.cell not in self._closed:  # another window may have been
                self._closed.add(partition.cell)
                self._findings.deny(provider, source.name, error)
            self._now = evolve(self._now, denied=self._now.denied + 1)
        except (DestinationError, MissingExtraError, UsageError):
            raise  # the others would meet it too
        except HealthyRosterError as error:
            partition.error = error
            self._now = evolve(self._now, failed=self._now.failed + 1)
            stop = self._gives_up(error)
        else:
            self._lost = 0
            self._moved = self._clock()
        if stop is not None:
            raise StopError(stop)

    def _gives_up(self, error: HealthyRosterError) -> str | None:
        """Return why nothing more is asked for after an error, if so."""
        if isinstance(error, AuthenticationError):
            # Who goes on with a secret that was revoked is locked out.
            return _REFUSED
        if not isinstance(error, OUTAGE):
            self._moved = self._clock()
            return None
        # Who was not sent knows at best from before what is wrong.
        root = error.__cause__ if isinstance(error, ServiceUnavailableError) else error
        if isinstance(root, CallError):
            self._why = f" ({str(root).removeprefix(f'{root.label}: ')})"
        # The rest may still be fine where an answer says that something is wrong.
        self._lost += not isinstance(error, ResponseError)
        idle = self._clock() - self._moved
        if self._lost >= _LOST_IN_A_ROW or idle >= PATIENCE_S:
            return _AWAY + self._why
        return None

    def _divide(self, partition: Partition) -> None:
        more = len(partition.divide()) - 1
        self._now = evolve(self._now, total=self._now.total + more)

    async def _pulled(
        self, partition: Partition, destination: Destination, schedule: Schedule
    ) -> None:
        source, window = partition.source, partition.window
        reporting, what = partition.clinic.reporting, source.detail or source.one

        # Error reporters print local variables, and filters would be among them. A plan
        # gives filters apart from all else, so each is one, whatever its name.
        def rows_of(**dates: str) -> RowStream:
            return reporting._all_at_once(what, {**source.filters, **dates})  # noqa: SLF001

        dates: dict[str, str] = {}
        if window is not None and source.range is not None:
            if schedule.ends_for_good(window):
                await check_midnight(rows_of, source.range, window.stop)
            dates = source.range.values(window)
        stream = rows_of(**dates)
        most = schedule.most_rows
        if partition.divisible and most is not None:
            stream._give_up_after(most)  # noqa: SLF001 - nobody else needs it
        if self._plan.format != "duckdb":  # there are no folders
            stream._keep_apart(KEYS)  # noqa: SLF001 - nobody else needs it
        partial = destination.partial()
        self._open.add(stream)
        try:
            with writing():
                rows = await getattr(stream, f"to_{self._written}")(partial)
            size = stream.bytes_read
        except TooManyRowsError:
            source.saw(stream.row_count, window)
            self._divide(partition)
            return
        finally:
            self._open.discard(stream)
        cell, journal = partition.cell, destination.journal

        def publish() -> list[str]:
            # Before a file has its name, and not for what the API did not accept.
            self._parameters(source, journal.agree, journal)
            if most is not None and window is not None:
                destination.announce(cell, window)
            drift = destination.publish(
                partial,
                source=source.folder,
                provider=cell.provider,
                key=partition.key,
                rows=rows,
            )
            kept = Kept(window, schedule.run)
            journal.keep(cell, partition.key, kept, rows, size)
            return drift

        drift = await to_the_end(blocking(publish))
        partition.done, partition.rows, partition.bytes = True, rows, size
        source.saw(rows, window)
        source.drift.update(dict.fromkeys([*stream.drift, *drift]))
        source.count.update(partitions=1, rows=rows, bytes=size)
        now = self._now
        self._now = evolve(
            now, done=now.done + 1, rows=now.rows + rows, bytes=now.bytes + size
        )

    def _failed(
        self, partitions: list[Partition], *, whole: bool
    ) -> Iterator[PullFailure]:
        """Yield what did not come."""
        yield from self._findings.failed
        unasked = 0
        for partition in partitions:
            if partition.done or partition.cell in self._closed:
                continue
            provider, error = partition.clinic.provider_id, partition.error
            if error is None:
                unasked += 1
            else:
                name = partition.source.name
                yield failure(provider, name, partition.key, error)
        if unasked and whole:
            yield PullFailure(
                provider_id="*",
                source=None,
                window=None,
                reason=f"{unasked} partitions were not asked for, because "
                f"{self._stopped or _AWAY}",
            )

    def _report(self, partitions: list[Partition], *, whole: bool = True) -> PullReport:
        """Return what came; of a run that is not *whole* something was not asked."""
        dated = self._plan.since is not None
        failed = tuple(self._failed(partitions, whole=whole))
        ended = "failed" if failed else "complete"
        return PullReport(
            environment=self._environment.value,
            started=self._started,
            since=self._plan.since,
            until=self._plan.until,
            partitions=len(partitions),
            done=sum(p.done for p in partitions) - self._kept,
            kept=self._kept,
            rows=self._now.rows,
            bytes=self._now.bytes,
            seconds=round(self._clock() - self._began, 3),
            totals=tuple(by_folder(partitions, dated=dated)),
            providers=tuple(by_provider(partitions)),
            denied=tuple(self._findings.denied),
            failed=failed,
            gone=tuple(self._findings.gone),
            ended=ended if whole else None,
        )

    def _finish(
        self,
        partitions: list[list[Partition]],
        destination: Destination,
        schedule: Schedule,
        report: PullReport,
    ) -> None:
        for cell in filter(None, partitions):
            if cell[0].window is not None:
                leaves = _leaves(cell)
                dates = [p.window.start for p in leaves if p.window and not p.done]
                schedule.keep_mark(cell[0].cell, min(dates, default=None))
        destination.journal.end(schedule.run, len(report.failed))
        destination.summarise(report)

    async def _tick(self) -> None:
        logged = self._clock()
        while True:
            now = self._told()
            if self._clock() - logged >= _LOG_S:
                logged = self._clock()
                done, total, rows, idle = now.done, now.total, now.rows, now.idle
                _logger.info(
                    "%d of %d partitions pulled, %d rows; nothing came for %d s",
                    done,
                    total,
                    rows,
                    idle,
                    extra={"done": done, "total": total, "rows": rows, "idle_s": idle},
                )
            await asyncio.sleep(_TELL_S)

    def _told(self) -> PullProgress:
        now = self._now
        rows = now.rows + sum(s.row_count for s in self._open)
        size = now.bytes + sum(s.bytes_read for s in self._open)
        if size != self._size:
            self._size, self._moved = size, self._clock()
        idle = int(self._clock() - self._moved)
        now = evolve(now, rows=rows, bytes=size, idle=idle)
        if self._tell is not None:
            self._tell(now)
        return now


def _leaves(partitions: list[Partition]) -> list[Partition]:
    return [leaf for partition in partitions for leaf in partition.leaves]


@asynccontextmanager
async def _held(where: str | Path, plan: PullPlan) -> AsyncIterator[Destination]:
    opening = blocking(open_destination, where, plan.format)
    try:
        destination = await to_the_end(opening)
    except asyncio.CancelledError:
        if opening.exception() is None:
            await to_the_end(blocking(opening.result().close))
        raise
    try:
        yield destination
    finally:
        await to_the_end(blocking(destination.close))
