"""The emulator over real sockets, asked by a plain aiohttp client."""

import asyncio
import contextlib
import importlib
import os
import socket
import sys
import time
import zlib
from collections import Counter
from email.utils import parsedate_to_datetime

import aiohttp
import brotli
import orjson
import pytest

from healthyroster_async._core.errors import ConfigurationError, UsageError
from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import Emulator, Fault, RateLimit
from healthyroster_async.emulator.limits import HEADERS
from healthyroster_async.emulator.sources import SOURCES

LIST = "/HealthcareProvider/{}/Datasources"
DETAIL = "/HealthcareProvider/{}/Reporting/DataSources/{}"
DATA = "/HealthcareProvider/{}/Reporting/Datasources/{}/Data"


class Caller:
    """A client without opinions: no retry, no redirect, one answer."""

    def __init__(self, emulator, session):
        self.emulator = emulator
        self.session = session

    def headers(self, environment=Environment.SANDBOX):
        credentials = self.emulator.credentials[environment]
        return {
            self.emulator.application_id_header: credentials.application_id,
            self.emulator.application_secret_header: (
                credentials.application_secret.reveal()
            ),
        }

    async def raw(self, method, path, **options):
        options.setdefault("headers", self.headers())
        async with self.session.request(
            method, self.emulator.url + path, allow_redirects=False, **options
        ) as response:
            return response, await response.read()

    async def list(self, provider=1, **options):
        return await self.raw("GET", LIST.format(provider), **options)

    async def detail(self, provider=1, source=1, **options):
        return await self.raw("GET", DETAIL.format(provider, source), **options)

    async def rows(self, provider=1, source=1, parameters=None, **options):
        if parameters is not None:
            options["json"] = parameters
        return await self.raw("POST", DATA.format(provider, source), **options)

    async def statuses(self, provider):
        answers = [
            await self.list(provider),
            await self.detail(provider),
            await self.rows(provider),
        ]
        return [response.status for response, _ in answers]


@contextlib.asynccontextmanager
async def running(**options):
    options.setdefault("providers", 3)
    options.setdefault("rows", 30)
    async with (
        Emulator(**options) as emulator,
        # No decompression: what was sent is what is tested.
        aiohttp.ClientSession(
            auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
        ) as session,
    ):
        yield emulator, Caller(emulator, session)


# Who may call


async def test_both_credentials_are_needed_under_names_of_any_case():
    """
    401 costs a call and tells nothing else; header names have no case.
    """
    async with running() as (emulator, caller):
        right = caller.headers()
        app_id, secret = right
        wrong = [
            {},
            {app_id: right[app_id]},
            {secret: right[secret]},
            {app_id: right[app_id], secret: "x"},
            {app_id: "x", secret: right[secret]},
            {app_id: "é", secret: right[secret]},
        ]
        answers = [await caller.list(headers=headers) for headers in wrong]
        lower = {name.lower(): value for name, value in right.items()}
        good, _ = await caller.list(headers=lower)

        assert [response.status for response, _ in answers] == [401] * len(wrong)
        assert all(orjson.loads(body)["traceId"] for _, body in answers)
        assert good.status == 200
        assert emulator.seen.by_status == {401: len(wrong), 200: 1}


async def test_credentials_of_one_environment_open_only_that_one():
    """
    Sandbox credentials must never work, or be sent, in production.
    """
    async with running(environments=tuple(Environment)) as (emulator, caller):
        status = {}
        for url_of in Environment:
            for headers_of in Environment:
                url = emulator.base_urls[url_of] + LIST.format(1)
                headers = caller.headers(headers_of)
                async with caller.session.get(url, headers=headers) as response:
                    status[url_of, headers_of] = response.status

        assert status == {
            (a, b): 200 if a is b else 401 for a in Environment for b in Environment
        }
        assert emulator.seen.crossed == 2
        assert len(set(emulator.base_urls.values())) == 2


async def test_grants_are_a_matrix_that_changes_at_run_time():
    """
    An SDK works out from the cells which grant is missing.
    """
    denied = [(1, "rows"), ("*", "data_source"), (2, "*")]
    async with running(denied=denied) as (emulator, caller):
        before = [await caller.statuses(provider) for provider in (1, 2, 3)]
        emulator.grant("*", "data_source")
        emulator.grant(1, "rows")
        emulator.deny(3, "data_sources")
        after = [await caller.statuses(provider) for provider in (1, 2, 3)]
        _, body = await caller.list(2)

        assert before == [[200, 403, 403], [403, 403, 403], [200, 403, 200]]
        assert after == [[200, 200, 200], [403, 403, 403], [403, 200, 200]]
        assert orjson.loads(body)["traceId"]


