"""The emulator: sockets around the API."""

from __future__ import annotations

import asyncio
import errno
import os
from functools import partial
from hashlib import sha256
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from aiohttp import web
from attrs import define, field
from typing_extensions import override

from healthyroster_async._core.credentials import Credentials
from healthyroster_async._core.errors import ConfigurationError, UsageError
from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import swagger
from healthyroster_async.emulator.api import Api
from healthyroster_async.emulator.seen import Seen
from healthyroster_async.emulator.settings import MAX_PORT, Settings

if TYPE_CHECKING:
    from healthyroster_async._core.contract import Contract
    from healthyroster_async._pool import ConnectionPool

# Turns of the loop until a connection that was just accepted is one, and is closed too.
_ACCEPTING = 4
_BACKLOG = 1024
_SHUTDOWN_S = 0.1


class _Server(web.Server):
    """A server that counts connections, if it is one of the API."""

    def __init__(self, handler: Any, seen: Seen | None) -> None:
        # With handler_cancellation a stalled answer ends when its client goes away.
        super().__init__(handler, handler_cancellation=True, access_log=None)
        self._seen = seen

    @override
    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        if self._seen is not None:
            self._seen.connections += 1
        super().connection_made(handler, transport)


@define(kw_only=True, eq=False)
class Emulator(Settings):
    """A local Healthy Roster with synthetic data, over real sockets.

    ``async with Emulator(providers=20) as emulator``, or ``await start()`` and ``await
    close()``; both may be called more than once.

    Attributes:
        base_urls: Base URL of each environment, while it runs.
        seen: Counters of what the server really saw.
    """

    base_urls: dict[Environment, str] = field(init=False, factory=dict)
    seen: Seen = field(init=False, factory=Seen)
    _api: Api = field(init=False, repr=False)
    _runners: list[web.ServerRunner] = field(init=False, factory=list, repr=False)
    _elsewhere: str = field(init=False, default="", repr=False)

    @override
    def __attrs_post_init__(self) -> None:
        Settings.__attrs_post_init__(self)
        self._api = Api(
            settings=self,
            seen=self.seen,
            base_urls=self.base_urls,
            elsewhere=lambda: self.elsewhere_url,
        )

    @property
    def url(self) -> str:
        """Base URL of the first environment."""
        self._running()
        return self.base_urls[self.environments[0]]

    @property
    def swagger_url(self) -> str:
        """Where the swagger document is."""
        return f"{self.url}/swagger/v1/swagger.json"

    @property
    def elsewhere_url(self) -> str:
        """The other origin, where redirects lead that do not say where."""
        self._running()
        return self._elsewhere

    def swagger(self, environment: Environment | None = None) -> dict[str, Any]:
        """Return the swagger document, as an environment serves it.

        Args:
            environment: The environment; ``None`` is the first one.
        """
        self._running()
        wanted = self.environments[0] if environment is None else environment
        if wanted not in self.base_urls:
            raise ConfigurationError(f"the emulator has no environment {wanted!r}")
        return swagger.served(self, self.base_urls, wanted)

    def contract(self) -> Contract:
        """Return the ``Contract`` that the swagger document describes."""
        from healthyroster_async._core.contract import Contract  # noqa: PLC0415

        # A document of version 2.0 says one host, and not which environment it is.
        urls = dict(self.base_urls) if self.document_version == "2.0" else None
        return Contract.from_swagger(self.swagger(), base_urls=urls)

    def pool(self, **options: Any) -> ConnectionPool:
        """Return a pool for this emulator, not started; it takes the same options."""
        from healthyroster_async._pool import ConnectionPool  # noqa: PLC0415

        return ConnectionPool(self.credentials, contract=self.contract(), **options)

    def rotate(self, environment: Environment | None = None) -> Credentials:
        """Return new credentials, which alone are accepted from now on.

        Args:
            environment: Whose; those of the first environment by default.

        Raises:
            ConfigurationError: It has no such environment.
        """
        chosen = self.environments[0] if environment is None else environment
        if chosen not in self._credentials:
            raise ConfigurationError("the emulator does not play that environment")
        old = self._credentials[chosen]
        secret = sha256(old.application_secret.reveal().encode()).hexdigest()
        new = Credentials(old.application_id, f"{chosen.value}-secret-{secret[:32]}")
        self._credentials[chosen] = new
        return new

    async def start(self) -> None:
        """Listen. Does nothing if it does already.

        Raises:
            ConfigurationError: The port is taken, or the address is not ours.
        """
        if self._runners:
            return
        prefix = self.path_prefix
        self._api.start()
        try:
            for index, environment in enumerate(self.environments):
                handler = partial(self._api.handle, environment)
                wanted = self.port + index if self.port else 0
                wanted = wanted if wanted <= MAX_PORT else 0
                origin = await self._listen(
                    handler, wanted, exact=index == 0, seen=self.seen
                )
                self.base_urls[environment] = f"{origin}{prefix}"
            self._elsewhere = await self._listen(self._take_in, 0)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop at once: answers that are under way break off."""
        runners, self._runners = self._runners, []
        for runner in runners:
            for site in tuple(runner.sites):
                await site.stop()
        for _ in range(_ACCEPTING):
            await asyncio.sleep(0)
        tasks = self._api.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for runner in runners:
            await runner.cleanup()
        self.base_urls.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __enter__(self) -> NoReturn:
        raise TypeError("use `async with Emulator(...)`: it lives in the event loop")

    def __exit__(self, *exc_info: object) -> None:
        """Never reached; without it, `with` would not reach the hint above."""

    def _running(self) -> None:
        if not self._runners:
            raise UsageError(
                "the emulator does not run; use `async with Emulator(...)` or start()"
            )

    async def _listen(
        self, handler: Any, port: int, *, exact: bool = True, seen: Seen | None = None
    ) -> str:
        runner = web.ServerRunner(_Server(handler, seen), shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        # Known before it listens, so that close() cleans up whatever happens.
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, self.host, port, backlog=_BACKLOG).start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE and not exact:
                await web.TCPSite(runner, self.host, 0, backlog=_BACKLOG).start()
            else:
                reason = os.strerror(error.errno) if error.errno else str(error)
                raise ConfigurationError(
                    f"the emulator cannot listen on {self.host} port {port} "
                    f"({reason}); give another port, or 0 for a free one"
                ) from None
        host, bound = runner.addresses[0][:2]
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    async def _take_in(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer at the other origin, where no secret may ever arrive."""
        secrets = {c.application_secret.reveal() for c in self.credentials.values()}
        names = (self.application_id_header, self.application_secret_header)
        if any(name in request.headers for name in names) or secrets & set(
            request.headers.values()
        ):
            self.seen.secrets_elsewhere += 1
        return web.json_response([])


# A caller finds every setting where the constructor is, written down only once.
Emulator.__doc__ = (Emulator.__doc__ or "").rstrip() + (
    (Settings.__doc__ or "").partition("Attributes:")[2]
)
