"""All errors of this package.

::

    HealthyRosterError
    ├── ConfigurationError          a setting is wrong or missing
    ├── UsageError                  the calling code is wrong
    │   └── PoolClosedError         ... the pool was not started, or is closed
    ├── CallError                   a call came to nothing; has .label
    │   ├── TransportError          no answer; has .request
    │   │   ├── ConnectError        nothing was sent
    │   │   │   └── CertificateError    ... and the other side is not who it says
    │   │   ├── AttemptTimeoutError an attempt took too long
    │   │   ├── ConnectionLostError the connection broke while waiting or reading
    │   │   └── ProtocolError       what came back is not HTTP we can read
    │   ├── ResponseError           an answer that is an error; has .response
    │   │   ├── RedirectError       3xx: never followed
    │   │   ├── AuthenticationError 401
    │   │   ├── ForbiddenError      403
    │   │   │   └── KnownDenialError    ... of a call before, so this one was not sent
    │   │   ├── NotFoundError       404
    │   │   ├── InvalidRequestError 400, 422
    │   │   ├── RateLimitedError    429, 403 of a quota: the API asked for fewer calls
    │   │   └── ServerError         5xx
    │   ├── DecodingError           an answer that cannot be understood
    │   │   └── AnswerTooLargeError     ... or is larger than AnswerSettings allow
    │   ├── ServiceUnavailableError the API is down, so nothing was sent
    │   ├── QueueFullError          too many calls wait already
    │   └── DeadlineExceededError   the deadline of the call has passed
    ├── InnerCancellationError      what a call of a fan-out waited for was cancelled
    ├── DestinationError            what a pull should write into cannot be used
    │   └── WrongDestinationError   ... as was asked: a ConfigurationError as well
    └── MissingExtraError           a package of an extra is not installed

None prints a body, a secret, a query, a filled-in path or the provider that it is
about, pickled or not.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import override

from healthyroster_async._core.identifiers import correlation_id
from healthyroster_async._core.verdicts import Verdict, asked_wait, verdict_of

if TYPE_CHECKING:
    from healthyroster_async._core.messages import Request, Response


_C = TypeVar("_C", bound="CallError")


class HealthyRosterError(Exception):
    """Base of every error that this package raises on purpose."""

    @override
    def __repr__(self) -> str:
        # What it is made of takes lines, and a fan-out has many.
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(HealthyRosterError):
    """A setting is wrong or missing; the text says which one to give."""


class UsageError(HealthyRosterError):
    """The calling code uses the pool in a way that cannot work; the text says why."""


class PoolClosedError(UsageError):
    """The pool was not started yet, or is closed."""


class InnerCancellationError(HealthyRosterError):
    """What a call of a fan-out waited for was cancelled, though nobody cancelled it.

    A task that calls share, for instance, takes all of them with it when it is
    cancelled.
    """


class DestinationError(HealthyRosterError):
    """What a pull should write into cannot be used; the text says why."""


class WrongDestinationError(DestinationError, ConfigurationError):
    """What was asked for and the destination never go together; one has to change.

    It holds files of another format, say, or is cut by other windows.
    """


class MissingExtraError(HealthyRosterError, ImportError):
    """A package is needed that only an extra installs; the text names the extra."""


class CallError(HealthyRosterError):
    """A call came to nothing.

    Attributes:
        label: Method and route template of the call.
        probing: Whether the attempt only was to find out if the API is there again: it
            does not count as one of the call's attempts.
    """

    label: str
    probing: bool = False

    @property
    def request_id(self) -> str | None:
        """Our name of the call, which its events have too; it is not sent."""
        request = getattr(self, "request", None)
        known: str | None = vars(self).get("_request_id")
        return known if request is None else request.request_id

    @property
    def correlation_id(self) -> str | None:
        """What the API calls the request, for its support; ``None`` if it did not say.

        It is that of one of the usual header fields, such as ``X-Correlation-Id``.
        """
        known: str | None = vars(self).get("_correlation_id")
        return known


class TransportError(CallError):
    """There is no answer.

    Attributes:
        request: What was to be sent.
        reason: What went wrong, without names of people, hosts or paths.
    """

    def __init__(self, request: Request, reason: str, *more: object) -> None:
        # Copying and pickling rebuild an error from its args, so args holds them all.
        super().__init__(request, reason, *more)
        self.request: Request = request
        self.label: str = request.label
        self.reason: str = reason

    @override
    def __str__(self) -> str:
        return f"{self.label}: {self.reason}"


class ConnectError(TransportError):
    """No connection came about, so nothing was sent."""


class CertificateError(ConnectError):
    """The other side could not prove that it is the host we meant."""


class AttemptTimeoutError(TransportError):
    """An attempt took longer than ``Timeouts`` allows; it may have been carried out."""


class ConnectionLostError(TransportError):
    """The connection broke before the whole answer was there.

    Attributes:
        answered: Whether any byte of the answer had come.
    """

    def __init__(  # errors are rebuilt from positional arguments
        self,
        request: Request,
        reason: str,
        answered: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__(request, reason, answered)
        self.answered: bool = answered


class ProtocolError(TransportError):
    """What came back is not an answer that can be read."""


class ResponseError(CallError):
    """The API answered with an error status.

    Attributes:
        response: The answer, body included; a pickle leaves the body out.
        retry_after: Seconds the API asked to wait, or ``None`` if it did not say.
    """

    def __init__(self, response: Response, *more: object) -> None:
        super().__init__(response, *more)
        self.response: Response = response
        self.label: str = response.request.label
        # Read now: a date is compared with the clock, and a pickle has no body.
        self.retry_after: float | None = asked_wait(
            response.status, response.headers, response.body
        )

    @property
    def request(self) -> Request:
        """What was asked."""
        return self.response.request

    @property
    def status(self) -> int:
        """HTTP status code of the answer."""
        return self.response.status

    @property
    @override
    def correlation_id(self) -> str | None:
        return correlation_id(self.response.headers)

    @override
    def __str__(self) -> str:
        return f"{self.label}: the API answered {self.response.status}"


class RedirectError(ResponseError):
    """The API pointed elsewhere (3xx), and secrets never follow a redirect."""

    @override
    def __str__(self) -> str:
        return (
            f"{self.label}: the API answered {self.response.status}, a redirect; none "
            "is followed, so check the base URL of the environment"
        )


class AuthenticationError(ResponseError):
    """The application id or secret was refused (401).

    Attributes:
        renewals: How often the pool had replaced the credentials before it sent those
            that were refused; 0 where they cannot be fetched again.
    """

    renewals: int = 0

    @override
    def __str__(self) -> str:
        environment = self.response.request.environment.value
        return (
            f"{self.label}: the API refused the application id or secret of the "
            f"{environment} environment (401)"
        )


class LikelyCause(enum.Enum):
    """Which of the two grants is most likely missing after a 403."""

    PROVIDER_NOT_GRANTED = "provider not granted"
    ENDPOINT_NOT_AUTHORIZED = "endpoint not authorized"
    UNKNOWN = "unknown"


class ForbiddenError(ResponseError):
    """The application has no access (403): a provider or an endpoint is not granted.

    Attributes:
        likely_cause: Which of the two grants is most likely missing. The answer alone
            does not say: other calls of the pool do, as far as there were any.
        evidence: What they were, in words; it names no provider.
    """

    def __init__(
        self,
        response: Response,
        likely_cause: LikelyCause = LikelyCause.UNKNOWN,
        evidence: str = "",
        *more: object,
    ) -> None:
        super().__init__(response, likely_cause, evidence, *more)
        self.likely_cause: LikelyCause = likely_cause
        self.evidence: str = evidence

    @property
    def _meaning(self) -> str:
        meaning = _MEANINGS[self.likely_cause]
        return f"{meaning}: {self.evidence}" if self.evidence else meaning

    @override
    def __str__(self) -> str:
        return f"{self.label}: no access (403); {self._meaning}"


_MEANINGS = {
    LikelyCause.PROVIDER_NOT_GRANTED: (
        "the application is most likely not granted this Healthcare Provider"
    ),
    LikelyCause.ENDPOINT_NOT_AUTHORIZED: (
        "the application is most likely not authorized for this endpoint"
    ),
    LikelyCause.UNKNOWN: (
        "the application must be granted both this Healthcare Provider and this "
        "endpoint"
    ),
}


class KnownDenialError(ForbiddenError):
    """A call was not sent, for it was denied not long ago.

    Only calls of a fan-out with ``skip_denied=True`` end so. The ``response`` is made
    up: a 403 without a body.

    Attributes:
        age: Seconds since the denial was seen.
    """

    def __init__(
        self,
        response: Response,
        likely_cause: LikelyCause = LikelyCause.UNKNOWN,
        evidence: str = "",
        age: float = 0.0,
    ) -> None:
        super().__init__(response, likely_cause, evidence, age)
        self.age: float = age

    @override
    def __str__(self) -> str:
        return (
            f"{self.label}: not sent, for it was denied {self.age:.0f} s ago (403); "
            f"{self._meaning}"
        )


class NotFoundError(ResponseError):
    """There is no such thing (404)."""

    @override
    def __str__(self) -> str:
        return (
            f"{self.label}: the API knows no such thing (404); an id is wrong (a name "
            "is none), or the base URL of the environment"
        )


class InvalidRequestError(ResponseError):
    """The API could not accept what was sent (400, 422).

    What it says about that may name people, so it stands in ``response.body`` only.
    """

    @override
    def __str__(self) -> str:
        return (
            f"{self.label}: the API did not accept what was sent "
            f"({self.response.status}); error.response.body says why"
        )


class RateLimitedError(ResponseError):
    """The API asked for fewer calls (429), or a quota is used up (403)."""

    @override
    def __str__(self) -> str:
        asked = self.retry_after
        if is_success(self.response.status):
            wait = "" if asked is None else f"; it is new in {asked:.3g} s"
            return f"{self.label}: the quota that the API announced is used up{wait}"
        wait = "" if asked is None else f" and to wait {asked:g} s"
        return (
            f"{self.label}: the API asked for fewer calls{wait} "
            f"({self.response.status})"
        )


class ServerError(ResponseError):
    """The API failed (5xx)."""


class DecodingError(CallError):
    """The answer cannot be understood.

    Attributes:
        reason: What was expected and what came, by kind; never the data itself.
    """

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(label, reason)
        self.label: str = label
        self.reason: str = reason

    @override
    def __str__(self) -> str:
        return f"{self.label}: {self.reason}"


class AnswerTooLargeError(DecodingError):
    """The answer is larger than ``AnswerSettings`` allow; it was not read to its end.

    The text names the setting.
    """


class ServiceUnavailableError(CallError):
    """The API did not answer several calls in a row, so this one was not sent.

    Attributes:
        retry_after: Seconds until it is tried again.
    """

    def __init__(self, label: str, retry_after: float) -> None:
        super().__init__(label, retry_after)
        self.label: str = label
        self.retry_after: float = retry_after

    @override
    def __str__(self) -> str:
        return (
            f"{self.label}: the API is down; it is tried again in "
            f"{self.retry_after:.3g} s"
        )


class QueueFullError(CallError):
    """As many calls wait for their turn as ``PacingSettings.max_queue`` allows."""

    def __init__(self, label: str, waiting: int) -> None:
        super().__init__(label, waiting)
        self.label: str = label
        self.waiting: int = waiting

    @override
    def __str__(self) -> str:
        return (
            f"{self.label}: {self.waiting} calls wait for their turn already; make "
            "fewer at once, or give a higher PacingSettings.max_queue"
        )


class DeadlineExceededError(CallError):
    """The deadline of the call has passed, or would before it could go on.

    Attributes:
        wait: Seconds that the call would have had to wait, or has waited for its turn
            in vain; ``None`` if it was under way.
    """

    def __init__(self, label: str, wait: float | None = None) -> None:
        super().__init__(label, wait)
        self.label: str = label
        self.wait: float | None = wait

    @override
    def __str__(self) -> str:
        if self.wait is None:
            return f"{self.label}: the deadline has passed"
        return f"{self.label}: the deadline passes before the wait of {self.wait:.3g} s"


def of_call(error: _C, request: Request, correlation: str | None = None) -> _C:
    """Give an error the names of its call, which survive pickling; return the error.

    Args:
        error: One that does not hold its request, whose label alone is in its text.
        request: What was asked.
        correlation: What the API called it.
    """
    vars(error).update(_request_id=request.request_id, _correlation_id=correlation)
    return error


def _asks_for_part(request: Request) -> bool:
    return "range" in map(str.lower, request.headers)


_BY_STATUS: dict[int, type[ResponseError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    422: InvalidRequestError,
    429: RateLimitedError,
}


def is_success(status: int) -> bool:
    """Return whether a status says that all went well (RFC 9110, section 15.3).

    206 (Partial Content) does not say it of what was asked for, but of a part.
    """
    return 200 <= status < 300 and status != 206  # noqa: PLR2004 - their numbers


def error_for(response: Response) -> ResponseError | None:
    """Return the error that an answer stands for, or ``None`` if it is none.

    A part is none where somebody asked for one, with ``Range``.
    """
    status = response.status
    if is_success(status) or (status == 206 and _asks_for_part(response.request)):  # noqa: PLR2004 - its number
        return None
    exact = _BY_STATUS.get(status)
    if exact is ForbiddenError:
        # A used-up quota comes as 403 too, and that is no question of permissions.
        verdict = verdict_of(status, response.headers, response.body)
        exact = RateLimitedError if verdict is Verdict.THROTTLED else exact
    if exact is not None:
        return exact(response)
    kind = {3: RedirectError, 5: ServerError}.get(status // 100, ResponseError)
    return kind(response)
