"""Filters that let a data source answer with no row."""

from __future__ import annotations

from collections.abc import Iterable

from healthyroster_async._core.date_ranges import bound_of

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
        bound = bound_of(name, kind)
        if bound is not None:
            has_end |= bound == "end"
            timed = "time" in kind.lower()
            found[name] = f"{_LONG_AGO}{_MIDNIGHT}" if timed else _LONG_AGO
    return found if has_end else {}
