"""``healthyroster pull`` as a process: what it writes where, and how it ends."""

import asyncio
import json
import os
import pty
import signal
import sys
import time

import pytest
from children import variables

from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.pull._destination import Destination

COMMAND = [sys.executable, "-m", "healthyroster_async", "pull"]
DATES = ["--since", "2025-01-01", "--until", "2025-04-01"]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Run the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)


async def start(emulator, *arguments):
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables(emulator),
    )


async def pull(emulator, *arguments, stdin=None):
    """Run the command, and return its exit code, output and messages."""
    process = await start(emulator, *arguments)
    out, err = await process.communicate(stdin)
    assert b"Traceback" not in out + err
    return process.returncode, out.decode(), err.decode()


def contents(folder):
    """Return the files of a folder, and what is in them; SQLite's own aside."""
    return {
        file.relative_to(folder): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in {".sqlite-wal", ".sqlite-shm"}
    }


async def test_a_refused_secret_is_said_once_and_ends_it(tmp_path):
    """
    A line for each of a thousand providers would hide it, and 3 means no access.
    """
    async with Emulator(providers=300, latency=0.05) as emulator:
        environ = variables(emulator)
        emulator.rotate()
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            tmp_path / "lake",
            *map(str, range(1, 301)),
            stderr=asyncio.subprocess.PIPE,
            env=environ,
        )
        _, err = await process.communicate()

    assert process.returncode == 3
    assert emulator.seen.requests == 1
    assert err.decode().count("refused the application id or secret") == 1


async def test_a_wrong_name_is_answered_with_those_that_there_are(tmp_path):
    """
    Whoever mistyped it need not ask another command.
    """
    async with Emulator(providers=1) as emulator:
        code, _, err = await pull(emulator, tmp_path / "lake", 1, "--source=Teems")

    assert code == 2
    assert "Teems: no provider has a data source of this name or id; there are " in err
    assert "Teams" in err


async def test_it_pulls_and_says_what_came(tmp_path):
    """
    What a person reads in the morning; ids may come from a file.
    """
    async with Emulator(providers=2, rows=100) as emulator:
        code, out, err = await pull(
            emulator, tmp_path / "lake", *DATES, "--source=Teams", stdin=b"1\n2\n"
        )
        again = await pull(
            emulator, tmp_path / "lake", 1, *DATES, "--source=Teams", "--json"
        )

    assert (code, err) == (0, "")
    assert "Teams" in out
    assert "6 of 6 partitions of sandbox came: " in out
    assert again[0] == 0
    assert json.loads(again[1])["partitions"] == 3


async def test_a_dry_run_asks_for_no_row_and_makes_no_folder(tmp_path):
    """
    Somebody else's budget of calls is known before it is spent.
    """
    async with Emulator(providers=2, rows=100) as emulator:
        code, out, _ = await pull(
            emulator, tmp_path / "lake", 1, 2, *DATES, "--dry-run"
        )
        asked = emulator.seen.by_endpoint["rows"]

    assert code == 0
    assert "54 partitions of sandbox: about 65 calls" in out
    assert asked == 0
    assert not await asyncio.to_thread((tmp_path / "lake").exists)


async def test_a_dry_run_knows_what_is_there_and_changes_nothing(tmp_path):
    """
    A nightly job is looked at before it runs, and refused where it would be.
    """
    lake = tmp_path / "lake"
    asked = ("--since=2026-01-01", "--until=2026-04-01", "--source=Teams")
    async with Emulator(providers=2, rows=100) as emulator:
        await pull(emulator, lake, 1, *asked)
        before = await asyncio.to_thread(contents, lake)
        emulator.seen.clear()
        more = await pull(emulator, lake, 1, 2, *asked, "--dry-run")
        last = "--since=last", "--until=2026-05-01", "--source=Teams"
        newer = await pull(emulator, lake, 1, *last, "--overlap=7", "--dry-run")
        wrong = await pull(emulator, lake, 1, *asked, "--format=csv", "--dry-run")
        file = lake / "_healthyroster" / "summary.json"
        no_folder = await pull(emulator, file, 1, *asked, "--dry-run")
        new = await pull(emulator, tmp_path / "new", 1, *last, "--dry-run")
        rows = emulator.seen.by_endpoint["rows"]
        after = await asyncio.to_thread(contents, lake)

    assert "6 partitions of sandbox: about 9 calls" in more[1]
    assert "2 partitions of sandbox: about 4 calls" in newer[1]
    assert (wrong[0], no_folder[0], new[0]) == (2, 1, 2)
    assert "files of another format (parquet, not csv)" in wrong[2]
    assert "cannot be written: Not a directory" in no_folder[2]
    assert "no run with dates to go on from" in new[2]
    assert rows == 0
    assert after == before


