"""Carrying requests with aiohttp. No aiohttp exception leaves this module."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import platform
import select
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import aiohttp
from typing_extensions import override

from healthyroster_async._core.errors import (
    AnswerTooLargeError,
    AttemptTimeoutError,
    CertificateError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DecodingError,
    PoolClosedError,
    ProtocolError,
    TransportError,
    UsageError,
    is_success,
    of_call,
)
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.settings import AnswerSettings, check_type
from healthyroster_async._transports.base import Transport
from healthyroster_async._transports.bodies import Body, TooLargeError, read_whole
from healthyroster_async._transports.bounds import Bounds
from healthyroster_async._transports.fields import Fields
from healthyroster_async._transports.targets import target_of
from healthyroster_async._transports.unpacking import CodingError, PackedError
from healthyroster_async._version import __version__

# Kestrel keeps an idle connection 130 s, IIS 120 s, nginx 75 s, most load balancers
# 60 s: whoever lets go first cannot be surprised by the other.
_KEEP_ALIVE_S = 15.0
# A name that leads elsewhere after a failover is found so soon.
_DNS_CACHE_S = 10
_READ_BUFFER = 2**16
_MAX_SUFFIX = 256
# aiohttp would call a body that is not there an octet-stream, and servers answer 415.
_NO_TYPE = frozenset({"Content-Type"})
# One per environment would do, but for those of secrets that were just replaced.
_MAX_SESSIONS = 8
_GIVE_TLS = 'a context such as ssl.create_default_context(cafile="private-ca.pem")'
_NO_SECRETS: Mapping[str, str] = {}


def check_client(tls: Any, session: Any) -> None:
    """Refuse a TLS context or a client session that could not do its work.

    Raises:
        ConfigurationError: It is none, or verifies nothing.
    """
    if tls is not None:
        if tls is not False:
            check_type("ssl_context", tls, ssl.SSLContext, _GIVE_TLS)
        _check_verifies("ssl_context", tls)
    if session is not None:
        give = "an aiohttp.ClientSession"
        check_type("client_session", session, aiohttp.ClientSession, give)
        # aiohttp has no public name for it, and connectors of others may have none.
        _check_verifies("client_session", getattr(session.connector, "_ssl", True))


def _check_verifies(name: str, tls: Any) -> None:
    blind = isinstance(tls, ssl.SSLContext) and not (
        tls.verify_mode and tls.check_hostname
    )
    if blind or tls is False:
        raise ConfigurationError(
            f"{name} would not verify who answers, and there is no way to switch that "
            "off: the secret would go to anybody; to trust a private authority give "
            f"{_GIVE_TLS}"
        )


def user_agent(suffix: str | None = None) -> str:
    """Return what we call ourselves, with the caller's own name behind it.

    Raises:
        ConfigurationError: The name cannot stand in a header field.
    """
    if suffix is not None:
        check_type("user_agent_suffix", suffix, str, "a text such as my-app/1.2")
        # Servers turn away a request whose header fields are too long.
        plain = suffix.isascii() and suffix.isprintable()
        if not plain or len(suffix) > _MAX_SUFFIX:
            raise ConfigurationError(
                "user_agent_suffix holds a character that cannot stand in a header "
                f"field, or more than {_MAX_SUFFIX} characters; give a name such as "
                "my-app/1.2"
            )
    python = ".".join(platform.python_version_tuple()[:2])
    library = ".".join(aiohttp.__version__.split(".")[:2])
    name = f"healthyroster-async/{__version__} (Python/{python}; aiohttp/{library})"
    return f"{name} {suffix}" if suffix else name


class AiohttpTransport(Transport):
    """One connector, one TLS context, no cookies, no redirects.

    The connector has no limit of its own: waiting happens in the pacing policy, where
    it holds no connection and counts against no timeout.
    """

    def __init__(
        self,
        *,
        agent: str,
        encrypted: bool = True,
        tls: ssl.SSLContext | None = None,
        session: aiohttp.ClientSession | None = None,
        answers: AnswerSettings | None = None,
    ) -> None:
        self._answers = AnswerSettings() if answers is None else answers
        self._headers = {"User-Agent": agent, "Accept": "application/json"}
        self._encrypted = encrypted
        self._tls = tls
        self._given = session
        self._connector: aiohttp.TCPConnector | None = None
        # One per environment, over one connector: header fields that are given once
        # cost a call nothing. They are found by identity, so the secrets stay with
        # them: else new ones in the same place of memory would get the old session.
        self._sessions: dict[int, tuple[Mapping[str, str], aiohttp.ClientSession]] = {}
        self._streams: set[_AiohttpStream] = set()
        self._bounds = Bounds()
        self._closed = False

    @override
    async def start(self) -> None:
        if self._given is not None:
            _check_open(self._given)
            return
        tls = self._tls
        if tls is None and self._encrypted:
            # Reading the certificates takes tens of milliseconds.
            tls = await asyncio.to_thread(ssl.create_default_context)
        self._connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=_KEEP_ALIVE_S,
            ssl=True if tls is None else tls,
            ttl_dns_cache=_DNS_CACHE_S,
        )

    @override
    async def send(self, signed: SignedRequest) -> Response:
        request = signed.request
        session = self._given
        target = target_of(request.url)
        direct = target.proxy is None
        # aiohttp shows a session's own header fields to the proxy, in plain text.
        bare = session is not None or not direct
        if session is None:
            session = self._session_for(signed.secrets if direct else _NO_SECRETS)
        else:
            _check_open(session)
        answer: aiohttp.ClientResponse | None = None
        done = False
        failure: BaseException
        try:
            with self._bounds.of(request.timeouts.attempt):
                answer = await session.request(
                    request.method,
                    target.url,
                    # No variable: a traceback may print those.
                    headers=self._signed(signed) if bare else request.headers,
                    data=request.body,
                    skip_auto_headers=_NO_TYPE if request.body is None else None,
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=_client_timeout(request.timeouts.connect),
                    proxy=target.proxy,
                    proxy_headers=target.proxy_headers,
                    auto_decompress=False,  # else nobody sees that it has no end
                )
                if request.stream and is_success(answer.status):
                    done = True
                    return Response(
                        request=request,
                        status=answer.status,
                        headers=Fields(answer.headers),
                        stream=self._stream(request, answer),
                    )
                try:
                    body = await read_whole(
                        answer.content, answer.headers, self._answers
                    )
                    done = True
                except (aiohttp.ClientError, OSError, ValueError):
                    # What an error says beside its status matters less than that.
                    if answer.status // 100 == 2:  # noqa: PLR2004 - also a part
                        raise
                    body = b""
                return Response(
                    request=request,
                    status=answer.status,
                    headers=Fields(answer.headers),
                    body=body,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = transport_error(
                error, request, answered=answer is not None, direct=direct
            )
            if self._closed:
                failure = PoolClosedError(f"{request.label}: the pool was closed")
        except BaseException as error:  # noqa: BLE001 - raised below
            failure = _without_frames(error)
        finally:
            if answer is not None and not done:
                answer.close()
        # Raised out here, so that no aiohttp exception hangs on it as its context: some
        # show the secrets, and the frames of all do. An answer shows its URL.
        del answer
        raise failure

    @override
    async def close(self) -> None:
        self._closed = True
        self._bounds.cut()
        try:
            # Those that were cut off end before their connections do: a few ticks,
            # once, where an event would cost every call.
            while self._bounds:  # noqa: ASYNC110
                await asyncio.sleep(0)
        finally:
            for stream in tuple(self._streams):
                stream.close()
            sessions, self._sessions = self._sessions, {}
            for _, session in sessions.values():
                await session.close()
            if self._connector is not None:
                await self._connector.close()

    async def leave(self) -> None:
        """Let go of what belongs to a closed event loop, and wait for nothing there."""
        self._closed = True
        for _, session in self._sessions.values():
            session.detach()
        self._sessions.clear()
        if self._connector is not None:
            # What was under way when the loop was closed cannot be cancelled any more.
            with contextlib.suppress(RuntimeError):
                await self._connector.close()

    def _signed(self, signed: SignedRequest) -> dict[str, str]:
        return {**self._headers, **signed.request.headers, **signed.secrets}

    def _session_for(self, secrets: Mapping[str, str]) -> aiohttp.ClientSession:
        found = self._sessions.get(id(secrets))
        if found is not None:
            return found[1]
        if self._connector is None or self._closed:
            del secrets  # a traceback may print them
            raise PoolClosedError("the transport is not open")
        session = aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**self._headers, **secrets},
            read_bufsize=_READ_BUFFER,
            middlewares=(_sent_once,),
            request_class=_Request,
            response_class=_Answer,
            trust_env=False,  # else netrc adds an Authorization header
        )
        # Tools that trace every client of a process add themselves here: they record
        # filled-in paths, some also header fields, and send the API ids of traces.
        session.trace_configs.clear()
        self._sessions[id(secrets)] = secrets, session
        if len(self._sessions) > _MAX_SESSIONS:
            # Its secrets were replaced long ago; the connections are not its own.
            oldest = next(iter(self._sessions))
            self._sessions.pop(oldest)[1].detach()
        return session

    def _stream(
        self, request: Request, answer: aiohttp.ClientResponse
    ) -> _AiohttpStream:
        stream = _AiohttpStream(request, answer, self._answers, self._streams)
        self._streams.add(stream)
        return stream


def _check_open(session: aiohttp.ClientSession) -> None:
    if session.closed:
        raise UsageError(
            "the client_session of the pool is closed: close the pool before it, and "
            "give an open one to a new pool"
        )


class _AiohttpStream:
    """The body of a streamed answer."""

    def __init__(
        self,
        request: Request,
        answer: aiohttp.ClientResponse,
        bounds: AnswerSettings,
        open_ones: set[_AiohttpStream],
    ) -> None:
        self._request = request
        self._answer = answer
        self._body = Body(answer.content, answer.headers, bounds, "max_stream")
        self._silence = request.timeouts.read
        self._open_ones = open_ones
        self._closed = False

    async def read(self) -> bytes:
        if self._closed:
            raise ConnectionLostError(
                self._request, "the stream was closed", answered=True
            )
        failure: BaseException
        try:
            async with asyncio.timeout(self._silence):
                return await self._body.read()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = transport_error(error, self._request, answered=True)
        except BaseException as error:  # noqa: BLE001 - raised below
            failure = _without_frames(error)
        raise failure

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # aiohttp has already kept the connection if the body was read to its end.
        self._answer.close()
        self._open_ones.discard(self)


class _Answer(aiohttp.ClientResponse):
    """An answer without its URL and fields: aiohttp logs those that nobody closed."""

    @override
    def __repr__(self) -> str:
        return f"<ClientResponse [{self.status}]>"


class _LeftoverError(aiohttp.ClientError):
    """Something came on a kept connection that nobody had asked for, or its end."""


# Of what aiohttp calls a connection, those that a request went over.
_used: WeakSet[Any] = WeakSet()


class _Request(aiohttp.ClientRequest):
    """A request that is not sent where an answer waits already.

    A gateway may answer twice; aiohttp would take that for the answer of the next
    request, and the rows of one person would go to another. What comes only when that
    request was sent cannot be told from its answer: HTTP/1.1 does not number them.
    """

    @override
    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        protocol: Any = conn.protocol
        if protocol in _used:
            if protocol.should_close or _is_readable(conn.transport):
                raise _LeftoverError
        else:
            _used.add(protocol)
        return await super().send(conn)


def _is_readable(transport: asyncio.Transport | None) -> bool:
    """Return whether something came that the event loop has not read yet."""
    if transport is None:
        return True
    own = transport.get_extra_info("socket")
    if not hasattr(select, "poll"):  # Windows, where a number of any size will do
        return bool(select.select([own], [], [], 0)[0])
    poll = select.poll()
    poll.register(own, select.POLLIN)
    return bool(poll.poll(0))


class _LostError(aiohttp.ClientError):
    """A lost connection, as aiohttp does not know it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _sent_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request once, over a connection on which nothing is left over.

    When the two below come out, aiohttp sends a GET, PUT or DELETE once more by itself:
    uncounted, unpaid, and though it may have been carried out.
    """
    while True:
        try:
            return await send(request)
        except _LeftoverError:
            continue  # it was not sent, and that connection is closed
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _LostError(error) from None


def _without_frames(error: BaseException) -> BaseException:
    """Return an exception as if it were new: a cancellation, or a bug.

    The local variables of aiohttp's frames, which error reporters print, are full of
    secrets; and so are those of what it came after. When it is raised again, what the
    caller handles becomes its context once more.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    error.__suppress_context__ = False  # setting a cause sets it
    return error


