"""What goes out and what comes back, as values.

A frozen class without slots is built in half the time, and each call builds some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

import orjson
from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core.errors import DecodingError, of_call
from healthyroster_async._core.identifiers import (
    CORRELATION_FIELDS,
    correlation_id,
    new_request_id,
)
from healthyroster_async._core.ratelimits import FIELDS
from healthyroster_async._core.settings import Environment, Priority, Timeouts

# The byte order mark, which some servers write (RFC 8259, section 8.1).
_MARK = b"\xef\xbb\xbf"
# Header fields of an answer that a pickled error may keep: none can hold health data.
_HARMLESS = FIELDS | {"content-type", "date"}
_ID = "_request_id"


@frozen(kw_only=True, slots=False)
class Request:
    """One call of the API, without its secrets.

    A pickle or a deep copy keeps only what may be shown: no URL and no body.

    Attributes:
        method: HTTP method.
        url: Absolute URL; left out of ``repr`` because it names a provider.
        label: Method and route template: safe to log.
        environment: Whose credentials go with it.
        safe: Whether it may be sent again although it may have been carried out.
        provider_id: The Healthcare Provider it is about, for the queue's fairness.
        priority: The lane it waits in.
        weight: Share of its provider in that lane.
        timeouts: Bounds of one attempt.
        headers: Header fields beside the credentials.
        body: Raw body, or ``None`` for none.
        deadline: Time of the event loop's clock by which the call must be done, or
            ``None`` for no bound.
        stream: Whether the body of the answer is read piece by piece.
    """

    method: str
    url: str = field(repr=False)
    label: str
    environment: Environment
    safe: bool
    provider_id: int | str | None = field(default=None, repr=False)
    priority: Priority = Priority.INTERACTIVE
    weight: float = field(default=1.0, repr=False)
    timeouts: Timeouts = field(factory=Timeouts, repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    deadline: float | None = None
    stream: bool = False

    @property
    def request_id(self) -> str:
        """A name of the call, the same for all its attempts; it is not sent."""
        # Made when somebody asks, which few calls are worth.
        if _ID not in vars(self):
            vars(self)[_ID] = new_request_id()
        return str(vars(self)[_ID])

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        shown = ("method", "label", "environment", "safe", "stream")
        fields = {name: getattr(self, name) for name in shown}
        return _shown_request, (fields, self.request_id)


def _shown_request(fields: dict[str, Any], request_id: str) -> Request:
    request = Request(url="", **fields)
    vars(request)[_ID] = request_id
    return request


@frozen(slots=False)
class SignedRequest:
    """A request with its secrets: it lives between authentication and the wire.

    Attributes:
        request: The request without its secrets; errors and answers refer to this one.
        secrets: The two credential header fields.
    """

    request: Request
    secrets: Mapping[str, str] = field(repr=False)

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signed request is neither pickled nor copied")


class BodyStream(Protocol):
    """The body of an answer that is read piece by piece."""

    async def read(self) -> bytes:
        """Return the next decoded bytes, ``b""`` at the end.

        Raises:
            TransportError: The body ended early or the connection was lost.
        """
        ...

    def close(self) -> None:
        """Give the connection back; a body not read to its end costs it."""
        ...


@frozen(kw_only=True, slots=False)
class Response:
    """What the API answered.

    A pickle or a deep copy keeps only what may be shown: no body.

    Attributes:
        request: The request this answers.
        status: HTTP status code.
        headers: Header fields; names are lower case.
        body: Raw body. Left out of ``repr`` because it may hold health data. Empty
            for a stream.
        stream: The body still to be read, or ``None`` if it has been read.
    """

    request: Request
    status: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    stream: BodyStream | None = field(default=None, repr=False)

    def json(self) -> Any:
        """Return the body, parsed as JSON.

        Raises:
            DecodingError: It is no JSON; the text says what kind of answer it is.
        """
        try:
            return orjson.loads(self.body.removeprefix(_MARK))
        except orjson.JSONDecodeError as error:
            kind = self.headers.get("content-type", "no content type").partition(";")[0]
            reason = (
                f"the answer is no JSON: {len(self.body)} bytes of {kind}, "
                f"wrong at byte {error.pos}"
            )
        # Raised out here: the other error holds the body.
        raise self.not_understood(reason)

    def not_understood(self, reason: str) -> DecodingError:
        """Return the error of an answer that cannot be understood.

        Args:
            reason: What was expected and what came, by kind; never the data itself.
        """
        error = DecodingError(self.request.label, reason)
        return of_call(error, self.request, correlation_id(self.headers))

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        harmless = {k: v for k, v in self.headers.items() if k in _HARMLESS}
        named = correlation_id(self.headers)
        if named is not None:
            harmless[CORRELATION_FIELDS[0]] = named
        return _shown_response, (self.request, self.status, harmless)


def _shown_response(
    request: Request, status: int, headers: Mapping[str, str]
) -> Response:
    return Response(request=request, status=status, headers=headers)
