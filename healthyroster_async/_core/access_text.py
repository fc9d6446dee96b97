"""An access report as text: what is missing, and a matrix that fits a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from healthyroster_async._core.access_grid import Grant

if TYPE_CHECKING:
    from healthyroster_async._core.access_report import AccessReport
    from healthyroster_async._core.endpoint import Endpoint

SIGNS = {Grant.GRANTED: "+", Grant.DENIED: "-", Grant.UNKNOWN: "?"}
# Rows of a matrix, and lines of a list, that a person still reads.
MOST_ROWS, _MOST_LINES = 30, 12
# Of the width, for the ids in front of a row.
_IDS, _FEWEST_IDS = 30, 12
_RUN = 3


def table(report: AccessReport, width: int) -> str:
    """Return the report in lines of *width* characters, if single words are shorter."""
    width = max(width, 40)
    parts = [_summary(report), *_missing(report, width), _matrix(report, width)]
    return "\n\n".join(part for part in parts if part) + "\n"


def id_list(ids: Iterable[int | str]) -> str:
    """Return ids as a person writes them: runs of three and more as ``4-9``."""
    texts: list[str] = []
    run: list[int] = []

    def close() -> None:
        if len(run) >= _RUN:
            texts.append(f"{run[0]}-{run[-1]}")
        else:
            texts.extend(map(str, run))
        run.clear()

    for one in ids:
        number = _number(one)
        if run and number != run[-1] + 1:
            close()
        if number is None:
            texts.append(plain(one))
        else:
            run.append(number)
    close()
    return ", ".join(texts)


def groups(
    report: AccessReport,
) -> list[tuple[tuple[Grant, ...], list[int | str]]]:
    """Return providers that have the same grants together, most of them first."""
    by_pattern: dict[tuple[Grant, ...], list[int | str]] = {}
    for provider in report.providers:
        pattern = tuple(report.grant(provider, e) for e in report.endpoints)
        by_pattern.setdefault(pattern, []).append(provider)
    return sorted(by_pattern.items(), key=lambda group: -len(group[1]))


def shortened(ids: Sequence[int | str], width: int) -> str:
    """Return an id list that fits; one that does not says how many there are."""
    text = id_list(ids)
    if len(text) <= width:
        return text
    end = f", ... ({len(ids):,})"
    kept = text[: max(width - len(end), 0) + 1].rpartition(",")[0]
    return f"{kept}{end}" if kept else f"{len(ids):,}"


def summary(report: AccessReport) -> tuple[str, str, str]:
    """Return three sentences: what it is about, what is granted, and how it knows."""
    grants, bases = report.grants(), report.bases()
    counts = {basis.value: count for basis, count in bases.items()}
    what = (
        f"Access in {report.environment.value}: "
        f"{counted(len(report.providers), 'provider')} x "
        f"{counted(len(report.endpoints), 'endpoint')}"
    )
    how = (
        f"{counts.get('asked', 0):,} asked, {counts.get('known', 0):,} known before, "
        f"{counts.get('inferred', 0):,} inferred"
    )
    return what, ", ".join(f"{grants[grant]:,} {grant.value}" for grant in Grant), how


def counted(count: int, name: str) -> str:
    """Return a number of things."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _number(one: int | str) -> int | None:
    if isinstance(one, int):
        return one
    # Of texts only those that are written as their number is.
    return int(one) if one.isdecimal() and str(int(one)) == one else None


def plain(one: object) -> str:
    """Return a name without what moves or hides text."""
    return "".join(c if c.isprintable() else "?" for c in str(one))


def _summary(report: AccessReport) -> str:
    return "\n".join(summary(report))


