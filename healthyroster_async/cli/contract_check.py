"""``healthyroster contract check``: what was understood, and what was not."""

from __future__ import annotations

import attrs
import rich_click as click
from rich.console import Console
from rich.text import Text

from healthyroster_async._core.contract_check import Check, Header, Problem, check
from healthyroster_async.cli import _console, _document, _options, _run

_WIDTH = 15
_NAMES_SHOWN = 3
_HOW = {
    "page": "by number",
    "offset": "by offset",
    "token": "by a token",
    "next": "by a URL in the answer",
    "link": "by a Link header",
}


@click.command("check")
@_document.swagger_argument
@_document.profile
@_options.as_json
def command(swagger: str | None, *, profile: str | None, as_json: bool) -> int:
    """Print what is understood of a swagger document, and what is not.

    SWAGGER is its path or https URL; without it, HEALTHYROSTER_SWAGGER or the profile
    says which. Base URLs and header fields that your settings give count as well.

    The exit code is 0 if a pool can be made of it, else 2.
    """
    source = _document.find(swagger, profile)
    found = check(source.document, source.given)
    if as_json:
        _console.write_json(attrs.asdict(found) | {"usable": found.usable})
    else:
        _show(_console.output(), found)
    return _run.DONE if found.usable else _run.WRONG_USE


def _show(console: Console, found: Check) -> None:
    for label, text in _lines(found):
        console.print(Text(f"{label:<{_WIDTH}}{_console.plain(text)}"))
    console.print()
    for problem in found.problems:
        console.print(Text(_sentence(problem)))
    if found.problems:
        console.print()
    if found.usable:
        count = len(found.problems)
        besides = "everything makes sense" if not count else _some(count, "problem")
        console.print(Text(f"OK: a pool can be made of it; {besides}.", "bold green"))
        return
    console.print(Text("A pool cannot be made of it yet.", style="bold red"))
    for setting in found.missing:
        console.print(Text(f"  give {setting}"))
    if found.refused:
        console.print(Text(f"  {_console.plain(found.refused)}"))


def _lines(found: Check) -> list[tuple[str, str]]:
    lines = [
        ("Document", f"{found.title or 'untitled'} {found.api_version}"),
        ("Version", _version(found.version)),
    ]
    if found.base_urls:
        lines += [(e.capitalize(), url) for e, url in found.base_urls.items()]
    else:
        lines.append(("Base URL", f"not known: the document {found.about_servers}"))
    lines += [
        ("Id header", _header(found.application_id_header, found.candidates)),
        ("Secret header", _header(found.application_secret_header, found.candidates)),
    ]
    counts = found.operations
    kinds = [
        f"{counts.safe} safe",
        f"{counts.total - counts.safe} not",
        *([f"{counts.deprecated} deprecated"] if counts.deprecated else []),
        *([f"{counts.unnamed} named by their paths"] if counts.unnamed else []),
    ]
    lines.append(("Operations", f"{counts.total}: {', '.join(kinds)}"))
    taken = [f"{n} take {name} from the session" for name, n in counts.provider.items()]
    if counts.without_provider or not taken:
        taken.append(f"{counts.without_provider} are about no provider")
    lines.append(("Provider", ", ".join(taken)))
    for label, spelled in found.reporting.items():
        text = "not in the document" if spelled is None else spelled
        lines.append(("Reporting", text if spelled else f"{text}: {label}"))
    for kind, names in found.paging.items():
        shown = ", ".join(names[:_NAMES_SHOWN])
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        lines.append(("Pages", f"{len(names)} {_HOW[kind]}: {shown}{more}"))
    if not found.paging:
        lines.append(("Pages", "no list comes in pages, as far as the document says"))
    lines.append(("Models", str(found.models)))
    # What one label has several of stands below it.
    labels = [label for label, _ in lines]
    return [
        ("" if n and labels[n - 1] == label else label, text)
        for n, (label, text) in enumerate(lines)
    ]


def _version(version: str) -> str:
    return f"Swagger {version}" if version == "2.0" else f"OpenAPI {version}"


def _header(header: Header, candidates: tuple[str, ...]) -> str:
    if header.name is not None:
        return f"{header.name} ({header.how})"
    named = ", ".join(candidates)
    return f"not clear; the document names {named or 'no header field for it'}"


def _sentence(problem: Problem) -> str:
    return f"at {_console.plain(problem.where)}: {_console.plain(problem.text)}"


def _some(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
