"""Bounded concurrency, every outcome kept."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Mapping,
    Sized,
)
from inspect import isawaitable, iscoroutinefunction
from typing import Any, TypeAlias, TypeVar, cast

import attrs

from healthyroster_async._apart import apart, exit_of
from healthyroster_async._core.errors import (
    ConfigurationError,
    ForbiddenError,
    HealthyRosterError,
    InnerCancellationError,
    KnownDenialError,
    PoolClosedError,
)
from healthyroster_async._core.outcome import (
    Denied,
    Failed,
    Outcome,
    Outcomes,
    Progress,
    Skipped,
    Succeeded,
)

V = TypeVar("V")
ProgressCallback: TypeAlias = Callable[[Progress], None]


@attrs.frozen
class Job:
    """One call of a fan-out that was not made yet."""

    key: Hashable
    provider_id: int | str
    call: Callable[[], Awaitable[object]]


async def outcome_of(job: Job) -> Outcome[object]:
    """Make a call and return what came of it.

    An error that is not ours is a bug, and passes. So does a cancellation, unless only
    what the call waited for was cancelled: a task that it shares with others, say.
    """
    key, provider_id = job.key, job.provider_id
    try:
        value = await awaitable(job.call())
    except (KnownDenialError, PoolClosedError) as error:
        return Skipped(key=key, provider_id=provider_id, error=error)
    except ForbiddenError as error:
        return Denied(key=key, provider_id=provider_id, error=error)
    except HealthyRosterError as error:
        return Failed(key=key, provider_id=provider_id, error=error)
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        inner = InnerCancellationError("what the call waited for was cancelled")
        inner.__cause__ = error
        return Failed(key=key, provider_id=provider_id, error=inner)
    return Succeeded(key=key, provider_id=provider_id, value=value)


def awaitable(made: Awaitable[V]) -> Awaitable[V]:
    """Return what a call of a fan-out gave, if it can be awaited.

    Raises:
        TypeError: It cannot; the text says what to give.
    """
    if not isawaitable(made):
        raise TypeError(
            f"the call of a fan-out gave {type(made).__name__}; give a function that "
            "returns something to await, such as "
            "lambda session: session.reporting.data_sources()"
        )
    return made


def check_ids(ids: object) -> None:
    """Refuse what is no collection of ids, though it may be iterated over.

    Raises:
        ConfigurationError: It is one id, or holds something beside the ids.
    """
    if isinstance(ids, Mapping):
        wrong = "give its keys, or a list of ids"
    elif isinstance(ids, str | bytes | bytearray | memoryview):
        wrong = "give a list of ids; [id] for one"
    elif not isinstance(ids, Iterable | AsyncIterable):
        wrong = "give a list of ids, or anything else that can be iterated over"
    else:
        return
    raise ConfigurationError(f"provider_ids is a {type(ids).__name__}; {wrong}")


def check_calls(name: str, *calls: object) -> None:
    """Refuse what cannot be called with a session.

    Raises:
        ConfigurationError: One of them cannot.
    """
    for call in calls:
        if not callable(call):
            raise ConfigurationError(
                f"{name} is a {type(call).__name__}; give a function of a session, "
                "such as lambda s: s.reporting.data_sources()"
            )


def total_of(items: object) -> int | None:
    """Return how many items there will be, if the input knows."""
    return len(items) if isinstance(items, Sized) else None


class Counting:
    """Keeps the progress of a fan-out and tells it.

    Raises:
        ConfigurationError: Whom it should be told to cannot be told.
    """

    def __init__(self, tell: ProgressCallback | None, total: int | None) -> None:
        if tell is not None and not callable(tell):
            raise ConfigurationError(
                f"progress is a {type(tell).__name__}; give a function of a Progress"
            )
        if iscoroutinefunction(tell):
            raise ConfigurationError(
                "progress is an async function, and it is called, not awaited; give a "
                "plain one"
            )
        self._tell = tell
        self._now = Progress(total=total)

    def add(self, outcome: Outcome[object]) -> None:
        """Count an outcome."""
        if self._tell is None:
            return
        name = type(outcome).__name__.lower()
        self._now = attrs.evolve(
            self._now, done=self._now.done + 1, **{name: getattr(self._now, name) + 1}
        )
        self._tell(self._now)

    def expect(self, calls: int) -> None:
        """Add calls to the total that have turned out to be needed."""
        self._now = attrs.evolve(self._now, total=(self._now.total or 0) + calls)

    def drop(self) -> None:
        """Take a call off the total that need not be made."""
        if self._tell is not None and self._now.total is not None:
            self._now = attrs.evolve(self._now, total=self._now.total - 1)
            self._tell(self._now)


async def fan_out(
    jobs: AsyncIterator[Job], *, limit: int, counting: Counting
) -> Outcomes[object, Hashable]:
    """Make calls concurrently and keep every outcome, in the order of *jobs*.

    A key that comes again is not called again. One failed call does not cost the
    others; a bug cancels the rest and propagates as it is.
    """
    outcomes: dict[Hashable, Outcome[object] | None] = {}

    def is_new(job: Job) -> bool:
        if job.key in outcomes:
            counting.drop()
            return False
        outcomes[job.key] = None  # keeps the order of the input
        return True

    async def keep(outcome: Outcome[object]) -> None:
        outcomes[outcome.key] = outcome
        counting.add(outcome)

    await apart(lambda: _make_all(jobs, limit, keep, is_new))
    return Outcomes(cast("dict[Hashable, Outcome[object]]", outcomes))


async def as_completed(
    jobs: AsyncIterator[Job], *, limit: int, counting: Counting
) -> AsyncGenerator[Outcome[object], None]:
    """Yield every outcome as it comes; a slow consumer slows the calls down.

    The calls are made in a task that belongs to this generator: closing it cancels them
    and waits for them. A task group cannot stand around a yield (PEP 789).
    """
    # One place: whoever has an outcome waits until the one before it is consumed.
    ready: asyncio.Queue[Outcome[object] | None] = asyncio.Queue(1)

    def wake(_: object) -> None:
        if ready.empty():
            ready.put_nowait(None)

    making = asyncio.create_task(exit_of(lambda: _make_all(jobs, limit, ready.put)))
    making.add_done_callback(wake)
    try:
        while not (making.done() and ready.empty()):
            outcome = await ready.get()
            if outcome is not None:
                counting.add(outcome)
                yield outcome
        making.result()
    finally:
        making.cancel()
        await asyncio.wait([making])
        # Who closes early does not want to know of a bug, but it is seen.
        if not making.cancelled() and making.exception() is None:
            leaving = making.result()
            if leaving is not None:
                raise leaving


async def _make_all(
    jobs: AsyncIterator[Job],
    limit: int,
    keep: Callable[[Outcome[object]], Awaitable[None]],
    is_new: Callable[[Job], bool] = lambda _: True,
) -> None:
    """Make the calls, and raise the first bug when all have ended."""
    taking = asyncio.Lock()
    workers: list[asyncio.Task[None]] = []

    async def take() -> Job | None:
        async with taking:  # an async generator cannot be asked twice at once
            while True:
                job = await _next(jobs)
                if job is None or is_new(job):
                    return job
                await asyncio.sleep(0)  # many that are passed over take time too

    async def work(job: Job | None) -> None:
        while job is not None:
            # Calls that never wait must not hold the loop, and eager tasks must not
            # fail where they are made: the group could not be left in peace.
            await asyncio.sleep(0)
            await keep(await outcome_of(job))
            job = await take()

    try:
        async with asyncio.TaskGroup() as group:
            # No more workers than there are calls, also if nobody knows how many.
            while len(workers) < limit and (job := await take()) is not None:
                workers.append(group.create_task(work(job)))
    except BaseExceptionGroup as bugs:
        bug = bugs.exceptions[0]
    else:
        # A task group takes a cancelled task for one that is done.
        if not any(worker.cancelled() for worker in workers):
            return
        bug = InnerCancellationError("a call cancelled the task that it was made in")
    raise bug


async def _next(jobs: AsyncIterator[Job]) -> Job | None:
    try:
        return await anext(jobs, None)
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        raise InnerCancellationError(
            "what the input of the fan-out waited for was cancelled"
        ) from error


def _is_cancelled() -> bool:
    """Return whether the running task is cancelled, not only what it waited for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def each(items: Iterable[V] | AsyncIterable[V]) -> AsyncIterator[V]:
    """Iterate over either kind of input, one item at a time."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def checked_limit(limit: Any) -> int:
    """Return how many calls may be under way.

    Raises:
        ConfigurationError: It is no such number.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigurationError(f"concurrency is {limit!r}; give an int of at least 1")
    return limit
