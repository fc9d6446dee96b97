"""Values of JSON as the types of Python: what would lose something is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from operator import is_
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin
from uuid import UUID

import cattrs
import orjson

from healthyroster_async._rows.splitter import BrokenRowsError

T = TypeVar("T")
Hook: TypeAlias = Callable[[Any, Any], Any]
# Beyond this a float does not tell one integer from the next.
_EXACT = 2**53
# What may have more digits than a float keeps; looked for only where there are many.
_LONG_NUMBER = re.compile(rb"\d[\d.]{15,}(?:[eE][+-]?\d+)?")
_DIGITS, _MANY = bytes.maketrans(b"123456789", b"0" * 9), b"0" * 16
_SHORTEST_MOMENT = len("2026-01-31T08:30")
_PLAIN: frozenset[Any] = frozenset({str, int, float, bool, NoneType})
_ARRAYS: dict[Any, type] = {kind: kind for kind in (list, tuple, set, frozenset)} | {
    Sequence: list
}


def as_it_is(kind: Any) -> frozenset[Any]:
    """Return the types of values that an attribute of a type takes as they come."""
    kinds = set(get_args(kind)) if _is_union(kind) else {kind}
    # A text may be a date, where that is allowed too.
    return frozenset(kinds & (_PLAIN if kinds <= _PLAIN else _PLAIN - {str}))


def plain_hook(kind: Any) -> Hook | None:
    """Return the hook of a type that is no other's, without a detour."""
    return _HOOKS.get(kind)


def value_converter(on_decimal: Callable[[], None]) -> cattrs.Converter:
    """Return a converter of values of JSON.

    Args:
        on_decimal: Called when decimals are asked for.
    """
    converter = cattrs.Converter(detailed_validation=False)
    for kind, hook in _HOOKS.items():
        converter.register_structure_hook(kind, _inherited(kind, hook))

    exact = False

    def decimals(_: Any) -> Hook:
        nonlocal exact
        exact = True
        on_decimal()
        return _decimal

    # Who asks for no decimal gets none, though there may be one beside.
    def anything(value: Any, _: object) -> Any:
        return _with_floats(value) if exact else value

    def arrays(kind: Any) -> Hook:
        item, make = get_args(kind)[0], _ARRAYS[get_origin(kind)]
        read = converter.get_structure_hook(item)
        return lambda value, _: make([read(one, item) for one in _array(value)])

    def unions(kind: Any) -> Hook:
        kinds = get_args(kind)
        plain = _PLAIN.intersection(kinds)
        hooks = [
            (converter.get_structure_hook(k), k) for k in kinds if k is not NoneType
        ]
        first = [(hook, k) for hook, k in hooks if k not in plain]
        # A date takes a midnight too: a date-time comes first, or a column is of both.
        first.sort(key=lambda pair: pair[1] is dt.date)
        then = [(hook, k) for hook, k in hooks if k in plain]
        known: dict[Any, list[tuple[Hook, Any]]] = {k: [(_kept, k)] for k in plain}
        if float in plain:  # it would have come as one, but for a decimal beside
            known[Decimal] = [(_number, float)]

        def read(value: Any, _: object) -> Any:
            for hook, one in first + known.get(type(value), then):
                with contextlib.suppress(Exception):  # the next one may fit
                    return hook(value, one)
            raise TypeError("none of these")

        return read

    for made, factory in (
        (partial(is_, Decimal), decimals),
        (lambda kind: kind is Any or kind is object, lambda _: anything),
        (
            lambda kind: kind is dict or kind is list,
            lambda kind: lambda value, _: kind(anything(value, _)),
        ),
        (_is_array, arrays),
        (_is_union, unions),
    ):
        converter.register_structure_hook_factory(made, factory)
    return converter


def _kept(value: Any, _: object) -> Any:
    return value


def _with_floats(value: Any) -> Any:
    if type(value) is dict:
        return {name: _with_floats(item) for name, item in value.items()}
    if type(value) is list:
        return [_with_floats(item) for item in value]
    return float(value) if type(value) is Decimal else value