async def test_a_dry_run_of_a_pull_that_was_killed_counts_what_is_left(tmp_path):
    """
    It is what one asks oneself then.
    """
    asked = ("--since=2026-01-01", "--until=2026-04-01", "--source=Teams")
    broken = Fault(kind="status", status=400, endpoint="rows", provider=2)
    async with Emulator(providers=2, rows=100, faults=[broken]) as emulator:
        first = await pull(emulator, tmp_path, 1, 2, *asked)
        left = await pull(emulator, tmp_path, 1, 2, *asked, "--dry-run")

    assert first[0] == 1
    assert "6 partitions of sandbox, 3 are there: about 6 calls" in left[1]


async def test_what_is_denied_and_what_failed_decide_the_exit_code(tmp_path):
    """
    A scheduler reads nothing else.
    """
    broken = Fault(kind="status", status=400, endpoint="rows", provider=2)
    async with Emulator(providers=3, rows=9, denied=[(3, "*")]) as emulator:
        code, _, err = await pull(
            emulator, tmp_path / "a", 1, 3, *DATES, "--source=Teams"
        )

        assert code == 3
        assert "denied: provider 3: the list of data sources" in err
    async with Emulator(providers=2, rows=9, faults=[broken]) as emulator:
        code, _, err = await pull(
            emulator, tmp_path / "b", 1, 2, *DATES, "--source=Teams"
        )

        assert code == 1
        assert "error: provider 2, Teams, 2025-01: " in err
        assert "the same command asks only for what is missing." in err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["lake", "1", "--since", "yesterday"], 2, "give a date such as"),
        (["lake", "1", "--since", "last"], 2, "give --first, the date"),
        (["lake", "1", "--until", "2026-01-01"], 2, "need --since, the first date"),
        (["lake", "1", "--first", "2026-01-01"], 2, "--first is only for --since last"),
        (["", "1"], 2, "the destination is empty"),
        (["/dev/null/lake", "1"], 1, "the destination cannot be written"),
        (["lake", "1", "--window", "hour"], 2, "hour"),
        (["lake", "1", "--overlap", "7"], 2, "--overlap is only for --since last"),
        (["nonsense://secret@place", "1"], 2, "no place that begins"),
        (["s3://secret@place", "1"], 2, "Install s3fs"),
        (["lake", "1", "--report", "/none/x.html"], 2, "x.html cannot be written"),
    ],
)
@pytest.mark.usefixtures("elsewhere")
async def test_wrong_use_is_said_in_a_line(arguments, code, text):
    """
    A traceback is for whoever wrote the program.
    """
    async with Emulator(providers=1, rows=1) as emulator:
        ended, out, err = await pull(emulator, *arguments)

    assert ended == code
    assert text in err
    assert not out
    assert "secret" not in err


async def test_what_no_repetition_mends_is_told_from_what_one_may(tmp_path):
    """
    A scheduler goes on for ever otherwise.
    """
    asked = ("--since=2026-01-01", "--until=2026-02-01", "--source=Teams")
    broken = Fault(kind="status", status=400, endpoint="rows", provider=2)
    async with Emulator(providers=3, rows=9, faults=[broken], denied=[3]) as emulator:
        await pull(emulator, tmp_path / "lake", 1, *asked)
        cut = await pull(emulator, tmp_path / "lake", 1, *asked, "--window=day")
        other = await pull(emulator, tmp_path / "lake", 1, *asked, "--format=csv")
        both = await pull(emulator, tmp_path / "b", 1, 2, *asked, "--source=Teems")
        misspelt = await pull(emulator, tmp_path / "c", 1, "--source=Teems")
        # The data source may be that of the provider who grants nothing.
        denied = await pull(emulator, tmp_path / "c", 1, 3, "--source=Teems")

    assert (cut[0], other[0], both[0]) == (2, 2, 1)
    assert (misspelt[0], denied[0]) == (2, 1)
    assert "is cut by other windows (month, not day)" in cut[2]


async def test_interrupted_it_goes_on(tmp_path):
    """
    Ctrl-C, and the same command again.
    """
    lake = tmp_path / "lake"
    arguments = (lake, 1, 2, *DATES, "--source=Teams", "--concurrency=1", "--json")
    async with Emulator(providers=2, rows=900, latency=0.02) as emulator:
        process = await start(emulator, *arguments)

        def wait_for_a_file():
            while not any(lake.glob("source=*/**/rows.parquet")):
                time.sleep(0.01)

        async with asyncio.timeout(30):
            await asyncio.to_thread(wait_for_a_file)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        ended, out, _ = await pull(emulator, *arguments)

    assert process.returncode == 130
    assert err.strip() == b"Broken off. The same command again goes on from here."
    assert ended == 0
    assert 0 < json.loads(out)["kept"] < 6


