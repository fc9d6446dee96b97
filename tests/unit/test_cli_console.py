"""What is shown, and how it ends: rules without a process."""

import asyncio
import contextlib
import inspect
import io
import json
import signal
import sys

import attrs
import pytest
import rich_click as click
from click.testing import CliRunner
from rich.console import Console

import healthyroster_async as h
from healthyroster_async._core import errors
from healthyroster_async._report.text import size
from healthyroster_async._stats import EnvironmentStats
from healthyroster_async.cli import _console, _demo_report, _rate, _run, pull
from healthyroster_async.cli.app import app
from healthyroster_async.pull import PullFailure, PullReport

STATS = EnvironmentStats(
    attempts=30,
    answers={200: 20, 429: 4, 403: 4, 503: 2},
    failures={"ConnectError": 1},
    retries=7,
    throttled=4,
    rate=50.0,
    rate_source="learned 600 per 60 s",
    concurrency=100,
    down=False,
    refused=False,
    pauses=2,
    paused_for=0.0,
    in_flight=0,
    waiting=0,
    waiting_by_priority={},
    waiting_by_provider={},
    open_streams=0,
    retry_budget=100,
)
GRANTS = _demo_report.MissingGrants(provider=7, endpoints=("rows",))
REPORT = _demo_report.Report(
    providers=2,
    seconds=1.5,
    sources=(
        _demo_report.SourceTotal(
            id=1, name="[bold]Teams", providers=1, rows=9, size=2500, mean_seconds=0.5
        ),
    ),
    stats=STATS,
    faults={"status": 2},
    missing=(GRANTS,),
    withheld=(GRANTS,),
    counts=_demo_report.Counts(received=9, expected=9, sent=9, once=True),
    different=0,
    failures=(),
)


def shown(report):
    console = Console(file=io.StringIO(), width=200, markup=False)
    _demo_report.show(report, console)
    return console.file.getvalue()


def test_the_report_names_counts_and_missing_grants():
    """
    It is read by somebody who wants to know what to ask the vendor for.
    """
    text = shown(REPORT)

    assert "[bold]Teams" in text
    assert "2.5 kB" in text
    assert (
        "20 answered, 4 throttled, 4 denied, 2 failed with 503, 1 connections lost"
        in text
    )
    assert "endpoint not authorized" in text
    assert "OK: 9 rows received" in text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"different": 2}, "2 cells differ"),
        ({"failures": ("provider 1: it failed",)}, "1 calls failed"),
        ({"missing": ()}, "the missing grants are not the right ones"),
    ],
)
def test_a_demo_that_is_not_complete_says_why(changes, why):
    """
    A demo that calls everything a success proves nothing.
    """
    report = attrs.evolve(REPORT, **changes)

    assert not report.complete
    assert not report.as_dict()["complete"]
    assert "NOT OK: " in shown(report)
    assert why in shown(report)


@pytest.mark.parametrize(
    "changes", [{"received": 8}, {"expected": 8}, {"sent": 8}, {"once": False}]
)
def test_counts_are_equal_only_if_all_of_them_are(changes):
    """
    Rows that came twice and rows that are missing add up to the right number.
    """
    assert REPORT.counts.equal
    assert not attrs.evolve(REPORT.counts, **changes).equal


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.HealthyRosterError)
    ],
)
def test_every_error_has_an_exit_code(kind):
    """
    0 would say that all went well.
    """
    code = _run.code_of(kind.__new__(kind))

    assert code in {_run.FAILED, _run.WRONG_USE, _run.NO_ACCESS}
    assert (code == _run.NO_ACCESS) == issubclass(
        kind, h.AuthenticationError | h.ForbiddenError
    )


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (h.ConfigurationError("two\nlines"), 2),
        (click.ClickException("it failed"), 1),
        (click.BadParameter("wrong"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (_run.TerminatedError(), 143),
        (OSError(28, "No space left on device"), 1),
    ],
)
def test_what_a_command_raises_becomes_a_code_and_at_most_a_line(raised, code, capsys):
    """
    Nobody who runs a command wants to read its stack.
    """

    def command():
        raise raised

    ended = _run.exit_code(command)

    written = capsys.readouterr()
    assert (ended, written.out) == (code, "")
    assert written.err.count("\n") <= 1


def test_a_bug_is_not_hidden():
    """
    An error that is not ours must reach whoever can mend it.
    """

    def command():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _run.exit_code(command)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ""),
        (7, "7"),
        ("two\n lines\t", "two lines"),
        ("\x1b[2Jgone", "?[2Jgone"),
        ("\u202egnol", "?gnol"),
        ("[red]Équipe", "[red]Équipe"),
    ],
)
def test_what_the_api_answers_cannot_move_the_cursor(text, expected):
    """
    A name with an escape sequence would rewrite the screen of whoever lists it.
    """
    assert _console.plain(text) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (118_200_000, "118.2 MB")],
)
def test_sizes_are_said_as_people_say_them(count, expected):
    """
    Nine digits are hard to compare.
    """
    assert size(count) == expected


@pytest.mark.parametrize(
    ("text", "calls", "seconds"),
    [("20", 20, 1), ("20/1", 20, 1), ("100/60s", 100, 60), ("0.5/2.5", 0.5, 2.5)],
)
def test_a_rate_is_calls_and_seconds(text, calls, seconds):
    """
    It is how rate limits are written in documents of vendors.
    """
    limit = _rate.rate(text)

    assert (limit.rate, limit.per) == (calls, seconds)
    assert _rate.rate(limit) is limit


