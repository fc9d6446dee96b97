"""Data sources and rows, over real sockets."""

import asyncio
import json
from collections.abc import Awaitable, Iterable, Sequence
from datetime import date

import pytest

from healthyroster_async import (
    AuthenticationError,
    ConfigurationError,
    ConnectionPool,
    Contract,
    Credentials,
    DeadlineExceededError,
    DecodingError,
    Environment,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    PacingSettings,
    UsageError,
)
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.models import DataSourceDetail

NAMES = {
    "Patients", "Encounters", "Problems", "Incident Reports", "Referrals", "Services",
    "Organizations", "Teams", "Providers",
}  # fmt: skip


@pytest.mark.parametrize("casing", ["camel", "pascal", "snake"])
@pytest.mark.parametrize("ids", ["int", "guid", "text"])
@pytest.mark.parametrize("wrapped", [None, "items", "anything"])
async def test_models_tolerate_what_is_not_publicly_known(casing, ids, wrapped):
    """
    Key casing, kinds of ids and envelopes differ between installations.
    """
    async with (
        Emulator(
            providers=1, rows=3, key_casing=casing, id_style=ids, list_envelope=wrapped
        ) as emulator,
        emulator.pool() as pool,
    ):
        clinic = pool.session(1)
        sources = await clinic.reporting.data_sources()
        detail = await clinic.reporting.data_source(sources[0].id)
        rows = await clinic.reporting.rows(sources[0].id).to_list()

    assert {source.name for source in sources} >= NAMES
    assert [source.id for source in sources] == list(emulator.sources)
    assert detail.id == sources[0].id
    assert 15 <= len(detail.fields) <= 45
    assert [field.name for field in detail.fields] == list(rows[0])
    assert all(field.type for field in detail.fields)
    assert {p.name.lower().replace("_", "") for p in detail.parameters} >= {
        "startdate",
        "enddate",
    }


@pytest.mark.parametrize(
    "url", ["https://u:canary@[bad/x", "https:/u:canary@host/x", "http:u:canary@h/x"]
)
def test_a_url_that_is_none_is_told_without_its_password(url):
    """
    A slip in it is no reason to print what stands in it.
    """
    with pytest.raises(ConfigurationError) as error:
        Contract.from_swagger(url)

    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("http://example.test/swagger.json", "plain http"),
        ("ftp://example.test/swagger.json", "plain http"),
        (
            "https://u:canary@example.test/s.json",
            r"\(https://example.test/s.json\) has",
        ),
        ("/moved", "cannot be read"),
    ],
)
async def test_a_document_is_not_followed_to_plain_http(location, sentence):
    """
    A redirect is how an https address ends where the document can be altered.
    """
    asked = []

    async def answer(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split()[1])
        status = "404 Not Found" if "/moved" in head else "302 Found"
        writer.write(
            f"HTTP/1.1 {status}\r\nLocation: {location}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/swagger.json?key=s3cr3t"
        with pytest.raises(ConfigurationError, match=sentence) as caught:
            await asyncio.to_thread(Contract.from_swagger, url)

    assert asked[0].startswith("/swagger.json")
    assert len(asked) == (2 if location == "/moved" else 1)
    assert "s3cr3t" not in str(caught.value)


async def test_a_data_source_may_be_given_as_itself():
    """
    Everybody forgets the .id once.
    """
    async with Emulator(providers=1, rows=3) as emulator, emulator.pool() as pool:
        reporting = pool.session(1).reporting
        source = (await reporting.data_sources())[1]
        detail = await reporting.data_source(source)

        assert detail == await reporting.data_source(source.id)
        assert detail == await reporting.data_source(detail)
        for given in (source, detail, source.id):
            assert len(await reporting.rows(given).to_list()) == 3
        with pytest.raises(ConfigurationError, match="no id"):
            reporting.rows(DataSourceDetail(name="Patients"))
        with pytest.raises(ConfigurationError, match="is a list; give an int"):
            reporting.rows([source])
        for asked in (
            reporting.data_source(source.name),
            reporting.rows(source.name).to_list(),
        ):
            with pytest.raises(NotFoundError, match=r"wrong \(a name is none\)"):
                await asked


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("settings", "encodings"),
    [
        ({}, None),
        ({"envelope": "data"}, None),
        ({"envelope": "result.rows"}, None),
        ({"envelope": "whatever.theyCallIt"}, None),
        ({"pretty": True}, None),
        ({"pretty": True, "envelope": "data", "nested": True}, None),
        ({"nested": True, "key_casing": "pascal"}, None),
        ({"compression": "gzip"}, "gzip"),
        ({"compression": "deflate", "envelope": "items"}, "deflate"),
        ({"compression": "br"}, "br"),
        ({"compression": "zstd"}, "zstd"),
    ],
    ids=str,
)
async def test_every_row_comes_once_however_the_answer_is_wrapped(settings, encodings):
    """
    A bare array, an envelope under any key, pretty-printed, nested, compressed.
    """
    async with (
        Emulator(providers=2, rows=1500, **settings) as emulator,
        emulator.pool() as pool,
    ):
        for source in emulator.sources:
            async with pool.session(2).reporting.rows(source) as rows:
                seen = [row async for row in rows]

            first = next(iter(seen[0]))
            assert len(seen) == emulator.expected_rows(2, source) == rows.row_count
            assert len({row[first] for row in seen}) == len(seen)
            assert emulator.seen.rows_sent[2, source] == len(seen)
            assert rows.bytes_read >= len(json.dumps(seen[0]))


