"""Several processes of one host share one budget through a small file."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from healthyroster_async._core.settings import Limit
from healthyroster_async._core.shared import (
    FRESH,
    SIZE,
    Budget,
    decode,
    encode,
    learn,
    react,
    reserve,
)

# Windows has no such lock; there each process paces itself.
fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None

_logger = logging.getLogger("healthyroster_async.sharing")

# A lock is held for some 20 microseconds, unless the kernel stops its holder, and then
# nobody knows for how long. So many tries are some 2 ms of work; on a busy machine they
# take longer, because each of them lets others run first.
_TRIES = 1000
_PATIENCE_S = 0.02
# Out of reach: do not ask again for so long, doubled each time.
_AWAY_S = 0.01
_LONGEST_AWAY_S = 1.0
_READS = 3


@frozen
class Reservation:
    """Slots of one's own.

    Attributes:
        slot: When the calls may go, in seconds of the store's clock. A pause that began
            since is not in it: look with ``BudgetStore.read`` before they go.
        budget: What was known when they were taken.
    """

    slot: float
    budget: Budget


class BudgetStore(Protocol):
    """Where processes share a budget.

    Each method gives ``None`` if the store is out of reach; the caller then paces
    itself and just calls again next time. Times are seconds of the clock that the store
    was given. Take one reservation at a time and keep it while nobody wants it, then
    processes share evenly.

    All are plain functions, for a file answers in microseconds. A store across hosts
    has the same four as coroutines, over the same budget and rules, with slots turned
    into its caller's clock; only the one place that calls ``reserve`` must then await.
    """

    def reserve(self, calls: int) -> Reservation | None:
        """Take the next slots for *calls* calls that go together."""
        ...

    def react(
        self,
        seen: int,
        *,
        rate: float,
        limit: Limit | None,
        pause_until: float,
        asked_until: float = 0.0,
        state: tuple[float, ...] = FRESH.state,
    ) -> Budget | None:
        """Apply an overload, unless another process has; see ``shared.react``."""
        ...

    def learn(
        self,
        seen: int,
        *,
        rate: float,
        limit: Limit | None,
        state: tuple[float, ...] = FRESH.state,
    ) -> Budget | None:
        """Set rate and limit; see ``shared.learn``."""
        ...

    def read(self) -> Budget | None:
        """Look without taking anything."""
        ...

    def close(self) -> None:
        """Let go of the store; safe to repeat. The budget stays for the others."""
        ...


class FileStore:
    """A budget in a file, changed under a lock of the kernel.

    A process that dies lets go of the lock, wherever it was; half a write is found by
    its checksum, and the budget begins anew. A process that is stopped while it holds
    the lock puts the store out of reach of the others until it goes on.

    A store belongs to one thread. After a fork, the child opens the file for itself.

    Args:
        path: The file; it is made when it is first needed, readable by its owner only.
            It must be on a local file system. ``None`` is out of reach.
        clock: Seconds of a clock that all processes of the host share.
        boot: Eight bytes that tell one run of that clock from the next.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        boot: bytes | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._boot = boot_mark() if boot is None else boot
        self._fd = -1
        self._away_s = _AWAY_S
        self._away_until = float("-inf")
        self._told = False
        # What was read last: most looks find the same bytes again.
        self._raw = b""
        self._read = FRESH

    def reserve(self, calls: int) -> Reservation | None:
        """Take the next slots for *calls* calls that go together."""
        slot = 0.0

        def rule(budget: Budget, now: float) -> Budget:
            nonlocal slot
            budget, slot = reserve(budget, calls, now)
            return budget

        budget = self._change(rule)
        return None if budget is None else Reservation(slot, budget)

    def react(
        self,
        seen: int,
        *,
        rate: float,
        limit: Limit | None,
        pause_until: float,
        asked_until: float = 0.0,
        state: tuple[float, ...] = FRESH.state,
    ) -> Budget | None:
        """Apply an overload, unless another process has."""
        return self._change(
            lambda budget, now: react(
                budget,
                seen,
                now,
                rate=rate,
                limit=limit,
                pause_until=pause_until,
                asked_until=asked_until,
                state=state,
            )
        )

    def learn(
        self,
        seen: int,
        *,
        rate: float,
        limit: Limit | None,
        state: tuple[float, ...] = FRESH.state,
    ) -> Budget | None:
        """Set rate and limit, unless another epoch has begun."""
        return self._change(
            lambda budget, now: learn(
                budget, seen, now, rate=rate, limit=limit, state=state
            )
        )

    def read(self) -> Budget | None:
        """Look without taking anything, and without the lock if that goes well."""
        # A look in the middle of a write is found by the checksum.
        with contextlib.suppress(OSError):
            for _ in range(_READS if self._fd >= 0 else 0):
                raw = os.pread(self._fd, SIZE, 0)
                if raw == self._raw:
                    return self._read
                budget = decode(raw, self._boot, self._clock())
                if budget is not None:
                    self._raw, self._read = raw, budget
                    return budget
        return self._change(lambda budget, _: budget)

    def close(self) -> None:
        """Close the file; safe to repeat. A later call opens it again."""
        fd, self._fd = self._fd, -1
        _open_stores.discard(self)
        if fd >= 0:
            self._let_go()

    def _change(self, rule: Callable[[Budget, float], Budget]) -> Budget | None:
        """Read, apply and write under the lock."""
        if fcntl is None or self._clock() < self._away_until:
            return None
        try:
            if not self._lock():
                self._out_of_reach("locked")
                return None
            try:
                # The time is taken under the lock, so it never runs backwards.
                now = self._clock()
                raw = os.pread(self._fd, SIZE, 0)
                before = decode(raw, self._boot, now) or FRESH
                after = rule(before, now)
                if after is not before:
                    os.pwrite(self._fd, encode(after, self._boot), 0)
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
        except OSError as error:
            self.close()
            self._out_of_reach(type(error).__name__)
            return None
        self._away_s = _AWAY_S
        return after

    def _lock(self) -> bool:
        """Open the file if need be and lock it; return whether that went well."""
        until = time.monotonic() + _PATIENCE_S
        for _ in range(_TRIES):
            if self._fd < 0:
                self._open()
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                os.sched_yield()
                continue
            if os.fstat(self._fd).st_nlink:
                return True
            # Somebody swept it away; whoever comes next would make another one.
            self.close()
        return False

    def _open(self) -> None:
        if self._path is None:
            raise FileNotFoundError
        _make_folder(self._path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self._path, flags, 0o600)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or _is_open_to_others(found):
            os.close(fd)
            raise PermissionError
        self._fd = fd
        # Who is cancelled while a thread opens it does not get to know it.
        self._let_go = weakref.finalize(self, os.close, fd)
        self._let_go.atexit = False
        _open_stores.add(self)

    def _out_of_reach(self, why: str) -> None:
        self._away_until = self._clock() + self._away_s
        self._away_s = min(2 * self._away_s, _LONGEST_AWAY_S)
        # A single miss is a busy machine; the path would tell a user's name.
        if not self._told and self._away_s == _LONGEST_AWAY_S:
            self._told = True
            _logger.warning(
                "the budget shared with other processes is out of reach (%s); "
                "this process paces itself",
                why,
                extra={"why": why},
            )


