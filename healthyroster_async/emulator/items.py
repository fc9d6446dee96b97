"""Objects of resources, made up one by one: nothing is stored."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from healthyroster_async.emulator.resources import (
    BY_NAME,
    ENUMS,
    MODELS,
    fields_of,
)
from healthyroster_async.emulator.schema import Casing, cased
from healthyroster_async.emulator.shapes import Argument, Field, Resource
from healthyroster_async.emulator.values import (
    DATES,
    DAYS,
    FAMILIES,
    OFFSETS,
    PHRASES,
    SERVICE_NAMES,
)

_BRANCHES = 4


@frozen(kw_only=True)
class Shelf:
    """Where the objects of a resource are that belong together.

    Attributes:
        resource: The resource.
        provider: The Healthcare Provider that has them.
        above: Id of the object that has them, for a resource below another.
        count: How many there are.
        seed: Seed of everything that is made up.
    """

    resource: Resource
    provider: int | str
    above: int | str | None = None
    count: int
    seed: int = 0
    _root: int = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        place = f"{self.seed}/{self.provider}/{self.resource.many}/{self.above}/"
        object.__setattr__(self, "_root", zlib.crc32(place.encode()))

    def roll(self, number: int, name: str) -> int:
        """Return what decides one value: a number from 0 to 2**32 - 1."""
        mixed = zlib.crc32(f"{number}/{name}".encode(), self._root) * 0x9E3779B1
        mixed &= 0xFFFFFFFF
        return mixed ^ (mixed >> 15)

    def other(self, many: str) -> Shelf:
        """Return the objects of another resource of the same provider."""
        return evolve(self, resource=BY_NAME[many], above=None)

    def id(self, number: int) -> int | str:
        """Return the id of an object by its number, which begins with 0."""
        if self.resource.ids == "int":
            return number + 1
        if self.resource.ids == "text":
            return f"{self.resource.one[0]}R-{number + 1:05d}"
        # A UUID of version 4 whose end is the number.
        return str(uuid.UUID(f"{self._root:08x}-0000-4000-8000-{number + 1:012x}"))

    def some_id(self, roll: int) -> int | str:
        """Return the id of one of the objects."""
        return self.id(roll % max(1, self.count))

    def number(self, item_id: Any) -> int | None:
        """Return the number of an object by its id, if there is such an object."""
        text = str(item_id).lower()
        base = 16 if self.resource.ids == "guid" else 10
        try:
            number = int(text.rpartition("-")[2], base) - 1
        except ValueError:
            return None
        if 0 <= number < self.count and str(self.id(number)).lower() == text:
            return number
        return None


def _time(roll: int) -> str:
    return f"{roll % 24:02d}:{roll // 24 % 60:02d}:{roll // 1440 % 60:02d}"


def _stamp(roll: int) -> str:
    return f"{DATES[roll % DAYS]}T{_time(roll >> 8)}"


def _name(title: str) -> Callable[[int], str]:
    return lambda roll: f"{title} {_pick(FAMILIES, roll)} {roll % 10_000:04d}"


def _pick(values: tuple[str, ...], roll: int) -> str:
    return values[(roll >> 4) % len(values)]


_MAKERS: Mapping[str, Callable[[int], Any]] = {
    "bool": lambda roll: roll % 3 == 0,
    "int": lambda roll: roll % 90,
    # Beyond the whole numbers that a double holds in every JavaScript client's range.
    "long": lambda roll: 2**53 + roll,
    "score": lambda roll: roll % 11,
    "year": lambda roll: 2025 + roll % 3,
    "double": lambda roll: round(roll % 100_000 / 377 - 40.0, 4),
    "size": lambda roll: 1 + roll % 60_000,
    "date": lambda roll: DATES[roll % DAYS].isoformat(),
    "birth": lambda roll: f"{1960 + roll % 55}-{1 + roll % 12:02d}-15",
    "utc": lambda roll: f"{_stamp(roll)}.{roll % 10**7:07d}Z",
    "naive": _stamp,
    "offset": lambda roll: _stamp(roll) + _pick(OFFSETS, roll),
    "patientName": _name("Patient"),
    "providerName": _name("Provider"),
    "organizationName": _name("Organization"),
    "teamName": _name("Team"),
    "contact": _name("Contact"),
    "family": lambda roll: _pick(FAMILIES, roll),
    "serviceName": lambda roll: _pick(SERVICE_NAMES, roll),
    "bodyPart": lambda roll: _pick(("Ankle", "Knee", "Shoulder", "Lower Back"), roll),
    "email": lambda roll: f"nobody{roll % 10**5}@example.invalid",
    "phone": lambda roll: f"+1 555 01{roll % 100:02d}",
    "code": lambda roll: f"X{roll % 100:02d}.{roll % 1000}",
    "fileName": lambda roll: f"scan {roll % 100} [{roll % 7}].bin",
    "contentType": lambda _: "application/octet-stream",
    "text": lambda roll: f"{1 + roll % 900} Nowhere Street",
    "note": lambda roll: _pick(PHRASES, roll),
    "texts": lambda roll: [_pick(PHRASES, roll >> n) for n in range(roll % 4)],
    "map": lambda roll: {"locker": f"A-{{{roll % 50}}}", "bus no": str(roll % 9)},
}


def value(shelf: Shelf, number: int, column: Field, name: str = "") -> Any:
    """Make up the value of one field, unless it holds objects.

    Args:
        shelf: Where the object is.
        number: Number of the object.
        column: The field.
        name: What sets it apart from others of the same name inside the object.
    """
    roll = shelf.roll(number, name + column.name)
    # The other end of the roll, so that having a value does not decide which.
    if column.nulls and (roll >> 12) % 1000 < column.nulls * 1000:
        return None
    if column.kind in _MAKERS:
        return _MAKERS[column.kind](roll)
    return _placed(shelf, number, column, roll)


def _placed(shelf: Shelf, number: int, column: Field, roll: int) -> Any:
    """Make up a value that depends on more than the roll."""
    made: Any = None
    match column.kind:
        case "id":
            made = shelf.id(number)
        case "provider":
            made = shelf.provider
        case "above":
            made = shelf.above
        case "day":
            # A new object comes after all others: its day is the last one.
            day = number * DAYS // max(1, shelf.count)
            made = DATES[min(day, DAYS - 1)].isoformat()
        case "enum":
            made = _pick(ENUMS[column.of], roll)
        case "link":
            made = shelf.other(column.of).some_id(roll)
        case "links":
            other = shelf.other(column.of)
            made = [other.some_id(roll + n) for n in range(roll % 3)]
    return made


def item(shelf: Shelf, number: int, casing: Casing) -> dict[str, Any]:
    """Make up a whole object, with its keys as they were told to be spelled."""
    return _object(shelf, number, fields_of(shelf.resource), casing, "")


def _object(
    shelf: Shelf, number: int, columns: tuple[Field, ...], casing: Casing, name: str
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for column in columns:
        key, inner = cased(column.name, casing), f"{name}{column.name}/"
        if column.kind == "parent":
            above = (number - 1) // _BRANCHES
            made[key] = item(shelf, above, casing) if number else None
        elif column.kind == "objects":
            made[key] = [
                _object(shelf, number, MODELS[column.of], casing, f"{inner}{n}/")
                for n in range(shelf.roll(number, inner) % 3)
            ]
        elif column.kind == "object":
            empty = shelf.roll(number, inner) % 1000 < column.nulls * 1000
            made[key] = (
                None
                if empty
                else _object(shelf, number, MODELS[column.of], casing, inner)
            )
        else:
            made[key] = value(shelf, number, column, name)
    return made


def found(shelf: Shelf, filters: Mapping[Argument, Any]) -> range | list[int]:
    """Return the numbers of the objects that pass every filter.

    Args:
        shelf: Where the objects are.
        filters: The value of each filter that was given.
    """
    numbers: range | list[int] = range(shelf.count)
    columns = {column.name: column for column in fields_of(shelf.resource)}
    for argument, wanted in filters.items():
        column = columns[argument.column]
        passes = _TESTS[argument.test]
        numbers = [n for n in numbers if passes(value(shelf, n, column), wanted)]
    return numbers


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "is": lambda has, wanted: bool(has == wanted),
    "any": lambda has, wanted: has in wanted,
    "from": lambda has, wanted: bool(has >= wanted),
    "to": lambda has, wanted: bool(has <= wanted),
    # Both are cut to the whole second: fractions and zones differ in length.
    "since": lambda has, wanted: bool(has[:19] >= wanted[:19]),
    "contains": lambda has, wanted: wanted.lower() in has.lower(),
}


def content(shelf: Shelf, number: int) -> Iterator[bytes]:
    """Yield the bytes of a document; there are as many as its field says."""
    (size,) = (f for f in fields_of(shelf.resource) if f.kind == "size")
    length = value(shelf, number, size)
    # Every byte there is, so that a client that decodes them as text is seen.
    yield (bytes(range(256)) * (length // 256 + 1))[:length]
