"""What an answer means, read with the project's own parser."""

from __future__ import annotations

from datetime import UTC, datetime

from record import ACCEPTED, FAULT, THROTTLED
from server import OK, REFUSED, Answer

from healthyroster_async._core.attempts import announced_by_rejection
from healthyroster_async._core.ratelimits import SILENT, Announced, announced
from healthyroster_async._core.verdicts import Verdict, verdict_of

_OUTCOMES = {
    Verdict.ACCEPTED: ACCEPTED,
    Verdict.THROTTLED: THROTTLED,
    Verdict.MUTE: THROTTLED,
    Verdict.FAULT: FAULT,
}
_ACCEPTED = (ACCEPTED, Verdict.ACCEPTED, SILENT)


def outcome_of(answer: Answer) -> int:
    """Return what came of a request."""
    if answer is OK:
        return ACCEPTED
    if answer is REFUSED:
        return FAULT
    return _OUTCOMES[verdict_of(answer.status, answer.headers, answer.body)]


def read(answer: Answer, wall: float) -> tuple[int, Verdict, Announced]:
    """Return the outcome, the verdict for the governor, and what was announced.

    Args:
        answer: What came back.
        wall: The client's wall clock, in seconds since 1970.
    """
    if answer is OK:
        return _ACCEPTED
    if answer is REFUSED:
        return FAULT, Verdict.FAULT, SILENT
    status, headers, body = answer
    verdict = verdict_of(status, headers, body)
    if verdict is Verdict.FAULT:
        return FAULT, verdict, SILENT
    now = datetime.fromtimestamp(wall, UTC)
    if verdict.throttles:
        return THROTTLED, verdict, announced_by_rejection(headers, body, now=now)
    return ACCEPTED, verdict, announced(headers, now=now)
