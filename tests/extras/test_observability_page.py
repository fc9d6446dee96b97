"""The code of the page about observability runs, as it would in an app of its own."""

import json
import socket
import subprocess
import sys

import pytest

# An SDK is set up once in a process, and other tests want none.
APP = """
import asyncio, sys, urllib.request

sys.path.insert(0, "tests")
import code_of
from healthyroster_async.emulator import Emulator

def scraped():
    with urllib.request.urlopen("http://127.0.0.1:{port}/metrics") as answer:
        return answer.read().decode()

async def main():
    async with Emulator(providers=50, rows=7) as emulator:
        names = {{
            "credentials": emulator.credentials, "contract": emulator.contract(),
        }}
        for block in code_of.blocks("docs/observability.md", "py"):
            await code_of.run(block.replace("9464", "{port}"), names)
        metrics = await asyncio.to_thread(scraped)
        names["trace"].get_tracer_provider().shutdown()
    print("SCRAPED", metrics)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def told():
    """Run the page; return what the console got, and what Prometheus would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ran = subprocess.run(
        [sys.executable, "-c", APP.format(port=port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    spans, _, metrics = ran.stdout.partition("SCRAPED")
    return spans, metrics


def test_the_page_shows_spans_of_a_call_and_its_attempt(told):
    """
    Whoever copies ten lines wants to see something.
    """
    decoder, spans, text = json.JSONDecoder(), [], told[0]
    while text.strip():
        span, end = decoder.raw_decode(text.lstrip())
        spans.append(span)
        text = text.lstrip()[end:]
    attempt, call, *_ = spans

    assert attempt["name"] == call["name"] == "GET /HealthcareProvider/{id}/Datasources"
    assert attempt["parent_id"] == call["context"]["span_id"]
    assert (attempt["kind"], call["kind"]) == ("SpanKind.CLIENT", "SpanKind.INTERNAL")


@pytest.mark.parametrize(
    "name",
    [
        "http_client_request_duration_seconds_bucket{",
        "healthyroster_call_duration_seconds_count{",
        "healthyroster_rows_total{",
        "healthyroster_rows_size_bytes_total{",
    ],
)
def test_prometheus_can_scrape_it(name, told):
    """
    The names are what dashboards are made of.
    """
    _, metrics = told

    assert f"\n{name}" in metrics
    assert 'url_template="/HealthcareProvider/{id}/' in metrics
