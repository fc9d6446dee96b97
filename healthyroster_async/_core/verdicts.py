"""What an answer tells about the load: fewer calls, a fault, or neither."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

from healthyroster_async._core.limiters import LOOKED_AT, names_limit, wait_said
from healthyroster_async._core.ratelimits import announced

_FORBIDDEN, _TIMED_OUT, _TOO_EARLY, _TOO_MANY = 403, 408, 425, 429
_FAILED, _UNAVAILABLE = 500, 503


class Verdict(enum.Enum):
    """What the end of an attempt tells the governor."""

    ACCEPTED = "accepted"
    """The API looked at the call: any answer that is no throttle and no fault."""
    THROTTLED = "throttled"
    """The API wants fewer calls: nothing was carried out."""
    MUTE = "mute"
    """The call was turned away without a word why: by a limiter, or in an outage."""
    FAULT = "fault"
    """The API, or the way to it, failed."""
    NOTHING = "nothing"
    """The attempt was given up, so nothing is known."""

    @property
    def throttles(self) -> bool:
        """Whether fewer calls may help."""
        return self is Verdict.THROTTLED or self is Verdict.MUTE


def verdict_of(status: int, headers: Mapping[str, str], body: bytes = b"") -> Verdict:
    """Return what an answer tells.

    A used-up quota may come as 403, which otherwise speaks of permissions: it has to
    ask for a wait or to name the quota. A 503 is how the limiter of ASP.NET Core turns
    a call away, with nothing in it, and how an application says that something behind
    it is down; a page or a text comes from a gateway, or from a server without its
    application.

    Args:
        status: HTTP status code.
        headers: Header fields of the answer; names are lower case.
        body: Raw body; its beginning is looked at.
    """
    if status == _TOO_MANY:
        return Verdict.THROTTLED
    if status in {_FORBIDDEN, _UNAVAILABLE}:
        said = announced(headers)
        if said.wait is not None or names_limit(body):
            return Verdict.THROTTLED
        if status == _FORBIDDEN:
            return Verdict.ACCEPTED
        bare = Verdict.THROTTLED if said.quotas else Verdict.MUTE
        return bare if _is_bare(headers, body) else Verdict.FAULT
    if status >= _FAILED or status in {_TIMED_OUT, _TOO_EARLY}:
        return Verdict.FAULT
    return Verdict.ACCEPTED


def asked_wait(
    status: int, headers: Mapping[str, str], body: bytes = b""
) -> float | None:
    """Return how many seconds an answer asks to wait, or ``None`` if it does not."""
    if verdict_of(status, headers, body).throttles:
        return rejection_wait(headers, body)
    return announced(headers).wait


def rejection_wait(
    headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> float | None:
    """Return how many seconds a rejection asks to wait.

    If it does not ask in so many words, it asks to wait until what is used up is new.

    Args:
        headers: Header fields of the answer; names are lower case.
        body: Raw body; its beginning is looked at.
        now: The client's time, for an answer without ``Date``; the clock by default.

    Returns:
        Seconds, finite and at least 0, or ``None`` if nothing was asked.
    """
    said = announced(headers, now=now)
    waits = (said.wait, wait_said(body), said.new_in)
    return next((wait for wait in waits if wait is not None), None)


def _is_bare(headers: Mapping[str, str], body: bytes) -> bool:
    beginning = body[:LOOKED_AT].strip()
    kind = headers.get("content-type", "").lower()
    return (
        not beginning
        or "json" in kind
        or ("html" not in kind and beginning[:1] in {b"{", b"["})
    )
