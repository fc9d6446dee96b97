"""An emulator in a thread, for tests that do not await, and for any event loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from healthyroster_async._loop_thread import LoopThread
from healthyroster_async.emulator import Emulator


@contextmanager
def serve_emulator(**settings: Any) -> Iterator[Emulator]:
    """Have an emulator run on an event loop in a thread of its own.

    Args:
        **settings: What ``Emulator`` takes.
    """
    emulator = Emulator(**settings)
    thread = LoopThread(emulator.start, lambda: None)
    thread.start()
    try:
        yield emulator
    finally:
        try:
            thread.run(emulator.close)
        finally:
            thread.stop()