@pytest.mark.parametrize("presses", [2, 3])
@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05])
async def test_pressed_again_it_breaks_off_as_quietly(pause, presses, tmp_path):
    """
    Whoever is impatient must not get a crash in the middle of a file that is written.
    """
    lake = tmp_path / "lake"
    async with Emulator(providers=2, rows=50_000) as emulator:
        process = await start(emulator, lake, 1, 2)

        def wait_for_parts():
            while len([*lake.glob("_healthyroster/partial/.*.partial")]) < 2:
                time.sleep(0.01)

        async with asyncio.timeout(30):
            await asyncio.to_thread(wait_for_parts)
            for _ in range(presses):
                if process.returncode is None:
                    process.send_signal(signal.SIGINT)
                await asyncio.sleep(pause)
            _, err = await process.communicate()

    # The system says it where Python is on its way out.
    assert process.returncode in {130, -signal.SIGINT}
    # The third one ends it wherever it is.
    if presses == 2:
        assert err.strip() == b"Broken off. The same command again goes on from here."


async def test_a_folder_that_is_taken_is_said(tmp_path):
    """
    Two nightly jobs at once would mix their rows.
    """
    taken = await asyncio.to_thread(Destination, tmp_path, "parquet")
    async with Emulator(providers=1, rows=9) as emulator:
        code, out, err = await pull(emulator, tmp_path, 1, *DATES)
    await asyncio.to_thread(taken.close)

    assert (code, out) == (1, "")
    assert "another pull writes into it at this moment" in err


async def test_on_a_terminal_it_shows_how_far_it_is(tmp_path):
    """
    And what is left on the screen is the table.
    """
    async with Emulator(providers=3, rows=500, latency=0.05) as emulator:
        controller, terminal = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *COMMAND, str(tmp_path), "1", "2", "3", *DATES, "--source=Teams",
            stdin=terminal, stdout=terminal, stderr=terminal, env=variables(emulator),
        )  # fmt: skip
        os.close(terminal)
        shown = b""

        def read():
            nonlocal shown
            while True:
                try:
                    shown += os.read(controller, 65536)
                except OSError:
                    return

        await asyncio.to_thread(read)
        await process.wait()
        os.close(controller)

    assert b"Pulling" in shown
    assert b"calls/s allowed" in shown
    assert b"9 of 9 partitions" in shown


async def night(emulator, *arguments):
    """Run the example, and return its exit code, output and messages."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "examples/nightly_pull.py",
        *map(str, arguments),
        env=variables(emulator),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_example_runs_twice(tmp_path):
    """
    The first night, and the next.
    """
    async with Emulator(providers=1, rows=100) as emulator:
        for _ in range(2):
            code, out, err = await night(emulator, tmp_path / "lake", 1)

            assert (code, err) == (0, "")
            assert "0 partitions failed" in out
            assert "[(1, " in out


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [(403, 3, "denied: provider 1, all of it: "), (400, 1, "failed: provider 1, all")],
)
async def test_the_example_says_what_did_not_come_as_the_command_does(
    status, code, text, tmp_path
):
    """
    It is what a nightly job is copied from, and no rows are no bug of the reader.
    """
    broken = Fault(kind="status", status=status, endpoint="data_sources")
    async with Emulator(providers=1, rows=100, faults=[broken]) as emulator:
        ended, out, err = await night(emulator, tmp_path / "lake", 1)

    assert ended == code
    assert text in err
    assert "Traceback" not in err
    assert out.startswith("0 rows came")


async def test_parameters_filter_a_data_source(elsewhere):
    """
    Values are JSON where they can be, so that true is no text.
    """
    wanted = ["lake", "1", "--source", "Teams", "--format", "ndjson"]
    async with Emulator(rows=200) as emulator:
        _, every, _ = await pull(emulator, "all", *wanted[1:], "--json")
        code, some, err = await pull(
            emulator, *wanted, "--parameter", "Teams:ActiveOnly=true", "--json"
        )
        wrong = [
            await pull(emulator, *wanted, "--parameter", text)
            for text in ("Teams:Sport a-canary", "Teams:ActiveOnly", "Teams:Nope=1")
        ]
        twice = ("--parameter", "Teams:Sport=Soccer", "--parameter", "Teams:Sport=Golf")
        wrong.append(await pull(emulator, *wanted, *twice))
        failed, _, why = await pull(
            emulator, "other", *wanted[1:], "--parameter", "Teams:Sport=a-canary"
        )

    assert (code, err) == (0, "")
    assert 0 < json.loads(some)["rows"] < json.loads(every)["rows"]
    assert [code for code, *_ in wrong] == [2, 2, 2, 2]
    assert all("Teams:ActiveOnly=true" in err for *_, err in wrong[:2])
    assert all("number 1 names no" in err for *_, err in wrong[:2])
    assert "canary" not in wrong[0][2]
    assert "has no parameter 'Nope'; it has" in wrong[2][2]
    assert "Teams:Sport is given twice; give a list" in wrong[3][2]
    assert failed == 1
    assert "did not accept the parameters or dates (400)" in why
    assert "canary" not in why
