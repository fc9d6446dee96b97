"""Cutting an answer into parts of whole rows, exactly.

A cut is made between ``}`` and ``{`` with a comma between them, and is proved by
parsing: a part that begins at a row and parses as the inside of an array ends where a
row ends, because JSON is read from left to right without ambiguity. A ``},{`` inside a
text, or inside a nested object, makes a part that does not parse, and the cut before it
is tried.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sized
from functools import partial
from typing import Any, Generic, TypeVar

import orjson

from healthyroster_async._rows.envelope import (
    MAX_DEPTH,
    NoRowsError,
    Place,
    array_end,
    find_rows,
    is_beside_rows,
)

T = TypeVar("T", bound=Sized)
_ROW_BORDER = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_FIRST_KEY = re.compile(rb'[ \t\r\n]*(\{[ \t\r\n]*"[^"\\]{1,200}")')
# A part becomes the only member of an object, which is how pyarrow reads an array.
_ARRAY, _ARRAY_END = b'{"rows":[', b"]}"
PART = 32 * 2**10
_MAX_HEAD = 4 * 2**20
_MUCH = 2**20
_OPEN = ord("{")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_decoder = json.JSONDecoder(parse_constant=int)  # which refuses NaN and Infinity
_NO_NUMBER = "a number that is too large for 64 bits of floating point"
_NO_TEXT = "a text that is no Unicode (half of a surrogate pair)"


class BrokenRowsError(ValueError):
    """The answer is no JSON, is cut off, or is not what it was when asked again."""


class CutOffError(BrokenRowsError):
    """The answer ended in the middle, or is broken somewhere: it may be asked again."""


class Splitter(Generic[T]):
    """Takes the bytes of one answer and gives whole rows.

    What is made of a part is up to *take*, which proves with it that the part is one: a
    list of dicts, a table.

    After a lost connection, ``restart`` lets it read the same answer from its
    beginning: what it gave already is compared, not given again.

    Attributes:
        part: Bytes of a part, about.
        rows: Rows given so far.
        complete: Whether the end of the answer was seen and is whole.
    """

    def __init__(
        self,
        *,
        path: tuple[str, ...] | None = None,
        max_row: int,
        take: Callable[[bytes], T | None],
        last: Callable[[list[dict[str, Any]]], T],
        part: int = PART,
        loads: Callable[[bytes], Any] = orjson.loads,
    ) -> None:
        """Make a splitter.

        Args:
            path: Keys that lead to the rows, or ``None`` to find out.
            max_row: Most bytes of one row.
            take: Makes something of a part, which it gets as the array ``rows`` of an
                object; ``None`` if that is no JSON.
            last: Makes the same of the last rows, which are parsed with the end.
            part: Bytes of a part, about.
            loads: Parses the end; it raises ``ValueError`` for what is no JSON.
        """
        self._loads = loads
        self._take = take
        self._last = last
        self.part = part
        self.rows = 0
        self.complete = False
        self._wanted = path
        self._max_row = max_row
        self._place: Place | None = None
        self._head = b""
        self._look_at = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._border: bytes | None = None
        self._wait_for = min(part, PART)
        self._lines = False
        # Of each part its size, that of what stands behind it, and its checksum: as
        # cheap as a hash, and the event loop goes on while it is made.
        self._given = array("q")
        self._skipped = 0

    @property
    def wanted(self) -> int:
        """How many bytes more it takes until a cut is tried."""
        return max(0, self._wait_for - self._size)

    @property
    def looks_far(self) -> bool:
        """Whether so much stands before the rows that it takes long to find them."""
        return self._place is None and self._size >= 4 * PART

    def expect_lines(self) -> None:
        """Take the answer for one row a line (NDJSON), and not for one document."""
        self._lines = True
        self._place = Place(0, (), sure=True)

    def restart(self) -> None:
        """Read the answer again from its beginning, and compare what was given."""
        self._place = Place(0, (), sure=True) if self._lines else None
        self._head = b""
        self._look_at = 0
        self._keep(b"")
        self._wait_for = min(self.part, PART)
        self._skipped = 0

    def feed(self, *data: bytes) -> T | None:
        """Take bytes and return the rows that are whole by now, if there are any.

        Raises:
            BrokenRowsError: What came cannot be an array of objects.
        """
        self._pieces += data
        self._size += sum(map(len, data))
        if self._place is None and not self._find_place():
            return None
        if not self._skip() or self._size < self._wait_for:
            return None
        return self._cut()

    def finish(self) -> T:
        """Take the end of the answer and return the last rows.

        Of many rows it returns all but the last, and is ``complete`` when asked again.

        Raises:
            BrokenRowsError: The answer is not whole.
        """
        if self._place is None:
            self._find_place(last=True)
        if self._place is None:
            # Too short for a place to be found, or not what it should be.
            self._parse(self._joined(), "the answer is no JSON, or is cut off")
            raise BrokenRowsError("the answer holds no array of rows")
        if self._skipped < len(self._given):
            raise BrokenRowsError("asked again, the answer is shorter than before")
        if self._size > PART and (taken := self._cut()) is not None:
            return taken
        rest = self._joined()
        if self._lines:
            return self._finish_lines(rest)
        # With what stood before the rows, the rest is a whole document again: parsing
        # it proves that the answer ends where it should.
        document = self._parse(self._head + rest, "the answer is cut off, or no JSON")
        value = self._rows_of(document)
        if self._place.path:
            self._check_once(rest)
        if not self._place.sure:
            self._check_alone(document, value)
        self._keep(b"")
        self.complete = True
        self.rows += len(_objects(value))
        return self._last(value)

    def _rows_of(self, document: Any) -> Any:
        assert self._place is not None  # noqa: S101 - finish looked
        for key in self._place.path:
            document = document.get(key) if isinstance(document, dict) else None
        return document

    def _check_once(self, rest: bytes) -> None:
        """Refuse an answer in which a key that leads to the rows stands twice.

        A parser takes the last of two, and a stream has given rows of the first.
        """
        if b"[" not in rest:
            return
        # Without the rows, what leads to them must lead to what stands in their place.
        hollow = self._head + b"null]" + rest[array_end(rest) :]
        if self._rows_of(self._parse(hollow, "the answer is no JSON")) != [None]:
            raise BrokenRowsError("the answer holds its rows twice")

    def _finish_lines(self, rest: bytes) -> T:
        array_ = b"[" + self._commas(rest) + b"]"
        value = self._parse(array_, "the answer is cut off, or no JSON")
        self._keep(b"")
        self.complete = True
        self.rows += len(_objects(value))
        return self._last(value)

    def _find_place(self, *, last: bool = False) -> bool:
        if self._size < self._look_at and not last:
            return False
        # Doubling keeps it cheap to look again, however much stands before the rows.
        self._look_at = 2 * self._size
        try:
            place = find_rows(self._joined(), self._wanted)
        except NoRowsError as error:
            wanted = ".".join(self._wanted or ())
            text = f"there is no array at {wanted!r}" if wanted else str(error)
            raise BrokenRowsError(text) from None
        if place is None:
            if self._size > _MAX_HEAD:
                raise BrokenRowsError(
                    f"no array of rows in the first {_MAX_HEAD >> 20} MiB; rows_key "
                    "says where it is"
                )
            return False
        self._place = place
        self._head = self._joined()[: place.start].removeprefix(b"\xef\xbb\xbf")
        self._keep(self._joined()[place.start :])
        return True

    def _joined(self) -> bytes:
        """Return all that is held, in one."""
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def _keep(self, rest: bytes) -> None:
        self._pieces = [rest]
        self._size = len(rest)

    def _skip(self) -> bool:
        """Step over what was given already; it must be the same bytes."""
        while self._skipped < len(self._given):
            size, behind, known = self._given[self._skipped : self._skipped + 3]
            end = size + behind
            if self._size < end:
                return False
            held = self._joined()
            comma = b"" if self._lines else b","
            if zlib.crc32(self._text(size)) != known or held[size:end].strip() != comma:
                raise BrokenRowsError(
                    "asked again, the API gave other rows than before"
                )
            self._keep(held[end:])
            self._skipped += 3
        return True

    def _cut(self) -> T | None:
        for size, behind in self._cuts():
            text = self._text(size)
            taken = self._take(text)
            if taken is None:
                continue
            self._given.extend((size, behind, zlib.crc32(text)))
            self._skipped += 3
            latest = self._pieces[-1]
            self._keep(latest[size + behind - self._size + len(latest) :])
            self._wait_for = self.part
            self.rows += len(taken)
            return taken
        # Doubling keeps the tries cheap however large a row is.
        self._wait_for = self._size * 2
        if self._size > self._max_row:
            raise self._flaw() or BrokenRowsError(
                f"a row is larger than {self._max_row} bytes, or the answer is no JSON"
            )
        return None

    def _text(self, size: int) -> bytes:
        """Return the first bytes of what is held as the array of an object."""
        *before, latest = self._pieces
        # No view: only of nothing but bytes is a large join made without the GIL.
        end = latest[: size - self._size + len(latest)]
        if self._lines:
            return b"".join(
                (_ARRAY, self._commas(b"".join((*before, end))), _ARRAY_END)
            )
        return b"".join((_ARRAY, *before, end, _ARRAY_END))

    def _cuts(self) -> Iterator[tuple[int, int]]:
        """Yield where a row may end, from the last place to the first.

        Each with the number of bytes between it and the next row.
        """
        if self._lines:
            # No line end stands in a text: there it is escaped.
            at = self._joined().rfind(b"\n") + 1
            if at:
                yield at, 0
            return
        if self._border is None:
            self._border = _learn_border(self._joined())
        at = self._size
        if self._border is not None:
            between = self._border.index(b"{") - 1
            # Nearly always there is one in the latest piece, and it is one.
            latest = self._pieces[-1]
            found = latest.rfind(self._border)
            if found >= 0:
                at += found - len(latest)
                yield at + 1, between
            buffer = self._joined()
            for back in _steps_back(self._size):
                at = buffer.rfind(self._border, 0, max(0, at - back * 256))
                if at < 0:
                    break
                yield at + 1, between
        buffer = self._joined()
        # Slower, and right whatever keys and spaces are like.
        steps = [*_steps_back(self._size)]
        # A row may be made of nothing but false ones: those that are tried are kept.
        last = deque(_ROW_BORDER.finditer(buffer), maxlen=sum(steps) + len(steps))
        borders = [border.span() for border in last]
        for back in steps:
            del borders[len(borders) - back :]
            if not borders:
                break
            end, next_row = borders.pop()
            yield end + 1, next_row - end - 1

    def _check_alone(self, document: Any, last: Any) -> None:
        """Refuse to have guessed, where another array could be the rows as well."""
        assert self._place is not None  # noqa: S101 - finish looked
        chosen = self._place.path
        others = {
            path: array
            for path, array in _arrays(document, ())
            if path != chosen and (array or path[:-1] == chosen[:-1])
        }
        # Where all are empty there are no rows, whichever is meant.
        if others and (self.rows or last or any(others.values())):
            keys = ", ".join(".".join(path) for path in sorted([chosen, *others]))
            raise BrokenRowsError(
                f"several arrays could be the rows: {keys}; rows_key says which"
            )

    def _parse(self, raw: bytes, otherwise: str) -> Any:
        try:
            return self._loads(raw)
        except ValueError:
            pass
        flaw = self._flaw()
        if flaw is None and _is_whole(raw):
            flaw = BrokenRowsError(f"it holds {_NO_NUMBER}, or {_NO_TEXT}")
        raise flaw or CutOffError(otherwise)

    def _flaw(self) -> BrokenRowsError | None:
        """Return what of that which is held comes again when it is asked for again.

        It stands near the beginning, for what stands before it was given. Whatever is
        large is not looked at value by value: it may be made to take long.
        """
        try:
            # A character may be cut in two there.
            text, _ = codecs.utf_8_decode(self._joined()[: 2 * self.part])
        except UnicodeDecodeError:
            return BrokenRowsError("the answer is not in UTF-8")
        at, number = 0, self.rows
        while self._place is not None:
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr] # of nothing, too
            try:
                row, at = _decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                break
            for name, value in row.items() if type(row) is dict else ():
                if (what := _misfit({name: value})) is not None:
                    return BrokenRowsError(
                        f"row {number} of the answer, counted from 0, has in {name!r} "
                        f"{what}; have it corrected, or ask for dates without it"
                    )
            number += 1
        return None

    def _commas(self, lines: bytes) -> bytes:
        """Return rows that stand in lines with commas between; empty lines say nothing.

        Each line is a row by itself, or the comma might make one of two halves. The
        line ends are kept: no text holds one. So a line that begins and ends with the
        only braces in it is one object, if all of it is JSON.

        Raises:
            BrokenRowsError: A line is none.
        """
        rows = [row for row in map(bytes.strip, lines.split(b"\n")) if row]
        for row in rows:
            if row[0] != _OPEN or row.count(b"{") > 1 or row.find(b"}") != len(row) - 1:
                self._check_line(row)
        return b",\n".join(rows)

    def _check_line(self, row: bytes) -> None:
        try:
            _objects([orjson.loads(row)])
        except orjson.JSONDecodeError:
            pass
        else:
            return
        raise self._flaw() or CutOffError("the answer is cut off, or no JSON")


def row_splitter(
    *,
    path: tuple[str, ...] | None = None,
    max_row: int,
    loads: Callable[[bytes], Any] = orjson.loads,
) -> Splitter[list[dict[str, Any]]]:
    """Return a splitter that gives rows as dicts."""
    take = partial(rows_of, loads=loads)
    return Splitter(
        path=path, max_row=max_row, take=take, last=list, part=PART, loads=loads
    )


def rows_of(
    text: bytes, loads: Callable[[Any], Any] = orjson.loads
) -> list[dict[str, Any]] | None:
    """Return the rows of a part, or ``None`` if it is not a part of whole rows.

    Raises:
        BrokenRowsError: It holds something that is no object.
    """
    try:
        return _objects(loads(bare(text)))
    except orjson.JSONDecodeError:
        return None


def bare(text: bytes) -> memoryview:
    """Return the array of a part, without the object around it.

    What is no part of whole rows may be JSON inside the object, but not alone.
    """
    return memoryview(text)[len(_ARRAY) - 1 : -1]


def _is_whole(raw: bytes) -> bool:
    """Return whether a text that our parser refuses is JSON all the same."""
    try:
        json.loads(raw, parse_constant=int)  # which refuses NaN and Infinity
    except (ValueError, RecursionError):
        return False
    return True


def _misfit(value: Any) -> str | None:
    """Return what in a value neither a table nor a file can hold."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return _NO_TEXT
    except ValueError:
        return _NO_NUMBER
    except RecursionError:
        pass
    return None


def _objects(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(type(row) is dict for row in rows):
        raise BrokenRowsError("the array holds something that is no object")
    return rows


def _arrays(
    value: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield every array that could be rows, with the keys that lead to it."""
    if not isinstance(value, dict) or len(path) > MAX_DEPTH:
        return
    for key, item in value.items():
        if is_beside_rows(key):
            continue
        if isinstance(item, list) and (not item or isinstance(item[0], dict)):
            yield (*path, key), item
        yield from _arrays(item, (*path, key))


def _learn_border(buffer: bytes) -> bytes | None:
    """Return what stands between two rows, up to the first key of the second.

    A server writes the same again and again, and texts and nested objects hardly hold
    it.
    """
    first = _FIRST_KEY.match(buffer)
    if first is None:
        return None
    border = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*" + re.escape(first[1]))
    found = border.search(buffer)
    return found[0] if found else None


def _steps_back(size: int) -> Iterator[int]:
    """Yield how much to leave out before the next try.

    First nothing, then ever more: a long nested array has many false borders. Each try
    parses what is held, so of much there are fewer.
    """
    fewer = 1 if size < _MUCH else 3
    yield from [0] * (6 // fewer)
    yield from (2**n for n in range(0, 16, fewer))
