"""The one way of a request, composed once per environment and retry settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from healthyroster_async._core.messages import Request, Response
from healthyroster_async._policies.authentication import AuthenticationPolicy
from healthyroster_async._policies.deadline import DeadlinePolicy
from healthyroster_async._policies.observing import Hooks, ObservingPolicy, within
from healthyroster_async._policies.pacing import PacingPolicy
from healthyroster_async._policies.renewal import RenewalPolicy
from healthyroster_async._policies.retry import RetryPolicy
from healthyroster_async._policies.telemetry import TelemetryPolicy
from healthyroster_async._transports.base import Transport

_T = TypeVar("_T")


class Pipeline:
    """Deadline, renewal, retry, pacing, authentication, telemetry, transport.

    Retry stands outside pacing, so each attempt pays for itself and a sleeping retry
    holds no permit; secrets are put on last. Renewal is there only for credentials that
    can be fetched again, and outside retry, so that a call is repeated for it once.

    Attributes:
        send: Makes a call whose answer is read whole.
        open: Makes one attempt, without deadline and retry.
    """

    def __init__(
        self,
        *,
        deadline: DeadlinePolicy,
        retry: RetryPolicy,
        pacing: PacingPolicy,
        authentication: AuthenticationPolicy,
        renewal: RenewalPolicy | None,
        telemetry: TelemetryPolicy,
        transport: Transport,
        hooks: Hooks,
    ) -> None:
        signed: Callable[..., Awaitable[Response]] = authentication
        self._repeated: Callable[..., Awaitable[Any]] = retry.run
        if renewal is not None:
            signed = renewal.sign
            self._repeated = partial(renewal.run, retry.run)
        sent: Callable[..., Awaitable[Response]]
        sent = partial(telemetry, send=transport.send)
        if hooks.attempt is not None or hooks.denied is not None:
            sent = partial(ObservingPolicy(hooks), send=sent)
        sign = partial(signed, send=sent)
        self.open: Callable[[Request], Awaitable[Response]] = partial(pacing, send=sign)
        again: Callable[[Request], Awaitable[Response]] = partial(retry, send=self.open)
        self.send: Callable[[Request], Awaitable[Response]] = partial(
            deadline, send=again if renewal is None else partial(renewal.run, again)
        )
        self._run: Callable[..., Awaitable[Any]] = deadline.run
        if hooks.around is not None:
            self.send = partial(within, hooks.around, self.send)
            self._run = partial(within, hooks.around, self._run)

    def repeat(
        self, request: Request, call: Callable[[], Awaitable[_T]]
    ) -> Awaitable[_T]:
        """Await *call* within the deadline of *request*, several times if need be."""
        return self._run(request, self._repeated, call)