async def test_no_rows_are_no_error():
    """
    A new clinic has no encounters yet.
    """
    for envelope in (None, "data", "anything.atAll"):
        async with (
            Emulator(providers=1, rows=0, envelope=envelope) as emulator,
            emulator.pool() as pool,
        ):
            assert await pool.session(1).reporting.rows(1).to_list() == []


async def test_parameters_filter_the_rows():
    """
    Dates are given as dates, and arrive as the API wants them.
    """
    async with Emulator(providers=1, rows=5000) as emulator, emulator.pool() as pool:
        given = {"StartDate": date(2024, 1, 1), "EndDate": date(2025, 3, 1)}
        rows = await pool.session(1).reporting.rows(1, **given).to_list()
        texts = {name: day.isoformat() for name, day in given.items()}

    assert 0 < len(rows) == emulator.expected_rows(1, 1, **texts) < 5000


async def test_every_refusal_has_its_error():
    """
    Callers decide by class, and the text says what to do.
    """
    denied = [(1, "rows"), (2, "*")]
    async with (
        Emulator(providers=3, denied=denied) as emulator,
        emulator.pool() as pool,
    ):
        one, two, three = (pool.session(n).reporting for n in (1, 2, 3))
        with pytest.raises(ForbiddenError, match="both this Healthcare Provider"):
            await two.data_sources()
        with pytest.raises(ForbiddenError):
            async with one.rows(1):
                pass
        with pytest.raises(NotFoundError):
            await three.data_source(999)
        with pytest.raises(NotFoundError):
            await pool.session(99).reporting.data_sources()
        with pytest.raises(InvalidRequestError):
            await three.rows(1, NoSuchParameter=1).to_list()
        with pytest.raises(ConfigurationError, match="StartDate"):
            three.rows(1, StartDate=object())
        stats = pool.stats()[Environment.SANDBOX]

        assert stats.attempts == 5 == emulator.seen.requests
        assert (stats.denied, stats.retries, stats.open_streams) == (2, 0, 0)


async def test_wrong_credentials_are_told_and_not_repeated():
    """
    A 401 is never retried: some vendors lock the account.
    """
    async with Emulator(providers=1) as emulator:
        wrong = {Environment.SANDBOX: Credentials("app", "wrong")}
        async with ConnectionPool(wrong, contract=emulator.contract()) as pool:
            with pytest.raises(AuthenticationError, match="sandbox"):
                await pool.session(1).reporting.data_sources()

        assert emulator.seen.requests == 1


