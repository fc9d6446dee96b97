"""What answers say about a rate limit: header fields, bodies, and how long to wait."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate, parsedate_to_datetime
from typing import TypeAlias

import orjson
from attrs import frozen

from healthyroster_async.emulator.limits import Headers, RateLimit, Verdict

_TICKS = 10**7
_CLOUDFLARE_S = 30.0
_PERIODS = ((86_400, "d"), (3600, "h"), (60, "m"))
_JSON = "application/json"
_PAGE = """\
<!DOCTYPE html>
<html lang="en-US"><head><title>Access denied | Error 1015</title></head>
<body><h1>Error 1015</h1><h2>You are being rate limited</h2></body></html>
"""

# An instant as it is written, and the seconds until then that the text really says.
_Moment: TypeAlias = tuple[str, float]


@frozen(kw_only=True)
class Body:
    """What stands in a rejection.

    Attributes:
        content: The bytes.
        content_type: Value of Content-Type; empty for none.
    """

    content: bytes
    content_type: str


def _delta(seconds: float, _: float) -> _Moment:
    whole = math.ceil(seconds)
    return str(whole), float(whole)


def _delta_ms(seconds: float, _: float) -> _Moment:
    whole = math.ceil(seconds * 1000)
    return str(whole), whole / 1000


def _epoch(seconds: float, wall: float) -> _Moment:
    at = math.ceil(wall + seconds)
    return str(at), at - wall


def _epoch_ms(seconds: float, wall: float) -> _Moment:
    at = math.ceil((wall + seconds) * 1000)
    return str(at), at / 1000 - wall


def _iso(seconds: float, wall: float) -> _Moment:
    # Seven digits, as .NET writes them: one more than datetime holds.
    at = math.ceil((wall + seconds) * _TICKS)
    whole, ticks = divmod(at, _TICKS)
    second = dt.datetime.fromtimestamp(whole, dt.UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{ticks:07d}Z", at / _TICKS - wall


def _date(seconds: float, wall: float) -> _Moment:
    at = math.ceil(wall + seconds)
    return formatdate(at, usegmt=True), at - wall


_RESETS: Mapping[Headers, tuple[str, Callable[[float, float], _Moment]]] = {
    "x-ratelimit": ("X-RateLimit", _delta),
    "x-ratelimit-epoch": ("X-RateLimit", _epoch),
    "x-ratelimit-epoch-ms": ("X-RateLimit", _epoch_ms),
    "x-ratelimit-iso": ("X-RateLimit", _iso),
    "ietf-old": ("RateLimit", _delta),
    "aspnetcoreratelimit": ("X-Rate-Limit", _iso),
}


def period(seconds: float) -> str:
    """Return a period in the largest unit that takes it whole: ``1m`` for 60."""
    for unit, name in _PERIODS:
        if seconds % unit == 0:
            return f"{seconds / unit:g}{name}"
    return f"{seconds:g}s"


def headers(limit: RateLimit, verdict: Verdict, wall: float) -> dict[str, str]:
    """Return what an answer says about the limit.

    A Date stands beside absolute times, which mean nothing on another clock.

    Args:
        limit: The rule.
        verdict: What it says about this request.
        wall: Seconds since 1970 on the server's clock, for absolute times.
    """
    fields = _standing(limit, verdict, wall)
    if not verdict.allowed:
        name, (text, _) = _wait(limit, verdict, wall)
        if name:
            fields[name] = text
        if limit.headers == "retry-after-date":
            fields["Date"] = date(wall)
    return fields


def date(wall: float) -> str:
    """Return the value of a Date header."""
    return formatdate(math.floor(wall), usegmt=True)


def announced(limit: RateLimit, verdict: Verdict, wall: float) -> float:
    """Return how many seconds of pause a rejection asked for; 0 if it did not say.

    Without a field of its own for the pause, the reset says it.
    """
    if verdict.allowed:
        return 0.0
    name, (_, seconds) = _wait(limit, verdict, wall)
    if not name and limit.headers in _RESETS:
        _, write = _RESETS[limit.headers]
        _, seconds = write(verdict.reset, wall)
    return seconds


def asked(retry_after: str, wall: float) -> float:
    """Return how many seconds of pause a Retry-After asks for; 0 if it is none."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", retry_after):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - wall)
    except (ValueError, OverflowError):
        return 0.0


def body(limit: RateLimit, verdict: Verdict) -> Body | None:
    """Return what stands in a rejection; ``None`` leaves it to the application."""
    wait = _seconds(verdict)
    if limit.empty_body or limit.headers == "aspnet":
        return Body(content=b"", content_type="")
    if limit.headers == "aspnetcoreratelimit":
        text = (
            "API calls quota exceeded! maximum admitted "
            f"{limit.rate:g} per {period(limit.per)}."
        )
        return Body(content=text.encode(), content_type="text/plain")
    if limit.headers == "azure":
        message = f"Rate limit is exceeded. Try again in {wait} seconds."
        return _json_body(limit.status, message)
    if limit.headers == "azure-quota":
        left = dt.timedelta(seconds=wait)
        message = f"Out of call volume quota. Quota will be replenished in {left}."
        return _json_body(limit.status, message)
    if limit.headers == "cloudflare":
        return Body(content=_PAGE.encode(), content_type="text/html; charset=UTF-8")
    return None


def _json_body(status: int, message: str) -> Body:
    content = orjson.dumps({"statusCode": status, "message": message})
    return Body(content=content, content_type=_JSON)


def _standing(limit: RateLimit, verdict: Verdict, wall: float) -> dict[str, str]:
    """Return what every answer says, or every answer that is no rejection."""
    style, quota = limit.headers, limit.quota
    window = math.ceil(quota * limit.per / limit.rate)
    if style == "ietf":
        return {
            "RateLimit-Policy": f'"default";q={quota};w={window}',
            "RateLimit": (
                f'"default";r={verdict.remaining};t={math.ceil(verdict.reset)}'
            ),
        }
    if style not in _RESETS or (style == "aspnetcoreratelimit" and not verdict.allowed):
        return {}
    prefix, write = _RESETS[style]
    said = str(quota)
    if style == "ietf-old":
        said = f"{quota}, {quota};w={window}"
    elif style == "aspnetcoreratelimit":
        said = period(limit.per)
    fields = {
        f"{prefix}-Limit": said,
        f"{prefix}-Remaining": str(verdict.remaining),
        f"{prefix}-Reset": write(verdict.reset, wall)[0],
    }
    return fields if write is _delta else {**fields, "Date": date(wall)}


def _wait(limit: RateLimit, verdict: Verdict, wall: float) -> tuple[str, _Moment]:
    """Return the field of a rejection that asks for a pause, or no name."""
    style = limit.headers
    if style == "none" or style.startswith("x-ratelimit"):
        return "", ("", 0.0)
    if style == "retry-after-ms":
        return style, _delta_ms(max(0.001, verdict.retry_after), wall)
    if style == "retry-after-date":
        return "Retry-After", _date(verdict.retry_after, wall)
    seconds = float(_seconds(verdict))
    if style == "cloudflare":
        seconds = _CLOUDFLARE_S
    elif style == "aspnet":
        # It tells the length of the window, and nothing where nothing ends.
        if limit.kind in {"sliding", "concurrency"}:
            return "", ("", 0.0)
        seconds = max(1.0, limit.per)
    return "Retry-After", _delta(seconds, wall)


def _seconds(verdict: Verdict) -> int:
    return max(1, math.ceil(verdict.retry_after))
