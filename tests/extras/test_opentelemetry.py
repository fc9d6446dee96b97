"""Spans and metrics, beside OpenTelemetry's own instrumentation of aiohttp."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from scripted_server import Server

from healthyroster_async import ForbiddenError, RetrySettings
from healthyroster_async.emulator import Emulator, Fault, RateLimit
from healthyroster_async.integrations.opentelemetry import OpenTelemetry

LIST = "GET /HealthcareProvider/{id}/Datasources"
ROWS = "POST /HealthcareProvider/{id}/Reporting/Datasources/{datasourceid}/Data"
QUICK = RetrySettings(base_delay=0.001, max_delay=0.002)


class Collected:
    """Providers whose spans and metrics stay in memory."""

    def __init__(self):
        self._spans = InMemorySpanExporter()
        self.traces = TracerProvider()
        self.traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])
        self.telemetry = OpenTelemetry(
            tracer_provider=self.traces, meter_provider=self.meters
        )

    @property
    def spans(self):
        return self._spans.get_finished_spans()

    @property
    def points(self):
        """Return each metric's points as (attributes, sum or value)."""
        found = {}
        for resource in self._reader.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = [
                        (dict(p.attributes), getattr(p, "sum", getattr(p, "value", 0)))
                        for p in metric.data.data_points
                    ]
        return found

    @property
    def text(self):
        return " ".join(s.to_json() for s in self.spans) + json.dumps(self.points)


@pytest.fixture
def collected():
    return Collected()


@pytest.fixture
def instrumented(collected):
    """Have aiohttp itself traced, as many apps do."""
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=collected.traces)
    yield
    instrumentor.uninstrument()


async def test_a_call_is_a_span_and_its_attempts_are_inside(collected, instrumented):
    """
    Whoever looks at a trace sees the call, each attempt, and nothing twice.
    """
    tracer = collected.traces.get_tracer("app")
    broken = Fault(kind="status", status=503, endpoint="data_sources", times=1)
    async with (
        Emulator(providers=1, faults=[broken]) as emulator,
        emulator.pool(telemetry=collected.telemetry, retry=QUICK) as pool,
    ):
        with tracer.start_as_current_span("the app's own"):
            await pool.session(1).reporting.data_sources()
        inside = trace.get_current_span()
    first, second, call, own = collected.spans

    assert [s.name for s in collected.spans] == [LIST, LIST, LIST, "the app's own"]
    assert call.parent.span_id == own.context.span_id
    assert {s.parent.span_id for s in (first, second)} == {call.context.span_id}
    assert call.start_time <= first.start_time <= first.end_time <= second.start_time
    assert first.attributes["http.response.status_code"] == 503
    assert first.attributes["error.type"] == "503"
    assert second.attributes["http.request.resend_count"] == 1
    assert second.attributes["url.template"] == "/HealthcareProvider/{id}/Datasources"
    assert second.attributes["server.address"] == "127.0.0.1"
    assert call.status.is_ok
    assert not inside.get_span_context().is_valid


async def test_a_row_stream_is_a_span_until_it_is_closed(collected, instrumented):
    """
    Its rows and bytes stand there, and what the app does meanwhile is not inside it.
    """
    tracer = collected.traces.get_tracer("app")
    broken = Fault(kind="reset-inside", endpoint="rows", times=1, after_bytes=100_000)
    async with (
        Emulator(providers=1, rows=2000, faults=[broken]) as emulator,
        emulator.pool(telemetry=collected.telemetry, retry=QUICK) as pool,
        pool.session(1).reporting.rows(1) as rows,
    ):
        async for _ in rows:
            tracer.start_span("own").end()
    streams = [s for s in collected.spans if "healthyroster.rows" in s.attributes]
    (stream,) = streams

    assert stream.attributes["healthyroster.rows"] == 2000
    assert {s.parent for s in collected.spans if s.name == "own"} == {None}
    attempts = [s for s in collected.spans if s.name == ROWS and s is not stream]
    assert [s.parent.span_id for s in attempts] == [stream.context.span_id] * 2
    assert collected.points["healthyroster.rows"][0][1] == 2000


async def test_metrics_count_what_happened(collected):
    """
    One look tells whether the API is slow, or we wait, or are denied.
    """
    async with (
        Emulator(providers=3, rows=10, denied=[(3, "*")]) as emulator,
        emulator.pool(telemetry=collected.telemetry) as pool,
    ):
        await pool.fan_out([1, 2, 3], lambda s: s.reporting.data_sources())
        with pytest.raises(ForbiddenError):
            await pool.session(3).reporting.rows(1).to_list()
    points = collected.points
    denied = {tuple(sorted(a.items())): v for a, v in points["healthyroster.denied"]}

    assert sum(denied.values()) == 2
    codes = {
        a["http.response.status_code"]
        for a, _ in points["http.client.request.duration"]
    }
    assert codes == {200, 403}
    assert {a.get("error.type") for a, _ in points["healthyroster.call.duration"]} == {
        None,
        "ForbiddenError",
    }


