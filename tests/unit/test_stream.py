"""Rows are decoded in small parts, with the loop's other work in between."""

import asyncio

import orjson
import pytest
from fakes import request, response

from healthyroster_async._rows.stream import RowStream

ROWS = [{"id": number, "note": "x" * 250} for number in range(20_000)]
RAW = orjson.dumps(ROWS)
# A part is a buffer that was nearly full and the piece that filled it, 32 KiB each;
# rows differ by some bytes.
MOST = 68 * 1024


class Body:
    """An answer that is all there already, in pieces of any size."""

    def __init__(self, raw, size):
        self.left = raw
        self.size = size

    async def read(self):
        piece, self.left = self.left[: self.size], self.left[self.size :]
        return piece

    def close(self):
        pass


class Source:
    def __init__(self, size):
        self.size = size

    def timed(self, request_):
        return request_

    async def open(self, request_):
        return response(request=request_, stream=Body(RAW, self.size))

    def ended(self, *_, **__):
        """Nobody wants to hear."""

    async def repeat(self, request_, call):
        return await call()


async def bytes_per_turn(stream, reading):
    """Return the most bytes of rows that came between two turns of the loop."""
    seen, most = 0, 0
    task = asyncio.ensure_future(reading)
    while not task.done():
        await asyncio.sleep(0)
        most = max(most, stream.row_count - seen)
        seen = stream.row_count
    return await task, most * len(RAW) / len(ROWS)


async def each(stream):
    async with stream:
        return [row async for row in stream]


@pytest.mark.parametrize("read", [each, RowStream.to_list])
@pytest.mark.parametrize("size", [1000, 64 * 1024, 1 << 20, len(RAW)])
async def test_a_fast_server_never_holds_the_loop(size, read):
    """
    100,000 rows decoded at once keep everything else waiting for most of a second.
    """
    stream = RowStream(request(stream=True), Source(size), None)
    rows, most = await bytes_per_turn(stream, read(stream))

    assert rows == ROWS
    assert most <= MOST
