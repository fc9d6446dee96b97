"""Texts of the page: names from outside, made harmless; numbers as they are said."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_LONGEST = 120
_STEP = 1000
_SIZES = ("B", "kB", "MB", "GB", "TB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SMALL, _MEDIUM = 10, 100


def plain(value: object) -> str:
    """Return what came from outside in one line, without what moves or hides text.

    Half a surrogate could not be written, and a control character is no XML.
    """
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def shown(value: object) -> str:
    """Return what came from outside as HTML."""
    return escape(plain(value))


def name(value: object) -> str:
    """Return a name as HTML; one that is written from right to left moves no other."""
    return f"<bdi>{shown(value)}</bdi>"


def number(value: float) -> str:
    """Return a number with as many digits as a person reads."""
    if value == int(value) or value >= _MEDIUM:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= _SMALL else f"{value:.2g}"


def counted(count: int, what: str) -> str:
    """Return a number of things."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def size(count: float) -> str:
    """Return bytes as a person says it."""
    step = 0
    while count >= _STEP and step < len(_SIZES) - 1:
        count, step = count / _STEP, step + 1
    return f"{count:.0f} B" if step == 0 else f"{count:.1f} {_SIZES[step]}"


def duration(seconds: float) -> str:
    """Return how long something took, in the two largest units."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _SMALL:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(seconds: int, large: int, unit: str, small: int, rest: str) -> str:
    most, left = divmod(seconds, large)
    return f"{most} {unit}" + (f" {left // small} {rest}" if left // small else "")


def listed(values: Sequence[object], most: int = 20) -> str:
    """Return names as HTML, and how many more there are."""
    names = ", ".join(map(name, values[:most]))
    more = len(values) - most
    return f"{names} and {more:,} more" if more > 0 else names
