"""The pool without await: for scripts, and for notebooks that prefer it."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial, wraps
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar

from typing_extensions import override

from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.errors import PoolClosedError
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.outcome import Outcome, Outcomes
from healthyroster_async._core.paging import Paging
from healthyroster_async._core.settings import Environment, Priority, check_number
from healthyroster_async._fanout import ProgressCallback
from healthyroster_async._loop_thread import LoopThread
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._report.report import PoolReport
from healthyroster_async._resources.namespace import SessionOperations
from healthyroster_async._resources.operations import OperationCall
from healthyroster_async._resources.reporting import Reporting, Source
from healthyroster_async._rows.stream import RowStream
from healthyroster_async._rows.typed import BadRow
from healthyroster_async._session import ProviderSession
from healthyroster_async._stats import PoolStats

if TYPE_CHECKING:
    import pyarrow as pa

_P = ParamSpec("_P")
_K = TypeVar("_K", bound=int | str)
_S = TypeVar("_S")
_T = TypeVar("_T")
_V = TypeVar("_V")


class _Twin:
    """Something of the pool, and the loop that it lives on."""

    def __init__(self, inner: Any, thread: LoopThread) -> None:
        self._inner = inner
        self._thread = thread

    def _iterate(self, items: AsyncIterator[_T]) -> Iterator[_T]:
        """Yield what an async iterator gives."""
        kept = self._thread.kept
        kept.add(items)
        try:
            while True:
                try:
                    item = self._thread.run(items.__anext__)
                except StopAsyncIteration:
                    return
                yield item
                del item
        finally:
            kept.discard(items)
            close = getattr(items, "aclose", None)
            # The loop closes by itself what it collects, as part of a cycle.
            if close is not None and self._thread.running and not self._thread.here:
                with suppress(PoolClosedError):  # by another thread, just now
                    self._thread.run(close, opening=False)

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._inner!r}>"

    def _repr_html_(self) -> str | None:
        shown = getattr(self._inner, "_repr_html_", None)
        return None if shown is None else str(shown())


def _waits_for(
    method: Callable[Concatenate[Any, _P], Awaitable[_T]],
) -> Callable[[Callable[[_S], None]], Callable[Concatenate[_S, _P], _T]]:
    """Return a decorator: what it decorates waits for what *method* returns."""

    def decorated(_: Callable[[_S], None]) -> Callable[Concatenate[_S, _P], _T]:
        @wraps(method)
        def call(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            made = partial(method, self._inner, *args, **kwargs)
            result: _T = self._thread.run(made)
            return result

        del call.__wrapped__
        call.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
        return call

    return decorated


def _like(
    method: Callable[Concatenate[Any, _P], Any],
) -> Callable[[Callable[Concatenate[_S, ...], _T]], Callable[Concatenate[_S, _P], _T]]:
    """Return a decorator that gives a method the parameters of another one."""

    def decorated(function: Any) -> Any:
        function.__signature__ = inspect.signature(method)
        function.__doc__ = method.__doc__
        return function

    return decorated


def _made_like(
    make: Callable[_P, Any],
) -> Callable[[Callable[..., _T]], Callable[Concatenate[Any, _P], _T]]:
    """Return a decorator that gives a class method the parameters of another one."""

    def decorated(function: Any) -> Any:
        given = inspect.signature(make)
        own = inspect.Parameter("cls", inspect.Parameter.POSITIONAL_ONLY)
        parameters = [own, *given.parameters.values()]
        function.__signature__ = given.replace(parameters=parameters)
        return function

    return decorated


class SyncRowStream(_Twin):
    """The rows of one data source; see ``RowStream``.

    ::

        with clinic.reporting.rows(7) as rows:
            for row in rows: ...
    """

    _inner: RowStream

    @_waits_for(RowStream.to_list)
    def to_list(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_arrow)
    def to_arrow(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_polars)
    def to_polars(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_pandas)
    def to_pandas(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_parquet)
    def to_parquet(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_csv)
    def to_csv(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_ndjson)
    def to_ndjson(self) -> None:
        """Do as the same method of ``RowStream``."""

    @_waits_for(RowStream.to_duckdb)
    def to_duckdb(self) -> None:
        """Do as the same method of ``RowStream``."""

    @property
    def bytes_read(self) -> int:
        """Bytes of the answer read so far, decompressed."""
        return self._inner.bytes_read

    @property
    def row_count(self) -> int:
        """Rows given so far."""
        return self._inner.row_count

    @property
    def drift(self) -> list[str]:
        """What rows did that the data source does not say, a line for each column."""
        return self._inner.drift

    @property
    def bad_rows(self) -> list[BadRow]:
        """The first rows that did not fit the class they were read as."""
        return self._inner.bad_rows

    @property
    def bad_row_count(self) -> int:
        """How many rows did not fit the class they were read as."""
        return self._inner.bad_row_count

    def as_(self, model: type[_T], *, strict: bool = False) -> Iterator[_T]:
        """Return an iterator of the rows as instances of an attrs class."""
        typed = self._inner._typed(model, strict=strict)  # noqa: SLF001 - its twin
        return self._taken(typed.come)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as Arrow record batches of 64k rows or 8 MB."""
        return self._iterate(self._inner.batches())

    def __enter__(self) -> Self:
        opened = False

        async def enter() -> None:
            nonlocal opened
            await self._inner.__aenter__()
            opened = True

        try:
            self._thread.run(enter)
        except BaseException as error:
            if opened:  # Ctrl-C came after the answer, and nobody else closes it
                self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave = partial(self._inner.__aexit__, kind, error, trace)
        with suppress(PoolClosedError):  # which has closed this as well
            self._thread.run(leave, opening=False)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        pending = self._inner._pending  # noqa: SLF001 - its twin
        return self._taken(lambda: pending.rows)

    def _taken(self, come: Callable[[], Iterator[_T]]) -> Iterator[_T]:
        """Yield what has come, then what comes; what is not taken stays there."""
        more = self._inner._pending.more  # noqa: SLF001 - its twin
        while True:
            yield from come()
            try:
                self._thread.run(more)
            except StopAsyncIteration:
                return


