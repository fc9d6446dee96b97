"""Secrets from files, commands and the keyring, with real ones of each."""

import asyncio
import os
import shlex
import sys
import time

import keyring
import pytest
from fakes import read
from keyring.backends import fail
from own_keyring import OwnKeyring

from healthyroster_async import (
    ConfigurationError,
    ConnectionPool,
    Credentials,
    Environment,
    MissingExtraError,
)
from healthyroster_async._secrets import is_exposed
from healthyroster_async.emulator import Emulator

SECRET = "s3cr3t-of-the-sandbox"
PREFIX = "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET"
VARIABLES = {
    "HEALTHYROSTER_SANDBOX_APPLICATION_ID": "app-1",
    "HEALTHYROSTER_SANDBOX_BASE_URL": "https://sandbox.test",
    "HEALTHYROSTER_APPLICATION_ID_HEADER": "X-Id",
    "HEALTHYROSTER_APPLICATION_SECRET_HEADER": "X-Secret",
}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")


def fetched(**secret):
    """Return the credentials that a setting leads to."""
    variables = {f"{PREFIX}_{kind.upper()}": value for kind, value in secret.items()}
    source = read(VARIABLES | variables).credentials[Environment.SANDBOX]
    return asyncio.run(source())


def told(**secret):
    """Return the text of the error that a setting leads to."""
    with pytest.raises(ConfigurationError) as caught:
        fetched(**secret)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def python(code):
    return shlex.join([sys.executable, "-c", code])


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def own_keyring():
    before = keyring.get_keyring()
    keyring.set_keyring(OwnKeyring())
    yield keyring.get_keyring()
    keyring.set_keyring(before)


def test_a_file_ends_with_a_line_end(file):
    """
    Editors and orchestrators add one, and no secret has one.
    """
    assert fetched(file=str(file)) == Credentials("app-1", SECRET)


def test_a_file_may_begin_with_a_byte_order_mark(file):
    """
    Notepad and PowerShell write one.
    """
    file.write_text(f"{SECRET}\n", encoding="utf-8-sig")

    assert fetched(file=str(file)).application_secret.reveal() == SECRET


def test_a_file_may_stand_in_the_home_of_the_user(file, monkeypatch):
    """
    A profile that several people share cannot name the home of one.
    """
    monkeypatch.setenv("HOME", str(file.parent))

    assert fetched(file="~/secret").application_secret.reveal() == SECRET


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_open_is_refused(file, mode):
    """
    It takes one line to mend that, and the line is told.
    """
    file.chmod(mode)

    assert told(file=str(file)).endswith(f"run: chmod 600 {file}")


@pytest.mark.parametrize(
    ("mode", "own", "fixed", "exposed"),
    [
        (0o100600, True, False, False),
        (0o100400, True, False, False),
        (0o100644, True, False, True),
        (0o100444, False, False, False),  # root's, as in a container of another user
        (0o100444, True, True, False),  # mounted read-only, and the user is root
        (0o010644, True, False, False),  # a pipe holds nothing for anybody else
    ],
)
def test_only_what_its_reader_can_mend_is_refused(mode, own, fixed, exposed):
    """
    Who mounts secrets for a container decides who can read them; nobody inside can.
    """
    assert is_exposed(mode, own=own, fixed=fixed) is exposed


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"\xff\xfe", "it is no text"),
        (b"x" * 70_000, "it is no text"),
        (SECRET.encode() + b"\nsecond line", "cannot stand in a header field"),
    ],
)
def test_a_file_that_holds_no_secret_is_told_by_the_name_of_its_setting(
    file, content, sentence
):
    """
    Who reads it knows the setting; what the file holds may be a part of a secret.
    """
    file.write_bytes(content)
    text = told(file=str(file))

    assert text.startswith(f"{PREFIX}_FILE")
    assert text.endswith(sentence)


def test_a_file_that_is_not_there_is_told(tmp_path):
    """
    It is what happens on the next machine.
    """
    assert "cannot be read: No such file" in told(file=str(tmp_path / "none"))


def test_a_command_prints_the_secret():
    """
    So git and aws ask password managers, and no shell has to quote anything.
    """
    code = f"import sys; print(sys.argv[1:] == ['$HOME; x'] and {SECRET!r})"
    command = f"{python(code)} '$HOME; x'"

    assert fetched(command=command).application_secret.reveal() == SECRET


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("/no/such/command", "cannot be run: No such file"),
        ("'half a quote", "no command; is a quote missing?"),
        (python("raise SystemExit(3)"), "ended with exit code 3"),
        (python(f"print({SECRET!r}); raise SystemExit(1)"), "ended with exit code 1"),
        (python("pass"), "it is empty"),
        (python(f"print({SECRET!r}); print(2)"), "cannot stand in a header field"),
    ],
)
def test_a_command_that_fails_is_told_without_its_output(command, sentence):
    """
    What it printed before it failed may be the secret.
    """
    assert sentence in told(command=command)


