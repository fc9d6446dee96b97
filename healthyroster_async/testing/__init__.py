"""For tests of code that uses this package: nothing here talks to the vendor.

With pytest there are the fixtures ``healthyroster_emulator``, ``healthyroster_pool``
and ``healthyroster_sync_pool``, without any import.
"""

from healthyroster_async.testing._cassettes import Recorder, Replay
from healthyroster_async.testing._scripted import (
    Answer,
    ScriptedTransport,
    scripted_pool,
)
from healthyroster_async.testing._serving import serve_emulator
from healthyroster_async.testing._virtual_time import (
    VirtualTimeLoop,
    run_in_virtual_time,
)

__all__ = [
    "Answer",
    "Recorder",
    "Replay",
    "ScriptedTransport",
    "VirtualTimeLoop",
    "run_in_virtual_time",
    "scripted_pool",
    "serve_emulator",
]
