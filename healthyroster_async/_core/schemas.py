"""What a document says about values: their kinds, and the members of objects.

Everything is looked up when it is asked for, and once: a circular schema costs nothing,
and a pool that uses three endpoints does not pay for three hundred.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen

from healthyroster_async._core.document import (
    Document,
    mapping,
    pointer,
    sequence,
    text,
    texts,
    wrong,
)
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.headers import is_json
from healthyroster_async._core.naming import Names, distinct, identifier, pascal, snake

Kind: TypeAlias = Literal[
    "text", "integer", "number", "boolean", "array", "object", "map", "bytes", "any"
]
_KINDS: dict[str, Kind] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "file": "bytes",
}
_TYPES = frozenset({*_KINDS, "null"})
# Deeper than anybody nests, and far from the interpreter's own bound.
_DEEPEST = 60
_DEEPEST_PLACE = 200
_SAYS_NOTHING = frozenset({"allOf", "description", "nullable", "title", "x-nullable"})
# A model has these of its own.
_RESERVED_MEMBERS = ("extra",)
READING = threading.RLock()
"""Held by the thread that works out what others share: half of it would be wrong."""


@frozen(eq=False)
class Shape:
    """What one value looks like.

    Attributes:
        kind: Its kind; ``object`` has members, ``map`` has values of one shape under
            any key, ``any`` is whatever comes.
        format: The document's own word for the form of a text or number, such as
            ``date-time``.
        nullable: Whether it may be null.
        enum: What it is one of; empty if it is not bound to a list.
        default: What it is if it is not given.
        name: Name of the class of an object.
        description: What the document says about it.
        open: Whether an object may have members that the document does not name.
        where: Where it stands in the document.
    """

    kind: Kind
    where: str
    format: str = ""
    nullable: bool = False
    enum: tuple[Any, ...] = ()
    default: Any = None
    name: str = ""
    description: str = ""
    open: bool = True
    _raw: Mapping[str, Any] = field(factory=dict, repr=False, alias="raw")
    _parts: tuple[Shape, ...] = field(default=(), repr=False, alias="parts")
    _schemas: Schemas | None = field(default=None, repr=False, alias="schemas")

    @property
    def unknown_type(self) -> str:
        """The document's word for its type, if it is none there is."""
        said = self._raw.get("type")
        return said if isinstance(said, str) and said not in _TYPES else ""

    @property
    def media(self) -> str:
        """Media type of what a text of OpenAPI 3.1 holds, if the document says it."""
        return text(self._raw.get("contentMediaType"))

    @property
    def minimum(self) -> Any:
        """The least it may be, as the document has it."""
        return self._raw.get("minimum")

    @property
    def items(self) -> Shape:
        """Shape of each item of an array."""
        return self._inner("items")

    @property
    def values(self) -> Shape:
        """Shape of each value of a map."""
        return self._inner("additionalProperties")

    def _inner(self, key: str) -> Shape:
        raw = self._raw.get(key)
        if self._schemas is None or raw is None or isinstance(raw, bool | list):
            return ANY
        return self._schemas.shape(raw, pointer(self.where, key))

    @property
    def members(self) -> tuple[Member, ...]:
        """Members of an object, in the order of the document."""
        return () if self._schemas is None else self._schemas.members(self)


ANY = Shape("any", "#")


@frozen(eq=False)
class Member:
    """A member of an object.

    Attributes:
        name: Its name in Python, in snake_case.
        wire: Its key in the API.
        required: Whether the document says that it is always there.
        shape: What it looks like.
        read_only: Whether only answers have it.
    """

    name: str
    wire: str
    required: bool
    shape: Shape
    read_only: bool = False