@pytest.mark.parametrize("text", ["", "fast", "-1", "1/0", "1/", "1e3", "nan"])
def test_what_is_no_rate_is_refused(text):
    """
    A limit that was misread would make every measurement wrong.
    """
    with pytest.raises(click.BadParameter):
        _rate.rate(text)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_whoever_asks_for_nothing_gets_help(arguments):
    """
    It is the first thing that is typed.
    """
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 0
    for name in ("demo", "describe", "emulate", "sources"):
        assert name in result.output


@pytest.mark.parametrize("name", ["demo", "describe", "emulate", "sources"])
def test_every_command_explains_itself(name):
    """
    Help is the only documentation at hand in a terminal.
    """
    result = CliRunner().invoke(app, [name, "--help"])

    assert result.exit_code == 0
    assert "Usage" in result.output


def test_the_version_is_that_of_the_package():
    """
    It is the first question in every issue.
    """
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.output) == (
        0,
        f"healthyroster, version {h.__version__}\n",
    )


def test_the_demo_runs_inside_a_process_too():
    """
    Its loop ends with the command, so nothing is left running.
    """
    arguments = ["demo", "--providers", "2", "--rows", "3", "--rate-limit", "1000"]
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 0
    assert "27 rows received, 27 expected, 27 sent" in result.output


class Terminal(io.StringIO):
    """Keeps what a person would see."""

    def isatty(self):
        return True


def test_json_moves_no_cursor_of_a_terminal_and_stays_the_same(monkeypatch, capsys):
    """
    Names come from the API, and what a terminal obeys hides what stands beside it.
    """
    value = {"name": "Zoë \x7f\x9b2J\u202egro\U000e0001\n"}
    _console.write_json(value)
    piped = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout", Terminal())
    _console.write_json(value)
    shown = sys.stdout.getvalue()

    assert json.loads(piped) == json.loads(shown) == value
    assert "Zoë \x7f\x9b2J\u202egro" in piped
    assert r"Zoë \u007f\u009b2J\u202egro\udb40\udc01\n" in shown
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize("terminal", [False, True])
def test_an_encoding_that_lacks_a_letter_ends_nothing(terminal, monkeypatch):
    """
    A program reads JSON in UTF-8, whatever a terminal of the same machine can show.
    """
    stdout = io.TextIOWrapper(io.BytesIO(), "cp1252")
    monkeypatch.setattr(stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("sys.stdout", stdout)
    _console.write_json({"name": "Zoë Łukasz"})
    _console.write("a,ł\r\n".encode())
    stdout.flush()
    written = stdout.buffer.getvalue()

    encoding, lines = ("cp1252", "a,\\u0142\n") if terminal else ("utf-8", "a,ł\r\n")
    document, comma, end = written.decode(encoding).rpartition("a,")
    assert json.loads(document) == {"name": "Zoë Łukasz"}
    assert comma + end == lines


def test_a_file_that_cannot_be_opened_is_named(capsys, tmp_path):
    """
    "No such file or directory" alone does not say which one.
    """
    missing = tmp_path / "none" / "x"

    assert _run.exit_code(missing.read_bytes) == 1
    assert capsys.readouterr().err == f"error: {missing}: No such file or directory\n"


def test_what_is_wrong_with_a_whole_pull_is_not_among_the_lines_left_out(capsys):
    """
    Hundreds of partitions fail after an outage, and one sentence says why.
    """
    lost = PullFailure(provider_id=1, source="Teams", window=None, reason="down")
    why = PullFailure(provider_id="*", source=None, window=None, reason="refused")
    counts = dict.fromkeys(("done", "kept", "rows", "bytes", "seconds"), 0)
    report = PullReport(
        environment="sandbox", partitions=99, failed=[*[lost] * 40, why], **counts
    )

    pull._tell(report)

    first, *_ = capsys.readouterr().err.splitlines()
    assert first == "error: refused"


def test_a_command_that_has_run_leaves_signals_as_they_were():
    """
    Ctrl-C must end the printing of a long table too, and whoever calls from Python.
    """
    ending = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(one) for one in ending]

    async def main():
        return [signal.getsignal(one) for one in ending]

    assert _run.run(main) != before
    assert [signal.getsignal(one) for one in ending] == before


def test_a_background_job_goes_on_ignoring_what_it_ignored():
    """
    A script's Ctrl-C is for what runs in front, not for the pulls beside it.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def main():
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        return signal.getsignal(signal.SIGINT)

    try:
        during, after = _run.run(main), signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert during is after is signal.SIG_IGN


def test_presses_count_also_while_something_blocks_the_loop():
    """
    The third Ctrl-C is for whom the first two did not help: nothing may hold it up.
    """

    async def main():
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        return signal.getsignal(signal.SIGINT)

    assert _run.run(main) is signal.SIG_DFL


def test_what_stands_in_for_stdout_need_not_take_bytes():
    """
    A notebook redirects it to keep what is written.
    """
    kept = io.StringIO()
    with contextlib.redirect_stdout(kept):
        _console.write_json({"name": "ł"})

    assert kept.getvalue() == '{\n  "name": "ł"\n}\n'
