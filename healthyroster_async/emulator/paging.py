"""The ways in which lists are cut into pages; every resource has one of them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from healthyroster_async.emulator.shapes import Argument, PagingKind

PAGE_SIZE = 25
"""Objects of a page if a request does not say how many."""


def _size(name: str) -> Argument:
    text = "Objects of a page. More than the server allows are cut without a word."
    return Argument(name, "int", text, least=1, default=PAGE_SIZE)


def _start(name: str, text: str, least: int = 0) -> Argument:
    return Argument(name, "int", text, least=least, default=least)


_TOKEN = Argument(
    "continuationToken", "text", "What the page before said; none for the first page."
)
_CURSOR = Argument("cursor", "text", "Part of the address that the page before said.")
_PAGE = _start("page", "Number of the page, from 1.", 1)

ARGUMENTS: Mapping[PagingKind, tuple[Argument, ...]] = {
    "none": (),
    "page": (_PAGE, _size("pageSize")),
    "index": (_start("pageIndex", "Number of the page, from 0."), _size("pageSize")),
    "offset": (_start("offset", "Objects before the page."), _size("limit")),
    "skip": (_start("skip", "Objects before the page."), _size("top")),
    "token": (_TOKEN, _size("pageSize")),
    "link": (_PAGE, _size("perPage")),
    "next": (_CURSOR, _size("limit")),
}
"""Arguments of a list: where the page begins, and how long it is."""

ENVELOPES: Mapping[PagingKind, tuple[str, ...]] = {
    "page": ("items", "totalCount", "page", "pageSize"),
    "offset": ("results", "total"),
    "skip": ("value", "count"),
    "token": ("items", "continuationToken"),
    "next": ("items", "next"),
}
"""Keys of the object around a page, its list first; the others are bare arrays."""


class BadTokenError(ValueError):
    """A token that the server never gave out.

    Attributes:
        name: The argument.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@frozen(kw_only=True)
class Page:
    """One page of a list.

    Attributes:
        numbers: Numbers of the objects on it.
        members: What stands beside the list in the object around it.
        more: Arguments of the next page; ``None`` if this is the last one.
    """

    numbers: Sequence[int]
    members: Mapping[str, Any] = field(factory=dict)
    more: Mapping[str, Any] | None = None


def cut(
    kind: PagingKind, numbers: Sequence[int], given: Mapping[str, Any], most: int
) -> Page:
    """Return the page that was asked for.

    Args:
        kind: How the list is cut.
        numbers: Numbers of all objects of the list.
        given: Arguments of the page.
        most: Objects of a page at most.

    Raises:
        BadTokenError: A token was made up by the client.
    """
    if kind == "none":
        return Page(numbers=numbers)
    where, length = ARGUMENTS[kind]
    size = min(most, given[length.name])
    at: Any = given.get(where.name)
    start = _STARTS[kind](where, at, size)
    total, end = len(numbers), start + size
    more: dict[str, Any] | None = None
    if end < total:
        # A server that cuts the size tells the size it has cut to, as RFC 8288 links.
        after = at + 1 if kind == "link" else _token(end)
        more = {where.name: after, length.name: size}
    members = {
        "totalCount": total,
        "total": total,
        "count": total,
        "page": at,
        "pageSize": size,
        "continuationToken": more and more[where.name],
    }
    return Page(
        numbers=numbers[start:end],
        members={key: members.get(key) for key in ENVELOPES.get(kind, ())[1:]},
        more=more,
    )


def _token(start: int) -> str:
    # Plus signs, slashes and equals signs: a client that does not quote them is seen.
    return base64.b64encode(b"\xfb\xff%d" % start).decode()


def _from_token(where: Argument, at: str | None, _: int) -> int:
    if at is None:
        return 0
    try:
        start = int(base64.b64decode(at, validate=True).removeprefix(b"\xfb\xff"))
    except ValueError:
        raise BadTokenError(where.name) from None
    if _token(start) != at:
        raise BadTokenError(where.name)
    return start


def _from_page(where: Argument, at: int, size: int) -> int:
    return (at - (where.least or 0)) * size


_STARTS: Mapping[PagingKind, Callable[[Argument, Any, int], int]] = {
    "page": _from_page,
    "index": _from_page,
    "link": _from_page,
    "offset": lambda _, at, __: int(at),
    "skip": lambda _, at, __: int(at),
    "token": _from_token,
    "next": _from_token,
}
