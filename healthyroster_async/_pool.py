"""The connection pool: one credential set per environment, many session handles."""

from __future__ import annotations

import asyncio
import os
import ssl as tls
import threading
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar, cast

from typing_extensions import override

from healthyroster_async._caller import Caller
from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import (
    Credentials,
    FetchCredentials,
    check_apart,
    fault_of,
)
from healthyroster_async._core.endpoint import path_segment, plain_id
from healthyroster_async._core.errors import (
    ConfigurationError,
    PoolClosedError,
    UsageError,
)
from healthyroster_async._core.html import table
from healthyroster_async._core.outcome import Outcome, Outcomes
from healthyroster_async._core.settings import (
    AnswerSettings,
    Environment,
    PacingSettings,
    Priority,
    RetrySettings,
    Timeouts,
    check_deadline,
    check_environment,
    check_number,
    check_priority,
    check_type,
)
from healthyroster_async._fanout import (
    Counting,
    Job,
    ProgressCallback,
    as_completed,
    awaitable,
    check_calls,
    check_ids,
    checked_limit,
    each,
    fan_out,
    total_of,
)
from healthyroster_async._pipeline import Pipeline
from healthyroster_async._policies.deadline import DeadlinePolicy
from healthyroster_async._policies.keeping import Kept, open_kept
from healthyroster_async._policies.observing import Telemetry, hooks_of
from healthyroster_async._policies.pacing import PacingEvent
from healthyroster_async._policies.renewal import RenewalPolicy, fetch_all
from healthyroster_async._report.history import History
from healthyroster_async._running import Lane, Running
from healthyroster_async._session import ProviderSession
from healthyroster_async._transports.aiohttp import (
    AiohttpTransport,
    check_client,
    user_agent,
)
from healthyroster_async._transports.base import Transport
from healthyroster_async._turns import Turns

# What few pools are asked for is imported then, in the method that needs it: it is half
# of what there is to import.
if TYPE_CHECKING:
    import aiohttp

    from healthyroster_async._core.access_report import AccessReport
    from healthyroster_async._core.events import (
        AttemptEvent,
        DeniedEvent,
        RetryEvent,
        StreamEvent,
    )
    from healthyroster_async._report.report import PoolReport
    from healthyroster_async._stats import PoolStats
    from healthyroster_async.pull._job import PullCallback
    from healthyroster_async.pull._plan import PullPlan
    from healthyroster_async.pull._report import PullReport

K = TypeVar("K", bound=int | str)
V = TypeVar("V")
# Kept for good: a fork that finalised what its parent started would take the sockets
# out of the selector that both share, and the parent would wait for them in vain.
_of_parents: list[Running] = []
_GIVE_CONTRACT = 'Contract.from_swagger("swagger.json") or Contract(...)'


