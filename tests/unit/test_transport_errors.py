"""Every aiohttp client error is mapped, and none shows what it knows."""

import asyncio
import errno
import inspect
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from fakes import SECRET, request
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from healthyroster_async import (
    AnswerTooLargeError,
    AttemptTimeoutError,
    CertificateError,
    ConnectError,
    ConnectionLostError,
    DecodingError,
    ProtocolError,
    TransportError,
)
from healthyroster_async._transports.aiohttp import (
    _sent_once,
    _without_frames,
    transport_error,
)
from healthyroster_async._transports.bodies import TooLargeError
from healthyroster_async._transports.unpacking import CodingError, PackedError

KEY = ConnectionKey("api.test", 443, True, True, None, None, None)
INFO = aiohttp.RequestInfo(
    URL("https://api.test/HealthcareProvider/4711?who=Quillfeather"),
    "GET",
    CIMultiDictProxy(CIMultiDict({"X-App-Secret": SECRET})),
)
REFUSED = OSError(errno.ECONNREFUSED, "Connection refused")
CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")

MAPPED = {
    "ClientConnectionError": ConnectionLostError,
    "ClientConnectionResetError": ConnectionLostError,
    "ClientConnectorCertificateError": CertificateError,
    "ClientConnectorDNSError": ConnectError,
    "ClientConnectorError": ConnectError,
    "ClientConnectorSSLError": ConnectError,
    "ClientError": ProtocolError,
    "ClientHttpProxyError": ConnectError,
    "ClientOSError": ConnectionLostError,
    "ClientPayloadError": ConnectionLostError,
    "ClientProxyConnectionError": ConnectError,
    "ClientResponseError": ProtocolError,
    "ClientSSLError": ConnectError,
    "ConnectionTimeoutError": ConnectError,
    "ContentTypeError": ProtocolError,
    "InvalidURL": ProtocolError,
    "InvalidUrlClientError": ProtocolError,
    "InvalidUrlRedirectClientError": ProtocolError,
    "NonHttpUrlClientError": ProtocolError,
    "NonHttpUrlRedirectClientError": ProtocolError,
    "RedirectClientError": ProtocolError,
    "ServerConnectionError": ConnectionLostError,
    "ServerDisconnectedError": ConnectionLostError,
    "ServerFingerprintMismatch": CertificateError,
    "ServerTimeoutError": AttemptTimeoutError,
    "SocketTimeoutError": AttemptTimeoutError,
    "TooManyRedirects": ProtocolError,
    "UnixClientConnectorError": ConnectError,
    "UploadAbortedError": ProtocolError,
    "WSServerHandshakeError": ProtocolError,
}
# The oldest aiohttp that we allow does not have it yet.
LATER = {"UploadAbortedError"}
CLASSES = {
    kind.__name__: kind
    for module in (aiohttp, aiohttp.client_exceptions)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, aiohttp.ClientError)
}


# aiohttp writes sentences of its own, with the URL, where the system's words belong.
SENTENCE = f"Can not write request body for {INFO.url} {SECRET}"


def made(kind):  # noqa: PLR0911 - a table
    """Return errors of a class that tell as much as they can."""
    if issubclass(kind, aiohttp.client_exceptions.UnixClientConnectorError):
        return [kind(f"/run/x/{INFO.url}", KEY, cause) for cause in CAUSES]
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return [kind(KEY, CERTIFICATE), kind(KEY, ssl.CertificateError(1, SENTENCE))]
    if issubclass(kind, aiohttp.ClientConnectorError):
        return [kind(KEY, cause) for cause in CAUSES]
    if issubclass(kind, aiohttp.ClientResponseError):
        return [kind(INFO, (), status=200, message=SENTENCE)]
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return [kind(SENTENCE.encode(), b"b", "api.test", 443)]
    if issubclass(kind, aiohttp.InvalidURL):
        return [kind(INFO.url), kind(INFO.url, SENTENCE)]
    if issubclass(kind, OSError):
        numbers = (errno.EPIPE, None, 1, -2, 99999)
        return [kind(SENTENCE), *(kind(number, SENTENCE) for number in numbers)]
    return [kind(), kind(SENTENCE)]


