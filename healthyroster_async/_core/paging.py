"""How a list that comes in pages is gone through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import evolve, frozen

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.schemas import Shape
from healthyroster_async._core.settings import check_number, check_type

Kind: TypeAlias = Literal["page", "offset", "token", "next", "link"]
# What each kind cannot do without.
_NEEDS: dict[str, tuple[str, ...]] = {
    "page": ("parameter",),
    "offset": ("parameter",),
    "token": ("parameter", "key"),
    "next": ("key",),
    "link": (),
}

# Words that services use, without case and separators, and without what stands before
# a dot ("request.limit") or a dollar sign ("$top").
_PAGE = ("page", "pagenumber", "pageindex", "pageno", "pagenum", "currentpage", "pg")
_OFFSET = ("offset", "skip", "startindex", "start")
_TOKEN = (
    "continuationtoken", "pagetoken", "nexttoken", "nextpagetoken", "cursor",
    "nextcursor", "continuation",
)  # fmt: skip
# These say how many items stand before, which is 0 for the first.
_LEFT_OUT = ("offset", "skip")
_SIZE = (
    "pagesize", "perpage", "limit", "take", "top", "rpp", "itemsperpage", "maxresults",
    "size",
)  # fmt: skip
NEXT = ("next", "nextlink", "nexturl", "nextpageurl", "nextpage", "odatanextlink")
_ITEMS = ("items", "data", "results", "value", "values", "records", "rows", "entries")
_TOTAL = ("totalcount", "total", "totalitems", "totalresults", "totalrecords")
_MORE = ("hasmore", "hasnext", "hasnextpage", "moreavailable")
# Objects that wrap what is said about a page.
WRAPPERS = ("links", "pagination", "paging", "meta", "page", "paginationresponse")
# What counts pages and items, and so tells nothing of what is on them.
COUNTING = frozenset(_PAGE + _OFFSET + _SIZE + _TOTAL)


@frozen(kw_only=True)
class Paging:
    """How a list comes in pages.

    Attributes:
        kind: ``page`` and ``offset`` count; ``token`` sends on what the last answer
            said; ``next`` follows a URL in the answer, ``link`` one in its ``Link``
            header (RFC 8288), on the same origin only.
        parameter: Name of the argument that moves on, of the first three kinds.
        key: Where the answer says the token or the URL, dots for deeper ones.
        items: Where the items stand in the answer; empty if the answer is the list.
        start: Number of the first page or item, or ``None`` to find out.
        size: Name of the argument that is the size of a page, if there is one.
    """

    kind: Kind
    parameter: str | None = None
    key: str | None = None
    items: str = ""
    start: int | None = None
    size: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.kind not in _NEEDS:
            raise ConfigurationError(
                f"the kind of paging is {self.kind!r}; give one of {', '.join(_NEEDS)}"
            )
        for name in ("parameter", "key", "items", "size"):
            value = getattr(self, name)
            if value is not None:
                check_type(name, value, str, "a text")
        for name in _NEEDS[self.kind]:
            if not getattr(self, name):
                raise ConfigurationError(f"paging by {self.kind} needs {name}=")
        if self.start is not None:
            check_number("start", self.start, least=0)


def plain(word: str) -> str:
    """Return a name as it is compared: ``request.PageSize`` is ``pagesize``."""
    return re.sub(r"[\W_]", "", word.rpartition(".")[2]).lower()


def detect(operation: Operation) -> Paging | None:
    """Return how the document says that a list comes in pages, if it does."""
    if operation.method != "GET" or operation.answer is None:
        return None
    found = _items(operation.answer)
    if found is None:
        return None
    given = {plain(p.wire): p for p in operation.parameters if p.where == "query"}

    def named(words: Iterable[str]) -> str | None:
        return next((given[word].name for word in words if word in given), None)

    size = named(_SIZE)
    token, page, offset = named(_TOKEN), named(_PAGE), named(_OFFSET)
    token_key = _key_of(operation.answer, _TOKEN)
    url_key = _key_of(operation.answer, NEXT)
    paging: Paging | None = None
    if token and token_key:
        paging = Paging(kind="token", parameter=token, key=token_key, items=found)
    elif url_key:
        paging = Paging(kind="next", key=url_key, items=found)
    elif "link" in operation.answer_headers:
        paging = Paging(kind="link", items=found)
    elif page:
        start = _start(operation, page)
        paging = Paging(kind="page", parameter=page, items=found, start=start)
    elif offset:
        start = _start(operation, offset)
        paging = Paging(kind="offset", parameter=offset, items=found, start=start)
    return None if paging is None else evolve(paging, size=size)


def _start(operation: Operation, name: str) -> int | None:
    """Return whether a parameter counts from 0 or from 1, if the document says so."""
    shape = next(p for p in operation.parameters if p.name == name).shape
    if type(shape.default) is int and shape.default in {0, 1}:
        return shape.default
    return 1 if shape.minimum == 1 else None


def _items(answer: Shape) -> str | None:
    """Return where the items stand in an answer, if that is clear."""
    if answer.kind == "array":
        return ""
    if answer.kind != "object":
        return None
    arrays = [m.wire for m in answer.members if m.shape.kind == "array"]
    if len(arrays) == 1:
        return arrays[0]
    named = [wire for wire in arrays if plain(wire) in _ITEMS]
    return named[0] if len(named) == 1 else None


def _key_of(answer: Shape, words: tuple[str, ...], depth: int = 0) -> str | None:
    if answer.kind != "object" or depth > len(WRAPPERS):
        return None
    for member in answer.members:
        if plain(member.wire) in words and member.shape.kind in {"text", "any"}:
            return member.wire
    for member in answer.members:
        if plain(member.wire) in WRAPPERS and member.shape.kind == "object":
            inner = _key_of(member.shape, words, depth + 1)
            if inner:
                return f"{member.wire}.{inner}"
    return None


def at(value: Any, key: str) -> Any:
    """Return what stands at a key with dots; ``None`` if nothing does."""
    found = value
    for step in key.split(".") if key else ():
        if not isinstance(found, Mapping):
            return None
        if step not in found:  # answers and documents may differ in case
            step = next((k for k in found if plain(k) == plain(step)), step)  # noqa: PLW2901
        found = found.get(step)
    return found


def _said(value: Any, words: tuple[str, ...]) -> Any:
    """Return what an answer says about its page under one of some words."""
    if not isinstance(value, Mapping):
        return None
    for key, inner in value.items():
        if plain(key) in words and not isinstance(inner, Mapping | list):
            return inner
    for key, inner in value.items():
        if plain(key) in WRAPPERS and isinstance(inner, Mapping):
            return _said(inner, words)
    return None


_LINK = re.compile(r'<([^<>]*)>\s*((?:;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^";,]*)\s*)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^";,\s]*))', re.IGNORECASE)


def next_link(header: str) -> str | None:
    """Return the URL of the next page in a ``Link`` header (RFC 8288, section 3)."""
    for url, parameters in _LINK.findall(header):
        for quoted, bare in _REL.findall(parameters):
            if "next" in (quoted or bare).lower().split():
                return str(url)
    return None


class PagesError(Exception):
    """The pages make no sense; the text says why."""


class Pages:
    """Goes from page to page: what to ask next, given what came.

    Attributes:
        paging: How the pages come.
    """

    def __init__(self, paging: Paging, arguments: Mapping[str, Any]) -> None:
        self.paging = paging
        self._arguments = dict(arguments)
        self._received = 0
        self._last: list[Any] = []
        self._seen: set[str] = set()
        given = self._arguments.get(paging.parameter or "")
        number: int | None = paging.start if given is None else given
        self._number = number or 0 if paging.kind == "offset" else number
        left_out = plain(paging.parameter or "").endswith(_LEFT_OUT)
        from_zero = paging.kind == "offset" and paging.start is None and left_out
        # Where the first number is not known, one call more loses nothing.
        usual = 0 if from_zero else 1
        self._first: int = usual if paging.start is None else paging.start
        # Who counts from 1 may take 0 for it.
        self._unsure = not number and paging.start != 0 and not from_zero
        self._probing = False

    def first(self) -> dict[str, Any]:
        """Return the arguments of the first call."""
        return self._with(self._number if self.paging.kind != "token" else None)

    def _with(self, value: Any) -> dict[str, Any]:
        parameter = self.paging.parameter
        if parameter is None or value is None:
            return dict(self._arguments)
        return self._arguments | {parameter: value}

    def turn(
        self, answer: Any, headers: Mapping[str, str]
    ) -> tuple[list[Any], dict[str, Any] | str | None]:
        """Take an answer and return its items and what to ask next.

        That is the arguments of the next call, or a URL, or ``None`` at the end.

        Raises:
            PagesError: There are no items where they should be, the same page or token
                came again, or it does not show where they begin.
        """
        items = at(answer, self.paging.items)
        if not isinstance(items, list):
            raise PagesError(
                "no list of items in the answer; give Paging(items=...) with the key "
                "they stand under"
            )
        if self.paging.kind in {"page", "offset"}:
            return self._count(answer, items)
        if self.paging.kind == "link":
            step: Any = next_link(headers.get("link", ""))
        else:
            step = at(answer, self.paging.key or "")
        if step is None or step == "":
            return items, None
        text = str(step)
        if text in self._seen:
            raise PagesError("the API pointed to the same page again")
        self._seen.add(text)
        return items, self._with(step) if self.paging.kind == "token" else text

    def _count(
        self, answer: Any, items: list[Any]
    ) -> tuple[list[Any], dict[str, Any] | None]:
        if self._probing:
            self._probing = False
            same = items == self._last  # 1 is the first: they count from one
            if self.paging.kind == "offset":
                if same and len(items) > 1 and items.count(items[0]) == len(items):
                    raise PagesError(
                        "all items are alike, so that it does not show whether they "
                        "count from 0 or 1; give Paging(start=...)"
                    )
                self._number = int(same)
                return [], self._with(self._number + self._received)
            if same:
                self._number = 2
                return [], self._with(2)
        elif items and items == self._last:
            raise PagesError(
                "the same page came twice: the API does not heed "
                f"{self.paging.parameter}; give paging= for the right argument"
            )
        self._last = items
        self._received += len(items)
        if not items or self._is_last(answer):
            return items, None
        if self._unsure:
            self._unsure = False
            said = _said(answer, _PAGE) if self.paging.kind == "page" else None
            if type(said) is not int or self._number not in {None, said}:
                # Whether they count from 0 or 1 shows in whether 1 is the same.
                self._probing, self._number = True, 1
                return items, self._with(1)
            self._number = said
        if self.paging.kind == "offset":
            return items, self._with((self._number or 0) + self._received)
        self._number = (self._number or 0) + 1
        return items, self._with(self._number)

    def _is_last(self, answer: Any) -> bool:
        if _said(answer, _MORE) is False:
            return True
        total = _said(answer, _TOTAL)
        before = 0
        if self.paging.kind == "offset":
            before = max(0, (self._number or 0) - self._first)
        if type(total) is int and total > 0 and self._from_start():
            return before + self._received >= total
        return False

    def _from_start(self) -> bool:
        """Return whether what was received can be compared with the total."""
        given = self._arguments.get(self.paging.parameter or "")
        return self.paging.kind == "offset" or given is None or given == 1


def shown(paging: Paging | None) -> str:
    """Return how pages come, for a person."""
    if paging is None:
        return "not paged, as far as the document says"
    parts = [f"by {paging.kind}"]
    if paging.parameter:
        parts.append(f"argument {paging.parameter}")
    if paging.size:
        parts.append(f"size {paging.size}")
    if paging.key:
        parts.append(f"next at {paging.key}")
    parts.append(
        f"items at {paging.items}" if paging.items else "the answer is the list"
    )
    return ", ".join(parts)
