"""What a new shape of a value means for who gives or reads the old one."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from healthyroster_async._core.schemas import Member, Shape

Weight: TypeAlias = Literal["breaks", "may break", "new"]
_WORDS = {
    "text": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "array": "a list",
    "object": "an object",
    "map": "an object with any keys",
    "bytes": "a file",
    "any": "anything",
}
# Texts of these forms are checked before they are sent, and become dates in answers.
_CHECKED = frozenset({"date", "date-time"})
_SHOWN = 8


@frozen
class _Pair:
    old: Shape
    new: Shape
    label: str
    given: bool  # by a caller, or received by one


@frozen
class Comparison:
    """Compares shapes, each pair once, so that circular ones come to an end.

    Attributes:
        found: Weight, place and words of each difference, in the order they were found.
    """

    found: list[tuple[Weight, str, str]] = field(factory=list)
    _waiting: deque[_Pair] = field(factory=deque)
    _seen: set[tuple[str, str, bool]] = field(factory=set)

    def argument(self, old: Shape, new: Shape, label: str) -> None:
        """Compare what callers give."""
        self._waiting.append(_Pair(old, new, label, given=True))

    def answer(self, old: Shape, new: Shape, label: str) -> None:
        """Compare what callers get."""
        self._waiting.append(_Pair(old, new, label, given=False))

    def work(self) -> None:
        """Compare everything that waits, and what is in it."""
        while self._waiting:
            self._compare(self._waiting.popleft())

    def _say(self, weight: Weight, label: str, text: str) -> None:
        self.found.append((weight, label, text))

    def _compare(self, pair: _Pair) -> None:
        old, new = pair.old, pair.new
        if not self._same_kind(pair):
            return
        if pair.given and old.nullable and not new.nullable and new.kind != "any":
            self._say("may break", pair.label, "it cannot be null any more")
        once = (old.where, new.where, pair.given)
        if old.where != "#" and new.where != "#":
            if once in self._seen:
                return
            self._seen.add(once)
        self._enums(pair)
        if old.kind == new.kind == "array":
            self._inside(pair, old.items, new.items, "[]")
        elif old.kind == new.kind == "map":
            self._inside(pair, old.values, new.values, "[...]")
        elif old.kind == new.kind == "object":
            self._members(pair)

    def _inside(self, pair: _Pair, old: Shape, new: Shape, step: str) -> None:
        self._waiting.append(_Pair(old, new, pair.label + step, pair.given))

    def _same_kind(self, pair: _Pair) -> bool:
        old, new = _kind(pair.old), _kind(pair.new)
        if old == new:
            return True
        wider = new == "any" or (old, new) in {
            ("integer", "number"),
            ("object", "map"),
            ("date", "text"),
            ("date-time", "text"),
        }
        if wider and pair.given:
            self._say("new", pair.label, f"it may be {_words(pair.new)} now")
        else:
            was, now = _words(pair.old), _words(pair.new)
            weight: Weight = "may break" if old == "any" else "breaks"
            self._say(weight, pair.label, f"it was {was} and is {now} now")
        return False

    def _enums(self, pair: _Pair) -> None:
        old, new = pair.old.enum, pair.new.enum
        if old == new:
            return
        if pair.given:
            if not new:
                self._say("new", pair.label, "it may be any value now")
            elif not old:
                self._say("breaks", pair.label, f"it must be one of {_listed(new)} now")
            elif gone := _without(old, new):
                self._say(
                    "breaks", pair.label, f"it cannot be {_listed(gone)} any more"
                )
            if old and (more := _without(new, old)):
                self._say("new", pair.label, f"it may be {_listed(more)} as well")
        elif old and not new:
            self._say("may break", pair.label, "it may be any value now")
        elif old and (more := _without(new, old)):
            text = f"it may be {_listed(more)} as well"
            self._say("may break", pair.label, text)

    def _members(self, pair: _Pair) -> None:
        old, new = pair.old, pair.new
        label = old.name or pair.label
        after = {member.wire: member for member in new.members}
        alike = {member.name: member for member in new.members}
        matched: set[str] = set()
        for member in old.members:
            found = after.get(member.wire) or alike.get(member.name)
            if found is None:
                self._gone(pair, f"{label}.{member.name}")
                continue
            matched.add(found.wire)
            self._member(pair, f"{label}.{member.name}", member, found)
        for member in new.members:
            if member.wire not in matched:
                required = pair.given and member.required
                weight: Weight = "breaks" if required else "new"
                text = "it is new and required" if required else "it is new"
                self._say(weight, f"{label}.{member.name}", text)

    def _gone(self, pair: _Pair, label: str) -> None:
        if pair.given and pair.new.open:
            self._say("may break", label, "it is gone; it is still sent if it is given")
        else:
            self._say("breaks", label, "it is gone")

    def _member(self, pair: _Pair, label: str, old: Member, new: Member) -> None:
        if old.name != new.name:
            self._say("breaks", label, f"it is called {new.name} now")
        if pair.given and new.required and not old.required:
            self._say("breaks", label, "it is required now")
        self._waiting.append(_Pair(old.shape, new.shape, label, pair.given))


def _kind(shape: Shape) -> str:
    """Return what a caller sees of a shape."""
    return shape.format if _is_checked(shape) else shape.kind


def _is_checked(shape: Shape) -> bool:
    return shape.kind == "text" and shape.format in _CHECKED


def _words(shape: Shape) -> str:
    return f"a {shape.format}" if _is_checked(shape) else _WORDS[shape.kind]


def _without(some: tuple[Any, ...], others: tuple[Any, ...]) -> tuple[Any, ...]:
    known = {(type(value), value) for value in others}
    return tuple(value for value in some if (type(value), value) not in known)


def _listed(values: tuple[Any, ...]) -> str:
    shown = ", ".join(repr(value) for value in values[:_SHOWN])
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown
