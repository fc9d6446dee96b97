"""Telling those who watch the pool what happens."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from attrs import frozen

from healthyroster_async._core.errors import (
    CallError,
    ConfigurationError,
    ForbiddenError,
)
from healthyroster_async._core.identifiers import correlation_id
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.settings import check_type
from healthyroster_async._policies.pacing import PacingEvent

if TYPE_CHECKING:
    from healthyroster_async._core.events import (
        AttemptEvent,
        DeniedEvent,
        RetryEvent,
        StreamEvent,
    )

_logger = logging.getLogger("healthyroster_async.hooks")
_E = TypeVar("_E")
_T = TypeVar("_T")
Hook: TypeAlias = Callable[[_E], None]
_NOTHING: AbstractContextManager[None] = nullcontext()
_EVENTS = {
    "on_attempt": "an AttemptEvent",
    "on_retry": "a RetryEvent",
    "on_pause": "a PacingEvent",
    "on_denied": "a DeniedEvent",
    "on_stream": "a StreamEvent",
    "on_pacing": "a PacingEvent",
}


class Telemetry(Protocol):
    """What an integration sees of a pool; each method is called with each event.

    ``integrations.opentelemetry`` has one. None of them may block.
    """

    @property
    def enabled(self) -> bool:
        """Whether it wants to hear anything; a pool that is started asks."""
        ...

    def call(self, request: Request) -> AbstractContextManager[None]:
        """Return what is entered around a call, waiting and attempts included.

        It is entered again for each piece of a row stream.
        """
        ...

    def on_attempt(self, event: AttemptEvent) -> None:
        """Hear of an attempt."""

    def on_retry(self, event: RetryEvent) -> None:
        """Hear of a retry."""

    def on_denied(self, event: DeniedEvent) -> None:
        """Hear of a denial."""

    def on_stream(self, event: StreamEvent) -> None:
        """Hear of the end of a row stream."""

    def on_pacing(self, event: PacingEvent) -> None:
        """Hear of a change of the pace."""


@frozen(kw_only=True)
class Hooks:
    """Who is told what; ``None`` where nobody is."""

    attempt: Hook[AttemptEvent] | None = None
    retry: Hook[RetryEvent] | None = None
    denied: Hook[DeniedEvent] | None = None
    stream: Hook[StreamEvent] | None = None
    pacing: Hook[PacingEvent] | None = None
    pause: Hook[PacingEvent] | None = None
    around: Callable[[Request], AbstractContextManager[None]] | None = None


def hooks_of(telemetry: Telemetry | None, **given: Any) -> Hooks:
    """Return who is told what.

    Args:
        telemetry: An integration, which is told everything.
        **given: Functions of the user, by the names of ``Hooks``.

    Raises:
        ConfigurationError: One of them cannot be called so.
    """
    told: dict[str, Any] = {}
    if telemetry is not None and not telemetry.enabled:
        telemetry = None
    for name, hook in given.items():
        hooks = [_guarded(f"on_{name}", hook)] if _checked(f"on_{name}", hook) else []
        watching = getattr(telemetry, f"on_{name}", None)
        if watching is not None:
            hooks.append(_guarded("telemetry", watching))
        told[name] = _all(hooks)
    if telemetry is None:
        return Hooks(**told)
    return Hooks(around=telemetry.call, **told)


def _checked(name: str, hook: Any) -> bool:
    if hook is None:
        return False
    check_type(name, hook, Callable, f"a function of {_EVENTS[name]}")  # type: ignore[arg-type]
    if inspect.iscoroutinefunction(hook):
        raise ConfigurationError(
            f"{name} is a coroutine function, and nobody awaits it; give a plain "
            "function, such as a queue's put_nowait"
        )
    return True


def _guarded(what: str, hook: Hook[Any]) -> Hook[Any]:
    def told(event: Any) -> None:
        try:
            hook(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, calls go on
            _lost(what, error)

    return told


def _lost(what: str, error: Exception) -> None:
    kind = type(error).__name__
    fields = {"hook": what, "error": kind}
    _logger.warning("%s raised %s; the event is lost", what, kind, extra=fields)


def _all(hooks: list[Hook[Any]]) -> Hook[Any] | None:
    if len(hooks) < 2:  # noqa: PLR2004 - one of each kind at most
        return hooks[0] if hooks else None
    first, second = hooks

    def told(event: Any) -> None:
        first(event)
        second(event)

    return told


class ObservingPolicy:
    """Tells of each attempt; it is there only if somebody wants to hear."""

    def __init__(self, hooks: Hooks) -> None:
        # Few pools are watched.
        from healthyroster_async._core.events import (  # noqa: PLC0415
            AttemptEvent,
            DeniedEvent,
        )

        self._hooks = hooks
        self._kinds = AttemptEvent, DeniedEvent

    async def __call__(
        self,
        signed: SignedRequest,
        send: Callable[[SignedRequest], Awaitable[Response]],
    ) -> Response:
        """Send *signed*, and tell what became of it."""
        request = signed.request
        number = vars(request).get("_attempt", 0) + 1
        vars(request)["_attempt"] = number
        started, began = time.time(), time.perf_counter()
        tell = partial(self._tell, request, number, started, began)
        try:
            response = await send(signed)
        except (CallError, asyncio.CancelledError) as error:
            tell(getattr(error, "response", None), error)
            raise
        tell(response, None)
        return response

    def _tell(  # noqa: PLR0917 - of one place above
        self,
        request: Request,
        number: int,
        started: float,
        began: float,
        response: Response | None,
        error: BaseException | None,
    ) -> None:
        hooks = self._hooks
        attempted, denied = self._kinds
        whose: dict[str, Any] = {
            "environment": request.environment,
            "provider_id": request.provider_id,
            "label": request.label,
            "request_id": request.request_id,
            "correlation_id": (
                None if response is None else correlation_id(response.headers)
            ),
        }
        if hooks.attempt is not None:
            event = attempted(
                **whose,
                attempt=number,
                started=started,
                duration_s=time.perf_counter() - began,
                queue_wait_s=vars(request).pop("_waited", 0.0),
                status=None if response is None else response.status,
                error=None if error is None else type(error).__name__,
            )
            hooks.attempt(event)
        if hooks.denied is not None and isinstance(error, ForbiddenError):
            hooks.denied(denied(**whose, cause=error.likely_cause))


async def within(
    around: Callable[[Request], AbstractContextManager[None]],
    call: Callable[..., Awaitable[_T]],
    request: Request,
    *args: Any,
) -> _T:
    """Await *call* inside what an integration puts around it, if it can."""
    scope = _NOTHING
    try:
        entered = around(request)
        entered.__enter__()
        scope = entered
    except Exception as error:  # noqa: BLE001 - whatever it is, calls go on
        _lost("telemetry", error)
    try:
        result = await call(request, *args)
    except BaseException as error:
        _leave(scope, error)
        raise
    _leave(scope, None)
    return result


def _leave(scope: AbstractContextManager[None], failure: BaseException | None) -> None:
    try:
        if failure is None:
            scope.__exit__(None, None, None)
        else:
            scope.__exit__(type(failure), failure, failure.__traceback__)
    except Exception as error:  # noqa: BLE001 - whatever it is, calls go on
        _lost("telemetry", error)
