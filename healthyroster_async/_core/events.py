"""What a pool tells those who watch it, without a word about people.

A frozen class without slots is built in half the time, and each call makes some.
"""

from __future__ import annotations

from attrs import frozen

from healthyroster_async._core.errors import LikelyCause
from healthyroster_async._core.settings import Environment


@frozen(kw_only=True, slots=False)
class CallEvent:
    """Something that happened to a call.

    Attributes:
        environment: Whose credentials go with it.
        provider_id: The Healthcare Provider it is about.
        label: Method and route template, such as ``GET /HealthcareProvider/{id}/X``.
        request_id: The same for all attempts of a call; made here, and not sent.
        correlation_id: What the API called the attempt, if it said so; its support asks
            for it.
    """

    environment: Environment
    provider_id: int | str | None
    label: str
    request_id: str
    correlation_id: str | None


@frozen(kw_only=True, slots=False)
class AttemptEvent(CallEvent):
    """A request was answered, or came to nothing.

    Attributes:
        attempt: The number of the attempt; the first one is 1.
        started: When it began, in seconds since 1970 (UTC).
        duration_s: Seconds until the answer was there; of a row stream until its first
            byte could be read.
        queue_wait_s: Seconds that it waited for its turn before.
        status: HTTP status of the answer, or ``None`` if there was none.
        error: Class of the error that it ended with, or ``None``: ``CancelledError`` if
            nobody waited for it any more, as when the deadline of the call has passed.
    """

    attempt: int
    started: float
    duration_s: float
    queue_wait_s: float
    status: int | None
    error: str | None


@frozen(kw_only=True, slots=False)
class RetryEvent(CallEvent):
    """An attempt failed, and there will be another one.

    Attributes:
        attempt: The number of the attempt that failed.
        delay_s: Seconds until the next one, pauses and the queue apart.
        status: HTTP status of the answer, or ``None`` if there was none.
        error: Class of the error.
    """

    attempt: int
    delay_s: float
    status: int | None
    error: str


@frozen(kw_only=True, slots=False)
class DeniedEvent(CallEvent):
    """The API gave no access (403).

    Attributes:
        cause: Which grant is most likely missing.
    """

    cause: LikelyCause


@frozen(kw_only=True, slots=False)
class StreamEvent(CallEvent):
    """A row stream was closed.

    Attributes:
        rows: Rows that were given.
        bytes: Bytes of the answer that were read, decompressed.
        duration_s: Seconds from opening to closing it.
        error: Class of the error that it ended with, or ``None``.
    """

    rows: int
    bytes: int
    duration_s: float
    error: str | None