async def test_no_secret_and_no_value_of_a_row_is_in_a_span_or_a_metric(
    collected, instrumented
):
    """
    Traces are kept by other companies.
    """
    faults = [
        Fault(kind="status", status=400, endpoint="data_source", provider=2),
        Fault(kind="malformed", endpoint="rows", provider=2),
        Fault(kind="html", endpoint="data_sources", provider=2, times=1),
    ]
    async with (
        Emulator(providers=3, rows=50, faults=faults, denied=[(3, "*")]) as emulator,
        emulator.pool(telemetry=collected.telemetry, retry=QUICK) as pool,
    ):
        rows = await pool.session(1).reporting.rows(1, StartDate="2020-01-31").to_list()
        for call in (
            lambda s: s.reporting.data_sources(),
            lambda s: s.reporting.data_source(1),
            lambda s: s.reporting.rows(1).to_list(),
        ):
            await pool.fan_out([1, 2, 3], call)
        (own,) = emulator.credentials.values()
        text = collected.text
    private = {v for row in rows for v in row.values() if isinstance(v, str)}
    private = {v for v in private if len(v) > 6 and not v[:4].isdigit()}

    assert len(private) > 100
    assert not [value for value in private if value in text]
    for secret in (
        own.application_secret.reveal(), own.application_id, "2020-01-31",
        "HealthcareProvider/1",
    ):  # fmt: skip
        assert secret not in text
    assert len(collected.spans) > 15


async def test_nothing_is_told_while_nobody_has_set_it_up():
    """
    A library must cost nothing to those who do not use it.
    """
    telemetry = OpenTelemetry()

    assert not telemetry.enabled
    async with (
        Emulator(providers=1) as emulator,
        emulator.pool(telemetry=telemetry) as pool,
    ):
        assert pool._hooks.around is None
        await pool.session(1).reporting.data_sources()


def test_the_core_imports_none_of_it():
    """
    Telemetry that nobody asked for costs no import.
    """
    code = (
        "import sys, healthyroster_async; "
        "print([m for m in sys.modules if m.startswith(('opentelemetry', 'fastapi', "
        "'starlette', 'litestar', 'pyarrow', 'rich', 'structlog'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "[]"


async def test_aiohttp_is_traced_as_before_beside_us(collected, instrumented):
    """
    Only our own requests are left out: the app's stay in its traces.
    """
    async with (
        Emulator(providers=1) as emulator,
        emulator.pool(telemetry=collected.telemetry) as pool,
        aiohttp.ClientSession() as session,
    ):
        await pool.session(1).reporting.data_sources()
        async with session.get(emulator.swagger_url) as answer:
            await answer.read()
        await asyncio.sleep(0)

    assert [s.name for s in collected.spans] == [LIST, LIST, "GET"]


async def test_a_pool_without_telemetry_is_not_traced_by_others(
    collected, instrumented
):
    """
    They would record who a call is about, and send the API the ids of our traces.
    """
    async with Server() as server, server.pool() as pool:
        await pool.session(4711).reporting.data_sources()

    assert collected.spans == ()
    assert "traceparent" not in server.heads[0].lower()


TABLES = Path("docs/observability.md").read_text("utf-8")


def rows_of_tables(page):
    """Yield the rows of a page's tables: the first cell, and the names in all of it."""
    for line in page.splitlines():
        if line.startswith("| "):
            # `.rows` after `healthyroster.x` stands for `healthyroster.rows`.
            names = re.findall(r"`([a-z._]+)`", line)
            yield (
                line.split("|")[1].strip(" `"),
                {f"healthyroster{n}" if n.startswith(".") else n for n in names},
            )


async def test_the_page_lists_every_name_that_there_is(collected):
    """
    Dashboards and alerts are made of them.
    """
    faults = [Fault(kind="status", status=503, endpoint="data_sources", times=1)]
    limit = RateLimit(rate=20, burst=3, headers="none")
    async with (
        Emulator(
            providers=9, rows=9, denied=[(2, "*")], rate_limit=limit, faults=faults
        ) as emulator,
        emulator.pool(telemetry=collected.telemetry, retry=QUICK) as pool,
    ):
        await pool.fan_out(range(1, 10), lambda s: s.reporting.data_sources())
        await pool.fan_out([1, 2], lambda s: s.reporting.rows(1).to_list())
        measured = collected.points
    tables = dict(rows_of_tables(TABLES))
    every = {"http.request.method", "url.template"}

    metrics = {n: of - {n} for n, of in tables.items() if n.startswith("he")}
    name = "http.client.request.duration"
    metrics[name] = tables[name] - {name}
    assert set(metrics) == set(measured)
    for name, points in measured.items():
        labels = {label for attributes, _ in points for label in attributes}
        assert labels - every == metrics[name], name
        alone = name in {"healthyroster.pauses", "healthyroster.rate"}
        assert labels & every == (set() if alone else every), name
    call, stream, attempt = (
        set().union(*(s.attributes for s in collected.spans if which(s)))
        for which in (
            lambda s: s.kind is SpanKind.INTERNAL and s.name == LIST,
            lambda s: s.kind is SpanKind.INTERNAL and s.name == ROWS,
            lambda s: s.kind is SpanKind.CLIENT,
        )
    )
    assert call == tables["a call"]
    assert stream == tables["a row stream, until it is closed"] | call
    assert attempt | {"healthyroster.correlation_id"} == tables["an attempt"]
