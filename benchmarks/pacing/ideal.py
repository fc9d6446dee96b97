"""What a server would have accepted from a client that always keeps it full.

Worked out from the rule and from when the accepted requests arrived, without the
limiters: so it checks them too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from server import Site


def capacity(
    site: Site, arrivals: Sequence[float], start: float, stop: float
) -> tuple[float, float, float]:
    """Return what one limit could have accepted, and in which span.

    - *bucket*: what really was in it at the start, plus ``rate * time``. In an outage
      nothing is accepted and the bucket fills; a change of the rule begins with a full
      bucket, as in the limiter.
    - *windows and firewall*: the span is cut to whole windows as they really began;
      ``calls * time / length``. Who opens the next window late has less than all.
    - *aligned windows*: the same, cut at the multiples of their length.
    - *sliding window*: the span is cut to whole lengths; ``calls`` in each.
    - *concurrency*: ``calls * time / (round trip + work)``; nobody can know sooner that
      a place is free.
    - *workers*: ``workers * time / work``.

    Args:
        site: The server.
        arrivals: When the requests arrived that this limit accepted, in order.
        start: Beginning of the span, in seconds.
        stop: End of the span.

    Returns:
        Calls, and the beginning and the end of the span that they are about.
    """
    limit = site.limit
    if limit is None:
        if site.workers is None or not site.work:
            return math.inf, start, stop
        return site.workers * (stop - start) / site.work, start, stop
    if limit.kind == "bucket":
        return _bucket(site, arrivals, start, stop), start, stop
    if limit.kind == "concurrency":
        trip = site.latency * math.exp(site.jitter**2 / 2) + site.work
        return limit.quota * (stop - start) / trip, start, stop
    edges = _edges(site, arrivals, start, stop)
    if len(edges) > 1:
        start, stop = edges[0], edges[-1]
    return limit.quota * (stop - start) / limit.per, start, stop


def _edges(
    site: Site, arrivals: Sequence[float], start: float, stop: float
) -> list[float]:
    limit = site.limit
    assert limit is not None
    per = limit.per
    if limit.kind == "sliding":
        return [start + n * per for n in range(int((stop - start) / per + 1e-9) + 1)]
    if limit.aligned:
        first, last = math.ceil(start / per - 1e-9), math.floor(stop / per + 1e-9)
        return [n * per for n in range(first, last + 1)]
    edges, until = [], -math.inf
    for at in arrivals:
        if at >= until - 1e-9:
            until = at + per
            if start <= at <= stop:
                edges.append(at)
    return edges


def _bucket(site: Site, arrivals: Sequence[float], start: float, stop: float) -> float:
    limit = site.limit
    assert limit is not None
    since = max((at for at, _ in site.changes if at <= start), default=0.0)
    speed = site.rate_at(start)
    level, filled = _burst(site, start), since
    for at in arrivals:
        if since <= at < start:
            level = min(_burst(site, start), level + (at - filled) * speed) - 1
            filled = at
    level = min(_burst(site, start), level + (start - filled) * speed)
    points = {start, stop, *(at for at, _ in site.changes)}
    points |= {at for span in site.outages for at in span}
    inside = sorted(at for at in points if start <= at <= stop)
    total = 0.0
    for begin, end in pairwise(inside):
        if begin > start and any(at == begin for at, _ in site.changes):
            level = _burst(site, begin)
        gained = (end - begin) * site.rate_at(begin)
        if any(down <= begin < up for down, up in site.outages):
            level = min(_burst(site, begin), level + gained)
        else:
            total += level + gained
            level = 0.0
    return total


def _burst(site: Site, now: float) -> float:
    limit = site.limit
    assert limit is not None
    return limit.burst or max(1, int(site.rate_at(now) * limit.per))


def seconds_for(site: Site, calls: int) -> float:
    """Return how long a job of so many calls takes at least, round trip included.

    The server is fresh and has one limit for all.
    """
    limit = site.limit
    if limit is None:
        return site.latency
    if limit.kind == "bucket":
        waited = max(0.0, calls - limit.quota) / (limit.rate / limit.per)
    elif limit.kind == "concurrency":
        waited = calls * (site.latency + site.work) / limit.quota
    else:
        waited = (math.ceil(calls / limit.quota) - 1) * limit.per
        if limit.aligned and waited:
            waited -= (site.latency / 2) % limit.per
    return waited + site.latency
