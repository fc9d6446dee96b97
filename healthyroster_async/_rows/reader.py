"""Reading the parts of an answer, over lost connections, exactly."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from healthyroster_async._core.errors import (
    ConnectionLostError,
    DecodingError,
    TransportError,
    UsageError,
    of_call,
)
from healthyroster_async._core.identifiers import correlation_id
from healthyroster_async._core.messages import BodyStream, Request, Response
from healthyroster_async._core.places import leave
from healthyroster_async._rows.splitter import BrokenRowsError, CutOffError, Splitter

_P = TypeVar("_P", bound=Any)
CORES = os.cpu_count() or 1
# One fewer than there are cores: where threads of a larger pool take turns at the work,
# each comes rested, and the system lets it go before the event loop.
_threads: WeakKeyDictionary[asyncio.AbstractEventLoop, list[ThreadPoolExecutor]] = (
    WeakKeyDictionary()
)
# Whether a task works on the core that is else left to the event loop.
on_last_core: ContextVar[bool] = ContextVar("on_last_core", default=False)
_PIECE, _MOST = 32 * 2**10, 2**20
_NO_CONTENT = 204
_LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl",
     "application/x-jsonlines", "application/jsonlines", "application/json-lines"}
)  # fmt: skip


def in_thread(call: Callable[..., _P], *args: Any) -> asyncio.Future[_P]:
    """Do what takes long in a thread beside the event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _threads:
        _threads[loop] = [
            ThreadPoolExecutor(max(1, CORES - 1), "healthyroster-rows"),
            ThreadPoolExecutor(1, "healthyroster-last"),
        ]
    return loop.run_in_executor(_threads[loop][on_last_core.get()], call, *args)


def blocking(call: Callable[..., _P], *args: Any) -> asyncio.Future[_P]:
    """Do what waits for the disk in another thread.

    It is no task: a loop that is closed cancels those, and the thread goes on.
    """
    return asyncio.get_running_loop().run_in_executor(None, call, *args)


async def to_the_end(doing: Awaitable[_P]) -> _P:
    """Await what must not go on when nobody waits for it any more.

    A file is closed when nothing writes into it, also by who is cancelled, and by who
    is cancelled again meanwhile, as when somebody presses Ctrl-C twice.
    """
    task = asyncio.ensure_future(doing)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # who is cancelled does not want to know, but it is seen
    raise cancelled


class TooManyRowsError(Exception):
    """An answer has more rows than whoever reads it takes."""


class RowSource(Protocol):
    """What a reader needs of the way of a request."""

    def timed(self, request: Request) -> Request:
        """Return a request whose deadline runs from now, unless it runs already."""
        ...

    def open(self, request: Request) -> Awaitable[Response]:
        """Make one attempt."""
        ...

    def repeat(
        self, request: Request, call: Callable[[], Awaitable[Any]]
    ) -> Awaitable[Any]:
        """Await *call* within the deadline, several times if need be."""
        ...

    def ended(
        self,
        request: Request,
        *,
        rows: int,
        size: int,
        seconds: float,
        error: str | None,
        correlation: str | None,
    ) -> None:
        """Hear that nothing more is read of an answer."""
        ...


