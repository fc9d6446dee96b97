"""Who calls how much."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Flow:
    """The calls of one provider session.

    Attributes:
        provider: Its id; flows of one provider share its turn.
        first: Calls made at once at ``start``.
        start: When they are made, in seconds.
        backlog: Calls it keeps waiting or under way all the time after that.
        gap: Mean seconds between single calls (exponential); ``None``: none are made.
        interactive: Whether a person waits for them.
        process: The process it runs in.
    """

    provider: int
    first: int = 0
    start: float = 0.0
    backlog: int = 0
    gap: float | None = None
    interactive: bool = False
    process: int = 0


def heavy_and_light(
    heavy: int = 1000, light: int = 20, backlog: int = 20
) -> list[Flow]:
    """One session with much to do, nine with little, then all with a steady backlog."""
    flows = [Flow(provider=0, first=heavy, backlog=backlog)]
    return flows + [
        Flow(provider=n, first=light, backlog=backlog) for n in range(1, 10)
    ]


def job(calls: int, providers: int = 10) -> list[Flow]:
    """A job that ends."""
    return [Flow(provider=n, first=calls // providers) for n in range(providers)]


def clicks(bulk: int = 1800, gap: float = 1.0) -> list[Flow]:
    """A person who clicks now and then while a pull is under way."""
    return [
        *(Flow(provider=n, first=bulk // 10, backlog=bulk // 10) for n in range(10)),
        Flow(provider=10, gap=gap, interactive=True),
    ]


def processes(number: int = 4, backlog: int = 40) -> list[Flow]:
    """Several processes that always have something to do."""
    return [
        Flow(provider=n, first=backlog, backlog=backlog, process=n)
        for n in range(number)
    ]
