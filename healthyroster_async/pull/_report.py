"""How far a pull is, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from attrs import field, frozen

from healthyroster_async._core.html import table


@frozen(kw_only=True)
class PullProgress:
    """How far a pull is.

    A partition is a window of a data source of a provider, or all of it.

    Attributes:
        total: Partitions of the run, and what was denied or failed before there were
            any: a provider's list, or a data source of it.
        done: ... that are in the destination, those from before it was broken off
            included.
        failed: ... that failed so far; they are asked for once more at the end.
        denied: ... that are not granted.
        rows: Rows that came, those of open answers included.
        bytes: Bytes that they took, decompressed.
        idle: Seconds since something came last.
    """

    total: int
    done: int = 0
    failed: int = 0
    denied: int = 0
    rows: int = 0
    bytes: int = 0
    idle: int = 0


@frozen(kw_only=True)
class PullFailure:
    """A partition that did not come.

    Attributes:
        provider_id: The Healthcare Provider.
        source: Name of the data source; ``None`` if not even the list of them came.
        window: Its key; ``None`` if it is whole.
        reason: What went wrong.
    """

    provider_id: int | str
    source: str | None
    window: str | None
    reason: str


@frozen(kw_only=True)
class PullDenial:
    """What the application is not granted.

    Attributes:
        provider_id: The Healthcare Provider.
        source: Name of the data source; ``None`` for the list of them.
        reason: Which grant is most likely missing.
    """

    provider_id: int | str
    source: str | None
    reason: str


@frozen(kw_only=True)
class PullGone:
    """Rows that lie in the destination, and are not offered any more.

    Attributes:
        provider_id: The Healthcare Provider, as the destination calls it.
        folder: The data source: its folder, or its table.
    """

    provider_id: str
    folder: str


@frozen(kw_only=True)
class PullTotal:
    """What came of one data source.

    Attributes:
        source: Its name.
        ids: Its ids, of which providers may have different ones.
        folder: What the destination calls it: the folder, or the table.
        partitions: How many came in this run.
        rows: Their rows.
        bytes: Bytes that they took, decompressed.
        drift: What rows did that the data source does not say, a line for each column.
        whole: Whether all its rows came, whatever the dates of the plan: it has no date
            range, or none that is clear.
    """

    source: str
    partitions: int
    rows: int
    bytes: int
    drift: tuple[str, ...] = ()
    whole: bool = False
    ids: tuple[int | str, ...] = ()
    folder: str | None = None


@frozen(kw_only=True)
class PullProvider:
    """What came of one Healthcare Provider.

    Attributes:
        provider_id: The Healthcare Provider.
        partitions: Partitions of the run.
        done: ... that came in it.
        kept: ... that were there already, from before it was broken off.
        rows: Rows that came.
        bytes: Bytes that they took, decompressed.
    """

    provider_id: int | str
    partitions: int
    done: int = 0
    kept: int = 0
    rows: int = 0
    bytes: int = 0


def _number_of(many: Sequence[object]) -> str:
    return str(len(many))


@frozen(kw_only=True)
class PullReport:
    """What came of a pull.

    Attributes:
        environment: Whose rows they are.
        started: When the run began.
        since: The first date of the plan, ``"last"``, or ``None`` for all there is.
        until: The date after the last of the plan, or ``None`` for tomorrow.
        partitions: Partitions of the run.
        done: ... that came in it.
        kept: ... that were there already, from before it was broken off.
        rows: Rows that came.
        bytes: Bytes that they took, decompressed.
        seconds: How long it took.
        totals: The same by data source.
        providers: The same by Healthcare Provider, those that have a data source.
        denied: What is not granted, and was left out.
        failed: What did not come. The same pull run again asks for nothing else.
        gone: What lies there of data sources that a provider does not list any more.
        calls: Calls that a dry run says the pull would make, and at least these where
            windows are cut by rows; ``None`` after a pull.
        ended: ``"complete"``, ``"failed"`` if not all came that is granted, or
            ``"interrupted"``, which only ``summary.json`` can say; ``None`` of a dry
            run.
    """

    environment: str
    partitions: int
    done: int
    kept: int
    rows: int
    bytes: int
    seconds: float
    totals: tuple[PullTotal, ...] = ()
    providers: tuple[PullProvider, ...] = field(default=(), repr=False)
    denied: tuple[PullDenial, ...] = field(default=(), repr=_number_of)
    failed: tuple[PullFailure, ...] = field(default=(), repr=_number_of)
    gone: tuple[PullGone, ...] = field(default=(), repr=_number_of)
    calls: int | None = None
    started: dt.datetime | None = None
    since: dt.date | str | None = None
    until: dt.date | None = None
    ended: str | None = None

    @property
    def complete(self) -> bool:
        """Whether everything came that is granted."""
        return not self.failed

    def _repr_html_(self) -> str:
        if self.calls is not None:
            figures = [
                ("partitions", f"{self.partitions:,}, {self.kept:,} are there already"),
                ("calls", f"{self.calls:,} at least"),
            ]
            asked = ((t.source, f"{t.partitions:,}") for t in self.totals)
            tables = [
                table(f"A pull from {self.environment} would ask", ("", ""), figures),
                table("For what", ("data source", "partitions"), asked),
            ]
        else:
            figures = [
                ("partitions", f"{self.done:,} came, {self.kept:,} were there already"),
                ("rows", f"{self.rows:,}"),
                ("bytes", f"{self.bytes:,}"),
                ("seconds", f"{self.seconds:.1f}"),
            ]
            came = ((t.source, f"{t.partitions:,}", f"{t.rows:,}") for t in self.totals)
            tables = [
                table(f"A pull from {self.environment}", ("", ""), figures),
                table("What came", ("data source", "partitions", "rows"), came),
            ]
        gone = [
            (one.provider_id, one.source, what, one.reason)
            for what, many in (("failed", self.failed), ("denied", self.denied))
            for one in many
        ]
        if gone:
            names = ("provider", "data source", "what", "why")
            tables.append(table("What did not come", names, gone))
        return "".join(tables)

    def to_dict(self) -> Mapping[str, Any]:
        """Return the report as plain values, as ``summary.json`` has it."""
        return attrs.asdict(self, value_serializer=_plain)


def _plain(_: object, __: object, value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value
