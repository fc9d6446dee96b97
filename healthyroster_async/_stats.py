"""What a pool has done, for whoever operates it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, Self

from attrs import field, frozen

from healthyroster_async._core.delays import RetryBudget
from healthyroster_async._core.html import table
from healthyroster_async._core.settings import Environment, Priority
from healthyroster_async._policies.pacing import PacingPolicy
from healthyroster_async._policies.telemetry import TelemetryPolicy


@frozen(kw_only=True)
class EnvironmentStats:
    """Counters of one environment since the pool was started.

    Attributes:
        attempts: Requests sent; not those that a ``client_session`` of your own sends
            once more by itself when a connection is lost.
        answers: How often each HTTP status came.
        failures: How often each kind of transport error came, in the middle of a row
            stream too.
        retries: How often something was tried again.
        throttled: Answers that asked for fewer calls.
        rate: Calls per second that may go now.
        rate_source: Where the rate comes from: ``starting``, ``estimating``,
            ``announced``, ``configured ...``, ``stated ...`` (by a rejection) or
            ``learned 600 per 60 s``.
        concurrency: Attempts that may be under way at once now.
        down: Whether the API did not answer of late, and is only probed.
        refused: Whether the last answer refused the credentials (401).
        pauses: Pauses of the whole environment.
        paused_for: Seconds until calls start again, after a pause or a used-up quota;
            0 if they do.
        in_flight: Attempts under way.
        waiting: Calls that wait for their turn.
        waiting_by_priority: ... by lane.
        waiting_by_provider: ... by Healthcare Provider.
        open_streams: Row streams that are open.
        retry_budget: What may still be spent on retries of faults. It begins at 200; a
            retry costs 14, after a time-out 5, and a call that succeeds pays 1 back.
            What it cannot pay for is not repeated, so an outage is not multiplied.
    """

    attempts: int
    answers: Mapping[int, int]
    failures: Mapping[str, int]
    retries: int
    throttled: int
    rate: float
    rate_source: str
    concurrency: int
    down: bool
    refused: bool
    pauses: int
    paused_for: float
    in_flight: int
    waiting: int
    waiting_by_priority: Mapping[Priority, int]
    waiting_by_provider: Mapping[Hashable, int] = field(repr=False)
    open_streams: int
    retry_budget: int

    @property
    def denied(self) -> int:
        """Answers that gave no access (403)."""
        return self.answers.get(403, 0)

    @classmethod
    def of(
        cls,
        pacing: PacingPolicy,
        budget: RetryBudget,
        telemetry: TelemetryPolicy,
        now: float,
    ) -> Self:
        """Read the counters where they are kept."""
        governors = [pacer.governor for pacer in pacing.pacers]
        queues = [governor.queue for governor in governors]
        slowest = pacing.slowest
        by_provider: Counter[Hashable] = Counter()
        for queue in (*queues, pacing.streams.queue):
            by_provider.update(queue.flows)
        return cls(
            attempts=telemetry.attempts,
            answers=dict(telemetry.answers),
            failures=dict(telemetry.failures),
            retries=budget.retries,
            throttled=pacing.throttled,
            rate=slowest.learner.rate,
            rate_source=slowest.source,
            concurrency=slowest.concurrency.cap,
            down=any(governor.breaker.is_open for governor in governors),
            refused=telemetry.refused,
            pauses=sum(governor.pauses for governor in governors),
            paused_for=max((g.held_for(now) for g in governors), default=0.0),
            in_flight=pacing.in_flight,
            waiting=by_provider.total(),
            waiting_by_priority={
                lane: sum(
                    queue.lanes[lane] for queue in (*queues, pacing.streams.queue)
                )
                for lane in Priority
            },
            waiting_by_provider=dict(by_provider),
            open_streams=pacing.streams.in_flight,
            retry_budget=budget.left,
        )

    @property
    def _figures(self) -> tuple[tuple[str, str], ...]:
        return (
            ("calls a second", f"{self.rate:.3g} ({self.rate_source})"),
            ("at once", f"{self.in_flight} of {self.concurrency}"),
            ("waiting", f"{self.waiting}"),
            ("open row streams", f"{self.open_streams}"),
            ("attempts", f"{self.attempts}"),
            ("answers", _counts(self.answers)),
            ("failures", _counts(self.failures)),
            ("tried again", f"{self.retries}"),
            ("asked to slow down", f"{self.throttled}"),
            ("pauses", f"{self.pauses}"),
            ("paused for", f"{self.paused_for:.3g} s" if self.paused_for else "no"),
            ("API", "down" if self.down else "up"),
        )

    def _repr_html_(self) -> str:
        return table("What an environment did and does", ("", ""), self._figures)


class PoolStats(dict[Environment, EnvironmentStats]):
    """The counters of each environment; a dict."""

    def _repr_html_(self) -> str:
        columns = [environment.value for environment in self]
        figures = [stats._figures for stats in self.values()]  # noqa: SLF001 - ours
        rows = (
            (row[0][0], *(figure for _, figure in row))
            for row in zip(*figures, strict=True)
        )
        return table("What the pool did and does", ("", *columns), rows)


def _counts(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {number}" for name, number in counts.items()) or "none"
