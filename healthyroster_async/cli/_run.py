"""Running a command: the loop it runs on, and what its exit code says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

import rich_click as click

from healthyroster_async._core.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    HealthyRosterError,
    MissingExtraError,
    UsageError,
)
from healthyroster_async.cli import _console

T = TypeVar("T")

DONE, FAILED, WRONG_USE, NO_ACCESS = 0, 1, 2, 3
# A signal's number and 128, as shells count it.
INTERRUPTED, OUTPUT_CLOSED, TERMINATED = 130, 141, 143

EXIT_CODES = (
    (DONE, "done"),
    (FAILED, "something failed: a call, or counts that differ"),
    (WRONG_USE, "wrong use or configuration"),
    (NO_ACCESS, "no access (401, 403)"),
    (INTERRUPTED, "interrupted (Ctrl-C)"),
    (OUTPUT_CLOSED, "whoever read the output stopped reading"),
    (TERMINATED, "terminated (SIGTERM)"),
)

_CODE_OF: tuple[tuple[type[HealthyRosterError], int], ...] = (
    (ConfigurationError, WRONG_USE),
    (UsageError, WRONG_USE),
    (MissingExtraError, WRONG_USE),
    (AuthenticationError, NO_ACCESS),
    (ForbiddenError, NO_ACCESS),
)

_ENDING = (signal.SIGTERM, signal.SIGINT)


class TerminatedError(Exception):
    """Somebody asked the process to end (SIGTERM)."""


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, on uvloop where it is installed.

    Ctrl-C and SIGTERM cancel it, so that everything it opened is closed; so they do
    again while that is closed. The third Ctrl-C ends the process wherever it is.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        TerminatedError: SIGTERM came.
    """
    # The server of the emulator logs whoever hangs up, with a traceback.
    logging.getLogger("aiohttp.server").addHandler(logging.NullHandler())
    came: list[int] = []
    # A background job of a shell ignores Ctrl-C, and goes on ignoring it.
    before = {
        one: handler
        for one in _ENDING
        if (handler := signal.getsignal(one)) not in (signal.SIG_IGN, None)
    }

    async def guarded() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def pressed(why: int, _: FrameType | None) -> None:
            came.append(why)
            if came.count(signal.SIGINT) > 1:
                # Python's own would raise between any two steps, and what waits for
                # a thread might then wait for ever.
                signal.signal(signal.SIGINT, signal.SIG_DFL)

        # Windows has no such handlers, and only a main thread may have one. Python's
        # own raises the second Ctrl-C between any two steps, also of closing files.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for one in before:
                if task is not None:
                    loop.add_signal_handler(one, task.cancel)
                # The loop only gets to its own when nothing blocks it.
                signal.signal(one, pressed)
        return await main()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(guarded())
    except asyncio.CancelledError:
        if came and came[0] == signal.SIGINT:
            raise KeyboardInterrupt from None
        if came:
            raise TerminatedError from None
        raise
    finally:
        # uvloop leaves its own there, which then does nothing any more.
        with contextlib.suppress(ValueError):
            for one, handler in before.items():
                signal.signal(one, handler)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


@contextlib.contextmanager
def closed_output() -> Iterator[None]:
    """Turn a broken pipe into what click lets through."""
    try:
        yield
    except BrokenPipeError:
        raise _console.OutputClosedError from None


def exit_code(command: Callable[[], object]) -> int:
    """Run a command and return its exit code; what went wrong goes to stderr."""
    try:
        result = command()
        with closed_output():
            sys.stdout.flush()
    except (click.ClickException, HealthyRosterError, OSError) as error:
        return _told(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except TerminatedError:
        return TERMINATED
    except _console.OutputClosedError:
        _discard_output()
        return OUTPUT_CLOSED
    return result if isinstance(result, int) else DONE


def _told(error: click.ClickException | HealthyRosterError | OSError) -> int:
    """Tell in one line what went wrong and return the exit code for it."""
    if isinstance(error, HealthyRosterError):
        text, code = str(error), code_of(error)
    elif isinstance(error, OSError):
        text, code = error.strerror or type(error).__name__, FAILED
        if error.filename is not None:
            text = f"{os.fsdecode(error.filename)}: {text}"
        elif isinstance(error, FileNotFoundError):  # of os.getcwd()
            text = "the folder you are in has been deleted"
    else:
        text, code = error.format_message(), error.exit_code
    _console.error(text)
    for note in getattr(error, "__notes__", ()):
        _console.message(note)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _console.message(f"See {error.ctx.command_path} --help.")
    return code


def code_of(error: HealthyRosterError) -> int:
    """Return the exit code that an error stands for."""
    for kind, code in _CODE_OF:
        if isinstance(error, kind):
            return code
    return FAILED


def _discard_output() -> None:
    """Let what is still buffered go nowhere, so that leaving does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