class SyncReporting(_Twin):
    """Data sources of one Healthcare Provider; see ``Reporting``."""

    _inner: Reporting

    @_waits_for(Reporting.data_sources)
    def data_sources(self) -> None:
        """Do as the same method of ``Reporting``."""

    @_waits_for(Reporting.data_source)
    def data_source(self) -> None:
        """Do as the same method of ``Reporting``."""

    @_waits_for(Reporting.windows)
    def windows(self) -> None:
        """Do as the same method of ``Reporting``."""

    def rows(
        self, data_source_id: Source, /, *, window: str | None = None, **parameters: Any
    ) -> SyncRowStream:
        """Return the rows of a data source, to be opened with ``with``."""
        rows = self._inner.rows(data_source_id, window=window, **parameters)
        return SyncRowStream(rows, self._thread)


class SyncOperationCall(_Twin):
    """One operation of the API; see ``OperationCall``."""

    _inner: OperationCall

    def __call__(self, *values: Any, raw: bool = False, **arguments: Any) -> Any:
        """Call the operation; see ``OperationCall``."""
        return self._thread.run(partial(self._inner, *values, raw=raw, **arguments))

    @property
    def operation(self) -> Operation:
        """What the document says about it."""
        return self._inner.operation

    @property
    def paging(self) -> Paging | None:
        """How its list comes in pages; ``None`` if the document does not say."""
        return self._inner.paging

    @property
    def __signature__(self) -> inspect.Signature:
        return self._inner.__signature__

    @property
    def __name__(self) -> str:
        return self._inner.__name__

    @property
    @override
    def __doc__(self) -> str:  # type: ignore[override]
        return self._inner.__doc__

    def pages(
        self, *, paging: Paging | None = None, raw: bool = False, **arguments: Any
    ) -> Iterator[Any]:
        """Return every item of a list that comes in pages, page after page."""
        items = self._inner.pages(paging=paging, raw=raw, **arguments)
        return self._iterate(items)


class SyncOperations(_Twin):
    """Every operation of the swagger document; see ``SessionOperations``."""

    _inner: SessionOperations

    @property
    def models(self) -> Any:
        """The classes of the answers."""
        return self._inner.models

    def with_models(self, models: ModuleType) -> SyncOperations:
        """Return the same with classes of a module."""
        return SyncOperations(self._inner.with_models(models), self._thread)

    def __getattr__(self, name: str) -> SyncOperationCall:
        return SyncOperationCall(getattr(self._inner, name), self._thread)

    def __getitem__(self, name: str) -> SyncOperationCall:
        return SyncOperationCall(self._inner[name], self._thread)

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)

    @override
    def __dir__(self) -> list[str]:
        return dir(self._inner)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