async def test_rejections_come_in_the_documented_order():
    """
    401 before the limit, the limit before 403, 403 before 404.
    """
    limit = RateLimit(rate=1, per=1000, burst=2)
    async with running(rate_limit=limit, denied=[("*", "data_sources")]) as (_, caller):
        unknown, _ = await caller.list(99, headers={})
        denied, _ = await caller.list(99)
        missing, _ = await caller.rows(98, 1)
        limited, _ = await caller.list(99)

        assert [unknown.status, denied.status] == [401, 403]
        assert [missing.status, limited.status] == [404, 429]


# What is answered


async def test_paths_have_no_case_and_unknown_things_are_404():
    """
    The vendor spells one word in two ways; its server does not mind.
    """
    async with running() as (_, caller):
        found = [
            await caller.raw("GET", "/healthcareprovider/1/DATASOURCES"),
            await caller.raw("GET", DETAIL.format(1, 1).upper() + "/"),
            await caller.raw("POST", DATA.format(1, 1).lower()),
        ]
        missing = [
            await caller.list(99),
            await caller.list("1%2F..%2F2"),
            await caller.detail(1, 10),
            await caller.rows(99, 1),
            await caller.raw("GET", "/HealthcareProvider"),
        ]
        wrong_verb, _ = await caller.raw("GET", DATA.format(1, 1))

        assert [response.status for response, _ in found] == [200] * 3
        assert [response.status for response, _ in missing] == [404] * 5
        assert wrong_verb.status == 405
        assert wrong_verb.headers["Allow"] == "POST"


@pytest.mark.parametrize("style", ["int", "guid", "text"])
@pytest.mark.parametrize("casing", ["camel", "pascal", "snake"])
async def test_the_models_describe_the_rows(style, casing):
    """
    Nothing about ids or spelling is known, so an SDK meets all of them.
    """
    options = {"id_style": style, "key_casing": casing, "nested": casing == "snake"}
    async with running(**options) as (emulator, caller):
        _, listed = await caller.list()
        spelled = {"camel": "id", "pascal": "Id", "snake": "id"}[casing]
        names = {"camel": "name", "pascal": "Name", "snake": "name"}[casing]
        fields = {"camel": "fields", "pascal": "Fields", "snake": "fields"}[casing]
        sources = orjson.loads(listed)

        assert [source[spelled] for source in sources] == list(emulator.sources)
        assert [source[names] for source in sources] == [s.name for s in SOURCES]
        for source_id in emulator.sources[:3]:
            _, detail = await caller.detail(1, source_id)
            _, rows = await caller.rows(1, source_id)
            columns = [field[names] for field in orjson.loads(detail)[fields]]
            assert list(orjson.loads(rows)[0]) == columns


@pytest.mark.parametrize(("envelope", "pretty"), [("data", False), ("a.b.Rows", True)])
async def test_envelopes_stand_around_rows_and_lists(envelope, pretty):
    """
    The array is found in the middle, among things that look like it.
    """
    options = {"envelope": envelope, "list_envelope": "items", "pretty": pretty}
    async with running(**options) as (emulator, caller):
        for parameters in ({}, {"StartDate": "2030-01-01"}):
            _, body = await caller.rows(1, 2, parameters)
            node = orjson.loads(body)
            for key in envelope.split("."):
                assert len(node) > 2
                assert next(iter(node)) != key != list(node)[-1]
                node = node[key]
            assert len(node) == emulator.expected_rows(1, 2, **parameters)
        _, body = await caller.list()
        assert len(orjson.loads(body)["items"]) == len(SOURCES)


async def test_what_was_expected_is_what_arrives():
    """
    The promise that every test of completeness stands on, over the wire.
    """
    async with running(rows={"Encounters": 2500}) as (emulator, caller):
        for source, parameters in [
            (1, {}),
            (2, None),
            (2, {"startdate": "2026-01-01", "ORGANIZATIONID": 103}),
            (2, {"EncounterTypes": ["Rehab"], "SignedOnly": True}),
        ]:
            response, body = await caller.rows(2, source, parameters)
            expected = emulator.expected_rows(2, source, **(parameters or {}))
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert len(orjson.loads(body)) == expected > 0

        assert emulator.seen.rows_sent[2, 1] == emulator.expected_rows(2, "Patients")
        assert emulator.expected_rows(1, "encounters") == 2500


