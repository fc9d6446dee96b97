"""What the limiters of the ASP.NET world write into the body of a rejection."""

from __future__ import annotations

import re

from healthyroster_async._core.ratelimits import LONGEST, UNITS

LOOKED_AT = 2_048
"""Bytes of a body that are looked at; no limiter writes that much."""

# Few ever see a rejection: the patterns are compiled for the first one, and ``re``
# keeps them.
# AspNetCoreRateLimit: its own text, and the one its documentation suggests.
_RULE = (
    r"(?i)maximum (?:admitted|allowed):? ([0-9]{1,9}(?:\.[0-9]{1,9})?)"
    r" per ([0-9]{1,9})([smhd])\b"
)
# Azure API Management: a rate limit, and a quota with a TimeSpan.
_AGAIN_IN = r"(?i)try again in ([0-9]{1,12}(?:\.[0-9]{1,9})?) ?s(?:ec(?:ond)?s?)?\b"
_REPLENISHED_IN = (
    r"(?i)replenished in (?:([0-9]{1,6})\.)?([0-9]{1,2}):([0-9]{2}):([0-9]{2})\b"
)
_NAMES_LIMIT = (
    r"(?i)(?:rate[ _-]?limit|quota)[ _-]?(?:is |was |has been |have been )?"
    r"(?:exceeded|reached|exhausted)"
    r"|exceeded (?:\w+ ){0,3}(?:rate[ -]?limit|quota)\b"
    r"|too many (?:requests|calls)\b"
    r"|out of (?:call volume|bandwidth) quota\b"
    r"|quota will be replenished\b"
)
# Words of an answer about grants; it may mention quotas and limits as things.
_NAMES_GRANT = (
    r"(?i)permi(?:ssion|t)|authori[sz]|not allowed|access|grant|scope|role\b|licen[cs]"
)


def names_limit(body: bytes) -> bool:
    """Return whether a body says that there were too many calls.

    When in doubt it does not: an answer about permissions is never taken for it.
    """
    text = _text(body)
    return bool(re.search(_NAMES_LIMIT, text)) and not re.search(_NAMES_GRANT, text)


def wait_said(body: bytes) -> float | None:
    """Return how many seconds a body asks to wait, or ``None`` if it does not say."""
    text = _text(body)
    if found := re.search(_AGAIN_IN, text):
        return min(float(found[1]), LONGEST)
    if found := re.search(_REPLENISHED_IN, text):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return min(((days * 24 + hours) * 60 + minutes) * 60.0 + seconds, LONGEST)
    return None


def rule_said(body: bytes) -> tuple[float, float] | None:
    """Return the calls and the seconds of the rule that a body states, if it does."""
    found = re.search(_RULE, _text(body))
    if found is None:
        return None
    calls, seconds = float(found[1]), int(found[2]) * UNITS[found[3].lower()]
    return (calls, seconds) if calls > 0 and 0 < seconds <= LONGEST else None


def _text(body: bytes) -> str:
    # The texts are ASCII in any language, and this decoding never fails.
    return body[:LOOKED_AT].decode("latin-1")
