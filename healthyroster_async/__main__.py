"""``python -m healthyroster_async``: the same as the ``healthyroster`` command."""

from __future__ import annotations

import os
import signal
import sys

_PACKAGES = frozenset({"click", "rich", "rich_click"})
_STDERR, _WRONG_USE, _INTERRUPTED = 2, 2, 130


def main() -> None:
    """Run the command and leave with its exit code."""
    _fill_standard_streams()
    try:
        _run()
    except KeyboardInterrupt:
        # From here on there is only the way out; a second Ctrl-C must not litter it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(_INTERRUPTED)


def _fill_standard_streams() -> None:
    """Let what a caller closed lead nowhere, or a socket would take its place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def _run() -> None:
    try:
        from healthyroster_async.cli.app import app  # noqa: PLC0415 - an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        sys.stderr.write(
            'the healthyroster command needs the extra "cli": '
            "pip install 'healthyroster-async[cli]'\n"
        )
        sys.exit(_WRONG_USE)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        # Whoever started us kept it away from the imports; now there is much to close.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app.main(prog_name="healthyroster")


if __name__ == "__main__":
    main()
