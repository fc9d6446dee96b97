"""Classes made from the schemas of a document, and what fills them.

They stand drift: a value that does not fit is kept as it came, a missing one is
``None``, and what the document does not name is kept in ``extra``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, SupportsIndex, TypeAlias
from weakref import WeakValueDictionary

import attrs
from typing_extensions import override

from healthyroster_async._core.headers import is_json
from healthyroster_async._core.messages import Response
from healthyroster_async._core.naming import snake
from healthyroster_async._core.schemas import READING, Schemas, Shape
from healthyroster_async._shapes import Hook, Member, Reader, readers_of
from healthyroster_async.models import Model

_NONE = type(None)
_AS_IT_IS: dict[str, frozenset[type]] = {
    "text": frozenset({str, _NONE}),
    "integer": frozenset({int, _NONE}),
    "number": frozenset({int, float, _NONE}),
    "boolean": frozenset({bool, _NONE}),
}
_PYTHON = {
    "text": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "bytes": "bytes",
    "any": "Any",
}
# Deeper than anybody nests lists, and far from the interpreter's own bound.
_DEEPEST, _DEEPEST_LISTS = 8, 60
# Name of the classes of a module by their places, for objects that have no name.
PLACES = "__places__"
# Name, a line for each member with its type, and description. Texts are quick to copy.
_MadeOf: TypeAlias = tuple[str, str, str]
_MOMENTS: dict[str, type[date]] = {"date": date, "date-time": datetime}


def annotation(shape: Shape, within: tuple[str, ...] = ()) -> str:
    """Return the type of a shape as Python writes it.

    Args:
        shape: The shape.
        within: Places of what it stands in: a list that holds itself has no end.
    """
    if shape.where in within or len(within) > _DEEPEST:
        return "Any"
    around = (*within, shape.where)
    if shape.kind == "array":
        return f"tuple[{annotation(shape.items, around)}, ...]"
    if shape.kind == "map":
        return f"dict[str, {annotation(shape.values, around)}]"
    if shape.kind == "object":
        return shape.name
    if shape.kind == "text" and shape.format in _MOMENTS:
        return _MOMENTS[shape.format].__name__
    return _PYTHON[shape.kind]


def returned(shapes: Iterable[Shape]) -> str:
    """Return the type of an answer that looks like one of some shapes."""
    return " | ".join(dict.fromkeys(_returned(annotation(one)) for one in shapes))


def _returned(text: str) -> str:
    """Return the type of an answer, whose outermost list belongs to the caller."""
    inner = text.removeprefix("tuple[").removesuffix(", ...]")
    return text if inner == text else f"list[{inner}]"


class Models:
    """The classes of a document's objects, each made when it is asked for.

    They are attributes: ``models.Patient``. ``dir(models)`` has all of them.
    """

    def __init__(
        self, schemas: Schemas, classes: Mapping[str, type] | None = None
    ) -> None:
        self._schemas = schemas
        self._given = {} if classes is None else classes
        self._classes: dict[str, type] = {}
        self._hooks: dict[str, Hook] = {}
        self._depth = 0

    def __getattr__(self, name: str) -> type:
        if name.startswith("_"):
            raise AttributeError(name)
        place = self._schemas.named.get(name)
        shape = None if place is None else self._schemas.at(place)
        if shape is None or shape.kind != "object":
            raise AttributeError(f"the swagger document has no object {name!r}")
        return self.model(shape)

    @override
    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def __iter__(self) -> Iterator[str]:
        for name, place in self._schemas.named.items():
            if self._schemas.at(place).kind == "object":
                yield name

    @override
    def __repr__(self) -> str:
        return f"<Models: {', '.join(self)}>"

    def model(self, shape: Shape) -> type:
        """Return the class of an object."""
        known = self._classes.get(shape.where)
        if known is None:
            made = self._given_for(shape) or _made(shape)
            known = self._classes.setdefault(shape.where, made)  # the first one's
        return known

    def _given_for(self, shape: Shape) -> type | None:
        # Who has no name of its own is known by its place: its name depends on what
        # was read before.
        name = shape.name if shape.name in self._schemas.named else ""
        return self._given.get(shape.where) or self._given.get(name)

    def hook(self, shape: Shape) -> Hook:
        """Return what turns a value of an answer into what a user gets."""
        with READING:
            return self._hook(shape)

    def _hook(self, shape: Shape) -> Hook:
        known = self._hooks.get(shape.where)
        if known is not None:
            return known
        # What holds itself finds what is being made, once it is.
        later: Hook = lambda value: self._hooks[shape.where](value)  # noqa: E731, PLW0108
        self._hooks[shape.where] = later
        self._depth += 1
        try:
            made = _kept if self._depth > _DEEPEST_LISTS else self._make(shape)
        finally:
            self._depth -= 1
        self._hooks[shape.where] = made
        return made

    def _make(self, shape: Shape) -> Hook:
        if shape.kind == "object":
            return self._object(shape)
        if shape.kind == "array":
            many = self.list_hook(shape)
            return lambda value: tuple(many(value)) if type(value) is list else value
        if shape.kind == "map" and shape.values.kind != "any":
            inner = self.hook(shape.values)
            return lambda value: (
                {key: inner(one) for key, one in value.items()}
                if type(value) is dict
                else value
            )
        if shape.kind == "text" and shape.format in _MOMENTS:
            return _moment(_MOMENTS[shape.format])
        return _kept

    def list_hook(self, shape: Shape) -> Callable[[list[Any]], list[Any]]:
        """Return what turns the items of an array into what a user gets."""
        inner = self.hook(shape.items)
        return lambda value: [inner(item) for item in value]

    def _object(self, shape: Shape) -> Hook:
        reader: Callable[[tuple[str, ...]], Reader] | None = None
        last: tuple[str, ...] | None = None
        read: Reader = _kept

        def structure(value: Any) -> Any:
            nonlocal reader, last, read
            if type(value) is not dict:
                return value
            keys = tuple(value)
            # Most objects of a list have the keys of the one before.
            if keys != last:
                if reader is None:
                    reader = self._reader(shape)
                read, last = reader(keys), keys
            return read(value)

        return structure

    def _reader(self, shape: Shape) -> Callable[[tuple[str, ...]], Reader]:
        model = self.model(shape)
        # A class that was written for another version of the document has others.
        names = [a.name for a in attrs.fields(model) if a.name != "extra"]
        known = [m for m in shape.members if m.name in names]
        gone = set(names) - {m.name for m in known}
        members = tuple(
            Member(
                name=member.name,
                default=None,
                as_it_is=(
                    frozenset({_NONE})
                    if member.shape.format in _MOMENTS
                    else _AS_IT_IS.get(member.shape.kind, frozenset())
                ),
                hook=self.hook(member.shape),
            )
            for member in known
        )
        members += tuple(
            Member(name=name, default=None, as_it_is=frozenset({_NONE}), hook=_kept)
            for name in sorted(gone)
        )
        wires = {m.wire: m.name for m in known}
        return readers_of(
            model, members, wires, {snake(w): n for w, n in wires.items()}
        )


def _kept(value: Any) -> Any:
    return value


def _moment(kind: type[date]) -> Hook:
    def structure(value: Any) -> Any:
        if isinstance(value, str):
            try:
                return kind.fromisoformat(value)
            except ValueError:
                pass
        return value

    return structure


class _MadeModel(Model):
    """Base of what no module holds: what is pickled of it tells how it is made."""

    __made_of__: ClassVar[_MadeOf]

    @override
    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        made_of = vars(type(self)).get("__made_of__")
        if made_of is None:  # somebody's own, made of ours
            return super().__reduce_ex__(protocol)
        return _blank, made_of, vars(self)


def _blank(name: str, members: str, text: str) -> object:
    return object.__new__(_class_of(name, members, text))


# Of two that are alike there is one: what was unpickled is equal to what was pickled.
_classes: WeakValueDictionary[_MadeOf, type] = WeakValueDictionary()


def _class_of(name: str, members: str, text: str) -> type:
    made_of = name, members, text
    with READING:
        made = _classes.get(made_of)
        if made is None:
            field: Any = attrs.field  # its types know no name of a class to come
            fields = {
                member: field(default=None, type=f"{kind} | None")
                for member, kind in (one.split(" ", 1) for one in members.splitlines())
            }
            fields["extra"] = field(factory=dict, type="dict[str, Any]", hash=False)
            body = {"__made_of__": made_of, "__doc__": text}
            made = _classes[made_of] = attrs.make_class(
                name, fields, bases=(_MadeModel,), class_body=body, frozen=True,
                kw_only=True, repr=False, slots=False,
            )  # fmt: skip
    return made


def _made(shape: Shape) -> type:
    members = "\n".join(f"{one.name} {annotation(one.shape)}" for one in shape.members)
    text = shape.description or f"{shape.name}, as the swagger document has it."
    return _class_of(shape.name, members, text)


class Decoder:
    """What turns the answers of one operation into what its caller gets."""

    def __init__(
        self,
        shape: Shape | None,
        models: Models,
        accept: str | None = None,
        answers: Mapping[str, Shape] | None = None,
    ) -> None:
        self._others = {
            status: Decoder(one, models, accept)
            for status, one in (answers or {}).items()
            if one is not shape
        }
        self._known = frozenset(answers or ())
        self._shape = shape
        self._has_pages = accept is not None and "html" in accept
        kind = "any" if shape is None else shape.kind
        self._expected: type | None = {"array": list, "object": dict}.get(kind)
        self._hook: Hook = _kept
        if shape is not None:
            self._hook = (
                models.list_hook(shape) if kind == "array" else models.hook(shape)
            )

    def decode(self, response: Response) -> Any:
        """Return the value of an answer; ``None`` if it is empty.

        Raises:
            DecodingError: It is no JSON although it says so, or a list where the
                document has an object, or the other way round; or it is a page of HTML
                that the document does not name, as logins and proxies answer.
        """
        if not response.body:
            return None
        if self._others:
            status = str(response.status)
            other = self._others.get(status if status in self._known else "2XX")
            if other is not None:
                return other.decode(response)
        media = response.headers.get("content-type", "").partition(";")[0].lower()
        if media == "text/html" and not self._has_pages:
            raise response.not_understood(
                "a page of HTML came, which the swagger document does not name"
            )
        shape = self._shape
        is_file = shape is not None and shape.kind == "bytes"
        if is_file or "*" in media or not is_json(media):
            # Lines of JSON are a text, whatever they are called.
            plain = media.startswith("text/") or "json" in media
            return _text(response) if plain and not is_file else response.body
        value = response.json()
        expected = self._expected
        if expected is None or type(value) is expected:
            return structured(self._hook, value, response)
        if value is None:
            return None
        reason = f"a {expected.__name__} was expected, not a {type(value).__name__}"
        del value  # a traceback may print it
        raise response.not_understood(reason)


def structured(hook: Hook, value: Any, response: Response) -> Any:
    """Return what a hook makes of a value of an answer.

    Raises:
        DecodingError: It is nested too deep.
    """
    try:
        return hook(value)
    except RecursionError:
        pass
    del value  # a traceback may print it
    raise response.not_understood("the answer is nested too deep")


def _text(response: Response) -> str:
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        pass
    raise response.not_understood("the answer is no UTF-8 text")
