"""What an answer means, read with the project's own parser."""

from __future__ import annotations

import enum
from typing import Any

from server import OK, Answer
from record import ACCEPTED, FAULT, THROTTLED

from healthyroster_async._core.headers import retry_after

try:
    from healthyroster_async._core.ratelimits import SILENT
    from healthyroster_async._core.verdicts import Verdict
except ImportError:  # until they are merged
    from types import SimpleNamespace

    class Verdict(enum.Enum):
        ACCEPTED = 0
        THROTTLED = 1
        FAULT = 2
        NOTHING = 3

    SILENT = SimpleNamespace(wait=None, quotas=(), rule=None)

_ACCEPTED = (ACCEPTED, Verdict.ACCEPTED, SILENT)
_FAULT = (FAULT, Verdict.FAULT, SILENT)


def read(answer: Answer, wall: float) -> tuple[int, Verdict, Any]:
    """Return the outcome, the verdict for the governor, and what was announced.

    Args:
        answer: What came back.
        wall: The client's wall clock, in seconds since 1970.
    """
    if answer is OK:
        return _ACCEPTED
    status, headers = answer.status, answer.headers
    if status == 200:
        return ACCEPTED, Verdict.ACCEPTED, _announced(answer, wall)
    asked = "retry-after" in headers
    page = headers.get("content-type", "").startswith("text/html")
    if status == 429 or (status == 503 and (asked or not page)) or (status == 403 and asked):
        return THROTTLED, Verdict.THROTTLED, _announced(answer, wall)
    return _FAULT


def _announced(answer: Answer, wall: float) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(wait=retry_after(answer.headers), quotas=(), rule=None)