@pytest.mark.parametrize("platform", ["linux", "win32"])
@pytest.mark.parametrize(
    "command", [SECRET, f"no-such-program --password {SECRET}", f"A={SECRET} program"]
)
def test_a_program_that_is_not_there_is_not_named(platform, command, monkeypatch):
    """
    Who mistakes the variable for that of the secret would find the secret in a log.
    """
    monkeypatch.setattr(sys, "platform", platform)

    assert "is the path of its program right" in told(command=command)
    assert "no command" in told(command='"')


@posix
def test_on_windows_a_command_is_passed_on_as_it_is(tmp_path, monkeypatch):
    """
    A backslash is a part of a path there, and each program has quotes of its own.
    """
    monkeypatch.setattr(sys, "platform", "win32")
    # Elsewhere a command in one piece is the name of a program.
    program = tmp_path / rf"op\op.exe --vault '{SECRET}"
    program.write_text(f"#!/bin/sh\necho {SECRET}\n")
    program.chmod(0o700)

    assert fetched(command=str(program)).application_secret.reveal() == SECRET


def test_what_a_command_says_on_stderr_reaches_the_terminal(capfd):
    """
    "The vault is locked" is for the person, and in no error that is sent elsewhere.
    """
    code = f"import sys; sys.exit({SECRET!r})"
    text = told(command=python(code))

    assert "what it wrote to stderr says why" in text
    assert capfd.readouterr().err == f"{SECRET}\n"


def test_a_command_that_hangs_is_ended(monkeypatch):
    """
    A password manager that waits for a person must not keep a server waiting.
    """
    monkeypatch.setattr("healthyroster_async._secrets.COMMAND_LIMIT_S", 0.2)
    text = told(command=python("import time; time.sleep(60)"))

    assert text.endswith("took longer than 0.2 s")


def test_a_command_ends_with_whoever_waits_for_it():
    """
    Ctrl-C leaves at once, and leaves no process behind.
    """
    command = python("import time; time.sleep(60)")
    variables = VARIABLES | {f"{PREFIX}_COMMAND": command}
    source = read(variables).credentials[Environment.SANDBOX]

    async def main():
        async with asyncio.timeout(0.3):
            await source()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert time.monotonic() - began < 10


def test_the_keyring_holds_the_secret(own_keyring):
    """
    The one place on a desktop that is locked when its user is away.
    """
    own_keyring.set_password("a/service", "clinic", SECRET)

    assert fetched(keyring="a/service/clinic") == Credentials("app-1", SECRET)
    assert "nothing under 'a/service/none'" in told(keyring="a/service/none")
    assert "a slash between" in told(keyring="clinic")


def test_without_a_desktop_the_alternatives_are_named():
    """
    Servers have no keyring, and its error is a page of advice for desktops.
    """
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        text = told(keyring="service/clinic")
    finally:
        keyring.set_keyring(before)

    assert "cannot be used (NoKeyringError)" in text
    assert "application_secret_file" in text


def test_without_the_package_its_extra_is_named(monkeypatch):
    """
    The core has five packages, and the keyring is none of them.
    """
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(MissingExtraError, match=r"healthyroster-async\[keyring\]"):
        fetched(keyring="service/clinic")


async def test_a_file_is_read_again_when_its_secret_is_refused(file, monkeypatch):
    """
    Orchestrators replace mounted secrets under a running process.
    """
    async with Emulator() as emulator:
        (own,) = emulator.credentials.values()
        await asyncio.to_thread(file.write_text, own.application_secret.reveal())
        for name, value in (
            ("HEALTHYROSTER_SANDBOX_APPLICATION_ID", own.application_id),
            (f"{PREFIX}_FILE", str(file)),
            ("HEALTHYROSTER_SWAGGER", emulator.swagger_url),
        ):
            monkeypatch.setenv(name, value)
        made = await asyncio.to_thread(ConnectionPool.from_environment)
        async with made as pool:
            await pool.session(1).reporting.data_sources()
            secret = emulator.rotate().application_secret.reveal()
            await asyncio.to_thread(file.write_text, secret)

            assert await pool.session(1).reporting.data_sources()
        assert emulator.seen.by_status[401] == 1
