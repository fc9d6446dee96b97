"""What came of the demo: the facts, and how a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import attrs
from attrs import frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from healthyroster_async._core.errors import LikelyCause
from healthyroster_async._report.text import size
from healthyroster_async._stats import EnvironmentStats
from healthyroster_async.cli import _console

ENDPOINTS = ("data_sources", "data_source", "rows")
_OK, _THROTTLED, _FORBIDDEN = 200, 429, 403
_FAULTS = {
    "status": "503",
    "reset": "connection reset",
    "reset-inside": "reset inside the body",
    "truncate": "body cut off",
}


@frozen(kw_only=True)
class SourceTotal:
    """One data source over all providers.

    Attributes:
        id: Id of the data source.
        name: What a person calls it.
        providers: How many gave their rows.
        rows: Rows of all of them.
        size: Bytes of all of them.
        mean_seconds: Seconds a provider took on average, waiting included.
    """

    id: int | str
    name: str
    providers: int
    rows: int
    size: int
    mean_seconds: float


@frozen(kw_only=True)
class MissingGrants:
    """Endpoints that gave no access to a provider (403)."""

    provider: int
    endpoints: tuple[str, ...]

    @property
    def likely_cause(self) -> LikelyCause:
        """Which of the two grants is missing."""
        if set(self.endpoints) == set(ENDPOINTS):
            return LikelyCause.PROVIDER_NOT_GRANTED
        return LikelyCause.ENDPOINT_NOT_AUTHORIZED


@frozen(kw_only=True)
class Counts:
    """Rows of a cell, or of all of them.

    Attributes:
        received: Rows that came.
        expected: Rows that a whole pull gives.
        sent: Rows the server sent in whole answers.
        once: Whether each row came once, in order.
    """

    received: int
    expected: int
    sent: int
    once: bool

    @property
    def equal(self) -> bool:
        """Whether both sides agree."""
        return self.received == self.expected == self.sent and self.once

    @classmethod
    def sum(cls, cells: Iterable[Self]) -> Self:
        """Add up."""
        cells = list(cells)
        return cls(
            received=sum(cell.received for cell in cells),
            expected=sum(cell.expected for cell in cells),
            sent=sum(cell.sent for cell in cells),
            once=all(cell.once for cell in cells),
        )


@frozen(kw_only=True)
class Report:
    """What came of a demo.

    Attributes:
        providers: Healthcare Providers that were asked.
        seconds: Seconds the pull took.
        sources: Totals of each data source.
        stats: Counters of the pool, at the end of the pull.
        faults: Faults that the server made, by kind.
        missing: Grants that the pull found missing.
        withheld: Grants that the server really withheld.
        counts: Rows on both sides.
        different: Provider x data source cells whose counts differ.
        failures: Calls that failed for good, one line each.
    """

    providers: int
    seconds: float
    sources: tuple[SourceTotal, ...]
    stats: EnvironmentStats
    faults: Mapping[str, int]
    missing: tuple[MissingGrants, ...]
    withheld: tuple[MissingGrants, ...]
    counts: Counts
    different: int
    failures: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every granted row came once, and every missing grant was found."""
        return not self.different and not self.failures and self.grants_found

    @property
    def grants_found(self) -> bool:
        """Whether the grants found missing are those that are."""
        return {g.provider: set(g.endpoints) for g in self.missing} == {
            g.provider: set(g.endpoints) for g in self.withheld
        }

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return sum(source.size for source in self.sources)

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON can hold them."""
        stats = self.stats
        return {
            "complete": self.complete,
            "providers": self.providers,
            "seconds": round(self.seconds, 3),
            "rows": {**attrs.asdict(self.counts), "different_cells": self.different},
            "bytes": self.size,
            "sources": [
                {
                    "id": s.id,
                    "name": s.name,
                    "providers": s.providers,
                    "rows": s.rows,
                    "bytes": s.size,
                    "mean_seconds": round(s.mean_seconds, 3),
                }
                for s in self.sources
            ],
            "attempts": stats.attempts,
            "answers": {str(status): n for status, n in stats.answers.items()},
            "connection_failures": dict(stats.failures),
            "retries": stats.retries,
            "throttled": stats.throttled,
            "pauses": stats.pauses,
            "rate": round(stats.rate, 3),
            "rate_source": stats.rate_source,
            "denied": stats.denied,
            "faults": dict(self.faults),
            "missing_grants": [
                {
                    "provider": grants.provider,
                    "endpoints": list(grants.endpoints),
                    "likely_cause": grants.likely_cause.value,
                }
                for grants in self.missing
            ],
            "missing_grants_right": self.grants_found,
            "failures": list(self.failures),
        }


def show(report: Report, console: Console) -> None:
    """Write a report for a person."""
    title = (
        f"{report.providers} providers of a local Healthy Roster with synthetic data, "
        "pulled concurrently"
    )
    console.print(Text(title, style="bold"))
    _show_sources(report, console)
    console.print()
    facts = Table.grid(padding=(0, 2))
    for name, text in _facts(report):
        facts.add_row(Text(name, style="bold"), Text(text))
    console.print(facts)
    console.print()
    if report.missing:
        _show_missing(report, console)
        console.print()
    console.print(_verdict(report))


def _show_sources(report: Report, console: Console) -> None:
    numbers = ("Providers", "Rows", "Size", "Mean time")
    table = _console.table(console, "Data source", *numbers, right=numbers)
    for source in report.sources:
        table.add_row(
            _console.plain(source.name),
            f"{source.providers}",
            f"{source.rows:,}",
            size(source.size),
            f"{source.mean_seconds:.2f} s",
        )
    table.add_section()
    table.add_row(
        "All, start to end",
        f"{max((s.providers for s in report.sources), default=0)}",
        f"{report.counts.received:,}",
        size(report.size),
        f"{report.seconds:.2f} s",
        style="bold",
    )
    console.print(table)


def _facts(report: Report) -> Iterable[tuple[str, str]]:
    stats = report.stats
    answers = dict(stats.answers)
    parts = [
        f"{answers.pop(status, 0)} {meaning}"
        for status, meaning in (
            (_OK, "answered"),
            (_THROTTLED, "throttled"),
            (_FORBIDDEN, "denied"),
        )
    ]
    parts += [f"{count} failed with {status}" for status, count in answers.items()]
    lost = sum(stats.failures.values())
    # Who loses one inside an answer has counted its status already.
    inside = sum(stats.answers.values()) + lost - stats.attempts
    where = f" ({inside} of them inside an answer)" if inside > 0 else ""
    parts.append(f"{lost} connections lost{where}")
    yield "Calls", f"{stats.attempts} attempts: {', '.join(parts)}"
    yield "Retries", f"{stats.retries}"
    yield (
        "Throttled",
        f"{stats.throttled} attempts (429, 503); pauses of the pool: {stats.pauses}",
    )
    yield "Pace", f"{stats.rate:.3g} calls per s at the end: {stats.rate_source}"
    made = ", ".join(
        f"{_FAULTS.get(kind, kind)} x{count}" for kind, count in report.faults.items()
    )
    yield "Faults", f"made by the server on purpose: {made or 'none'}"
    endpoints = sum(len(grants.endpoints) for grants in report.missing)
    yield (
        "Denied",
        (
            f"{stats.denied} attempts (403), never repeated: "
            f"{endpoints} grants missing at {len(report.missing)} providers"
        ),
    )


def _show_missing(report: Report, console: Console) -> None:
    console.print(Text("Missing grants (provider x endpoint)", style="bold"))
    table = _console.table(console, "Provider", *ENDPOINTS, "Most likely")
    for grants in report.missing:
        cells = [
            Text("denied", "red") if name in grants.endpoints else Text("ok", "green")
            for name in ENDPOINTS
        ]
        table.add_row(f"{grants.provider}", *cells, grants.likely_cause.value)
    console.print(table)


def _verdict(report: Report) -> Text:
    counts = report.counts
    text = (
        f"{counts.received:,} rows received, {counts.expected:,} expected, "
        f"{counts.sent:,} sent by the server"
    )
    if report.complete:
        return Text.assemble(
            ("OK: ", "bold green"), text, ". Every granted row came exactly once."
        )
    why = [
        f"{report.different} cells differ" if report.different else "",
        f"{len(report.failures)} calls failed" if report.failures else "",
        "" if report.grants_found else "the missing grants are not the right ones",
    ]
    reasons = ", ".join(filter(None, why))
    return Text.assemble(("NOT OK: ", "bold red"), f"{text}; {reasons}.")
