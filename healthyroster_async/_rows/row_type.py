"""How rows become instances of an attrs class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar, get_args

import attrs
import cattrs

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._rows.values import Hook, as_it_is, plain_hook, value_converter
from healthyroster_async._shapes import matcher

T = TypeVar("T")
Read: TypeAlias = Callable[[Mapping[str, Any]], Any]
_FACTORY: Any = attrs.Factory
# A server has few shapes of rows; this only bounds what a strange answer makes us keep.
_SHAPES_KEPT = 256
# What a reader of JSON calls what came.
_CAME: dict[type, str] = {type(None): "null", Decimal: "number"}


@attrs.frozen
class _Member:
    """How an attribute is read.

    Attributes:
        name: Its name.
        argument: What ``__init__`` calls it.
        default: What ``__init__`` takes for it where there is no column.
        required: Whether there must be a column.
        kind: Its type.
        as_it_is: Types of values that are taken as they come.
        hook: What makes a value of any other type fit.
    """

    name: str
    argument: str
    default: Any
    required: bool
    kind: Any
    as_it_is: frozenset[type]
    hook: Hook


class RowType(Generic[T]):
    """Makes instances of an attrs class of rows.

    Everything about the class is worked out once; which column is which attribute, once
    for each set of columns that occurs.

    Attributes:
        name: What it is called.
        exact: Whether some attribute is a ``Decimal``, which floats would cut short.
    """

    def __init__(self, model: type[T]) -> None:
        """Read the class.

        Raises:
            ConfigurationError: It is no attrs class, or a type in it cannot be read.
        """
        readers = _Readers()
        self._reader: _Reader[T] = readers.of(model)
        self.name = model.__name__
        self.exact = readers.exact

    def read_of(self, columns: tuple[str, ...]) -> Read:
        """Return what makes an instance of a row with such columns, or raises."""
        return self._reader.read_of(columns)

    def reason(self, row: dict[str, Any]) -> str:
        """Return why there is no instance of a row, without a value of it."""
        return self._reader.reason(row)


class _Everything:
    """Holds every type."""

    def __contains__(self, _: object) -> bool:
        return True


def _compiled(model: type[Any], members: tuple[_Member, ...]) -> Callable[..., Read]:
    """Return what makes a reader of rows, given the column of each attribute.

    It is written out attribute by attribute, once for each class: a loop costs twice as
    much. No column and no value stands in the source: only names of the class.
    """
    numbered = list(enumerate(members))
    arguments = ", ".join(f"{m.argument}=v{n}" for n, m in numbered)
    source = "\n".join(
        [
            "def make(columns, types):",
            *(f"    c{n}, t{n} = columns[{n}], types[{n}]" for n, _ in numbered),
            "    def read(row):",
            "        get = row.get",
            *(
                f"        v{n} = get(c{n}, d{n})\n"
                f"        if type(v{n}) is not s{n} and type(v{n}) not in t{n}:\n"
                f"            v{n} = h{n}(v{n}, k{n})"
                for n, _ in numbered
            ),
            f"        return model({arguments})",
            "    return read",
        ]
    )
    names: dict[str, Any] = {"model": model}
    for n, m in numbered:
        names |= {f"d{n}": m.default, f"h{n}": m.hook, f"k{n}": m.kind}
        # Asking for one type first takes half as long as looking in the set.
        names[f"s{n}"] = next((t for t in m.as_it_is if t is not type(None)), None)
    exec(compile(source, f"<rows of {model.__name__}>", "exec"), names)  # noqa: S102
    make: Callable[..., Read] = names["make"]
    return make


def _incomplete(_: Mapping[str, Any]) -> Any:
    raise TypeError("a column is missing")


class _Reader(Generic[T]):
    """Reads objects as instances of one class."""

    def __init__(self, model: type[T]) -> None:
        self._model = model
        self._members: tuple[_Member, ...] = ()
        self._make: Callable[..., Read] = _incomplete
        self._match = matcher({}, {})
        self._reads: dict[tuple[str, ...], Read] = {}

    def learn(self, members: tuple[_Member, ...]) -> None:
        """Take what the attributes are; those that hold the class itself know it."""
        self._members = members
        self._make = _compiled(self._model, members)
        self._match = matcher({m.name: m.name for m in members}, {})

    def read_object(self, value: Any, _: object) -> T:
        """Return an instance of a value inside a row.

        Raises:
            Exception: It does not fit.
        """
        if type(value) is not dict:
            raise TypeError("no object")
        made: T = self.read_of(tuple(value))(value)
        return made

    def reason(self, row: Mapping[str, Any]) -> str:
        """Return why a row does not fit, without a value of it."""
        columns = self._matched(tuple(row))
        for member in self._members:
            column = columns.get(member.name)
            if column is None:
                continue
            value = row[column]
            if type(value) in member.as_it_is:
                continue
            came = _CAME.get(type(value), type(value).__name__)
            try:
                member.hook(value, member.kind)
            except Exception:  # noqa: BLE001 - as above; what it says may hold values
                kind = _shown(member.kind)
                return f"{member.name}: {kind} was expected, and {came} came"
        missing = self._missing(columns)
        if missing:
            return f"no column for {', '.join(missing)}"
        return f"{self._model.__name__} did not take the values"

    def read_of(self, columns: tuple[str, ...]) -> Read:
        """Return what makes an instance of an object with such keys, or raises."""
        read = self._reads.get(columns)
        if read is None:
            found = self._matched(columns)
            names = [m.name for m in self._members]
            read = _incomplete
            if not self._missing(found):
                # A default is taken as it is, whatever its type.
                types = [
                    m.as_it_is if m.name in found else _Everything()
                    for m in self._members
                ]
                read = self._make([found.get(name) for name in names], types)
            if len(self._reads) < _SHAPES_KEPT:
                self._reads[columns] = read
        return read

    def _missing(self, found: Mapping[str, str]) -> list[str]:
        return [m.name for m in self._members if m.required and m.name not in found]

    def _matched(self, columns: tuple[str, ...]) -> dict[str, str]:
        """Return the column of each attribute that has one."""
        found, left = self._match(columns)
        # "Weight %" is the weight only where no column is called so without the sign.
        signed: dict[str, list[str]] = {}
        for column in left:
            signed.setdefault(_without_signs(column), []).append(column)
        for name in (m.name for m in self._members if m.name not in found):
            alike = signed.get(_without_signs(name), [])
            if len(alike) == 1:  # of "Weight %" and "Weight +" none is it
                found[name] = alike.pop()
        return found


class _Readers:
    """Makes a reader for each class that occurs in a class, itself included."""

    def __init__(self) -> None:
        self.exact = False
        self._made: dict[type, _Reader[Any]] = {}
        self._converter = value_converter(self._decimal)
        self._converter.register_structure_hook_factory(
            attrs.has, lambda kind: self.of(kind).read_object
        )

    def _decimal(self) -> None:
        self.exact = True

    def of(self, model: Any) -> _Reader[Any]:
        if not isinstance(model, type) or not attrs.has(model):
            name = getattr(model, "__name__", None) or type(model).__name__
            raise ConfigurationError(
                f"as_ takes an attrs class, such as one under @attrs.frozen; {name} is "
                "none"
            )
        made = self._made.get(model)
        if made is None:
            made = self._made[model] = _Reader(model)
            made.learn(self._members(model))
        return made

    def _members(self, model: type[Any]) -> tuple[_Member, ...]:
        name = model.__name__
        try:
            attributes = attrs.fields(attrs.resolve_types(model))
        except NameError as error:
            raise ConfigurationError(
                f"{name}: the type {error.name!r} is not known where the class is made"
            ) from None
        return tuple(self._member(name, a) for a in attributes if a.init)

    def _member(self, model: str, attribute: attrs.Attribute[Any]) -> _Member:
        default: Any = attribute.default
        argument: Any = attribute.alias
        kind = Any if attribute.type is None else attribute.type
        try:
            hook: Hook | None = plain_hook(kind)
            if hook is None:
                hook = self._converter.get_structure_hook(kind)
        except cattrs.StructureHandlerNotFoundError:
            hook = None  # raised below: the other error shows the class
        if hook is None:
            raise ConfigurationError(
                f"{model}.{attribute.name}: there is no way to make {_shown(kind)} of "
                "a value of JSON"
            )
        return _Member(
            name=attribute.name,
            argument=argument,
            # A factory runs where ``__init__`` is given NOTHING, which is its default.
            default=attrs.NOTHING if isinstance(default, _FACTORY) else default,
            required=default is attrs.NOTHING,
            kind=kind,
            as_it_is=as_it_is(kind),
            hook=hook,
        )


def _without_signs(name: str) -> str:
    """Return the letters and digits of a name, as Python reads its own: µ is one μ."""
    plain = unicodedata.normalize("NFKC", name)
    # A vowel of Hindi is a mark, which tells one word from another.
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LMN").lower()


def _shown(kind: Any) -> str:
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    return re.sub(r"[\w.]+\.", "", str(kind))
