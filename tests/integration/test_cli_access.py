"""``healthyroster access`` as a process: what it writes where, and how it ends."""

import asyncio
import csv
import io
import json
import os
import pty
import sys

import pytest
from children import variables

from healthyroster_async.emulator import Emulator, Fault

COMMAND = [sys.executable, "-m", "healthyroster_async", "access"]
ALL = [str(number) for number in range(1, 21)] + [
    f"--operation={name}" for name in ("data_sources", "data_source", "rows")
]


@pytest.fixture
async def emulator():
    denied = [(3, "*"), (4, "*"), (5, "*"), ("*", "rows")]
    async with Emulator(providers=20, rows=5, denied=denied) as emulator:
        yield emulator


async def access(emulator, *arguments, stdin=None, **more):
    """Run the command, and return its exit code, output and messages."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables(emulator) | more,
    )
    given = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = await process.communicate(given)
    return process.returncode, out.decode(), err.decode()


async def on_terminal(emulator, *arguments):
    """Run the command on a terminal, and return its exit code and what was shown."""
    controller, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdin=terminal, stdout=terminal, stderr=terminal,
        env=variables(emulator),
    )  # fmt: skip
    os.close(terminal)
    seen = b""

    def read():
        nonlocal seen
        try:
            seen += os.read(controller, 65536)
        except OSError:
            loop.remove_reader(controller)

    os.set_blocking(controller, False)
    loop = asyncio.get_running_loop()
    loop.add_reader(controller, read)
    code = await process.wait()
    await asyncio.sleep(0.1)
    loop.remove_reader(controller)
    os.close(controller)
    return code, seen.decode()


TABLE = """\
Access in sandbox: 20 providers x 3 endpoints
34 granted, 26 denied, 0 unknown
26 asked, 0 known before, 34 inferred

Providers not granted (3 of 20)
  3-5

Endpoints not authorized (1 of 3)
  rows  POST /HealthcareProvider/{id}/Reporting/Datasources/{datasourceid}/Data

Provider   data_sources  data_source  rows
1, 2, 6-20 granted       granted      denied
3-5        denied        denied       denied
"""


async def test_a_person_sees_what_is_missing(emulator):
    """
    It is what is asked for first when a pull was denied.
    """
    code, out, err = await access(emulator, *ALL)

    assert code == 3
    assert " ".join(out.split()) == " ".join(TABLE.split())
    assert "--letter" in err
    assert "\x1b" not in out + err


async def test_what_was_asked_for_is_written_and_nothing_else(emulator):
    """
    It is piped into a file, a mail or another program.
    """
    _, document, silent = await access(emulator, *ALL, "--json")
    _, lines, quiet = await access(emulator, *ALL, "--csv", "--full")
    code, letter, still = await access(emulator, *ALL, "--letter")

    assert (silent, quiet, still) == ("", "", "")
    assert json.loads(document)["missing_providers"] == ["3", "4", "5"]
    rows = list(csv.DictReader(io.StringIO(lines)))
    assert len(rows) == 60
    assert {row["basis"] for row in rows} == {"asked"}
    assert letter.startswith("To: help@healthyroster.com\n")
    assert "\n  3, 4, 5\n" in letter
    assert code == 3


@pytest.mark.parametrize("form", ["--csv", "--letter"])
async def test_a_program_gets_utf8_whatever_the_locale(emulator, form):
    """
    A file of a machine with Windows is read on another one.
    """
    asked = ("klinik-ł", "3", "--operation=data_sources")
    _, written, told = await access(emulator, *asked, form, PYTHONIOENCODING="ascii")

    assert told == ""
    assert "klinik-ł" in written


async def test_a_locale_that_is_not_utf8_is_said(emulator):
    """
    The id is in order; what the terminal was told of its language is not.
    """
    elsewhere = {"LC_ALL": "C", "PYTHONUTF8": "0"}
    code, _, told = await access(emulator, "klinik-ł", **elsewhere)

    assert code == 2
    assert "the locale is not UTF-8" in told
    assert "PYTHONUTF8=1" in told
    assert "control character" not in told


async def test_ids_are_read_from_stdin_where_none_are_given(emulator):
    """
    300 ids come from a file, in which somebody says whose they are.
    """
    listed = "# the clinics\n1\n2 3 # but not 4\n#5\n"
    code, out, _ = await access(emulator, "--json", stdin=listed)
    empty, nothing, why = await access(emulator, stdin=" ")
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    wrong, _, told = await access(emulator, stdin=b"\xff\xfe1\0", **strict)

    assert json.loads(out)["providers"] == ["1", "2", "3"]
    assert code == 3
    assert (empty, nothing) == (2, "")
    assert "give ids of Healthcare Providers" in why
    assert wrong == 2  # PowerShell's > writes UTF-16
    assert "stdin is not in UTF-8" in told


async def test_the_exit_code_says_if_anything_is_missing_or_unknown(emulator):
    """
    A deployment asks this before it goes on.
    """
    well, _, hint = await access(emulator, "1", "--operation", "data_sources")
    none, letter, told = await access(
        emulator, "1", "--operation", "data_sources", "--letter"
    )
    unknown, out, _ = await access(emulator, "99", "--operation", "data_sources")
    *_, half = await access(emulator, "99", "--operation", "data_sources", "--letter")
    asked = ("--operation", "data_sources", "--operation", "get_appointment")
    unasked, shown, _ = await access(emulator, "1", *asked)
    wrong, _, why = await access(emulator, "1", "--operation", "data_sorces")
    both, _, which = await access(emulator, "1", "--json", "--csv")
    emulator.outage = Fault(kind="status", status=401)
    refused, _, _ = await access(emulator, "1")

    assert (well, hint) == (0, "")
    assert (none, letter) == (0, "")
    assert "missing, so there is nothing to ask for" in told
    assert "missing as far as is known; 1 could not be found out" in half
    assert unknown == 1
    assert unasked == 0
    assert "no appointmentId is known" in shown
    assert "data_sources, answered 404: 99" in out
    assert wrong == 2
    assert "did you mean data_sources" in why
    assert both == 2
    assert "one of --json, --csv and --letter" in which
    assert refused == 3


async def test_a_terminal_shows_progress_and_colours_and_takes_the_bar_away(emulator):
    """
    A finished bar is in the way, and red is seen first.
    """
    emulator.latency = 0.1
    code, seen = await on_terminal(emulator, *ALL)
    nobody, hint = await on_terminal(emulator)

    assert code == 3
    assert "Asking" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1
    after = seen.rpartition("\x1b[?25h")[2]
    assert "\x1b[1mProviders not granted" in after
    assert "\x1b[31mdenied" in after
    assert nobody == 2
    assert "give ids of Healthcare Providers" in hint
