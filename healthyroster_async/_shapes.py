"""Making models out of objects of one shape, which is a set of keys.

Lists of models are long, so building one is written out member by member, once for each
class, as attrs does for ``__init__``: a loop and the call of the class cost three times
as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import attrs
from typing_extensions import override

Hook: TypeAlias = Callable[[Any], Any]
Reader: TypeAlias = Callable[[Mapping[str, Any]], Any]
# A server has few shapes; this only bounds what a strange answer can make us keep.
_SHAPES_KEPT = 256


@attrs.frozen(kw_only=True)
class Member:
    """How a member of a model is read.

    Attributes:
        name: Its name.
        default: What it is where the key is missing; ``attrs.NOTHING`` if it must not.
        as_it_is: Types of values that are taken as they come.
        hook: What makes a value of any other type fit.
    """

    name: str
    default: Any
    as_it_is: frozenset[type]
    hook: Hook


def plain_key(key: str) -> str:
    """Return a key without case and separators: all three casings become one."""
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


class _Nothing(dict[str, Any]):
    """What nearly every model has in ``extra``: one for all, so it stays empty."""

    if not TYPE_CHECKING:  # which will not have it that a dict refuses

        def _refuse(self, *_: object, **__: object) -> NoReturn:
            raise TypeError("the extra fields of a model do not change")

        __setitem__ = __ior__ = setdefault = update = _refuse

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()


def matcher(
    names: Mapping[str, str], others: Mapping[str, str]
) -> Callable[[tuple[str, ...]], tuple[dict[str, str], tuple[str, ...]]]:
    """Return what finds the key of each member that is there, and all other keys.

    A key belongs to the member that is spelled most like it: just so, or else in
    another case, or else with other separators. Of two keys for one member that most
    like it is meant, and of two as like the first.

    Args:
        names: Name of a member for each key.
        others: The same for further spellings, which are taken last.
    """
    passes: list[tuple[Hook, Mapping[str, str]]] = [
        (str, names),
        (str.lower, names),
        (plain_key, names),
        (plain_key, others),
    ]
    # Backwards: of two members that are alike the first is meant.
    likenesses = [
        (like, {like(key): known[key] for key in reversed([*known])})
        for like, known in passes
    ]

    def matched(keys: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
        found: dict[str, str] = {}
        left: Sequence[str] = keys
        for like, spelt in likenesses:
            if not left:
                break
            meant = [(key, spelt.get(like(key))) for key in left]
            for key, name in meant:
                if name is not None:
                    found.setdefault(name, key)
            left = [key for key, name in meant if name is None]
        taken = set(found.values())
        return found, tuple(key for key in keys if key not in taken)

    return matched


def reader_maker(
    model: type, members: tuple[Member, ...]
) -> Callable[[Mapping[str, str], tuple[str, ...]], Reader]:
    """Return what makes a reader for each shape of the objects that become a model.

    What it is given is the key of each member that is there, by the member's name, and
    the keys of all the rest, which are kept in ``extra``.

    Args:
        model: A frozen attrs class that has its values in ``__dict__``, has ``extra``,
            and neither converts nor validates: its ``__init__`` is not run.
        members: Its members but ``extra``.
    """
    numbered = list(enumerate(members))
    # No key stands in the source, for keys come from outside: only names of ours.
    source = "\n".join(
        [
            "def make(keys, others):",
            *(f"    k{n} = keys.get({m.name!r})" for n, m in numbered),
            "    def read(value):",
            "        made = new(model)",
            "        fields = made.__dict__",
            *(
                f"        item = value.get(k{n}, d{n})\n"
                f"        if type(item) not in t{n}: item = h{n}(item)\n"
                f"        fields[{m.name!r}] = item"
                for n, m in numbered
            ),
            "        extra = {key: value[key] for key in others} if others else none",
            "        fields['extra'] = extra",
            "        return made",
            "    return read",
        ]
    )
    names: dict[str, Any] = {
        "new": object.__new__,
        "model": model,
        "none": _Nothing(),
    }
    for n, member in numbered:
        names |= {f"d{n}": member.default, f"t{n}": member.as_it_is}
        names[f"h{n}"] = member.hook
    exec(compile(source, f"<{model.__name__}>", "exec"), names)  # noqa: S102 - see above
    make = names["make"]

    def checked(keys: Mapping[str, str], others: tuple[str, ...]) -> Reader:
        for member in members:
            if member.default is attrs.NOTHING and member.name not in keys:
                raise TypeError(f"{member.name!r} is missing")
        read: Reader = make(keys, others)
        return read

    return checked


def readers_of(
    model: type,
    members: tuple[Member, ...],
    names: Mapping[str, str],
    others: Mapping[str, str],
) -> Callable[[tuple[str, ...]], Reader]:
    """Return what gives the reader of each set of keys that occurs.

    Which key means what is worked out once for each, so that an item costs little more
    than its values.

    Args:
        model: As for ``reader_maker``.
        members: Its members but ``extra``.
        names: As for ``matcher``.
        others: As for ``matcher``.
    """
    make, matched = reader_maker(model, members), matcher(names, others)
    readers: dict[tuple[str, ...], Reader] = {}

    def reader(keys: tuple[str, ...]) -> Reader:
        read = readers.get(keys)
        if read is None:
            read = make(*matched(keys))
            if len(readers) < _SHAPES_KEPT:
                readers[keys] = read
        return read

    return reader
