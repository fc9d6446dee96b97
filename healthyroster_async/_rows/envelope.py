"""Finding the array of rows in an answer, from its first bytes."""

from __future__ import annotations

import re

import orjson
from attrs import frozen

# The byte order mark, which some servers write (RFC 8259, section 8.1).
_MARK = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*")
# Possessive: else each character of a text takes a hundred bytes while it is read.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# All up to a bracket that stands in no text, and the bracket.
_TO_BRACKET = re.compile(
    rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL
)
_SCALAR = re.compile(rb"[^,\]}\s]+(?=[,\]}\s])")
# What rows are commonly wrapped in, and arrays of objects that commonly stand beside.
_ROWS_KEYS = frozenset(
    {"rows", "data", "items", "results", "records", "value", "values"}
)
_OTHER_KEYS = frozenset(
    {"columns", "errors", "fields", "filters", "links", "messages", "meta", "metadata",
     "parameters", "schema", "warnings"}
)  # fmt: skip
# No envelope goes deeper, and the stack of the interpreter does not much.
MAX_DEPTH = 64


class NoRowsError(ValueError):
    """The answer is JSON, but there is no array of rows where one should be."""


class _NeedMoreError(Exception):
    """The bytes so far end in the middle of something."""


@frozen
class Place:
    """Where the rows stand.

    Attributes:
        start: Offset of the first byte behind the opening bracket.
        path: Keys that lead to the array; empty for a bare array.
        sure: Whether a key said so, and not only that nothing better came before.
    """

    start: int
    path: tuple[str, ...]
    sure: bool


def find_rows(head: bytes, wanted: tuple[str, ...] | None = None) -> Place | None:
    """Return where the rows begin, or ``None`` if that cannot be told yet.

    Args:
        head: The first bytes of an answer.
        wanted: Keys that lead to the array, or ``None`` to find out: an array under one
            of the usual keys, else the first array that may hold objects.

    Raises:
        NoRowsError: The value is complete, or begins otherwise, and has no such array.
    """
    if _MARK.startswith(head):
        return None
    try:
        return _Scanner(head, wanted).find()
    except _NeedMoreError:
        return None


def array_end(text: bytes) -> int:
    """Return where an array ends, given valid JSON from its first item on."""
    depth = 1
    for found in _TO_BRACKET.finditer(text):
        depth += 1 if found[1] in b"[{" else -1
        if not depth:
            return found.end()
    raise ValueError("the array does not end")


class _Scanner:
    def __init__(self, head: bytes, wanted: tuple[str, ...] | None) -> None:
        self._head = head
        self._at = len(_MARK) if head.startswith(_MARK) else 0
        self._wanted = wanted
        self._empty: Place | None = None

    def find(self) -> Place:
        first = self._peek()
        if first == b"[" and not self._wanted:
            return Place(self._at + 1, (), sure=True)
        if first == b"{":
            place = self._in_object(())
            if place is None:
                place = self._empty
            if place is not None:
                return place
        raise NoRowsError("no array of rows in the answer")

    def _in_object(self, path: tuple[str, ...]) -> Place | None:
        self._at += 1
        if self._peek() == b"}":
            self._at += 1
            return None
        while True:
            key = self._string()
            self._expect(b":")
            here = (*path, key)
            place = self._in_value(here)
            if place is not None:
                return place
            if self._peek() == b"}":
                self._at += 1
                return None
            self._expect(b",")

    def _in_value(self, path: tuple[str, ...]) -> Place | None:
        first = self._peek()
        if first == b"[" and self._may_be_rows(path):
            if self._wanted is not None:
                return Place(self._at + 1, path, sure=True)
            return Place(self._at + 1, path, sure=_plain(path[-1]) in _ROWS_KEYS)
        if first == b"{" and self._may_hold_rows(path):
            return self._in_object(path)
        self._skip()
        return None

    def _may_be_rows(self, path: tuple[str, ...]) -> bool:
        if self._wanted is not None:
            return path == self._wanted
        if _plain(path[-1]) in _OTHER_KEYS:
            return False
        # An array of anything but objects is none of rows; an empty one may be.
        inside = _SPACE.match(self._head, self._at + 1)
        begins = self._head[inside.end() : inside.end() + 1] if inside else b""
        if not begins:
            raise _NeedMoreError
        if begins == b"]" and self._empty is None:
            # No rows at all, perhaps; or the rows come later.
            self._empty = Place(self._at + 1, path, sure=False)
        return begins == b"{" or (begins == b"]" and _plain(path[-1]) in _ROWS_KEYS)

    def _may_hold_rows(self, path: tuple[str, ...]) -> bool:
        if self._wanted is not None:
            return self._wanted[: len(path)] == path
        if len(path) > MAX_DEPTH:
            raise NoRowsError(
                "the answer goes too deep to look for rows in; rows_key says where "
                "they are"
            )
        return _plain(path[-1]) not in _OTHER_KEYS

    def _skip(self) -> None:
        """Step over a value, whatever it is."""
        first = self._peek()
        if first == b'"':
            self._string()
            return
        step = _TO_BRACKET if first in b"[{" else _SCALAR
        depth = 0
        while True:
            found = step.match(self._head, self._at)
            if found is None:
                raise _NeedMoreError
            self._at = found.end()
            if step is _TO_BRACKET:
                depth += 1 if found[1] in b"[{" else -1
            if depth == 0:
                return

    def _string(self) -> str:
        if self._peek() != b'"':
            raise NoRowsError("the answer is no JSON")
        found = _STRING.match(self._head, self._at)
        if found is None:
            raise _NeedMoreError
        self._at = found.end()
        try:
            return str(orjson.loads(found[0]))
        except ValueError:
            pass
        raise NoRowsError("the answer is no JSON")

    def _expect(self, mark: bytes) -> None:
        if self._peek() != mark:
            raise NoRowsError("the answer is no JSON")
        self._at += 1

    def _peek(self) -> bytes:
        space = _SPACE.match(self._head, self._at)
        self._at = space.end() if space else self._at
        first = self._head[self._at : self._at + 1]
        if not first:
            raise _NeedMoreError
        return first


def is_beside_rows(key: str) -> bool:
    """Return whether a key commonly holds an array that is not the rows."""
    return _plain(key) in _OTHER_KEYS


def _plain(key: str) -> str:
    return key.replace("_", "").lower()
