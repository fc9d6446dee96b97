"""Every client of the laboratory, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from aimd import run_aimd
from ours import run_ours
from record import Trace
from scenarios import Scenario

Client: TypeAlias = Callable[[Scenario, int], Trace]
OURS = "ours"
PEERS = (
    "backoff", "backoff RA", "aiohttp_retry", "a_r jitter", "stamina", "limiter 0.5",
    "limiter 1.0", "limiter 2.0", "botocore", "AIMD",
)  # fmt: skip


def client(name: str) -> Client:
    """Return what runs a client through a scenario with a seed."""
    if name == OURS:
        return run_ours
    if name == "AIMD":
        return run_aimd
    # Whoever tunes the governor need not have the other libraries.
    from peers import MAKERS, run_peer  # noqa: PLC0415

    return run_peer(MAKERS[name])
