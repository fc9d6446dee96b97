"""What a type checker sees of the public API; it is checked, not run."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from attrs import frozen

from healthyroster_async import (
    AccessMap,
    AccessReport,
    BadRow,
    ConnectionPool,
    Environment,
    EnvironmentStats,
    ForbiddenError,
    Grant,
    LikelyCause,
    Outcome,
    Outcomes,
    PoolReport,
    PoolStats,
    ProgressBar,
    ProviderSession,
    PullPlan,
    Response,
    SyncPool,
    SyncRowStream,
    SyncSession,
)
from healthyroster_async.models import DataSource, DataSourceDetail, DataSources
from healthyroster_async.pull import PullReport


@frozen
class Patient:
    id: int
    name: str | None = None


def count(outcomes: Outcomes[DataSources]) -> int:
    return sum(map(len, outcomes.succeeded.values()))


async def listed(session: ProviderSession) -> DataSources:
    return await session.reporting.data_sources()


async def check(pool: ConnectionPool) -> None:
    clinic = pool.session(42)
    assert_type(clinic, ProviderSession)
    assert_type(await clinic.reporting.data_sources(), DataSources)
    assert_type(await clinic.reporting.data_source("x"), DataSourceDetail)
    assert_type(await clinic.reporting.rows(1).to_list(), list[dict[str, Any]])
    async with clinic.reporting.rows(1, StartDate="2026-01-01") as rows:
        async for row in rows:
            assert_type(row, dict[str, Any])
        assert_type(await anext(rows), dict[str, Any])
        async for patient in rows.as_(Patient, strict=True):
            assert_type(patient, Patient)
        assert_type(rows.as_(Patient), AsyncIterator[Patient])
        assert_type(rows.bad_rows, list[BadRow])
    outcomes = await pool.fan_out([1, 2], lambda s: s.reporting.data_sources())
    assert_type(outcomes, Outcomes[DataSources, int])
    assert_type(sorted(outcomes.succeeded), list[int])
    by_id: dict[int, DataSources] = outcomes.succeeded
    assert_type(count(outcomes), int)
    for error in outcomes.denied.values():
        assert_type(error, ForbiddenError)
        assert_type(error.likely_cause, LikelyCause)
        assert_type(error.evidence, str)
    by_provider = dict(outcomes)
    assert_type(by_provider, dict[int, Outcome[DataSources]])
    assert_type(outcomes.get(1), Outcome[DataSources] | None)
    again = await pool.fan_out(outcomes.failed, lambda s: s.reporting.data_sources())
    assert_type(again, Outcomes[DataSources, int])
    assert_type(await pool.check_access(outcomes.denied), AccessReport)
    parts = await clinic.fan_out({"a": listed})
    assert_type(parts, Outcomes[DataSources, str])
    assert_type(sorted(parts.succeeded), list[str])
    either: list[int | str] = [1, *by_id, "x"]
    some = await pool.fan_out(either, lambda s: s.reporting.data_sources())
    assert_type(some, Outcomes[DataSources])
    assert_type(await pool.check_access(some.denied), AccessReport)
    async for outcome in pool.as_completed([1], lambda s: s.reporting.data_sources()):
        assert_type(outcome, Outcome[DataSources])
    assert_type(pool.access, AccessMap)
    assert_type(pool.report(), PoolReport)
    assert_type(pool.report().html, str)
    report = await pool.check_access([1, 2], ["rows"], full=True)
    assert_type(report, AccessReport)
    assert_type(report.grant(1, "rows"), Grant)
    assert_type(report.request_text(), str)


def check_sync(pool: SyncPool) -> None:
    clinic = pool.session(42)
    assert_type(SyncPool.from_environment(), SyncPool)
    assert_type(clinic.reporting.data_sources(), DataSources)
    assert_type(clinic.reporting.data_sources()["Patients"], DataSource)
    assert_type(clinic.reporting.data_source("x"), DataSourceDetail)
    assert_type(clinic.with_options(weight=2.0), SyncSession)
    assert_type(clinic.request("GET", "/x"), Response)
    assert_type(clinic.reporting.rows(1).to_list(), list[dict[str, Any]])
    with clinic.reporting.rows(1, StartDate="2026-01-01") as rows:
        assert_type(rows, SyncRowStream)
        for row in rows:
            assert_type(row, dict[str, Any])
        assert_type(rows.as_(Patient), Iterator[Patient])
        assert_type(rows.bad_rows, list[BadRow])
    outcomes = pool.fan_out([1, 2], lambda s: s.reporting.data_sources())
    assert_type(outcomes, Outcomes[DataSources, int])
    parts = clinic.fan_out({"a": listed})
    assert_type(parts, Outcomes[DataSources, str])
    for outcome in pool.as_completed([1], lambda s: s.reporting.data_sources()):
        assert_type(outcome, Outcome[DataSources])
    assert_type(pool.check_access([1, 2]), AccessReport)
    assert_type(pool.pull(PullPlan([1]), "lake"), PullReport)
    assert_type(pool.stats(), PoolStats)
    assert_type(pool.stats()[Environment.SANDBOX], EnvironmentStats)
    with ProgressBar("x", pool) as bar:
        pool.fan_out([1], lambda s: s.reporting.data_sources(), progress=bar)
        pool.pull(PullPlan([1]), "lake", progress=bar)
