"""Rows as they come: a context manager to open, an iterator to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, cast

import orjson
from typing_extensions import override

from healthyroster_async._core.errors import UsageError
from healthyroster_async._core.extras import extra
from healthyroster_async._core.messages import Request
from healthyroster_async._rows.frames import FrameBuilder
from healthyroster_async._rows.kinds import of_column
from healthyroster_async._rows.reader import (
    Connection,
    Reader,
    RowSource,
    blocking,
    to_the_end,
)
from healthyroster_async._rows.row_type import RowType
from healthyroster_async._rows.sinks import (
    CsvSink,
    DuckdbSink,
    LinesSink,
    TableSink,
)
from healthyroster_async._rows.splitter import BrokenRowsError, Splitter, row_splitter
from healthyroster_async._rows.tables import TableReader, Tables
from healthyroster_async._rows.typed import BadRow, Pending, TypedRows
from healthyroster_async._rows.values import exact_loads, lasting_loads

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_M = TypeVar("_M")
# A row that fills this is no row of a report.
_MAX_ROW = 16 * 2**20


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
    """

    def __init__(
        self,
        request: Request,
        source: RowSource,
        rows_key: str | None,
        fields: Callable[[], Awaitable[Mapping[str, str | None]]] | None = None,
    ) -> None:
        self._connection = Connection(request, source)
        self._path = tuple(rows_key.split(".")) if rows_key else None
        self._fields = fields
        self._rows: Reader[list[dict[str, Any]]] | None = None
        self._tables: Tables | None = None
        self._splitter: Splitter[Any] | None = None
        self._opened = False
        self._began = 0.0
        self._pending = Pending(self._next_rows)
        self._loads: Callable[[bytes], Any] = orjson.loads
        self._apart: Collection[str] = ()
        self._renamed: Mapping[str, str] = {}
        self._why_renamed = ""

    def _give_up_after(self, rows: int) -> Self:
        """Raise ``TooManyRowsError`` beyond this many rows; for pulls."""
        self._connection.most_rows = rows
        return self

    def _keep_apart(self, names: Collection[str]) -> None:
        """Give columns of a file other names than these; for pulls."""
        self._apart = names

    @property
    def bytes_read(self) -> int:
        """Bytes of the answer read so far, decompressed."""
        return self._connection.bytes_read

    @property
    def row_count(self) -> int:
        """Rows given so far."""
        return 0 if self._splitter is None else self._splitter.rows

    @property
    def drift(self) -> list[str]:
        """What rows did that the data source does not say, a line for each column.

        It is known of what was read as a table: ``batches`` and ``to_...``.
        """
        return ([] if self._tables is None else self._tables.drift) + [
            of_column(name, f"{self._why_renamed}; the column is {column}")
            for name, column in self._renamed.items()
        ]

    @property
    def bad_rows(self) -> list[BadRow]:
        """The first rows that did not fit the class they were read as, at most 1000.

        Each has its reason; the rows themselves are kept as far as they are 1 MiB.
        """
        return list(self._pending.misfits.kept)

    @property
    def bad_row_count(self) -> int:
        """How many rows did not fit the class they were read as."""
        return self._pending.misfits.count

    def as_(self, model: type[_M], *, strict: bool = False) -> AsyncIterator[_M]:
        """Return an iterator of the rows as instances of an attrs class.

        ::

            async with clinic.reporting.rows(7) as rows:
                async for patient in rows.as_(Patient):
                    ...
            print(rows.bad_row_count, rows.bad_rows)

        A column belongs to the attribute of its name, else to the one of its name but
        for case and separators: ``DateOfBirth`` to ``date_of_birth``. Columns without
        an attribute are left out; attributes without a column have their defaults. With
        ``Decimal`` in the class rows are read with every digit, which takes longer.

        A row that does not fit is left out and is in ``bad_rows``: a value of another
        type that would lose something, a null where the type does not allow ``None``, a
        column that is missing, or what a validator of the class refuses.

        Args:
            model: The class.
            strict: Whether the first row that does not fit is an error.

        Raises:
            ConfigurationError: It is no attrs class, or there is no way to make one of
                its types of a value of JSON.
            UsageError: Rows were read already, and decimals have lost digits.
            DecodingError: With ``strict``, a row does not fit.
            HealthyRosterError: As for a call.
        """
        return self._typed(model, strict=strict)

    def _typed(self, model: type[_M], *, strict: bool) -> TypedRows[_M]:
        kind = RowType(model)
        if kind.exact:
            if self._rows is not None and self._loads is not exact_loads:
                raise UsageError(
                    f"{kind.name} has decimals, and rows were read without all their "
                    "digits; call as_ before the first row is read"
                )
            self._loads = exact_loads
        wrong = self._connection.not_understood
        return TypedRows(self._pending, kind, wrong, strict=strict)

    async def to_list(self) -> list[dict[str, Any]]:
        """Return all rows at once; it needs no ``async with``.

        Raises:
            HealthyRosterError: As for a call; there is no list then, not a short one.
        """
        rows: list[dict[str, Any]] = []
        part: list[dict[str, Any]] | None = None
        try:
            async with self._opened_once():
                while (part := await self._next_rows()) is not None:
                    rows += part
        except BaseException:
            # Error reporters print local variables.
            del rows, part
            raise
        return rows

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """Yield the rows as Arrow record batches of 64k rows or 8 MB.

        The columns have the types that the data source names. Where a value does not
        fit, its column becomes wider from that batch on, in the end text, and ``drift``
        says so. It is read inside the block, as rows are.

        Raises:
            MissingExtraError: The extra ``frames`` is not installed.
            HealthyRosterError: As for a call.
        """
        reader = await self._table_reader()
        async for table in reader.grouped():
            for batch in table.to_batches():
                yield batch
                del batch  # error reporters print local variables
            del table

    async def to_arrow(self) -> pa.Table:
        """Return all rows as an Arrow table; it needs no ``async with``.

        Integers, floats, booleans, dates and date-times are such; a date-time with a
        zone other than UTC stays text, as do objects and arrays, in JSON.

        Raises:
            MissingExtraError: The extra ``frames`` is not installed.
            HealthyRosterError: As for a call; there is no table then, not a short one.
        """
        async with self._opened_once():
            return await (await self._table_reader()).whole()

    async def to_polars(self) -> pl.DataFrame:
        """Return all rows as a polars data frame; it needs no ``async with``.

        Raises:
            MissingExtraError: The extra ``polars`` is not installed.
            HealthyRosterError: As for ``to_arrow``.
        """
        # Importing it takes a while, and so does copying texts.
        polars = await asyncio.to_thread(extra, "polars", "polars")
        # No local variable, nor one of to_thread: error reporters print those.
        frame = await blocking(polars.from_arrow, await self.to_arrow())
        return cast("pl.DataFrame", frame)

    async def to_pandas(self) -> pd.DataFrame:
        """Return all rows as a pandas data frame with Arrow's types.

        Raises:
            MissingExtraError: The extra ``pandas`` is not installed.
            HealthyRosterError: As for ``to_arrow``.
        """
        pandas = await asyncio.to_thread(extra, "pandas", "pandas")
        mapper = pandas.ArrowDtype
        return await blocking(
            partial((await self.to_arrow()).to_pandas, types_mapper=mapper)
        )

    async def to_parquet(self, path: str | Path) -> int:
        """Write all rows into a Parquet file (zstd) and return their number.

        The file has its name only when it is whole; one of that name is replaced then.

        Raises:
            MissingExtraError: The extra ``frames`` is not installed.
            HealthyRosterError: As for a call; there is no file then.
            OSError: The file cannot be written.
        """
        return await self._written(TableSink, path, self._apart)

    async def to_csv(self, path: str | Path) -> int:
        """Write all rows into a CSV file (RFC 4180) and return their number.

        Raises:
            MissingExtraError: The extra ``frames`` is not installed.
            HealthyRosterError: As for a call; there is no file then.
            OSError: The file cannot be written.
        """
        return await self._written(CsvSink, path, self._apart)

    async def to_ndjson(self, path: str | Path) -> int:
        """Write all rows into a file, one JSON object a line; return their number.

        Raises:
            HealthyRosterError: As for a call; there is no file then.
            OSError: The file cannot be written.
        """
        sink = await asyncio.to_thread(LinesSink, path)
        self._loads = lasting_loads
        async with self._opened_once():
            try:
                while (rows := await self._next_rows()) is not None:
                    await to_the_end(blocking(sink.write, rows))
                await to_the_end(blocking(sink.commit))
            except BrokenRowsError as error:  # it can be read, but not be written
                failure = self._connection.not_understood(str(error))
            else:
                return self.row_count
            finally:
                await to_the_end(blocking(sink.close))
        raise failure

    async def to_duckdb(self, path: str | Path, table: str) -> int:
        """Write all rows into a new table of a DuckDB file and return their number.

        A table of that name is replaced, when all rows are there.

        Raises:
            MissingExtraError: The extra ``duckdb`` is not installed.
            UsageError: The database is one in memory, or the table has no name.
            HealthyRosterError: As for a call; the file is as it was then.
            OSError: The file or the table cannot be written.
        """
        return await self._written(DuckdbSink, path, table)

    async def _written(self, kind: Callable[..., TableSink], *where: Any) -> int:
        sink = await asyncio.to_thread(kind, *where)
        self._renamed, self._why_renamed = sink.renamed, sink.why_renamed
        async with self._opened_once():
            reader = await self._table_reader()
            await reader.into(sink)
        return self.row_count

    async def _table_reader(self) -> Tables:
        self._check_open()
        if self._rows is not None or self._tables is not None:
            raise UsageError("a row stream is read once; ask for the rows again")
        declared = {} if self._fields is None else await self._fields()
        builder = await asyncio.to_thread(FrameBuilder, declared)
        self._tables = self._tables_by(builder)
        return self._tables

    def _tables_by(self, builder: FrameBuilder) -> Tables:
        """Return what reads the rows as tables that a builder makes."""
        reader = TableReader(self._connection, builder, self._path, _MAX_ROW)
        self._splitter = reader.splitter
        return reader

    def _opened_once(self) -> AbstractAsyncContextManager[object]:
        """Return what to enter to read all rows: itself, unless its block just has."""
        is_open = self._opened and not self._connection.closed
        return nullcontext() if is_open and not self.row_count else self

    async def __aenter__(self) -> Self:
        if self._opened:
            raise UsageError("a row stream is read once; ask for the rows again")
        self._opened = True
        self._began = asyncio.get_running_loop().time()
        connection = self._connection
        connection.begin()
        try:
            await connection.source.repeat(connection.request, connection.connect)
        except BaseException as error:
            connection.closed = True
            connection.leave()
            self._ended(type(error))
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pending.drop()
        self._connection.closed = True
        self._connection.leave()
        self._ended(kind)

    def _ended(self, kind: type[BaseException] | None) -> None:
        self._connection.source.ended(
            self._connection.request,
            rows=self.row_count,
            size=self.bytes_read,
            seconds=asyncio.get_running_loop().time() - self._began,
            error=None if kind is None else kind.__name__,
            correlation=self._connection.correlation_id,
        )

    def __enter__(self) -> NoReturn:
        raise UsageError("a row stream is opened with 'async with', not with 'with'")

    def __exit__(self, *_: object) -> None:
        """Stand here so that ``with`` gets as far as the explanation above."""

    def __aiter__(self) -> Self:
        return self

    # A loop without async ends here. It is no __iter__, for frameworks would then take
    # it for something to iterate over; type checkers say it before.
    if not TYPE_CHECKING:

        def __getitem__(self, _: object) -> NoReturn:
            raise UsageError(
                "rows are read with 'async for row in rows' inside the block of 'async "
                "with', or taken whole with 'await rows.to_list()'"
            )

    async def __anext__(self) -> dict[str, Any]:
        while True:
            for row in self._pending.rows:
                return row
            await self._pending.more()

    @override
    def __repr__(self) -> str:
        state = "open" if self._opened else "not opened"
        if self._connection.closed:
            state = "closed"
        label = self._connection.request.label
        return f"<RowStream {label}: {state}, {self.row_count} rows>"

    def _check_open(self) -> None:
        if not self._opened or self._connection.closed:
            raise UsageError(
                "a row stream is read inside its block: async with "
                "session.reporting.rows(...) as rows, or with of a SyncPool; or whole, "
                "with to_list() and the like"
            )

    async def _next_rows(self) -> list[dict[str, Any]] | None:
        self._check_open()
        if self._tables is not None:
            raise UsageError("a row stream is read once; ask for the rows again")
        if self._rows is None:
            self._splitter = splitter = row_splitter(
                path=self._path, max_row=_MAX_ROW, loads=self._loads
            )
            self._rows = Reader(self._connection, splitter, threaded=False)
        return await self._rows.next()