class Schemas:
    """The schemas of a document, read when they are asked for.

    Attributes:
        problems: What made no sense in what has been read.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        # By identity: an alias of YAML gives one object in many places, and
        # the document keeps every object alive.
        self.problems: list[str] = []
        self._shapes: dict[int, Shape] = {}
        self._being_read: set[int] = set()
        self._members: dict[int, tuple[Member, ...]] = {}
        self._depth = 0
        self._components: dict[str, Any] = {}
        self._names = self._component_names()
        self._free = Names(self._names.values())

    def _component_names(self) -> dict[str, str]:
        """Return the name of the class of each named schema, by its place."""
        document = self._document
        if document.is_swagger_2:
            place, found = "#/definitions", document.raw.get("definitions")
        else:
            place = "#/components/schemas"
            parts = mapping(document.raw.get("components"), "#/components")
            found = parts.get("schemas")
        keys = list(mapping(found, place))
        # What follows the last dot is the class, unless two namespaces have one.
        short = [pascal(_last_part(key)) for key in keys]
        times = Counter(short)
        names = [
            name if times[name] == 1 else pascal(key)
            for name, key in zip(short, keys, strict=True)
        ]
        places = [pointer(place, key) for key in keys]
        self._components = dict(
            zip(places, mapping(found, place).values(), strict=True)
        )
        return dict(zip(places, distinct(names), strict=True))

    @property
    def named(self) -> dict[str, str]:
        """Places of the named schemas, by the name of their class."""
        return {name: where for where, name in self._names.items()}

    def at(self, where: str) -> Shape:
        """Return the shape of the named schema at a place."""
        return self.shape(self._components[where], where)

    def shape(self, raw: Any, where: str) -> Shape:
        """Return the shape that a schema describes.

        What makes no sense is kept in ``problems`` and may be anything: one bad schema
        of a document must not keep anybody from the rest.
        """
        if raw is None or isinstance(raw, bool):
            return ANY
        known = self._shapes.get(id(raw))
        if known is not None:
            return known
        with READING:
            return self._shapes.get(id(raw)) or self._read(raw, where)

    def _read(self, raw: Any, where: str) -> Shape:
        if id(raw) in self._being_read:
            return ANY  # what it is as long as it is being read
        self._being_read.add(id(raw))
        self._depth += 1
        made = ANY
        try:
            if self._depth > _DEEPEST or where.count("/") > _DEEPEST_PLACE:
                wrong(where, "schemas are nested too deep")
            made = self._make(mapping(raw, where), where)
        except ConfigurationError as error:
            self.problems.append(str(error))
        finally:
            self._depth -= 1
            self._being_read.discard(id(raw))
        self._shapes[id(raw)] = made
        return made

    def _make(self, raw: Mapping[str, Any], where: str) -> Shape:
        if "$ref" in raw:
            target, place = self._document.follow(raw, where)
            made = self.shape(target, place)
            if _nullable(raw) and not made.nullable:
                made = evolve(made, nullable=True)
            return made
        parts = self._parts(raw, where)
        if len(parts) == 1 and not set(raw) - _SAYS_NOTHING:
            return evolve(parts[0], nullable=parts[0].nullable or _nullable(raw))
        kind, nullable = self._kind(raw, where, parts)
        enum = raw.get("enum")
        values = tuple(enum) if isinstance(enum, list) else ()
        if "const" in raw:
            values = (raw["const"],)
        elif kind not in {"text", "integer", "number", "boolean"}:
            values = ()
        name = self._name(raw, where) if kind == "object" else ""
        shape = Shape(
            kind=kind,
            where=where,
            format=text(raw.get("format")).lower(),
            nullable=nullable or None in values,
            enum=tuple(v for v in values if isinstance(v, str | int | float)),
            default=raw.get("default"),
            name=name,
            description=text(raw.get("description")),
            open=raw.get("additionalProperties") is not False,
            raw=raw,
            parts=parts,
            schemas=self,
        )
        return self._variant(raw, where, shape) if kind == "any" else shape

    def _parts(self, raw: Mapping[str, Any], where: str) -> tuple[Shape, ...]:
        place = pointer(where, "allOf")
        found = sequence(raw.get("allOf"), place)
        return tuple(
            self.shape(part, pointer(place, n)) for n, part in enumerate(found)
        )

    def _kind(
        self, raw: Mapping[str, Any], where: str, parts: tuple[Shape, ...]
    ) -> tuple[Kind, bool]:
        said = raw.get("type")
        types = said if isinstance(said, list) else [] if said is None else [said]
        nullable = _nullable(raw) or "null" in types
        types = [t for t in types if t != "null"]
        kind: Kind = "any"
        if len(types) == 1:
            # Who writes by hand invents types; what they mean is not known.
            kind = _KINDS.get(text(types[0]), "any")
        elif not types:
            kind = _implied(raw, parts)
        if kind == "object" and not raw.get("properties"):
            kind = "object" if any(p.kind == "object" for p in parts) else "map"
        if kind == "text" and _is_file(raw):
            kind = "bytes"
        mapping(raw.get("properties"), pointer(where, "properties"))
        return kind, nullable

    def _variant(self, raw: Mapping[str, Any], where: str, shape: Shape) -> Shape:
        """Return the shape of what is one of several, if they are alike."""
        for key in ("oneOf", "anyOf"):
            place = pointer(where, key)
            found = sequence(raw.get(key), place)
            some = [
                self.shape(one, pointer(place, n))
                for n, one in enumerate(found)
                if not (isinstance(one, Mapping) and one.get("type") == "null")
            ]
            if len(some) == 1:
                nullable = some[0].nullable or shape.nullable or len(found) > 1
                return evolve(some[0], nullable=nullable)
        return shape

    def _name(self, raw: Mapping[str, Any], where: str) -> str:
        known = self._names.get(where)
        if known is not None:
            return known
        title = text(raw.get("title"))
        steps = [s.replace("~1", "/").replace("~0", "~") for s in where.split("/")]
        name = pascal(title) if title else _inline_name(steps, self._names)
        return self._free.give(name)

    def members(self, shape: Shape) -> tuple[Member, ...]:
        """Return the members of an object, those of its parts included."""
        raw = shape._raw  # noqa: SLF001 - ours
        known = self._members.get(id(raw))
        if known is not None:
            return known
        found: dict[str, tuple[bool, Shape, bool]] = {
            member.wire: (member.required, member.shape, member.read_only)
            for part in shape._parts  # noqa: SLF001 - ours
            for member in part.members
        }
        required = set(texts(raw.get("required")))  # 2.0 has a bool there
        place = pointer(shape.where, "properties")
        for wire, schema in mapping(raw.get("properties"), place).items():
            inner = self.shape(schema, pointer(place, wire))
            own = isinstance(schema, Mapping) and schema.get("readOnly") is True
            found[wire] = (wire in required, inner, own)
        names = distinct((snake(wire) for wire in found), _RESERVED_MEMBERS)
        made = tuple(
            Member(name, wire, is_required or wire in required, inner, read_only)
            for name, (wire, (is_required, inner, read_only)) in zip(
                names, found.items(), strict=True
            )
        )
        self._members[id(raw)] = made
        return made


def _is_file(raw: Mapping[str, Any]) -> bool:
    """Return whether a text of a document is a file: OpenAPI 3.0 and 3.1 differ."""
    if text(raw.get("format")).lower() == "binary":
        return True
    media = text(raw.get("contentMediaType")).lower()
    # What is a text in itself is given as one, and so is what is encoded as one.
    is_text = media.startswith("text/") or media.endswith("xml") or is_json(media)
    return not is_text and "contentEncoding" not in raw


def _nullable(raw: Mapping[str, Any]) -> bool:
    return raw.get("nullable") is True or raw.get("x-nullable") is True


def _implied(raw: Mapping[str, Any], parts: tuple[Shape, ...]) -> Kind:
    """Return the kind of a schema that does not name its type."""
    if raw.get("properties") or any(p.kind == "object" for p in parts):
        return "object"
    if "items" in raw:
        return "array"
    if isinstance(raw.get("additionalProperties"), Mapping):
        return "map"
    kinds: set[Kind] = {p.kind for p in parts if p.kind != "any"}
    if len(kinds) == 1:
        return kinds.pop()
    enum = raw.get("enum")
    if isinstance(enum, list) and enum and all(isinstance(v, str) for v in enum):
        return "text"
    return "any"


def _last_part(key: str) -> str:
    """Return the class of a full name: ``Clinic.Models.Patient`` is a ``Patient``."""
    outer, bracket, inner = key.partition("[")
    return outer.rpartition(".")[2] + bracket + inner


def _inline_name(steps: list[str], names: Mapping[str, str]) -> str:
    """Return a name of a schema without one, made of the way to it."""
    for end in range(len(steps), 1, -1):
        base = names.get("/".join(steps[:end]))
        if base is not None:
            rest = [s for s in steps[end:] if s not in {"properties", "items"}]
            return pascal(" ".join([base, *rest]))
    skipped = {"#", "paths", "responses", "content", "schema", "items", "properties"}
    rest = [s for s in steps if s not in skipped and "/" not in s.strip("/")]
    return pascal(" ".join(rest)) if rest else identifier("Answer")
