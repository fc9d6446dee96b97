import json
import logging
import math
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthyroster_async._core.learned import KEPT_S, Learned, from_text, to_text
from healthyroster_async._core.settings import Limit
from healthyroster_async._core.shared import key_of
from healthyroster_async._policies.memory import Memory, state_folder

NOW = 1_800_000_000.0
KEY = key_of("sandbox", "https://api.example", "our-app-id")
BOTH = Learned(at=NOW, limit=Limit(600, 60), rate=9.8)
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "state" / "healthyroster")


@pytest.mark.parametrize(
    "learned", [BOTH, Learned(at=NOW, limit=Limit(5)), Learned(at=NOW, rate=0.25)]
)
def test_what_was_learned_is_there_in_the_next_run(memory, learned):
    """
    The second run starts where the first one ended.
    """
    memory.save(KEY, Learned(at=NOW - 5, rate=1.0))
    memory.save(KEY, learned)

    assert memory.load(KEY, NOW + 3600) == learned
    assert memory.load(key_of("production"), NOW) is None


@pytest.mark.parametrize(
    ("age", "kept"),
    [(KEPT_S - 1, True), (KEPT_S + 1, False), (-3600, True), (-2 * 86_400, False)],
)
def test_it_is_kept_for_a_week(memory, age, kept):
    """
    A vendor changes limits without telling; a wall clock may have been set back.
    """
    memory.save(KEY, BOTH)

    assert (memory.load(KEY, NOW + age) is not None) is kept


numbers = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.floats(), st.integers(),
    st.sampled_from([0, -1, 10**400, math.inf, NOW, NOW + 1e9, 5e-324]),
)  # fmt: skip
near = st.fixed_dictionaries(
    {
        "version": st.sampled_from([1, 1, 1, 2, "1", None]),
        "at": st.one_of(numbers, st.just(NOW)),
        "calls": numbers,
        "seconds": numbers,
        "rate": numbers,
    }
).map(json.dumps)


@given(text=st.one_of(near, st.text(), st.binary(), st.just(to_text(BOTH)[:-3])))
@example(text="[" * 100_000)
@example(text='{"version": 1, "at": %s, "rate": 1}' % ("9" * 5000))
@example(text='{"version": 1, "at": 1800000000.0, "rate": %s}' % ("9" * 400))
@example(text="[]")
def test_junk_is_nothing_learned(text):
    """
    Whatever the file holds, it is None or numbers that one can pace by.
    """
    learned = from_text(text, NOW)

    if learned is not None:
        assert learned.limit is not None or learned.rate is not None
        rates = [learned.rate, learned.limit and learned.limit.seconds]
        assert all(0 < rate < math.inf for rate in rates if rate is not None)
        assert from_text(to_text(learned), NOW) == learned


def test_what_another_version_wrote_is_nothing_learned():
    """
    Its numbers may mean something else.
    """
    assert from_text(to_text(BOTH).replace('"version": 1', '"version": 2'), NOW) is None


@posix
def test_the_file_is_for_its_owner_only_and_nothing_else_is_left(memory):
    """
    Homes are shared and backed up: no id, no secret, no rest of a write.
    """
    memory.save(KEY, BOTH)
    memory.save(KEY, BOTH)

    (file,) = memory.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "our-app-id" not in file.name + file.read_text()
    assert set(json.loads(file.read_text())) == {
        "version", "at", "calls", "seconds", "rate",
    }  # fmt: skip


def folder_is_a_file(folder):
    folder.parent.mkdir()
    folder.touch()


def file_is_a_folder(folder):
    (folder / f"{KEY}.json" / "sub").mkdir(parents=True)


def parent_is_a_file(folder):
    folder.parent.touch()


@pytest.mark.parametrize(
    "breaks", [folder_is_a_file, file_is_a_folder, parent_is_a_file]
)
def test_what_cannot_be_kept_is_not_an_error(memory, tmp_path, caplog, breaks):
    """
    A read-only container pulls as well as any; the log holds no path of people.
    """
    breaks(memory.folder)

    with caplog.at_level(logging.DEBUG):
        memory.save(KEY, BOTH)
        assert memory.load(KEY, NOW) is None
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    for record in caplog.records:
        assert f"{record.what} ({record.error})" in record.getMessage()
    assert str(tmp_path) not in caplog.text
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_memory_without_a_folder_forgets():
    """
    A container's user may have no home.
    """
    memory = Memory(None)
    memory.save(KEY, BOTH)

    assert memory.load(KEY, NOW) is None


@posix
def test_state_lies_where_the_user_keeps_it(tmp_path, monkeypatch):
    """
    The XDG Base Directory Specification names the place; relative paths are ignored.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    default = tmp_path / ".local" / "state" / "healthyroster"

    assert state_folder({"XDG_STATE_HOME": "/var/s"}) == Path("/var/s/healthyroster")
    assert state_folder({"XDG_STATE_HOME": "s"}) == default
    assert state_folder({}) == default

    def homeless():
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    assert state_folder({}) is None


def test_on_windows_state_lies_in_the_local_application_data(tmp_path, monkeypatch):
    """
    It belongs to the machine: a roaming profile would carry it to another one.
    """
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert state_folder({"LOCALAPPDATA": os.sep}) == Path(os.sep) / "healthyroster"
    assert state_folder({}).parts[-3:] == ("AppData", "Local", "healthyroster")