class ConnectionPool:
    """Connections to the API, and the credentials to use them with.

    ::

        async with ConnectionPool(
            {Environment.SANDBOX: Credentials("app-id", "app-secret")},
            contract=Contract.from_swagger("swagger.json"),
        ) as pool:
            clinic = pool.session(42)
            sources = await clinic.reporting.data_sources()

    Where there is no block to put ``async with`` around, as in a notebook, ``await
    pool.start()`` and ``await pool.close()`` do the same. A pool belongs to the event
    loop and the process it was started in.

    Attributes:
        contract: How the API looks.
    """

    # What is printed of a pool, and a crash report prints one that was not yet made.
    _credentials: Mapping[Environment, Credentials | FetchCredentials] = (
        MappingProxyType({})
    )
    _running: Running | None = None
    _closed = False

    def __init__(
        self,
        credentials: Mapping[Environment, Credentials | FetchCredentials],
        *,
        contract: Contract,
        environment: Environment | None = None,
        timeouts: Timeouts | None = None,
        retry: RetrySettings | None = None,
        pacing: PacingSettings | None = None,
        answers: AnswerSettings | None = None,
        deadline: float | None = None,
        on_attempt: Callable[[AttemptEvent], None] | None = None,
        on_retry: Callable[[RetryEvent], None] | None = None,
        on_pause: Callable[[PacingEvent], None] | None = None,
        on_denied: Callable[[DeniedEvent], None] | None = None,
        on_stream: Callable[[StreamEvent], None] | None = None,
        on_pacing: Callable[[PacingEvent], None] | None = None,
        telemetry: Telemetry | None = None,
        client_session: aiohttp.ClientSession | None = None,
        transport: Transport | None = None,
        ssl_context: tls.SSLContext | None = None,
        user_agent_suffix: str | None = None,
    ) -> None:
        """Make a pool; nothing is opened before it is started.

        Args:
            credentials: One credential set per environment, or an async function that
                returns it. The function is awaited when the pool starts, and when the
                API refuses what it returned (401): calls that are refused together wait
                for it once, and each is repeated once if the new set differs. The pace
                stays that of the application id the pool was started with.
            contract: How the API looks.
            environment: The default of ``session``. With one environment configured it
                is that one; with two, none is assumed.
            timeouts: Bounds of an attempt.
            retry: Bounds of trying again.
            pacing: Bounds of concurrency and pauses.
            answers: Bounds of the size of answers.
            deadline: Seconds that a call may take in all: waiting, attempts and sleeps;
                ``None`` for no bound but those of its parts.
            on_attempt: Called with an ``AttemptEvent`` when a request was answered or
                came to nothing. What is called so must not block, and what it raises
                is only logged.
            on_retry: Called with a ``RetryEvent`` when something is tried again.
            on_pause: Called with a ``PacingEvent`` when all calls of an environment
                pause.
            on_denied: Called with a ``DeniedEvent`` when a grant is missing (403).
            on_stream: Called with a ``StreamEvent`` when a row stream was closed.
            on_pacing: Called with a ``PacingEvent`` when the pace changes: a pause, a
                cut, the API going away or coming back.
            telemetry: An integration that is told everything, such as
                ``integrations.opentelemetry.OpenTelemetry()``.
            client_session: A session of your own to send with. It is not closed. Its
                connector should have no limit, or calls that wait inside it spend the
                timeout of their attempt. When a connection is lost its aiohttp sends a
                GET, PUT or DELETE once more by itself, even if it was carried out; and
                it takes an answer that comes twice for that of the next call.
            transport: What carries the requests in tests: a ``ScriptedTransport``,
                ``Recorder`` or ``Replay`` of ``healthyroster_async.testing``.
            ssl_context: A TLS context of your own, for a private authority.
            user_agent_suffix: What your application calls itself.

        Raises:
            ConfigurationError: Something is missing or does not fit together.
        """
        check_type("contract", contract, Contract, _GIVE_CONTRACT)
        why = fault_of(credentials, contract.base_urls)
        if why is not None:
            del credentials
            raise ConfigurationError(why)
        check_apart(credentials)
        if environment is None and len(credentials) == 1:
            environment = next(iter(credentials))
        self.contract = contract
        self._credentials = MappingProxyType(dict(credentials))
        self._default = environment
        if environment is not None:
            self._check_environment(environment)
        self._timeouts = Timeouts() if timeouts is None else timeouts
        self._retry = RetrySettings() if retry is None else retry
        self._pacing = PacingSettings() if pacing is None else pacing
        self._answers = AnswerSettings() if answers is None else answers
        check_type("timeouts", self._timeouts, Timeouts, "Timeouts(...)")
        check_type("retry", self._retry, RetrySettings, "RetrySettings(...)")
        check_type("pacing", self._pacing, PacingSettings, "PacingSettings(...)")
        check_type("answers", self._answers, AnswerSettings, "AnswerSettings(...)")
        hooks = {
            "attempt": on_attempt,
            "retry": on_retry,
            "pause": on_pause,
            "denied": on_denied,
            "stream": on_stream,
            "pacing": on_pacing,
        }
        self._make_hooks = partial(hooks_of, telemetry, **hooks)
        self._hooks = self._make_hooks()
        check_client(ssl_context, client_session)
        self._deadline = check_deadline(deadline)
        # Kept here and not in what is started: closing the pool forgets nothing.
        self._access = {
            e: AccessMap(contract.labels, time.monotonic, time.time)
            for e in credentials
        }
        self._histories = {
            e: History(e, contract, access) for e, access in self._access.items()
        }
        self._client_session = client_session
        self._transport = transport
        self._ssl_context = ssl_context
        self._agent = user_agent(user_agent_suffix)
        self._turns = Turns()
        self._claiming = threading.Lock()

    @classmethod
    def from_environment(
        cls,
        *,
        profile: str | None = None,
        swagger: str | Path | None = None,
        environment: Environment | None = None,
        timeouts: Timeouts | None = None,
        retry: RetrySettings | None = None,
        pacing: PacingSettings | None = None,
        answers: AnswerSettings | None = None,
        deadline: float | None = None,
        on_attempt: Callable[[AttemptEvent], None] | None = None,
        on_retry: Callable[[RetryEvent], None] | None = None,
        on_pause: Callable[[PacingEvent], None] | None = None,
        on_denied: Callable[[DeniedEvent], None] | None = None,
        on_stream: Callable[[StreamEvent], None] | None = None,
        on_pacing: Callable[[PacingEvent], None] | None = None,
        telemetry: Telemetry | None = None,
        client_session: aiohttp.ClientSession | None = None,
        transport: Transport | None = None,
        ssl_context: tls.SSLContext | None = None,
        user_agent_suffix: str | None = None,
    ) -> ConnectionPool:
        """Make a pool from ``HEALTHYROSTER_*`` variables and the profile file.

        An argument wins over a variable, a variable over the profile, the profile over
        the swagger document. If the document is named by a URL it is fetched, which
        blocks: in a running event loop call this in a thread.

        The variables are ``HEALTHYROSTER_SWAGGER``, ``_ENVIRONMENT``, ``_PROFILE``,
        ``_APPLICATION_ID_HEADER``, ``_APPLICATION_SECRET_HEADER``, ``_ROWS_KEY``, and
        for each environment ``HEALTHYROSTER_SANDBOX_APPLICATION_ID`` and so on,
        ``_SANDBOX_BASE_URL``, and one of ``_SANDBOX_APPLICATION_SECRET``,
        ``_SANDBOX_APPLICATION_SECRET_FILE``, ``_SANDBOX_APPLICATION_SECRET_COMMAND``,
        ``_SANDBOX_APPLICATION_SECRET_KEYRING``. A profile is a table of
        ``~/.config/healthyroster/profiles.toml``, with the same names in lower case and
        without prefix and environment, for it is of one.

        A secret in a file, of a command or in the keyring is read when the pool starts,
        and again when the API refuses it (401).

        *profile* names one in place of ``HEALTHYROSTER_PROFILE``, and *swagger* is the
        path or URL of the document in place of ``HEALTHYROSTER_SWAGGER``. All else is
        as ``ConnectionPool`` takes it.

        Raises:
            ConfigurationError: Something is missing; the text names the variable.
        """
        from healthyroster_async import _config  # noqa: PLC0415

        settings = _config.collect(os.environ, profile=profile, swagger=swagger)
        found = _config.made_of(settings)
        return cls(
            found.credentials,
            contract=found.contract,
            environment=found.environment if environment is None else environment,
            timeouts=timeouts,
            retry=retry,
            pacing=pacing,
            answers=answers,
            deadline=deadline,
            on_attempt=on_attempt,
            on_retry=on_retry,
            on_pause=on_pause,
            on_denied=on_denied,
            on_stream=on_stream,
            on_pacing=on_pacing,
            telemetry=telemetry,
            client_session=client_session,
            transport=transport,
            ssl_context=ssl_context,
            user_agent_suffix=user_agent_suffix,
        )

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The environments that have credentials."""
        return tuple(self._credentials)

    async def start(self) -> Self:
        """Get ready on the running event loop; a started pool stays as it is.

        A pool that is being closed is waited for, and started again.

        Raises:
            ConfigurationError: Credentials could not be fetched.
            PoolClosedError: Somebody closed the pool and waited no longer.
            UsageError: The pool is already started in another loop.
        """
        loop = asyncio.get_running_loop()
        async with self._turns.until_closed(loop), self._turns.next(loop):
            running = self._running
            if running is not None:
                if not running.is_over:
                    if running.loop is loop:
                        return self
                    raise _wrong_loop()
                await self._forget(running)
            credentials = await fetch_all(self._credentials)
            self._hooks = self._make_hooks()  # telemetry may be set up by now
            transport: Transport = AiohttpTransport(
                agent=self._agent,
                encrypted=any(
                    url.startswith("https") for url in self.contract.base_urls.values()
                ),
                tls=self._ssl_context,
                session=self._client_session,
                answers=self._answers,
            )
            if self._transport is not None:
                around = getattr(self._transport, "around", None)
                transport = self._transport if around is None else around(transport)
            await transport.start()
            try:
                kept = await self._open_kept(credentials)
            except BaseException:
                await transport.close()
                raise
            with self._claiming:
                # A loop of another thread may have been as far, and quicker.
                claimed = self._running is None
                if claimed:
                    self._closed = False
                    self._running = self._made(transport, credentials, kept)
            if not claimed:
                await transport.close()
                raise _wrong_loop()
        return self

    async def close(self, *, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - see below
        """Let nothing start any more, wait for what is under way, then cut it off.

        Calls that wait for their turn get ``PoolClosedError`` at once, those that are
        cut off get it then. A closed pool may be started again. Who closes a pool that
        is being closed waits for that, and can shorten it.

        Args:
            timeout: Most seconds to wait; 0 cuts off at once. Unlike a scope around
                this call it bounds the waiting only: everything is closed either way.

        Raises:
            UsageError: The pool was started in another loop, which is not closed yet.
        """
        check_number("timeout", timeout, least=0)
        loop = asyncio.get_running_loop()
        running = self._running
        if running is not None and running.loop is not loop and not running.is_over:
            raise _wrong_loop()
        until = loop.time() + timeout
        self._turns.shorten(loop, until)
        async with self._turns.next(loop):
            running = self._running
            if running is None:
                return
            self._closed = True
            if running.is_over:
                await self._forget(running)
                return
            for lane in running.lanes.values():
                lane.pacing.close()
            try:
                async with self._turns.until_closed(loop, until):
                    for lane in running.lanes.values():
                        await lane.pacing.drained()
            except PoolClosedError:
                pass
            finally:
                running.deadline.cut()
                for lane in running.lanes.values():
                    if lane.renewal is not None:
                        lane.renewal.cut()
                try:
                    await running.transport.close()
                finally:
                    await self._forget(running)
                    for lane in running.lanes.values():
                        await lane.kept.save(lane.pacing.learned)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Whoever leaves with an error does not want to wait for the rest.
        await (self.close() if error is None else self.close(timeout=0))

    def __enter__(self) -> NoReturn:
        raise UsageError("a pool is opened with 'async with', not with 'with'")

    def __exit__(self, *_: object) -> None:
        """Stand here so that ``with`` gets as far as the explanation above."""

    def session(
        self,
        provider_id: int | str,
        *,
        environment: Environment | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> ProviderSession:
        """Return a handle on one Healthcare Provider. It costs no I/O.

        Args:
            provider_id: The Healthcare Provider, as the vendor calls it.
            environment: Whose credentials to use, if the pool has several.
            priority: The lane its calls wait in.

        Raises:
            ConfigurationError: The id is empty or would leave its place in the path;
                or the environment is not named or not configured.
        """
        check_priority(priority)
        caller = self._caller(provider_id, self._chosen(environment), priority)
        return ProviderSession(caller)

    async def fan_out(
        self,
        provider_ids: Iterable[K] | AsyncIterable[K],
        call: Callable[[ProviderSession], Awaitable[V]],
        *,
        environment: Environment | None = None,
        priority: Priority = Priority.BULK,
        concurrency: int | None = None,
        progress: ProgressCallback | None = None,
        skip_denied: bool = False,
    ) -> Outcomes[V, K]:
        """Make one call for each provider, concurrently, and keep every outcome.

        A failed provider does not cost the others their results. An error that is not
        a ``HealthyRosterError`` is a bug of *call*: it cancels the rest and propagates.
        What would be wrong with every call is raised before the first one.

        Args:
            provider_ids: Healthcare Providers; taken as they are needed. One that comes
                again is not called again; ``1`` and ``"1"`` are two.
            call: What to do with the session of each.
            environment: Whose credentials to use, if the pool has several.
            priority: The lane the calls wait in.
            concurrency: Most providers under way at once; as many as the pool has
                permits by default.
            progress: Called, not awaited, after each outcome, and where an id that
                comes again lowers the total.
            skip_denied: Do not send what is known to be denied: by a 403 of the same
                endpoint and provider not long ago, or by two that show that the whole
                provider or endpoint is not granted. Such a call raises
                ``KnownDenialError``, a ``ForbiddenError``, and the outcome is
                ``Skipped``. After a quarter of an hour it is sent again.

        Returns:
            The outcomes by provider id, in the order of *provider_ids*.

        Raises:
            ConfigurationError: An argument is wrong, or the environment is not named.
            UsageError: The pool is not open here.
        """
        self._check_fan_out(provider_ids, call, environment, priority)
        limit, counting = self._fan(provider_ids, concurrency, progress)
        jobs = self._jobs(
            provider_ids, call, environment, priority, skip_denied=skip_denied
        )
        outcomes = await fan_out(jobs, limit=limit, counting=counting)
        return cast("Outcomes[V, K]", outcomes)

    def as_completed(
        self,
        provider_ids: Iterable[int | str] | AsyncIterable[int | str],
        call: Callable[[ProviderSession], Awaitable[V]],
        *,
        environment: Environment | None = None,
        priority: Priority = Priority.BULK,
        concurrency: int | None = None,
        progress: ProgressCallback | None = None,
        skip_denied: bool = False,
    ) -> AsyncGenerator[Outcome[V], None]:
        """Like ``fan_out``, but yield each outcome as it comes and keep none.

        As none is kept, an id that comes again is called again. A slow consumer slows
        the calls down. Who leaves the loop early closes it with
        ``contextlib.aclosing``, so that calls under way are cancelled at once.

        Args:
            provider_ids: Healthcare Providers; taken as they are needed.
            call: What to do with the session of each.
            environment: Whose credentials to use, if the pool has several.
            priority: The lane the calls wait in.
            concurrency: Most providers under way at once; as many as the pool has
                permits by default.
            progress: Called, not awaited, after each outcome.
            skip_denied: Do not send what is known to be denied; see ``fan_out``.

        Returns:
            An iterator of the outcomes, in the order in which they come.

        Raises:
            ConfigurationError: An argument is wrong, or the environment is not named.
            UsageError: The pool is not open here.
        """
        self._check_fan_out(provider_ids, call, environment, priority)
        limit, counting = self._fan(provider_ids, concurrency, progress)
        jobs = self._jobs(
            provider_ids, call, environment, priority, skip_denied=skip_denied
        )
        outcomes = as_completed(jobs, limit=limit, counting=counting)
        return cast("AsyncGenerator[Outcome[V], None]", outcomes)

    async def pull(
        self,
        plan: PullPlan,
        destination: str | Path,
        *,
        environment: Environment | None = None,
        concurrency: int = 8,
        progress: PullCallback | None = None,
        dry_run: bool = False,
    ) -> PullReport:
        """Pull many data sources of many providers into a folder of files.

        It goes on where it was broken off, if it is called again with the same plan;
        ``PullPlan`` says how rows are cut into windows, and what is asked again. What
        is denied or fails costs nothing else.

        Args:
            plan: What to pull.
            destination: A folder, which is made if it is not there; or, with the extra
                ``remote``, a URL that fsspec knows, such as ``"s3://bucket/lake"``; a
                ``Path`` makes no URL. Its secrets come from where its own package
                takes them.
            environment: Whose credentials to use, if the pool has several.
            concurrency: Most answers that are read at once.
            progress: Called, not awaited, four times a second.
            dry_run: Only find out what would be asked for; nothing is made or changed.

        Returns:
            What came of it, as ``_healthyroster/summary.json`` in the folder has it.

        Raises:
            ConfigurationError: An argument is wrong, or the environment is not named.
            DestinationError: The folder cannot be written, or another pull writes into
                it. What is there stays as it is.
            WrongDestinationError: The folder holds other things, or none can be there.
            MissingExtraError: The extra that the destination needs is not installed.
            AuthenticationError: The API knows neither id nor secret.
            UsageError: The pool is not open here.
        """
        from healthyroster_async.pull._job import Job as PullJob  # noqa: PLC0415
        from healthyroster_async.pull._plan import PullPlan  # noqa: PLC0415

        check_type("plan", plan, PullPlan, "PullPlan([42, 43])")
        check_type(
            "destination", destination, (str, Path), "the path of a folder, or a URL"
        )
        chosen_one = self._chosen(environment)
        pacers = self._alive().lanes[chosen_one].pacing.pacers
        job = PullJob(
            self,
            plan,
            chosen_one,
            concurrency=checked_limit(concurrency),
            progress=progress,
            is_calm=pacers.is_calm,
        )
        if dry_run:
            return await job.dry_run(destination)
        return await self._histories[chosen_one].pull(job, plan, destination)

    @property
    def access(self) -> AccessMap:
        """What every call has taught about access to the default environment.

        Raises:
            ConfigurationError: The pool has several environments and no default; see
                ``access_of``.
        """
        return self._access[self._chosen(None)]

    def access_of(self, environment: Environment) -> AccessMap:
        """Return what every call has taught about access to an environment.

        Raises:
            ConfigurationError: The environment is not configured.
        """
        return self._access[self._chosen(environment)]

    async def check_access(
        self,
        provider_ids: Iterable[int | str] | AsyncIterable[int | str],
        operations: Iterable[str] | None = None,
        *,
        environment: Environment | None = None,
        full: bool = False,
        concurrency: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> AccessReport:
        """Find out which providers and endpoints the application is granted.

        Only safe operations are called, for as little as they can answer with, and in
        the bulk lane. What calls of the last quarter of an hour have shown is not asked
        again. As a provider and an endpoint are granted each for itself, few calls tell
        the whole matrix; the report says which cells it inferred. A single cell that is
        an exception is found by *full*, and by the calls themselves. A call that fails
        leaves its cell unknown and costs no other.

        Args:
            provider_ids: Healthcare Providers; ``1`` and ``"1"`` are the same one.
            operations: Names of endpoints, such as ``data_sources``; by default all
                that can be asked safely.
            environment: Whose credentials to use, if the pool has several.
            full: Ask every cell, and infer only what cannot be asked.
            concurrency: Most calls under way at once; as many as the pool has permits
                by default.
            progress: Called, not awaited, after each call; the total grows when it
                turns out that more are needed.

        Raises:
            ConfigurationError: An argument is wrong, or there is no such operation.
            AuthenticationError: The API knows neither id nor secret.
            UsageError: The pool is not open here.
        """
        from healthyroster_async._checking import AccessCheck  # noqa: PLC0415
        from healthyroster_async._probes import chosen, probes_of  # noqa: PLC0415

        running = self._alive()
        check_ids(provider_ids)
        limit, counting = self._fan((), concurrency, progress)
        probes = chosen(probes_of(self.contract), operations)
        chosen_environment = self._chosen(environment)
        callers: dict[str, Caller] = {}
        async for provider_id in each(provider_ids):
            if str(provider_id) not in callers:
                callers[str(provider_id)] = self._caller(
                    provider_id, chosen_environment, Priority.BULK
                )
        check = AccessCheck(
            callers=callers,
            probes=probes,
            access=self._access[chosen_environment],
            environment=chosen_environment,
            application_id=running.lanes[chosen_environment].application_id,
            full=full,
            limit=limit,
            counting=counting,
        )
        report = await check.run()
        self._histories[chosen_environment].checked = report
        return report

    def report(self, *, environment: Environment | None = None) -> PoolReport:
        """Return what the pool did in an environment, as a page to look at.

        A notebook shows it, ``save`` writes it for a browser. It is about all calls
        since the pool was made, the last pull and the last access check, and can be
        asked for at any time, also when the pool is closed.

        Args:
            environment: Which one, if the pool has several.

        Raises:
            ConfigurationError: The environment is not named or not configured.
        """
        return self._histories[self._chosen(environment)].report()

    def stats(self) -> PoolStats:
        """Return what each environment has done and is doing.

        Raises:
            PoolClosedError: The pool is not started.
        """
        from healthyroster_async._stats import (  # noqa: PLC0415
            EnvironmentStats,
            PoolStats,
        )

        running = self._alive()
        return PoolStats(
            (
                environment,
                EnvironmentStats.of(
                    lane.pacing,
                    lane.budget,
                    lane.telemetry,
                    running.loop.time(),
                ),
            )
            for environment, lane in running.lanes.items()
        )

    def _pipeline(self, environment: Environment, retry: RetrySettings) -> Pipeline:
        """Return the way of a request; for sessions, which know what to do with it."""
        return self._alive().pipeline(environment, retry)

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a pool is neither pickled nor copied: make one in each process that needs "
            "one"
        )

    @property
    def _state(self) -> str:
        if self._closed:
            return "closed"
        return "not started" if self._running is None else "open"

    @override
    def __repr__(self) -> str:
        names = ", ".join(e.value for e in self._credentials)
        return f"<ConnectionPool {names}: {self._state}>"

    def _repr_html_(self) -> str:
        rows = (
            (one.value, self.contract.base_urls[one], "yes" if one is self._default
             else None)
            for one in self._credentials
        )  # fmt: skip
        title = f"ConnectionPool, {self._state}"
        return table(title, ("environment", "base URL", "default"), rows)

    def _alive(self) -> Running:
        running = self._running
        if self._closed:
            raise PoolClosedError(
                "the pool is closed; await pool.start() opens it again"
            )
        if running is None:
            raise PoolClosedError(
                "the pool is not started: use 'async with pool:' or await "
                "pool.start(), and call inside"
            )
        if running.process != os.getpid():
            raise UsageError(
                "the pool was started in another process, and connections cannot be "
                "shared with a forked one: make and start a pool after the fork"
            )
        if running.loop is not asyncio.get_running_loop():
            if running.loop.is_closed():
                raise UsageError(
                    "the event loop that the pool was started in is closed: await "
                    "pool.start() opens it in this one"
                )
            raise _wrong_loop()
        return running

    def _made(
        self,
        transport: Transport,
        credentials: Mapping[Environment, Credentials],
        kept: Mapping[Environment, Kept],
    ) -> Running:
        loop = asyncio.get_running_loop()
        for access in self._access.values():
            access.clock = loop.time  # it may be virtual, in tests
        lanes = {
            environment: Lane(
                environment,
                credentials[environment],
                self.contract,
                pacing=self._pacing,
                kept=kept[environment],
                access=self._access[environment],
                hooks=self._hooks,
                recorder=self._histories[environment].recorder,
            )
            for environment in self._credentials
        }
        deadline = DeadlinePolicy()
        self._add_renewal(lanes, deadline)
        return Running(loop, os.getpid(), transport, deadline, lanes)

    async def _forget(self, running: Running) -> None:
        self._running = None
        for lane in running.lanes.values():
            lane.recorder.pace = None
            lane.pacing.leave()
        if running.process != os.getpid():
            _of_parents.append(running)
        elif running.is_over and isinstance(running.transport, AiohttpTransport):
            await running.transport.leave()  # else aiohttp logs an error

    def _add_renewal(
        self, lanes: Mapping[Environment, Lane], deadline: DeadlinePolicy
    ) -> None:
        def in_use() -> dict[Environment, Credentials]:
            return {e: lane.authentication.credentials for e, lane in lanes.items()}

        for environment, given in self._credentials.items():
            if not isinstance(given, Credentials):
                lane = lanes[environment]
                lane.renewal = RenewalPolicy(
                    given, lane.authentication, deadline, in_use
                )

    async def _open_kept(
        self, credentials: Mapping[Environment, Credentials]
    ) -> dict[Environment, Kept]:
        return {
            environment: await open_kept(
                environment.value,
                self.contract.base_urls[environment],
                one.application_id,
                self._pacing,
            )
            for environment, one in credentials.items()
        }

    def _caller(
        self,
        provider_id: int | str,
        environment: Environment,
        priority: Priority,
        *,
        skip_denied: bool = False,
    ) -> Caller:
        if type(provider_id) is not int:  # an int is a plain id in any case
            provider_id = plain_id("provider_id", provider_id)
            path_segment("provider_id", provider_id)
        return Caller(
            pool=self,
            provider_id=provider_id,
            environment=environment,
            priority=priority,
            timeouts=self._timeouts,
            retry=self._retry,
            deadline=self._deadline,
            skip_denied=skip_denied,
        )

    def _chosen(self, environment: Environment | None) -> Environment:
        chosen = self._default if environment is None else environment
        if chosen is None:
            raise ConfigurationError(
                "the pool has credentials of several environments and none is assumed; "
                "give environment="
            )
        self._check_environment(chosen)
        return chosen

    def _check_environment(self, environment: Environment) -> None:
        if environment in self._credentials:
            return
        check_environment(environment)
        known = ", ".join(e.value for e in self._credentials)
        raise ConfigurationError(
            f"the pool has no credentials of {environment.value!r}; it has those of "
            f"{known}"
        )

    def _check_fan_out(
        self,
        provider_ids: object,
        call: object,
        environment: Environment | None,
        priority: Priority,
    ) -> None:
        """Raise what would be wrong with every call, for it is no call's outcome."""
        self._alive()
        check_ids(provider_ids)
        check_calls("call", call)
        self.session("any", environment=environment, priority=priority)

    def _fan(
        self,
        provider_ids: object,
        concurrency: int | None,
        progress: ProgressCallback | None,
    ) -> tuple[int, Counting]:
        total = total_of(provider_ids)
        most = self._pacing.max_concurrency if concurrency is None else concurrency
        return checked_limit(most), Counting(progress, total)

    async def _jobs(
        self,
        provider_ids: Iterable[int | str] | AsyncIterable[int | str],
        call: Callable[[ProviderSession], Awaitable[V]],
        environment: Environment | None,
        priority: Priority,
        *,
        skip_denied: bool,
    ) -> AsyncIterator[Job]:
        chosen_environment = self._chosen(environment)

        async def made(provider_id: int | str) -> V:
            caller = self._caller(
                provider_id, chosen_environment, priority, skip_denied=skip_denied
            )
            return await awaitable(call(ProviderSession(caller)))

        async for provider_id in each(provider_ids):
            yield Job(provider_id, provider_id, partial(made, provider_id))


def _wrong_loop() -> UsageError:
    return UsageError(
        "the pool was started in another event loop, and its connections belong to "
        "that one: make a pool per loop, or close this one there first"
    )
