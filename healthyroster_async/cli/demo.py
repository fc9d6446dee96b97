"""``healthyroster demo``: the main job, against a local Healthy Roster."""

from __future__ import annotations

from typing import Any

import rich_click as click

from healthyroster_async.cli import _console, _options, _run
from healthyroster_async.cli._rate import METAVAR, rate


@click.command("demo")
@click.option(
    "--providers",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="Healthcare Providers to pull from.",
)
@click.option(
    "--rows",
    default=1000,
    show_default=True,
    type=click.IntRange(0),
    help="Rows of each data source of each provider.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Decides the data, the missing grants and the faults.",
)
@click.option(
    "--concurrency",
    default=24,
    show_default=True,
    type=click.IntRange(1),
    help="Most calls under way at once.",
)
@click.option(
    "--rate-limit",
    type=rate,
    metavar=METAVAR,
    help="Calls the server allows in so many seconds: 40/1.  [default: one that is "
    "felt]",
)
@_options.as_json
def command(*, as_json: bool, **settings: Any) -> int:
    """Pull every data source of many providers from a local Healthy Roster.

    Its server limits the rate, lacks some grants, answers 503, breaks connections and
    cuts answers off. Every granted row arrives exactly once nevertheless, and the end
    compares that with what the server itself counted.
    """
    # They bring the server along.
    from healthyroster_async.cli import (  # noqa: PLC0415
        _demo_job,
        _demo_live,
        _demo_plan,
        _demo_report,
    )

    job = _demo_job.Job(_demo_plan.Plan(**settings))

    async def main() -> _demo_report.Report:
        if as_json:
            return await job.run()
        with _demo_live.watched(job):
            return await job.run()

    report = _run.run(main)
    if as_json:
        _console.write_json(report.as_dict())
    else:
        _demo_report.show(report, _console.output())
    for failure in report.failures:
        _console.error(failure)
    return _run.DONE if report.complete else _run.FAILED
