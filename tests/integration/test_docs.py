"""The code in the documentation runs, page by page, from its first line to its last."""

import asyncio
import importlib
import logging
import shlex
import subprocess
import sys
from pathlib import Path

import code_of
import duckdb  # noqa: F401 - importing it in a page would read files on the loop
import polars as pl  # noqa: F401 - the same
import pytest

from healthyroster_async.emulator import Emulator

FILES = sorted(Path("docs").glob("*.md"))
PAGES = {page.stem: code_of.blocks(page) for page in FILES}
COMMANDS = {page.stem: code_of.blocks(page, "sh") for page in FILES}


def shell(command):
    """Run our command as a page gives it."""
    name, *arguments = shlex.split(command)
    assert name == "healthyroster"
    run = [sys.executable, "-m", "healthyroster_async", *arguments]
    subprocess.run(run, check=True, capture_output=True, timeout=60)
    importlib.invalidate_caches()


@pytest.fixture
def emulator(tmp_path, monkeypatch):
    """Make an emulator, and a folder and variables in which a page finds it."""
    emulator = Emulator(providers=50, rows=100, denied=[(43, "*")])
    (own,) = emulator.credentials.values()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HEALTHYROSTER_SWAGGER", "swagger.json")
    prefix = "HEALTHYROSTER_SANDBOX_APPLICATION"
    monkeypatch.setenv(f"{prefix}_ID", own.application_id)
    monkeypatch.setenv(f"{prefix}_SECRET", own.application_secret.reveal())
    yield emulator
    for name in [n for n in sys.modules if n.partition(".")[0] == "clinic_api"]:
        del sys.modules[name]
    logging.getLogger("healthyroster_async").setLevel(logging.NOTSET)


@pytest.mark.parametrize("page", PAGES)
async def test_the_code_of_a_page_runs(page, emulator):
    """
    An example that does not work is worse than none.

    A page finds a pool and a few names; its blocks share them, as cells of a notebook.
    """
    (own,) = emulator.credentials.values()
    async with emulator, emulator.pool() as pool:
        await code_of.write_document(emulator)
        names = {
            "pool": pool,
            "clinic": pool.session(42),
            "contract": emulator.contract(),
            "credentials": emulator.credentials,
        }
        for command in COMMANDS[page]:
            await asyncio.to_thread(shell, command)
        for block in PAGES[page]:
            await code_of.run(block, names, own)

        assert "closed" not in repr(pool)
