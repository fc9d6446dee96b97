"""The page: one file that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from healthyroster_async._report import tables
from healthyroster_async._report.data import PullShown, ReportData
from healthyroster_async._report.outcome import verdict
from healthyroster_async._report.plot import KINDS
from healthyroster_async._report.style import STYLE
from healthyroster_async._report.text import counted, duration, listed, shown
from healthyroster_async._report.timeline import Timeline

# Nothing may be loaded, whatever a name from outside says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MOST_FIGURES = 5
_TIME = "%Y-%m-%d %H:%M:%S"
_BOX = '<svg viewBox="0 0 26 16" aria-hidden="true">{}</svg>'


def page(data: ReportData) -> str:
    """Return a whole page."""
    title = shown(f"{verdict(data).title} \N{EN DASH} {data.environment}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        '<meta name="referrer" content="no-referrer"/>'
        '<meta name="color-scheme" content="light dark"/>'
        f'<link rel="icon" href="data:,"/><title>{title}</title>'
        "<style>body{margin:0;background:#f5f7f9}"
        "@media (prefers-color-scheme:dark){body{background:#10171d}}"
        f"@media print{{body{{background:#fff}}}}{STYLE}</style></head>"
        f"<body>{_report(data, 'main')}</body></html>\n"
    )


def piece(data: ReportData) -> str:
    """Return the report as a piece of HTML, for a notebook."""
    return f"<style>{STYLE}</style>{_report(data, 'div')}"


def _report(data: ReportData, tag: str) -> str:
    parts = "".join(_parts(data))
    return f'<{tag} class="hr-report"><div class="hr-in">{parts}</div></{tag}>'


def _parts(data: ReportData) -> Iterator[str]:
    yield from _header(data)
    yield from _timeline(data)
    yield from tables.provider_section(data)
    yield from tables.source_section(data)
    yield from tables.failure_section(data)
    yield from tables.access_section(data.access)
    yield from tables.endpoint_section(data)
    yield '<h2>What it was</h2><dl class="hr-settings hr-card">'
    for term, value in _settings(data):
        yield f"<dt>{term}</dt><dd>{value}</dd>"
    yield (
        "</dl><footer>This page holds counts, names of data sources and ids of "
        "providers, and no health data. It loads nothing.</footer>"
    )


def _header(data: ReportData) -> Iterator[str]:
    one = verdict(data)
    figures = list(tables.key_figures(data))
    # Rows of the same length.
    columns = len(figures) if len(figures) <= _MOST_FIGURES else -(-len(figures) // 2)
    yield (
        f"<header><h1>Healthy Roster · <b>{shown(data.environment)}</b> · "
        f"{data.made_at:%Y-%m-%d %H:%M}</h1>"
        f'<div class="hr-verdict hr-is-{one.state.key}">'
        f'<b aria-hidden="true">{one.state.sign}</b><p><strong>{shown(one.title)}'
        f"</strong>{shown(one.sentence)}</p></div>"
        f'<dl class="hr-figures hr-in-{columns}">'
    )
    for term, value, remark in figures:
        told = f"<b>{value}</b><small>{remark}</small>"
        yield f"<div><dt>{term}</dt><dd>{told}</dd></div>"
    yield "</dl></header>"


def _timeline(data: ReportData) -> Iterator[str]:
    if not data.recording.buckets:
        return
    timeline = Timeline(data.recording, data.zone)
    calls, rows = timeline.calls(), timeline.rows()
    yield '<h2>Timeline</h2><div class="hr-card"><ul class="hr-legend">'
    yield from _legend(data, timeline)
    yield f"</ul>{calls}{rows}<p><small>{escape(timeline.axis_note())}</small></p>"
    columns = ["Time", "#Calls a second"]
    columns += [f"#{kind.name.capitalize()}" for kind in KINDS]
    columns += ["#Tried again", "#Rate", "#Rows", "#Paused"]
    yield "<details><summary>The same as a table</summary>"
    yield tables.table("What happened when", columns, timeline.table())
    yield "</details></div>"


def _legend(data: ReportData, timeline: Timeline) -> Iterator[str]:
    total = data.recording.total
    for kind in KINDS:
        if getattr(total, kind.key):
            box = f'<rect class="hr-{kind.key}" width="26" height="16" rx="3"/>'
            yield f"<li>{_BOX.format(box)}{kind.name}</li>"
    if any(b.rate is not None for b in data.recording.buckets):
        box = '<path class="hr-rate" d="M0 8H26"/>'
        above = " (above the scale in parts)" if timeline.clipped else ""
        yield f"<li>{_BOX.format(box)}calls a second allowed{above}</li>"
    for key, words in (("paused", "pause"), ("down", "API away")):
        if any(getattr(b, key) for b in data.recording.buckets):
            box = f'<rect class="hr-{key}" width="26" height="16"/>'
            yield f"<li>{_BOX.format(box)}{words}</li>"
    if total.rows:
        box = '<rect class="hr-rows" width="26" height="16" rx="3"/>'
        yield f"<li>{_BOX.format(box)}rows</li>"


def _settings(data: ReportData) -> Iterator[tuple[str, str]]:
    yield "environment", f"{shown(data.environment)}, <code>{shown(data.host)}</code>"
    if data.pull is not None:
        yield from _plan(data.pull, data)
    recording = data.recording
    if recording.began is not None:
        first, last = data.time(recording.began), data.time(recording.ended)
        took = duration(recording.seconds)
        yield "calls", f"{first:{_TIME}} to {last:{_TIME}} ({took})"
    yield "made", f"{data.made_at:{_TIME} %z}"
    yield (
        "by",
        f"healthyroster-async {shown(data.version)}, Python {shown(data.python)}",
    )


def _plan(pull: PullShown, data: ReportData) -> Iterator[tuple[str, str]]:
    plan = pull.plan
    yield "destination", f"<code>{shown(pull.destination)}</code>, {plan.format}"
    yield "providers", counted(len(plan.providers), "provider")
    yield "data sources", listed(plan.sources) if plan.sources else "all"
    if plan.since is not None:
        until = "tomorrow" if plan.until is None else f"{plan.until}"
        window, cut = plan.window, ""
        if window is not None:
            unit = f"{window:,} rows" if isinstance(window, int) else window
            cut = f", cut by {unit}"
        yield "dates", f"from {shown(plan.since)}, until {until}{cut}"
    yield "began", f"{data.time(pull.began):{_TIME} %z}"
