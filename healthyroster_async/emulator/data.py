"""Rows as bytes: made once, a thousand to a source, and then repeated at speed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

import orjson
from attrs import define, field

from healthyroster_async.emulator.schema import Source, cased
from healthyroster_async.emulator.selection import Selection
from healthyroster_async.emulator.values import DATES, DAYS, SLOTS, Style, tail_values

_CHUNK_BYTES = 128 * 1024
_DATE_BYTES = tuple(date.isoformat().encode() for date in DATES)


@define
class Tails:
    """The rows of one source, from inside the date-time column to the end.

    They are made when they are first asked for: a small answer needs few of them.

    Attributes:
        source: Data source.
        style: How rows are written.
        made: One tail for each slot; empty where it is not made yet.
    """

    source: Source
    style: Style
    made: list[bytes] = field(init=False, factory=lambda: [b""] * SLOTS)

    def make(self, selection: Selection) -> Iterator[None]:
        """Make what a selection needs, giving way after each row."""
        for number in range(
            selection.first, min(selection.last, selection.first + SLOTS)
        ):
            slot = (number + selection.offset) % SLOTS
            if not self.made[slot]:
                self.made[slot] = self._tail(slot)
                yield

    def _tail(self, slot: int) -> bytes:
        option = orjson.OPT_INDENT_2 if self.style.pretty else 0
        raw = orjson.dumps(tail_values(self.source, self.style, slot), option=option)
        # The date belongs to the row's number, so it stands in the head.
        cut = raw.index(b'"', raw.index(b":")) + 1
        # Line ends inside strings are escaped, so every one here is indentation.
        return raw[cut:].replace(b"\n", b"\n  ")


@lru_cache(maxsize=64)
def tails(source: Source, style: Style) -> Tails:
    """Return the tails of a source; every emulator of a process shares them."""
    return Tails(source, style)


def _head(source: Source, style: Style, provider: int | str) -> bytes:
    """Return the format of a row: row number, date, date, tail."""
    stamp, date = cased(source.stamp, style.casing), cased(source.date, style.casing)
    provider_id = orjson.dumps(provider).replace(b"%", b"%%")
    colon, comma = (b": ", b",\n    ") if style.pretty else (b":", b",")
    fields = (
        (cased("id", style.casing), b"%d"),
        (cased("providerId", style.casing), provider_id),
        (date, b'"%b"'),
        (stamp, b'"%b%b'),
    )
    inside = comma.join(b'"%b"%b%b' % (k.encode(), colon, v) for k, v in fields)
    return (b"{\n    " if style.pretty else b"{") + inside


def first_id(provider: int | str) -> int:
    """Return the id of a provider's first row; below 2 ** 53, as browsers need it."""
    number = provider if isinstance(provider, int) else -1
    if not 0 < number < 9_000_000:  # noqa: PLR2004 - times a billion, see above
        number = zlib.crc32(str(provider).encode()) % 9_000_000
    return number * 1_000_000_000 + 1


def chunks(
    tail: Tails, selection: Selection, *, provider: int | str, rows: int
) -> Iterator[bytes]:
    """Yield a JSON array of rows in pieces; an empty piece only gives time."""
    head, base = _head(tail.source, tail.style, provider), first_id(provider)
    made, offset, wanted = tail.made, selection.offset, selection.wanted
    pretty = tail.style.pretty
    comma = b",\n  " if pretty else b","
    lead = b"[\n  " if pretty else b"["
    size = len(head) + sum(map(len, made)) // (sum(map(bool, made)) or 1)
    step = _CHUNK_BYTES // size + 1
    empty = True
    for start in range(selection.first, selection.last, step):
        numbers: Iterable[int] = range(start, min(start + step, selection.last))
        if wanted is not None:
            numbers = [n for n in numbers if wanted[(n + offset) % SLOTS]]
        written = comma.join(
            [
                head
                % (
                    base + n,
                    day := _DATE_BYTES[n * DAYS // rows],
                    day,
                    made[(n + offset) % SLOTS],
                )
                for n in numbers
            ]
        )
        if written:
            yield lead + written
            lead, empty = comma, False
        else:
            yield b""
    if empty:
        yield b"[]"
    else:
        yield b"\n]" if pretty else b"]"
