"""From parts of whole rows to Arrow tables, in a worker thread.

Nearly every part goes the fast way: pyarrow reads it with a fixed schema and refuses
whatever does not fit. What it refuses is looked at value by value, for the schema that
holds it; what fits into none goes the slow way, where nothing is lost.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import orjson

from healthyroster_async._rows.casts import (
    PRECISION,
    SCALE,
    arrow,
    as_json,
    is_near,
    recast,
    wider,
)
from healthyroster_async._rows.kinds import (
    Kind,
    declared_kind,
    in_words,
    kind_of,
    promoted,
    within,
)
from healthyroster_async._rows.splitter import BrokenRowsError, bare

if TYPE_CHECKING:
    import pyarrow as pa

# orjson makes floats of integers that need more than 64 bits.
_LONG_NUMBER = re.compile(rb"\d{19}")
_EXACT = float(2**53)
_SHORTEST_MOMENT = len("2026-01-31T08:30")
_MOST_OF_FIRST = 64 * 2**10
# No report has so many. Each costs memory in every row, also where a row lacks it.
_MOST_COLUMNS = 5000
_decoder = json.JSONDecoder()


class FrameBuilder:
    """Makes a table of each part of an answer, and keeps what the columns are."""

    def __init__(self, declared: Mapping[str, str | None]) -> None:
        self._pa = arrow()
        # It gives back what it needs no more; pyarrow's own keeps twice as much.
        self._pool = self._pa.system_memory_pool()
        # Not a float: pyarrow imports pandas before it looks at a Python number, and
        # the event loop of an app waits for that half a second.
        bound = self._pa.py_buffer(array("d", (_EXACT,)))
        (self._bound,) = self._pa.Array.from_buffers(
            self._pa.float64(), 1, [None, bound]
        )
        self._declared: dict[str, Kind] = {
            name: declared_kind(word) for name, word in declared.items()
        }
        self._words = dict(declared)
        self._kinds: dict[str, Kind] = {}
        self._types: dict[str, Any] = {}
        # What parts are read as, and the kinds that it was made for.
        self._read_as: pa.Schema = self._pa.schema([])
        self._read_kinds: dict[str, Kind] = {}
        self._long: set[str] = set()
        # Columns with a time that nanoseconds do not reach.
        self._far: set[str] = set()
        # Declared columns that the first row lacks, until a row has a value of it.
        self._missing: dict[str, None] = {}
        self._notes: dict[str, str] = {}

    @property
    def drift(self) -> dict[str, str]:
        """What rows did that the data source does not say, a line for each column."""
        return self._notes | dict.fromkeys(self._missing, "no row has a value")

    @property
    def schema(self) -> pa.Schema:
        """The columns as far as they are known."""
        made: pa.Schema = self._pa.schema(
            [(name, self._final(name, kind)) for name, kind in self._types.items()]
        )
        return made

    def _final(self, name: str, kind: Any) -> Any:
        """Return the type of a column that nothing but nulls came for so far."""
        if not self._pa.types.is_null(kind):
            return kind
        times = {"date": self._pa.date32(), "moment": self._pa.timestamp("us")}
        return times.get(self._kinds[name], kind)

    def take(self, text: bytes) -> pa.Table | None:
        """Return the rows of a part, or ``None`` if it is not a part of whole rows.

        What is read from texts, dates and date-times, is so only when it is ``typed``.
        """
        table = self._fast(text) if self._kinds else self._declared_only(text)
        if table is None:
            try:
                rows = self.loads(bytes(bare(text)))
            except ValueError:
                return None
            if not all(type(row) is dict for row in rows):
                raise BrokenRowsError("the array holds something that is no object")
            return self._fitted(text, rows)
        return table

    def last(self, rows: list[dict[str, Any]]) -> pa.Table:
        """Return the last rows, which were parsed with the end of the answer."""
        try:
            text = orjson.dumps({"rows": rows})
        except TypeError:  # nested deep, or with more digits than it writes
            text = b""
        table = self._fast(text) if self._kinds else self._declared_only(text)
        return self._fitted(text, rows) if table is None else table

    def _declared_only(self, text: bytes) -> pa.Table | None:
        """Return the first rows if they are what the data source says that they are.

        Then nobody has to look at every value to find out what the columns are.
        """
        names = _first_names(text)
        if not names or not self._declared.keys() >= set(names):
            return None
        self._kinds = {n: self._declared[n] for n in self._first_row(names)}
        table = self._fast(text)
        if table is None:
            self._kinds = {}
        return table

    def _first_row(self, names: Iterable[str]) -> dict[str, None]:
        """Return the columns: of the first row, and those that it lacks."""
        there = dict.fromkeys(names)
        declared = dict.fromkeys(self._declared)
        self._missing = {name: None for name in declared if name not in there}
        return there | declared

    def loads(self, text: bytes) -> Any:
        """Return what a JSON text says, with every digit of its numbers.

        Raises:
            ValueError: It is no JSON, or nested too deep.
        """
        value = orjson.loads(text)
        decimal = "decimal" in {*self._kinds.values(), *self._declared.values()}
        if not decimal and not _LONG_NUMBER.search(text):
            return value
        try:
            return json.loads(text, parse_float=Decimal if decimal else float)
        except RecursionError:
            pass
        raise BrokenRowsError("a row is nested too deep")

    def _fast(self, text: bytes) -> pa.Table | None:
        """Return the rows of a part, if pyarrow can prove that they are.

        All are one value of one column, so nothing may stand between them but a comma,
        and nothing beside them.
        """
        pa = self._pa
        if not _is_utf8(pa, text):
            return None
        try:
            whole = pa.json.read_json(
                pa.BufferReader(text),
                pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
                # Of one block it finds all that there is, also over lines.
                pa.json.ParseOptions(
                    explicit_schema=self._read_schema(),
                    unexpected_field_behavior="error",
                ),
                self._pool,
            )
        except pa.ArrowException:
            return None
        if whole.num_rows != 1:
            return None
        rows = whole.column(0).chunk(0).values
        if rows.null_count:
            return None
        table = pa.Table.from_struct_array(rows)
        if not self._exact(table):
            return None
        self._note_long(table)
        return table

    def _exact(self, table: pa.Table) -> bool:
        """Return whether floats are numbers of JSON, and no integer lost digits."""
        compute = self._pa.compute
        numbers = self._all_of("number", table)
        exact = compute.less(compute.abs(numbers), self._bound)
        return compute.all(exact).as_py() is not False

    def _note_long(self, table: pa.Table) -> None:
        if not self._is_long(self._all_of("integer", table)):
            return
        for name, kind in self._kinds.items():
            if kind == "integer" and self._is_long(table[name]):
                self._long.add(name)

    def _all_of(self, kind: Kind, table: pa.Table) -> Any:
        """Return all columns of a kind as one: looking at each by itself takes long."""
        columns = [table[name] for name, known in self._kinds.items() if known == kind]
        chunks = [chunk for column in columns for chunk in column.chunks]
        return self._pa.chunked_array(chunks, _read_types(self._pa)[kind])

    def _is_long(self, column: Any) -> bool:
        ends = self._pa.compute.min_max(column).as_py().values()
        return any(v is not None and abs(v) >= _EXACT for v in ends)

    def _read_schema(self) -> pa.Schema:
        if self._read_kinds != self._kinds:
            types = _read_types(self._pa)
            row = self._pa.struct([(n, types[kind]) for n, kind in self._kinds.items()])
            self._read_as = self._pa.schema([("rows", self._pa.list_(row))])
            self._read_kinds = dict(self._kinds)
        return self._read_as

    def _fitted(self, text: bytes, rows: list[dict[str, Any]]) -> pa.Table:
        """Return a table of rows, whatever they hold, with columns that hold it."""
        pa = self._pa
        names = dict.fromkeys(self._kinds or self._declared)
        if rows and not self._kinds:
            names = self._first_row(rows[0])
        for row in rows:
            names.update(dict.fromkeys(row))
        if len(names) > _MOST_COLUMNS:
            raise BrokenRowsError(f"the rows have more than {_MOST_COLUMNS:,} columns")
        if not names:  # rows without a member are rows still
            return pa.table({"": pa.nulls(len(rows))}).drop_columns([""])
        known = dict(self._kinds)
        columns = {name: [row.get(name) for row in rows] for name in names}
        kinds: dict[str, Kind] = {n: self._settle(n, v) for n, v in columns.items()}
        table = self._fast(text) if self._kinds != known else None
        if table is None:
            table = pa.table({n: _array(pa, kinds[n], columns[n]) for n in names})
            self._note_long(table)
        return table

    def typed(self, tables: list[pa.Table]) -> pa.Table:
        """Return the rows of parts as one table, with the types they have in the end.

        Each column of it is in one piece. The list is empty then: giving back so much
        memory takes long, so it is not left to the event loop.
        """
        concat = self._pa.concat_tables
        made: list[pa.Table] = []
        # Those in a row that are alike take one turn, not one each.
        for came, alike in groupby(tables, attrgetter("schema")):
            # A table without columns forgets here how many rows it has.
            if came.names:
                made.append(self._typed(concat(alike)))
            else:
                made.extend(alike)
        tables.clear()
        schema = self.schema
        whole: pa.Table = concat([recast(table, schema) for table in made])
        return whole.combine_chunks(self._pool)

    def _settle(self, name: str, values: list[Any]) -> Kind:
        """Return the kind of a column that holds its values, and keep it."""
        seen = kind_of(values)
        known = self._kinds.get(name)
        declared: Kind = self._declared.get(name, "unknown")
        held = known or declared
        if known is None and self._declared and name not in self._declared:
            self._note(name, "not in the data source's list of fields")
        kind = promoted(held, seen)
        if kind == "number" and (name in self._long or not within(values, 2**53)):
            kind = "text"  # a float would not hold the integers that came
        if kind == "decimal" and not _fit_decimal(values):
            kind = "text"
        if held not in {kind, "unknown"}:
            said = self._words.get(name) if held == declared else None
            said = said or held
            came = in_words(values, beside=held) if kind == "text" else seen
            self._note(name, f"{said}, but {came} came; the column is {kind}")
        self._kinds[name] = kind
        return kind

    def _note(self, name: str, text: str) -> None:
        known = self._notes.get(name)
        self._notes[name] = f"{known}; {text}" if known else text

    def _typed(self, table: pa.Table) -> pa.Table:
        for at, name in enumerate(table.column_names):
            column = table.column(at)
            kind = self._kinds[name]
            if kind in {"date", "moment"}:
                column = self._timed(name, column)
                table = table.set_column(at, name, column)
            if name in self._missing and column.null_count < len(column):
                del self._missing[name]
            known = self._types.get(name)
            if not is_near(self._pa, column):
                self._far.add(name)
            if known is None or self._pa.types.is_null(known):
                self._types[name] = column.type
            elif known != column.type and not self._pa.types.is_null(column.type):
                joint = wider(self._pa, known, column.type)
                if name in self._far and self._pa.types.is_timestamp(joint):
                    self._note(name, "times too far for nanoseconds; it is text")
                    self._kinds[name] = "text"
                    joint = self._pa.string()
                self._types[name] = joint
        return table

    def _timed(self, name: str, column: Any) -> Any:
        pa, compute = self._pa, self._pa.compute
        texts = column.drop_null()
        if not len(texts):
            return pa.nulls(len(column), self._types.get(name, pa.null()))
        if self._kinds[name] == "date":
            tries = [pa.date32()]
        elif compute.min(compute.binary_length(texts)).as_py() < _SHORTEST_MOMENT:
            tries = []  # a date, which is no midnight
        elif compute.all(_in_utc(compute, texts)).as_py():
            tries = [pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")]
        else:
            # Another zone than UTC would be shifted: pyarrow refuses it here.
            tries = [pa.timestamp("us"), pa.timestamp("ns")]
        for kind in tries:
            try:
                return column.cast(kind)
            except pa.ArrowException:
                continue
        word = self._words.get(name) or self._kinds[name]
        self._note(
            name, f"{word}, but zones other than UTC or other texts came; it is text"
        )
        self._kinds[name] = "text"
        return column


def _first_names(text: bytes) -> list[str]:
    """Return the columns of the first row of a part, if it is no longer than usual."""
    start = text.find(b"[") + 1
    head = text[start : start + _MOST_OF_FIRST].decode(errors="replace")
    try:
        row, _ = _decoder.raw_decode(head.lstrip())
    except (ValueError, RecursionError):
        return []
    return list(row) if type(row) is dict else []


def _is_utf8(pa: Any, part: bytes) -> bool:
    # Not ``decode``: pyarrow looks at it without the GIL, and the event loop goes on.
    ends = pa.py_buffer(array("q", (0, len(part))))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(part)])
    try:
        text.validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _read_types(pa: Any) -> dict[str, Any]:
    """Return what each kind of column is read as."""
    return {
        "unknown": pa.null(),
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "decimal": pa.decimal128(PRECISION, SCALE),
        **dict.fromkeys(("text", "date", "moment"), pa.string()),
    }


def _in_utc(compute: Any, texts: Any) -> Any:
    return compute.or_(
        compute.ends_with(texts, "Z"), compute.ends_with(texts, "+00:00")
    )


def _fit_decimal(values: list[Any]) -> bool:
    for value in values:
        if isinstance(value, Decimal | int):
            whole = Decimal(value)
            exponent = whole.as_tuple().exponent
            if not isinstance(exponent, int) or exponent < -SCALE:
                return False
            if abs(whole) >= Decimal(10) ** (PRECISION - SCALE):
                return False
        elif value is not None:
            return False
    return True


def _array(pa: Any, kind: Kind, values: list[Any]) -> Any:
    if kind in {"text", "date", "moment"}:
        values = [_text(value) for value in values]
    elif kind == "number":
        values = [None if v is None else float(v) for v in values]
    return pa.array(values, _read_types(pa)[kind])


def _text(value: Any) -> str | None:
    """Return a value as text: what is none is written as in JSON."""
    if value is None or isinstance(value, str):
        return value
    return as_json(value)
