"""The ``healthyroster`` command, before anything of the package is imported.

It stands beside the package because whatever stands inside imports all of it first.
That takes some tenths of a second, and Ctrl-C in between would print a traceback.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command and leave with its exit code."""
    # A background job of a shell ignores Ctrl-C, and goes on ignoring it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until the command can leave by itself, the system ends it without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from healthyroster_async import __main__ as command  # noqa: PLC0415

    command.main()
