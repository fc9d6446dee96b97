"""What a pool has done, for whoever operates it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from attrs import frozen

from healthyroster_async._core.delays import RetryBudget
from healthyroster_async._policies.pacing import PacingPolicy
from healthyroster_async._policies.retry import RetryPolicy
from healthyroster_async._policies.telemetry import TelemetryPolicy


@frozen(kw_only=True)
class EnvironmentStats:
    """Counters of one environment since the pool was started.

    Attributes:
        attempts: Requests sent.
        answers: How often each HTTP status came.
        failures: How often each kind of transport error came, in the middle of a row
            stream too.
        retries: How often something was tried again.
        throttled: Answers that asked for fewer calls.
        pauses: Pauses of the whole environment.
        paused_for: Seconds until calls start again; 0 if they do.
        in_flight: Attempts under way.
        waiting: Calls that wait for their turn.
        open_streams: Row streams that are open.
        retry_budget: What may still be spent on retries; see ``docs``.
    """

    attempts: int
    answers: Mapping[int, int]
    failures: Mapping[str, int]
    retries: int
    throttled: int
    pauses: int
    paused_for: float
    in_flight: int
    waiting: int
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
        retries: Iterable[RetryPolicy],
        now: float,
    ) -> Self:
        """Read the counters where they are kept."""
        return cls(
            attempts=telemetry.attempts,
            answers=dict(telemetry.answers),
            failures=dict(telemetry.failures),
            retries=sum(policy.retries for policy in retries),
            throttled=pacing.throttled,
            pauses=pacing.attempts.pauses,
            paused_for=max(0.0, pacing.attempts.paused_until - now),
            in_flight=pacing.attempts.in_flight,
            waiting=pacing.attempts.waiting + pacing.streams.waiting,
            open_streams=pacing.streams.in_flight,
            retry_budget=budget.left,
        )
