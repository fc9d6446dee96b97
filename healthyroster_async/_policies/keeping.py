"""What of pacing lies outside the process: a shared budget, and what was learned."""

from __future__ import annotations

import asyncio
import math
import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import define, evolve, field

from healthyroster_async._core.hosts import is_loopback
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.settings import Budget, PacingSettings
from healthyroster_async._core.shared import key_of

if TYPE_CHECKING:
    from healthyroster_async._policies.memory import Memory
    from healthyroster_async._policies.sharing import FileStore

# Between two savings of a run that goes on; it may be killed at any time.
_EVERY_S = 60.0


@define(eq=False)
class Kept:
    """The files of one environment and application id.

    Attributes:
        name: Hash of environment, base URL and application id.
        memory: Where what was learned is kept, or ``None``.
        learned: What an earlier run found out.
        store: Where processes share one budget, or ``None``.
    """

    name: str
    memory: Memory | None = field(default=None, repr=False)
    learned: Learned | None = None
    store: FileStore | None = field(default=None, repr=False)
    _again_at: float = field(init=False, default=-math.inf)
    _saving: asyncio.Future[None] | None = field(init=False, default=None, repr=False)

    def note(self, learned: Learned | None) -> None:
        """Keep what this run found out so far, some time soon and off the loop."""
        loop = asyncio.get_running_loop()
        if learned is None or self.memory is None or loop.time() < self._again_at:
            return
        self._again_at = loop.time() + _EVERY_S
        found = evolve(learned, at=time.time())
        self._saving = loop.run_in_executor(None, self.memory.save, self.name, found)

    async def save(self, learned: Learned | None) -> None:
        """Keep what this run found out."""
        if self._saving is not None:
            await self._saving
        if learned is not None and self.memory is not None:
            found = evolve(learned, at=time.time())
            await asyncio.to_thread(self.memory.save, self.name, found)


async def open_kept(
    environment: str, base_url: str, application_id: str, settings: PacingSettings
) -> Kept:
    """Open what is to be shared and remembered."""
    name = key_of(environment, base_url, application_id)
    elsewhere = not is_loopback(urlsplit(base_url))
    remember = elsewhere if settings.remember is None else settings.remember
    share = elsewhere if settings.share is None else settings.share
    share = share and settings.budget is Budget.APPLICATION
    if not (remember or share):
        return Kept(name)
    return await asyncio.to_thread(_open, name, remember=remember, share=share)


def _open(name: str, *, remember: bool, share: bool) -> Kept:
    # Imported here, off the loop; many pools keep nothing.
    from healthyroster_async._policies.memory import (  # noqa: PLC0415
        Memory,
        state_folder,
    )
    from healthyroster_async._policies.sharing import (  # noqa: PLC0415
        FileStore,
        share_file,
    )

    memory = learned = store = None
    if remember:
        memory = Memory(state_folder(os.environ))
        learned = memory.load(name, time.time())
    if share:
        store = FileStore(share_file(name, os.environ))
        store.read()  # it is made here, off the loop
    return Kept(name, memory, learned, store)
