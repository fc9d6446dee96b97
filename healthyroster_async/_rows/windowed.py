"""Rows of a range of dates, asked for in windows, as one stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import override

from healthyroster_async._core.errors import UsageError
from healthyroster_async._core.messages import Request
from healthyroster_async._rows.frames import FrameBuilder
from healthyroster_async._rows.reader import RowSource, to_the_end
from healthyroster_async._rows.stream import RowStream
from healthyroster_async._rows.tables import Tables

if TYPE_CHECKING:
    import pyarrow as pa

# Windows that are asked for while the one before them is read. The API works on them
# meanwhile; of what it sends, no more is taken than fits into the connection.
_AHEAD = 2


class WindowedRows(RowStream):
    """The rows of windows, in their order; some windows are asked for ahead.

    Each is a stream of its own, which replaces lost connections, has a place of the
    pacing, and is told of when it ends. They get their places in their order and keep
    them: who has any has that of the one that is read, and nobody waits in a circle.
    """

    def __init__(
        self,
        request: Request,
        source: RowSource,
        fields: Callable[[], Awaitable[Mapping[str, str | None]]],
        cut: Callable[[], Awaitable[list[RowStream]]],
    ) -> None:
        """Make a stream.

        Args:
            request: What errors are about; it is not sent.
            source: What sends requests.
            fields: Returns the API's word for the type of each column.
            cut: Returns the stream of each window, none of them opened.
        """
        super().__init__(request, source, None, fields)
        self._cut = cut
        self._streams: list[RowStream] = []
        self._waiting: deque[RowStream] = deque()
        self._asked: deque[tuple[RowStream, asyncio.Task[RowStream]]] = deque()

    @property
    @override
    def bytes_read(self) -> int:
        return sum(stream.bytes_read for stream in self._streams)

    @property
    @override
    def row_count(self) -> int:
        return sum(stream.row_count for stream in self._streams)

    @override
    async def __aenter__(self) -> Self:
        if self._opened:
            raise UsageError("a row stream is read once; ask for the rows again")
        self._opened = True
        try:
            self._streams = await self._cut()
            for stream in self._streams:
                # One deadline for all windows.
                stream._connection.begin()  # noqa: SLF001
            self._waiting.extend(self._streams)
            await self.current()
        except BaseException:
            self._connection.closed = True
            await self._close(None, None, None)
            raise
        return self

    @override
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pending.drop()
        self._connection.closed = True
        await self._close(kind, error, trace)

    async def _close(self, *error: Any) -> None:
        self._waiting.clear()
        for _, opening in self._asked:
            opening.cancel()
        try:
            if self._asked:
                await to_the_end(asyncio.wait([opening for _, opening in self._asked]))
        finally:
            for stream, opening in self._asked:
                # One that was not opened has closed itself.
                if not opening.cancelled() and opening.exception() is None:
                    await stream.__aexit__(*error)
            self._asked.clear()

    async def current(self) -> RowStream | None:
        """Return the stream whose turn it is, open; ``None`` after the last."""
        while self._waiting and len(self._asked) <= _AHEAD:
            stream = self._waiting.popleft()
            opening = asyncio.ensure_future(stream.__aenter__())
            self._asked.append((stream, opening))
        if not self._asked:
            return None
        _, opening = self._asked[0]
        if not opening.done():
            # It goes on without who is cancelled: the next one waits for it again.
            await asyncio.wait([opening])
        return opening.result()

    async def leave(self) -> None:
        """Close the stream whose turn it was."""
        stream, _ = self._asked.popleft()
        await stream.__aexit__(None, None, None)

    @override
    async def _next_rows(self) -> list[dict[str, Any]] | None:
        self._check_open()
        if self._tables is not None:
            raise UsageError("a row stream is read once; ask for the rows again")
        while (stream := await self.current()) is not None:
            stream._loads = self._loads  # noqa: SLF001 - ours, as those below are
            rows = await stream._next_rows()  # noqa: SLF001
            self._rows = stream._rows  # noqa: SLF001
            if rows is not None:
                return rows
            await self.leave()
        return None

    @override
    def _tables_by(self, builder: FrameBuilder) -> Tables:
        return _TablesInTurn(builder, self)


class _TablesInTurn(Tables):
    """Reads the answers of windows one after another."""

    def __init__(self, builder: FrameBuilder, windows: WindowedRows) -> None:
        super().__init__(builder)
        self._windows = windows
        self._reader: Tables | None = None

    @override
    async def next(self) -> pa.Table | None:
        while (stream := await self._windows.current()) is not None:
            if self._reader is None:
                self._reader = stream._tables_by(self._builder)  # noqa: SLF001
            table = await self._reader.next()
            if table is not None:
                return table
            self._reader = None
            await self._windows.leave()
        return None
