"""An event loop whose clock jumps: sleeping is instant, and exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from typing_extensions import override

_T = TypeVar("_T")


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    @override
    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("every task is waiting and no timer is set")
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: where it would, its clock jumps ahead.

    Only what sleeps is virtual. Sockets and threads take real time, which passes this
    clock by: use it with ``ScriptedTransport``, and not with the emulator. A test that
    would wait for ever fails with ``RuntimeError`` at once.
    """

    def __init__(self) -> None:
        self._jumping_selector = _JumpingSelector()
        super().__init__(self._jumping_selector)

    @override
    def time(self) -> float:
        """Return the seconds that have passed, slept ones included."""
        return self._jumping_selector.now


def run_in_virtual_time(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as ``asyncio.run`` does, but wait for nothing.

    ::

        def test_it_waits_as_long_as_the_api_asks():
            async def main():
                async with scripted_pool([Answer(429, retry_after=60), []]) as pool:
                    await pool.session(1).reporting.data_sources()
                    return asyncio.get_running_loop().time()

            assert 60 <= run_in_virtual_time(main()) < 61
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
