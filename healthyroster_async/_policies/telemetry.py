"""Counting and logging what happens, without a word about people."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from time import perf_counter

from attrs import evolve

from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.errors import (
    ForbiddenError,
    ResponseError,
    TransportError,
    error_for,
)
from healthyroster_async._core.messages import (
    BodyStream,
    Response,
    SignedRequest,
)
from healthyroster_async._core.recorder import Recorder

_logger = logging.getLogger("healthyroster_async.attempts")
_UNAUTHORIZED = 401


class TelemetryPolicy:
    """Counts every attempt of an environment, and raises what is no success.

    Attributes:
        access: What the answers teach about access.
        attempts: Requests sent.
        answers: How often each HTTP status came.
        failures: How often each kind of transport error came.
        refused: Whether the last answer refused the credentials.
    """

    def __init__(self, access: AccessMap, recorder: Recorder | None = None) -> None:
        self.access: AccessMap = access
        self._recorder = recorder
        self.attempts: int = 0
        self.answers: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.refused: bool = False

    async def __call__(
        self,
        signed: SignedRequest,
        send: Callable[[SignedRequest], Awaitable[Response]],
    ) -> Response:
        """Send *signed*, count what came, and raise an answer that is an error."""
        self.attempts += 1
        request, began = signed.request, perf_counter()
        try:
            response = await send(signed)
        except TransportError as error:
            self.failed(error)
            if self._recorder is not None:
                kind, took = type(error).__name__, perf_counter() - began
                self._recorder.attempted(request.provider_id, error.label, kind, took)
            raise
        label, status = request.label, response.status
        if self._recorder is not None:
            took = perf_counter() - began
            self._recorder.attempted(request.provider_id, label, status, took)
        self.answers[status] += 1
        self.refused = status == _UNAUTHORIZED
        if _logger.isEnabledFor(logging.DEBUG):
            fields = {
                "label": label,
                "status": status,
                "request_id": request.request_id,
            }
            _logger.debug("%s: answered %d", label, status, extra=fields)
        failure = error_for(response)
        if failure is not None:
            raise self._explained(failure)
        self.access.answered(request.provider_id, label)
        if response.stream is not None:
            return evolve(response, stream=_CountedStream(response.stream, self))
        return response

    def _explained(self, failure: ResponseError) -> ResponseError:
        """Return a failure with what other calls tell about it."""
        if not isinstance(failure, ForbiddenError):
            return failure
        request = failure.request
        denial = self.access.refused(request.provider_id, request.label)
        if denial is None:
            return failure
        return ForbiddenError(failure.response, denial.cause, denial.evidence)

    def failed(self, error: TransportError) -> None:
        """Count an attempt, or an answer under way, that came to nothing."""
        kind = type(error).__name__
        self.failures[kind] += 1
        extra = {"label": error.label, "error": kind, "request_id": error.request_id}
        _logger.debug("%s: failed (%s)", error.label, kind, extra=extra)


class _CountedStream:
    """A body whose loss is counted too: its attempt has long ended well."""

    def __init__(self, body: BodyStream, telemetry: TelemetryPolicy) -> None:
        self._body = body
        self._telemetry = telemetry
        self.close = body.close

    async def read(self) -> bytes:
        try:
            return await self._body.read()
        except TransportError as error:
            self._telemetry.failed(error)
            raise
