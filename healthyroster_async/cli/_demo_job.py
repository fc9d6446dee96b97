"""The job of the demo: pull everything from a Healthy Roster that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

from attrs import define, field, frozen

from healthyroster_async._core.outcome import Denied, Failed, Outcomes, Succeeded
from healthyroster_async._core.settings import Environment, PacingSettings
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._session import ProviderSession
from healthyroster_async._stats import EnvironmentStats
from healthyroster_async.cli._demo_plan import SOURCES, Plan
from healthyroster_async.cli._demo_report import (
    Counts,
    MissingGrants,
    Report,
    SourceTotal,
)
from healthyroster_async.emulator import Emulator
from healthyroster_async.models import DataSource

_SETTLE_S = 2.0


@frozen(kw_only=True)
class Pulled:
    """The rows of one data source of one provider, counted.

    Attributes:
        source: Which data source.
        rows: How many came.
        size: Bytes they took.
        seconds: From the call to the last row, waiting included.
        in_order: Whether each row came once: ids only ever grew.
    """

    source: DataSource
    rows: int
    size: int
    seconds: float
    in_order: bool


@define
class Job:
    """One run of the demo, and how far it is.

    Attributes:
        plan: What is asked.
        emulator: Where it pulls from.
        pool: What it pulls with, once it runs.
        cells: Provider x data source cells that came to an end.
        listed: Cells known so far.
        answered: Providers whose data sources are known, or refused.
        rows: Rows so far.
        size: Bytes of finished cells.
    """

    plan: Plan
    emulator: Emulator = field(init=False)
    pool: ConnectionPool | None = field(init=False, default=None)
    cells: int = field(init=False, default=0)
    listed: int = field(init=False, default=0)
    answered: int = field(init=False, default=0)
    rows: int = field(init=False, default=0)
    size: int = field(init=False, default=0)
    _first: DataSource | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.emulator = self.plan.emulator()

    @property
    def expected_cells(self) -> int | None:
        """How many cells there will be, as far as it can be known."""
        if not self.answered:
            return None
        missing = self.plan.providers - self.answered
        return self.listed + missing * SOURCES

    def stats(self) -> EnvironmentStats | None:
        """Return the counters of the pool while it is open."""
        return None if self.pool is None else self.pool.stats()[Environment.SANDBOX]

    async def run(self) -> Report:
        """Pull everything and count it."""
        pacing = PacingSettings(max_concurrency=self.plan.concurrency)
        clock = asyncio.get_running_loop().time
        async with self.emulator as emulator, emulator.pool(pacing=pacing) as pool:
            self.pool = pool
            try:
                began = clock()
                outcomes = await pool.fan_out(emulator.providers, self._provider)
                seconds = clock() - began
                stats = pool.stats()[Environment.SANDBOX]
                missing = await self._missing(pool, outcomes)
                await self._settled()
            finally:
                self.pool = None
            return self._report(outcomes, missing, stats, seconds)

    async def _provider(self, clinic: ProviderSession) -> Outcomes[Pulled]:
        try:
            sources = await clinic.reporting.data_sources()
            self._first = self._first or sources[0]
            self.listed += len(sources)
        finally:
            self.answered += 1
        return await clinic.fan_out(
            {str(source.id): partial(self._source, source) for source in sources}
        )

    async def _source(self, source: DataSource, clinic: ProviderSession) -> Pulled:
        clock = asyncio.get_running_loop().time
        began, count, last, in_order = clock(), 0, -1, True
        try:
            async with clinic.reporting.rows(source.id) as rows:
                async for row in rows:
                    in_order &= row["id"] > last
                    last = row["id"]
                    count += 1
                    self.rows += 1
        finally:
            self.cells += 1
        self.size += rows.bytes_read
        return Pulled(
            source=source,
            rows=count,
            size=rows.bytes_read,
            seconds=clock() - began,
            in_order=in_order,
        )

    async def _missing(
        self, pool: ConnectionPool, outcomes: Outcomes[Outcomes[Pulled]]
    ) -> tuple[MissingGrants, ...]:
        """Ask every endpoint of those who were refused: which grant is missing?"""
        refused = [
            outcome.provider_id
            for outcome in outcomes
            if isinstance(outcome, Denied)
            or (isinstance(outcome, Succeeded) and outcome.value.denied)
        ]
        first = self._first
        if not refused or first is None:
            return ()

        async def rows(clinic: ProviderSession) -> None:
            async with clinic.reporting.rows(first.id):
                pass

        async def ask(clinic: ProviderSession) -> Outcomes[Any]:
            calls: dict[str, Any] = {
                "data_sources": lambda c: c.reporting.data_sources(),
                "data_source": lambda c: c.reporting.data_source(first.id),
                "rows": rows,
            }
            return await clinic.fan_out(calls)

        asked = await pool.fan_out(refused, ask)
        return tuple(
            MissingGrants(provider=int(str(key)), endpoints=tuple(map(str, o.denied)))
            for key, o in asked.succeeded.items()
        )

    async def _settled(self) -> None:
        """Wait until the server has counted what it sent."""
        clock = asyncio.get_running_loop().time
        until = clock() + _SETTLE_S
        while self.emulator.seen.in_flight and clock() < until:  # noqa: ASYNC110 - another side's state
            await asyncio.sleep(0.01)

    def _report(
        self,
        outcomes: Outcomes[Outcomes[Pulled]],
        missing: tuple[MissingGrants, ...],
        stats: EnvironmentStats,
        seconds: float,
    ) -> Report:
        emulator = self.emulator
        received = {
            (pid, pulled.source.id): pulled
            for pid, sources in outcomes.succeeded.items()
            for pulled in sources.succeeded.values()
        }
        cells = [
            Counts(
                received=found.rows if found else 0,
                expected=emulator.expected_rows(p, s) if _granted(emulator, p) else 0,
                sent=emulator.seen.rows_sent[p, s],
                once=found.in_order if found else True,
            )
            for p in emulator.providers
            for s in emulator.sources
            for found in (received.get((p, s)),)
        ]
        return Report(
            providers=self.plan.providers,
            seconds=seconds,
            sources=tuple(_totals(list(received.values()))),
            stats=stats,
            faults=dict(emulator.seen.faults),
            missing=missing,
            withheld=tuple(_withheld(emulator)),
            counts=Counts.sum(cells),
            different=sum(not cell.equal for cell in cells),
            failures=tuple(_failures(outcomes)),
        )


def _granted(emulator: Emulator, provider: int | str) -> bool:
    return all(emulator.granted(str(provider), e) for e in ("data_sources", "rows"))


def _withheld(emulator: Emulator) -> Iterator[MissingGrants]:
    names = ("data_sources", "data_source", "rows")
    for provider in emulator.providers:
        lacking = tuple(n for n in names if not emulator.granted(str(provider), n))
        if lacking:
            yield MissingGrants(provider=int(provider), endpoints=lacking)


def _totals(pulled: list[Pulled]) -> Iterator[SourceTotal]:
    by_source: dict[int | str, list[Pulled]] = {}
    for one in pulled:
        by_source.setdefault(one.source.id, []).append(one)
    for source_id in sorted(by_source, key=lambda i: (len(str(i)), str(i))):
        group = by_source[source_id]
        yield SourceTotal(
            id=source_id,
            name=group[0].source.name or str(source_id),
            providers=len(group),
            rows=sum(one.rows for one in group),
            size=sum(one.size for one in group),
            mean_seconds=sum(one.seconds for one in group) / len(group),
        )


def _failures(outcomes: Outcomes[Outcomes[Pulled]]) -> Iterator[str]:
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            yield f"provider {outcome.provider_id}: {outcome.error}"
        elif isinstance(outcome, Succeeded):
            for key, error in outcome.value.failed.items():
                yield f"provider {outcome.provider_id}, data source {key}: {error}"
