"""Replacing what could be about people by made-up values of the same shape."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import secrets
from collections.abc import Collection
from typing import Any

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(.*)", re.DOTALL)
_SLASHES = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(.*)", re.DOTALL)
_CLOCK = re.compile(
    r"([T ]?)(\d\d?):(\d\d)(:\d\d)?(\.\d+)?( ?[AP]M)?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)
_GUID = re.compile(r"\{?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,63}")
# Keys of what is no row may be data, such as names of people, inside of rows or not.
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MOST_DAYS = 2000
# Shorter ones stay by chance now and then, and tell nothing then.
_TELLING = 4
# Where the type of a column ends: what floats hold exactly, int64, uint64.
_EDGES = (2**53, 2**63, 2**64)
# An id is a number in a body and a text in a path, and the same made-up one in both.
_WHOLE = re.compile(r"0|[1-9][0-9]{0,19}")
_ROUNDS = range(4)


class Scrubber:
    """Replaces values; equal ones by equal ones, and nobody can tell from which.

    Whole numbers that differ still do, so that no row has the id of another. The key is
    made at random and kept nowhere.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        days = int.from_bytes(self._digest("days")[:4], "big") % _MOST_DAYS
        self._days = dt.timedelta(days=days - 2 * _MOST_DAYS)

    def value(self, value: Any, *, in_row: bool = False) -> Any:
        """Return a value of JSON with everything in it replaced but its names."""
        if isinstance(value, dict):
            known = () if in_row else _beside_rows(value)
            return self._object(value, known, in_row=in_row)
        if isinstance(value, list):
            return [
                self._object(item, item.keys(), in_row=True)
                if isinstance(item, dict) and not in_row
                else self.value(item, in_row=in_row)
                for item in value
            ]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return self._whole(value)
        made = float(self._digits(repr(value)))
        return made if math.isfinite(made) else math.copysign(1e308, value)

    def text(self, text: str) -> str:
        """Return a text of the same shape: letters, digits and dates stay such."""
        if _WHOLE.fullmatch(text):
            return str(self._whole(int(text)))
        if _CLOCK.fullmatch(text):
            return self._clock(text)
        if _GUID.fullmatch(text):
            return self._letters(text, alphabet="abcdef")
        return self._date(text) or self._letters(text)

    def _date(self, text: str) -> str | None:
        """Return another date, written alike, or ``None`` if it is none."""
        if found := _ISO.fullmatch(text):
            day = self._moved(found[1], found[2], found[3])
            return None if day is None else day.isoformat() + self._clock(found[4])
        if found := _SLASHES.fullmatch(text):
            first, second, year, rest = found.groups()
            # Which of the two is the month may be known of one only.
            american = self._moved(year, first, second)
            day = american or self._moved(year, second, first)
            if day is None:
                return None
            parts = (day.month, day.day) if american else (day.day, day.month)
            width = min(len(first), len(second))
            made = "/".join(f"{part:0{width}}" for part in parts)
            return f"{made}/{day.year:04}" + self._clock(rest)
        return None

    def _moved(self, year: str, month: str, day: str) -> dt.date | None:
        try:
            return dt.date(int(year), int(month), int(day)) + self._days
        except (ValueError, OverflowError):
            return None

    def _clock(self, text: str) -> str:
        """Return another time of day, written alike, if it is one."""
        found = _CLOCK.fullmatch(text)
        if found is None:
            return self._letters(text)
        before, hour, _, second, fraction, half, zone = found.groups(default="")
        number = int.from_bytes(self._digest(text)[:6], "big")
        # Nine hours have one digit in every way to write them; 12 are in half a day.
        hours = 9 if len(hour) == 1 else 12 if half else 24
        minute = number // 24 % 60
        if minute == int(found[3]):
            minute = (minute + 1) % 60
        made = number % hours + (1 if hours < 24 else 0)  # noqa: PLR2004 - as above
        return (
            f"{before}{made:0{len(hour)}}:{minute:02}"
            + (f":{number // 1440 % 60:02}" if second else "")
            + (self._letters(fraction) + half + zone)
        )

    def _object(
        self, value: dict[str, Any], known: Collection[str], *, in_row: bool
    ) -> dict[str, Any]:
        """Replace values, and keys that are no word; known ones may be several."""
        made = {}
        for key, item in value.items():
            name = (_NAME if key in known else _WORD).fullmatch(key)
            made[key if name else self.text(key)] = self.value(item, in_row=in_row)
        return made

    def _letters(self, text: str, alphabet: str = "abcdefghijklmnopqrstuvwxyz") -> str:
        salt = 0
        while True:
            stream = self._stream(f"{salt}:{text}", len(text))
            pairs = zip(text, stream, strict=False)
            made = "".join(_character(c, number, alphabet) for c, number in pairs)
            if made != text or len(text) < _TELLING or not _replaced(text):
                return made
            salt += 1

    def _whole(self, value: int) -> int:
        """Return another number of as many digits, for a column of the same type."""
        size, negative = abs(value), value < 0
        least = 0 if value in range(10) else 10 ** (len(str(size)) - 1)
        ends = [least, 10 * least or 10, *(edge + negative for edge in _EDGES)]
        low = max(end for end in ends if end <= size)
        high = min(end for end in ends if end > size)
        made = low + self._other(size - low, high - low)
        return -made if negative else made

    def _other(self, number: int, count: int) -> int:
        """Return another number below a count: no two have the same.

        All are in one circle, which a Feistel network shuffles; what is not below the
        count is passed over.
        """
        side = math.isqrt(count - 1) + 1
        while True:
            left, right = divmod(number, side)
            for turn in _ROUNDS:
                left, right = right, (left + self._mixed(turn, side, right)) % side
            left, right = divmod((left * side + right + 1) % side**2, side)
            for turn in reversed(_ROUNDS):
                left, right = (right - self._mixed(turn, side, left)) % side, left
            number = left * side + right
            if number < count:
                return number

    def _mixed(self, turn: int, side: int, half: int) -> int:
        return int.from_bytes(self._digest(f"{turn}:{side}:{half}"), "big")

    def _digits(self, number: str) -> str:
        made = self._letters(number.replace("e", "\0")).replace("\0", "e")
        # No zero in front, and an exponent that floats have.
        sign = "-" if number.startswith("-") else ""
        mantissa, e, exponent = made.removeprefix("-").partition("e")
        if len(mantissa) > 1 and mantissa[0] == "0" and mantissa[1] != ".":
            mantissa = "1" + mantissa[1:]
        return sign + mantissa + e + (number.partition("e")[2] if exponent else "")

    def _digest(self, text: str) -> bytes:
        raw = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(raw, key=self._key).digest()

    def _stream(self, text: str, length: int) -> list[int]:
        numbers: list[int] = []
        while len(numbers) < length:
            numbers += self._digest(f"{len(numbers)}:{text}")
        return numbers


def _beside_rows(value: dict[str, Any]) -> list[str]:
    """Return what says something of the rows beside it, such as a number of pages."""
    if not any(
        isinstance(item, list) and any(isinstance(row, dict) for row in item)
        for key, item in value.items()
        if _WORD.fullmatch(key)
    ):
        return []
    return [key for key, item in value.items() if not isinstance(item, dict | list)]


def _replaced(text: str) -> bool:
    return any(c.isalnum() or not c.isascii() for c in text)


def _character(character: str, number: int, alphabet: str) -> str:
    """Return another character of its kind; what is ASCII and no word stays."""
    if character.isdecimal() and character.isascii():
        return str(number % 10)
    if character.isascii() and not character.isalpha():
        return character
    made = alphabet[number % len(alphabet)]
    return made.upper() if character.isupper() else made