@pytest.mark.parametrize(
    ("options", "status", "key"),
    [
        ({"json": {"Nothing": 1}}, 400, "Nothing"),
        ({"json": {"StartDate": "soon"}}, 400, "StartDate"),
        ({"json": [1]}, 400, "$"),
        ({"data": b"{", "type": "application/json"}, 400, "$"),
        ({"data": b"{}", "type": "text/plain"}, 415, None),
        ({"data": b"", "type": "text/plain"}, 200, None),
        ({"data": b" {} ", "type": "application/vnd.x+json"}, 200, None),
    ],
)
async def test_a_bad_body_is_refused_as_asp_net_refuses_it(options, status, key):
    """
    The message of the SDK's error is built from these details.
    """
    async with running() as (_, caller):
        headers = caller.headers()
        if "type" in options:
            options = dict(options)
            headers["Content-Type"] = options.pop("type")
        response, body = await caller.rows(headers=headers, **options)

        assert response.status == status
        if status != 200:
            assert response.content_type == "application/problem+json"
        if key:
            assert list(orjson.loads(body)["errors"]) == [key]


async def test_the_same_settings_send_the_same_bytes():
    """
    A run that failed can be had again, the port aside.
    """
    bodies, ids = [], []
    for _ in range(2):
        async with running(envelope="data", seed=4) as (emulator, caller):
            bodies.append((await caller.rows())[1])
            ids.append(emulator.credentials)

    assert bodies[0] == bodies[1]
    assert ids[0] == ids[1]


def unzip(coding, body):
    if coding == "br":
        return brotli.decompress(body)
    if coding == "zstd":
        newest = sys.version_info >= (3, 14)
        name = "compression.zstd" if newest else "backports.zstd"
        return importlib.import_module(name).decompress(body)
    return zlib.decompress(body, 31 if coding == "gzip" else 15)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_compression_is_used_only_where_it_is_accepted(coding):
    """
    A row stream has to undo what aiohttp would, and to count bytes either way.
    """
    async with running(compression=coding, rows=400) as (_, caller):
        plain, body = await caller.rows()
        refused, _ = await caller.rows(
            headers=caller.headers() | {"Accept-Encoding": f"{coding};q=0, identity"}
        )
        accepting = caller.headers() | {"Accept-Encoding": f"identity, {coding};q=0.5"}
        packed, small = await caller.rows(headers=accepting)
        listed, raw = await caller.list(headers=accepting)

        assert "Content-Encoding" not in plain.headers
        assert "Content-Encoding" not in refused.headers
        assert packed.headers["Content-Encoding"] == coding
        assert len(small) < len(body) / 2
        assert unzip(coding, small) == body
        assert len(orjson.loads(unzip(coding, raw))) == 9
        assert int(listed.headers["Content-Length"]) == len(raw)


# What goes wrong


@pytest.mark.parametrize("ask", ["list", "rows"])
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", aiohttp.ClientConnectionError),
        ("reset-inside", aiohttp.ClientPayloadError),
        ("truncate", aiohttp.ClientPayloadError),
        ("stall", TimeoutError),
    ],
)
async def test_a_broken_answer_breaks_where_it_was_told_to(kind, error, ask, coding):
    """
    Each of these is another error in a client, and each must be survived.
    """
    fault = Fault(kind=kind, after_bytes=100, times=9)
    async with running(faults=[fault], compression=coding) as (emulator, caller):
        headers = caller.headers() | {"Accept-Encoding": "gzip"}
        got = bytearray()
        method, path = {
            "list": ("GET", LIST.format(1)),
            "rows": ("POST", DATA.format(1, 1)),
        }[ask]

        async def read():
            async with caller.session.request(
                method,
                emulator.url + path,
                headers=headers,
                # Only the stall is to be ended by it, however slow the machine is.
                timeout=aiohttp.ClientTimeout(total=0.3 if kind == "stall" else 30),
            ) as response:
                async for piece in response.content.iter_any():
                    got.extend(piece)

        with pytest.raises(error):
            await read()

        assert len(got) == (0 if kind == "reset" else 100)
        assert emulator.seen.faults[kind] >= 1
        assert not emulator.seen.rows_sent
        emulator.clear_faults()
        response, _ = await getattr(caller, ask)()
        assert response.status == 200
        assert emulator.seen.in_flight == 0


