"""An access check: rounds of few calls, and a report of what they mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial

from attrs import evolve, frozen

from healthyroster_async._caller import Caller
from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.access_grid import Grant
from healthyroster_async._core.access_plan import AccessPlan
from healthyroster_async._core.access_report import AccessReport
from healthyroster_async._core.errors import (
    AuthenticationError,
    HealthyRosterError,
    ResponseError,
    ServiceUnavailableError,
    TransportError,
    UsageError,
)
from healthyroster_async._core.outcome import Denied, Outcome, Succeeded
from healthyroster_async._core.settings import Environment, Priority
from healthyroster_async._fanout import Counting, Job, fan_out
from healthyroster_async._operation_probes import NotAskedError, Probe

_NOT_SAFE = "cannot be asked safely"
_NOT_ASKED = "not asked any more"


@frozen(kw_only=True)
class AccessCheck:
    """What a check is about, and with what means it is made.

    Attributes:
        callers: How to call each Healthcare Provider, by its id as a text.
        probes: The endpoints, and how they are asked.
        access: What is known already.
        environment: Whose grants they are.
        application_id: The application, for the letter to support.
        full: Whether every cell is asked.
        limit: Most calls under way at once.
        counting: Whom the progress is told.
    """

    callers: Mapping[str, Caller]
    probes: Sequence[Probe]
    access: AccessMap
    environment: Environment
    application_id: str
    full: bool
    limit: int
    counting: Counting

    async def run(self) -> AccessReport:
        """Make the check.

        Raises:
            AuthenticationError: The API knows neither id nor secret, so that nothing
                can be found out.
            TransportError, ServiceUnavailableError: Nothing is out there to answer.
            UsageError: The pool was closed meanwhile.
        """
        asks = {probe.endpoint.label: probe.ask for probe in self.probes}
        plan = AccessPlan(
            providers=tuple(self.callers),
            endpoints=tuple(asks),
            unaskable=frozenset(label for label, ask in asks.items() if ask is None),
            needs={p.endpoint.label: p.needs for p in self.probes if p.needs in asks},
            full=self.full,
        )
        plan.know(self.access.fresh())
        unclear: dict[tuple[str, str], str] = {}
        while cells := plan.next_round():
            self.counting.expect(len(cells))
            nothing_known = not plan.grid.providers
            outcomes = await fan_out(
                self._jobs(cells, urgent=nothing_known),
                limit=self.limit,
                counting=self.counting,
            )
            if nothing_known:
                _raise_out_of_reach(outcomes)
            for cell, outcome in zip(cells, outcomes, strict=True):
                plan.tell(*cell, _grant(outcome))
                if not isinstance(outcome, Succeeded | Denied):
                    _raise_hopeless(outcome.error, plan)
                    unclear[cell] = _reason(outcome.error)
        return AccessReport(
            environment=self.environment,
            application_id=self.application_id,
            providers=tuple(caller.provider_id for caller in self.callers.values()),
            endpoints=tuple(probe.endpoint for probe in self.probes),
            grid=plan.grid,
            asked=plan.asked,
            unclear=unclear,
            not_asked={
                p.endpoint.label: p.why_not or (_NOT_ASKED if p.ask else _NOT_SAFE)
                for p in self.probes
            },
        )

    async def _jobs(
        self, cells: Sequence[tuple[str, str]], *, urgent: bool
    ) -> AsyncIterator[Job]:
        """Yield the calls of a round.

        The first few are urgent: bulk calls wait minutes for an API that is down, and
        whoever checks a host that was mistyped would wait with them.
        """
        asks = {probe.endpoint.label: probe.ask for probe in self.probes}
        for provider, label in cells:
            ask, caller = asks[label], self.callers[provider]
            assert ask is not None  # noqa: S101 - the plan asks no other
            if urgent:
                caller = evolve(caller, priority=Priority.INTERACTIVE)
            yield Job((provider, label), caller.provider_id, partial(ask, caller))


def _grant(outcome: Outcome[object]) -> Grant:
    """Return what an outcome says of access.

    Whatever is neither an answer nor a 403 says nothing: a 404 may be how the API
    hides what is not granted, and a 400 may come before it looks at the grants.
    """
    if isinstance(outcome, Succeeded):
        return Grant.GRANTED
    return Grant.DENIED if isinstance(outcome, Denied) else Grant.UNKNOWN


def _raise_hopeless(error: HealthyRosterError, plan: AccessPlan) -> None:
    """Raise what every call of the check would meet."""
    nothing_known = not plan.grid.providers
    if isinstance(error, UsageError) or (
        isinstance(error, AuthenticationError) and nothing_known
    ):
        raise error


def _raise_out_of_reach(outcomes: Iterable[Outcome[object]]) -> None:
    """Raise why nothing is connected, if no call of a round came any further."""
    causes: list[BaseException] = []
    for outcome in outcomes:
        error = getattr(outcome, "error", None)
        if not isinstance(error, TransportError | ServiceUnavailableError):
            return
        # Of a call that was not sent again its cause says more.
        causes.append(error.__cause__ or error)
    raise next((c for c in causes if isinstance(c, TransportError)), causes[0])


def _reason(error: HealthyRosterError) -> str:
    """Return in few words why a call told nothing of access."""
    if isinstance(error, NotAskedError):
        return str(error)
    if isinstance(error, ResponseError):
        return f"answered {error.status}"
    return type(error).__name__
