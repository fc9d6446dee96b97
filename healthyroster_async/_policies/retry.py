"""Trying again: ``backoff`` around our own delays. The only module that imports it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import backoff

from healthyroster_async._core.delays import (
    TURNED_AWAY,
    RetryBudget,
    RetryPlan,
    fault_of,
    is_retryable,
)
from healthyroster_async._core.errors import (
    DeadlineExceededError,
    RateLimitedError,
    ResponseError,
    ServerError,
    ServiceUnavailableError,
    TransportError,
    of_call,
)
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.recorder import Recorder
from healthyroster_async._core.settings import RetrySettings
from healthyroster_async._policies.deadline import DeadlinePolicy

if TYPE_CHECKING:
    from healthyroster_async._core.events import RetryEvent

_logger = logging.getLogger("healthyroster_async.retry")
_T = TypeVar("_T")


class _Retried(Protocol):
    async def __call__(
        self, first: _First, call: Callable[..., Awaitable[_T]], *args: Any
    ) -> _T: ...


class _First:
    """The failure of the first attempt, on its way into the loop."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error


# backoff takes a callable object for a synchronous one: only a plain function is safe.
async def _once(first: _First, call: Callable[..., Awaitable[_T]], *args: Any) -> _T:
    error, first.error = first.error, None
    if error is not None:
        raise error
    return await call(*args)


class RetryPolicy:
    """Repeats what failed and may be repeated.

    Attributes:
        settings: Bounds.
        budget: What the environment may still spend; shared by all its policies.
    """

    def __init__(
        self,
        settings: RetrySettings,
        budget: RetryBudget,
        deadline: DeadlinePolicy,
        max_pause: float,
        rng: Random,
        *,
        tell: Callable[[RetryEvent], None] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings: RetrySettings = settings
        self.budget: RetryBudget = budget
        self._deadline = deadline
        self._max_pause = max_pause
        self._rng = rng
        self._tell = tell
        self._recorder = recorder
        decorate = backoff.on_exception(
            self._delays,
            (TransportError, ResponseError),
            on_backoff=self._note,
            jitter=None,  # backoff's jitter could undercut what the API asked for
            logger=None,  # backoff's own log line prints the error's arguments
        )
        self._retried: _Retried = decorate(_once)

    def __call__(
        self, request: Request, send: Callable[[Request], Awaitable[Response]]
    ) -> Awaitable[Response]:
        """Send *request*, several times if need be."""
        return self.run(send, request)

    async def run(self, call: Callable[..., Awaitable[_T]], *args: Any) -> _T:
        """Await *call*, several times if need be."""
        # Nearly every call succeeds at once and need not pay for the loop: only a
        # failure goes into it, and it begins there.
        try:
            result = await call(*args)
        except (TransportError, ResponseError) as error:
            first = error
        else:
            self.budget.earn()
            return result
        if not is_retryable(first, safe=first.request.safe):
            raise first
        try:
            result = await self._deadline.scoped(
                first.request, self._retried, _First(first), call, *args
            )
        except ServerError as error:
            again = is_retryable(error, safe=error.request.safe)
            if not again or fault_of(error) not in TURNED_AWAY:
                raise
            # Whatever its status, it asked for fewer calls.
            limited = RateLimitedError(error.response)
        except ServiceUnavailableError as down:
            # It was sent before, and that says what is wrong with the API.
            raise down from first
        else:
            self.budget.earn()
            return result
        raise limited

    def _delays(self) -> Generator[float, Any, None]:
        # backoff primes the generator, then sends in each error it caught; a generator
        # that ends makes it raise the last one.
        plan = RetryPlan(self.settings, self.budget, self._max_pause, self._rng)
        error: TransportError | ResponseError = yield  # type: ignore[misc]
        while True:
            request = error.request
            delay = plan.delay(error, safe=request.safe)
            if delay is None:
                return
            if request.deadline is not None:
                left = request.deadline - asyncio.get_running_loop().time()
                if delay >= left:
                    late = DeadlineExceededError(request.label, delay)
                    raise of_call(late, request) from error
            error = yield delay

    def _note(self, details: Any) -> None:
        self.budget.retries += 1
        error, attempt, delay = (details[n] for n in ("exception", "tries", "wait"))
        if self._recorder is not None:
            self._recorder.retried(error.request.provider_id, error.label)
        kind = type(error).__name__
        status = getattr(error, "status", None)
        if self._tell is not None:
            from healthyroster_async._core.events import RetryEvent  # noqa: PLC0415

            self._tell(
                RetryEvent(
                    environment=error.request.environment,
                    provider_id=error.request.provider_id,
                    label=error.label,
                    request_id=error.request_id,
                    attempt=attempt,
                    delay_s=delay,
                    status=status,
                    error=kind,
                    correlation_id=error.correlation_id,
                )
            )
        _logger.info(
            "%s: attempt %d failed (%s), the next one in %.3g s or later",
            error.label,
            attempt,
            kind if status is None else f"{kind}, {status}",
            delay,
            extra={
                "label": error.label,
                "attempt": attempt,
                "error": kind,
                "status": status,
                "delay_s": delay,
                "request_id": error.request_id,
            },
        )
