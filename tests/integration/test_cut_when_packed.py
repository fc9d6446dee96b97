"""Answers that a gateway packs and cuts, and ends as HTTP says: no row is lost."""

import gzip
import sys
import zlib

import aiohttp
import brotli
import orjson
import pytest
from fakes import contract, credentials
from scripted_server import Server, answer

from healthyroster_async import (
    ConnectionLostError,
    ConnectionPool,
    Environment,
    ProtocolError,
    RetrySettings,
    ServerError,
)
from healthyroster_async.models import DataSourceDetail

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
ROWS = [{"id": n, "note": str(n * 7919)} for n in range(500)]
LINES = b"".join(orjson.dumps(row) + b"\n" for row in ROWS)
DETAIL = DataSourceDetail(id=1)
FAST = RetrySettings(base_delay=0.001, max_delay=0.001)
ONCE = RetrySettings(max_attempts=1)


def lines(body, coding):
    of_lines = {"Content-Type": "application/x-ndjson"}
    return answer(body=body, Content_Encoding=coding, **of_lines)


def cut(coding):
    """Return an answer that ends behind a row, under an honest Content-Length."""
    at = LINES.index(b"\n", len(LINES) // 2) + 1
    if coding == "br":
        packer = brotli.Compressor()
        return lines(packer.process(LINES[:at]) + packer.flush(), coding)
    if coding == "zstd":
        packer = zstd.ZstdCompressor()
        flush = packer.FLUSH_BLOCK
        return lines(packer.compress(LINES[:at]) + packer.flush(flush), coding)
    bits = {"gzip": 31, "deflate": 15}[coding]
    packer = zlib.compressobj(wbits=bits)
    return lines(packer.compress(LINES[:at]) + packer.flush(zlib.Z_SYNC_FLUSH), coding)


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("how", ["rows", "table"])
async def test_rows_whose_packing_has_no_end_are_asked_for_again(coding, how):
    whole = lines(PACKERS[coding](LINES), coding)
    async with (
        Server(cut(coding), then=whole) as server,
        server.pool(retry=FAST) as own,
    ):
        rows = own.session(1).reporting.rows(DETAIL)
        if how == "rows":
            assert await rows.to_list() == ROWS
        else:
            assert (await rows.to_arrow()).to_pylist() == ROWS

    assert len(server.requests) == 2


@pytest.mark.parametrize("coding", PACKERS)
async def test_a_file_whose_packing_has_no_end_is_no_answer(coding):
    async with Server(then=cut(coding)) as server, server.pool(retry=ONCE) as own:
        with pytest.raises(ConnectionLostError, match="has no end"):
            await own.session(1).request("GET", "/HealthcareProvider/{id}/File")


async def test_a_client_session_of_ones_own_does_no_worse():
    async with Server(then=cut("gzip")) as server, aiohttp.ClientSession() as client:
        pool = ConnectionPool(
            {Environment.SANDBOX: credentials()},
            contract=contract(base_urls={Environment.SANDBOX: server.url}),
            client_session=client,
            retry=ONCE,
        )
        async with pool as own:
            with pytest.raises(ConnectionLostError, match="has no end"):
                await own.session(1).reporting.rows(DETAIL).to_list()


async def test_how_an_error_is_packed_does_not_matter():
    """
    Its status does.
    """
    for coding in ("gzip", "compress"):
        sent = answer(500, b"not packed", Content_Encoding=coding)
        async with Server(then=sent) as server, server.pool(retry=ONCE) as own:
            with pytest.raises(ServerError):
                await own.session(1).reporting.data_sources()


async def test_a_coding_that_nobody_asked_for_is_named():
    sent = answer(body=b"[]", Content_Encoding="compress")
    async with Server(then=sent) as server, server.pool(retry=ONCE) as own:
        with pytest.raises(ProtocolError, match="'compress', which was not asked for"):
            await own.session(1).reporting.data_sources()


@pytest.mark.parametrize("coding", ["", "Identity", "utf-8", "identity, none"])
async def test_what_is_not_packed_may_say_so(coding):
    sent = answer(body=b"[]", Content_Encoding=coding)
    async with Server(then=sent) as server, server.pool(retry=ONCE) as own:
        assert list(await own.session(1).reporting.data_sources()) == []


async def test_nothing_may_be_packed():
    sent = answer(204, b"", Content_Encoding="gzip")
    async with Server(then=sent) as server, server.pool(retry=ONCE) as own:
        assert await own.session(1).reporting.rows(DETAIL).to_list() == []