async def test_reset_is_a_reset_and_truncate_is_not():
    """
    RST and FIN are different errors on the client's side.
    """
    async with running(faults=[Fault(kind="reset")]) as (emulator, caller):
        head = f"POST {DATA.format(1, 1)} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        head += "".join(
            f"{name}: {text}\r\n" for name, text in caller.headers().items()
        )
        host, port = emulator.url.removeprefix("http://").split(":")

        async def talk():
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"{head}\r\n".encode())
            try:
                return await reader.read()
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

        with pytest.raises(ConnectionResetError):
            await talk()
        emulator.clear_faults()
        emulator.add_fault(Fault(kind="truncate", after_bytes=50))
        assert (await talk()).startswith(b"HTTP/1.1 200 OK")


async def test_broken_answers_that_are_sound_http():
    """
    An error status, an error page, half a document, another origin.
    """
    async with running() as (emulator, caller):
        answers = {}
        for fault in [
            Fault(kind="status", status=503, retry_after="7"),
            Fault(kind="html", status=200),
            Fault(kind="malformed", after_bytes=200),
            Fault(kind="redirect"),
            Fault(kind="redirect", location="http://127.0.0.1:9/x"),
        ]:
            emulator.clear_faults()
            emulator.add_fault(fault)
            answers[fault] = await caller.rows()
        busy, page, broken, away, far = answers.values()

        assert (busy[0].status, busy[0].headers["Retry-After"]) == (503, "7")
        assert orjson.loads(busy[1])["status"] == 503
        assert (page[0].status, page[0].content_type) == (200, "text/html")
        assert (broken[0].status, len(broken[1])) == (200, 200)
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(broken[1])
        assert away[0].status == 302
        assert away[0].headers["Location"] == emulator.elsewhere_url
        assert far[0].headers["Location"] == "http://127.0.0.1:9/x"
        assert emulator.seen.faults.total() == len(answers)


async def test_a_secret_that_follows_a_redirect_is_seen():
    """
    aiohttp forwards headers it does not know as secrets; ours must not go there.
    """
    async with running(faults=[Fault(kind="redirect")]) as (emulator, caller):
        url = emulator.url + LIST.format(1)
        async with caller.session.get(url, headers=caller.headers()) as response:
            assert response.status == 200
        async with caller.session.get(emulator.elsewhere_url) as response:
            assert response.status == 200

        assert emulator.seen.connections == 1
        assert emulator.seen.secrets_elsewhere == 1
        assert emulator.seen.requests == 1


# How often


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("none", set()),
        ("retry-after", {"Retry-After"}),
        ("retry-after-date", {"Retry-After"}),
        (
            "x-ratelimit",
            {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"},
        ),
        ("ietf", {"Retry-After", "RateLimit", "RateLimit-Policy"}),
    ],
)
@pytest.mark.parametrize("kind", ["bucket", "window"])
async def test_rejections_speak_their_dialect_on_the_wire(headers, expected, kind):
    """
    What a client learns about a limit it learns from these fields.
    """
    limit = RateLimit(rate=2, per=600, kind=kind, headers=headers, status=503)
    environments = tuple(Environment)
    async with running(rate_limit=limit, environments=environments) as (
        emulator,
        caller,
    ):
        answers = [(await caller.list())[0] for _ in range(4)]
        limiting = {
            name
            for name in answers[-1].headers
            if "ratelimit" in name.lower() or name == "Retry-After"
        }
        url = emulator.base_urls[Environment.PRODUCTION] + LIST.format(1)
        other = caller.headers(Environment.PRODUCTION)
        async with caller.session.get(url, headers=other) as response:
            assert response.status == 200, "each application has its own limit"

        assert [answer.status for answer in answers] == [200, 200, 503, 503]
        assert limiting == expected
        assert len(answers[-1].headers.getall("Date")) == 1
        assert emulator.seen.rejected == 2


async def test_who_calls_during_a_pause_is_seen():
    """
    Politeness is measured where it is felt.
    """
    limit = RateLimit(rate=1, per=600, burst=1)
    async with running(rate_limit=limit) as (emulator, caller):
        for _ in range(2):
            await caller.list()
        assert emulator.seen.during_pause == 0
        await asyncio.sleep(0.03)
        await caller.list()

        assert emulator.seen.during_pause == 1


