"""What the API answers, before anything of it is sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from attrs import evolve, field, frozen

from healthyroster_async.emulator.schema import Casing, Source, cased, cased_keys
from healthyroster_async.emulator.selection import Selection
from healthyroster_async.emulator.settings import Settings

_JSON = "application/json; charset=utf-8"
_PROBLEM = "application/problem+json; charset=utf-8"
_SECTIONS = {400: "5.1", 401: "5.2", 403: "5.4", 404: "5.5", 405: "5.6", 415: "5.16"}
_SERVER_ERRORS = 500

_IIS_PAGE = """\
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" \
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head><title>{status} - {title}</title></head>
<body><div id="header"><h1>Server Error</h1></div>
<div id="content"><fieldset><h2>{status} - {title}</h2>
<h3>There is a problem with the resource you are looking for.</h3>
</fieldset></div></body></html>
"""


@frozen(kw_only=True)
class Answer:
    """One answer.

    Attributes:
        status: HTTP status code.
        pieces: The body; rows are made while it is sent.
        content_type: Value of Content-Type; empty for none.
        headers: More header fields.
        rows: How many rows the body holds; ``None`` if it holds something else.
    """

    status: int = 200
    pieces: Iterable[bytes] = field(default=(), repr=False)
    content_type: str = _JSON
    headers: Mapping[str, str] = field(factory=dict)
    rows: int | None = None


def trace_id(number: int) -> str:
    """Return a trace id in the form of W3C Trace Context, as ASP.NET shows them."""
    digits = uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex
    return f"00-{digits}-{digits[:16]}-00"


def problem(
    status: int,
    trace: str,
    *,
    detail: str | None = None,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an error with ProblemDetails (RFC 9457), as ASP.NET writes them."""
    section = _SECTIONS.get(status, "6.1" if status >= _SERVER_ERRORS else "5")
    body: dict[str, Any] = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-15.{section}",
        "title": title(status),
        "status": status,
    }
    if detail is not None:
        body["detail"] = detail
    if errors is not None:
        body["title"] = "One or more validation errors occurred."
        body["errors"] = errors
    body["traceId"] = trace
    return Answer(
        status=status,
        pieces=(orjson.dumps(body),),
        content_type=_PROBLEM,
        headers=headers or {},
    )


def with_headers(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """Return the same answer with more header fields."""
    return evolve(answer, headers={**answer.headers, **headers})


def title(status: int) -> str:
    """Return the phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def error_page(status: int, headers: Mapping[str, str]) -> Answer:
    """Return the kind of page that IIS shows when the application is not there."""
    page = _IIS_PAGE.format(status=status, title=title(status))
    return Answer(
        status=status,
        pieces=(page.encode(),),
        content_type="text/html",
        headers=headers,
    )


def data_sources(settings: Settings, sources: Iterable[Source]) -> Answer:
    """Return the list of data sources."""
    listed = [
        {
            "id": settings.source_id(source),
            "name": source.name,
            "description": source.description,
        }
        for source in sources
    ]
    raw = _dump(listed, settings)
    return Answer(
        pieces=wrapped((raw,), settings.list_envelope, len(listed), settings.key_casing)
    )


def data_source(settings: Settings, source: Source) -> Answer:
    """Return one data source with its fields and parameters."""
    casing = settings.key_casing
    described: dict[str, Any] = {
        "id": settings.source_id(source),
        "name": source.name,
        "description": source.description,
        "fields": [
            {
                "name": cased(column.name, casing),
                "type": _provider_type(settings)
                if column.kind == "provider"
                else column.type,
                "description": column.description,
                "nullable": column.nulls > 0,
            }
            for column in source.columns(nested=settings.nested)
        ],
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "required": False,
                "description": parameter.description,
            }
            | ({"allowedValues": parameter.values} if parameter.values else {})
            for parameter in source.parameters
        ],
    }
    return Answer(pieces=(_dump(described, settings),))


def rows(settings: Settings, selection: Selection, pieces: Iterator[bytes]) -> Answer:
    """Return rows; *pieces* is the array of them."""
    count = selection.count
    return Answer(
        pieces=wrapped(pieces, settings.envelope, count, settings.key_casing),
        rows=count,
    )


def wrapped(
    array: Iterable[bytes], envelope: str | None, count: int, casing: Casing
) -> Iterator[bytes]:
    """Yield an array, in the middle of the object that stands around it, if any."""
    if envelope is None:
        yield from array
        return
    before: dict[str, Any] = {
        "totalCount": count,
        "hasMore": False,
        "title": 'An answer with "quotes", [brackets] and {braces}',
        "scopes": ["reporting:read", '},{"id":0', "]"],
        "query": {"version": 2, "sort": [], "note": "[{"},
    }
    after: dict[str, Any] = {
        "warnings": [{"code": "W1", "text": 'Not a row: {"id":1}'}],
        "links": {"self": None, "next": None},
        "elapsedMilliseconds": 12.5,
    }
    *outer, key = envelope.split(".")
    opening = [_members(before, casing, {*outer, key})]
    closing = [_members(after, casing, {*outer, key})]
    for name in reversed(outer):
        opening.insert(0, _members({"apiVersion": "v1"}, casing, {name}))
        closing.append(_members({"status": "ok"}, casing, {name}))
    levels = [
        b"{%b,%b:" % (members, orjson.dumps(name))
        for members, name in zip(opening, [*outer, key], strict=True)
    ]
    yield b"".join(levels)
    yield from array
    yield b"".join(b",%b}" % members for members in closing)


def _members(values: Mapping[str, Any], casing: Casing, taken: set[str]) -> bytes:
    """Return members of an object without its braces, but never a key twice."""
    spelled = {cased(name, casing): value for name, value in values.items()}
    free = {name: value for name, value in spelled.items() if name not in taken}
    return orjson.dumps(free)[1:-1]


def _dump(value: Any, settings: Settings) -> bytes:
    option = orjson.OPT_INDENT_2 if settings.pretty else 0
    return orjson.dumps(cased_keys(value, settings.key_casing), option=option)


def _provider_type(settings: Settings) -> str:
    return "integer" if settings.whole_ids else "string"


def cut(pieces: Iterable[bytes], after: int) -> Iterator[bytes]:
    """Yield the beginning of a body: so many bytes, but never all of it.

    A body that is shorter loses its second half.
    """
    kept = b""
    iterator = iter(pieces)
    # One byte more than asked for shows that the body goes on after the cut.
    for piece in iterator:
        if len(kept) + len(piece) > after:
            yield (kept + piece)[:after]
            return
        # Sending must not wait for a cut that is far away.
        if len(kept) > 2**16:
            yield kept[:-1]
            after -= len(kept) - 1
            kept = kept[-1:]
        kept += piece
    yield kept[: len(kept) // 2]