class Connection:
    """An answer that is read piece by piece, and asked for again if it breaks off.

    Attributes:
        bytes_read: Bytes read so far, decompressed.
        closed: Whether nothing is read any more.
        most_rows: Rows after which it is given up; ``None`` for no bound.
        correlation_id: What the API calls the request, if it said so.
    """

    def __init__(self, request: Request, source: RowSource) -> None:
        self.request = request
        self.source = source
        self.bytes_read = 0
        self.closed = False
        self.most_rows: int | None = None
        self.lines = False
        self.correlation_id: str | None = None
        self._body: BodyStream | None = None
        self._pending = b""
        self._at = 0

    @property
    def open(self) -> bool:
        """Whether there is an answer to read."""
        return self._body is not None

    def begin(self) -> None:
        """Let the deadline run from now, unless it runs already."""
        self.request = self.source.timed(self.request)

    async def connect(self) -> None:
        """Make one attempt to get an answer."""
        try:
            response = await self.source.open(self.request)
        finally:
            if self.closed:
                leave(self.request)
        assert response.stream is not None  # noqa: S101 - it was asked for as a stream
        if self.closed:
            response.stream.close()
            raise UsageError("the block of this row stream has been left")
        media = response.headers.get("content-type", "").partition(";")[0]
        # 204 has no body: of lines that is none, and of one document less than all.
        self.lines = response.status == _NO_CONTENT or media.strip().lower() in _LINES
        self._body = response.stream
        self.correlation_id = correlation_id(response.headers)

    async def read(self, size: int) -> bytes:
        """Return the next bytes, *size* or less; none at the end."""
        assert self._body is not None  # noqa: S101 - it is connected
        if self._at >= len(self._pending):
            self._pending = await self._body.read()
            self._at = 0
            self.bytes_read += len(self._pending)
        # A fast server fills a quarter of a MiB at once; its rows would be a MiB of
        # objects, in each of many streams, and would hold the loop for a millisecond.
        self._at += size
        return self._pending[self._at - size : self._at]

    def not_understood(self, reason: str) -> DecodingError:
        """Return the error of an answer that cannot be understood."""
        error = DecodingError(self.request.label, reason)
        return of_call(error, self.request, self.correlation_id)

    def disconnect(self) -> None:
        """Give the connection back."""
        self._pending = b""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def leave(self) -> None:
        """Give the connection back, and the place: no other one is asked for."""
        self.disconnect()
        leave(self.request)


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
            threaded: Whether the splitter works in a thread, because it works long;
                the next part is read meanwhile.
        """
        self.splitter = splitter
        self._connection = connection
        self._threaded = threaded
        self._piece = _MOST if threaded else _PIECE
        self._reading = False
        self._fresh = True
        self._pieces: list[bytes] = []
        self._taken: list[bytes] = []
        self._failure: TransportError | None = None

    async def next(self) -> _P | None:
        """Return the next part, or ``None`` at the end.

        Raises:
            UsageError: Another task reads, or the part before failed.
            TooManyRowsError: There are more than ``Connection.most_rows``.
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
        most = connection.most_rows
        if most is not None and self.splitter.rows > most:
            raise TooManyRowsError
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
            failure = connection.not_understood(str(error))
        raise failure

    async def _read(self) -> _P:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        splitter = self.splitter
        while self._pieces or await self._gather(splitter.wanted):
            self._taken, self._pieces = self._pieces, []
            threaded = self._threaded or splitter.looks_far
            part = await self._feed_in_thread() if threaded else self._feed()
            if part is not None:
                return part
        threaded = self._threaded or splitter.looks_far
        last = await in_thread(splitter.finish) if threaded else splitter.finish()
        if splitter.complete:
            self._disconnect()
            self._connection.leave()
        return last

    async def _gather(self, wanted: int) -> bool:
        """Take what comes next; return whether anything came.

        It is no local variable anywhere: error reporters print those.
        """
        # A thread costs as much as reading some pieces: it gets what it waits for.
        size, wanted = 0, wanted if self._threaded else 1
        while size < max(1, wanted):
            if size:
                # What is packed is unpacked piece by piece, and no piece is waited for.
                await asyncio.sleep(0)
            most = min(self._piece, max(_PIECE, wanted - size))
            self._pieces.append(await self._connection.read(most))
            if not self._pieces[-1]:
                self._pieces.pop()
                break
            size += len(self._pieces[-1])
        return size > 0

    async def _feed_in_thread(self) -> _P | None:
        """Have a part made, and read meanwhile what is to be the next, but no more."""
        # The first part is made value by value, with the GIL held: what is read ahead
        # of it would become part of it, and the event loop would wait that long.
        known = self.splitter.rows > 0
        working = in_thread(self._feed)
        try:
            if known:
                await self._gather(self.splitter.part)
        except TransportError as error:
            self._failure = error  # of the next part: what came before it is whole
        except BaseException:
            working.cancel()
            raise
        return await working

    def _feed(self) -> _P | None:
        taken, self._taken = self._taken, []
        return self.splitter.feed(*taken)

    def _disconnect(self) -> None:
        self._pieces.clear()
        self._taken.clear()
        self._failure = None
        self._connection.disconnect()
