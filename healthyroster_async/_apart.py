"""Tasks in a group that leave the task of their caller as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
_AT_ONCE = 32


async def apart(do: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do what has a task group in a task of its own, and raise what it raises.

    Before Python 3.13 a group in which something fails leaves the task that it stands
    in cancelled: the next Ctrl-C would be taken for that cancellation.
    """
    leaving = await asyncio.create_task(exit_of(do))
    if leaving is not None:
        raise leaving


async def at_once(do: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do something to each item, several at a time, and raise what it raises."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    async def work_all() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())

    try:
        await apart(work_all)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def exit_of(
    do: Callable[[], Coroutine[Any, Any, None]],
) -> KeyboardInterrupt | SystemExit | None:
    """Return what ends the program: raised by a task, its caller would not hear it."""
    try:
        await do()
    except (KeyboardInterrupt, SystemExit) as leaving:
        return leaving
    return None
