"""Every aiohttp client error is mapped, and none shows what it knows."""

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
    _TooLargeError,
    transport_error,
)

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


def make(kind):  # noqa: PLR0911 - a table
    if issubclass(kind, aiohttp.client_exceptions.UnixClientConnectorError):
        return kind("/run/x", KEY, REFUSED)
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(KEY, CERTIFICATE)
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, REFUSED)
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(INFO, (), status=200, message=SECRET)
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"a", b"b", "api.test", 443)
    if issubclass(kind, aiohttp.InvalidURL):
        return kind(INFO.url)
    if issubclass(kind, OSError):
        return kind(errno.ECONNRESET, "Connection reset by peer")
    return kind(f"{INFO.url} {SECRET}")


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
    error = await come(make(CLASSES[name]))
    ours = transport_error(error, request(), answered=answered)

    assert type(ours) is MAPPED[name]
    for private in (SECRET, "4711", "Quillfeather", "/run/x"):
        assert private not in str(ours)
        assert private not in repr(ours)
    assert ours.__cause__ is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), AttemptTimeoutError),
        (ConnectionResetError(errno.ECONNRESET, "reset"), ConnectionLostError),
        (OSError(errno.ENETDOWN, "down"), ConnectionLostError),
        (ValueError("header"), ProtocolError),
        (_TooLargeError(), DecodingError),
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
