"""TLS and proxies over real sockets: who is trusted, and what others get to see."""

import asyncio
import contextlib
import pickle
import socket
import ssl
import traceback

import aiohttp
import attrs
import pytest
import trustme
from aiohttp.abc import AbstractResolver

from healthyroster_async import (
    CertificateError,
    ConnectError,
    ConnectionPool,
    Contract,
    Environment,
    RetrySettings,
)
from healthyroster_async._transports import targets
from healthyroster_async.emulator import Emulator

HOST = "api.example.test"
SANDBOX = Environment.SANDBOX
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Relay:
    """Passes bytes on between whoever connects and a port of this machine."""

    def __init__(self, port, *, tls=None):
        self.target = port
        self.tls = tls
        self.seen = bytearray()
        self._writers = set()
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    async def greet(self, reader, writer):
        """Say what comes before the bytes; return whether there will be any."""
        return True

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        try:
            if await self.greet(reader, writer):
                back, forth = await asyncio.open_connection("127.0.0.1", self.target)
                self._writers.add(forth)
                await asyncio.gather(
                    self._pass(reader, forth, self.seen),
                    self._pass(back, writer, bytearray()),
                )
        finally:
            writer.close()

    async def _pass(self, reader, writer, seen):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                seen += data
                writer.write(data)
                await writer.drain()
        writer.close()


class Proxy(Relay):
    """An HTTP proxy that connects every name to one port, or refuses."""

    def __init__(self, port, *, answer="200 Connection established"):
        super().__init__(port)
        self.answer = answer
        self.heads = []

    async def greet(self, reader, writer):
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {self.answer}\r\n\r\n".encode())
        await writer.drain()
        return self.answer.startswith("200")


class Names(AbstractResolver):
    """Leads every name to this machine."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            {"hostname": host, "host": "127.0.0.1", "port": port,
             "family": socket.AF_INET, "proto": 0, "flags": 0}
        ]  # fmt: skip

    async def close(self):
        pass


@pytest.fixture
def anyio_backend():
    """Without asyncio's checks: they take a refused handshake for a bug."""
    return "asyncio"


@pytest.fixture(scope="module")
def authority():
    """Make an authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Begin without a proxy, and forget what another test made of it."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    targets._proxy_of.cache_clear()
    targets.target_of.cache_clear()
    yield
    targets._proxy_of.cache_clear()
    targets.target_of.cache_clear()


@pytest.fixture
def trusting(authority):
    """A context of one's own that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def proving(authority):
    """The context of a server that can prove to be one of these hosts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", HOST).configure_cert(context)
    return context


@pytest.fixture
def impostor(authority):
    """The context of a server that can only prove to be another host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example.test").configure_cert(context)
    return context


