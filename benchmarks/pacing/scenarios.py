"""The scenarios of the laboratory, and what must come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

from attrs import evolve, field, frozen
from server import Site
from servers import TABLE, random_site
from workload import Flow, clicks, heavy_and_light, job, processes

from healthyroster_async.emulator.limits import Headers, Kind, RateLimit


@frozen
class Goal:
    """What must come out.

    Attributes:
        metric: A name in ``metrics.METRICS``.
        bound: A number, with the sign before it.
        of: Which of the seeds' numbers is held against it.
    """

    metric: str
    sign: Literal["<=", ">="]
    bound: float
    of: Literal["median", "p10", "worst"] = "median"

    def met(self, value: float) -> bool:
        """Return whether a number is good enough."""
        # Shares of whole calls are no closer than that.
        dust = 1e-9
        if self.sign == ">=":
            return value >= self.bound - dust
        return value <= self.bound + dust


@frozen(kw_only=True)
class Scenario:
    """One line of the table.

    Attributes:
        name: What it is called on the command line.
        site: The server, by seed.
        flows: What is to be done.
        seconds: How long it runs, in virtual time.
        steady: When the steady phase begins, in seconds.
        goals: What must come out.
        configured: (calls, seconds): the client is told the limit.
        remembers: Whether the client had a run before, and remembers it.
        shared: Whether its processes share one budget.
        also: Metrics to show that have no goal.
        peers: Whether the other clients run it too; the slow ones take their time.
        seeds: The seeds it is made for; ``None``: any.
    """

    name: str
    site: Callable[[int], Site]
    flows: Sequence[Flow] = field(factory=heavy_and_light)
    seconds: float = 300.0
    steady: float = 60.0
    goals: Sequence[Goal]
    configured: tuple[float, float] | None = None
    remembers: bool = False
    shared: bool = False
    also: Sequence[str] = ()
    peers: bool = False
    seeds: Sequence[int] | None = None


def _same(site: Site, seed: int) -> Site:
    del seed
    return site


def _at(limit: RateLimit | None, **options: Any) -> Callable[[int], Site]:
    return partial(_same, evolve(Site(limit=limit), **options))


def bucket(
    rate: float, burst: int | None = None, headers: Headers = "none", status: int = 429
) -> RateLimit:
    """Return a bucket that refills every second."""
    return RateLimit(
        rate=rate, burst=burst or int(rate), headers=headers, status=status
    )


def window(
    calls: float,
    per: float,
    kind: Kind = "window",
    headers: Headers = "none",
    **more: Any,
) -> RateLimit:
    """Return one of the windows."""
    return RateLimit(rate=calls, per=per, kind=kind, headers=headers, **more)


_QUIET: tuple[Headers, ...] = ("none", "retry-after")
_OBEYS = Goal("in_pause", "<=", 0, "worst")
_KEEPS = Goal("lost", "<=", 0, "worst")


def _goals(
    goodput: float, steady: float | None = None, whole: float | None = None
) -> tuple[Goal, ...]:
    goals = [Goal("goodput", ">=", goodput)]
    if steady is not None:
        goals.append(Goal("rejected", "<=", steady))
    if whole is not None:
        goals.append(Goal("rejected_whole", "<=", whole))
    return (*goals, _OBEYS, _KEEPS)


def _told() -> Iterator[Scenario]:
    """The limit is configured."""
    goals = _goals(0.975, whole=0.001)
    for name, limit in {
        "bucket 50/s": bucket(50, headers="retry-after"),
        "bucket 50/s, burst 5": bucket(50, 5),
        "window 600/min": window(600, 60),
        "window 50/s": window(50, 1),
        "sliding 50/s": window(50, 1, "sliding"),
        "aligned 600/min": window(600, 60, aligned=True),
    }.items():
        long = limit.per > 1
        yield Scenario(
            name=f"configured, {name}",
            site=_at(limit),
            goals=goals,
            configured=(limit.rate, limit.per),
            seconds=900 if long else 300,
        )


_TELL_ALL: tuple[Headers, ...] = (
    "ietf", "ietf-old", "x-ratelimit", "x-ratelimit-epoch", "x-ratelimit-epoch-ms",
    "x-ratelimit-iso", "aspnetcoreratelimit",
)  # fmt: skip


def _listening() -> Iterator[Scenario]:
    """The headers tell the limit."""
    goals = _goals(0.99, whole=0.001)
    done = (Goal("finished_x", "<=", 1.1), Goal("rejected_whole", "<=", 0.001), _OBEYS)
    for dialect in _TELL_ALL:
        for name, limit, seconds in (
            ("window 600/min", window(600, 60, headers=dialect), 900),
            ("bucket 50/s", bucket(50, headers=dialect), 300),
        ):
            if dialect == "aspnetcoreratelimit" and limit.kind == "bucket":
                continue
            site = _at(limit)
            yield Scenario(
                name=f"{dialect}, {name}", site=site, goals=goals, seconds=seconds
            )
            yield Scenario(
                name=f"{dialect}, {name}, job of 1,180",
                site=site,
                flows=job(1180),
                goals=done,
                seconds=900,
            )
    hour = _at(window(600, 60, headers="x-ratelimit-epoch"), skew=3600.0)
    yield Scenario(
        name="x-ratelimit-epoch, an hour off", site=hour, goals=goals, seconds=900
    )
    date = _at(bucket(50, headers="retry-after-date"), skew=-3600.0)
    yield Scenario(
        name="retry-after-date, an hour off",
        site=date,
        goals=_goals(0.97, 0.005, 0.01),
    )


def _unknown() -> Iterator[Scenario]:
    """Nobody tells the limit; 20 calls per second and more."""
    goals = (*_goals(0.97, 0.005, 0.01), Goal("reach_s", "<=", 10))
    for name, limit in {
        "bucket 20/s, 429": bucket(20),
        "bucket 50/s, 429": bucket(50),
        "bucket 50/s, 503": bucket(50, status=503),
        "bucket 50/s, Retry-After": bucket(50, headers="retry-after"),
        "bucket 50/s, burst 5, 429": bucket(50, 5),
        "bucket 50/s, burst 500, 429": bucket(50, 500),
        "bucket 100/s, 503": bucket(100, status=503),
        "bucket 200/s, burst 20, 429": bucket(200, 20),
        "window 50/s, 429": window(50, 1),
        "aligned 50/s, Retry-After": window(50, 1, headers="retry-after", aligned=True),
        "sliding 50/s, 503": window(50, 1, "sliding", status=503),
        "sliding 20/s, 429": window(20, 1, "sliding"),
        "bucket 50/s, aspnet": bucket(50, headers="aspnet", status=503),
        "bucket 50/s, retry-after-ms": bucket(50, headers="retry-after-ms"),
    }.items():
        yield Scenario(name=f"unknown, {name}", site=_at(limit), goals=goals)


def _slow() -> Iterator[Scenario]:
    """Windows of a minute, few calls, and the firewall."""
    goals = _goals(0.97, 0.01)
    for name, limit in {
        "window": window(600, 60),
        "aligned": window(600, 60, aligned=True),
        "sliding": window(600, 60, "sliding"),
    }.items():
        yield Scenario(
            name=f"unknown, {name} 600/min",
            site=_at(limit),
            goals=(Goal("learned_s", "<=", 121), *goals),
            seconds=1800,
            steady=180,
        )
    for burst in (5, 50):
        yield Scenario(
            name=f"unknown, bucket 5/s, burst {burst}",
            site=_at(bucket(5, burst)),
            goals=_goals(0.97, 0.015),
            seconds=900,
        )
    yield Scenario(
        name="firewall 500 per 10 s, 30 s",
        site=_at(window(500, 10, "firewall", block=30.0)),
        goals=(Goal("goodput", ">=", 0.95), _OBEYS, _KEEPS),
        seconds=900,
        steady=180,
    )
    yield Scenario(
        name="second run, 600/min",
        site=_at(window(600, 60)),
        remembers=True,
        goals=(*_goals(0.97, whole=0.002), Goal("goodput_whole", ">=", 0.97)),
        seconds=900,
    )
    yield Scenario(
        name="second run, bucket 50/s",
        site=_at(bucket(50)),
        remembers=True,
        goals=(*_goals(0.97, whole=0.002), Goal("reach_s", "<=", 2)),
    )


def _events() -> Iterator[Scenario]:
    """Something happens."""
    changing = (
        Goal("down_s", "<=", 2),
        Goal("down_rejected", "<=", 6),
        Goal("up_s", "<=", 15),
        _OBEYS,
        _KEEPS,
    )
    for headers in _QUIET:
        yield Scenario(
            name=f"50, 20, 50/s, {'429' if headers == 'none' else 'Retry-After'}",
            site=_at(bucket(50, headers=headers), changes=((120, 20), (240, 50))),
            goals=changing,
            seconds=360,
        )
    for outage in ("page", "connect"):
        yield Scenario(
            name=f"outage of 30 s, {'503 page' if outage == 'page' else 'refused'}",
            site=_at(bucket(50), outages=((120, 150),), outage=outage),
            goals=(Goal("wasted", "<=", 12), Goal("back_s", "<=", 15), _KEEPS),
            seconds=240,
        )


def _fairness() -> Iterator[Scenario]:
    """Several sessions, a person, several processes."""
    for headers in _QUIET:
        said = "429" if headers == "none" else "Retry-After"
        limit = bucket(50, headers=headers)
        yield Scenario(
            name=f"heavy and nine light, {said}",
            site=_at(limit),
            goals=(Goal("jain", ">=", 0.98), Goal("light_median_x", "<=", 1.5), _OBEYS),
            seconds=120,
            steady=20,
        )
    yield Scenario(
        name="interactive behind 1,800, 429",
        site=_at(bucket(50)),
        flows=clicks(),
        goals=(
            Goal("click_median_s", "<=", 0.05 + 2 / 50),
            Goal("click_p95_s", "<=", 0.3),
            _KEEPS,
        ),
        seconds=300,
    )
    yield Scenario(
        name="four processes, shared",
        site=_at(bucket(50)),
        flows=processes(),
        shared=True,
        goals=(Goal("goodput", ">=", 0.98), Goal("jain", ">=", 0.99), _OBEYS),
    )
    yield Scenario(
        name="four processes, alone",
        site=_at(bucket(50)),
        flows=processes(),
        goals=(),
        also=("goodput", "rejected", "jain"),
    )
    yield Scenario(
        name="limit per provider, 10/s each",
        site=_at(RateLimit(rate=10, headers="none", scope="provider")),
        goals=(),
        also=("goodput", "rejected"),
    )
    yield Scenario(
        name="concurrency of 10, work 0.2 s",
        site=_at(RateLimit(rate=10, kind="concurrency", headers="none"), work=0.2),
        goals=(),
        also=("goodput", "rejected"),
    )
    yield Scenario(
        name="overloaded: 8 workers, work 0.2 s",
        site=_at(None, work=0.2, workers=8),
        goals=(),
        also=("goodput", "trip_median_s", "trip_p95_s"),
    )


def _random() -> Iterator[Scenario]:
    """Servers that nobody tuned for."""
    yield Scenario(
        name="100 random servers",
        site=random_site,
        seconds=900,
        steady=180,
        seeds=TABLE,
        goals=(
            Goal("goodput", ">=", 0.97),
            Goal("goodput", ">=", 0.92, "p10"),
            Goal("goodput", ">=", 0.87, "worst"),
            Goal("rejected_whole", "<=", 0.004),
            Goal("rejected_whole", "<=", 0.02, "worst"),
            _OBEYS,
        ),
    )


# One or two for each row of what must be shown.
_BESIDE_PEERS = frozenset(
    {
        "configured, bucket 50/s",
        "ietf, window 600/min",
        "ietf, window 600/min, job of 1,180",
        "unknown, bucket 50/s, 429",
        "unknown, bucket 50/s, Retry-After",
        "unknown, bucket 50/s, burst 5, 429",
        "unknown, sliding 50/s, 503",
        "unknown, window 600/min",
        "unknown, bucket 5/s, burst 5",
        "firewall 500 per 10 s, 30 s",
        "50, 20, 50/s, 429",
        "outage of 30 s, 503 page",
        "heavy and nine light, 429",
        "interactive behind 1,800, 429",
        "four processes, alone",
        "100 random servers",
    }
)


def scenarios() -> list[Scenario]:
    """Return all of them, in the order of the table."""
    parts = (_told, _listening, _unknown, _slow, _events, _fairness, _random)
    every = [scenario for part in parts for scenario in part()]
    return [evolve(s, peers=s.name in _BESIDE_PEERS) for s in every]
