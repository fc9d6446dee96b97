"""Rows as instances of an attrs class, and those that do not fit it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from operator import length_hint
from typing import Any, Generic, Self, TypeVar

import attrs
import orjson

from healthyroster_async._rows.row_type import Read, RowType

T = TypeVar("T")
_REASONS_KEPT, _BYTES_KEPT = 1000, 2**20


@attrs.frozen
class BadRow:
    """A row that does not fit the class it was to be read as.

    Attributes:
        index: Its place in the answer; the first row is 0.
        reason: The attribute, the type that was expected and the type that came; never
            a value.
        row: The row; left out of ``repr`` because it is health data. ``None`` if too
            much was kept already.
    """

    index: int
    reason: str
    row: dict[str, Any] | None = attrs.field(default=None, repr=False)


class BadRows:
    """Keeps the first rows that did not fit, and counts all of them.

    Attributes:
        kept: At most 1000, with the rows themselves as far as they are 1 MiB of JSON.
        count: How many there were.
    """

    def __init__(self) -> None:
        self.kept: list[BadRow] = []
        self.count = 0
        self._left = _BYTES_KEPT

    def add(self, index: int, row: dict[str, Any], reason: str) -> None:
        """Keep a row, if there is room."""
        self.count += 1
        if len(self.kept) < _REASONS_KEPT:
            self.kept.append(BadRow(index, reason, row if self._room(row) else None))

    def _room(self, row: dict[str, Any]) -> bool:
        if self._left > 0:
            try:
                self._left -= len(orjson.dumps(row, default=str))
            except TypeError:  # what it does not write may have any size
                return False
        return self._left > 0


@attrs.frozen
class Misfit:
    """Why a row is no instance."""

    reason: str


class Pending:
    """Rows that have come and were not taken yet, and those that do not fit.

    Attributes:
        rows: What has come; whoever takes a row takes it from here.
        misfits: The rows that were taken and do not fit.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[list[dict[str, Any]] | None]]
    ) -> None:
        self.rows: Iterator[dict[str, Any]] = iter(())
        self.misfits = BadRows()
        self._fetch = fetch
        self._count = 0

    @property
    def index(self) -> int:
        """Place of the row that was taken last."""
        return self._count - length_hint(self.rows) - 1

    async def more(self) -> None:
        """Wait until more have come.

        Raises:
            StopAsyncIteration: There are no more.
            HealthyRosterError: As for a call.
        """
        part = await self._fetch()
        if part is None:
            raise StopAsyncIteration
        self._count += len(part)
        self.rows = iter(part)

    def drop(self) -> None:
        """Forget what has come, also where a loop is in the middle of it."""
        for _ in self.rows:
            pass


class TypedRows(Generic[T]):
    """The rows of a stream as instances: it reads on where the stream stands."""

    def __init__(
        self,
        pending: Pending,
        kind: RowType[T],
        wrong: Callable[[str], Exception],
        *,
        strict: bool,
    ) -> None:
        self._pending = pending
        self._kind = kind
        self._wrong = wrong
        self._strict = strict
        self._instances = self._instances_so_far()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while (made := next(self._instances)) is None:
            await self._pending.more()
        if isinstance(made, Misfit):
            raise self._wrong(made.reason)
        return made

    def come(self) -> Iterator[T]:
        """Yield an instance of each row that has come, for who does not await."""
        while (made := next(self._instances)) is not None:
            if isinstance(made, Misfit):
                raise self._wrong(made.reason)
            yield made

    # A generator keeps what it knows of the row before. Nothing is raised where a row
    # is a local variable: error reporters print those.
    def _instances_so_far(self) -> Iterator[T | Misfit | None]:
        """Yield an instance of each row that has come, and ``None`` after the last."""
        pending, kind = self._pending, self._kind
        columns: tuple[str, ...] | None = None
        read: Read | None = None
        while True:
            for row in pending.rows:
                # Nearly every row has the columns of the one before.
                if read is None or tuple(row) != columns:
                    columns = tuple(row)
                    read = kind.read_of(columns)
                try:
                    made: T = read(row)
                # A validator of the class may raise anything, and none ends a pull.
                except Exception:  # noqa: BLE001
                    reason = kind.reason(row)
                    pending.misfits.add(pending.index, row, reason)
                    if self._strict:
                        name = kind.name
                        yield Misfit(f"row {pending.index} is no {name}: {reason}")
                    continue
                yield made
            yield None