@pytest.fixture
def trusted_by_the_system(authority, tmp_path, monkeypatch):
    """Let the variable of OpenSSL name the authority."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@contextlib.asynccontextmanager
async def behind_tls(server_context):
    """Run an emulator and a server in front of it that speaks TLS."""
    async with Emulator(providers=1, rows=300) as emulator:
        port = int(emulator.url.rpartition(":")[2])
        async with Relay(port, tls=server_context) as front:
            yield emulator, front


def pool(emulator, url, **options):
    contract = attrs.evolve(emulator.contract(), base_urls={SANDBOX: url})
    return ConnectionPool(emulator.credentials, contract=contract, **options)


async def everything(own):
    """Call what is read whole and what is streamed."""
    reporting = own.session(1).reporting
    sources = await reporting.data_sources()
    return len(sources), len(await reporting.rows(sources[0].id).to_list())


async def failure_of(own):
    """Return the error of a call and all that a crash report would show of it."""
    with pytest.raises(ConnectError) as caught:
        await own.session(1).reporting.data_sources()
    error = caught.value
    shown = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    return error, f"{error!r} {shown} {pickle.dumps(error)!r}"


async def test_a_private_authority_is_trusted_with_a_context_of_ones_own(
    proving, trusting
):
    """
    Companies break TLS open at their border, with a certificate of their own.
    """
    async with behind_tls(proving) as (emulator, front):
        url = f"https://localhost:{front.port}"
        async with pool(emulator, url, ssl_context=trusting) as own:
            assert await everything(own) == (9, 300)


async def test_a_private_authority_is_trusted_where_the_system_trusts_it(
    proving, trusted_by_the_system
):
    """
    The usual variable of OpenSSL needs no line of code.
    """
    async with behind_tls(proving) as (emulator, front):
        own = pool(emulator, f"https://localhost:{front.port}")
        async with own:
            assert await everything(own) == (9, 300)


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_who_cannot_prove_to_be_the_host_gets_no_secret(
    wrong, proving, impostor, trusting
):
    """
    It would be handed to whoever sits in between; asking again changes nothing.
    """
    server, client = (proving, None) if wrong == "authority" else (impostor, trusting)
    async with behind_tls(server) as (emulator, front):
        url = f"https://localhost:{front.port}"
        async with pool(emulator, url, ssl_context=client) as own:
            error, shown = await failure_of(own)
            attempts = own.stats()[SANDBOX].attempts
        secret = emulator.credentials[SANDBOX].application_secret.reveal()

    assert type(error) is CertificateError
    assert f"localhost:{front.port} has no valid certificate" in str(error)
    assert secret not in shown
    assert front.seen == b""
    assert attempts == 1


async def test_a_proxy_of_the_environment_carries_what_it_cannot_read(
    proving, trusting, monkeypatch
):
    """
    Many networks have no other way out; the proxy learns the host and nothing else.
    """
    async with (
        behind_tls(proving) as (emulator, front),
        Proxy(front.port) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://who:pass@127.0.0.1:{proxy.port}")
        async with pool(emulator, f"https://{HOST}", ssl_context=trusting) as own:
            assert await everything(own) == (9, 300)
            assert await everything(own) == (9, 300)
            # aiohttp shows these with a connection that nobody closed.
            kept = repr(own._running.transport._connector._conns)
        own_id = emulator.credentials[SANDBOX].application_id

    assert len(proxy.heads) == 1
    assert f"//127.0.0.1:{proxy.port}" in kept
    assert "pass" not in kept
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:443 ")
    assert "proxy-authorization: basic d2hvonbhc3m=" in proxy.heads[0].lower()
    assert own_id not in "".join(proxy.heads)
    assert own_id.encode() in front.seen
    assert own_id.encode() not in proxy.seen


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("407 Proxy Authentication Required", f"on the way to {HOST} answered 407"),
        (None, "no connection to the proxy that HTTPS_PROXY"),
    ],
)
async def test_a_proxy_that_does_not_work_is_told_without_its_password(
    answer, words, proving, trusting, monkeypatch
):
    """
    Its address often has a password in it, and the error ends up in a log; one that
    names the API would have people look for the fault in the wrong place.
    """
    once = RetrySettings(max_attempts=1)
    async with (
        behind_tls(proving) as (emulator, front),
        Proxy(front.port, answer=answer or "") as proxy,
    ):
        port = proxy.port if answer else 9
        monkeypatch.setenv("HTTPS_PROXY", f"http://who:pa55w0rd@127.0.0.1:{port}")
        async with pool(
            emulator, f"https://{HOST}", ssl_context=trusting, retry=once
        ) as own:
            error, shown = await failure_of(own)
        secret = emulator.credentials[SANDBOX].application_secret.reveal()

    assert type(error) is ConnectError
    assert words in str(error)
    assert "pa55w0rd" not in shown
    assert secret not in shown


@pytest.mark.parametrize("variable", [HOST, ".example.test", "*", None])
async def test_no_proxy_is_asked_for_hosts_that_need_none(
    variable, proving, trusting, monkeypatch
):
    """
    NO_PROXY names hosts inside; without it the proxy is asked.
    """
    connector = aiohttp.TCPConnector(limit=0, resolver=Names(), ssl=trusting)
    async with (
        behind_tls(proving) as (emulator, front),
        Proxy(front.port) as proxy,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        if variable is not None:
            monkeypatch.setenv("NO_PROXY", variable)
        url = f"https://{HOST}:{front.port}"
        async with pool(emulator, url, client_session=session) as own:
            assert await everything(own) == (9, 300)

    assert bool(proxy.heads) is (variable is None)


async def test_this_machine_is_never_asked_through_a_proxy(monkeypatch):
    """
    Plain http is allowed to loopback only because it does not leave the machine.
    """
    async with Emulator(providers=1, rows=300) as emulator, Proxy(9) as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with emulator.pool() as own:
            assert await everything(own) == (9, 300)

    assert not proxy.heads


async def test_a_document_of_this_machine_never_comes_through_a_proxy(monkeypatch):
    """
    Over plain http, a proxy could put in the host that gets the secret.
    """
    async with Emulator(providers=1) as emulator, Proxy(9) as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        contract = await asyncio.to_thread(Contract.from_swagger, emulator.swagger_url)

    assert contract.base_urls[SANDBOX].startswith("http://127.0.0.1:")
    assert not proxy.heads
