"""What a session and its resources call the API with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from attrs import evolve, frozen

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import DecodingError, KnownDenialError, of_call
from healthyroster_async._core.hosts import is_below, is_elsewhere
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.settings import (
    Environment,
    Priority,
    RetrySettings,
    Timeouts,
)

if TYPE_CHECKING:
    from healthyroster_async._pipeline import Pipeline
    from healthyroster_async._pool import ConnectionPool

_T = TypeVar("_T")
_NO_HEADERS: Mapping[str, str] = {}


@frozen(kw_only=True, slots=False)  # built in half the time, for every session
class Caller:
    """A pool seen by one Healthcare Provider, with the options of its session.

    Attributes:
        pool: Whose connections are used.
        provider_id: The Healthcare Provider.
        environment: Whose credentials are used.
        priority: The lane calls wait in.
        timeouts: Bounds of an attempt.
        retry: Bounds of trying again.
        deadline: Seconds that a call may take in all, or ``None`` for no bound.
        weight: Share of the calls that wait, against those of other providers.
        skip_denied: Whether what is known to be denied is not sent.
    """

    pool: ConnectionPool
    provider_id: int | str
    environment: Environment
    priority: Priority
    timeouts: Timeouts
    retry: RetrySettings
    deadline: float | None
    weight: float = 1.0
    skip_denied: bool = False

    @property
    def contract(self) -> Contract:
        """How the API looks."""
        return self.pool.contract

    def check_open(self) -> None:
        """Raise what would be wrong with any call.

        Raises:
            UsageError: The pool is not open, or not here.
        """
        self._pipeline()

    def send(self, endpoint: Endpoint, *values: int | str) -> Awaitable[Response]:
        """Call an endpoint and return its answer, read whole."""
        pipeline = self._pipeline()
        request = self.request(endpoint, *values)
        if self.skip_denied:
            self._refuse(request)
        return pipeline.send(self.timed(request))

    def send_request(self, request: Request) -> Awaitable[Response]:
        """Send a request and return its answer, read whole."""
        pipeline = self._pipeline()
        if self.skip_denied:
            self._refuse(request)
        return pipeline.send(self.timed(request))

    def open(self, request: Request) -> Awaitable[Response]:
        """Make one attempt, without deadline and retry."""
        pipeline = self._pipeline()
        if self.skip_denied:
            self._refuse(request)
        return pipeline.open(request)

    def repeat(
        self, request: Request, call: Callable[[], Awaitable[_T]]
    ) -> Awaitable[_T]:
        """Await *call* within the deadline of *request*, several times if need be."""
        return self._pipeline().repeat(request, call)

    def ended(
        self,
        request: Request,
        *,
        rows: int,
        size: int,
        seconds: float,
        error: str | None,
        correlation: str | None = None,
    ) -> None:
        """Count the rows of a stream that was closed; tell who wants to hear it."""
        recorder = self.pool._histories[self.environment].recorder  # noqa: SLF001 - ours
        recorder.streamed(self.provider_id, request.label, rows, size, seconds)
        tell = self.pool._hooks.stream  # noqa: SLF001 - ours
        if tell is not None:
            from healthyroster_async._core.events import StreamEvent  # noqa: PLC0415

            tell(
                StreamEvent(
                    environment=request.environment,
                    provider_id=request.provider_id,
                    label=request.label,
                    request_id=request.request_id,
                    rows=rows,
                    bytes=size,
                    duration_s=seconds,
                    error=error,
                    correlation_id=correlation,
                )
            )

    def request(
        self,
        endpoint: Endpoint,
        *values: int | str,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        stream: bool = False,
    ) -> Request:
        """Return the request of an endpoint: the provider id comes first in its path.

        Raises:
            ConfigurationError: A value would leave its place in the path.
        """
        return self.request_at(
            endpoint,
            (self.provider_id, *values),
            query=query,
            body=body,
            headers=headers,
            stream=stream,
        )

    def request_at(
        self,
        endpoint: Endpoint,
        values: tuple[int | str, ...],
        *,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        stream: bool = False,
    ) -> Request:
        """Return the request of an endpoint, with a value for each placeholder.

        Raises:
            ConfigurationError: A value would leave its place in the path.
        """
        base = self.pool.contract.base_urls[self.environment]
        url = endpoint.url(base, *values)
        if query and "?" in url:  # some documents have a query in their paths
            query = f"&{query[1:]}"
        return Request(
            method=endpoint.method,
            url=url + query if query else url,
            label=endpoint.label,
            environment=self.environment,
            safe=endpoint.safe,
            provider_id=self.provider_id,
            priority=self.priority,
            weight=self.weight,
            timeouts=self.timeouts,
            headers=headers,
            body=body,
            stream=stream,
        )

    def request_url(self, before: Request, url: str) -> Request:
        """Return the request of a URL that an answer named, such as the next page.

        Args:
            before: The request that was answered.
            url: Absolute, or relative to the one of *before*.

        Raises:
            DecodingError: It leads out of the base URL, where no secret goes, or to
                another provider.
        """
        base = self.pool.contract.base_urls[self.environment]
        try:
            there = urljoin(before.url, url)
        except ValueError:  # such as a bracket that is not closed
            there = ""
        plain = url.isprintable() and there.isascii() and " " not in there
        own = str(self.provider_id)
        if (
            not plain
            or not is_below(there, base)
            or is_elsewhere(there, base, before.url, own)
        ):
            del url, there, own  # a traceback may print them
            error = DecodingError(
                before.label,
                "the answer points out of the base URL of its environment, to another "
                "provider, or to what is no URL, and is not followed",
            )
            raise of_call(error, before)
        return evolve(before, url=there, deadline=None)

    def timed(self, request: Request) -> Request:
        """Return a request whose deadline runs from now, unless it runs already."""
        if self.deadline is not None and request.deadline is None:
            now = asyncio.get_running_loop().time()
            # Nobody else has it yet, and a copy takes longer than it took to make.
            vars(request)["deadline"] = now + self.deadline
        return request

    def _refuse(self, request: Request) -> None:
        """Raise what is known of a request that would be denied."""
        access = self.pool.access_of(self.environment)
        denial = access.denial(self.provider_id, request.label)
        if denial is not None:
            made_up = Response(request=request, status=403)
            raise KnownDenialError(made_up, denial.cause, denial.evidence, denial.age)

    def _pipeline(self) -> Pipeline:
        return self.pool._pipeline(self.environment, self.retry)  # noqa: SLF001 - ours
