"""``healthyroster access``: which grants there are, and which are missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from healthyroster_async._core import outcome
from healthyroster_async._core.access_grid import Grant
from healthyroster_async._core.access_report import AccessReport
from healthyroster_async._fanout import ProgressCallback
from healthyroster_async.cli import _console, _options, _run

_REFRESH_S = 0.1
_HINT = "With --letter this writes the request to the vendor's support."


@click.command("access")
@click.argument("provider", nargs=-1)
@click.option(
    "--operation",
    "operations",
    metavar="NAME",
    multiple=True,
    help="Ask only this one, such as data_sources; may be given several times.",
)
@click.option("--full", is_flag=True, help="Ask every cell, and infer none.")
@click.option("--csv", "as_csv", is_flag=True, help="Write a line for each cell.")
@click.option(
    "--letter", is_flag=True, help="Write the request to the vendor's support."
)
@_options.access
@_options.as_json
def command(
    provider: tuple[str, ...],
    *,
    operations: tuple[str, ...],
    full: bool,
    as_csv: bool,
    letter: bool,
    as_json: bool,
    **access: Any,
) -> int:
    """Find out which providers and endpoints the application is granted.

    PROVIDER are ids of Healthcare Providers; without one they are read from stdin,
    with white space between; what follows a # in a line is left out. Few calls tell
    the whole matrix, and only safe ones are made.

    It ends with 3 if a grant is missing, and with 1 if a call failed; what there is no
    safe way to ask for stays unknown and is no failure.
    """
    if as_csv + letter + as_json > 1:
        raise click.UsageError("give one of --json, --csv and --letter")
    providers = provider or from_stdin()
    pool = _options.pool_of(**access)

    async def main() -> AccessReport:
        async with pool:
            with _watched() as progress:
                return await pool.check_access(
                    providers, operations or None, full=full, progress=progress
                )

    report = _run.run(main)
    if as_json:
        _console.write_json(report.to_dict())
    elif as_csv:
        _console.write(report.to_csv().encode())
    elif letter:
        _write_letter(report)
    else:
        _show(_console.output(), report)
    return _code(report)


def from_stdin() -> tuple[str, ...]:
    """Return the ids of Healthcare Providers that stdin holds."""
    if _console.is_terminal(sys.stdin):
        raise click.UsageError("give ids of Healthcare Providers")
    # A list that was made elsewhere may have commas, and a byte order mark.
    try:
        text = sys.stdin.read().removeprefix("\ufeff").replace(",", " ")
    except UnicodeDecodeError:
        raise click.UsageError(
            "stdin is not in UTF-8; give ids of Healthcare Providers"
        ) from None
    lines = [line.partition("#")[0] for line in text.splitlines()]
    providers = tuple(id_ for line in lines for id_ in line.split())
    if not providers:
        raise click.UsageError("give ids of Healthcare Providers; stdin holds none")
    return providers


def _write_letter(report: AccessReport) -> None:
    text = report.request_text()
    if text:
        _console.write(text.encode())
        return
    unknown = report.grants()[Grant.UNKNOWN]
    known = f" as far as is known; {unknown} could not be found out" if unknown else ""
    _console.message(f"No grant is missing{known}, so there is nothing to ask for.")


def _show(console: Console, report: AccessReport) -> None:
    terminal = console.is_terminal
    width = console.width if terminal else shutil.get_terminal_size().columns
    text = Text(report.to_text(width).rstrip("\n"))
    text.highlight_regex(r"(?m)^(Access|Providers?|Endpoints|Denied|Not) .*", "bold")
    text.highlight_regex(r"(?<!\b0 )\bdenied\b", "red")
    text.highlight_regex(r"(?<!\b0 )\bunknown\b", "yellow")
    console.print(text, soft_wrap=True)
    if report.grants()[Grant.DENIED]:
        _console.message(f"\n{_HINT}")


def _code(report: AccessReport) -> int:
    grants = report.grants()
    if grants[Grant.DENIED]:
        return _run.NO_ACCESS
    return _run.FAILED if report.failed else _run.DONE


@contextmanager
def _watched() -> Iterator[ProgressCallback | None]:
    """Show how far the check is while the block runs; nothing if nobody looks."""
    console = _console.messages()
    if not _console.is_terminal(sys.stderr) or console.is_dumb_terminal:
        yield None
        return
    bar = Progress(
        TextColumn("  Asking"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    shown_at = monotonic()

    def show(now: outcome.Progress) -> None:
        nonlocal shown_at
        bar.update(task, completed=now.done, total=now.total)
        if monotonic() - shown_at >= _REFRESH_S:
            shown_at = monotonic()
            bar.refresh()

    with bar:
        task = bar.add_task("", total=None)
        yield show
