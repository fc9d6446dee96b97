"""The code in the documentation runs, page by page, from its first line to its last."""

import logging
from pathlib import Path

import code_of
import orjson
import pytest

from healthyroster_async.emulator import Emulator

PAGES = sorted(page.resolve() for page in Path("docs").glob("*.md"))


@pytest.fixture
def quiet():
    """Undo what a page sets about logging."""
    logger = logging.getLogger("healthyroster_async")
    yield
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, quiet):
    """
    An example that does not work is worse than none.

    A page finds a document in its folder, variables that are set, and a pool; its blocks
    share their names, as cells of a notebook do.
    """
    emulator = Emulator(providers=50, rows=100, denied=[(43, "*")])
    (own,) = emulator.credentials.values()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEALTHYROSTER_SWAGGER", "swagger.json")
    prefix = "HEALTHYROSTER_SANDBOX_APPLICATION"
    monkeypatch.setenv(f"{prefix}_ID", own.application_id)
    monkeypatch.setenv(f"{prefix}_SECRET", own.application_secret.reveal())
    async with emulator, emulator.pool() as pool:
        (tmp_path / "swagger.json").write_bytes(orjson.dumps(emulator.swagger()))
        names = {
            "pool": pool,
            "clinic": pool.session(42),
            "contract": emulator.contract(),
            "credentials": emulator.credentials,
        }
        for block in code_of.blocks(page):
            await code_of.run(block, names, own)

        assert "closed" not in repr(pool)
