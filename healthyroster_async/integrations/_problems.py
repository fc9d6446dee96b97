"""What a web app answers when a call to the API came to nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import suppress

import orjson
from attrs import frozen

from healthyroster_async._core.errors import (
    AttemptTimeoutError,
    CallError,
    DeadlineExceededError,
    ForbiddenError,
    HealthyRosterError,
    InvalidRequestError,
    NotFoundError,
    PoolClosedError,
    QueueFullError,
    RateLimitedError,
    ServiceUnavailableError,
)

_logger = logging.getLogger("healthyroster_async.web")


class ProviderIdError(HealthyRosterError):
    """What should be the id of a provider is none; a web app answers 422."""


_OURS = 500
_LATER, _BUSY = 503, "The clinical records are busy"
# The nearest class of an error counts.
_MEANINGS: dict[type, tuple[int, str]] = {
    HealthyRosterError: (_OURS, "Internal error"),
    CallError: (502, "The clinical records cannot be reached"),
    ForbiddenError: (403, "This application has no access to that"),
    NotFoundError: (404, "There is no such thing"),
    ProviderIdError: (422, "This is no id of a provider"),
    InvalidRequestError: (422, "The request was not accepted"),
    RateLimitedError: (_LATER, _BUSY),
    ServiceUnavailableError: (_LATER, "The clinical records do not answer"),
    QueueFullError: (_LATER, _BUSY),
    PoolClosedError: (_LATER, _BUSY),
    AttemptTimeoutError: (504, "The clinical records took too long"),
    DeadlineExceededError: (504, "The clinical records took too long"),
}
# Of the log: where neither the app is wrong nor its client, the API is.
_LEVELS = {_OURS: logging.ERROR} | dict.fromkeys((403, 404, 422), logging.INFO)
# What is answered: also what a task group or a fan-out raises.
HANDLED = (HealthyRosterError, ExceptionGroup)
MEDIA_TYPE = "application/problem+json"
# Whoever is told nothing else comes back as soon as this.
_SOON_S = 1.0


@frozen(kw_only=True)
class Problem:
    """An answer of the web app (RFC 9457).

    It says nothing of what the API answered: that could name people.

    Attributes:
        status: HTTP status code.
        title: What went wrong, the same for every problem of its kind.
        retry_after: Whole seconds until it is worth another try, or ``None``.
        request_id: What the call is known by in the log, or ``None`` if there was none.
    """

    status: int
    title: str
    retry_after: int | None = None
    request_id: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Header fields of the answer besides its media type."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(self.retry_after)}

    @property
    def body(self) -> bytes:
        """The answer's body."""
        said = {"title": self.title, "status": self.status}
        known = {} if self.request_id is None else {"request_id": self.request_id}
        return orjson.dumps(said | known)


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def problem_of(error: Exception) -> Problem:
    """Return what to answer the app's own client when *error* ended a call.

    ======  =========================================================================
    403     a grant is missing
    404     there is no such thing
    422     the provider id, or what was sent, makes no sense to the API
    500     the app or its settings are wrong
    502     the API is out of reach, failed, refused the app's credentials, or answered
            something that cannot be understood
    503     the call would wait too long, the API is down or asks for fewer calls; with
            ``Retry-After``
    504     the API took too long
    ======  =========================================================================
    """
    wait, id_ = getattr(error, "wait", None), getattr(error, "request_id", None)
    kinds = (kind for kind in type(error).__mro__ if kind in _MEANINGS)
    status, title = _MEANINGS[next(kinds, HealthyRosterError)]
    if wait is not None or status == _LATER:
        asked = getattr(error, "retry_after", None) if wait is None else wait
        seconds = max(1, math.ceil(_SOON_S if asked is None else asked))
        title = title if status == _LATER else _BUSY
        return Problem(status=_LATER, title=title, retry_after=seconds, request_id=id_)
    return Problem(status=status, title=title, request_id=id_)


def answer_to(error: Exception, *, begun: bool = False) -> Problem:
    """Return what to answer, and log why: the answer itself does not say it.

    Args:
        error: One of ours, or a group of them: of a group the highest status counts.
        begun: Whether another answer has begun, which can only be broken off.

    Raises:
        Exception: *error* itself, if it is another, or others are in the group.
    """
    ours = list(_leaves(error))
    if not all(isinstance(one, HealthyRosterError) for one in ours):
        raise error
    error = max(ours, key=lambda one: problem_of(one).status)
    problem = problem_of(error)
    kind, label = type(error).__name__, getattr(error, "label", None)
    # Other texts may say which provider they are about; these name a setting.
    why = str(error) if problem.status == _OURS else label or "no call"
    extra = {
        "status": problem.status,
        "error": kind,
        "label": label,
        "request_id": problem.request_id,
    }
    if begun:
        _logger.warning("broke an answer off: %s: %s", kind, why, extra=extra)
        return problem
    level = _LEVELS.get(problem.status, logging.WARNING)
    _logger.log(level, "answered %d: %s: %s", problem.status, kind, why, extra=extra)
    return problem


def broke_off(error: Exception) -> None:
    """Log what ended an answer before it was whole, if it is an error of ours."""
    # Frameworks raise another one of what comes too late to be answered.
    cause = error if isinstance(error, HANDLED) else error.__cause__
    if isinstance(cause, HANDLED):
        with suppress(ExceptionGroup):  # of the app's own errors
            answer_to(cause, begun=True)
