"""What happened in one run: every request and every call, as plain tuples."""

from __future__ import annotations

from typing import Any, NamedTuple

from attrs import define, field

from healthyroster_async._core.settings import Limit

ACCEPTED, THROTTLED, FAULT = 0, 1, 2


class Sent(NamedTuple):
    """A request. Times in seconds since the beginning of the run."""

    sent: float
    arrived: float
    answered: float
    provider: int
    outcome: int
    process: int


class Done(NamedTuple):
    """A call that is over: answered, or given up after its attempts."""

    provider: int
    interactive: bool
    asked: float
    done: float
    lost: bool


@define
class Trace:
    """What happened.

    Attributes:
        requests: In the order in which they arrived.
        calls: In the order in which they ended.
        pauses: (heard, until, process): what the API asked for, who heard it and when.
        learned: (time, limit): what limit the first process thought it had recognised,
            looked at once a second, each time that it changed.
        ended: When the run ended, in seconds.
        unfinished: Calls that were still under way or waiting then.
        pacers: The governors, as they were then; of ours only.
    """

    requests: list[Sent] = field(factory=list)
    calls: list[Done] = field(factory=list)
    pauses: list[tuple[float, float, int]] = field(factory=list)
    learned: list[tuple[float, Limit | None]] = field(factory=list)
    ended: float = 0.0
    unfinished: int = 0
    pacers: list[Any] = field(factory=list)
