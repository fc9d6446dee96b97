"""An access report in a notebook: no script, and no colour that a theme could hide."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from healthyroster_async._core.access_grid import Grant
from healthyroster_async._core.access_text import (
    MOST_ROWS,
    SIGNS,
    groups,
    id_list,
    plain,
    shortened,
    summary,
)

if TYPE_CHECKING:
    from healthyroster_async._core.access_report import AccessReport

# Half transparent, behind the text colour of the page: readable in light and dark.
_COLOURS = {
    Grant.GRANTED: "rgba(46,160,67,.25)",
    Grant.DENIED: "rgba(248,81,73,.35)",
    Grant.UNKNOWN: "rgba(128,128,128,.25)",
}
_CELL = "text-align:center;padding:1px 5px;border:1px solid rgba(128,128,128,.3)"
_TURNED = "writing-mode:vertical-rl;transform:rotate(180deg);padding:4px 2px"
_IDS = 60


def table(report: AccessReport) -> str:
    """Return the report as a piece of HTML."""
    return f"<div>{''.join(_parts(report))}</div>"


def _parts(report: AccessReport) -> Iterator[str]:
    title, *more = summary(report)
    yield f"<strong>{escape(title)}</strong><br>{'<br>'.join(map(escape, more))}"
    if report.missing_providers:
        missing = escape(id_list(report.missing_providers))
        yield f"<p><strong>Providers not granted:</strong> {missing}</p>"
    if report.missing_endpoints:
        names = ", ".join(escape(plain(e.name)) for e in report.missing_endpoints)
        yield f"<p><strong>Endpoints not authorized:</strong> {names}</p>"
    yield matrix(report)


def matrix(report: AccessReport) -> str:
    """Return the matrix alone: a row for all providers that are granted the same."""
    return "".join(_matrix(report)) if len(report) else ""


def _matrix(report: AccessReport) -> Iterator[str]:
    legend = "\N{EM SPACE}".join(f"{SIGNS[grant]} {grant.value}" for grant in SIGNS)
    yield '<table style="border-collapse:collapse">'
    yield f'<caption style="text-align:left;white-space:nowrap">{legend}</caption>'
    yield "<thead><tr>"
    yield '<th scope="col" style="text-align:left">Providers</th>'
    for endpoint in report.endpoints:
        yield (
            f'<th scope="col" title="{escape(endpoint.label)}" style="{_TURNED}">'
            f"{escape(plain(endpoint.name))}</th>"
        )
    yield "</tr></thead><tbody>"
    found = groups(report)
    for pattern, ids in found[:MOST_ROWS]:
        yield '<tr><th scope="row" style="text-align:left;font-weight:normal">'
        yield f"{escape(shortened(ids, _IDS))}</th>"
        for grant in pattern:
            yield (
                f'<td title="{grant.value}" style="{_CELL};background:'
                f'{_COLOURS[grant]}">{SIGNS[grant]}</td>'
            )
        yield "</tr>"
    yield "</tbody></table>"
    if len(found) > MOST_ROWS:
        left_out = len(found) - MOST_ROWS
        yield f"<p>... and {left_out} more rows; to_csv() has every cell</p>"
