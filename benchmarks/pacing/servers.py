"""Servers at random: what a vendor might have put in front of its API.

Seeds 0 to 99 are for tuning, 1000 to 1099 for the table; nobody tunes on those.
"""

from __future__ import annotations

import math
from random import Random

from server import Site

from healthyroster_async.emulator.limits import Headers, Kind, RateLimit

TUNING = range(100)
TABLE = range(1000, 1100)
# Half of them say nothing, as the vendor seems to do; the others one of the dialects.
_SPEAKING: tuple[Headers, ...] = (
    "retry-after", "retry-after-date", "retry-after-ms", "x-ratelimit",
    "x-ratelimit-epoch", "x-ratelimit-epoch-ms", "x-ratelimit-iso", "ietf", "ietf-old",
    "aspnet", "aspnetcoreratelimit", "azure",
)  # fmt: skip
_KINDS: tuple[Kind, ...] = ("bucket", "window", "sliding", "firewall")
_WINDOWS_S = (1.0, 1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 60.0)


def random_site(seed: int) -> Site:
    """Return a server that the seed decides.

    - rate: log-uniform from 5 to 200 calls per second
    - kind: 45 % token buckets, 20 % windows (a third of them aligned), 20 % sliding
      windows, 15 % firewalls that block for 10 to 30 s
    - burst of a bucket: for a third 1 to 10 times the rate, for a third 0.1 to 1 times,
      for a third exactly the rate; 2 at least
    - windows: 1, 5, 10, 15, 30 or 60 s; those of a firewall 5, 10 or 60 s
    - round trip: log-uniform from 10 to 200 ms, jitter (sigma) 0.05 to 0.4
    - signal: 40 % bare 429, 15 % bare 503, the others one of the dialects, evenly;
      a firewall is bare or sends a plain Retry-After
    """
    rng = Random(f"server/{seed}")
    rate = _log_uniform(rng, 5, 200)
    kind = rng.choices(_KINDS, (0.45, 0.2, 0.2, 0.15))[0]
    headers: Headers = rng.choices(("none", rng.choice(_SPEAKING)), (0.55, 0.45))[0]
    status = 503 if headers == "none" and rng.random() < 15 / 55 else 429
    per, burst, block = 1.0, None, None
    if kind == "bucket":
        share = rng.choice((_log_uniform(rng, 1, 10), _log_uniform(rng, 0.1, 1), 1.0))
        burst = max(2, round(rate * share))
        rate = round(rate, 2)
    else:
        per = rng.choice((5.0, 10.0, 60.0) if kind == "firewall" else _WINDOWS_S)
        rate = max(5, round(rate * per))
    if kind == "firewall":
        block = rng.choice((10.0, 20.0, 30.0))
        headers = "none" if headers == "none" else "retry-after"
    return Site(
        limit=RateLimit(
            rate=rate,
            per=per,
            burst=burst,
            kind=kind,
            block=block,
            aligned=kind == "window" and rng.random() < 1 / 3,
            headers=headers,
            status=status,
        ),
        latency=_log_uniform(rng, 0.01, 0.2),
        jitter=rng.uniform(0.05, 0.4),
    )


def _log_uniform(rng: Random, least: float, most: float) -> float:
    return math.exp(rng.uniform(math.log(least), math.log(most)))
