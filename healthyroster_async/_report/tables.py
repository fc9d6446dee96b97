"""The tables of the page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from healthyroster_async._core import access_html
from healthyroster_async._core.access_report import AccessReport
from healthyroster_async._core.access_text import id_list, summary
from healthyroster_async._report.data import ReportData
from healthyroster_async._report.outcome import (
    FINE,
    WELL,
    Group,
    ProviderRow,
    State,
    attempts,
    groups,
    providers,
)
from healthyroster_async._report.text import (
    counted,
    duration,
    listed,
    name,
    number,
    shown,
    size,
)

_MOST_PROVIDERS, _MOST_ROWS = 25, 40
# How the text of an error begins: method and route template.
_LABEL = re.compile(r"[A-Z]+ /\S*")
# Beyond this a matrix is folded away.
_LARGE_MATRIX = 400


def pill(state: State) -> str:
    """Return a state as a sign and words in its colour."""
    return (
        f'<span class="hr-pill hr-is-{state.key}"><b aria-hidden="true">{state.sign}'
        f"</b> {state.words}</span>"
    )


def table(caption: str, columns: Sequence[str], rows: Iterable[str]) -> str:
    """Return a table; a column whose name begins with ``#`` holds numbers.

    One that begins with ``~`` is left out where the page is narrow.
    """
    heads = "".join(
        f'<th scope="col"{_kind(column)}>{column.lstrip("#~")}</th>'
        for column in columns
    )
    return (
        f'<div class="hr-scroll"><table><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _kind(column: str) -> str:
    kinds = [c for sign, c in (("#", "hr-n"), ("~", "hr-more")) if sign in column[:2]]
    return f' class="{" ".join(kinds)}"' if kinds else ""


def _row(columns: Sequence[str], head: str, *cells: str) -> str:
    kinds = map(_kind, columns[1:])
    others = "".join(
        f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, cells, strict=True)
    )
    return f'<tr><th scope="row">{head}</th>{others}</tr>'


def _count(value: int) -> str:
    return f"{value:,}" if value else '<span class="hr-zero">0</span>'


def _barred(value: int, most: int) -> str:
    """Return a number beside a bar that says the same."""
    share = max(100 * value / most, 0.5) if value else 0.0
    inner = f'<i style="width:{share:.1f}%"></i>' if value else ""
    drawn = f'<span class="hr-bar" aria-hidden="true">{inner}</span>'
    return f'<span class="hr-barred">{drawn}{_count(value)}</span>'


def _folded(title: str, content: str, *, opened: bool = False) -> str:
    is_open = ' open="open"' if opened else ""
    return f"<details{is_open}><summary>{title}</summary>{content}</details>"


def provider_section(data: ReportData) -> Iterator[str]:
    """Yield the table of the Healthcare Providers."""
    found = providers(data)
    if not found:
        return
    states = Counter(row.state for row in found)
    words = " ".join(
        f'<span class="hr-count">{pill(s)} {n:,}</span>' for s, n in states.items()
    )
    yield f"<h2>Healthcare Providers</h2><p>{words}</p>"
    most = max(row.rows for row in found)
    columns = ["Provider", "What came of it", "#Rows", "#~Calls", "#~Tried again"]
    columns += ["#~Asked to wait", "#Denied", "#Failed"]
    lines = [_provider(columns, row, most) for row in found]
    caption = "Those that need attention come first"
    if len(found) <= _MOST_PROVIDERS + 10:
        yield table(caption, columns, lines)
        return
    good = {FINE, WELL}
    urgent = sum(row.state not in good for row in found)
    kept = min(max(urgent, 10), _MOST_PROVIDERS)
    yield table(caption, columns, lines[:kept])
    rest = found[kept:]
    well = {row.state for row in rest} <= good
    more = f"{len(rest):,} more" + (", with nothing to say of them" * well)
    yield _folded(more, table("The others", columns, lines[kept:]))


def _provider(columns: Sequence[str], row: ProviderRow, most: int) -> str:
    tally = row.tally
    state = pill(row.state)
    if row.pulled and row.partitions and row.there < row.partitions:
        more = f'{row.partitions:,}<span class="hr-more"> partitions</span>'
        state += f" <small>{row.there:,} of {more}</small>"
    return _row(
        columns,
        name(row.name),
        state,
        _barred(row.rows, most),
        _count(tally.calls),
        _count(tally.retries),
        _count(tally.throttled),
        _count(row.denied),
        _count(row.failed),
    )


def source_section(data: ReportData) -> Iterator[str]:
    """Yield the table of the data sources of a pull."""
    if data.pull is None or not data.pull.report.totals:
        return
    report = data.pull.report
    failed = Counter(one.source for one in report.failed)
    denied = Counter(one.source for one in report.denied)
    most = max(total.rows for total in report.totals)
    columns = ["Data source", "#Rows", "#~Size", "#~Partitions", "#Denied", "#Failed"]
    found = sorted(
        report.totals, key=lambda t: (-failed[t.source], -denied[t.source], -t.rows)
    )
    yield "<h2>Data sources</h2>"
    lines = (
        _row(
            columns,
            name(total.source) + "".join(_remarks(total.drift, whole=total.whole)),
            _barred(total.rows, most),
            size(total.bytes),
            _count(total.partitions),
            _count(denied[total.source]),
            _count(failed[total.source]),
        )
        for total in found
    )
    yield table("Denied counts providers, failed counts partitions", columns, lines)


def _remarks(drift: Sequence[str], *, whole: bool) -> Iterator[str]:
    if whole:
        yield "<p>comes whole: it has no clear date range</p>"
    for line in drift[:_MOST_ROWS]:
        yield f"<p>{shown(line)}</p>"


def failure_section(data: ReportData) -> Iterator[str]:
    """Yield what went wrong, put together by its reason."""
    found = groups(data)
    if found:
        yield "<h2>What is missing, and why</h2><ul class='hr-reasons'>"
        yield from map(_group, found[:_MOST_ROWS])
        yield "</ul>"
        if len(found) > _MOST_ROWS:
            yield f"<p>... and {len(found) - _MOST_ROWS:,} more reasons</p>"
    tried = list(attempts(data))
    if tried:
        columns = ["Endpoint", "What came", "#How often"]
        lines = (
            _row(columns, f"<code>{shown(label)}</code>", shown(came), _count(count))
            for label, came, count in tried[:_MOST_ROWS]
        )
        caption = "Attempts that got no answer, or none that is a success"
        content = table(caption, columns, lines)
        count = counted(sum(data.recording.failures.values()), "attempt")
        retries = data.recording.total.retries
        title = f"{count} went wrong, {retries:,} of them tried again"
        yield "<h2>Attempts that went wrong</h2>"
        yield _folded(title, content, opened=not found)


def _group(group: Group) -> str:
    ids = sorted(group.providers, key=_by_number)
    label, colon, reason = group.reason.partition(": ")
    if not (colon and _LABEL.fullmatch(label)):
        label, reason = "", group.reason
    facts = [f"<code>{shown(label)}</code>"] if label else []
    facts.append(counted(group.count, "time"))
    if ids:
        words = "provider" if len(ids) == 1 else f"{len(ids):,} providers:"
        facts.append(f"{words} {listed_ids(ids)}")
    if group.what:
        facts.append(listed(list(group.what), 6))
    return (
        f"<li>{pill(group.state)} <strong>{shown(reason)}</strong>"
        f"<p>{' · '.join(facts)}</p></li>"
    )


def listed_ids(ids: Sequence[str]) -> str:
    """Return ids with runs put together, shortened where there are many."""
    kept = [f"<bdi>{part}</bdi>" for part in shown_ids(ids)[:_MOST_ROWS]]
    more = len(shown_ids(ids)) - len(kept)
    return ", ".join(kept) + (" and more" if more > 0 else "")


def shown_ids(ids: Sequence[str]) -> list[str]:
    """Return ids with runs put together, as HTML."""
    return [shown(part) for part in id_list(ids).split(", ")]


def _by_number(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)


def endpoint_section(data: ReportData) -> Iterator[str]:
    """Yield the table of the endpoints that were called."""
    labels = data.recording.labels
    if not labels:
        return
    columns = ["Endpoint", "#Calls", "#~Answered", "#~Asked to wait", "#~Denied"]
    columns += ["#~Failed", "#Mean time"]
    found = sorted(labels.items(), key=lambda item: -item[1].calls)
    content = table(
        "Calls are attempts: what was tried again counts each time",
        columns,
        (
            _row(
                columns,
                f"<code>{shown(label)}</code>",
                _count(one.calls),
                _count(one.answered),
                _count(one.throttled),
                _count(one.denied),
                _count(one.failed),
                duration(one.seconds / one.calls) if one.calls else "",
            )
            for label, one in found[:_MOST_ROWS]
        ),
    )
    yield f"<h2>Endpoints</h2>{content}"


def access_section(access: AccessReport | None) -> Iterator[str]:
    """Yield the matrix of grants."""
    if access is None or not len(access):
        return
    _, counts, how = summary(access)
    yield f"<h2>Access</h2><p>{escape(counts)} <small>({escape(how)})</small></p>"
    if access.missing_providers:
        missing = listed_ids(list(map(str, access.missing_providers)))
        yield f"<p><strong>Providers not granted:</strong> {missing}</p>"
    if access.missing_endpoints:
        missing = ", ".join(name(e.name) for e in access.missing_endpoints)
        yield f"<p><strong>Endpoints not authorized:</strong> {missing}</p>"
    matrix = f'<div class="hr-scroll hr-matrix">{access_html.matrix(access)}</div>'
    title = (
        f"{counted(len(access.providers), 'provider')} x "
        f"{counted(len(access.endpoints), 'endpoint')}"
    )
    yield _folded(title, matrix, opened=len(access.endpoints) <= _LARGE_MATRIX)


def key_figures(data: ReportData) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and remark of the figures at the top."""
    recording, total = data.recording, data.recording.total
    if data.pull is not None:
        report = data.pull.report
        speed = report.rows / max(report.seconds, 0.001)
        yield "rows", f"{report.rows:,}", f"{number(speed)} a second"
        yield "size", size(report.bytes), "decompressed"
        there = report.done + report.kept
        yield "partitions", f"{there:,}", f"of {report.partitions:,}"
    elif total.rows:
        yield "rows", f"{total.rows:,}", size(total.bytes)
    # Of a fraction of a second it would be how many there were.
    average = total.calls / recording.seconds if recording.seconds >= 1.0 else None
    remark = "" if average is None else f"{number(average)} a second"
    yield "calls", f"{total.calls:,}", remark
    yield "tried again", f"{total.retries:,}", counted(total.failed, "failed attempt")
    paused = sum(bucket.paused for bucket in recording.buckets)
    down = sum(bucket.down for bucket in recording.buckets)
    why = f"asked to wait {counted(total.throttled, 'time')}"
    if down:
        why = f"API away for {duration(down)}"
    yield "stood still", duration(paused + down) if paused + down else "0 s", why
    rates = [b.rate for b in recording.buckets if b.rate is not None]
    if rates:
        source = ", ".join(filter(None, ["a second", recording.rate_source]))
        yield "rate allowed", number(rates[-1]), shown(source)
    median, most = recording.percentile(0.5), recording.percentile(0.95)
    # Of calls that all came to nothing it would be how fast they did.
    if median is not None and most is not None and total.failed < total.calls:
        yield "median answer", duration(median), f"95 % within {duration(most)}"
