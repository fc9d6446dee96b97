"""What an answer means, read as the pool reads it."""

from __future__ import annotations

from datetime import UTC, datetime

from record import ACCEPTED, FAULT, THROTTLED
from server import OK, Answer

from healthyroster_async._core.attempts import announced_by_rejection
from healthyroster_async._core.ratelimits import SILENT, Announced, announced
from healthyroster_async._core.verdicts import Verdict, verdict_of

_ACCEPTED = (ACCEPTED, Verdict.ACCEPTED, SILENT)
_FAULT = (FAULT, Verdict.FAULT, SILENT)
_OUTCOMES = {
    Verdict.ACCEPTED: ACCEPTED,
    Verdict.THROTTLED: THROTTLED,
    Verdict.FAULT: FAULT,
}


def read(answer: Answer, wall: float) -> tuple[int, Verdict, Announced]:
    """Return the outcome, the verdict for the governor, and what was announced.

    Args:
        answer: What came back.
        wall: The client's wall clock, in seconds since 1970.
    """
    if answer is OK:
        return _ACCEPTED
    status, headers, body = answer
    if not status:
        return _FAULT
    now = datetime.fromtimestamp(wall, UTC)
    verdict = verdict_of(status, headers, body)
    if verdict is Verdict.THROTTLED:
        return THROTTLED, verdict, announced_by_rejection(headers, body, now=now)
    return _OUTCOMES[verdict], verdict, announced(headers, now=now)