@pytest.mark.parametrize(
    ("style", "status", "content_type", "part"),
    [
        ("none", 429, "application/problem+json", b'"status":429'),
        ("ietf-old", 429, "application/problem+json", b'"status":429'),
        ("aspnet", 503, None, b""),
        ("aspnetcoreratelimit", 429, "text/plain", b"admitted 1 per 10m."),
        ("azure", 429, "application/json", b"Try again in "),
        ("azure-quota", 403, "application/json", b"Out of call volume quota."),
        ("cloudflare", 429, "text/html", b"1015"),
    ],
)
async def test_rejections_have_the_body_of_their_dialect(
    style, status, content_type, part
):
    """
    A limit is told from a missing grant, and from an outage, by what stands there.
    """
    options = {"status": status} if style == "aspnet" else {}
    limit = RateLimit(rate=1, per=600, kind="window", headers=style, **options)
    async with running(rate_limit=limit) as (_, caller):
        await caller.list()
        response, body = await caller.list()

        assert response.status == status
        assert bool(body) == bool(part)
        assert part in body
        if content_type is not None:
            assert response.content_type == content_type
        assert ("Content-Type" in response.headers) == (content_type is not None)


@pytest.mark.parametrize("headers", ["none", "azure"])
async def test_a_rejection_can_be_empty(headers):
    """
    A bare 503 is what ASP.NET answers unless somebody wrote more.
    """
    limit = RateLimit(rate=1, per=600, headers=headers, status=503, empty_body=True)
    async with running(rate_limit=limit) as (_, caller):
        await caller.list()
        response, body = await caller.list()

        assert (response.status, body) == (503, b"")
        assert response.headers["Content-Length"] == "0"
        assert ("Retry-After" in response.headers) == (headers == "azure")


async def test_every_dialect_is_held_to_what_it_asked():
    """
    Who comes back too early is seen, and who waits is not, in whatever way it was told.
    """
    waits, bound = (0.1, 1.55, 1.5), 0.3
    exact = {"retry-after-ms", "x-ratelimit-epoch-ms", "x-ratelimit-iso"}
    moving = {"retry-after-date", "x-ratelimit-epoch"}
    counted = {}

    async def play(style):
        limit = RateLimit(rate=1, per=1.5, kind="window", headers=style)
        async with running(rate_limit=limit, clock_skew=-7200.4) as (emulator, caller):
            counts = counted[style] = []
            begun = time.monotonic()
            await caller.list()
            await caller.list()
            for wait in waits:
                await asyncio.sleep(wait)
                await caller.list()
                counts.append(emulator.seen.during_pause)
            return time.monotonic() - begun < sum(waits) + bound

    async def play_in_time(style):
        # A machine that was too busy says nothing of who came too early.
        for _ in range(5):
            if await play(style):
                return
        pytest.fail(f"no run of {style} was in time")

    async with asyncio.TaskGroup() as group:
        for style in set(HEADERS) - {"cloudflare"}:
            group.create_task(play_in_time(style))

    for style, counts in counted.items():
        early = 0 if style == "none" else 1
        at_once = early if style in exact | {"none"} else early + 1
        if style not in moving:
            assert counts == [early, at_once, at_once], style
        else:
            assert counts[0] == early, style
            assert counts[1] == counts[2] <= 2, style


async def test_each_provider_can_have_its_own_limit():
    """
    It is not known which of the two the vendor has.
    """
    limit = RateLimit(rate=2, per=600, kind="sliding", scope="provider")
    async with running(rate_limit=limit) as (emulator, caller):
        statuses = [
            (await caller.list(provider))[0].status for provider in (1, 1, 2, 1, 2, 2)
        ]
        unknown = [
            (await caller.raw("GET", "/HealthcareProvider"))[0].status for _ in range(3)
        ]
        await asyncio.sleep(0.03)
        await caller.list(3)
        assert emulator.seen.during_pause == 0
        await caller.list(1)

        assert statuses == [200, 200, 200, 429, 200, 429]
        assert unknown == [404, 404, 429]
        assert emulator.seen.during_pause == 1
        assert emulator.seen.accepted_at.total() == 7


