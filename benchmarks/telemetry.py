"""What it costs to be watched: small calls without telemetry, and with more and more.

- *compiled out*: not even the counts of ``pool.stats()``, the log and the report
- *absent*: a pool as it is made when nobody watches
- *not set up*: ``telemetry=OpenTelemetry()``, but the application has no SDK
- *a hook*: ``on_attempt`` counts the statuses
- *exported*: an SDK makes spans and metrics; they go in batches to an exporter that
  counts them, and are read every second
- *by hand*: the same two spans and two durations, made by hand around the calls of a
  pool that nobody watches: what the SDK takes without us

All call the nginx of ``calls.py``, in short slices that take turns. What is printed are
medians; a ratio is that of a slice to the slice of *compiled out* in the same round.
For *absent* and *not set up* that is one of the same pool, whose policy changes between
slices: two pools that are made alike differ by 2 % here, with one always the slower.
Goals are for the CPU time of a call, in which a slice beside a busy neighbour differs
less than in calls per second; with one event loop at its limit they are the same.

Run: ``python benchmarks/telemetry.py [--rounds 25] [--seconds 0.7] [--check]``
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import opentelemetry.sdk.version
from calls import ANSWER, CONCURRENCY, Call, Slice, drive, nginx, warm
from measured import pool_of
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.trace import SpanKind
from typing_extensions import override

from healthyroster_async import Environment
from healthyroster_async._core.errors import error_for
from healthyroster_async._core.messages import Response, SignedRequest
from healthyroster_async._policies.telemetry import TelemetryPolicy
from healthyroster_async.integrations.opentelemetry import OpenTelemetry

OUT, ABSENT, UNSET = "compiled out", "absent", "not set up"
OUT_OF_UNSET = "not set up, compiled out"
HOOK, EXPORTED, BY_HAND = "a hook", "exported", "by hand"
OUT_OF = {ABSENT: OUT, UNSET: OUT_OF_UNSET}
GOALS = {ABSENT: 1.03, UNSET: 1.03, EXPORTED: 1.25}
Send = Callable[[SignedRequest], Awaitable[Response]]


class Switched(TelemetryPolicy):
    """The policy of a pool, or what calls need of it and nobody could look at."""

    def __init__(self, policy: TelemetryPolicy) -> None:
        super().__init__(policy.access)
        self.whole = policy.__call__
        self.now: Callable[..., Awaitable[Response]] = self.whole

    @override
    def __call__(self, signed: SignedRequest, send: Send) -> Any:
        return self.now(signed, send)

    async def without(self, signed: SignedRequest, send: Send) -> Response:
        """Raise an answer that is an error, and learn from one that is none."""
        response = await send(signed)
        failure = error_for(response)
        if failure is not None:
            raise failure
        self.access.answered(signed.request.provider_id, signed.request.label)
        return response


class Spans(SpanExporter):
    """Counts spans."""

    def __init__(self) -> None:
        self.count = 0

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.count += len(spans)
        return SpanExportResult.SUCCESS


class Metrics(MetricExporter):
    """Counts readings."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @override
    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,
        **kwargs: Any,
    ) -> MetricExportResult:
        self.count += 1
        return MetricExportResult.SUCCESS

    @override
    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass

    @override
    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True


@contextlib.asynccontextmanager
async def pool(url: str, **options: Any) -> AsyncIterator[tuple[Call, Call]]:
    """Make calls with a pool that is watched in some way, and in the same pool without.

    All calls before the last one that was begun must have ended.
    """
    async with pool_of(url, **options) as made:
        running = made._running  # noqa: SLF001 - it is put in before the first call
        assert running is not None
        lane = running.lanes[Environment.SANDBOX]
        lane.telemetry = policy = Switched(lane.telemetry)

        def call(provider: int) -> Awaitable[object]:
            policy.now = policy.whole
            return made.session(provider or 1).reporting.data_sources()

        def without(provider: int) -> Awaitable[object]:
            policy.now = policy.without
            return made.session(provider or 1).reporting.data_sources()

        yield call, without


