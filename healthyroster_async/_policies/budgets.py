"""The budgets of an application: which governor a call is asked of.

Pools of one event loop share them; the policy that waits stands in ``pacing``.
"""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections.abc import Hashable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from attrs import define, field

from healthyroster_async._core.governor import Governor
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.messages import Response
from healthyroster_async._core.settings import PacingSettings
from healthyroster_async._policies.gate import Gate

if TYPE_CHECKING:
    from healthyroster_async._policies.leasing import Leasing
    from healthyroster_async._policies.pacing import PacingPolicy
    from healthyroster_async._policies.sharing import BudgetStore

# Budgets of providers that are idle are forgotten when there are more than this.
_MOST_BUDGETS = 4096
_CALM_S = 10.0


@define(eq=False)
class Pacer:
    """One budget: a governor and its gate.

    Attributes:
        governor: The rules.
        gate: Where calls wait.
        leasing: The budget that other processes use too, or ``None``.
        refusal: The last answer that asked for fewer calls, or said that none is left,
            without its body.
    """

    governor: Governor
    gate: Gate
    leasing: Leasing | None = None
    refusal: Response | None = field(init=False, default=None)


class Pacers:
    """The budgets of one environment and application id, by what they are counted by.

    They are shared by every pool of the event loop that paces the same application id
    with the same settings.

    Attributes:
        settings: How to pace.
        policies: The pools that are open.
        guide: The budget that reacted last: an API treats all its providers alike.
    """

    def __init__(
        self,
        settings: PacingSettings,
        learned: Learned | None,
        store: BudgetStore | None,
    ) -> None:
        self.settings = settings
        self._learned = learned
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._pacers: dict[Hashable, Pacer] = {}
        self.policies: set[PacingPolicy] = set()
        self.guide: Governor | None = None

    @property
    def learned(self) -> Learned | None:
        """What is worth remembering, and where a budget that is new begins."""
        return self.guide.learned if self.guide is not None else None

    def is_calm(self) -> bool:
        """Return whether nobody made an interactive call for a while.

        In any pool of the event loop: it is the loop that a person waits for.
        """
        every = (pacer for pacers in _shared[self._loop].values() for pacer in pacers)
        last = max((p.governor.urgent_at for p in every), default=-math.inf)
        return self._loop.time() - last > _CALM_S

    def leave(self, policy: PacingPolicy) -> None:
        """Note that a pool is closed; with the last one these budgets end."""
        self.policies.discard(policy)
        if self.policies:
            return
        known = _shared[self._loop]
        for key in [key for key, pacers in known.items() if pacers is self]:
            del known[key]
        if self._store is not None:
            for pacer in self:
                pacer.leasing = None  # an answer that comes late would open it again
            self._store.close()

    def __iter__(self) -> Iterator[Pacer]:
        return iter(self._pacers.values())

    def of(self, key: Hashable) -> Pacer:
        """Return the budget of a key."""
        pacer = self._pacers.get(key)
        if pacer is None:
            if len(self._pacers) >= _MOST_BUDGETS:
                self._forget_idle()
            governor = Governor(
                self.settings,
                now=self._loop.time(),
                rng=Random(),  # noqa: S311 - jitter
                learned=self.learned or self._learned,
            )
            if self.guide is not None:
                governor.learner.start_at(self.guide.learner.rate)
            gate = Gate(governor, self._loop)
            leasing = None
            if self._store is not None:
                # The loop's clock may have another zero than the one processes share.
                ahead = time.monotonic() - self._loop.time()
                from healthyroster_async._policies.leasing import (  # noqa: PLC0415
                    Leasing,
                )

                leasing = Leasing(governor, self._store, ahead)
                gate.prepare = leasing.before_next
            pacer = self._pacers[key] = Pacer(governor, gate, leasing)
            if leasing is not None:
                leasing.on_pause = partial(self._paused_elsewhere, pacer)
        return pacer

    def _paused_elsewhere(self, pacer: Pacer) -> None:
        for policy in tuple(self.policies):
            if policy.note_waiting(pacer):
                return

    def _forget_idle(self) -> None:
        now = self._loop.time()
        self._pacers = {
            key: pacer
            for key, pacer in self._pacers.items()
            if pacer.governor.queue.waiting
            or pacer.governor.in_flight
            or pacer.governor.paused_until > now
        }


_shared: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, weakref.WeakValueDictionary[Hashable, Pacers]
] = weakref.WeakKeyDictionary()


def pacers_of(
    name: str,
    settings: PacingSettings,
    learned: Learned | None = None,
    store: BudgetStore | None = None,
) -> Pacers:
    """Return the budgets of an application, those that another pool uses already.

    Args:
        name: Hash of environment, base URL and application id.
        settings: How to pace; pools with other settings do not share.
        learned: What an earlier run found out.
        store: Where processes share one budget, or ``None``.
    """
    loop = asyncio.get_running_loop()
    known = _shared.setdefault(loop, weakref.WeakValueDictionary())
    pacers = known.get((name, settings))
    if pacers is None:
        pacers = known[name, settings] = Pacers(settings, learned, store)
    elif store is not None:
        store.close()  # the other pool has one
    return pacers