def share_file(key: str, variables: Mapping[str, str]) -> Path | None:
    """Return where the budget of a key lies, or ``None`` if there is no such place.

    It is in ``XDG_RUNTIME_DIR``, or in the user's own folder in the temporary one.
    Processes that are told different ones of these do not meet.

    Args:
        key: The name from ``shared.key_of``.
        variables: The environment variables.
    """
    runtime = variables.get("XDG_RUNTIME_DIR", "")
    if Path(runtime).is_absolute() and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "healthyroster"
    else:
        user = os.getuid() if sys.platform != "win32" else "shared"
        try:
            temporary = tempfile.gettempdir()
        except FileNotFoundError:  # a container whose every folder is read-only
            return None
        folder = Path(temporary) / f"healthyroster-{user}"
    return folder / f"{key}.budget"


def boot_mark() -> bytes:
    """Return eight bytes that tell one run of the host's monotonic clock from another.

    Where the host does not say (only Linux does), they are zero: what another boot left
    is then found by its times, or obeyed for as long as a pause may last.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        # A container may have a monotonic clock of its own.
        clock = bytes(Path("/proc/self/ns/time").readlink())
    except OSError:
        return bytes(8)
    return hashlib.sha256(boot + clock).digest()[:8]


# A lock of flock() belongs to the open file, which a forked child has in common with
# its parent: the child would unlock what the parent locked, and keep locked what a dead
# parent left. So it lets go of the file at once.
_open_stores: weakref.WeakSet[FileStore] = weakref.WeakSet()


def _close_all() -> None:
    for store in tuple(_open_stores):
        store.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)


def _make_folder(folder: Path) -> None:
    """Make a folder for us alone, or refuse the one that is there.

    Raises:
        PermissionError: It is somebody else's, or others may change it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or _is_open_to_others(found):
        raise PermissionError


def _is_open_to_others(found: os.stat_result) -> bool:
    return found.st_uid != os.geteuid() or bool(found.st_mode & 0o022)
