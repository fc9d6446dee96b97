"""Rows as they come: a context manager to open, an iterator to read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self

from typing_extensions import override

from healthyroster_async._core.errors import (
    ConnectionLostError,
    DecodingError,
    TransportError,
    UsageError,
)
from healthyroster_async._core.messages import BodyStream, Request, Response
from healthyroster_async._rows.splitter import (
    BrokenRowsError,
    CutOffError,
    RowSplitter,
)

# A row that fills this is no row of a report.
_MAX_ROW = 16 * 2**20
_PIECE = 64 * 2**10


class RowSource(Protocol):
    """What a stream needs of the way of a request."""

    def open(self, request: Request) -> Awaitable[Response]:
        """Make one attempt."""
        ...

    def repeat(
        self, request: Request, call: Callable[[], Awaitable[Any]]
    ) -> Awaitable[Any]:
        """Await *call* within the deadline, several times if need be."""
        ...


class RowStream:
    """The rows of one data source, read as they come, in bounded memory.

    ::

        async with clinic.reporting.rows(7, StartDate="2026-01-01") as rows:
            async for row in rows:
                ...

    Leaving the block gives the connection back, however it is left. A connection lost
    on the way is replaced and the rows go on where they were: what was given before is
    compared with what comes again, byte by byte, and no row comes twice or is left out.
    If it differs, the data has changed meanwhile and ``DecodingError`` says so.

    It is its own iterator: ``await anext(rows)`` takes a row, and a loop goes on where
    the one before stopped. One task reads it, until its end or its first error.

    Values are those of JSON: dates are texts, and an integer of more than 64 bits comes
    as a float, which keeps its first 15 digits.

    Attributes:
        bytes_read: Bytes of the answer read so far, decompressed.
    """

    def __init__(
        self, request: Request, source: RowSource, rows_key: str | None
    ) -> None:
        self._request = request
        self._source = source
        self._splitter = RowSplitter(
            path=tuple(rows_key.split(".")) if rows_key else None, max_row=_MAX_ROW
        )
        self._body: BodyStream | None = None
        self._pending = b""
        self._opened = False
        self._closed = False
        self._reading = False
        self._part: Iterator[dict[str, Any]] = iter(())
        self.bytes_read: int = 0

    @property
    def row_count(self) -> int:
        """Rows given so far."""
        return self._splitter.rows

    async def to_list(self) -> list[dict[str, Any]]:
        """Return all rows at once; it needs no ``async with``.

        Raises:
            HealthyRosterError: As for a call; there is no list then, not a short one.
        """
        rows: list[dict[str, Any]] = []
        part: list[dict[str, Any]] | None = None
        try:
            async with self:
                while (part := await self._next_rows()) is not None:
                    rows += part
        except BaseException:
            # Error reporters print local variables.
            del rows, part
            raise
        return rows

    async def __aenter__(self) -> Self:
        if self._opened:
            raise UsageError("a row stream is read once; ask for the rows again")
        self._opened = True
        await self._source.repeat(self._request, self._connect)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._part = iter(())
        self._disconnect()

    def __enter__(self) -> NoReturn:
        raise UsageError("a row stream is opened with 'async with', not with 'with'")

    def __exit__(self, *_: object) -> None:
        """Stand here so that ``with`` gets as far as the explanation above."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while True:
            for row in self._part:
                return row
            part = await self._next_rows()
            if part is None:
                raise StopAsyncIteration
            self._part = iter(part)

    @override
    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._opened else "not opened"
        return f"<RowStream {self._request.label}: {state}, {self.row_count} rows>"

    async def _next_rows(self) -> list[dict[str, Any]] | None:
        if not self._opened or self._closed:
            raise UsageError(
                "a row stream is read inside its block: "
                "async with session.reporting.rows(...) as rows"
            )
        if self._splitter.complete:
            return None
        if self._reading:
            raise UsageError(
                "a row stream is read by one task, until its first error; ask for the "
                "rows again"
            )
        # It stays so if this fails or is cancelled: rows may have been lost.
        self._reading = True
        await asyncio.sleep(0)  # a fast server must not hold the loop
        part: list[dict[str, Any]] = await self._source.repeat(
            self._request, self._next_part
        )
        self._reading = False
        return part

    async def _connect(self) -> None:
        response = await self._source.open(self._request)
        assert response.stream is not None  # noqa: S101 - it was asked for as a stream
        if self._closed:
            response.stream.close()
            raise UsageError("the block of this row stream has been left")
        self._body = response.stream

    async def _next_part(self) -> list[dict[str, Any]]:
        if self._body is None:
            await self._connect()
            self._splitter.restart()
        try:
            return await self._read_part()
        except TransportError:
            self._disconnect()
            raise
        except CutOffError as error:
            self._disconnect()
            failure: Exception = ConnectionLostError(
                self._request, str(error), answered=True
            )
        except BrokenRowsError as error:
            failure = DecodingError(self._request.label, str(error))
        raise failure

    async def _read_part(self) -> list[dict[str, Any]]:
        assert self._body is not None  # noqa: S101 - it was just connected
        while True:
            if not self._pending:
                self._pending = await self._body.read()
                self.bytes_read += len(self._pending)
                if not self._pending:
                    break
            rows = self._splitter.feed(self._next_piece())
            if rows:
                return rows
        rows = self._splitter.finish()
        self._disconnect()
        return rows

    def _next_piece(self) -> bytes:
        # A fast server fills a quarter of a MiB at once; its rows would be a MiB of
        # objects, in each of many streams.
        piece, self._pending = self._pending[:_PIECE], self._pending[_PIECE:]
        return piece

    def _disconnect(self) -> None:
        self._pending = b""
        body, self._body = self._body, None
        if body is not None:
            body.close()
