"""The command on a terminal, where a person looks."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "healthyroster_async"]
SHOW_CURSOR, HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"


def on_terminal(*arguments, until=None, how=None, **variables):
    """Run on a pseudo-terminal; send a signal once *until* was seen."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **variables},
        start_new_session=True,
    )
    os.close(terminal)
    seen, end = b"", time.monotonic() + 30
    while time.monotonic() < end:
        if not select.select([controller], [], [], 0.1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            part = os.read(controller, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
        if until is not None and re.search(until, seen):
            process.send_signal(how)
            until = None
    os.close(controller)
    return process.wait(timeout=10), seen


def test_progress_is_shown_and_taken_away_again():
    """
    Minutes without a sign look like a hang; a finished bar is in the way.
    """
    code, seen = on_terminal("demo", "--providers", "3", "--rows", "20")

    assert code == 0
    assert b"Pulling data sources" in seen
    assert re.search(rb"\d+ calls .* retries .* throttled .* pauses", seen)
    assert seen.count(HIDE_CURSOR) == seen.count(SHOW_CURSOR) == 1
    assert b"rows received" in seen.rpartition(SHOW_CURSOR)[2]


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_gives_the_terminal_back(how, code):
    """
    A terminal without a cursor is what people remember of a tool.
    """
    ended, seen = on_terminal("demo", until=rb"[1-9]\d* calls", how=how)

    assert ended == code
    assert seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)
    assert b"Traceback" not in seen


def test_a_dumb_terminal_gets_no_moving_picture():
    """
    It could not take it away again.
    """
    code, seen = on_terminal(
        "demo", "--providers", "1", "--rows", "5", "--rate-limit", "1000", TERM="dumb"
    )

    assert code == 0
    assert b"Pulling" not in seen
    assert HIDE_CURSOR not in seen
