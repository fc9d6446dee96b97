"""Files that are there whole, or as they were."""

import errno
import os

import pytest

from healthyroster_async._core.files import whole_file, write_whole


def test_a_file_has_its_name_when_it_is_whole(tmp_path):
    """
    Who reads it meanwhile has the one before.
    """
    path = tmp_path / "x"
    write_whole(path, b"before")
    path.chmod(0o640)
    with whole_file(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"after", 0o640)
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"half" * (1 // 0))
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_a_private_one_is_for_its_owner_whatever_was_there(tmp_path):
    path = tmp_path / "x"
    path.touch(0o644)
    write_whole(path, b"secret", private=True)

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_mounted_by_itself_is_written_in_its_place(
    tmp_path, monkeypatch
):
    """
    So it is in a container that was given one file: nothing takes its name there.
    """
    path = tmp_path / "x"
    path.write_bytes(b"before")
    place = path.stat().st_ino

    def busy(source, target, **_):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), source, None, target)

    monkeypatch.setattr(os, "replace", busy)
    write_whole(path, b"after")

    assert (path.read_bytes(), path.stat().st_ino) == (b"after", place)
    assert [one.name for one in tmp_path.iterdir()] == ["x"]
