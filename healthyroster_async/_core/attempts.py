"""What the end of an attempt tells the governor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve

from healthyroster_async._core.errors import ResponseError, TransportError
from healthyroster_async._core.limiters import rule_said
from healthyroster_async._core.ratelimits import SILENT, Announced, announced
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.verdicts import Verdict, rejection_wait, verdict_of


def told_by(error: BaseException) -> tuple[Verdict, Announced]:
    """Return what the error that ended an attempt tells.

    One that ended well is ``ACCEPTED``, and its header fields announce the rest.
    """
    if isinstance(error, ResponseError):
        answer = error.response
        verdict = verdict_of(answer.status, answer.headers, answer.body)
        if verdict.throttles:
            return verdict, announced_by_rejection(answer.headers, answer.body)
        return verdict, announced(answer.headers)
    failed = isinstance(error, TransportError)
    return Verdict.FAULT if failed else Verdict.NOTHING, SILENT


def announced_by_rejection(
    headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> Announced:
    """Return what a rejection says about limits, its body included.

    Args:
        headers: Header fields of the answer; names are lower case.
        body: Raw body; its beginning is looked at.
        now: The client's time, for an answer without ``Date``; the clock by default.
    """
    rule = rule_said(body)
    return evolve(
        announced(headers, now=now),
        wait=rejection_wait(headers, body, now=now),
        rule=None if rule is None else Limit(*rule),
    )
