"""Finding out what there is to pull: who has which data source, and how it is cut."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from attrs import define, evolve, field

from healthyroster_async._apart import at_once
from healthyroster_async._core.date_ranges import DateRange, Edge
from healthyroster_async._core.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    HealthyRosterError,
    InvalidRequestError,
    RateLimitedError,
    ServerError,
    ServiceUnavailableError,
    TransportError,
)
from healthyroster_async._core.outcome import Denied, Failed, Outcomes
from healthyroster_async._core.settings import Environment, Priority
from healthyroster_async._resources.edges import edge_of
from healthyroster_async._resources.windows import date_range_of
from healthyroster_async._session import ProviderSession
from healthyroster_async.models import DataSource, DataSourceDetail, DataSources
from healthyroster_async.pull._destination import Destination
from healthyroster_async.pull._journal import Cell, Journal
from healthyroster_async.pull._naming import folder_name
from healthyroster_async.pull._partitions import Partition, Source, cell_of
from healthyroster_async.pull._plan import PullPlan, is_called
from healthyroster_async.pull._report import PullDenial, PullFailure, PullGone
from healthyroster_async.pull._schedule import Schedule

if TYPE_CHECKING:
    from healthyroster_async._pool import ConnectionPool

# Providers that are asked to describe a data source, until one does.
_ASKED = 3
# Who is asked alone has so long; then the others are asked all the same.
_ALONE_S = 5.0
# Names that a failure shows of those that there are.
_SHOWN = 12

# With these, the next call hardly fares better.
OUTAGE = (TransportError, ServiceUnavailableError, ServerError, RateLimitedError)
# It may be over soon; a job that hangs all night helps nobody.
PATIENCE_S = 600.0


class StopError(Exception):
    """Nothing more is worth being asked for; the text says why."""


def failure(
    provider: int | str,
    source: str | None,
    window: str | None,
    error: HealthyRosterError,
) -> PullFailure:
    """Return that something did not come, and why."""
    reason = str(error)
    if isinstance(error, InvalidRequestError):
        # What it says of that is at hand for who makes a call, and here for nobody.
        reason = (
            f"{error.label}: the API did not accept the parameters or dates "
            f"({error.status})"
        )
    elif isinstance(error, ServiceUnavailableError):
        # This run does not try it again.
        reason = f"{error.label}: the API is down"
    return PullFailure(
        provider_id=provider, source=source, window=window, reason=reason
    )


def _names(source: DataSource) -> tuple[str, str]:
    """Return what the folder of a data source may be called.

    What providers call the same lies in one folder, whatever its id: nobody says that
    ids are the same for all of them.
    """
    name, id_ = source.name or str(source.id), str(source.id)
    return folder_name(name), folder_name(f"{name}-{id_}")


@define
class Findings:
    """What is denied, and what failed."""

    denied: list[PullDenial] = field(factory=list)
    failed: list[PullFailure] = field(factory=list)
    gone: list[PullGone] = field(factory=list)

    def deny(
        self, provider: int | str, source: str | None, error: ForbiddenError
    ) -> None:
        """Keep that something is not granted."""
        cause = error.likely_cause.value
        denial = PullDenial(provider_id=provider, source=source, reason=cause)
        self.denied.append(denial)

    def fail(
        self,
        provider: int | str,
        source: str | None,
        window: str | None,
        error: HealthyRosterError,
    ) -> None:
        """Keep that something did not come."""
        self.failed.append(failure(provider, source, window, error))


class Discovery:
    """Asks for the data sources of all providers.

    Attributes:
        calls: Calls that it made.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        plan: PullPlan,
        environment: Environment,
        findings: Findings,
    ) -> None:
        self._pool = pool
        self._plan = plan
        self._environment = environment
        self._findings = findings
        self._given = {*(plan.sources or ()), *plan.parameters}
        self.calls = 0
        self._lists: Mapping[Any, DataSources] = {}
        self._clock = asyncio.get_running_loop().time
        self._moved = self._clock()

    async def cells(self, journal: Journal) -> list[Partition]:
        """Return each data source of each provider, as one that is whole."""
        listed = self._lists = await self._listed()
        known = {p: self._known(all_) for p, all_ in listed.items()}
        wanted = [
            (provider, one)
            for provider, all_ in listed.items()
            for one in all_
            if self._is_wanted(one, known[provider])
        ]
        names = {cell_of(one, provider): _names(one) for provider, one in wanted}
        folders = await asyncio.to_thread(journal.folders, names)
        cells: list[Partition] = []
        clinics: defaultdict[Source, list[ProviderSession]] = defaultdict(list)
        sources: dict[tuple[str, str | None, str], Source] = {}
        missing = self._given
        for provider, one in wanted:
            clinic = self._session(provider)
            names_of = known[provider]
            missing = {name for name in missing if not is_called(one, name, names_of)}
            folder = folders[cell_of(one, provider)]
            key = str(one.id), one.name, folder
            if key not in sources:
                filters = self._plan.parameters_of(one, names_of)
                sources[key] = Source(one=one, folder=folder, filters=filters)
            clinics[sources[key]].append(clinic)
            cells.append(Partition(clinic, sources[key], None))
        await at_once(lambda one: self._describe(one, clinics[one]), clinics)
        if listed:
            self._note_missing(missing, listed.values())
        unknown = sorted(missing.intersection(self._plan.parameters))
        if unknown and cells:
            raise ConfigurationError(
                f"parameters are given for {unknown[0]!r}, and no data source of this "
                "name or id is pulled"
            )
        return cells

    def _known(self, listed: DataSources) -> set[str]:
        """Return which names and ids of the plan are in a list just so."""
        there = {text for one in listed for text in (str(one.id), one.name)}
        return self._given.intersection(there)

    def _is_wanted(self, source: DataSource, known: set[str]) -> bool:
        names = self._plan.sources
        return names is None or any(is_called(source, name, known) for name in names)

    async def _listed(self) -> Mapping[Any, DataSources]:
        """Return the data sources of each provider that told them.

        Raises:
            AuthenticationError: The secret is refused, as with every other call.
            CallError: The API is away for too long.
        """
        # One is asked alone: a secret that is refused to it is refused to all.
        first: asyncio.Task[DataSources] | None = None

        async def ask(clinic: ProviderSession) -> DataSources:
            nonlocal first
            if first is None:
                first = asyncio.ensure_future(clinic.reporting.data_sources())
                return await first
            await asyncio.wait([first], timeout=_ALONE_S)
            error = first.exception() if first.done() else None
            if isinstance(error, AuthenticationError):
                raise error
            return await clinic.reporting.data_sources()

        listed = await self._fan_out(ask)
        for error in listed.failed.values():
            if isinstance(error, AuthenticationError) and not listed.succeeded:
                raise error
        return listed.succeeded

    def _note_missing(self, missing: set[str], listed: Iterable[DataSources]) -> None:
        names = {one.name or str(one.id): None for found in listed for one in found}
        there = ", ".join([*names][:_SHOWN]) or "none"
        more = ", ..." if len(names) > _SHOWN else ""
        self._findings.failed.extend(
            PullFailure(
                provider_id="*",
                source=name,
                window=None,
                reason="no provider has a data source of this name or id; "
                f"there are {there}{more}",
            )
            for name in sorted(missing)
        )

    def note_gone(self, there: Iterable[tuple[Cell, str]]) -> None:
        """Keep which cells lie there and are not listed any more.

        Args:
            there: Cells of the destination, and their folders.
        """
        listed = {
            str(provider): {str(one.id) for one in found}
            for provider, found in self._lists.items()
        }
        known = {str(p): self._known(found) for p, found in self._lists.items()}
        for cell, folder in there:
            name = unquote(folder)
            if cell.source not in listed.get(cell.provider, {cell.source}) and (
                self._is_wanted(
                    DataSource(id=cell.source, name=name), known[cell.provider]
                )
            ):
                self._findings.gone.append(
                    PullGone(provider_id=cell.provider, folder=name)
                )

    async def _fan_out(self, call: Callable[[ProviderSession], Any]) -> Outcomes[Any]:
        lost: HealthyRosterError | None = None

        async def patient(clinic: ProviderSession) -> Any:
            nonlocal lost
            try:
                found = await call(clinic)
            except OUTAGE as error:
                if self._clock() - self._moved < PATIENCE_S:
                    raise
                lost = error
            else:
                self._moved = self._clock()
                return found
            raise StopError

        try:
            outcomes = await self._pool.fan_out(
                self._plan.providers, patient, environment=self._environment
            )
        except StopError:
            assert lost is not None  # noqa: S101 - it is why
            away = lost
        else:
            self._keep(outcomes)
            return outcomes
        raise away

    def _keep(self, outcomes: Outcomes[Any]) -> None:
        """Keep what of the first calls was denied or failed."""
        self.calls += len(self._plan.providers)
        for outcome in outcomes:
            if isinstance(outcome, Denied):
                self._findings.deny(outcome.provider_id, None, outcome.error)
            elif isinstance(outcome, Failed):
                self._findings.fail(outcome.provider_id, None, None, outcome.error)

    async def _describe(self, source: Source, clinics: list[ProviderSession]) -> None:
        """Find out the columns and the date range of a data source.

        Raises:
            ConfigurationError: The plan has a filter that it does not have.
            AuthenticationError: The secret is refused, as with every other call.
            CallError: The API is away for too long.
        """
        for clinic in clinics[:_ASKED]:
            self.calls += 1
            source.denial = source.failure = None
            try:
                detail = await clinic.reporting.data_source(source.one)
            except AuthenticationError:
                raise
            except ForbiddenError as error:
                # Without a date range it can be pulled whole.
                source.denial = error if self._plan.since is not None else None
            except HealthyRosterError as error:
                if isinstance(error, OUTAGE) and (
                    self._clock() - self._moved >= PATIENCE_S
                ):
                    raise
                source.failure = error
            else:
                self._moved = self._clock()
                source.detail = detail
                given = self._plan.end_inclusive
                source.range = date_range_of(detail, end_inclusive=given)
                self._check(source, detail)
                return

    def _check(self, source: Source, detail: DataSourceDetail) -> None:
        """Refuse filters that a data source does not have, or that windows set.

        Raises:
            ConfigurationError: The plan has one.
        """
        there = [one.name for one in detail.parameters if one.name]
        range_ = None if self._plan.since is None else source.range
        for name in source.filters:
            if range_ is not None and name in {range_.start, range_.end}:
                raise ConfigurationError(
                    f"{source.name}: {name} is given in parameters, and since sets it"
                )
            if there and name not in there:
                raise ConfigurationError(
                    f"{source.name} has no parameter {name!r}; it has "
                    f"{', '.join(there)}"
                )

    def is_open(self, cell: Partition) -> bool:
        """Return whether a cell can be pulled; keep why if it cannot."""
        provider, source = cell.clinic.provider_id, cell.source
        if source.denial is not None:
            self._findings.deny(provider, source.name, source.denial)
        elif source.failure is not None:
            self._findings.fail(provider, source.name, None, source.failure)
        return source.denial is None and source.failure is None

    def can_be_cut(self, cell: Partition, schedule: Schedule) -> bool:
        """Return whether a cell is asked for as it was before; keep why if it is not.

        Its rows would lie there twice, once whole and once in windows.
        """
        if not schedule.was_cut(cell.cell) or cell.source.range is not None:
            return True
        self._findings.failed.append(
            PullFailure(
                provider_id=cell.clinic.provider_id,
                source=cell.source.name,
                window=None,
                reason="it lies there in windows, and has no clear date range any more",
            )
        )
        return False

    async def find_edges(
        self, cells: list[Partition], destination: Destination, schedule: Schedule
    ) -> None:
        """Find out of each data source what the end of its dates lets in."""
        journal = destination.journal
        clinics: defaultdict[Source, list[Partition]] = defaultdict(list)
        for cell in cells:
            clinics[cell.source].append(cell)

        async def find(source: Source) -> None:
            key = str(source.one.id)
            for cell in clinics[source]:
                range_ = source.range
                if range_ is None or range_.edge is not None or source.failure:
                    return
                since = await asyncio.to_thread(schedule.since, cell.cell)
                if since >= schedule.until:
                    continue
                known = await asyncio.to_thread(journal.edge, key)
                if known is None:
                    known = await self._edge(cell, range_, since, schedule.until)
                    if known is None:
                        continue  # another provider may have rows
                    await asyncio.to_thread(journal.keep_edge, key, known)
                source.range = evolve(range_, edge=known)

        if not schedule.whole:
            await at_once(find, clinics)

    async def _edge(
        self, cell: Partition, range_: DateRange, since: dt.date, until: dt.date
    ) -> Edge | None:
        """Return what the end lets in; ``None`` if a cell has no rows to tell it.

        What fails is the failure of its data source.

        Raises:
            AuthenticationError: The secret is refused, as with every other call.
        """
        source, reporting = cell.source, cell.clinic.reporting
        one = source.detail or source.one
        try:
            return await edge_of(
                lambda **dates: reporting._all_at_once(  # noqa: SLF001 - as the pull
                    one, {**source.filters, **dates}
                ),
                range_,
                since,
                until,
            )
        except AuthenticationError:
            raise
        except ForbiddenError:
            return None  # the pull itself says so
        except HealthyRosterError as error:
            source.failure = error
            return None

    def _session(self, provider: int | str) -> ProviderSession:
        session = self._pool.session(
            provider, environment=self._environment, priority=Priority.BULK
        )
        # A deadline is for somebody who waits; bulk calls wait as long as it takes.
        return session.with_options(deadline=None)
