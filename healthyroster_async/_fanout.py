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
    Sized,
)
from typing import Any, TypeAlias, TypeVar

import attrs

from healthyroster_async._core.errors import (
    ConfigurationError,
    ForbiddenError,
    HealthyRosterError,
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

    An error that is not ours is a bug, and passes.
    """
    key, provider_id = job.key, job.provider_id
    try:
        value = await job.call()
    except ForbiddenError as error:
        return Denied(key=key, provider_id=provider_id, error=error)
    except PoolClosedError as error:
        return Skipped(key=key, provider_id=provider_id, error=error)
    except HealthyRosterError as error:
        return Failed(key=key, provider_id=provider_id, error=error)
    return Succeeded(key=key, provider_id=provider_id, value=value)


def total_of(items: object) -> int | None:
    """Return how many items there will be, if the input knows."""
    return len(items) if isinstance(items, Sized) else None


class Counting:
    """Keeps the progress of a fan-out and tells it."""

    def __init__(self, tell: ProgressCallback | None, total: int | None) -> None:
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


async def fan_out(
    jobs: AsyncIterator[Job], *, limit: int, counting: Counting
) -> Outcomes[object]:
    """Make calls concurrently and keep every outcome, in the order of *jobs*.

    A key that comes again is not called again. One failed call does not cost the
    others; a bug cancels the rest and propagates as it is.
    """
    outcomes: dict[Hashable, Outcome[object] | None] = {}

    def is_new(job: Job) -> bool:
        if job.key in outcomes:
            return False
        outcomes[job.key] = None  # keeps the order of the input
        return True

    async def keep(outcome: Outcome[object]) -> None:
        outcomes[outcome.key] = outcome
        counting.add(outcome)

    taking = asyncio.Lock()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(_work(jobs, taking, keep, is_new))
    except BaseExceptionGroup as bugs:
        bug = bugs.exceptions[0]
    else:
        return Outcomes({k: v for k, v in outcomes.items() if v is not None})
    raise bug


async def as_completed(
    jobs: AsyncIterator[Job], *, limit: int, counting: Counting
) -> AsyncGenerator[Outcome[object], None]:
    """Yield every outcome as it comes; a slow consumer slows the calls down.

    The tasks belong to this generator: closing it cancels them and waits for them. A
    task group cannot stand around a yield (PEP 789).
    """
    # One place: whoever has an outcome waits until the one before it is consumed.
    ready: asyncio.Queue[Outcome[object] | asyncio.Task[None]] = asyncio.Queue(1)
    ended: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
    taking = asyncio.Lock()

    async def last() -> None:
        task = await ended.get()
        for _ in range(limit - 1):
            if task.cancelled() or task.exception() is not None:
                break
            task = await ended.get()
        await ready.put(task)

    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(_work(jobs, taking, ready.put)) for _ in range(limit)]
    for task in tasks:
        task.add_done_callback(ended.put_nowait)
    tasks.append(loop.create_task(last()))
    try:
        while not isinstance(outcome := await ready.get(), asyncio.Task):
            counting.add(outcome)
            yield outcome
        outcome.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # only the first bug is raised, the rest is seen


async def _work(
    jobs: AsyncIterator[Job],
    taking: asyncio.Lock,
    keep: Callable[[Outcome[object]], Awaitable[None]],
    is_new: Callable[[Job], bool] = lambda _: True,
) -> None:
    while True:
        async with taking:  # an async generator cannot be asked twice at once
            job = await anext(jobs, None)
            if job is None:
                return
            if not is_new(job):
                continue
        await keep(await outcome_of(job))


async def each(items: Iterable[V] | AsyncIterable[V]) -> AsyncIterator[V]:
    """Iterate over either kind of input, one item at a time."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def checked_limit(limit: Any, total: int | None) -> int:
    """Return how many calls may be under way: never more than there are."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigurationError(f"concurrency is {limit!r}; give an int of at least 1")
    return limit if total is None else max(1, min(limit, total))