async def test_a_stream_is_used_as_it_is_meant():
    """
    Wrong use says what is wrong, and costs nothing.
    """
    async with Emulator(providers=1, rows=50) as emulator, emulator.pool() as pool:
        reporting = pool.session(1).reporting
        rows = reporting.rows(1)
        with pytest.raises(UsageError, match="async with"):
            await anext(aiter(rows))
        with pytest.raises(UsageError, match="async with"), reporting.rows(1):
            pass
        for wrong in (list, lambda rows: [*rows], lambda rows: rows[0]):
            with pytest.raises(UsageError, match=r"'async for row in rows'.*to_list"):
                wrong(rows)
        assert not isinstance(rows, Iterable | Sequence | Awaitable)
        async with rows:
            async for _ in rows:
                break
            assert await anext(aiter(rows))
            with pytest.raises(UsageError, match="read once"):
                await rows.to_list()
        with pytest.raises(UsageError, match="read once"):
            await rows.to_list()
        with pytest.raises(UsageError, match="inside its block"):
            await anext(aiter(rows))
        assert "closed" in repr(rows)

        assert pool.stats()[Environment.SANDBOX].open_streams == 0


async def test_what_is_no_json_is_said_by_kind_and_not_by_content():
    """
    An HTML page of a gateway must not end up in a log.
    """
    async with (
        Emulator(providers=1, faults=[Fault(kind="html", status=200)]) as emulator,
        emulator.pool() as pool,
    ):
        with pytest.raises(DecodingError, match="text/html"):
            await pool.session(1).reporting.data_sources()
        with pytest.raises(DecodingError):
            await pool.session(1).reporting.rows(1).to_list()


async def test_any_path_below_a_provider_can_be_asked():
    """
    Endpoints that have no method yet are called by their path.
    """
    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        clinic = pool.session(1)
        answer = await clinic.request(
            "get",
            "/healthcareprovider/{id}/reporting/datasources/{source}",
            values={"source": 1},
            query={"x": ["a b", 2]},
        )
        rows = await clinic.request(
            "POST",
            "/HealthcareProvider/{id}/Reporting/Datasources/{source}/Data",
            values={"source": 1},
            json={"StartDate": "2026-01-01"},
            safe=True,
        )
        for wrong in (
            {"method": "FETCH"},
            {"path": "/NoProvider"},
            {"path": "HealthcareProvider/{id}"},
            {"path": "//evil.test/{id}"},
            {"path": "/x/../{id}"},
            {"path": "/x/{id}?y=1"},
            {"values": {"other": 1}},
            {"json": object()},
        ):
            with pytest.raises(ConfigurationError):
                await clinic.request(**({"method": "GET", "path": "/x/{id}/y"} | wrong))

    assert json.loads(answer.body)["id"] == 1
    assert isinstance(json.loads(rows.body), list)
    assert emulator.seen.requests == 2


async def test_the_emulators_own_document_is_a_contract():
    """
    What the command prints to export must be enough.
    """
    both = (Environment.SANDBOX, Environment.PRODUCTION)
    async with Emulator(
        environments=both,
        application_id_header="X-Clinic-App",
        application_secret_header="X-Clinic-Secret",
        path_prefix="/api/v2",
    ) as emulator:
        with pytest.raises(UsageError, match="to_thread"):
            Contract.from_swagger(emulator.swagger_url)
        contract = await asyncio.to_thread(Contract.from_swagger, emulator.swagger_url)
        assert contract.base_urls == emulator.base_urls
        async with emulator.pool() as pool:
            for environment in both:
                clinic = pool.session(1, environment=environment)
                assert len(await clinic.reporting.data_sources()) >= 9

    assert contract.application_id_header == "X-Clinic-App"
    assert contract.application_secret_header == "X-Clinic-Secret"


async def test_streams_inside_streams_end_by_their_deadline():
    """
    Where all permits are held by tasks that wait for another one, nobody moves: the
    docstring of rows says so, and that a deadline is the way out.
    """
    async with (
        Emulator(providers=2, rows=50) as emulator,
        emulator.pool(pacing=PacingSettings(max_streams=2)) as own,
    ):
        both_open = asyncio.Barrier(2)

        async def nested(clinic):
            inner = clinic.with_options(deadline=0.5)
            async with clinic.reporting.rows(1):
                await both_open.wait()
                return await inner.reporting.rows(2).to_list()

        outcomes = await own.fan_out([1, 2], nested)
        after = await own.session(1).reporting.rows(1).to_list()
        stats = own.stats()[Environment.SANDBOX]

    assert {type(error) for error in outcomes.failed.values()} <= {
        DeadlineExceededError
    }
    assert outcomes.failed
    assert len(after) == 50
    assert (stats.open_streams, stats.waiting) == (0, 0)
