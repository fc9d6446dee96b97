"""Where an application secret is kept: a file, a command, the keyring of the system.

Each is read in a thread, whenever a pool starts and after a 401.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeAlias, TypeVar

from healthyroster_async._core.credentials import Secret
from healthyroster_async._core.errors import ConfigurationError, MissingExtraError

_T = TypeVar("_T")
# Takes the value of a setting, and the name by which errors call it.
SecretSource: TypeAlias = Callable[[str, str], Awaitable[Secret]]

COMMAND_LIMIT_S = 60.0
_MOST = 64 * 2**10
# As CreateProcess finds it: what is in quotes, or what white space ends.
_PROGRAM = re.compile(r'\s*(?:"([^"]+)"|([^\s"]+))')
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
INSTEAD = (
    "name a file (application_secret_file), a command (application_secret_command) or "
    "set HEALTHYROSTER_SANDBOX_APPLICATION_SECRET (or PRODUCTION) instead"
)


async def from_file(path: str, name: str) -> Secret:
    """Return what a file holds.

    Raises:
        ConfigurationError: It cannot be read, or others can read it too.
    """
    return await asyncio.to_thread(_read_file, path, name)


def _read_file(path: str, name: str) -> Secret:
    try:
        with Path(path).expanduser().open("rb") as file:
            exposed = _is_exposed(file.fileno())
            secret = None if exposed else _decoded(file.read(_MOST + 1))
    except (OSError, RuntimeError) as error:  # the latter: nobody's home is known
        why = getattr(error, "strerror", None) or "its folder is not known"
        raise ConfigurationError(f"{name} cannot be read: {why}") from None
    if exposed:
        raise ConfigurationError(
            f"{name} is a file that others can read too; run: chmod 600 "
            f"{shlex.quote(path)}"
        )
    return _given(secret, name)


def _is_exposed(descriptor: int) -> bool:
    if os.name != "posix":
        return False
    state = os.fstat(descriptor)
    read_only = bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)
    return is_exposed(state.st_mode, own=state.st_uid == os.geteuid(), fixed=read_only)


def is_exposed(mode: int, *, own: bool, fixed: bool) -> bool:
    """Return whether a file is open to others, and it is up to its reader to mend that.

    It is the rule of OpenSSH: what is asked for is a ``chmod``, and only the owner can
    do that. Orchestrators mount secrets that everybody in the container may read; those
    belong to root, or lie on a file system that is read-only.

    Args:
        mode: Type and permissions of the file.
        own: Whether the reader owns it.
        fixed: Whether its file system is read-only.
    """
    return own and not fixed and stat.S_ISREG(mode) and bool(mode & _OTHERS)


class _Command:
    """A command that runs in a thread, and can be ended from another one."""

    def __init__(self, arguments: str | list[str]) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> tuple[int | None, Secret | None]:
        """Return its exit code and output; the code is ``None`` if it took too long."""
        # What it says on stderr goes where ours goes, and into no text.
        with subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
            self._arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            self._process = process
            if self._stopped:
                process.kill()
            try:
                output, _ = process.communicate(timeout=COMMAND_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                return None, None
            return process.returncode, _decoded(output)

    def stop(self) -> None:
        """End it, if it still runs."""
        self._stopped = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()


async def from_command(command: str, name: str) -> Secret:
    """Return what a command writes to stdout; it is run without a shell.

    Raises:
        ConfigurationError: It cannot be run, failed or took too long.
    """
    if not program_of(command):
        raise ConfigurationError(f"{name} is no command; is a quote missing?")
    # On Windows a program gets one line, and parses it itself.
    running = _Command(command if sys.platform == "win32" else shlex.split(command))
    try:
        code, secret = await asyncio.to_thread(running.run)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it holds a zero byte"
        # No word of it: somebody may have put the secret itself there.
        raise ConfigurationError(
            f"{name} cannot be run: {why}; is the path of its program right?"
        ) from None
    finally:
        running.stop()
    if code is None:
        raise ConfigurationError(f"{name} took longer than {COMMAND_LIMIT_S:g} s")
    if code != 0:
        raise ConfigurationError(
            f"{name} ended with exit code {code}; what it wrote to stderr says why"
        )
    return _given(secret, name)


def program_of(command: str) -> str:
    """Return what a command begins with, without secrets; empty if it is none.

    There may be some in its arguments, and behind the ``=`` of a variable, which
    somebody gave who thought of a shell.
    """
    if sys.platform == "win32":
        found = _PROGRAM.match(command)
        word = "" if found is None else found[1] or found[2]
    else:
        try:
            word = next(iter(shlex.split(command)), "")
        except ValueError:
            return ""
    return word.partition("=")[0]


async def from_keyring(entry: str, name: str) -> Secret:
    """Return what the keyring of the system holds.

    Args:
        entry: Service and user name, with a slash between.
        name: What errors call it.

    Raises:
        ConfigurationError: There is no such entry, or no keyring.
        MissingExtraError: The package is not installed.
    """
    service, user = keyring_entry(entry, name)

    def get(keyring: ModuleType) -> Secret | None:
        found = keyring.get_password(service, user)
        return None if found is None else Secret(found)

    secret = await asyncio.to_thread(with_keyring, get, name)
    if secret is None:
        raise ConfigurationError(
            f"{name}: the keyring has nothing under {entry!r}; store it with "
            '"healthyroster config secret"'
        )
    return secret


def keyring_entry(entry: str, name: str) -> tuple[str, str]:
    """Return service and user name of an entry.

    Raises:
        ConfigurationError: One of them is missing.
    """
    service, _, user = entry.rpartition("/")
    if not (service and user):
        raise ConfigurationError(
            f"{name} is not service and user name with a slash between, such as "
            "healthyroster/clinic"
        )
    return service, user


def with_keyring(
    use: Callable[[ModuleType], _T], name: str, instead: str = INSTEAD
) -> _T:
    """Do something with the keyring of the system, which blocks.

    Args:
        use: What to do; its errors are taken for those of the keyring.
        name: What errors call the setting.
        instead: What else can be done, as the rest of a sentence.

    Raises:
        ConfigurationError: There is none that works, as on a machine without a desktop.
        MissingExtraError: The package is not installed.
    """
    try:
        import keyring  # noqa: PLC0415 - an extra

        return use(keyring)
    except Exception as error:  # noqa: BLE001 - backends raise what they please
        missing = isinstance(error, ImportError) and error.name == "keyring"
        kind = type(error).__name__
    if missing:
        raise MissingExtraError(
            f'{name} needs the extra "keyring": pip install '
            "'healthyroster-async[keyring]'"
        )
    raise ConfigurationError(
        f"{name}: the keyring of this system cannot be used ({kind}); {instead}"
    )


def _decoded(data: bytes) -> Secret | None:
    """Return bytes without the line end and mark that editors and commands add."""
    try:
        return Secret(data.decode("utf-8-sig").strip()) if len(data) <= _MOST else None
    except UnicodeDecodeError:
        return None


def _given(secret: Secret | None, name: str) -> Secret:
    if secret is None:
        raise ConfigurationError(f"{name} gave no secret: it is no text")
    if not secret.reveal():
        raise ConfigurationError(f"{name} gave no secret: it is empty")
    return secret


SOURCES: Mapping[str, SecretSource] = {
    "application_secret_file": from_file,
    "application_secret_command": from_command,
    "application_secret_keyring": from_keyring,
}