CAUSES = [
    REFUSED,
    OSError(SENTENCE),
    OSError(None, SENTENCE),
    OSError(errno.ECONNREFUSED, SENTENCE),
    OSError(-2, SENTENCE),
    ssl.SSLError(1, SENTENCE),
    CERTIFICATE,
]


def test_no_class_of_aiohttp_is_missing():
    """
    A new aiohttp with a new error must be looked at.
    """
    assert set(MAPPED) - LATER <= set(CLASSES) <= set(MAPPED)


async def as_it_is(error):
    return error


async def out_of_the_middleware(error):
    async def send(_):
        raise error

    with pytest.raises(aiohttp.ClientError) as caught:
        await _sent_once(None, send)
    return caught.value


@pytest.mark.parametrize("come", [as_it_is, out_of_the_middleware])
@pytest.mark.parametrize("name", sorted(CLASSES))
@pytest.mark.parametrize("answered", [False, True])
async def test_every_error_becomes_ours_without_what_it_knows(name, answered, come):
    """
    The repr of some of aiohttp's errors has the secret, the str of others the query.
    """
    for theirs in made(CLASSES[name]):
        error = await come(theirs)
        ours = transport_error(error, request(), answered=answered)

        assert type(ours) is MAPPED[name]
        for private in (SECRET, "4711", "Quillfeather", "/run/x", "Can not write"):
            assert private not in f"{ours} {ours!r} {ours.args!r}"
        assert ours.__cause__ is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), AttemptTimeoutError),
        (ConnectionResetError(errno.ECONNRESET, "reset"), ConnectionLostError),
        (OSError(errno.ENETDOWN, "down"), ConnectionLostError),
        (ValueError("header"), ProtocolError),
        (TooLargeError("too large"), AnswerTooLargeError),
        (CodingError("unknown"), ProtocolError),
        (PackedError("no end"), ConnectionLostError),
    ],
    ids=repr,
)
def test_what_comes_from_below_aiohttp_is_mapped_too(error, kind):
    """
    Sockets raise their own errors through aiohttp.
    """
    ours = transport_error(error, request(), answered=False)

    assert type(ours) is kind
    assert isinstance(ours, TransportError | DecodingError)


def of_tls():
    """Return what is raised when the other side speaks no TLS."""
    inner, outer = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    try:
        ssl.create_default_context().wrap_bio(
            inner, outer, server_hostname="x"
        ).do_handshake()
    except ssl.SSLError as error:
        return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ClientConnectorError(KEY, REFUSED), ": Connection refused (Client"),
        (aiohttp.ClientOSError(errno.EPIPE, SENTENCE), ": Broken pipe (Client"),
        (OSError(errno.ENETDOWN, SENTENCE), ": Network is down (OSError"),
        (aiohttp.ClientConnectorSSLError(KEY, of_tls()), ": WRONG_VERSION_NUMBER (C"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "x")), "api.test (C"),
        (aiohttp.ClientProxyConnectionError(KEY, of_tls()), ": WRONG_VERSION_NUMBER ("),
        (aiohttp.ServerDisconnectedError(SENTENCE), "was lost (Server"),
    ],
    ids=["refused", "body", "system", "tls", "tls unsaid", "proxy", "unsaid"],
)
def test_the_system_says_why_in_its_own_words(error, words):
    """
    Who reads the log must see whether nobody listened or somebody hung up.
    """
    own = request(url="https://api.test/x")

    assert words in str(transport_error(error, own, answered=False))


def test_what_is_passed_on_is_the_same_exception_as_if_it_were_new():
    """
    A cancellation that comes while aiohttp handles something else drags along frames
    full of secrets; a new one in its place would break whoever waits for it.
    """
    theirs = asyncio.CancelledError("because")
    try:
        try:
            int(SECRET)
        except ValueError as error:
            raise theirs from error
    except asyncio.CancelledError as error:
        ours = _without_frames(error)

    assert ours is theirs
    assert ours.args == ("because",)
    hanging = ours.__traceback__, ours.__context__, ours.__cause__
    assert hanging == (None, None, None)
    assert not ours.__suppress_context__
