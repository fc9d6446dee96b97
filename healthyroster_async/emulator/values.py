"""Values that are made up, the same ones for the same seed."""

from __future__ import annotations

import datetime as dt
import random
import uuid
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from healthyroster_async.emulator.schema import (
    ORGANIZATIONS,
    Casing,
    Column,
    Source,
    cased,
    cased_keys,
)

SLOTS = 1008
"""How many different row tails a source has; row i has tail i + offset, modulo this."""
FIRST_DAY = dt.date(2025, 1, 1)
DAYS = 730
"""The dates of the rows rise over so many days from the first."""
DATES = tuple(FIRST_DAY + dt.timedelta(days=day) for day in range(DAYS))

GIVEN = (
    "Zibble",
    "Oonlo",
    "Farrik",
    "Mimbra",
    "Tolvane",
    "Quenby",
    "Ipswell",
    "Yorra",
)
FAMILIES = (
    "Quillfeather", "Brindlewhisk", "Mossgrommet", "Thistledown-Oop", "O'Wobbleton",
    "Fennelspark", "Grübelwald", "Ñandúpico", "Pumpernott", "Vexley-Bramblethorpe",
)  # fmt: skip
SERVICE_NAMES = ("Ice", "Taping", "Massage", "Stretching", "Heat", "Cold Tub", "Brace")
OFFSETS = ("-05:00", "-04:00", "+00:00", "+05:30")
_TIME_ZONES = ("UTC-05:00", "UTC-06:00", "UTC-07:00", "UTC+01:00")
# What breaks row splitters that do not know strings, in the way people enter it.
PHRASES = (
    'Says it is "much better" today.',
    "Line one\nLine two\r\n\tindented",
    "Left a brace like this },{ in the text",
    'pasted JSON: {"a":[1,2,{"b":"},{"}]},{"c":null}',
    "back\\slash and C:\\temp\\new\\\\",
    "🏃‍♀️ jogged 2 km 👍",
    '\\"},{"',
    "]}]}",
    "naïve café Ωmega 漢字",
    "100% of range; <b>no</b> swelling & heat",
    "No complaints.",
    "",
)


@frozen
class Style:
    """How rows are written.

    Attributes:
        seed: Seed of everything that is made up.
        casing: How keys are spelled.
        pretty: Whether they are indented.
        nested: Whether columns that hold objects are there.
    """

    seed: int
    casing: Casing
    pretty: bool
    nested: bool


def filter_value(column: Column, source: Source, seed: int, slot: int) -> Any:
    """Return the value of a column that parameters filter, from its place alone."""
    roll = zlib.crc32(f"{seed}/{source.key}/{column.name}/{slot}".encode()) >> 8
    if column.kind == "flag":
        return roll % 3 == 0
    if column.kind == "enum":
        return column.values[roll % len(column.values)]
    return ORGANIZATIONS[roll % len(ORGANIZATIONS)]


def _full_name(title: str, rng: random.Random) -> str:
    return f"{title} {rng.choice(FAMILIES)} {rng.randrange(10000):04d}"


def _note(rng: random.Random) -> str:
    return " ".join(rng.choices(PHRASES, k=rng.choice((1, 1, 2, 3))))


def _date(rng: random.Random) -> dt.date:
    return rng.choice(DATES)


def _time(rng: random.Random) -> str:
    return f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"


def _object(rng: random.Random) -> Any:
    return {
        "locker": rng.choice((None, "A-{1}", 'B "2"')),
        "consent": {"given": rng.choice((True, False)), "on": _date(rng).isoformat()},
        "tags": rng.sample(("new", "vip", "},{", "[]"), rng.randrange(4)),
    }


def _array(rng: random.Random) -> Any:
    return [
        {
            "fileName": f"scan {n} [{rng.randrange(99)}].pdf",
            "bytes": rng.randrange(10**6),
        }
        for n in range(rng.randrange(3))
    ]


_MAKERS: Mapping[str, Callable[[random.Random], Any]] = {
    "key": lambda rng: rng.randrange(1, 10**6),
    "count": lambda rng: rng.randrange(5000),
    "small": lambda rng: rng.randrange(1, 91),
    "score": lambda rng: rng.randrange(11),
    "year": lambda rng: rng.randrange(2025, 2033),
    "measure": lambda rng: round(rng.uniform(0.5, 220.0), rng.choice((0, 1, 2, 6))),
    "temperature": lambda rng: round(rng.uniform(-20.0, 40.0), 1),
    "money": lambda rng: round(rng.uniform(5.0, 900.0), 2),
    "date": lambda rng: _date(rng).isoformat(),
    "birth": lambda rng: f"{rng.randrange(1960, 2015)}-{rng.randrange(1, 13):02d}-15",
    "utc": lambda rng: f"{_date(rng)}T{_time(rng)}.{rng.randrange(10**7):07d}Z",
    "naive": lambda rng: f"{_date(rng)}T{_time(rng)}",
    "offset": lambda rng: f"{_date(rng)}T{_time(rng)}{rng.choice(OFFSETS)}",
    "given": lambda rng: rng.choice(GIVEN),
    "family": lambda rng: rng.choice(FAMILIES),
    "patientName": lambda rng: _full_name("Patient", rng),
    "providerName": lambda rng: _full_name("Provider", rng),
    "contact": lambda rng: _full_name("Contact", rng),
    "teamName": lambda rng: _full_name("Team", rng),
    "email": lambda rng: f"nobody{rng.randrange(10**5)}@example.invalid",
    "phone": lambda rng: f"+1 555 01{rng.randrange(100):02d}",
    "code": lambda rng: f"X{rng.randrange(100):02d}.{rng.randrange(1000)}",
    "guid": lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "note": _note,
    "serviceName": lambda rng: rng.choice(SERVICE_NAMES),
    "timeZone": lambda rng: rng.choice(_TIME_ZONES),
    "object": _object,
    "array": _array,
}  # fmt: skip


def tail_values(source: Source, style: Style, slot: int) -> dict[str, Any]:
    """Make up all of a row that does not depend on its number."""
    # A generator of its own for each row: any row can be made without the others.
    rng = random.Random(f"{style.seed}/{source.key}/{slot}")  # noqa: S311
    values: dict[str, Any] = {
        cased(source.stamp, style.casing): f"T{_time(rng)}.{rng.randrange(1000):03d}Z"
    }
    organization = ORGANIZATIONS[0]
    for column in source.rest:
        if column.nested and not style.nested:
            continue
        value: Any
        if column.kind in {"flag", "enum", "organization"}:
            value = filter_value(column, source, style.seed, slot)
            if column.kind == "organization":
                organization = value
        elif column.kind == "organizationName":
            family = FAMILIES[organization % len(FAMILIES)]
            value = f"Organization {family} {organization:04d}"
        elif rng.random() < column.nulls:
            value = None
        else:
            value = _MAKERS[column.kind](rng)
        values[cased(column.name, style.casing)] = cased_keys(value, style.casing)
    return values
