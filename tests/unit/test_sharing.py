import gc
import logging
import os
import stat
import sys
from pathlib import Path
from random import Random

import pytest

from healthyroster_async._core.governor import Governor, Ticket
from healthyroster_async._core.ratelimits import Announced
from healthyroster_async._core.settings import Limit, PacingSettings, Priority
from healthyroster_async._core.shared import SIZE, key_of
from healthyroster_async._core.verdicts import Verdict
from healthyroster_async._policies import sharing
from healthyroster_async._policies.leasing import Leasing
from healthyroster_async._policies.sharing import (
    BudgetStore,
    FileStore,
    boot_mark,
    share_file,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there is no lock of this kind here"
)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "healthyroster" / "key.budget"


@pytest.fixture
def store(path, clock):
    store = FileStore(path, clock=clock, boot=b"thisboot")
    yield store
    store.close()


@pytest.fixture
def other(path, clock):
    store = FileStore(path, clock=clock, boot=b"thisboot")
    yield store
    store.close()


def test_two_stores_give_out_one_budget(store: BudgetStore, other: BudgetStore):
    """
    Each process has a store of its own, and all of them one rate.
    """
    store.learn(0, rate=10.0, limit=Limit(600, 60))
    first, second, third = (
        each.reserve(calls) for each, calls in ((store, 1), (other, 2), (store, 1))
    )

    slots = [each.slot for each in (first, second, third)]
    assert slots == pytest.approx([1000.0, 1000.1, 1000.3])
    assert third.budget.granted == 4
    assert other.read() == third.budget
    assert other.read().limit == Limit(600, 60)


def test_an_overload_is_seen_by_all_and_applied_once(store, other):
    """
    Both processes saw calls rejected by it; whoever comes second takes what is set.
    """
    store.learn(0, rate=10.0, limit=None)
    seen = other.reserve(1).budget.epoch
    first = store.react(0, rate=5.0, limit=None, pause_until=1001.0)
    second = other.react(seen, rate=2.0, limit=None, pause_until=1009.0)

    assert second == first
    assert (second.epoch, second.rate) == (1, 5.0)
    assert other.reserve(1).slot == 1001.0
    assert other.learn(seen, rate=11.0, limit=None).rate == 5.0


def test_the_file_is_for_its_owner_only_and_small(store, path):
    """
    Hosts are shared; nobody else may read or slow down our budget.
    """
    store.reserve(1)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.stat().st_size == SIZE
    assert not os.get_inheritable(store._fd)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff" * SIZE, b"x" * 10_000])
def test_junk_in_the_file_is_a_fresh_budget(store, path, junk):
    """
    Half a write of a process that died must not end the others.
    """
    store.reserve(1)
    with path.open("r+b") as file:
        file.truncate()
        file.write(junk)

    assert store.reserve(1).budget.granted == 1
    assert store.read().granted == 1


def test_another_boot_is_a_fresh_budget(path, clock, store):
    """
    The temporary folder may outlive the clock that its times belong to.
    """
    store.react(0, rate=1.0, limit=None, pause_until=1900.0)
    rebooted = FileStore(path, clock=lambda: 1200.0, boot=b"nextboot")

    assert rebooted.reserve(1).slot == 1200.0
    rebooted.close()


def swap_for_folder(path):
    path.mkdir()


def swap_for_link(path):
    path.with_name("target").touch()
    path.symlink_to(path.with_name("target"))


def swap_for_pipe(path):
    os.mkfifo(path, 0o600)


def swap_for_open(path):
    path.touch()
    path.chmod(0o666)


def swap_for_open_folder(path):
    path.parent.chmod(0o777)


def swap_for_linked_folder(path):
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to("moved")


@pytest.mark.parametrize(
    "swap",
    [
        swap_for_folder,
        swap_for_link,
        swap_for_pipe,
        swap_for_open,
        swap_for_open_folder,
        swap_for_linked_folder,
    ],
)
def test_what_others_may_have_laid_there_is_refused(store, path, swap):
    """
    In a temporary folder anybody can lay a link to a file of ours, for us to write to.
    """
    path.parent.mkdir(mode=0o700)
    swap(path)

    assert store.reserve(1) is None
    assert store.read() is None


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give away"
)
@pytest.mark.parametrize("whose", ["file", "folder"])
def test_what_belongs_to_somebody_else_is_refused(store, path, whose):
    """
    Its owner could set any rate for us, or none.
    """
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    os.chown(path if whose == "file" else path.parent, 12345, 12345)

    assert store.reserve(1) is None


def test_a_file_that_was_swept_away_is_made_anew(store, other, path):
    """
    Temporary folders are swept; two processes must not go on with two files.
    """
    store.learn(0, rate=10.0, limit=None)
    other.reserve(1)
    path.unlink()

    assert store.reserve(1).budget.granted == 1
    assert other.reserve(1).budget.granted == 2


def test_out_of_reach_is_asked_again_later_and_told_once(
    tmp_path, clock, store, path, caplog
):
    """
    A process paces itself meanwhile; the log is not flooded, and holds no path.
    """
    path.parent.mkdir(mode=0o777)
    path.parent.chmod(0o777)
    asked = []
    with caplog.at_level(logging.DEBUG):
        for _ in range(3000):
            assert store.reserve(1) is None
            asked.append(store._away_until)
            clock.now += 0.01

    assert 30 <= len(set(asked)) <= 45
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert told.why in told.getMessage()
    assert str(tmp_path) not in told.getMessage()

    path.parent.chmod(0o700)
    clock.now += 1.0
    assert store.reserve(1).slot == clock.now
    assert store.read().granted == 1


