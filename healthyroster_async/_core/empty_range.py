"""Filters that let a data source answer with no row."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_BEGINNINGS = frozenset({"after", "begin", "from", "since", "start"})
_ENDS = frozenset({"before", "end", "thru", "through", "to", "until"})
# Before every record, and late enough for every database.
_LONG_AGO = "1900-01-01"
_MIDNIGHT = "T00:00:00"


def empty_range(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return values for the parameters that bound a date range, so that it is empty.

    The range is one day, long ago. Without a parameter for its end it would be all
    there is, so then nothing is given.

    Args:
        parameters: Name and type of each, in the API's words.
    """
    found: dict[str, str] = {}
    has_end = False
    for name, kind in parameters:
        words = {word.lower() for word in _WORD.findall(name)}
        is_end = bool(words & _ENDS)
        if "date" not in kind.lower() and "date" not in name.lower():
            continue
        if is_end or words & _BEGINNINGS:
            has_end |= is_end
            timed = "time" in kind.lower()
            found[name] = f"{_LONG_AGO}{_MIDNIGHT}" if timed else _LONG_AGO
    return found if has_end else {}