@lru_cache(maxsize=64)
def _client_timeout(connect: float) -> aiohttp.ClientTimeout:
    # sock_connect, not connect: it covers name, TCP and TLS, but no waiting. Everything
    # else is our own scope around the attempt.
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)


def transport_error(  # noqa: C901, PLR0911, PLR0912 - a table: one kind, one line
    error: Exception, request: Request, *, answered: bool, direct: bool = True
) -> TransportError | DecodingError:
    """Translate what aiohttp, the socket or TLS raised.

    Args:
        error: The exception.
        request: What was to be sent.
        answered: Whether the head of an answer had come.
        direct: Whether there is no proxy on the way.
    """
    kind = type(error).__name__
    bounds = request.timeouts
    host = urlsplit(request.url).netloc.rpartition("@")[2]
    # Whoever is connected to. It has a name, but nobody looks for it in an error.
    there = host if direct else "the proxy that HTTPS_PROXY or HTTP_PROXY names"
    match error:
        case _LostError():
            return transport_error(
                error.error, request, answered=answered, direct=direct
            )
        case TooLargeError():
            return of_call(AnswerTooLargeError(request.label, str(error)), request)
        case CodingError():
            return ProtocolError(request, str(error))
        case PackedError():
            return ConnectionLostError(request, str(error), answered=True)
        case (
            aiohttp.ClientConnectorCertificateError()
            | aiohttp.ServerFingerprintMismatch()
        ):
            return CertificateError(
                request, f"{host} has no valid certificate ({kind})"
            )
        case aiohttp.ClientConnectorDNSError():
            return ConnectError(request, f"the name of {there} was not found ({kind})")
        case aiohttp.ConnectionTimeoutError():
            return ConnectError(
                request,
                f"no connection to {there} within {bounds.connect:g} s ({kind})",
            )
        case aiohttp.ClientConnectorError():
            return ConnectError(
                request, f"no connection to {there}{_why(error)} ({kind})"
            )
        case aiohttp.ClientHttpProxyError():
            return ConnectError(
                request,
                f"the proxy on the way to {host} answered {error.status} ({kind})",
            )
        case aiohttp.ServerTimeoutError() | TimeoutError():
            seconds = bounds.read if answered else bounds.attempt
            return AttemptTimeoutError(
                request, f"nothing came within {seconds:g} s ({kind})"
            )
        case aiohttp.ClientPayloadError():
            return ConnectionLostError(
                request, f"the answer broke off before its end ({kind})", answered=True
            )
        case aiohttp.ClientConnectionError() | OSError():
            return ConnectionLostError(
                request,
                f"the connection was lost{_why(error)} ({kind})",
                answered=answered,
            )
        case _:
            # aiohttp's words may hold what came; the class of their cause does not.
            why = type(error.__cause__ or error).__name__
            return ProtocolError(
                request, f"what came back is not readable HTTP ({why})"
            )


def _why(error: Exception) -> str:
    """Return the words of the operating system or TLS for an error, if it has any.

    They are looked up: those in the exception may be aiohttp's, with the URL in them.
    """
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLError):
        # Its number is none of the system's; the reason is a constant of OpenSSL.
        reason = getattr(cause, "reason", None)
        return f": {reason}" if reason else ""
    number = getattr(cause, "errno", 0)
    return f": {os.strerror(number)}" if number in errno.errorcode else ""
