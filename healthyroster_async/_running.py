"""What belongs to a started pool, and to the event loop that it was started on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from random import Random

from attrs import field, frozen

from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials
from healthyroster_async._core.delays import RetryBudget
from healthyroster_async._core.recorder import Recorder
from healthyroster_async._core.settings import (
    Environment,
    PacingSettings,
    RetrySettings,
)
from healthyroster_async._pipeline import Pipeline
from healthyroster_async._policies.authentication import AuthenticationPolicy
from healthyroster_async._policies.budgets import pacers_of
from healthyroster_async._policies.deadline import DeadlinePolicy
from healthyroster_async._policies.keeping import Kept
from healthyroster_async._policies.observing import Hooks
from healthyroster_async._policies.pacing import PacingEvent, PacingPolicy
from healthyroster_async._policies.renewal import RenewalPolicy
from healthyroster_async._policies.retry import RetryPolicy
from healthyroster_async._policies.telemetry import TelemetryPolicy
from healthyroster_async._transports.base import Transport

# Some applications make settings anew for each call.
_MOST_PIPELINES = 64


class Lane:
    """What the calls of one environment share."""

    def __init__(
        self,
        environment: Environment,
        credentials: Credentials,
        contract: Contract,
        *,
        pacing: PacingSettings,
        kept: Kept,
        access: AccessMap,
        hooks: Hooks,
        recorder: Recorder,
    ) -> None:
        self.max_pause = pacing.max_pause
        self.kept = kept
        pacers = pacers_of(kept.name, pacing, kept.learned, kept.store)
        self.pacing = PacingPolicy(pacers, tell=self._told)
        self.hooks = hooks
        self.recorder = recorder
        recorder.pace = self.pacing.pace
        self.budget = RetryBudget()
        self.application_id = credentials.application_id
        self.authentication = AuthenticationPolicy(environment, credentials, contract)
        self.renewal: RenewalPolicy | None = None
        self.telemetry = TelemetryPolicy(access, recorder)

    def _told(self, event: PacingEvent) -> None:
        self.kept.note(self.pacing.learned)
        self.recorder.paced(event.kind, event.pause_s)
        hooks = self.hooks
        if hooks.pacing is not None:
            hooks.pacing(event)
        if hooks.pause is not None and event.kind == "paused":
            hooks.pause(event)


@frozen(eq=False)
class Running:
    """Everything that belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    process: int
    transport: Transport
    deadline: DeadlinePolicy
    lanes: Mapping[Environment, Lane]
    _pipelines: dict[tuple[Environment, RetrySettings], Pipeline] = field(
        init=False, factory=dict
    )

    @property
    def is_over(self) -> bool:
        """Whether its loop is closed, or it is that of a process this one is a fork of.

        Nothing of it can be closed here any more.
        """
        return self.loop.is_closed() or self.process != os.getpid()

    def pipeline(self, environment: Environment, retry: RetrySettings) -> Pipeline:
        """Return the way of a request, which is the same for all like it."""
        try:
            return self._pipelines[environment, retry]
        except KeyError:
            pass
        lane = self.lanes[environment]
        policy = RetryPolicy(
            retry,
            lane.budget,
            self.deadline,
            lane.max_pause,
            Random(),  # noqa: S311 - jitter
            tell=lane.hooks.retry,
            recorder=lane.recorder,
        )
        if len(self._pipelines) >= _MOST_PIPELINES:
            del self._pipelines[next(iter(self._pipelines))]
        pipeline = self._pipelines[environment, retry] = Pipeline(
            deadline=self.deadline,
            retry=policy,
            pacing=lane.pacing,
            authentication=lane.authentication,
            renewal=lane.renewal,
            telemetry=lane.telemetry,
            transport=self.transport,
            hooks=lane.hooks,
        )
        return pipeline
