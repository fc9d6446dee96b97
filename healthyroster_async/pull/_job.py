"""The job of a pull: what is asked, by whom, and what becomes of it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, evolve, field

from healthyroster_async._core.date_ranges import DateRange, Window
from healthyroster_async._core.errors import (
    DestinationError,
    ForbiddenError,
    HealthyRosterError,
    MissingExtraError,
    ServiceUnavailableError,
    TransportError,
    UsageError,
)
from healthyroster_async._core.outcome import Denied, Failed, Outcomes
from healthyroster_async._core.settings import Environment, Priority
from healthyroster_async._resources.edges import ends_inclusive
from healthyroster_async._resources.reporting import date_range_of
from healthyroster_async._rows.stream import RowStream
from healthyroster_async._session import ProviderSession
from healthyroster_async.models import DataSource, DataSourceDetail
from healthyroster_async.pull._destination import Destination, folder_name, writing
from healthyroster_async.pull._journal import Cell, Kept
from healthyroster_async.pull._plan import PullPlan
from healthyroster_async.pull._remote import open_destination
from healthyroster_async.pull._report import (
    PullDenial,
    PullFailure,
    PullProgress,
    PullReport,
    PullTotal,
)
from healthyroster_async.pull._schedule import Schedule

if TYPE_CHECKING:
    from healthyroster_async._pool import ConnectionPool

PullCallback: TypeAlias = Callable[[PullProgress], None]

_logger = logging.getLogger("healthyroster_async.pull")
_WHOLE = "all"
_TELL_S = 0.25
_LOG_S = 60.0
# Nobody answers any more: what is left would only fail one by one.
_LOST_IN_A_ROW = 40
# Providers that are asked to describe a data source, until one does.
_ASKED = 3


@define(eq=False, kw_only=True)
class _Source:
    """A data source as some provider has it."""

    one: DataSource
    folder: str
    detail: DataSourceDetail | None = None
    range: DateRange | None = None
    denial: ForbiddenError | None = None
    failure: HealthyRosterError | None = None
    asked: int = 0
    drift: dict[str, None] = field(factory=dict)
    count: Counter[str] = field(factory=Counter)

    @property
    def name(self) -> str:
        return self.one.name or str(self.one.id)


@define(eq=False)
class _Partition:
    """What is asked at once."""

    clinic: ProviderSession
    source: _Source
    window: Window | None
    done: bool = False
    error: HealthyRosterError | None = None

    @property
    def cell(self) -> Cell:
        return Cell(str(self.source.one.id), str(self.clinic.provider_id))

    @property
    def key(self) -> str:
        return _WHOLE if self.window is None else self.window.key


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
    ) -> None:
        self._pool = pool
        self._plan = plan
        self._environment = environment
        self._concurrency = concurrency
        self._tell = progress
        self._clock = asyncio.get_running_loop().time
        self._denied: list[PullDenial] = []
        self._failed: list[PullFailure] = []
        # A DuckDB file takes what was written as Parquet.
        self._written = "parquet" if plan.format == "duckdb" else plan.format
        self._open: set[RowStream] = set()
        self._closed: set[Cell] = set()
        self._now = PullProgress(total=0)
        self._kept = self._lost = self._calls = 0

    async def dry_run(self) -> PullReport:
        """Return what a pull into a new destination would ask for."""
        began = self._clock()
        schedule = Schedule(self._plan, None)
        cells = await self._cells(lambda _, name: name)
        cells = [cell for cell in cells if self._is_open(cell)]
        partitions = [p for c in cells for p in self._windows(c, schedule)]
        for partition in partitions:
            partition.source.count.update(partitions=1)
        calls = self._calls + len(partitions)
        return evolve(
            self._report(partitions, began, dry=True),
            partitions=len(partitions),
            calls=calls,
        )

    async def run(self, where: str | Path) -> PullReport:
        """Pull everything that is not there yet."""
        async with _held(where, self._plan) as destination:
            journal = destination.journal
            name = self._environment.value
            wrong = "holds rows of another environment"
            await asyncio.to_thread(journal.agree, "environment", name, wrong)
            schedule = await asyncio.to_thread(Schedule, self._plan, journal)
            began = self._clock()
            cells = await self._cells(journal.folder)
            await self._find_edges(cells, destination, schedule)
            cells = [cell for cell in cells if self._is_open(cell)]
            partitions = await asyncio.to_thread(
                lambda: [list(self._windows(c, schedule)) for c in cells]
            )
            ordered = [
                p for turn in zip_longest(*partitions) for p in turn if p is not None
            ]
            await self._pull_all(ordered, destination, schedule)
            report = self._report(ordered, began)
            await asyncio.to_thread(
                self._finish, partitions, destination, schedule, report
            )
            return report

    async def _cells(self, folder: Callable[[str, str], str]) -> list[_Partition]:
        """Return each data source of each provider, as one that is whole."""
        listed = await self._fan_out(lambda s: s.reporting.data_sources())
        cells: list[_Partition] = []
        sources: dict[tuple[str, str | None], _Source] = {}
        missing = set(self._plan.sources or ())
        for provider, found in listed.succeeded.items():
            clinic = self._session(provider)  # type: ignore[arg-type]
            for one in found:
                wanted = {str(one.id), one.name} & set(self._plan.sources or ())
                if self._plan.sources and not wanted:
                    continue
                missing -= wanted
                key = str(one.id), one.name
                if key not in sources:
                    label = folder_name(one.name or str(one.id))
                    where = await asyncio.to_thread(folder, str(one.id), label)
                    sources[key] = _Source(one=one, folder=where)
                if sources[key].detail is None and sources[key].asked < _ASKED:
                    await self._describe(clinic, sources[key])
                cells.append(_Partition(clinic, sources[key], None))
        for name in sorted(missing):
            self._note_missing(name)
        return cells

    def _note_missing(self, name: str) -> None:
        self._failed.append(
            PullFailure(
                provider_id="*",
                source=name,
                window=None,
                reason="no provider has a data source of this name or id",
            )
        )

    async def _fan_out(self, call: Callable[[ProviderSession], Any]) -> Outcomes[Any]:
        outcomes = await self._pool.fan_out(
            self._plan.providers, call, environment=self._environment
        )
        self._calls += len(self._plan.providers)
        for outcome in outcomes:
            if isinstance(outcome, Denied):
                self._deny(outcome.provider_id, None, outcome.error)
            elif isinstance(outcome, Failed):
                self._fail(outcome.provider_id, None, None, outcome.error)
        return outcomes

    async def _describe(self, clinic: ProviderSession, source: _Source) -> None:
        """Find out the columns and the date range of a data source."""
        self._calls += 1
        source.asked += 1
        source.denial = source.failure = None
        try:
            source.detail = detail = await clinic.reporting.data_source(source.one)
        except ForbiddenError as error:
            # Without a date range it can be pulled whole.
            source.denial = error if self._plan.since is not None else None
        except HealthyRosterError as error:
            source.failure = error
        else:
            given = self._plan.end_inclusive
            source.range = date_range_of(detail, end_inclusive=given)

    def _is_open(self, cell: _Partition) -> bool:
        """Return whether a cell can be pulled; keep why if it cannot."""
        provider, source = cell.clinic.provider_id, cell.source
        if source.denial is not None:
            self._deny(provider, source.name, source.denial)
        elif source.failure is not None:
            self._fail(provider, source.name, None, source.failure)
        return source.denial is None and source.failure is None

    async def _find_edges(
        self, cells: list[_Partition], destination: Destination, schedule: Schedule
    ) -> None:
        """Find out of each data source whether the end of its dates is inclusive."""
        journal = destination.journal
        for cell in cells:
            source = cell.source
            range_ = source.range
            if schedule.whole or range_ is None or range_.inclusive is not None:
                continue
            if source.failure is not None:
                continue
            key = cell.cell.source
            known = await asyncio.to_thread(journal.inclusive, key)
            if known is None:
                since = await asyncio.to_thread(schedule.since, cell.cell)
                try:
                    known = await ends_inclusive(
                        cell.clinic.reporting,
                        source.one,
                        range_,
                        since,
                        schedule.until,
                    )
                except ForbiddenError:
                    continue  # the pull itself says so
                except HealthyRosterError as error:
                    source.failure = error
                    continue
                if known is None:
                    continue  # another provider may have rows
                await asyncio.to_thread(journal.keep_inclusive, key, known)
            source.range = evolve(range_, inclusive=known)

    def _windows(self, cell: _Partition, schedule: Schedule) -> Iterator[_Partition]:
        """Yield the partitions of a cell; what is there already is done."""
        range_ = cell.source.range
        windowed = range_ is not None and not schedule.whole
        for window, done in schedule.windows(cell.cell, windowed=windowed):
            yield _Partition(cell.clinic, cell.source, window, done)

    async def _pull_all(
        self,
        partitions: list[_Partition],
        destination: Destination,
        schedule: Schedule,
    ) -> None:
        self._kept = sum(p.done for p in partitions)
        self._now = PullProgress(
            total=len(partitions), done=self._kept, denied=len(self._denied)
        )
        ticking = asyncio.create_task(self._tick())
        try:
            left = [p for p in partitions if not p.done]
            await self._some(left, destination, schedule)
            # What failed is asked once more, when the others are through.
            again = [p for p in left if not p.done]
            self._now = evolve(self._now, failed=0)
            await self._some(again, destination, schedule)
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])
        if not ticking.cancelled():
            ticking.result()  # whom progress is told to has raised
        self._told()

    async def _some(
        self, wanted: list[_Partition], destination: Destination, schedule: Schedule
    ) -> None:
        waiting = iter(wanted)
        self._lost = 0

        async def work() -> None:
            for partition in waiting:
                await self._one(partition, destination, schedule)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(wanted))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
        else:
            return
        raise first

    async def _one(
        self, partition: _Partition, destination: Destination, schedule: Schedule
    ) -> None:
        """Pull a partition, and keep what became of it."""
        source = partition.source
        if self._lost >= _LOST_IN_A_ROW:
            return
        provider = partition.clinic.provider_id
        if partition.cell in self._closed:
            return
        partition.error = None
        try:
            await self._pulled(partition, destination, schedule)
        except ForbiddenError as error:
            partition.error = error
            if partition.cell not in self._closed:  # another window may have been
                self._closed.add(partition.cell)
                self._deny(provider, source.name, error)
            self._now = evolve(self._now, denied=self._now.denied + 1)
        except (TransportError, ServiceUnavailableError) as error:
            partition.error = error
            self._lost += 1
            self._now = evolve(self._now, failed=self._now.failed + 1)
        except (DestinationError, MissingExtraError, UsageError):
            raise  # the others would meet it too
        except HealthyRosterError as error:
            partition.error = error
            self._now = evolve(self._now, failed=self._now.failed + 1)
        else:
            self._lost = 0

    async def _pulled(
        self, partition: _Partition, destination: Destination, schedule: Schedule
    ) -> None:
        source, window = partition.source, partition.window
        values = {}
        if window is not None and source.range is not None:
            values = source.range.values(window)
        what = source.detail or source.one
        stream = partition.clinic.reporting.rows(what, **values)
        partial = destination.partial()
        self._open.add(stream)
        try:
            with writing():
                rows = await getattr(stream, f"to_{self._written}")(partial)
            size = stream.bytes_read
        finally:
            self._open.discard(stream)
        cell = partition.cell

        def publish() -> None:
            destination.publish(
                partial,
                source=source.folder,
                provider=cell.provider,
                key=partition.key,
                rows=rows,
            )
            kept = Kept(window, schedule.run)
            destination.journal.keep(cell, partition.key, kept, rows, size)

        await _to_the_end(publish)
        partition.done = True
        source.drift.update(dict.fromkeys(stream.drift))
        source.count.update(partitions=1, rows=rows, bytes=size)
        now = self._now
        self._now = evolve(
            now, done=now.done + 1, rows=now.rows + rows, bytes=now.bytes + size
        )

    def _deny(
        self, provider: int | str, source: str | None, error: ForbiddenError
    ) -> None:
        cause = error.likely_cause.value
        denial = PullDenial(provider_id=provider, source=source, reason=cause)
        self._denied.append(denial)

    def _fail(
        self,
        provider: int | str,
        source: str | None,
        window: str | None,
        error: HealthyRosterError,
    ) -> None:
        failure = PullFailure(
            provider_id=provider, source=source, window=window, reason=str(error)
        )
        self._failed.append(failure)

    def _report(
        self, partitions: list[_Partition], began: float, *, dry: bool = False
    ) -> PullReport:
        unasked = 0
        for partition in partitions:
            if partition.done or partition.cell in self._closed:
                continue
            provider, error = partition.clinic.provider_id, partition.error
            if error is None:
                unasked += 1
            else:
                self._fail(provider, partition.source.name, partition.key, error)
        if unasked and not dry:
            self._failed.append(
                PullFailure(
                    provider_id="*",
                    source=None,
                    window=None,
                    reason=f"{unasked} partitions were not asked for, because the API "
                    "did not answer any more",
                )
            )
        sources = list(dict.fromkeys(p.source for p in partitions))
        return PullReport(
            environment=self._environment.value,
            partitions=len(partitions),
            done=sum(p.done for p in partitions) - self._kept,
            kept=self._kept,
            rows=self._now.rows,
            bytes=self._now.bytes,
            seconds=round(self._clock() - began, 3),
            totals=tuple(
                PullTotal(
                    source=s.name,
                    partitions=s.count["partitions"],
                    rows=s.count["rows"],
                    bytes=s.count["bytes"],
                    drift=tuple(s.drift),
                )
                for s in sources
            ),
            denied=tuple(self._denied),
            failed=tuple(self._failed),
        )

    def _finish(
        self,
        partitions: list[list[_Partition]],
        destination: Destination,
        schedule: Schedule,
        report: PullReport,
    ) -> None:
        for cell in filter(None, partitions):
            if cell[0].window is not None:
                dates = [p.window.start for p in cell if p.window and not p.done]
                schedule.keep_mark(cell[0].cell, min(dates, default=schedule.until))
        destination.journal.end(schedule.run, len(report.failed))
        destination.summarise(report)

    def _session(self, provider: int | str) -> ProviderSession:
        session = self._pool.session(
            provider, environment=self._environment, priority=Priority.BULK
        )
        # A deadline is for somebody who waits; bulk calls wait as long as it takes.
        return session.with_options(deadline=None)

    async def _tick(self) -> None:
        logged = self._clock()
        while True:
            self._told()
            if self._clock() - logged >= _LOG_S:
                logged = self._clock()
                done, total, rows = self._now.done, self._now.total, self._now.rows
                _logger.info(
                    "%d of %d partitions pulled, %d rows",
                    done,
                    total,
                    rows,
                    extra={"done": done, "total": total, "rows": rows},
                )
            await asyncio.sleep(_TELL_S)

    def _told(self) -> None:
        if self._tell is not None:
            now = self._now
            rows = now.rows + sum(s.row_count for s in self._open)
            size = now.bytes + sum(s.bytes_read for s in self._open)
            self._tell(evolve(now, rows=rows, bytes=size))


@asynccontextmanager
async def _held(where: str | Path, plan: PullPlan) -> AsyncIterator[Destination]:
    destination = await asyncio.to_thread(open_destination, where, plan.format)
    try:
        yield destination
    finally:
        await _to_the_end(destination.close)


async def _to_the_end(step: Callable[[], None]) -> None:
    """Do something in a thread that must not go on when the pull has ended."""
    doing = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
