"""Our governor in a scenario, built as the pool would build it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from record import Trace
from scenarios import Scenario
from simulation import Pacer, simulate
from together import MemoryStore, SharedPacer

from healthyroster_async._core.governor import Governor
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.settings import Limit, PacingSettings

OURS = "ours"
# A run before the one that counts has other luck.
_BEFORE = 100_000


def run_ours(scenario: Scenario, seed: int) -> Trace:
    """Run it, and before that the run that it remembers."""
    told = scenario.configured
    settings = PacingSettings(rate=Limit(*told) if told else None)
    learned = None
    if scenario.remembers:
        before = _run(scenario, seed + _BEFORE, _maker(settings, None))
        learned = before.pacers[0].learned
    return _run(scenario, seed, _maker(settings, learned, shared=scenario.shared))


def _maker(
    settings: PacingSettings, learned: Learned | None, *, shared: bool = False
) -> Callable[[float, Random], Pacer]:
    store = MemoryStore() if shared else None

    def make(now: float, rng: Random) -> Pacer:
        governor = Governor(settings, now=now, rng=rng, learned=learned)
        return governor if store is None else SharedPacer(governor, store)

    return make


def _run(
    scenario: Scenario, seed: int, make: Callable[[float, Random], Pacer]
) -> Trace:
    site = scenario.site(seed % _BEFORE)
    return simulate(site, scenario.flows, make, seed=seed, seconds=scenario.seconds)
