"""OpenTelemetry: spans and metrics of calls (extra ``opentelemetry``).

::

    pool = ConnectionPool(credentials, contract=contract, telemetry=OpenTelemetry())

Names are those of the semantic conventions for HTTP clients, with one exception: there
is no ``url.full``, for a filled-in path names who it is about. Nothing is propagated to
the API, which is of another company.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from time import perf_counter
from typing import Any, cast
from urllib.parse import urlsplit

from typing_extensions import override

from healthyroster_async._core.events import (
    AttemptEvent,
    DeniedEvent,
    RetryEvent,
    StreamEvent,
)
from healthyroster_async._core.extras import extra
from healthyroster_async._core.messages import Request
from healthyroster_async._core.settings import Environment
from healthyroster_async._policies.pacing import PacingEvent
from healthyroster_async._version import __version__

extra("opentelemetry", "opentelemetry")

from opentelemetry import context, metrics, trace  # noqa: E402
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY  # noqa: E402
from opentelemetry.metrics import CallbackOptions, Observation  # noqa: E402
from opentelemetry.trace import Span, SpanKind, StatusCode  # noqa: E402

__all__ = ["OpenTelemetry"]

_NAME = "healthyroster_async"
_THROTTLED = 429
# What the conventions advise for durations of HTTP.
_SECONDS = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10
)  # fmt: skip


class OpenTelemetry:
    """Spans and metrics of a pool.

    A call is a span whose parent is the current one of whoever makes it, and its
    attempts are spans inside it. A row stream is a span from opening to closing it.

    Attributes:
        enabled: Whether anybody collects anything; a pool asks when it is started.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        """Use the providers given, or else the global ones.

        Args:
            tracer_provider: Where spans go.
            meter_provider: Where metrics go.
        """
        self._tracer_provider = tracer_provider or trace.get_tracer_provider()
        self._meter_provider = meter_provider or metrics.get_meter_provider()
        self._tracer = trace.get_tracer(
            _NAME, __version__, tracer_provider=self._tracer_provider
        )
        meter = metrics.get_meter(
            _NAME, __version__, meter_provider=self._meter_provider
        )
        self._attempts = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of attempts",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._calls = meter.create_histogram(
            "healthyroster.call.duration",
            "s",
            "Duration of calls, waiting, attempts and sleeps included",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._waits = meter.create_histogram(
            "healthyroster.queue.wait",
            "s",
            "Waiting of attempts that had to wait for their turn",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        counter = meter.create_counter
        self._retries = counter("healthyroster.retries", "1", "Attempts made again")
        self._throttles = counter(
            "healthyroster.throttled", "1", "Answers 429 (Too Many Requests)"
        )
        self._denials = counter("healthyroster.denied", "1", "Answers without access")
        self._rows = counter("healthyroster.rows", "1", "Rows of closed streams")
        self._bytes = counter(
            "healthyroster.rows.size", "By", "Bytes of rows, decompressed"
        )
        self._pauses = counter("healthyroster.pauses", "1", "Pauses of all calls")
        meter.create_observable_gauge(
            "healthyroster.rate",
            [self._observe_rate],
            "1/s",
            "Calls per second that may go, since it last changed",
        )
        self._rates: dict[Environment, float] = {}
        self._servers: dict[Environment, tuple[str, int]] = {}
        self._streams: dict[str, Span] = {}

    @property
    def enabled(self) -> bool:
        """Whether anybody collects anything."""
        # Before an application has set up an SDK, the API hands out stand-ins.
        unset = (
            isinstance(self._tracer_provider, _NO_TRACES)
            and isinstance(trace.get_tracer_provider(), _NO_TRACES)
            and isinstance(self._meter_provider, _NO_METRICS)
            and isinstance(metrics.get_meter_provider(), _NO_METRICS)
        )
        return not unset

    def call(self, request: Request) -> AbstractContextManager[None]:
        """Return what is entered around a call."""
        if request.environment not in self._servers:
            parts = urlsplit(request.url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            self._servers[request.environment] = parts.hostname or "", port
        if not request.stream:
            return _Call(self, request, self._span(request))
        span = self._streams.get(request.request_id)
        if span is None:
            span = self._streams[request.request_id] = self._span(request)
        return _Inside(span)

    def _span(self, request: Request) -> Span:
        attributes = {
            **_whose(request.label, request.environment),
            "healthyroster.request_id": request.request_id,
        }
        if request.provider_id is not None:
            attributes["healthyroster.provider_id"] = str(request.provider_id)
        return self._tracer.start_span(request.label, attributes=attributes)

    def on_attempt(self, event: AttemptEvent) -> None:
        """Add the span of an attempt to that of its call, and count it."""
        server = self._servers.get(event.environment)
        came = event.status or event.error
        shared = _attempt(event.label, server, event.status, event.error and str(came))
        self._attempts.record(event.duration_s, shared)
        whose = _whose(event.label, event.environment)
        if event.queue_wait_s:
            self._waits.record(event.queue_wait_s, whose)
        if event.status == _THROTTLED:
            self._throttles.add(1, whose)
        # What is not sampled need not be described.
        if trace.get_current_span().is_recording():
            self._add_span(event, shared)

    def _add_span(self, event: AttemptEvent, shared: Mapping[str, Any]) -> None:
        began = int(event.started * 1e9)
        own = {**shared, "healthyroster.queue_wait_s": event.queue_wait_s}
        if event.attempt > 1:
            own["http.request.resend_count"] = event.attempt - 1
        if event.correlation_id is not None:
            own["healthyroster.correlation_id"] = event.correlation_id
        span = self._tracer.start_span(
            event.label, kind=SpanKind.CLIENT, attributes=own, start_time=began
        )
        if event.error is not None:
            span.set_status(StatusCode.ERROR, event.error)
        span.end(began + int(event.duration_s * 1e9))

    def on_retry(self, event: RetryEvent) -> None:
        """Count a retry."""
        whose = _whose(event.label, event.environment)
        self._retries.add(1, {**whose, "error.type": event.error})

    def on_denied(self, event: DeniedEvent) -> None:
        """Count a denial."""
        cause = event.cause.value
        whose = _whose(event.label, event.environment)
        self._denials.add(1, {**whose, "healthyroster.cause": cause})

    def on_stream(self, event: StreamEvent) -> None:
        """End the span of a row stream, and count its rows."""
        whose = _whose(event.label, event.environment)
        self._rows.add(event.rows, whose)
        self._bytes.add(event.bytes, whose)
        self._called(event.label, event.environment, event.duration_s, event.error)
        span = self._streams.pop(event.request_id, None)
        if span is None:
            return
        span.set_attribute("healthyroster.rows", event.rows)
        span.set_attribute("healthyroster.rows.size", event.bytes)
        if event.error is not None:
            _failed(span, event.error)
        span.end()

    def on_pacing(self, event: PacingEvent) -> None:
        """Note the rate, and count a pause."""
        self._rates[event.environment] = event.rate
        if event.kind == "paused":
            where = {"healthyroster.environment": event.environment.value}
            self._pauses.add(1, where)

    def _called(
        self, label: str, environment: Environment, seconds: float, error: str | None
    ) -> None:
        attributes = _whose(label, environment)
        if error is not None:
            attributes = {**attributes, "error.type": error}
        self._calls.record(seconds, attributes)

    def _observe_rate(self, options: CallbackOptions) -> Iterable[Observation]:
        del options
        for environment, rate in self._rates.items():
            yield Observation(rate, {"healthyroster.environment": environment.value})


class _Inside(AbstractContextManager[None]):
    """Has a span as the current one, and no other client of HTTP below it tells."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @override
    def __enter__(self) -> None:
        inside = trace.set_span_in_context(self._span)
        # Instrumentation of aiohttp would record full URLs.
        inside = context.set_value(_SUPPRESS_HTTP_INSTRUMENTATION_KEY, True, inside)  # noqa: FBT003
        self._token = context.attach(inside)

    @override
    def __exit__(self, *raised: object) -> None:
        context.detach(self._token)


class _Call(_Inside):
    """The span of a call that ends with it."""

    def __init__(self, telemetry: OpenTelemetry, request: Request, span: Span) -> None:
        super().__init__(span)
        self._telemetry = telemetry
        self._request = request
        self._began = perf_counter()

    @override
    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        kind: Any = raised[0]
        error = None if kind is None else str(kind.__name__)
        request, seconds = self._request, perf_counter() - self._began
        self._telemetry._called(request.label, request.environment, seconds, error)  # noqa: SLF001
        if error is not None:
            _failed(self._span, error)
        self._span.end()


def _failed(span: Span, error: str) -> None:
    span.set_attribute("error.type", error)
    span.set_status(StatusCode.ERROR, error)


# There are few templates, and whoever asks gets the same dictionary.


@lru_cache(4096)
def _endpoint(label: str) -> Mapping[str, Any]:
    method, _, template = label.partition(" ")
    return {"http.request.method": method, "url.template": template}


@lru_cache(4096)
def _whose(label: str, environment: Environment) -> Mapping[str, Any]:
    return {**_endpoint(label), "healthyroster.environment": environment.value}


@lru_cache(4096)
def _attempt(
    label: str, server: tuple[str, int] | None, status: int | None, error: str | None
) -> Mapping[str, Any]:
    attributes = dict(_endpoint(label))
    if server is not None:
        attributes["server.address"], attributes["server.port"] = server
    if status is not None:
        attributes["http.response.status_code"] = status
    if error is not None:
        attributes["error.type"] = error
    return attributes


_NO_TRACES = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
_NO_METRICS = (
    # It has no other name.
    cast("Any", metrics)._internal._ProxyMeterProvider,  # noqa: SLF001
    metrics.NoOpMeterProvider,
)