async def test_what_is_over_frees_its_place_however_it_ended():
    """
    A place that is lost in a reset would slowly close the server.
    """
    limit = RateLimit(rate=1, kind="concurrency", headers="none")
    faults = [Fault(kind="reset", times=1), Fault(kind="stall", provider=2)]
    async with running(rate_limit=limit, faults=faults) as (emulator, caller):
        with pytest.raises(aiohttp.ClientConnectionError):
            await caller.rows()
        stalled = asyncio.create_task(caller.rows(2))
        await asyncio.sleep(0.05)
        full, _ = await caller.list()
        stalled.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stalled
        for _ in range(100):
            if not emulator.seen.in_flight:
                break
            await asyncio.sleep(0.01)
        free = [(await caller.list(n))[0].status for n in (1, 99, 1)]

        assert full.status == 429
        assert free == [200, 404, 200]


async def test_a_limit_can_change_at_run_time():
    """
    A vendor lowers a limit in the middle of a night; a pull has to notice.
    """
    async with running() as (emulator, caller):
        statuses = []
        for burst in (None, 1, 5):
            emulator.rate_limit = burst and RateLimit(rate=1, per=600, burst=burst)
            answers = [await caller.list() for _ in range(3)]
            statuses.append([response.status for response, _ in answers])

        assert statuses == [[200, 200, 200], [200, 429, 429], [200, 200, 200]]


async def test_requests_in_flight_are_counted_while_they_wait():
    """
    The bound on concurrency is checked against this peak.
    """
    async with running(latency=0.1) as (emulator, caller):
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(caller.list())

        assert time.perf_counter() - started >= 0.1
        assert (emulator.seen.peak_in_flight, emulator.seen.in_flight) == (12, 0)
        assert emulator.seen.connections == 12
        assert emulator.seen.by_provider == {1: 12}
        assert emulator.seen.by_endpoint == {"data_sources": 12}


async def test_an_overloaded_server_lets_everybody_wait():
    """
    It never says 429: that it is too much is felt, and only there.
    """
    async with running(latency=0.1, capacity=4) as (emulator, caller):
        seconds = []

        async def call():
            started = time.perf_counter()
            response, _ = await caller.list()
            assert response.status == 200
            seconds.append(time.perf_counter() - started)

        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(call())
        rounds = Counter(int(s / 0.1) for s in seconds)
        emulator.capacity = 12
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(call())
        wide = time.perf_counter() - started

        assert max(seconds) >= 0.3
        assert sum(n for place, n in rounds.items() if place < 2) <= 4
        assert wide < max(seconds)
        assert emulator.seen.peak_in_flight == 12
        assert emulator.seen.rejected == 0


# The clock, and the lights


@pytest.mark.parametrize("skew", [3600.0, -86_400.5])
async def test_a_clock_that_is_wrong_is_wrong_everywhere(skew):
    """
    Who compares with the answer's own Date is right all the same.
    """
    limit = RateLimit(rate=1, per=600, kind="window", headers="x-ratelimit-epoch")
    async with running(rate_limit=limit, clock_skew=skew) as (emulator, caller):
        public, _ = await caller.raw("GET", "/health", headers={})
        wrong, _ = await caller.list(headers={})
        first, _ = await caller.list()
        emulator.rate_limit = RateLimit(
            rate=1, per=600, kind="window", headers="retry-after-date"
        )
        await caller.list()
        late, _ = await caller.list()
        now = time.time() + skew
        answers = (public, wrong, first, late)
        dates = [parsedate_to_datetime(r.headers["Date"]).timestamp() for r in answers]
        after = parsedate_to_datetime(late.headers["Retry-After"]).timestamp()

        assert all(now - 3 < date <= now for date in dates)
        assert 600 <= int(first.headers["X-RateLimit-Reset"]) - dates[2] <= 602
        assert late.status == 429
        assert 599 <= after - dates[3] <= 602
        assert all(len(r.headers.getall("Date")) == 1 for r in answers)


