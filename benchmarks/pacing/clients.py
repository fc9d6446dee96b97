"""Every client of the laboratory, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from aimd import run_aimd
from ours import run_ours
from peers import PEERS as LIBRARIES
from record import Trace
from scenarios import Scenario

Client: TypeAlias = Callable[[Scenario, int], Trace]
OURS = "ours"
PEERS: Mapping[str, Client] = {**LIBRARIES, "AIMD": run_aimd}
CLIENTS: Mapping[str, Client] = {OURS: run_ours, **PEERS}
