"""Replacing what could be about people by made-up values of the same shape."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from typing import Any

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,63}")
_MOST_DAYS = 2000


class Scrubber:
    """Replaces values; equal ones by equal ones, and nobody can tell from which.

    The key of it is made at random and kept nowhere.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        days = int.from_bytes(self._digest("days")[:4], "big") % _MOST_DAYS
        self._days = dt.timedelta(days=days - 2 * _MOST_DAYS)

    def value(self, value: Any) -> Any:
        """Return a value of JSON with everything in it replaced but its names."""
        if isinstance(value, dict):
            return {self._name(k): self.value(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            return int(self._digits(str(value)))
        return float(self._digits(repr(value)))

    def text(self, text: str) -> str:
        """Return a text of the same shape: letters, digits and dates stay such."""
        found = _MOMENT.fullmatch(text)
        if found is not None:
            try:
                day = dt.date.fromisoformat(found[1]) + self._days
            except (ValueError, OverflowError):
                pass
            else:
                # The clock stays as it is but for its digits, which stay a clock.
                return day.isoformat() + self._clock(found[2])
        return self._letters(text)

    def _clock(self, rest: str) -> str:
        """Return a time of day with another minute and second, if it is one."""
        found = re.fullmatch(r"([T ])(\d\d):(\d\d)(.*)", rest, re.DOTALL)
        if found is None:
            return self._letters(rest)
        number = int.from_bytes(self._digest(rest)[:2], "big")
        hour, minute = number % 24, number // 24 % 60
        return f"{found[1]}{hour:02}:{minute:02}{self._seconds(found[4])}"

    def _seconds(self, rest: str) -> str:
        found = re.fullmatch(r"(?::\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?", rest)
        if found is None:
            return self._letters(rest)
        second = int.from_bytes(self._digest(rest + "s")[:2], "big") % 60
        whole = f":{second:02}" if rest.startswith(":") else ""
        fraction = found[1] or ""
        return whole + self._letters(fraction) + (found[2] or "")

    def _name(self, name: str) -> str:
        return name if _NAME.fullmatch(name) else self.text(name)

    def _letters(self, text: str) -> str:
        stream = self._stream(text)
        made = []
        for character, number in zip(text, stream, strict=False):
            if character.isdecimal() and character.isascii():
                made.append(str(number % 10))
            elif character.isupper():
                made.append(chr(ord("A") + number % 26))
            elif character.isalnum():
                made.append(chr(ord("a") + number % 26))
            else:
                made.append(character)
        return "".join(made)

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

    def _stream(self, text: str) -> list[int]:
        numbers: list[int] = []
        while len(numbers) < len(text):
            numbers += self._digest(f"{len(numbers)}:{text}")
        return numbers