async def test_an_outage_meets_everybody_until_it_ends():
    """
    Then nothing is asked, neither a secret nor a limit, and all is as it was.
    """
    limit = RateLimit(rate=2, per=600, kind="sliding")
    async with running(rate_limit=limit, denied=[(2, "*")]) as (emulator, caller):
        await caller.list()
        emulator.outage = Fault(kind="html", status=503)
        down = [
            await caller.list(),
            await caller.list(2),
            await caller.list(99),
            await caller.list(headers={}),
            await caller.raw("GET", "/HealthcareProvider"),
        ]
        emulator.outage = Fault(kind="html", status=503, retry_after="60")
        down.append(await caller.list())
        assert emulator.seen.during_pause == 0
        await asyncio.sleep(0.03)
        emulator.outage = Fault(kind="reset")
        for _ in range(2):
            with pytest.raises(aiohttp.ClientConnectionError):
                await caller.rows()
        emulator.outage = Fault(kind="status", status=502, endpoint="data_source")
        partly = await caller.statuses(1)
        emulator.outage = None
        up, _ = await caller.list()

        assert [response.status for response, _ in down] == [503] * 6
        assert all(response.content_type == "text/html" for response, _ in down)
        assert partly == [200, 502, 429]
        assert up.status == 429
        assert emulator.seen.faults == {"html": 6, "reset": 2, "status": 1}
        assert emulator.seen.accepted_at.total() == 2
        # Two resets, three calls and the last one, all while the page said to wait.
        assert emulator.seen.during_pause == 6


@pytest.mark.parametrize(
    ("asked", "sent"), [(1, "1"), (1.5, "1.5"), (2_592_000.0, "2592000"), ("x", "x")]
)
async def test_a_fault_asks_to_wait_in_seconds(asked, sent):
    """
    As ``Answer`` takes them: a test saw a 500 in place of the 429 that it had set.
    """
    async with running() as (emulator, caller):
        emulator.add_fault(kind="status", status=429, retry_after=asked)
        response, _ = await caller.list()

    assert response.status == 429
    assert response.headers["Retry-After"] == sent


async def test_it_starts_anew_with_nothing_on_anybodys_account():
    """
    A server that was restarted has forgotten who called.
    """
    emulator = Emulator(rate_limit=RateLimit(rate=1, per=600), capacity=1)
    for _ in range(2):
        async with emulator, aiohttp.ClientSession() as session:
            caller = Caller(emulator, session)
            answers = [(await caller.list())[0].status for _ in range(2)]

        assert answers == [200, 429]


# The document


@pytest.mark.parametrize("prefix", ["", "/api/v2"])
async def test_the_document_describes_what_is_served(prefix):
    """
    Contract and operations are read from it, and it must not lie.
    """
    async with running(
        environments=tuple(Environment),
        path_prefix=prefix,
        application_id_header="X-Emu-App",
        id_style="guid",
        envelope="result.rows",
    ) as (emulator, caller):
        async with caller.session.get(emulator.swagger_url) as response:
            document = await response.json()
        texts = orjson.dumps(document).decode().split('"$ref":"')[1:]
        names = {text.split('"')[0].rpartition("/")[2] for text in texts}
        contract = emulator.contract()

        assert document == emulator.swagger()
        assert names <= set(document["components"]["schemas"])
        assert [server["url"] for server in document["servers"]] == list(
            emulator.base_urls.values()
        )
        assert document["security"] == [{"ApplicationId": [], "ApplicationSecret": []}]
        operations = [
            (path, operation)
            for path, item in document["paths"].items()
            for operation in item.values()
        ]
        for path, operation in operations:
            inside = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in inside)
            assert path.count("{") == len(inside)
            assert {"401", "403"} <= set(operation["responses"])
            assert {"200", "201", "204"} & set(operation["responses"])
        assert contract.application_id_header == "X-Emu-App"
        assert contract.base_urls == emulator.base_urls
        response, _ = await caller.rows(1, emulator.sources[0])
        assert response.status == 200
        async with caller.session.get(
            emulator.url.removesuffix(prefix) + LIST.format(1), headers=caller.headers()
        ) as response:
            assert response.status == (404 if prefix else 200)


async def test_the_pages_need_no_credentials_and_load_nothing():
    """
    A person opens them in a browser, maybe without a network.
    """
    async with running(path_prefix="/api") as (emulator, caller):
        for path in ("/swagger", "/swagger/index.html", "/Swagger/"):
            response, body = await caller.raw("GET", path, headers={})
            assert response.status == 200
            assert response.content_type == "text/html"
            assert b"Reporting/Datasources/{datasourceid}/Data" in body
            assert b"src=" not in body
            assert b"@import" not in body
        response, body = await caller.raw("GET", "/health", headers={})

        assert (response.status, body) == (200, b"Healthy")
        assert emulator.seen.requests == 0


async def test_a_pool_of_the_sdk_can_be_had():
    """
    The shortest way from nothing to a working client.
    """
    async with running() as (emulator, _), emulator.pool() as pool:
        sources = await pool.session(1).reporting.data_sources()

        assert [source.id for source in sources] == list(emulator.sources)


