"""The README's code runs as it stands."""

import asyncio
import re
from pathlib import Path

import orjson
import pytest

from healthyroster_async.emulator import Emulator

BLOCKS = re.findall(
    r"```python\n(.*?)```", Path("README.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_example_prints_what_it_promises(folder, capsys):
    """
    It is the first thing that is tried; only the credentials are filled in.
    """
    async with Emulator(providers=50, rows=20, denied=[(43, "*")]) as emulator:
        (own,) = emulator.credentials.values()
        document = orjson.dumps(emulator.swagger())
        await asyncio.to_thread((folder / "swagger.json").write_bytes, document)
        code = BLOCKS[0].replace('"app-id"', repr(own.application_id))
        code = code.replace('"app-secret"', repr(own.application_secret.reveal()))
        await asyncio.to_thread(exec, compile(code, "README.md", "exec"), {})

        assert sum(emulator.seen.rows_sent.values()) == 9 * 20
    printed = capsys.readouterr().out

    assert "Patients" in printed
    assert "43: ForbiddenError" in printed


async def test_the_test_of_a_user_passes():
    """
    The emulator is for the tests of users too.
    """
    names = {}
    exec(compile(BLOCKS[1], "README.md", "exec"), names)
    await names["test_my_report"]()