class SyncSession(_Twin):
    """Calls about one Healthcare Provider; see ``ProviderSession``.

    Attributes:
        reporting: The reporting endpoints: data sources and their rows.
        operations: Every operation of the swagger document, by its name in Python.
    """

    _inner: ProviderSession

    @_waits_for(ProviderSession.call)
    def call(self) -> None:
        """Do as the same method of ``ProviderSession``."""

    @_waits_for(ProviderSession.request)
    def request(self) -> None:
        """Do as the same method of ``ProviderSession``."""

    def __init__(self, inner: ProviderSession, thread: LoopThread) -> None:
        super().__init__(inner, thread)
        self.reporting: SyncReporting = SyncReporting(inner.reporting, thread)
        self.operations: SyncOperations = SyncOperations(inner.operations, thread)

    @property
    def provider_id(self) -> int | str:
        """The Healthcare Provider."""
        return self._inner.provider_id

    @property
    def environment(self) -> Environment:
        """The environment whose credentials are used."""
        return self._inner.environment

    @property
    def priority(self) -> Priority:
        """The lane its calls wait in."""
        return self._inner.priority

    @_like(ProviderSession.with_options)
    def with_options(self, **options: Any) -> SyncSession:
        """Return a copy that shares the pool; what is not given stays as it is."""
        return SyncSession(self._inner.with_options(**options), self._thread)

    def fan_out(
        self,
        calls: Mapping[str, Callable[[ProviderSession], Awaitable[_V]]],
        *,
        concurrency: int = 100,
        progress: ProgressCallback | None = None,
        skip_denied: bool = False,
    ) -> Outcomes[_V, str]:
        """Make several calls about the provider concurrently; see ``ProviderSession``.

        The functions get the async session, and what they return is awaited:
        ``lambda s: s.reporting.data_sources()``.
        """
        fan_out = partial(
            self._inner.fan_out,
            calls,
            concurrency=concurrency,
            progress=progress,
            skip_denied=skip_denied,
        )
        return self._thread.run(fan_out)