# Its life


async def test_closing_ends_whatever_hangs_at_once():
    """
    A test suite starts hundreds of these and must not wait for any.
    """
    faults = [Fault(kind="stall", endpoint="rows", every=2)]
    emulator = Emulator(rows={"Services": 10**7}, latency=0.05, faults=faults)
    before = asyncio.all_tasks()
    await emulator.start()
    await emulator.start()
    async with aiohttp.ClientSession() as session:
        caller = Caller(emulator, session)
        await caller.list()
        calls = asyncio.gather(
            *(caller.rows(1, 6) for _ in range(4)), return_exceptions=True
        )
        async with asyncio.timeout(10):
            while emulator.seen.in_flight < 4:  # noqa: ASYNC110 - the server's state
                await asyncio.sleep(0.01)
        started = time.perf_counter()
        await emulator.close()
        seconds = time.perf_counter() - started
        outcomes = await calls
        await emulator.close()
    await asyncio.sleep(0.01)

    assert seconds < 0.5
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes)
    assert emulator.seen.in_flight == 0
    assert asyncio.all_tasks() == before


async def test_a_client_that_goes_away_is_forgotten(caplog):
    """
    A cancelled pull leaves nothing running, nothing counted and nothing logged.
    """
    async with running(rows={"Services": 10**7}) as (emulator, caller):
        async with caller.session.post(
            emulator.url + DATA.format(1, 6), headers=caller.headers()
        ) as response:
            await response.content.readexactly(100_000)
            assert emulator.seen.in_flight == 1
            response.close()
        for _ in range(100):
            if not emulator.seen.in_flight:
                break
            await asyncio.sleep(0.01)

        assert emulator.seen.in_flight == 0
        assert not emulator.seen.rows_sent
        assert not [record for record in caplog.records if record.name != "asyncio"]


async def test_it_can_start_again_and_says_so_when_it_does_not_run():
    """
    An URL of a server that is not there helps nobody.
    """
    emulator = Emulator()
    for _ in range(2):
        with pytest.raises(UsageError, match="async with"):
            emulator.url  # noqa: B018 - asking is the test
        async with emulator:
            assert emulator.url.startswith("http://127.0.0.1:")
        assert emulator.base_urls == {}


async def test_a_port_in_use_is_said_clearly_and_leaves_nothing_open():
    """
    Two emulators on one machine is what happens first.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        emulator = Emulator(port=port)
        with pytest.raises(ConfigurationError, match=f"port {port}"):
            await emulator.start()
    async with emulator:
        assert emulator.url == f"http://127.0.0.1:{port}"


async def test_the_next_port_is_taken_for_the_second_environment_or_a_free_one():
    """
    `healthyroster emulate --port` prints addresses that can be guessed.
    """
    for _ in range(20):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1] - 1
            both = Emulator(port=port, environments=tuple(Environment))
            # Another program may have the one before.
            with contextlib.suppress(ConfigurationError):
                async with both as emulator:
                    assert emulator.url.endswith(f":{port}")
                    assert len(set(emulator.base_urls.values())) == 2
                    return
    pytest.fail("no port was free before a free one")


def test_with_instead_of_async_with_says_what_to_write():
    """
    The message is read by somebody in a notebook.
    """
    with pytest.raises(TypeError, match="async with"), Emulator():
        pass


def resident_bytes():
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no file of a disk
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_million_rows_cost_no_memory_and_block_nobody():
    """
    It stands in for a vendor with ten million rows on a laptop.
    """
    async with running(rows={"Organizations": 1_000_000}) as (emulator, caller):
        await caller.rows(1, 7, {"EndDate": "2025-01-03"})
        lags = []

        async def tick():
            while True:
                started = time.perf_counter()
                await asyncio.sleep(0.001)
                lags.append(time.perf_counter() - started)

        ticker = asyncio.create_task(tick())
        total, before, most = 0, resident_bytes(), 0
        async with caller.session.post(
            emulator.url + DATA.format(1, 7), headers=caller.headers()
        ) as response:
            async for piece in response.content.iter_any():
                total += len(piece)
                most = max(most, resident_bytes())
        ticker.cancel()

        assert total > 400e6
        assert most - before < 30e6
        # Half of the time of this loop is the client's.
        assert sorted(lags)[len(lags) * 9 // 10] < 0.05
        assert emulator.seen.rows_sent[1, 7] > 1_000_000
