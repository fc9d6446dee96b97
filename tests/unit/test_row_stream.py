"""A row stream is an async iterator, over a fake body."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from fakes import SlowScript, request, response

from healthyroster_async import (
    ConnectionLostError,
    DeadlineExceededError,
    DecodingError,
    PacingSettings,
    UsageError,
)
from healthyroster_async._rows.reader import to_the_end
from healthyroster_async._rows.stream import RowStream
from healthyroster_async._rows.windowed import WindowedRows
from healthyroster_async.models import DataSourceDetail, DataSourceParameter
from healthyroster_async.testing import Answer, ScriptedTransport, scripted_pool

ROWS = [{"id": number, "note": "x" * 500} for number in range(1000)]
RAW = orjson.dumps(ROWS)


class Body:
    """Gives an answer in pieces, slowly, and fails at a piece if it is to."""

    def __init__(self, raw, fails_at=None):
        self.raw = raw
        self.at = 0
        self.fails_at = fails_at
        self.closed = False

    async def read(self):
        await asyncio.sleep(1)
        if self.fails_at is not None and self.at >= self.fails_at:
            raise ConnectionLostError(request(), "the connection was lost", True)
        piece = self.raw[self.at : self.at + 100_000]
        self.at += len(piece)
        return piece

    def close(self):
        self.closed = True


class Source:
    """Makes one attempt, and no other."""

    def __init__(self, raw=RAW, *, opens_in=0, lines=False, **settings):
        self.body = Body(raw, **settings)
        self.opens_in = opens_in
        media = "application/x-ndjson" if lines else "application/json"
        self.headers = {"content-type": media}

    def timed(self, request_):
        return request_

    async def open(self, request_):
        await asyncio.sleep(self.opens_in)
        return response(headers=self.headers, stream=self.body)

    def ended(self, *_, **__):
        """Nobody wants to hear."""

    def repeat(self, request_, call):
        return call()


def stream(**settings):
    return RowStream(request(), Source(**settings), None)


async def rest(rows):
    return [row async for row in rows]


async def test_a_stream_is_its_own_iterator():
    """
    ``anext`` and everything else that takes an async iterator takes rows.
    """
    async with stream() as rows:
        assert isinstance(rows, AsyncIterator)
        assert aiter(rows) is rows
        assert await anext(rows) == ROWS[0]


async def test_a_loop_goes_on_where_the_one_before_stopped():
    """
    The first row for the header, a few to look at, then the rest: none twice.
    """
    got = []
    async with stream() as rows:
        got.append(await anext(rows))
        async for row in rows:
            got.append(row)
            if len(got) == 300:
                break
        got.append(await anext(rows))
        got += await rest(rows)
        assert await anext(rows, "end") == "end"

    assert got == ROWS


async def test_what_is_left_is_not_read_outside_the_block():
    """
    Rows that have come already are gone with the connection, not only the others.
    """
    async with stream() as rows:
        await anext(rows)

    with pytest.raises(UsageError, match="inside its block"):
        await anext(rows)
    with pytest.raises(UsageError, match="inside its block"):
        await rest(rows)
    assert rows._connection.source.body.closed


async def test_a_stream_that_broke_off_does_not_look_as_if_it_had_ended():
    """
    Who catches the error and goes on must not take the rest for nothing.
    """
    async with stream(fails_at=300_000) as rows:
        with pytest.raises(ConnectionLostError):
            await rest(rows)
        assert 0 < rows.row_count < 1000
        with pytest.raises(UsageError, match="first error"):
            await anext(rows)


@pytest.mark.parametrize("kind", ["plain", "windows", "uncut windows"])
async def test_a_stream_that_did_not_open_is_not_read(kind):
    """
    Who tries again must not get an empty list, nor take a place that nobody gives back.
    """

    async def refuse(*_):
        raise ConnectionLostError(request(), "the connection was lost", False)

    async def cut():
        return [plain]

    source = Source()
    source.open = refuse
    plain = RowStream(request(), source, None)
    rows = {
        "plain": plain,
        "windows": WindowedRows(request(), source, no_fields, cut),
        "uncut windows": WindowedRows(request(), source, no_fields, refuse),
    }[kind]
    with pytest.raises(ConnectionLostError):
        await rows.to_list()

    with pytest.raises(UsageError, match="read once"):
        await rows.to_list()


async def test_a_cancelled_read_ends_the_stream():
    """
    What was under way may be lost, so there is no next row.
    """
    async with stream() as rows:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(rows)
        with pytest.raises(UsageError, match="first error"):
            await anext(rows)


async def test_two_tasks_do_not_share_a_stream():
    """
    Each would get some of the rows, in no order.
    """
    async with stream() as rows:
        first = asyncio.create_task(anext(rows))
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="one task"):
            await anext(rows)
        assert await first == ROWS[0]
        assert (await anext(rows)) == ROWS[1]


async def test_junk_is_told_as_what_cannot_be_decoded():
    """
    A failure of one provider, that the others outlive.
    """
    for raw in (b'{"a":' * 2000, b"<html>", b'{"a":1}', b"[1]"):
        async with stream(raw=raw) as rows:
            with pytest.raises(DecodingError):
                await anext(rows)


async def test_no_content_is_no_rows():
    """
    It was taken for an answer that broke off, and asked for again and again.
    """
    transport = ScriptedTransport([Answer(204)])
    async with scripted_pool(transport) as pool:
        assert await pool.session(1).reporting.rows(7).to_list() == []

    transport.assert_played()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"1e400", "64 bits of floating point"),
        (b'"\\ud800"', "no Unicode"),
        (b"-1e999", "64 bits of floating point"),
        (b'[{"c":"\\udc00"}]', "no Unicode"),
        (b'"caf\xe9"', None),
    ],
)
@pytest.mark.parametrize("many", [1, 3000])
@pytest.mark.parametrize("before", [0, 2000])
@pytest.mark.parametrize("lines", [False, True])
async def test_what_python_cannot_hold_is_no_lost_connection(
    value, why, many, before, lines
):
    """
    It is there again in the next answer, so nobody asks for that; it can be found.
    """
    said = "the answer is not in UTF-8"
    if why is not None:
        said = f"row {before} of the answer, counted from 0, has in 'b' .*{why}"
    rows_ = [b'{"a":1}'] * before + [b'{"a":1,"b":%s}' % value] * many
    raw = b"\n".join(rows_) if lines else b"[" + b",".join(rows_) + b"]"
    async with stream(raw=raw, lines=lines) as rows:
        with pytest.raises(DecodingError, match=said):
            await rest(rows)


async def test_a_character_that_is_cut_in_two_is_a_lost_connection():
    """
    The rest of it is lost, and comes when the answer is asked for again.
    """
    raw = b'[{"a":1,"b":"caf\xc3'
    async with stream(raw=raw) as rows:
        with pytest.raises(ConnectionLostError):
            await rest(rows)


def windows(*opened_in):
    """Return a stream of windows that open in so many seconds, and their bodies."""

    sources = [Source(opens_in=seconds) for seconds in opened_in]

    async def cut():
        return [RowStream(request(), source, None) for source in sources]

    rows = WindowedRows(request(), Source(), no_fields, cut)
    return rows, [source.body for source in sources]


async def no_fields():
    return {}


async def test_windows_are_closed_also_by_who_is_cancelled_on_the_way_out():
    """
    One that stays open holds its place and its connection for good.
    """
    rows, bodies = windows(0, 0, 60)
    leaving = asyncio.Event()

    async def read():
        async with rows:
            await anext(rows)
            leaving.set()

    reading = asyncio.create_task(read())
    await leaving.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert [body.closed for body in bodies] == [True, True, False]


async def test_who_is_cancelled_between_two_windows_may_read_on():
    """
    Nothing was lost there; and nobody is cancelled for it who was not.
    """
    rows, _ = windows(0, 60)
    async with rows:
        got = [await anext(rows) for _ in ROWS]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await anext(rows)
        got += await rest(rows)

    assert got == ROWS * 2


@pytest.mark.parametrize("times", [1, 2])
async def test_who_is_cancelled_waits_for_what_writes(times):
    """
    A file is not closed while a thread writes into it.
    """
    steps = []
    under_way, may_end = asyncio.Event(), asyncio.Event()

    async def write():
        steps.append("begun")
        under_way.set()
        await may_end.wait()
        steps.append("written")

    async def work():
        try:
            await to_the_end(write())
        finally:
            steps.append("closed")

    working = asyncio.create_task(work())
    await under_way.wait()
    for _ in range(times):
        working.cancel()
        await asyncio.sleep(0.5)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert steps == ["begun", "written", "closed"]


async def test_its_deadline_runs_from_its_opening():
    """
    Whoever makes streams first and reads them in turn must not see them fail unsent.
    """
    async with scripted_pool(SlowScript([[{"id": 1}]]), deadline=1.0) as pool:
        rows = pool.session(1).reporting.rows(7)
        await asyncio.sleep(2.0)

        assert await rows.to_list() == [{"id": 1}]


async def test_a_deadline_that_passes_in_the_queue_says_so():
    """
    A web app tells its client to come again, and not that the API was slow.
    """
    one, script = PacingSettings(max_streams=1), SlowScript([[{"id": 1}]])
    async with scripted_pool(script, pacing=one, deadline=3.0) as pool:
        reporting = pool.session(1).reporting
        async with reporting.rows(7):
            with pytest.raises(DeadlineExceededError) as caught:
                await reporting.rows(7).to_list()

    assert caught.value.wait == pytest.approx(3.0)


async def test_all_windows_have_one_deadline_from_the_opening():
    """
    A range of dates is one thing to read, in however many answers it comes.
    """
    dates = (DataSourceParameter(name=n, type="date") for n in ("FromDate", "ToDate"))
    visits = DataSourceDetail(id=1, parameters=tuple(dates))
    window = {"since": "2025-01-01", "window": "month", "end_inclusive": True}
    async with scripted_pool(SlowScript(lambda _: [{"id": 1}]), deadline=1.0) as pool:
        reporting = pool.session(1).reporting
        few = reporting.rows(visits, until="2025-04-01", **window)
        many = reporting.rows(visits, until="2025-07-01", **window)
        await asyncio.sleep(2.0)

        assert len(await few.to_list()) == 3
        with pytest.raises(DeadlineExceededError):
            await many.to_list()
