"""A part is made in a thread, while the next one is read: no more, and none is lost."""

import asyncio
import contextlib
import gc
import threading

import orjson
import pytest
from fakes import request, response

from healthyroster_async import ConnectionLostError, DecodingError, UsageError
from healthyroster_async._rows import splitter as module
from healthyroster_async._rows.reader import Connection, Reader
from healthyroster_async._rows.splitter import (
    PART,
    BrokenRowsError,
    Splitter,
    rows_of,
)
from healthyroster_async._rows.stream import RowStream

ROWS = [{"id": number, "note": "x" * 500} for number in range(4000)]
RAW = orjson.dumps(ROWS)
PIECE = 10_000


class Body:
    """Gives an answer in pieces; at one it fails and loses it, or never goes on."""

    def __init__(self, raw, fails_at=None, hangs_at=None):
        self.raw = raw
        self.at = 0
        self.fails_at = fails_at
        self.hangs_at = hangs_at

    async def read(self):
        await asyncio.sleep(0)
        if self.fails_at is not None and self.at >= self.fails_at:
            self.fails_at = None
            self.at += PIECE
            raise ConnectionLostError(request(), "the connection was lost", True)
        if self.hangs_at is not None and self.at >= self.hangs_at:
            await asyncio.Event().wait()
        piece = self.raw[self.at : self.at + PIECE]
        self.at += len(piece)
        return piece

    def close(self):
        pass


class Source:
    """Opens one body after the other, and tries again as long as there is one."""

    def __init__(self, *bodies):
        self.bodies = list(bodies)
        self.tries = 0

    def timed(self, request_):
        return request_

    async def open(self, request_):
        self.tries += 1
        return response(stream=self.bodies.pop(0))

    def ended(self, *_, **__):
        """Nobody wants to hear."""

    async def repeat(self, request_, call):
        while True:
            try:
                return await call()
            except ConnectionLostError:
                if not self.bodies:
                    raise


def reader_of(*bodies, take=rows_of):
    splitter = Splitter(path=None, max_row=1 << 20, take=take, last=list, part=2 * PART)
    connection = Connection(request(), Source(*bodies))
    return Reader(connection, splitter, threaded=True)


async def into(rows, reader):
    while (part := await reader.next()) is not None:
        rows += part
    return rows


@pytest.mark.parametrize("lost_at", [5 * PART, 9 * PART, 13 * PART])
async def test_a_connection_lost_while_reading_ahead_costs_and_repeats_no_row(lost_at):
    """
    What had come before is given first; the error belongs to what comes next.
    """
    reader = reader_of(Body(RAW, fails_at=lost_at), Body(RAW))

    assert await into([], reader) == ROWS
    assert reader._connection.source.tries == 2


async def test_an_error_of_what_comes_next_waits_until_that_is_asked_for():
    """
    A part that is whole is not thrown away for it.
    """
    reader = reader_of(Body(RAW, fails_at=5 * PART))
    got = []
    with pytest.raises(ConnectionLostError):
        await into(got, reader)

    assert 3 * PART < len(orjson.dumps(got)) < 5 * PART
    assert got == ROWS[: len(got)]


async def test_other_rows_after_a_lost_connection_are_refused():
    """
    One digit differs, in a part that was given.
    """
    other = RAW.replace(b'"id":7,', b'"id":8,', 1)
    reader = reader_of(Body(RAW, fails_at=9 * PART), Body(other))

    with pytest.raises(DecodingError, match="other rows than before"):
        await into([], reader)


async def test_no_more_than_a_part_is_read_ahead():
    """
    Else a slow disk would have a whole answer in memory.
    """
    body = Body(RAW)
    reader = reader_of(body)
    given = 0
    while (part := await reader.next()) is not None:
        given += len(orjson.dumps(part))
        for _ in range(20):
            await asyncio.sleep(0)
        assert body.at - given < 2 * 2 * PART + 2 * PIECE


async def test_the_first_part_is_small_and_nothing_is_read_ahead_of_it():
    """
    It is made value by value, and the event loop waits for who works in Python.
    """
    body = Body(RAW)
    first = await reader_of(body).next()

    assert 0 < len(orjson.dumps(first)) < PART + PIECE
    assert body.at < PART + 2 * PIECE


async def test_a_reader_that_is_cancelled_while_it_reads_ahead_ends(caplog):
    """
    And says nothing of a part that nobody takes any more, not even that it is broken.
    """
    goes_on = threading.Event()

    def take(text):
        goes_on.wait(5)
        raise BrokenRowsError("the array holds something that is no object")

    reader = reader_of(Body(RAW, hangs_at=2 * PART), take=take)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.next()
    goes_on.set()
    await asyncio.sleep(0.1)
    gc.collect()

    with pytest.raises(UsageError, match="first error"):
        await reader.next()
    assert not caplog.records


@pytest.mark.parametrize("rows", [b'[{"id":1}]', b"null"])
async def test_what_stands_before_the_rows_does_not_hold_the_loop(rows, monkeypatch):
    """
    Some MiB of it may be looked through for seconds, also where rows come as dicts.
    """
    looked = []

    def find(head, wanted):
        if len(head) > 5 * PART:
            looked.append(threading.current_thread())
        return find_rows(head, wanted)

    find_rows = module.find_rows
    monkeypatch.setattr(module, "find_rows", find)
    raw = b'{"meta":[' + b"1," * 2**17 + b'1],"rows":' + rows + b"}"
    with contextlib.suppress(DecodingError):
        await RowStream(request(stream=True), Source(Body(raw)), None).to_list()

    assert looked
    assert threading.main_thread() not in looked