def _missing(report: AccessReport, width: int) -> Iterator[str]:
    if not report.answered and report.grants()[Grant.DENIED]:
        yield _wrapped(
            "Nothing answered, so which of the two grants is missing cannot be told.",
            width,
            indent="",
        )
    providers, endpoints = report.missing_providers, report.missing_endpoints
    if providers:
        title = f"Providers not granted ({len(providers):,} of "
        title += f"{len(report.providers):,})"
        yield f"{title}\n{_wrapped(id_list(providers), width)}"
    if endpoints:
        title = f"Endpoints not authorized ({len(endpoints):,} of "
        title += f"{len(report.endpoints):,})"
        yield "\n".join((title, *_named(endpoints, width)))
    if report.answered and report.exceptions:
        by_endpoint: dict[Endpoint, list[int | str]] = {}
        for one in report.exceptions:
            by_endpoint.setdefault(one.endpoint, []).append(one.provider_id)
        lines = [
            f"  {endpoint.name}: {shortened(ids, width - len(endpoint.name) - 4)}"
            for endpoint, ids in by_endpoint.items()
        ]
        title = f"Denied though both grants are there ({len(report.exceptions):,})"
        yield "\n".join((title, *_few(lines)))
    if report.unclear:
        lines = [
            f"  {endpoint.name}, {reason}: "
            + shortened(ids, width - len(endpoint.name) - len(reason) - 6)
            for (endpoint, reason), ids in report.unclear.items()
        ]
        title = f"Not found out ({report.grants()[Grant.UNKNOWN]:,})"
        yield "\n".join((title, *_few(lines)))


def _named(endpoints: Sequence[Endpoint], width: int) -> Iterator[str]:
    longest = max(len(endpoint.name) for endpoint in endpoints)
    lines = [f"  {one.name:<{longest}}  {one.label}" for one in endpoints]
    if max(map(len, lines)) > width:
        lines = [f"  {one.name}\n    {one.label}" for one in endpoints]
    yield from lines


def _few(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return list(lines)
    kept = lines[: _MOST_LINES - 1]
    return [*kept, f"  ... and {len(lines) - len(kept)} more lines like these"]


def _wrapped(text: str, width: int, indent: str = "  ") -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _matrix(report: AccessReport, width: int) -> str:
    if not len(report):
        return ""
    found = groups(report)
    names = [endpoint.name for endpoint in report.endpoints]
    widths = [max(len(name), len(Grant.GRANTED.value)) for name in names]
    # As much room for the ids as they need, if the rest leaves it.
    room = width - sum(widths) - 2 * len(widths)
    longest = max(8, *(len(id_list(ids)) for _, ids in found[:MOST_ROWS]))
    if room >= min(longest, _FEWEST_IDS):
        lines = list(_words(found, names, widths, min(longest, room)))
    else:
        ids = min(longest, _IDS, width // 2)
        lines = list(_signs(found, names, ids, width))
    if len(found) > MOST_ROWS:
        more = len(found) - MOST_ROWS
        lines.append(f"... and {more} more rows; the CSV has every cell")
    return "\n".join(line.rstrip() for line in lines)


def _words(
    found: Sequence[tuple[tuple[Grant, ...], list[int | str]]],
    names: Sequence[str],
    widths: Sequence[int],
    ids: int,
) -> Iterator[str]:
    """Yield a matrix of words, a column for each endpoint."""
    cells = zip(names, widths, strict=True)
    yield f"{'Provider':<{ids}}" + "".join(f"  {name:<{w}}" for name, w in cells)
    for pattern, providers in found[:MOST_ROWS]:
        cells = zip((grant.value for grant in pattern), widths, strict=True)
        line = "".join(f"  {text:<{w}}" for text, w in cells)
        yield f"{shortened(providers, ids):<{ids}}{line}"


def _signs(
    found: Sequence[tuple[tuple[Grant, ...], list[int | str]]],
    names: Sequence[str],
    ids: int,
    width: int,
) -> Iterator[str]:
    """Yield a matrix of signs below numbers, and what the numbers stand for."""
    signs = "   ".join(f"{sign} {grant.value}" for grant, sign in SIGNS.items())
    yield f"Providers   {signs}"
    step = width - ids - 2
    for begin in range(0, len(names), step):
        numbers = range(begin + 1, min(begin + step, len(names)) + 1)
        yield ""
        for digit in reversed(range(len(str(len(names))))):
            power = 10**digit
            shown = (str(n // power % 10) if n >= power else " " for n in numbers)
            yield f"{'':<{ids}}  {''.join(shown)}"
        for pattern, providers in found[:MOST_ROWS]:
            line = "".join(SIGNS[grant] for grant in pattern[begin : begin + step])
            yield f"{shortened(providers, ids):<{ids}}  {line}"
    yield ""
    longest = max(map(len, names))
    texts = [f"{number:>3} {name:<{longest}}" for number, name in enumerate(names, 1)]
    columns = max(1, (width + 2) // (len(texts[0]) + 2))
    height = -(-len(texts) // columns)
    for row in range(height):
        yield "  ".join(texts[row::height])
