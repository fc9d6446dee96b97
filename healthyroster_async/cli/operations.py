"""``healthyroster operations``: what the swagger document has, and each in detail."""

from __future__ import annotations

from typing import Any

import rich_click as click
from rich.console import Console
from rich.text import Text

from healthyroster_async._core.operation import Operation
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.paging import detect, shown
from healthyroster_async._core.walking import readable
from healthyroster_async._schema_models import annotation, returned
from healthyroster_async.cli import _console, _document, _options

_VALUES_SHOWN = 12
_NAME_WIDTH = 40


@click.command("operations")
@click.argument("search", nargs=-1)
@click.option("--tag", metavar="TAG", help="Only operations of this group.")
@_options.swagger
@_document.profile
@_options.as_json
def command(
    search: tuple[str, ...],
    *,
    tag: str | None,
    swagger: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """List the operations of the swagger document; no credentials are needed.

    SEARCH is words, of which all must occur in the name, path, tags or description. The
    exact name or operationId of one shows all that is known of it.
    """
    operations = _document.find(swagger, profile).operations()
    exact = _named(operations, " ".join(search))
    if exact is not None and tag is None:
        _show_one(exact, as_json=as_json)
        return
    every, wrong = readable(operations)
    found = [o for o in every if _matches(o, search, tag)]
    if as_json:
        _console.write_json([_brief(operation) for operation in found])
    elif found:
        _show_table(_console.output(), found)
    if wrong:
        count = (
            "1 operation makes" if len(wrong) == 1 else f"{len(wrong)} operations make"
        )
        _console.message(f"{count} no sense: see healthyroster contract check")
    if not found:
        raise click.ClickException(_nothing(operations, search, tag))


def _named(operations: Operations, name: str) -> Operation | None:
    """Return the operation of a name or operationId, if there is one."""
    return operations.find(name) if name and operations.has(name) else None


def _matches(operation: Operation, search: tuple[str, ...], tag: str | None) -> bool:
    if tag is not None and tag.casefold() not in map(str.casefold, operation.tags):
        return False
    text = " ".join(
        [
            operation.name,
            operation.operation_id or "",
            operation.endpoint.label,
            operation.summary,
            operation.description,
            *operation.tags,
        ]
    ).casefold()
    return all(word.casefold() in text for word in search)


def _nothing(operations: Operations, search: tuple[str, ...], tag: str | None) -> str:
    if not operations:
        return "the swagger document has no operations"
    words = " ".join(search)
    near = operations.near(words) if words and tag is None else []
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    about = f" about {words!r}" if words else ""
    return f"there is no operation{about}{f' in {tag!r}' if tag else ''}{hint}"


def _show_table(console: Console, found: list[Operation]) -> None:
    table = _console.table(console, "Name", "Method and path", "Summary")
    # The name is what is typed next: it is the last to be folded.
    longest = max(len(operation.name) for operation in found)
    table.columns[0].min_width = min(longest, _NAME_WIDTH)
    for operation in found:
        about = operation.summary or _first_line(operation.description)
        marks = "(deprecated) " if operation.deprecated else ""
        cells = (operation.name, operation.endpoint.label, marks + about)
        table.add_row(*map(_console.plain, cells))
    console.print(table)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _show_one(operation: Operation, *, as_json: bool) -> None:
    if as_json:
        _console.write_json(_detail(operation))
        return
    console = _console.output()
    console.print(Text(_console.plain(operation.name), style="bold"))
    for label, line in _about(operation):
        console.print(Text(f"{label:<10}{_console.plain(line)}"))
    if operation.parameters:
        console.print()
        table = _console.table(console, "Argument", "Type", "Where", "Required", "What")
        for one in _arguments(operation):
            required = "yes" if one["required"] else "no"
            said = " ".join([one["description"], _values(one["enum"])]).strip()
            cells = (one["name"], one["type"], one["where"], required, said)
            table.add_row(*map(_console.plain, cells))
        console.print(table)
    members = _members(operation)
    if members:
        console.print()
        table = _console.table(console, "Answer", "Type", "Key", "What")
        for one in members:
            said = " ".join([one["description"], _values(one["enum"])]).strip()
            texts = (one["name"], one["type"], one["key"], said)
            table.add_row(*map(_console.plain, texts))
        console.print(table)


def _about(operation: Operation) -> list[tuple[str, str]]:
    detail = _detail(operation)
    said = dict.fromkeys((operation.summary, _line(operation.description)))
    provider = detail["provider"]
    taken = f"{provider}, taken from the session" if provider else "not asked for"
    lines = [
        ("Call", operation.endpoint.label),
        *(("", text) for text in said if text),
        ("Id", operation.operation_id or ""),
        ("Tags", ", ".join(operation.tags)),
        ("Warning", "deprecated" if operation.deprecated else ""),
        ("Safe", "yes: a failed attempt is repeated" if operation.safe else "no"),
        ("Provider", taken),
        ("Body", operation.body_type or ""),
        ("Answer", detail["answer"]),
        ("Pages", detail["paging"]),
    ]
    return [(label, text) for label, text in lines if text]


def _brief(operation: Operation) -> dict[str, Any]:
    return {
        "name": operation.name,
        "operation_id": operation.operation_id,
        "method": operation.method,
        "path": operation.template,
        "summary": operation.summary,
        "tags": list(operation.tags),
        "safe": operation.safe,
        "deprecated": operation.deprecated,
    }


def _detail(operation: Operation) -> dict[str, Any]:
    provider = operation.provider
    return _brief(operation) | {
        "description": operation.description,
        "provider": None if provider is None else provider.wire,
        "body_type": operation.body_type,
        "arguments": _arguments(operation),
        "answer": returned(operation.described) or "not described",
        "answer_members": _members(operation),
        "paging": shown(detect(operation)),
    }


def _arguments(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": p.name,
            "type": _as_argument(annotation(p.shape)),
            "where": p.where,
            "required": p.required,
            "enum": list(p.shape.enum),
            "default": p.shape.default,
            "description": _line(p.description or p.shape.description),
        }
        for p in operation.parameters
    ]


def _members(operation: Operation) -> list[dict[str, Any]]:
    """Return the members of an answer, or of each item of one that is a list."""
    shape = operation.answer
    if shape is not None and shape.kind == "array":
        shape = shape.items
    return [
        {
            "name": member.name,
            "type": annotation(member.shape),
            "key": member.wire,
            "enum": list(member.shape.enum),
            "description": _line(member.shape.description),
        }
        for member in (shape.members if shape is not None else ())
    ]


def _as_argument(kind: str) -> str:
    """Return a type as callers give it: any list will do where models have tuples."""
    return kind.replace("tuple[", "list[").replace(", ...]", "]")


def _line(text: str) -> str:
    return " ".join(text.split())


def _values(enum: list[Any]) -> str:
    if not enum:
        return ""
    shown_values = ", ".join(map(str, enum[:_VALUES_SHOWN]))
    more = f", ... ({len(enum)} in all)" if len(enum) > _VALUES_SHOWN else ""
    return f"One of {shown_values}{more}."
