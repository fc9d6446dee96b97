"""What every test can rely on."""

import asyncio.constants
import os
import pkgutil
import signal
import traceback
from contextlib import suppress
from importlib import import_module

import coverage

# pyarrow imports it when it first looks at a Python value, and reads files then: not in
# a test that runs on a loop.
import pandas  # noqa: ICN001, F401
import pytest
from blockbuster import blockbuster_ctx

# A shell lets its background jobs ignore Ctrl-C, and children inherit that. A handler
# is not inherited, so the commands that tests start begin with the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)
# No test asks a host of the world, and to read whom the world trusts takes each of many
# processes a twentieth of a second.
os.environ["SSL_CERT_FILE"] = os.devnull
# On some systems the group may write what a user makes; a profile file may not be so.
os.umask(0o022)


# Tests run in asyncio's debug mode, in which it and aiohttp note where each callback
# and each request was made. Nobody reads that, and a tenth to half of the time of many
# a test went there; what the mode finds out it finds all the same.
asyncio.constants.DEBUG_STACK_DEPTH = 0
# In place: the C futures took hold of the function when asyncio was imported.
traceback.extract_stack.__defaults__ = (None, 0)


# Collecting takes twice its time, and more, where coverage watches it, in each of many
# processes; of the package it only sees what importing it runs.
WATCHED = coverage.Coverage.current()
if WATCHED is not None:
    import healthyroster_async

    for module in pkgutil.walk_packages(
        healthyroster_async.__path__, "healthyroster_async."
    ):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):  # of an extra that is not there
                import_module(module.name)
    WATCHED.stop()


def pytest_collection_finish():
    """Watch the tests."""
    if WATCHED is not None:
        WATCHED.start()


@pytest.fixture(scope="session", autouse=True)
def nothing_blocks():
    """Let a call that blocks the event loop fail the test that makes it."""
    with blockbuster_ctx() as calls:
        # /proc is memory and no disk, and must be read while the loop runs. A document
        # that is a file is read where it is asked for, as scripts and notebooks do.
        for call, file, function in (
            ("io.BufferedReader.read", "_core/loading.py", "_read"),
            ("io.TextIOWrapper.read", "test_emulator_server.py", "resident_bytes"),
            ("os.listdir", "test_pool.py", "open_files"),
            ("os.scandir", "test_pool.py", "open_files"),
        ):
            calls.functions[call].can_block_in(file, function)
        # Coverage takes a lock of its own wherever the loop happens to be.
        measured = coverage.Coverage.current()
        own = measured and measured._collector.data_lock
        acquire = calls.functions["threading.Lock.acquire"]
        fits = acquire.can_block_predicate
        acquire.deactivate()
        acquire.can_block_predicate = lambda lock, *a, **k: (
            lock is own or fits(lock, *a, **k)
        )
        acquire.activate()
        yield calls


@pytest.fixture(autouse=True)
def unmeasured(request):
    """Let coverage look away where the same lines run many times.

    Being measured takes such tests twice their time, or more.
    """
    measured = coverage.Coverage.current()
    many = request.path.parent.name == "property"
    if measured is None or not (many or request.node.get_closest_marker("unmeasured")):
        yield
        return
    measured.stop()
    yield
    measured.start()


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    """Let no test learn from another one, nor share its budget."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder))