def _inherited(kind: Any, hook: Hook) -> Hook:
    """Return a hook that fits what inherits from a type, such as an ``IntEnum``."""
    return lambda value, of: hook(value, of) if of is kind else of(hook(value, kind))


def exact_loads(text: bytes | memoryview) -> Any:
    """Return what a JSON text says, with every digit of its numbers.

    Raises:
        ValueError: It is no JSON, or nested too deep.
    """
    orjson.loads(text)  # it refuses what is no JSON and the other takes
    try:
        return json.loads(bytes(text), parse_float=Decimal)
    except RecursionError:
        pass
    raise BrokenRowsError("a row is nested too deep")


def lasting_loads(text: bytes | memoryview) -> Any:
    """Return what a JSON text says, with every digit where a float would lose some.

    It takes a quarter more time than orjson, whose integers beyond 64 bits are floats.

    Raises:
        ValueError: It is no JSON, or nested too deep.
    """
    raw = bytes(text)
    many = _MANY in raw.translate(_DIGITS, b".")
    if many and any(map(_loses_digits, _LONG_NUMBER.findall(raw))):
        return exact_loads(raw)
    return orjson.loads(raw)


def _loses_digits(number: bytes) -> bool:
    """Return whether a number would be another one as a float."""
    text = number.decode()
    try:
        kept = repr(float(text))
        return kept != text and Decimal(kept) != Decimal(text)
    except (ValueError, ArithmeticError):  # of a text, such as a version
        return False


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, UnionType}


def _is_array(kind: Any) -> bool:
    """Return whether a type is one of arrays of one type: a text is none of texts."""
    origin, items = get_origin(kind), get_args(kind)
    if origin is tuple:
        return len(items) == 2 and items[1] is ...  # noqa: PLR2004 - tuple[X, ...]
    return origin in _ARRAYS


def _array(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError("no array")
    return value


def _text(value: Any, _: object) -> str:
    if type(value) is int:  # an id
        return str(value)
    return _only(str, value)


def _integer(value: Any, _: object) -> int:
    is_fraction = type(value) in {float, Decimal}
    if is_fraction and -_EXACT < value < _EXACT and value == int(value):
        return int(value)
    if type(value) is str and value.isascii() and value.removeprefix("-").isdecimal():
        return int(value)
    return _only(int, value)


def _number(value: Any, _: object) -> float:
    if type(value) is str or (type(value) is int and abs(value) <= _EXACT):
        value = float(value)
    if isinstance(value, Decimal):
        value = float(value)
    if not math.isfinite(_only(float, value)):
        raise ValueError("no finite number")
    return value  # type: ignore[no-any-return] # it was looked at


def _flag(value: Any, _: object) -> bool:
    if type(value) is str:
        value = {"true": True, "false": False}.get(value.strip().lower())
    if type(value) is int and value in {0, 1}:
        value = value == 1
    return _only(bool, value)


def _decimal(value: Any, _: object) -> Decimal:
    if type(value) in {str, int}:
        value = Decimal(value)
    # A float has lost digits already: rows with decimals are read without any.
    if not _only(Decimal, value).is_finite():
        raise ValueError("no finite number")
    return value  # type: ignore[no-any-return] # it was looked at


def _date(value: Any, _: object) -> dt.date:
    if len(_only(str, value)) >= _SHORTEST_MOMENT:
        moment = dt.datetime.fromisoformat(value)
        if moment.time() != dt.time() or moment.tzinfo is not None:
            raise ValueError("more than a date")
        return moment.date()
    return dt.date.fromisoformat(value)


def _moment(value: Any, _: object) -> dt.datetime:
    text = _only(str, value)
    if len(text) < _SHORTEST_MOMENT:
        raise ValueError("a date, which is no midnight")
    return dt.datetime.fromisoformat(text)


def _time(value: Any, _: object) -> dt.time:
    return dt.time.fromisoformat(_only(str, value))


def _uuid(value: Any, _: object) -> UUID:
    return UUID(_only(str, value))


def _only(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise TypeError("another type")
    return value


_HOOKS: dict[Any, Hook] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _flag,
    dt.date: _date,
    dt.datetime: _moment,
    dt.time: _time,
    UUID: _uuid,
}
