"""The README's code runs as it stands, and what it lists is all there is."""

import asyncio
import inspect
import logging
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import code_of
import orjson
import pytest
from fakes import read

from healthyroster_async import (
    ConnectionPool,
    Environment,
    _policies,
    _profiles,
)
from healthyroster_async.emulator import Emulator

README = Path("README.md").read_text(encoding="utf-8")
EXAMPLE, NOTEBOOK, TEST = code_of.blocks("README.md")
DOCUMENT = {
    "openapi": "3.0.4",
    "servers": [{"url": "https://sandbox.example.com"}],
    "components": {
        "securitySchemes": {
            "Id": {"type": "apiKey", "in": "header", "name": "X-Id"},
            "Secret": {"type": "apiKey", "in": "header", "name": "X-Secret"},
        }
    },
}
(PROFILE,) = code_of.blocks("README.md", "toml")


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
        await code_of.write_document(emulator)
        await code_of.run(EXAMPLE, {}, own)

        assert sum(emulator.seen.rows_sent.values()) == 9 * 20
    printed = capsys.readouterr().out

    assert "Patients" in printed
    assert "43: ForbiddenError" in printed


async def test_a_notebook_starts_and_closes_a_pool(folder, monkeypatch):
    """
    Cells have no block to put around them.
    """
    async with Emulator(providers=50) as emulator:
        (own,) = emulator.credentials.values()
        await code_of.write_document(emulator)
        monkeypatch.setenv("HEALTHYROSTER_SWAGGER", "swagger.json")
        prefix = "HEALTHYROSTER_SANDBOX_APPLICATION"
        monkeypatch.setenv(f"{prefix}_ID", own.application_id)
        monkeypatch.setenv(f"{prefix}_SECRET", own.application_secret.reveal())
        names = {"ConnectionPool": ConnectionPool}
        await code_of.run(NOTEBOOK, names)

    assert len(names["sources"]) >= 9
    assert "closed" in repr(names["pool"])


async def test_the_test_of_a_user_passes():
    """
    The emulator is for the tests of users too.
    """
    names = {}
    await code_of.run(TEST, names)
    async with Emulator(providers=1) as emulator:
        await names["test_my_report"](emulator.pool())


def test_the_profile_is_one(folder):
    """
    Who copies it changes the values, and nothing else.
    """
    (folder / "swagger.json").write_bytes(orjson.dumps(DOCUMENT))
    profiles = _profiles.profile_file({"XDG_CONFIG_HOME": str(folder)})
    profiles.parent.mkdir()
    secret = folder / "secret"
    secret.write_text("s3cr3t\n")
    secret.chmod(0o600)
    text = re.sub(r'"/etc/[^"]*', f'"{(folder / "swagger.json").as_posix()}', PROFILE)
    profiles.write_text(re.sub(r'"/run/[^"]*', f'"{secret.as_posix()}', text))
    found = read({"XDG_CONFIG_HOME": str(folder)}, profile="clinic")

    assert found.environment is Environment.SANDBOX
    credentials = asyncio.run(found.credentials[Environment.SANDBOX]())
    assert credentials.application_id == "app-id"
    assert credentials.application_secret.reveal() == "s3cr3t"


def test_every_variable_is_named_and_no_other():
    """
    A setting that nobody is told of does not exist.
    """
    each = [f"{e.value}_{k}" for e in Environment for k in _profiles.EACH]
    known = {
        f"HEALTHYROSTER_{k.upper()}" for k in (*_profiles.SHARED, *each, "profile")
    }

    told = inspect.getdoc(ConnectionPool.from_environment)

    assert set(re.findall(r"HEALTHYROSTER_[A-Z_]*[A-Z]", README)) == known
    for name in known:
        if "PRODUCTION" not in name:
            assert f"{name.removeprefix('HEALTHYROSTER')}`" in told


def test_every_logger_is_named_and_no_other():
    """
    Who operates the pool filters by the names, so they are a promise.
    """
    modules = pkgutil.iter_modules(_policies.__path__, f"{_policies.__name__}.")
    names = [*(m.name for m in modules), "healthyroster_async.pull._job"]
    loggers = {getattr(import_module(name), "_logger", None) for name in names} - {None}
    named = re.findall(r"`(healthyroster_async\.[a-z]+)` \| [a-z]+ \|", README)

    assert sorted(logger.name for logger in loggers) == sorted(set(named))
    assert all(logging.getLogger(name) in loggers for name in named)
