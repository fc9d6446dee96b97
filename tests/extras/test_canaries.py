"""Nothing private in what a pool tells: canaries wherever the API could put a name."""

import io
import json
import logging

import pytest
import structlog
from fakes import SECRET, contract
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from scripted_server import HANG_UP, RESET, SILENCE, Server, answer

from healthyroster_async import (
    ConnectionPool,
    Credentials,
    Environment,
    HealthyRosterError,
    PacingSettings,
    RetrySettings,
)
from healthyroster_async.integrations.opentelemetry import OpenTelemetry

# All of them have this, in any case.
CANARY = "quillfeather"
PROVIDER = f"{CANARY}-clinic"
HOOKS = ("attempt", "retry", "pause", "denied", "stream", "pacing")

ROW = json.dumps({"Id": f"{CANARY}-1", "Name": "Ada Quillfeather", "Born": "19840302"})
ROWS = f"[{ROW},{ROW}]".encode()
PLACES = {
    "Server": CANARY,
    "Set_Cookie": f"who={CANARY}",
    "X_Correlation_Id": f"Ada {CANARY} 1984",
    "X_Request_Id": CANARY,
    "X_RateLimit_Remaining": CANARY,
    "RateLimit": f'"{CANARY}";r=5',
    "ETag": f'"{CANARY}"',
    "traceparent": CANARY,
}


def said(status, body=ROWS, **headers):
    """Make an answer with canaries in its status line, its fields and its body."""
    head = answer(status, body, **PLACES, **headers)
    return head.replace(f"{status} x".encode(), f"{status} {CANARY}".encode(), 1)


ANSWERS = {
    "good": said(200),
    "no list": said(200, f'"{CANARY}"'.encode()),
    "no JSON": said(200, f"<html>{CANARY}</html>".encode()),
    "no rows": said(200, f'[{ROW}, "{CANARY}"]'.encode()),
    "broken JSON": said(200, ROWS[:-5] + f"'{CANARY}'".encode()),
    "no UTF-8": said(200, ROWS.replace(b"Ada", b"\xff\xfe")),
    "redirect": said(302, Location=f"/{CANARY}"),
    "refused": said(401, WWW_Authenticate=f'Basic realm="{CANARY}"'),
    "denied": said(403),
    "not there": said(404),
    "not accepted": said(422),
    "throttled": said(429, Retry_After="0"),
    "throttled, strangely": said(429, Retry_After=CANARY),
    "failed": said(503),
    "cut off": (said(200)[:-30], HANG_UP),
    "reset": (said(200)[:-30], RESET),
    "silent": (said(200)[:-30], SILENCE),
    "no HTTP": (f"{CANARY}\r\n\r\n".encode(), HANG_UP),
    "no gzip": said(200, Content_Encoding="gzip"),
    "a bad field": said(200).replace(b"ETag:", f"{CANARY}\x01:".encode(), 1),
}


class Watched:
    """Everything that a pool tells anybody, at its most talkative."""

    def __init__(self):
        self._spans = InMemorySpanExporter()
        self.traces = TracerProvider()
        self.traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.telemetry = OpenTelemetry(
            tracer_provider=self.traces, meter_provider=MeterProvider([self._reader])
        )
        self.events = []
        self.structured = io.StringIO()
        self.errors = []
        self.shown = []

    def hook(self, event):
        self.events.append(event)
        raise ValueError(f"of {CANARY}")

    @property
    def metrics(self):
        return self._reader.get_metrics_data().to_json()

    @property
    def spans(self):
        return [json.loads(span.to_json()) for span in self._spans.get_finished_spans()]


@pytest.fixture
def watched(caplog):
    """Listen to every logger, in plain text and in structlog; trace aiohttp."""
    watched = Watched()
    handler = logging.StreamHandler(watched.structured)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processor=structlog.processors.JSONRenderer(default=repr),
        )
    )
    caplog.set_level(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=watched.traces)
    yield watched
    instrumentor.uninstrument()
    logging.getLogger().removeHandler(handler)


async def every_call(session, watched):
    """Call whatever there is, with canaries in paths, queries and bodies."""
    reporting = session.reporting
    for call in (
        reporting.data_sources,
        lambda: reporting.data_source(CANARY),
        lambda: reporting.rows(CANARY, Name=CANARY).to_list(),
        lambda: reporting.rows(CANARY, Name=CANARY).to_arrow(),
        lambda: session.request(
            "POST", "/X/{id}/{who}", values={"who": CANARY},
            query={"q": CANARY}, json={"n": CANARY},
        ),
    ):  # fmt: skip
        try:
            watched.shown.append(repr(type(await call())))
        except HealthyRosterError as error:
            watched.errors.append(error)


async def told_of(case, watched):
    """Make every call of a server that gives one answer to all."""
    async with Server(then=ANSWERS[case]) as server:
        pool = ConnectionPool(
            {Environment.SANDBOX: Credentials(f"{CANARY}-app", SECRET)},
            contract=contract(base_urls={Environment.SANDBOX: server.url}),
            telemetry=watched.telemetry,
            retry=RetrySettings(max_attempts=2, base_delay=0.001, max_delay=0.002),
            pacing=PacingSettings(share=False, remember=False),
            **{f"on_{name}": watched.hook for name in HOOKS},
        )
        async with pool:
            session = pool.session(PROVIDER).with_options(deadline=0.4)
            await every_call(session, watched)
            watched.shown += [repr(pool), repr(pool.stats())]
        assert server.heads, "it was never asked"


@pytest.mark.parametrize("case", ANSWERS)
async def test_nothing_private_is_told_whatever_the_api_answers(case, watched, caplog):
    """
    Logs, traces and dashboards are kept for years, and by other companies.

    The provider's id may stand in events and in the spans of calls, for an operator
    must know whose calls fail; in log lines and metrics it may not.
    """
    await told_of(case, watched)

    records = "\n".join(f"{r.getMessage()} {vars(r)}" for r in caplog.records)
    spans = json.dumps(
        [
            {**s, "attributes": {**s["attributes"], "healthyroster.provider_id": None}}
            for s in watched.spans
        ]
    )
    events = " ".join(map(repr, watched.events)).replace(repr(PROVIDER), "")
    errors = " ".join(f"{e} {e!r}" for e in watched.errors).replace(repr(PROVIDER), "")
    told = {
        "log": records,
        "structlog": watched.structured.getvalue(),
        "spans": spans,
        "metrics": watched.metrics,
        "events": events,
        "errors": errors,
        "reprs": " ".join(watched.shown),
    }
    for private in (CANARY, SECRET):
        assert [k for k, v in told.items() if private in v.lower()] == [], private
    assert {"label", "request_id"} <= {key for r in caplog.records for key in vars(r)}
    assert "http.client.request.duration" in told["metrics"]
    assert told["structlog"].count("\n") == len(caplog.records)
    assert len(watched.spans) > 6  # five calls, and their attempts
    assert {e.request_id for e in watched.errors} <= {
        s["attributes"].get("healthyroster.request_id") for s in watched.spans
    }


def test_what_is_looked_for_would_be_found(watched, caplog):
    """
    A search that finds nothing must be able to.
    """
    logging.getLogger("anything").debug("of %s", CANARY, extra={"who": CANARY})
    span = watched.traces.get_tracer("x").start_span("x", attributes={"x": CANARY})
    span.end()

    assert CANARY in watched.structured.getvalue()
    assert CANARY in str(vars(caplog.records[0]))
    assert CANARY in json.dumps(watched.spans)
