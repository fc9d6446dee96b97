"""What one run remembers for the next, and how it is written down."""

from __future__ import annotations

import json
import math
from typing import Any

from attrs import frozen

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import Limit

KEPT_S = 7 * 86_400.0
"""Seconds after which what was learned is no longer believed."""
# Wall clocks are set now and then; what was learned "tomorrow" is still believed.
_SLACK_S = 86_400.0
_VERSION = 1


@frozen(kw_only=True)
class Learned:
    """What was found out about the rate of an API.

    Attributes:
        at: When, in seconds of the wall clock.
        limit: The limit, if it was recognised exactly.
        rate: Calls per second that were sustained, if they were measured.
    """

    at: float
    limit: Limit | None = None
    rate: float | None = None


def to_text(learned: Learned) -> str:
    """Return what stands in the file."""
    limit = learned.limit
    return json.dumps(
        {
            "version": _VERSION,
            "at": learned.at,
            "calls": None if limit is None else limit.calls,
            "seconds": None if limit is None else limit.seconds,
            "rate": learned.rate,
        }
    )


def from_text(text: str | bytes, now: float) -> Learned | None:
    """Return what a file says, or ``None`` if that is nothing, or too old.

    Args:
        text: The file.
        now: The wall clock, in seconds.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        return None
    at, calls, seconds, rate = (
        _number(found.get(name)) for name in ("at", "calls", "seconds", "rate")
    )
    if at is None or not -_SLACK_S <= now - at <= KEPT_S:
        return None
    try:
        limit = Limit(calls, seconds) if calls and seconds else None
    except ConfigurationError:
        limit = None
    if limit is None and rate is None:
        return None
    return Learned(at=at, limit=limit, rate=rate)


def _number(value: Any) -> float | None:
    """Return what is a finite number above 0, as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if 0 < float(value) < math.inf else None
    except OverflowError:
        return None
