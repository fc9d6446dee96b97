"""Reading the parts of an answer, over lost connections, exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from healthyroster_async._core.errors import (
    ConnectionLostError,
    DecodingError,
    TransportError,
    UsageError,
)
from healthyroster_async._core.messages import BodyStream, Request, Response
from healthyroster_async._rows.splitter import BrokenRowsError, CutOffError, Splitter

_P = TypeVar("_P", bound=Any)
_PIECE = 64 * 2**10
_LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl",
     "application/x-jsonlines", "application/jsonlines", "application/json-lines"}
)  # fmt: skip


class RowSource(Protocol):
    """What a reader needs of the way of a request."""

    def open(self, request: Request) -> Awaitable[Response]:
        """Make one attempt."""
        ...

    def repeat(
        self, request: Request, call: Callable[[], Awaitable[Any]]
    ) -> Awaitable[Any]:
        """Await *call* within the deadline, several times if need be."""
        ...


class Connection:
    """An answer that is read piece by piece, and asked for again if it breaks off.

    Attributes:
        bytes_read: Bytes read so far, decompressed.
        closed: Whether nothing is read any more.
    """

    def __init__(self, request: Request, source: RowSource) -> None:
        self.request = request
        self.source = source
        self.bytes_read = 0
        self.closed = False
        self.lines = False
        self._body: BodyStream | None = None
        self._pending = b""

    @property
    def open(self) -> bool:
        """Whether there is an answer to read."""
        return self._body is not None

    async def connect(self) -> None:
        """Make one attempt to get an answer."""
        response = await self.source.open(self.request)
        assert response.stream is not None  # noqa: S101 - it was asked for as a stream
        if self.closed:
            response.stream.close()
            raise UsageError("the block of this row stream has been left")
        media = response.headers.get("content-type", "").partition(";")[0]
        self.lines = media.strip().lower() in _LINES
        self._body = response.stream

    async def read(self, size: int) -> bytes:
        """Return the next bytes, *size* or less; none at the end."""
        assert self._body is not None  # noqa: S101 - it is connected
        if not self._pending:
            self._pending = await self._body.read()
            self.bytes_read += len(self._pending)
        # A fast server fills a quarter of a MiB at once; its rows would be a MiB of
        # objects, in each of many streams.
        piece, self._pending = self._pending[:size], self._pending[size:]
        return piece

    def disconnect(self) -> None:
        """Give the connection back."""
        self._pending = b""
        body, self._body = self._body, None
        if body is not None:
            body.close()


class Reader(Generic[_P]):
    """Gives the parts of an answer, each made by a splitter.

    Attributes:
        splitter: What cuts the answer.
    """

    def __init__(
        self, connection: Connection, splitter: Splitter[_P], *, threaded: bool
    ) -> None:
        """Make a reader.

        Args:
            connection: Where the answer comes from.
            splitter: What cuts it.
            threaded: Whether the splitter works in a thread, because it works long.
        """
        self.splitter = splitter
        self._connection = connection
        self._threaded = threaded
        self._reading = False
        self._fresh = True
        self._pieces: list[bytes] = []

    async def next(self) -> _P | None:
        """Return the next part, or ``None`` at the end.

        Raises:
            UsageError: Another task reads, or the part before failed.
            HealthyRosterError: As for a call.
        """
        if self.splitter.complete:
            return None
        if self._reading:
            raise UsageError(
                "a row stream is read by one task, until its first error; ask for the "
                "rows again"
            )
        # It stays so if this fails or is cancelled: rows may have been lost.
        self._reading = True
        await asyncio.sleep(0)  # a fast server must not hold the loop
        connection = self._connection
        part: _P = await connection.source.repeat(connection.request, self._part)
        self._reading = False
        return part

    async def _part(self) -> _P:
        connection = self._connection
        if not connection.open:
            await connection.connect()
            self.splitter.restart()
        if self._fresh and connection.lines:
            self.splitter.expect_lines()
        self._fresh = False
        try:
            return await self._read()
        except TransportError:
            self._disconnect()
            raise
        except CutOffError as error:
            self._disconnect()
            failure: Exception = ConnectionLostError(
                connection.request, str(error), answered=True
            )
        except BrokenRowsError as error:
            failure = DecodingError(connection.request.label, str(error))
        raise failure

    async def _read(self) -> _P:
        splitter, connection = self.splitter, self._connection
        while await self._gather(connection):
            part = await self._work(self._feed)
            if part is not None:
                return part  # type: ignore[no-any-return]
        last: _P = await self._work(splitter.finish)
        if splitter.complete:
            self._disconnect()
        return last

    async def _gather(self, connection: Connection) -> bool:
        """Take what comes next; return whether anything came.

        It is no local variable anywhere: error reporters print those.
        """
        size, wanted = 0, self.splitter.wanted if self._threaded else 0
        while True:
            self._pieces.append(await connection.read(_PIECE))
            size += len(self._pieces[-1])
            # A thread costs as much as reading some pieces: it gets what it waits for.
            if not self._pieces[-1] or size >= wanted:
                return size > 0

    def _disconnect(self) -> None:
        self._pieces.clear()
        self._connection.disconnect()

    def _feed(self) -> _P | None:
        return self.splitter.feed(self._taken())

    def _taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    async def _work(self, call: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(call) if self._threaded else call()
