"""Tables for notebooks: no script, and readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

_MOST = 200
# JupyterLab's colour where there is one, else one that shows in light and dark.
_LINE = "border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.3))"
_CELL = f"text-align:left;vertical-align:top;padding:2px 12px 2px 0;{_LINE}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a title and a table under it; everything in it is escaped.

    Args:
        title: A line of text.
        columns: Their headings.
        rows: What stands in the cells; ``None`` is an empty one.
    """
    waiting = iter(rows)
    head = "".join(
        f'<th scope="col" style="{_CELL}">{_text(name)}</th>' for name in columns
    )
    body = "".join(
        f"<tr>{''.join(map(_cell, row))}</tr>" for row in islice(waiting, _MOST)
    )
    left = sum(1 for _ in waiting)
    more = f"<div>and {left:,} more</div>" if left else ""
    return (
        f'<div style="margin-bottom:.8em"><strong>{_text(title)}</strong>'
        f'<table style="border-collapse:collapse;text-align:left">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
    )


def _cell(value: object) -> str:
    text = "" if value is None else _text(value)
    return f'<td style="{_CELL}">{text}</td>'


def _text(value: object) -> str:
    # Few ever show a table.
    from html import escape  # noqa: PLC0415

    from healthyroster_async._core.access_text import plain  # noqa: PLC0415

    return escape(plain(" ".join(str(value).split())))