def test_a_store_that_came_back_is_missed_for_a_moment_only(store, other, clock):
    """
    A lock that is taken now and then must not add up to a second without the others.
    """
    other.reserve(1)
    for _ in range(8):
        sharing.fcntl.flock(other._fd, sharing.fcntl.LOCK_EX)
        assert store.reserve(1) is None
        sharing.fcntl.flock(other._fd, sharing.fcntl.LOCK_UN)
        clock.now += 0.011
        assert store.reserve(1) is not None


def test_a_full_disk_is_out_of_reach(store, monkeypatch):
    """
    Pacing is not worth a failed call.
    """

    def full(*_):
        raise OSError(28, "No space left on device")

    store.reserve(1)
    monkeypatch.setattr(os, "pwrite", full)
    assert store.reserve(1) is None
    monkeypatch.undo()
    monkeypatch.setattr(os, "pread", full)
    assert store.read() is None


def test_without_locks_there_is_no_store_and_no_error(store, path, caplog, monkeypatch):
    """
    Windows has none of this; each process paces itself there, as was told in the docs.
    """
    monkeypatch.setattr(sharing, "fcntl", None)

    assert store.reserve(1) is None
    assert store.read() is None
    assert store.learn(0, rate=1.0, limit=None) is None
    assert not path.exists()
    assert caplog.records == []


def test_closing_is_safe_to_repeat_and_leaves_the_budget(store, other):
    """
    A pool that closes must not end the pacing of the others.
    """
    store.reserve(1)
    store.close()
    store.close()

    assert other.reserve(1).budget.granted == 2
    assert store.reserve(1).budget.granted == 3


def test_a_store_that_is_dropped_closes_its_file(tmp_path):
    """
    A thread opens it; if nobody waits for that any more, nobody can close it.
    """
    store = FileStore(tmp_path / "shared.budget")
    store.read()
    fd = store._fd
    os.fstat(fd)
    del store
    gc.collect()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_look_takes_nothing_and_needs_no_lock(store, other):
    """
    Before each call one looks whether a pause began; that must cost next to nothing.
    """
    store.reserve(1)
    other.read()
    sharing.fcntl.flock(store._fd, sharing.fcntl.LOCK_EX)

    assert other.read() == other.read() == store.read()
    assert other.reserve(1) is None
    sharing.fcntl.flock(store._fd, sharing.fcntl.LOCK_UN)


def test_the_file_lies_where_the_user_is_alone(tmp_path, monkeypatch):
    """
    The runtime folder is the user's own; in the temporary one we make one of our own.
    """
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    key = key_of("sandbox", "https://api.example", "our-app-id")
    name = f"{key}.budget"
    own = tmp_path / f"healthyroster-{os.getuid()}" / name

    there = share_file(key, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert there == tmp_path / "healthyroster" / name
    assert share_file(key, {}) == own
    assert share_file(key, {"XDG_RUNTIME_DIR": "relative"}) == own
    assert share_file(key, {"XDG_RUNTIME_DIR": str(tmp_path / "gone")}) == own


def test_neither_id_nor_secret_stands_in_the_file(tmp_path, clock):
    """
    The file may be found in a backup or a crash dump.
    """
    key = key_of("sandbox", "https://api.example", "our-app-id")
    path = share_file(key, {"XDG_RUNTIME_DIR": str(tmp_path)})
    store = FileStore(path, clock=clock)
    store.learn(0, rate=10.0, limit=None)
    store.close()

    for each in tmp_path.rglob("*"):
        assert "our-app-id" not in str(each)
        assert each.is_dir() or b"our-app-id" not in each.read_bytes()


def test_the_mark_of_a_boot_stays_while_the_host_runs(monkeypatch):
    """
    All processes must agree on it; where the host tells none, times alone must do.
    """
    assert boot_mark() == boot_mark()
    assert len(boot_mark()) == 8

    def none(self):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_bytes", none)
    assert boot_mark() == bytes(8)


def sent_by(leasing, governor, clock, count):
    """Let so many calls go that come at once; return them and when each went."""
    tickets = [Ticket(None, Priority.BULK) for _ in range(count)]
    for ticket in tickets:
        governor.ask(ticket, clock.now)
    while not all(ticket.granted for ticket in tickets):
        leasing.before_next(clock.now)
        if governor.next(clock.now) is None:
            clock.now = max(clock.now, governor.wake_at(clock.now))
    return tickets, [ticket.sent for ticket in tickets]


def test_a_limit_that_was_told_holds_from_the_first_call_on(store, clock):
    """
    Also after a rest, and after a pause: the probe is one of the five.
    """
    told = PacingSettings(rate=Limit(5))
    governor = Governor(told, now=clock.now, rng=Random(0))
    leasing = Leasing(governor, store)

    _, times = sent_by(leasing, governor, clock, 12)
    clock.now += 60
    more, later = sent_by(leasing, governor, clock, 12)
    governor.answered(more[-1], clock.now, Verdict.THROTTLED, Announced(wait=3.0))
    leasing.after_answer(clock.now)
    clock.now = governor.paused_until
    (probe,), (probed,) = sent_by(leasing, governor, clock, 1)
    clock.now += 0.01
    governor.answered(probe, clock.now, Verdict.ACCEPTED)
    _, last = sent_by(leasing, governor, clock, 12)
    times += [*later, probed, *last]

    assert probe.probe is False
    assert governor.lease is not None
    assert probed - later[-1] >= 3.0
    for first, sixth in zip(times, times[5:], strict=False):
        assert sixth - first > 1 - 1e-9
