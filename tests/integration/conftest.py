import errno
import os
import stat

import pytest


@pytest.fixture
def anyio_backend():
    """Real sockets, and asyncio's own checks."""
    return "asyncio", {"debug": True}


@pytest.fixture
def syncs_as_windows(monkeypatch):
    """Sync only what was opened to be written."""
    fcntl = pytest.importorskip("fcntl")
    own = os.fsync

    def sync(number):
        mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
        if mode == os.O_RDONLY and not stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        own(number)

    monkeypatch.setattr(os, "fsync", sync)
