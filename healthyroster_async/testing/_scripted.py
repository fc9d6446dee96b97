"""A transport that plays a script, for tests without sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

import orjson
from attrs import evolve, field, frozen

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials, FetchCredentials
from healthyroster_async._core.errors import TransportError, is_success
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.settings import (
    Environment,
    PacingSettings,
    check_type,
)
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._transports.base import Transport

_JSON = "application/json"


@frozen
class Answer:
    """What the API is to answer.

    Attributes:
        status: HTTP status code.
        json: The body, to be sent as JSON; or else
        body: the body as it is.
        retry_after: Seconds to ask to wait for.
        headers: More header fields.
    """

    status: int = 200
    json: Any = field(default=None, kw_only=True, repr=False)
    body: bytes = field(default=b"", kw_only=True, repr=False)
    retry_after: float | None = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(factory=dict, kw_only=True)

    def to(self, request: Request) -> Response:
        """Return the answer to a request."""
        headers = {"content-type": _JSON}
        if self.retry_after is not None:
            headers["retry-after"] = f"{self.retry_after:.15g}"
        headers.update({name.lower(): value for name, value in self.headers.items()})
        body = self.body if self.json is None else orjson.dumps(self.json)
        return response_of(request, self.status, headers, body)


Step: TypeAlias = Answer | list[Any] | dict[str, Any] | int | type[TransportError]


class ScriptedTransport:
    """Plays answers in turn, and keeps what was asked.

    Attributes:
        requests: The requests that came, in their order; none has its secrets.
    """

    def __init__(self, script: Iterable[Step] | Callable[[Request], Step]) -> None:
        """Make one.

        Args:
            script: What to answer: an ``Answer``; a list or dict, sent as JSON; a
                status; or a class of ``TransportError``, which is raised. A function
                of the request may return them too.
        """
        self.requests: list[Request] = []
        self._answer = script if callable(script) else None
        self._left = [] if callable(script) else list(script)

    @property
    def left(self) -> int:
        """How many answers nobody asked for."""
        return len(self._left)

    def assert_played(self) -> None:
        """Do nothing if the script was played to its end.

        Raises:
            AssertionError: Nobody asked for the rest; the text says what came instead.
        """
        if self._left:
            came = ", ".join(request.label for request in self.requests) or "nothing"
            raise AssertionError(
                f"answers left of the script: {len(self._left)}, the next is "
                f"{_told(self._left[0])}; asked for was {came}"
            )

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, signed: SignedRequest) -> Response:
        """Answer.

        Raises:
            AssertionError: The script has no answer left.
        """
        request = signed.request
        self.requests.append(request)
        if self._answer is not None:
            step = self._answer(request)
        elif self._left:
            step = self._left.pop(0)
        else:
            raise AssertionError(
                f"the script has no answer for {request.label}, call "
                f"{len(self.requests)} of the test; before it came "
                + (", ".join(r.label for r in self.requests[:-1]) or "nothing")
            )
        if isinstance(step, type) and issubclass(step, TransportError):
            raise step(request, "as the script says")
        if isinstance(step, int):
            step = Answer(step)
        elif isinstance(step, list | dict):
            step = Answer(json=step)
        if not isinstance(step, Answer):
            raise TypeError(
                "a script holds answers, lists, dicts, statuses and classes of "
                f"TransportError; this is {_told(step)}. What the API answers is a "
                "status: 403 for ForbiddenError"
            )
        return step.to(request)


def _told(step: Step) -> str:
    """Name a step; what it holds may have been taken from real answers."""
    if isinstance(step, Answer):
        return str(step.status)
    if isinstance(step, type):
        return step.__name__
    return str(step) if isinstance(step, int) else f"a {type(step).__name__}"


def scripted_pool(
    script: Transport | Iterable[Step] | Callable[[Request], Step],
    *,
    credentials: Mapping[Environment, Credentials | FetchCredentials] | None = None,
    **options: Any,
) -> ConnectionPool:
    """Return a pool of a made-up API that answers as a script says, not started.

    Args:
        script: What ``ScriptedTransport`` takes, or one, or a ``Replay``.
        credentials: Those of the environments, for tests of two of them or of a secret
            that is rotated; else made-up ones of the sandbox.
        **options: What else ``ConnectionPool`` takes, such as ``contract``, but for
            ``transport``, which is the script. Nothing is shared with other processes
            or remembered unless its ``pacing`` says so.

    Raises:
        ConfigurationError: Something is wrong or does not fit together.
        TypeError: An option is none of ``ConnectionPool``, or ``transport``.
    """
    if "transport" in options:
        raise TypeError(
            "scripted_pool() takes no transport=; give it in place of the script"
        )
    transport = (
        cast("Transport", script)
        if hasattr(script, "send")
        else ScriptedTransport(cast("Iterable[Step]", script))
    )
    if credentials is None:
        credentials = {Environment.SANDBOX: Credentials("test", "not-a-secret")}
    settings: dict[str, Any] = {
        "contract": Contract(
            base_urls={one: f"https://{one.value}.example.test" for one in Environment},
            application_id_header="X-Application-Id",
            application_secret_header="X-Application-Secret",  # noqa: S106 - a name
        ),
    }
    pacing = options.pop("pacing", None)
    if pacing is None:
        pacing = PacingSettings()
    check_type("pacing", pacing, PacingSettings, "PacingSettings(...)")
    # Files would need threads, which virtual time does not wait for.
    settings["pacing"] = evolve(
        pacing, share=bool(pacing.share), remember=bool(pacing.remember)
    )
    return ConnectionPool(credentials, transport=transport, **(settings | options))


class BytesStream:
    """A body that is there already, read piece by piece."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        """Return what is left."""
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Give it up."""
        self._body = b""


def response_of(
    request: Request, status: int, headers: Mapping[str, str], body: bytes
) -> Response:
    """Return an answer whose body is there already."""
    if request.stream and is_success(status):
        stream = BytesStream(body)
        return Response(request=request, status=status, headers=headers, stream=stream)
    return Response(request=request, status=status, headers=headers, body=body)
