"""Real processes share one budget, and die, stop and fork while they do."""

import json
import subprocess
import sys
import time

import pytest

from healthyroster_async._core.shared import SIZE
from healthyroster_async._policies.sharing import FileStore

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there is no lock of this kind here"
)

PRELUDE = """
import fcntl, json, os, random, signal, sys, time
from pathlib import Path
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.shared import SIZE
from healthyroster_async._policies.sharing import FileStore

path = Path(sys.argv[1])
store = FileStore(path)

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child

def patiently(own, tries=300):
    # What one asks again until it is in reach.
    for _ in range(tries):
        got = own.reserve(1)
        if got is not None:
            return got
        time.sleep(0.01)
    raise SystemExit("the store never came back")
"""


def start(path, script):
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(path, script):
    """Run a script to its end and return what it printed as JSON."""
    with start(path, script) as process:
        try:
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, out
    return json.loads(out)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "healthyroster" / "key.budget"


WORK = """
print("ready", flush=True)
begin, end = map(float, sys.stdin.readline().split())
time.sleep(max(0, begin - time.monotonic()))
slots, missed = [], 0
while True:
    got = store.reserve(1)
    if got is None:
        missed += 1
        time.sleep(0.005)
        continue
    time.sleep(max(0, got.slot - time.monotonic()))
    if got.slot >= end:
        break
    slots.append(got.slot)
print(json.dumps([slots, missed]))
"""


def test_four_processes_share_one_rate_evenly(path):
    """
    Four workers on one host must neither pass the limit together nor leave it unused,
    and none of them may starve.
    """
    rate, seconds, warm = 200.0, 3.0, 0.5
    store = FileStore(path)
    store.learn(0, rate=rate, limit=None)
    workers = [start(path, WORK) for _ in range(4)]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        begin = time.monotonic() + 0.2
        end = begin + warm + seconds
        for worker in workers:
            worker.stdin.write(f"{begin} {end}\n")
            worker.stdin.flush()
        results = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
        store.close()

    counts = [sum(slot >= begin + warm for slot in slots) for slots, _ in results]
    slots = sorted(slot for slots, _ in results for slot in slots)
    assert sum(counts) == pytest.approx(rate * seconds, rel=0.01), results
    jain = sum(counts) ** 2 / (4 * sum(count**2 for count in counts))
    assert jain >= 0.99, counts
    # In any second, rate * 1 s and what may be caught up.
    most = max(sum(s <= t < s + 1.0 for t in slots) for s in slots[::20])
    assert most <= rate * 1.05 + 1


def test_a_process_killed_at_any_moment_neither_blocks_nor_spoils_the_others(path):
    """
    The out-of-memory killer does not wait until a lock is free.
    """
    script = """
store.learn(0, rate=1e6, limit=Limit(600, 60))
rng = random.Random(7)
def work():
    own = FileStore(path)
    while True:
        own.reserve(1)
before, fresh, lost = 0, 0, 0
for _ in range(150):
    child = forked(work)
    time.sleep(rng.uniform(0.0005, 0.008))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    budget = patiently(store).budget
    lost += budget.rate != 1e6 or budget.limit != Limit(600, 60)
    fresh += budget.granted <= before
    before = budget.granted
print(json.dumps([before, fresh, lost]))
"""
    granted, fresh, lost = run(path, script)

    assert (fresh, lost) == (0, 0)
    assert granted > 1000


@pytest.mark.parametrize("written", [None, 0, 20, SIZE // 2, SIZE - 4, SIZE])
def test_dying_inside_the_critical_section_costs_at_most_the_budget(path, written):
    """
    Before, in and after the write: the lock goes with the process, and half a write
    counts as none.
    """
    script = """
store.learn(0, rate=1e6, limit=None)
store.reserve(41)
def work():
    own, write = FileStore(path), os.pwrite
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)
    def write_and_die(fd, raw, at):
        write(fd, raw[:WRITTEN], at)
        die()
    if WRITTEN is None:
        os.pread = die
    os.pwrite = write_and_die
    own.reserve(1)
child = forked(work)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
print(json.dumps(store.reserve(1).budget.granted))
""".replace("WRITTEN", str(written))
    # The first 20 bytes are the same in both writes.
    expected = {None: 42, 0: 42, 20: 42, SIZE: 43}.get(written, 1)

    assert run(path, script) == expected


def test_a_stopped_process_that_holds_the_lock_does_not_hang_the_others(path):
    """
    Whoever suspends a job with Ctrl-Z, or debugs it, must not freeze the event loops
    of the others.
    """
    script = """
store.learn(0, rate=1e6, limit=None)
def work():
    own, read = FileStore(path), os.pread
    def stop(*arguments):
        os.kill(os.getpid(), signal.SIGSTOP)
        return read(*arguments)
    os.pread = stop
    own.reserve(1)
child = forked(work)
os.waitpid(child, os.WUNTRACED)
took, missed, begun = [], 0, time.monotonic()
while time.monotonic() - begun < 1.0:
    before = time.thread_time()
    missed += store.reserve(1) is None
    took.append(time.thread_time() - before)
    time.sleep(0.001)
looked = store.read().rate
os.kill(child, signal.SIGCONT)
os.waitpid(child, 0)
back = patiently(store).budget
print(json.dumps([missed == len(took), sum(took), max(took), looked, back.granted]))
"""
    all_missed, in_total, longest, looked, granted = run(path, script)

    assert all_missed
    assert longest < 0.05
    assert in_total < 0.1
    assert looked == 1e6
    assert granted == 2


def test_a_forked_child_has_a_lock_of_its_own(path):
    """
    The child inherits the parent's open file and with it the lock: its unlocking would
    let a third process into the parent's critical section.
    """
    script = """
third = FileStore(path)
store.reserve(1)
fcntl.flock(store._fd, fcntl.LOCK_EX)
child = forked(lambda: os._exit(store.reserve(1) is not None))
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
locked = third.reserve(1) is None
fcntl.flock(store._fd, fcntl.LOCK_UN)
child = forked(lambda: os._exit(store.reserve(1).budget.granted))
granted = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps([code, locked, granted, store.reserve(1).budget.granted]))
"""
    code, locked, granted, after = run(path, script)

    assert (code, locked) == (0, True)
    assert (granted, after) == (2, 3)


def test_a_child_does_not_keep_locked_what_its_dead_parent_left(path):
    """
    A pool of workers outlives the process that forked it.
    """
    script = """
def parent():
    own = FileStore(path)
    own.reserve(1)
    fcntl.flock(own._fd, fcntl.LOCK_EX)
    forked(lambda: time.sleep(2))
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(forked(parent), 0)
begun = time.monotonic()
granted = patiently(store).budget.granted
print(json.dumps([granted, time.monotonic() - begun]), flush=True)
"""
    granted, waited = run(path, script)

    assert granted == 2
    assert waited < 1.5
