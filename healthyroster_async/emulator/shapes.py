"""What a resource is: typed fields, arguments of its operations, ways to page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

IdKind: TypeAlias = Literal["int", "guid", "text"]
Many: TypeAlias = Literal["multi", "csv", "pipes"]
Test: TypeAlias = Literal["is", "any", "from", "to", "contains", "since"]
Verb: TypeAlias = Literal["list", "get", "create", "update", "delete"]
PagingKind: TypeAlias = Literal[
    "none", "page", "index", "offset", "skip", "token", "link", "next"
]

_INT = {"type": "integer", "format": "int32"}
_DATE_TIME = {"type": "string", "format": "date-time"}
TYPES: Mapping[str, Mapping[str, Any]] = {
    "bool": {"type": "boolean"},
    "double": {"type": "number", "format": "double"},
    "int": _INT,
    "score": _INT,
    "year": _INT,
    "long": {"type": "integer", "format": "int64"},
    "size": {"type": "integer", "format": "int64"},
    "date": {"type": "string", "format": "date"},
    "day": {"type": "string", "format": "date"},
    "birth": {"type": "string", "format": "date"},
    "utc": _DATE_TIME,
    "naive": _DATE_TIME,
    "offset": _DATE_TIME,
    "guid": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "format": "email"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
}
"""The schema of a kind, in OpenAPI 3.0; a kind that is not here is plain text."""


@frozen
class Field:
    """One field of an object.

    Attributes:
        name: Name in camelCase.
        kind: What is made up for it; ``link`` is the id of another resource, ``parent``
            the object above in a tree of the same resource, ``day`` a date that rises
            with the number of the object.
        of: The enum, model or resource that the kind needs.
        nulls: Share of objects without a value; above 0 the field is nullable.
        required: Whether a body that creates the object must have it.
        made: Whether only the server gives it a value.
    """

    name: str
    kind: str
    of: str = ""
    nulls: float = field(default=0.0, kw_only=True)
    required: bool = field(default=False, kw_only=True)
    made: bool = field(default=False, kw_only=True)


@frozen
class Argument:
    """One argument of an operation, beside the path.

    Attributes:
        name: Name as it is sent, never respelled.
        kind: Kind of the value, as in a field; ``file`` in a form only.
        text: What the document says about it.
        of: The enum of the kind ``enum``.
        many: How several values are written; ``None`` takes one.
        test: What the value does as a filter.
        column: The field that is filtered.
        place: Where it is sent.
        required: Whether it must be there.
        least: Least number.
        default: What its absence means.
    """

    name: str
    kind: str
    text: str
    of: str = field(default="", kw_only=True)
    many: Many | None = field(default=None, kw_only=True)
    test: Test = field(default="is", kw_only=True)
    column: str = field(default="", kw_only=True)
    place: Literal["query", "header", "form"] = field(default="query", kw_only=True)
    required: bool = field(default=False, kw_only=True)
    least: int | None = field(default=None, kw_only=True)
    default: int | None = field(default=None, kw_only=True)


@frozen(kw_only=True)
class Resource:
    """One kind of object that a Healthcare Provider has many of.

    Attributes:
        one: Name of one in PascalCase.
        many: Name of many in PascalCase.
        text: What the document says about it.
        fields: What an object has.
        verbs: Which operations there are.
        paging: How its list is cut into pages.
        filters: Arguments of its list, besides those of the pages.
        below: The resource whose objects each have many of these, if there is one.
        ids: What ids look like.
    """

    one: str
    many: str
    text: str
    fields: tuple[Field, ...] = field(repr=False)
    verbs: tuple[Verb, ...] = ("list", "get")
    paging: PagingKind = "none"
    filters: tuple[Argument, ...] = field(default=(), repr=False)
    below: str | None = None
    ids: IdKind = "int"

    @property
    def id_name(self) -> str:
        """Name of the id in a path."""
        return f"{self.one[0].lower()}{self.one[1:]}Id"