class SyncPool(_Twin):
    """A ``ConnectionPool`` without ``await``, on an event loop in a thread of its own.

    ::

        pool = SyncPool.from_environment()
        sources = pool.session(42).reporting.data_sources()

    It is opened by the first call, and closed by ``close``, by the end of a ``with``
    block or of the interpreter, which waits for threads that are no daemons. Threads
    may share it. It works beside a running event loop, as in a notebook; Ctrl-C and the
    stop button cancel the call under way.
    """

    _inner: ConnectionPool

    @_like(ConnectionPool.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._hold(ConnectionPool(*args, **kwargs))

    def _hold(self, pool: ConnectionPool) -> None:
        super().__init__(pool, LoopThread(pool.start, partial(self.close, timeout=0)))

    @classmethod
    @_made_like(ConnectionPool.from_environment)
    def from_environment(cls, **settings: Any) -> Self:
        """Make a pool from ``HEALTHYROSTER_*`` variables; see ``ConnectionPool``.

        It waits for a document that is named by a URL, also in a running event loop.
        """
        made = cls.__new__(cls)
        # Not in this thread, where a notebook has its loop and a fetch is refused.
        aside = ThreadPoolExecutor(1)
        try:
            pool = aside.submit(ConnectionPool.from_environment, **settings).result()
        finally:
            aside.shutdown(wait=False)  # Ctrl-C waits for no fetch
        made._hold(pool)  # noqa: SLF001 - its own
        return made

    def start(self) -> Self:
        """Get ready; the first call does it too."""
        self._thread.start()
        return self

    def close(self, *, timeout: float = 10.0) -> None:
        """Let calls under way end, at most *timeout* seconds, and close everything.

        Raises:
            UsageError: A function of a fan-out called it, which would wait for itself.
        """
        self._thread.check_not_here()
        check_number("timeout", timeout, least=0)
        closing = partial(self._inner.close, timeout=timeout)
        try:
            if self._thread.running:
                # What waits for a vault would keep it waiting as long.
                with suppress(PoolClosedError):
                    self._thread.run(closing, opening=False, timeout=timeout + 1.0)
        finally:
            self._thread.stop(timeout=timeout)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close(timeout=0)  # there is no block whose end does it
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(**{} if error is None else {"timeout": 0})

    @override
    def _repr_html_(self) -> str:
        return str(super()._repr_html_()).replace("ConnectionPool", "SyncPool", 1)

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a SyncPool is neither pickled nor copied: make one in each process that "
            "needs one, and share it among threads"
        )

    @property
    def contract(self) -> Contract:
        """How the API looks."""
        return self._inner.contract

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The environments that have credentials."""
        return self._inner.environments

    @property
    def access(self) -> AccessMap:
        """What every call has taught about access to the default environment."""
        return self._inner.access

    def access_of(self, environment: Environment) -> AccessMap:
        """Return what every call has taught about access to an environment."""
        return self._inner.access_of(environment)

    def session(
        self,
        provider_id: int | str,
        *,
        environment: Environment | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> SyncSession:
        """Return a handle on one Healthcare Provider; see ``ConnectionPool``."""
        session = self._inner.session(
            provider_id, environment=environment, priority=priority
        )
        return SyncSession(session, self._thread)

    def fan_out(
        self,
        provider_ids: Iterable[_K] | AsyncIterable[_K],
        call: Callable[[ProviderSession], Awaitable[_V]],
        *,
        environment: Environment | None = None,
        priority: Priority = Priority.BULK,
        concurrency: int | None = None,
        progress: ProgressCallback | None = None,
        skip_denied: bool = False,
    ) -> Outcomes[_V, _K]:
        """Make one call for each provider, concurrently; see ``ConnectionPool``.

        The function gets the async session, and what it returns is awaited:
        ``lambda s: s.reporting.data_sources()``.

        Args:
            provider_ids: Healthcare Providers; taken as they are needed. One that comes
                again is not called again.
            call: What to do with the session of each.
            environment: Whose credentials to use, if the pool has several.
            priority: The lane the calls wait in.
            concurrency: Most providers under way at once; as many as the pool has
                permits by default.
            progress: Called, not awaited, after each outcome, and where an id that
                comes again lowers the total.
            skip_denied: Do not send what is known to be denied; see ``ConnectionPool``.

        Returns:
            The outcomes by provider id, in the order of *provider_ids*.
        """
        fan_out = partial(
            self._inner.fan_out,
            provider_ids,
            call,
            environment=environment,
            priority=priority,
            concurrency=concurrency,
            progress=progress,
            skip_denied=skip_denied,
        )
        return self._thread.run(fan_out)

    def as_completed(
        self,
        provider_ids: Iterable[int | str] | AsyncIterable[int | str],
        call: Callable[[ProviderSession], Awaitable[_V]],
        *,
        environment: Environment | None = None,
        priority: Priority = Priority.BULK,
        concurrency: int | None = None,
        progress: ProgressCallback | None = None,
        skip_denied: bool = False,
    ) -> Iterator[Outcome[_V]]:
        """Like ``fan_out``, but yield each outcome as it comes and keep none.

        As none is kept, an id that comes again is called again.

        Args:
            provider_ids: Healthcare Providers; taken as they are needed.
            call: What to do with the session of each.
            environment: Whose credentials to use, if the pool has several.
            priority: The lane the calls wait in.
            concurrency: Most providers under way at once; as many as the pool has
                permits by default.
            progress: Called, not awaited, after each outcome.
            skip_denied: Do not send what is known to be denied; see ``ConnectionPool``.
        """

        async def outcomes() -> AsyncIterator[Outcome[_V]]:
            return self._inner.as_completed(
                provider_ids,
                call,
                environment=environment,
                priority=priority,
                concurrency=concurrency,
                progress=progress,
                skip_denied=skip_denied,
            )

        return self._iterate(self._thread.run(outcomes))

    @_waits_for(ConnectionPool.pull)
    def pull(self) -> None:
        """Do as the same method of ``ConnectionPool``."""

    @_waits_for(ConnectionPool.check_access)
    def check_access(self) -> None:
        """Do as the same method of ``ConnectionPool``."""

    def report(self, *, environment: Environment | None = None) -> PoolReport:
        """Return what the pool did in an environment, as a page to look at."""
        made = partial(self._inner.report, environment=environment)

        async def report() -> PoolReport:
            return made()

        if self._thread.running and not self._thread.here:
            with suppress(PoolClosedError):  # one can be had of a closed pool too
                return self._thread.run(report, opening=False)
        return made()

    def stats(self) -> PoolStats:
        """Return what each environment has done and is doing."""

        async def stats() -> PoolStats:
            return self._inner.stats()

        return self._thread.run(stats)