def by_hand(call: Call, traces: TracerProvider, meters: MeterProvider) -> Call:
    """Trace and measure calls as one would by hand, with nothing to be found out."""
    tracer, meter = traces.get_tracer("by hand"), meters.get_meter("by hand")
    attempts = meter.create_histogram("http.client.request.duration", "s")
    calls = meter.create_histogram("call.duration", "s")
    label = "GET /HealthcareProvider/{id}/Datasources"
    short: dict[str, Any] = {
        "http.request.method": "GET",
        "url.template": label[4:],
        "x": "sandbox",
    }
    long: dict[str, Any] = {
        **short,
        "server.address": "127.0.0.1",
        "server.port": 80,
        "status": 200,
    }

    async def traced(provider: int) -> object:
        began, clock = time.time_ns(), time.perf_counter()
        own = {**short, "provider": str(provider), "request": str(provider)}
        with tracer.start_as_current_span(label, attributes=own):
            answer = await call(provider)
            span = tracer.start_span(
                label, kind=SpanKind.CLIENT, attributes=long, start_time=began
            )
            span.end()
        attempts.record(time.perf_counter() - clock, long)
        calls.record(time.perf_counter() - clock, short)
        return answer

    return traced


async def measure(
    url: str, rounds: int, seconds: float
) -> tuple[dict[str, list[Slice]], Spans]:
    """Return the slices of each way to be watched, and what was exported."""
    statuses: Counter[int | None] = Counter()
    unset = OpenTelemetry()
    assert not unset.enabled
    spans = Spans()
    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(spans))
    reader = PeriodicExportingMetricReader(Metrics(), export_interval_millis=1000)
    meters = MeterProvider([reader])
    told = OpenTelemetry(tracer_provider=traces, meter_provider=meters)
    ways: dict[str, dict[str, Any]] = {
        ABSENT: {},
        UNSET: {"telemetry": unset},
        HOOK: {"on_attempt": lambda event: statuses.update([event.status])},
        EXPORTED: {"telemetry": told},
    }
    async with contextlib.AsyncExitStack() as stack:
        calls: dict[str, Call] = {}
        for name, options in ways.items():
            call, without = await stack.enter_async_context(pool(url, **options))
            if name in OUT_OF:
                calls[OUT_OF[name]] = without
            calls[name] = call
        calls[BY_HAND] = by_hand(calls[ABSENT], traces, meters)
        results: dict[str, list[Slice]] = {name: [] for name in calls}
        needed = await warm(calls[OUT])
        for name, call in calls.items():
            if name != OUT:
                await drive(call, needed)
        names = list(calls)
        for number in range(rounds + 1):
            for name in names:
                done = await drive(calls[name], seconds)
                if number:
                    results[name].append(done)
            # Those of a pool stay neighbours, and each is the first of them in turn.
            names.reverse()
    await asyncio.to_thread(traces.shutdown)
    await asyncio.to_thread(meters.shutdown)
    return results, spans


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.7, help="of one slice")
    parser.add_argument("--check", action="store_true", help="fail below the goals")
    options = parser.parse_args()
    with nginx() as url, asyncio.Runner() as runner:
        results, spans = runner.run(measure(url, options.rounds, options.seconds))
    print(
        f"{len(ANSWER)} bytes an answer, concurrency {CONCURRENCY}, median of "
        f"{options.rounds} alternating slices of {options.seconds:g} s, "
        f"Python {sys.version_info.major}.{sys.version_info.minor}, "
        f"OpenTelemetry {opentelemetry.sdk.version.__version__}, "
        f"{spans.count} spans exported\n"
    )
    print(
        f"{'telemetry':<14}{'calls/s':>9}{'ratio':>8}{'CPU us':>9}{'ratio':>8}"
        f"{'middle half':>15}{'goal':>8}"
    )
    met = True
    for name, slices in results.items():
        if name == OUT_OF_UNSET:
            continue
        pairs = list(zip(slices, results[OUT_OF.get(name, OUT)], strict=True))
        low, ratio, high = statistics.quantiles(
            (own.cpu / out.cpu for own, out in pairs), method="inclusive"
        )
        goal = GOALS.get(name)
        said = ""
        if goal is not None:
            met = met and ratio <= goal
            said = f"{goal:>8.2f}  {'met' if ratio <= goal else 'NOT MET'}"
        print(
            f"{name:<14}{statistics.median(s.rate for s in slices):>9.0f}"
            f"{statistics.median(own.rate / out.rate for own, out in pairs):>8.3f}"
            f"{statistics.median(s.cpu for s in slices):>9.0f}{ratio:>8.3f}"
            f"{low:>9.3f}-{high:.3f}{said}"
        )
    if options.check and not met:
        sys.exit(1)


if __name__ == "__main__":
    main()
