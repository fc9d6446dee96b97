"""Rows as instances of a class: ``rows.as_`` beside cattrs, row by row.

The rows come from memory, 20 columns each, in turns; what is printed are medians of the
CPU, and of what comes on top of reading dicts, as a ratio to cattrs as most people use
it. cattrs gets rows that are called as the attributes are; ``as_`` also finds others.

Run: ``python benchmarks/typed_rows.py [--rows 50000] [--rounds 7]``
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import cattrs
import orjson

from healthyroster_async import Environment, Request, Response, RowStream


@attrs.frozen
class Patient:
    """A row."""

    id: int
    first_name: str
    last_name: str
    date_of_birth: dt.date
    registered_on: dt.date | None
    sport: str
    height: float
    weight: float
    is_active: bool
    team_id: int
    note: str
    grade: str | None
    email: str
    phone: str
    injuries: int
    score: float | None
    rate: float
    has_insurance: bool
    city: str
    state: str = "x"


def row(n: int) -> dict[str, Any]:
    """Return a row, called as the attributes are."""
    values = (n, f"First{n}", "Last", "2010-05-01", None, "Soccer", 180.5, 70.25, True,
              n % 7, "x" * 30, "A", "a@b.example", "555", 3, None, 0.5, False, "Town",
              "KS")  # fmt: skip
    return dict(zip((a.name for a in attrs.fields(Patient)), values, strict=True))


def camel(name: str) -> str:
    """Return a name as most APIs write it."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


class Memory:
    """An answer that is there already."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def timed(self, request: Request) -> Request:
        """Set no deadline."""
        return request

    async def open(self, request: Request) -> Response:
        """Answer."""
        return Response(request=request, status=200, stream=Memory(self._raw))

    def ended(self, *_: Any, **__: Any) -> None:
        """Nobody wants to hear."""

    async def repeat(self, _: Request, call: Callable[[], Awaitable[Any]]) -> Any:
        """Call once."""
        return await call()

    async def read(self) -> bytes:
        """Return the next piece."""
        piece, self._raw = self._raw[: 2**16], self._raw[2**16 :]
        return piece

    def close(self) -> None:
        """Do nothing."""


def stream(raw: bytes) -> RowStream:
    """Return rows to be read."""
    request = Request(
        method="POST", url="", label="", environment=Environment.SANDBOX, safe=True
    )
    return RowStream(request, Memory(raw), None)


async def dicts(raw: bytes) -> int:
    """Read dicts."""
    async with stream(raw) as rows:
        return len([None async for _ in rows])


def with_cattrs(*, detailed: bool) -> Callable[[bytes], Awaitable[int]]:
    """Return what structures row by row."""
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(dt.date, lambda v, _: dt.date.fromisoformat(v))

    async def read(raw: bytes) -> int:
        structure, count = converter.structure, 0
        async with stream(raw) as rows:
            async for one in rows:
                structure(one, Patient)
                count += 1
        return count

    return read


async def typed(raw: bytes) -> int:
    """Read instances."""
    async with stream(raw) as rows:
        return len([None async for _ in rows.as_(Patient)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    snake = [row(n) for n in range(given.rows)]
    raw = orjson.dumps(snake)
    cased = orjson.dumps([{camel(k): v for k, v in one.items()} for one in snake])
    ways: dict[str, tuple[Callable[[bytes], Awaitable[int]], bytes]] = {
        "dicts": (dicts, raw),
        "cattrs.Converter()": (with_cattrs(detailed=True), raw),
        "cattrs, detailed_validation=False": (with_cattrs(detailed=False), raw),
        "rows.as_": (typed, raw),
        "rows.as_, columns in camelCase": (typed, cased),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, (way, answer) in ways.items():
            started = time.process_time()
            count = asyncio.run(_awaited(way(answer)))
            times[name].append(time.process_time() - started)
            assert count == given.rows, name
    cpu = {name: statistics.median(taken) for name, taken in times.items()}
    peer = cpu["cattrs.Converter()"] - cpu["dicts"]
    for name, seconds in cpu.items():
        ratio = (seconds - cpu["dicts"]) / peer
        print(f"{name:36} {seconds:6.3f} s CPU   on top of dicts {ratio:5.2f}")


async def _awaited(work: Awaitable[int]) -> int:
    return await work


if __name__ == "__main__":
    main()
