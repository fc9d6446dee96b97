"""What of pacing lies outside the process: a shared budget, and what was learned."""

from __future__ import annotations

import os
import time
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from healthyroster_async._core.contract import is_loopback
from healthyroster_async._core.learned import Learned
from healthyroster_async._core.settings import Budget, PacingSettings
from healthyroster_async._core.shared import key_of
from healthyroster_async._policies.memory import Memory, state_folder
from healthyroster_async._policies.sharing import FileStore, share_file


@frozen
class Kept:
    """The files of one environment and application id.

    Attributes:
        name: Hash of environment, base URL and application id.
        memory: Where what was learned is kept.
        learned: What an earlier run found out.
        store: Where processes share one budget, or ``None``.
    """

    name: str
    memory: Memory = field(repr=False)
    learned: Learned | None = None
    store: FileStore | None = field(default=None, repr=False)

    def save(self, learned: Learned | None) -> None:
        """Keep what this run found out; it touches the disk."""
        if learned is not None:
            self.memory.save(self.name, evolve(learned, at=time.time()))


def open_kept(
    environment: str, base_url: str, application_id: str, settings: PacingSettings
) -> Kept:
    """Open the files; it touches the disk, so call it off the event loop."""
    name = key_of(environment, base_url, application_id)
    elsewhere = not is_loopback(urlsplit(base_url))
    remember = elsewhere if settings.remember is None else settings.remember
    share = elsewhere if settings.share is None else settings.share
    memory = Memory(state_folder(os.environ) if remember else None)
    store = None
    if share and settings.budget is Budget.APPLICATION:
        store = FileStore(share_file(name, os.environ))
        if store.read() is None:
            store = None
    return Kept(name, memory, memory.load(name, time.time()), store)
