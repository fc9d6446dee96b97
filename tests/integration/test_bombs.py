"""A few bytes that unpack to gigabytes: refused, with memory that stays bounded."""

import asyncio
import gzip
import os
import sys
import tracemalloc
import zlib
from functools import partial

import brotli
import orjson
import pytest
from scripted_server import Server, answer

from healthyroster_async import (
    AnswerSettings,
    AnswerTooLargeError,
    DecodingError,
    RetrySettings,
    ServerError,
)
from healthyroster_async._rows import frames
from healthyroster_async._rows.splitter import BrokenRowsError, Splitter
from healthyroster_async.models import DataSourceDetail

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 2**20
DETAIL = DataSourceDetail(id=1)
ROW = b'{"note":"%s"},' % (b"x" * 100_000)
KINDS = {"zeros": (b"", b"\0" * MIB), "rows": (b"[", ROW * 10)}
# What gzip and deflate begin with, and what wbits makes the rest alone.
HEADS = {"gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "deflate": b"\x78\x9c"}
PACKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": partial(brotli.compress, quality=4),
    "zstd": zstd.compress,
}
CODINGS = list(PACKERS)


def packed(coding, head, block, times):
    """Return a bomb, quickly: packed blocks that look at none before are repeated."""
    if coding in HEADS:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
        again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        return HEADS[coding] + first + again * times
    if coding == "zstd":
        packer = zstd.ZstdCompressor(level=1)
        return packer.compress(head + block * times) + packer.flush()
    packer = brotli.Compressor(quality=1)
    return packer.process(head + block * times) + packer.flush()


def bomb(coding, kind):
    """Return an answer that is a GB of gzip, or less of what packs even more."""
    times = 1000 if coding in HEADS else 100
    body = packed(coding, *KINDS[kind], times)
    assert len(body) < 1.3 * MIB
    return answer(body=body, Content_Encoding=coding)


async def sources(clinic, folder):
    await clinic.reporting.data_sources()


async def each(clinic, folder):
    async with clinic.reporting.rows(DETAIL) as rows:
        async for row in rows:
            del row


async def table(clinic, folder):
    async with clinic.reporting.rows(DETAIL) as rows:
        async for batch in rows.batches():
            del batch


async def file(clinic, folder):
    await clinic.reporting.rows(DETAIL).to_ndjson(folder / "rows.ndjson")


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    ("read", "kind"),
    [(sources, "zeros"), (sources, "rows"), (each, "rows"), (table, "rows")],
)
async def test_a_bomb_is_refused_once_and_costs_little(coding, read, kind, tmp_path):
    """
    It is no lost connection, and asking again brings the next one.
    """
    sent = await asyncio.to_thread(bomb, coding, kind)
    await asyncio.to_thread(frames.arrow)
    tracemalloc.start()
    try:
        async with Server(then=sent) as server, server.pool(deadline=60) as own:
            tracemalloc.reset_peak()
            with pytest.raises(AnswerTooLargeError, match=r"AnswerSettings\.max_"):
                await read(own.session(1), tmp_path)
            peak = tracemalloc.get_traced_memory()[1]
        assert len(server.requests) == 1
    finally:
        tracemalloc.stop()

    assert peak < 80 * MIB


@pytest.mark.parametrize("coding", CODINGS)
async def test_what_is_no_rows_is_refused_before_it_is_large(coding, tmp_path):
    """
    Zeros begin no answer; of a file there is nothing left.
    """
    sent = await asyncio.to_thread(bomb, coding, "zeros")
    async with Server(then=sent) as server, server.pool(deadline=60) as own:
        for read in (each, table, file):
            with pytest.raises(DecodingError):
                await read(own.session(1), tmp_path)
        assert len(server.requests) == 3
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_an_error_page_may_be_a_bomb():
    """
    An answer that is read for its text only is read within the same bounds; its status
    says enough.
    """
    sent = answer(500, packed("gzip", *KINDS["zeros"], 1000), Content_Encoding="gzip")
    once = RetrySettings(max_attempts=1)
    async with Server(then=sent) as server, server.pool(retry=once) as own:
        with pytest.raises(ServerError) as caught:
            await own.session(1).reporting.data_sources()

    assert caught.value.response.body == b""


@pytest.mark.parametrize("coding", CODINGS)
async def test_rows_that_say_the_same_again_and_again_are_no_bomb(coding):
    """
    A report of nothing but nulls packs to a hundredth; to bound it is a setting.
    """
    nulls = dict.fromkeys(f"aColumnWithALongName{n}" for n in range(40))
    rows = [{"id": n, **nulls, "on": n * 7919 % 65521} for n in range(12_000)]
    raw = orjson.dumps(rows)
    assert len(raw) > 9 * MIB
    body = await asyncio.to_thread(PACKERS[coding], raw)
    sent = answer(body=body, Content_Encoding=coding)
    assert len(raw) / len(body) > 40
    async with Server(then=sent) as server:
        async with server.pool() as own:
            assert len(await own.session(1).reporting.rows(DETAIL).to_list()) == 12_000
        for bounds, said in (
            (AnswerSettings(max_stream=5 * MIB), "max_stream"),
            (AnswerSettings(max_ratio=20), "max_ratio"),
        ):
            async with server.pool(answers=bounds) as own:
                with pytest.raises(AnswerTooLargeError, match=said):
                    await own.session(1).reporting.rows(DETAIL).to_list()


async def test_the_most_that_is_read_whole_can_be_set():
    """
    Also where the first piece is the whole answer.
    """
    async with (
        Server(then=answer(body=b"[%s]" % (b" " * 1000))) as server,
        server.pool(answers=AnswerSettings(max_body=1000)) as own,
    ):
        with pytest.raises(AnswerTooLargeError, match="1000 bytes"):
            await own.session(1).reporting.data_sources()


@pytest.mark.parametrize("coding", CODINGS)
async def test_the_loop_goes_on_while_an_answer_is_unpacked(coding):
    """
    What is there already is not waited for, and others would wait for all of it.
    """
    row = b'{"note":"%s"}' % os.urandom(2000).hex().encode()
    body = b"[%s]" % b",".join([row] * 4000)
    sent = answer(body=PACKERS[coding](body), Content_Encoding=coding)
    await asyncio.to_thread(frames.arrow)
    steps = []

    async def watch(rows):
        seen = 0
        while True:
            steps.append(rows.bytes_read - seen)
            seen += steps[-1]
            await asyncio.sleep(0)

    settings = AnswerSettings(max_ratio=1e6)
    async with Server(then=sent) as server, server.pool(answers=settings) as own:
        rows = own.session(1).reporting.rows(DETAIL)
        watching = asyncio.create_task(watch(rows))
        table = await rows.to_arrow()
        watching.cancel()

    assert table.num_rows == 4000
    assert len(body) / 2 < sum(steps) <= len(body)
    assert max(steps) < MIB


def test_a_row_of_nothing_but_borders_costs_little():
    """
    After each of its empty objects a row might end, and a list of all those places is
    twenty times as large as they are.
    """
    splitter = Splitter(max_row=MIB, take=lambda _: None, last=list)
    row = b'[{"a":[' + b"{}," * (MIB // 3)
    tracemalloc.start()
    try:
        with pytest.raises(BrokenRowsError, match="larger than"):
            splitter.feed(row)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 25 * MIB
