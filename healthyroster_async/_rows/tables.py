"""The rows of a stream as Arrow tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from healthyroster_async._rows.casts import arrow, recast
from healthyroster_async._rows.frames import FrameBuilder
from healthyroster_async._rows.kinds import of_column
from healthyroster_async._rows.reader import (
    Connection,
    Reader,
    blocking,
    in_thread,
    to_the_end,
)
from healthyroster_async._rows.splitter import Splitter

if TYPE_CHECKING:
    import pyarrow as pa

    from healthyroster_async._rows.sinks import TableSink

_PART, _LARGE_PART = 2 * 2**20, 4 * 2**20
_MOST_ROWS, _MOST_BYTES = 64 * 2**10, 8 * 2**20


class Tables(ABC):
    """Tables that come one after another, with the columns of all."""

    def __init__(self, builder: FrameBuilder) -> None:
        self._builder = builder
        # Of the next table. Error reporters print local variables: it is none.
        self._held: list[pa.Table] = []

    @abstractmethod
    async def next(self) -> pa.Table | None:
        """Return the next table, or ``None`` at the end."""

    @property
    def drift(self) -> list[str]:
        """What rows did that the data source does not say."""
        return [of_column(*line) for line in self._builder.drift.items()]

    async def grouped(self) -> AsyncIterator[pa.Table]:
        """Yield tables of 64k rows or 8 MB, each of one chunk."""
        while await self._gather():
            yield await in_thread(self._builder.typed, self._held)

    async def _gather(self) -> bool:
        """Hold the parts of such a table; return whether there are any."""
        rows = size = 0
        while rows < _MOST_ROWS and size < _MOST_BYTES and await self._held_next():
            rows += self._held[-1].num_rows
            size += self._held[-1].get_total_buffer_size()
        return bool(self._held)

    async def _held_next(self) -> bool:
        table = await self.next()
        if table is not None:
            self._held.append(table)
        return table is not None

    async def whole(self) -> pa.Table:
        """Return all rows as one table."""
        tables: list[pa.Table] = []
        try:
            while await self._gather():
                tables.append(await in_thread(self._builder.typed, self._held))
            return await in_thread(_one, tables, self._builder.schema)
        except BaseException:
            # Error reporters print local variables.
            del tables
            raise

    async def into(self, sink: TableSink) -> None:
        """Write all rows, and give what is written its name when it is whole."""

        def write() -> None:
            try:
                sink.write(self._builder.typed(self._held))
            except BaseException as error:
                error.__traceback__ = None  # error reporters print local variables
                raise

        def finish() -> None:
            try:
                sink.commit()
            except BaseException as error:
                error.__traceback__ = None
                raise
            finally:
                sink.close()

        try:
            while await self._gather():
                await to_the_end(in_thread(write))
        except BaseException:
            await to_the_end(blocking(sink.close))
            raise
        # It waits for the disk: those that make tables have something better to do.
        await to_the_end(blocking(finish))


class TableReader(Tables):
    """Reads an answer part by part, each as a table.

    Attributes:
        splitter: What cuts the answer, and counts its rows.
    """

    def __init__(
        self,
        connection: Connection,
        builder: FrameBuilder,
        path: tuple[str, ...] | None,
        max_row: int,
    ) -> None:
        super().__init__(builder)
        self.splitter: Splitter[Any] = Splitter(
            path=path,
            max_row=max_row,
            take=builder.take,
            last=builder.last,
            loads=builder.loads,
            part=_PART,
        )
        self._reader = Reader(connection, self.splitter, threaded=True)

    @override
    async def next(self) -> pa.Table | None:
        return await self._reader.next()

    @override
    async def whole(self) -> pa.Table:
        self.splitter.part = _LARGE_PART  # it holds far more in the end
        return await super().whole()


def _one(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    made: pa.Table = arrow().concat_tables([recast(t, schema) for t in tables])
    return made
