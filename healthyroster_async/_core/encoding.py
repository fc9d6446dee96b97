"""How arguments are written into a query, a path, a header field or a form.

RFC 3986 for queries and paths, RFC 7578 for files; arrays in the collection formats of
Swagger 2.0 and the styles of OpenAPI 3.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from healthyroster_async._core.operation import Parameter
from healthyroster_async._core.values import File, json_body, plain_text

_ENDS = re.compile(r'[\x00-\x1f"\x7f-\x9f\u2028\u2029]')
# What stands in a cookie as it is (RFC 6265, section 4.1.1); an escape is one already.
_COOKIE = "!#$%&'()*+/:<=>?@[]^`{|}"
_BETWEEN = {"csv": ",", "ssv": " ", "tsv": "\t", "pipes": "|"}


def pairs(parameter: Parameter, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the names and texts that say a value in a query or a form."""
    name, style = parameter.wire, parameter.style
    if style == "json":
        yield name, json_body(value, parameter.name).decode()
    elif isinstance(value, list) and style == "multi":
        yield from ((name, single(parameter, item)) for item in value)
    elif isinstance(value, dict) and style in {"multi", "deep"}:
        for key, inner in value.items():
            if inner is None:
                continue
            inside = f"{name}[{key}]" if style == "deep" else key
            many = inner if isinstance(inner, list) else [inner]
            yield from ((inside, single(parameter, item)) for item in many)
    elif value not in ([], {}):
        yield name, line(parameter, value)


def line(parameter: Parameter, value: Any) -> str:
    """Return a value as one text, for a path or a header field."""
    if parameter.style == "json":
        return json_body(value, parameter.name).decode()
    between = _BETWEEN.get(parameter.style, ",")
    if isinstance(value, list):
        return between.join(single(parameter, item) for item in value)
    if isinstance(value, dict):
        inside = "=" if parameter.style == "multi" else between
        members = (
            (key, single(parameter, inner))
            for key, inner in value.items()
            if inner is not None
        )
        return between.join(map(inside.join, members))
    return single(parameter, value)


def cookie_value(parameter: Parameter, value: Any) -> str:
    """Return a value for a cookie: what would end it or begin another is escaped."""
    if isinstance(value, list | dict) and parameter.style == "multi":
        # Two cookies of one name, or an ampersand in one: servers do not agree.
        raise TypeError(
            f"{parameter.name} is a list or object that is exploded, which cannot be "
            "sent in a cookie: leave it out"
        )
    # The commas of a list stand between its items, as OpenAPI has them.
    safe = f"{_COOKIE}," if isinstance(value, list | dict) else _COOKIE
    return quote(line(parameter, value), safe=safe)


def single(parameter: Parameter, value: Any) -> str:
    """Return a single value as a text.

    Raises:
        TypeError: It is one that only a body can say.
    """
    if value is None or isinstance(value, File):
        what = "None" if value is None else "a file"
        raise TypeError(
            f"{parameter.name} is or holds {what}, which a {parameter.where} cannot "
            "say: leave it out"
        )
    return plain_text(value)


def query_of(given: list[tuple[str, str]]) -> str:
    """Return a query, ``?`` included, or nothing if it is empty."""
    if not given:
        return ""
    # OData's "$top" stands as it is: some servers do not undo an escaped dollar sign.
    said = (f"{quote(name, safe='$')}={quote(text, safe='')}" for name, text in given)
    return f"?{'&'.join(said)}"


def form_of(given: list[tuple[str, str]]) -> bytes:
    """Return a form, URL-encoded."""
    # A space as %20, which every server undoes; some take a plus sign for one.
    said = (f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in given)
    return "&".join(said).encode()


def multipart_of(given: list[tuple[str, str | File]]) -> tuple[bytes, str]:
    """Return a form with files, and the media type with its boundary (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, value in given:
        head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(value, File):
            head += (
                f'; filename="{_quoted(value.name)}"\r\n'
                f"Content-Type: {value.content_type}"
            )
            content = value.content
        else:
            content = value.encode()
        parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    # As browsers do (RFC 7578, section 2; HTML, "multipart form data"), and whatever
    # else some servers take for the end of a line.
    return _ENDS.sub(lambda found: quote(found[0]), text)
