"""``healthyroster contract diff``: what a vendor's update breaks."""

from __future__ import annotations

from typing import get_args

import attrs
import rich_click as click
from rich.console import Console
from rich.text import Text

from healthyroster_async._core.contract_diff import Diff, diff
from healthyroster_async._core.document import Document
from healthyroster_async._core.loading import load
from healthyroster_async._core.shape_diff import Weight
from healthyroster_async.cli import _console, _options, _run

_TITLES: dict[Weight, tuple[str, str]] = {
    "breaks": ("Breaks", "bold red"),
    "may break": ("May break", "bold yellow"),
    "new": ("New", "bold green"),
}


@click.command("diff")
@click.argument("old")
@click.argument("new")
@_options.as_json
def command(old: str, new: str, *, as_json: bool) -> int:
    """Say what callers of the OLD swagger document notice of the NEW one.

    Both are paths or https URLs.

    The exit code is 1 if something breaks, else 0.
    """
    found = diff(Document.of(load(old)), Document.of(load(new)))
    if as_json:
        changes = [attrs.asdict(change) for change in found.changes]
        _console.write_json({"breaks": found.breaks, "changes": changes})
    else:
        _show(_console.output(), found)
    return _run.FAILED if found.breaks else _run.DONE


def _show(console: Console, found: Diff) -> None:
    if not found.changes:
        console.print("Callers notice nothing.")
        return
    for number, weight in enumerate(w for w in get_args(Weight) if found.of(w)):
        if number:
            console.print()
        title, style = _TITLES[weight]
        changes = found.of(weight)
        console.print(Text(f"{title} ({len(changes)})", style=style))
        for change in changes:
            where, text = _console.plain(change.where), _console.plain(change.text)
            console.print(Text(f"  {where}: {text}"))
