"""``healthyroster pull``: the rows of many providers, in files that analysts use."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import rich_click as click
from click.core import ParameterSource
from rich.console import Console

from healthyroster_async._core.date_ranges import UNITS
from healthyroster_async._core.errors import (
    ConfigurationError,
    DestinationError,
    LikelyCause,
)
from healthyroster_async._pool import ConnectionPool
from healthyroster_async._report.report import check_writable
from healthyroster_async._report.text import size
from healthyroster_async.cli import _console, _options, _run
from healthyroster_async.cli._pull_live import watched
from healthyroster_async.cli.access import from_stdin
from healthyroster_async.pull._plan import FORMATS, PullPlan
from healthyroster_async.pull._report import PullReport

_SETTING = re.compile(r"\b(since|first|until|window)\b(?= is |,| and window| need| \()")
_MOST_LINES = 20
_MOST_IDS = 10


@click.command("pull")
@click.argument("destination")
@click.argument("provider", nargs=-1)
@click.option(
    "--source",
    "sources",
    metavar="NAME",
    multiple=True,
    help="Pull only this data source, by its name or id; may be given several times.",
)
@click.option(
    "--parameter",
    "parameters",
    metavar="SOURCE:NAME=VALUE",
    multiple=True,
    help="Ask for a data source with this parameter, as Teams:ActiveOnly=true; may be "
    "given several times. A value that is JSON is sent as such, another one as text.",
)
@click.option(
    "--since",
    metavar="DATE|last",
    help='The first date, or "last": go on where the last run ended.',
)
@click.option(
    "--first",
    metavar="DATE",
    help='Where "--since last" begins in a destination that holds nothing yet.',
)
@click.option("--until", metavar="DATE", help="The date after the last.  [tomorrow]")
@click.option(
    "--window",
    metavar="|".join((*UNITS, "ROWS")),
    help="What answers and files are cut by; or about how many rows each should have "
    "at most.  [month]",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    default="parquet",
    show_default=True,
    help="What the files are.",
)
@click.option(
    "--overlap",
    metavar="DAYS",
    type=click.IntRange(0),
    default=7,
    show_default=True,
    help='Days that "--since last" asks for again, for late edits and deletions.',
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Most answers that are read at once.",
)
@click.option(
    "--report",
    "page",
    metavar="FILE",
    type=_options.FILE,
    help="Write an HTML page about the pull, also if it fails or is broken off.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be asked for.")
@_options.access
@_options.as_json
@click.pass_context
def command(
    ctx: click.Context,
    /,
    destination: str,
    provider: tuple[str, ...],
    *,
    sources: tuple[str, ...],
    parameters: tuple[str, ...],
    file_format: Any,
    concurrency: int,
    page: Path | None,
    dry_run: bool,
    as_json: bool,
    since: str | None,
    first: str | None,
    until: str | None,
    window: Any,
    overlap: int,
    **access: Any,
) -> int:
    """Pull the rows of data sources into a folder of files.

    DESTINATION is a folder, or a URL such as s3://bucket/lake. PROVIDER are ids of
    Healthcare Providers; without one they are read from stdin, with white space
    between; what follows a # in a line is left out.

    Killed at any time and run again, it goes on where it was. What is denied or fails
    costs nothing else: it is listed at the end, and the same command asks for what
    failed again. It ends with 1 if something failed, with 2 if no repetition mends it,
    and with 3 if a grant is missing.
    """
    given = ctx.get_parameter_source("overlap")
    if since != "last" and given is not ParameterSource.DEFAULT:
        raise click.UsageError("--overlap is only for --since last")
    if since != "last" and first is not None:
        raise click.UsageError("--first is only for --since last")
    with _named_as_options():
        plan = PullPlan(
            provider or from_stdin(),
            sources=sources or None,
            parameters=_parameters(parameters),
            since=since,
            first=first,
            until=until,
            window=window,
            format=file_format,
            overlap=overlap,
        )
    if page is not None:
        if dry_run:
            raise click.UsageError("a dry run makes no calls that a report could show")
        check_writable(page)
    pool = _options.pool_of(**access)

    async def main() -> PullReport:
        async with pool:
            with watched(pool, quiet=dry_run) as progress:
                return await pool.pull(
                    plan,
                    destination,
                    concurrency=concurrency,
                    progress=progress,
                    dry_run=dry_run,
                )

    try:
        with _named_as_options():
            report = _run.run(main)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | _run.TerminatedError) and not dry_run:
            _console.message("Broken off. The same command again goes on from here.")
        # A page that cannot be written hides nothing of how the pull ended.
        with contextlib.suppress(DestinationError):
            _save(pool, page)
        raise
    _save(pool, page)
    if as_json:
        _console.write_json(report.to_dict())
    else:
        _show(_console.output(), report)
    return _code(report)


@contextlib.contextmanager
def _named_as_options() -> Iterator[None]:
    """Call the settings of a plan as the command line does in what is wrong."""
    try:
        yield
    except ConfigurationError as error:
        error.args = (_SETTING.sub(r"--\g<0>", str(error)),)
        raise


def _parameters(texts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for number, text in enumerate(texts, 1):
        left, equals, value = text.partition("=")
        source, colon, name = left.rpartition(":")
        if not (equals and colon and source and name):
            raise click.BadParameter(
                f"number {number} names no parameter of a data source; give it as "
                "Teams:ActiveOnly=true",  # what it is may be about a person
                param_hint="--parameter",
            )
        if name in found[source]:
            raise click.BadParameter(
                f"{left} is given twice; give a list as Teams:Ids=[1,2]",
                param_hint="--parameter",
            )
        try:
            found[source][name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[source][name] = value
    return found


def _save(pool: ConnectionPool, page: Path | None) -> None:
    if page is not None:
        _console.message(f"Report: {pool.report().save(page)}")


def _show(console: Console, report: PullReport) -> None:
    numbers = ("partitions", "rows", "size")
    table = _console.table(console, "data source", *numbers, right=numbers)
    for total in report.totals:
        values = (
            f"{total.partitions:,}",
            f"{total.rows:,}",
            size(total.bytes),
        )
        if report.calls is not None:
            values = (values[0], "", "")
        table.add_row(_console.plain(total.source), *values)
    if report.totals:
        console.print(table)
    if report.calls is not None:
        kept = f", {report.kept:,} are there" if report.kept else ""
        console.print(
            f"{report.partitions:,} partitions of {report.environment}{kept}: "
            f"about {report.calls:,} calls",
            soft_wrap=True,
        )
    else:
        speed = report.rows / max(report.seconds, 0.001)
        kept = f", {report.kept:,} were there" if report.kept else ""
        console.print(
            f"{report.done:,} of {report.partitions:,} partitions of "
            f"{report.environment} came{kept}: {report.rows:,} rows, "
            f"{size(report.bytes)} in {report.seconds:.1f} s "
            f"({speed:,.0f} rows/s)",
            soft_wrap=True,
        )
    _tell(report)


def _tell(report: PullReport) -> None:
    """Tell what is odd, denied and failed."""
    for total in report.totals:
        if total.whole:
            name = _console.plain(total.source)
            _console.message(f"note: {name} has no clear date range and comes whole")
        for line in total.drift:
            _console.message(f"note: {_console.plain(f'{total.source}: {line}')}")
    for folder, many in _gone(report).items():
        ids = ", ".join(map(_console.plain, many[:_MOST_IDS]))
        others = len(many) - _MOST_IDS
        _console.message(
            f"note: {_console.plain(folder)} lies there and is not listed any more by "
            + (f"{ids} and {others:,} more" if others > 0 else ids)
        )
    if not report.partitions and not report.failed and not report.denied:
        _console.message("note: nothing was asked for: no data source, or no date")
    for line in _denied(report):
        _console.message(f"denied: {_console.plain(line)}")
    # What is wrong with all of them comes before what is wrong with one.
    ordered = sorted(report.failed, key=lambda one: one.provider_id != "*")
    for failure in ordered[:_MOST_LINES]:
        parts = (failure.source, failure.window)
        known = failure.provider_id != "*"
        who = f"provider {failure.provider_id}" if known else None
        what = ", ".join(filter(None, [who, *parts]))
        _console.error(": ".join(filter(None, [what, failure.reason])))
    if len(report.failed) > _MOST_LINES:
        more = len(report.failed) - _MOST_LINES
        _console.message(f"... and {more:,} more; --json lists them all")
    if report.failed:
        _console.message(
            "Once that is mended, the same command asks only for what is missing."
        )


def _gone(report: PullReport) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in report.gone:
        found[one.folder].append(one.provider_id)
    return found


def _denied(report: PullReport) -> Iterator[str]:
    """Yield a line for all providers that lack the same."""
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in report.denied:
        what = one.source or "the list of data sources"
        lacking[str(one.provider_id), one.reason].append(what)
    alike: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for (provider, reason), what_all in lacking.items():
        alike[tuple(what_all), reason].append(provider)
    for (sources, reason), providers in alike.items():
        why = "" if reason == LikelyCause.UNKNOWN.value else f" ({reason})"
        many = "providers" if len(providers) > 1 else "provider"
        yield f"{many} {_some(providers)}: {_some(sources)}{why}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_LINES])
    more = len(names) - _MOST_LINES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _code(report: PullReport) -> int:
    if report.failed:
        # A data source that no provider has is not there the next time either.
        wrong = all(one.provider_id == "*" and one.source for one in report.failed)
        return _run.WRONG_USE if wrong and not report.denied else _run.FAILED
    return _run.NO_ACCESS if report.denied else _run.DONE
