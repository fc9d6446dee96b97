"""What is measured in a run; each number has its exact meaning here."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from attrs import define
from ideal import capacity, seconds_for
from record import ACCEPTED, THROTTLED, Trace
from server import Site
from workload import Flow

from healthyroster_async._core.settings import Limit

# "Within 10 % of the limit".
_NEAR = 0.9
_FEWEST_CALLS = 50
# Calls that are asked for together; the next ones wait for an answer at least.
_AT_ONCE_S = 0.005
# What follows a falling limit is looked at for so many seconds.
_AFTER_FALL_S = 10.0


@define(slots=False)
class Run:
    """One run, and what it is judged by.

    Attributes:
        site: The server.
        flows: What was to be done.
        trace: What happened.
        steady: When the steady phase begins, in seconds; a firewall's begins later if
            it closes often, see ``steady_from``.
    """

    site: Site
    flows: Sequence[Flow]
    trace: Trace
    steady: float

    @cached_property
    def accepted(self) -> list[float]:
        """When the accepted requests arrived."""
        return [r.arrived for r in self.trace.requests if r.outcome == ACCEPTED]

    @cached_property
    def steady_from(self) -> float:
        """When the steady phase begins: behind a firewall after its second block."""
        limit = self.site.limit
        if limit is None or limit.kind != "firewall":
            return self.steady
        ends, until = [], -math.inf
        for request in self.trace.requests:
            if request.outcome == THROTTLED and request.arrived >= until:
                until = request.arrived + (limit.block or 0.0)
                ends.append(until)
        return max(self.steady, ends[1]) if len(ends) > 1 else self.steady


def _goodput(run: Run, start: float) -> float:
    limit = run.site.limit
    scopes: dict[int, list[float]] = {}
    for request in run.trace.requests:
        if request.outcome == ACCEPTED:
            apart = limit is not None and limit.scope == "provider"
            scope = request.provider if apart else 0
            scopes.setdefault(scope, []).append(request.arrived)
    got = could = 0.0
    for arrivals in scopes.values():
        calls, begin, end = capacity(run.site, arrivals, start, run.trace.ended)
        could += calls
        got += bisect_left(arrivals, end) - bisect_left(arrivals, begin)
    return got / could if could else 0.0


def goodput(run: Run) -> float:
    """Accepted calls in the steady phase over what the server could have accepted.

    What it could have accepted stands in ``ideal.capacity``.
    """
    return _goodput(run, run.steady_from)


def goodput_whole(run: Run) -> float:
    """The same for the whole run, the first burst included."""
    return _goodput(run, 0.0)


def _rejected(run: Run, start: float, stop: float = math.inf) -> tuple[int, int]:
    inside = [r.outcome for r in run.trace.requests if start <= r.arrived < stop]
    return inside.count(THROTTLED), len(inside)


def rejected(run: Run) -> float:
    """Share of the requests of the steady phase that were turned away as too many."""
    count, total = _rejected(run, run.steady_from)
    return count / total if total else 0.0


def rejected_whole(run: Run) -> float:
    """The same for the whole run."""
    count, total = _rejected(run, 0.0)
    return count / total if total else 0.0


def _reach(run: Run, after: float) -> float:
    """Seconds from *after* until the accepted rate is within 10 % of the limit.

    It is taken over as many calls as the limit allows in a second, or 50 if those are
    more, all of them after *after*.
    """
    rate = run.site.rate_at(after)
    number = max(_FEWEST_CALLS, math.ceil(rate))
    times = run.accepted
    for i in range(bisect_left(times, after), len(times) - number):
        if number / max(1e-9, times[i + number] - times[i]) >= _NEAR * rate:
            return times[i + number] - after
    return math.inf


def reach_s(run: Run) -> float:
    """Seconds until the accepted rate is within 10 % of the limit (see ``_reach``)."""
    return _reach(run, 0.0)


def finished_x(run: Run) -> float:
    """Time that a finite job took, over the least that it can take."""
    if run.trace.unfinished:
        return math.inf
    calls = sum(flow.first for flow in run.flows)
    return run.trace.ended / seconds_for(run.site, calls)


def jain(run: Run) -> float:
    """Fairness between the providers in the steady phase, while all have work to do.

    (sum x)^2 / (n * sum x^2) over accepted calls; 1 is perfect, 1/n the worst.
    """
    counts = {flow.provider: 0 for flow in run.flows if flow.backlog}
    for request in run.trace.requests:
        if request.arrived >= run.steady_from and request.outcome == ACCEPTED:
            counts[request.provider] += 1
    squares = sum(n * n for n in counts.values())
    return sum(counts.values()) ** 2 / (len(counts) * squares) if squares else 0.0


def _light(run: Run) -> list[float]:
    least = min(flow.first for flow in run.flows)
    times = []
    for flow in run.flows:
        if flow.first == least:
            done = [
                call.done
                for call in run.trace.calls
                if call.provider == flow.provider
                and call.asked < flow.start + _AT_ONCE_S
            ]
            times.append(max(done) if len(done) == flow.first else math.inf)
    # With a turn each, so many calls go before the last of a light session.
    calls = least * len(run.flows)
    fair = calls / run.site.rate_at(0.0) + run.site.latency
    return [time / fair for time in times]


def light_median_x(run: Run) -> float:
    """Time until the first calls of a light session are done, over its fair share.

    The fair share is the time that as many calls of each session take at the limit's
    rate, and a round trip. The median of the light sessions.
    """
    return statistics.median(_light(run))


def light_worst_x(run: Run) -> float:
    """The same for the light session that is done last."""
    return max(_light(run))


def learned_s(run: Run) -> float:
    """Seconds until the exact limit, calls and window, was recognised for good."""
    limit, learned = run.site.limit, run.trace.learned
    if limit is None or not learned:
        return math.inf
    when, last = learned[-1]
    return when if last == Limit(limit.rate, limit.per) else math.inf


def _clicks(run: Run) -> list[float]:
    return [call.done - call.asked for call in run.trace.calls if call.interactive]


def click_median_s(run: Run) -> float:
    """Median seconds from an interactive call's being asked for to its answer."""
    return statistics.median(_clicks(run) or [math.inf])


def click_p95_s(run: Run) -> float:
    """The 95th percentile of the same."""
    return quantile(_clicks(run) or [math.inf], 0.95)


def _trips(run: Run) -> list[float]:
    return [
        r.answered - r.sent
        for r in run.trace.requests
        if r.outcome == ACCEPTED and r.arrived >= run.steady_from
    ]


def trip_median_s(run: Run) -> float:
    """Median seconds that an accepted request is under way, in the steady phase."""
    return statistics.median(_trips(run) or [math.inf])


def trip_p95_s(run: Run) -> float:
    """The 95th percentile of the same."""
    return quantile(_trips(run) or [math.inf], 0.95)


def wasted(run: Run) -> float:
    """Requests that arrived while nothing worked."""
    spans = run.site.outages
    return sum(
        any(start <= r.arrived < stop for start, stop in spans)
        for r in run.trace.requests
    )


def back_s(run: Run) -> float:
    """Seconds from the end of an outage until 90 % of the limit are used again."""
    return _reach(run, run.site.outages[0][1])


def lost(run: Run) -> float:
    """Calls that were given up."""
    return sum(call.lost for call in run.trace.calls)


def _change(run: Run, *, up: bool) -> tuple[float, float, float]:
    """Return when the limit falls (or rises), when it changes again, and to what."""
    limit = run.site.limit
    assert limit is not None
    before = limit.rate
    ends = [at for at, _ in run.site.changes[1:]] + [run.trace.ended]
    for (at, calls), end in zip(run.site.changes, ends, strict=True):
        if (calls > before) == up:
            return at, end, calls / limit.per
        before = calls
    raise ValueError("this limit does not change that way")


def down_s(run: Run) -> float:
    """Seconds from the fall of a limit until the client stays under the new one.

    From then on (for 10 s after the fall) no second sees more than 1.1 times the new
    limit sent.
    """
    at, _, rate = _change(run, up=False)
    sent = sorted(r.sent for r in run.trace.requests if r.sent >= at)
    last = at
    for i, time in enumerate(sent):
        if time > at + _AFTER_FALL_S:
            break
        if bisect_right(sent, time + 1.0) - i > 1.1 * rate:
            last = time
    return last - at


def down_rejected(run: Run) -> float:
    """Requests turned away in the 10 s after the fall of a limit."""
    at, _, _ = _change(run, up=False)
    return _rejected(run, at, at + _AFTER_FALL_S)[0]


def up_s(run: Run) -> float:
    """Seconds from the rise of a limit until 90 % of the new one are used."""
    at, _, _ = _change(run, up=True)
    return _reach(run, at)


def in_pause(run: Run) -> float:
    """Requests sent after the client heard of a pause and before the pause was over."""
    sent = sorted((r.process, r.sent) for r in run.trace.requests)
    found: set[int] = set()
    for heard, until, process in run.trace.pauses:
        # The server's answer took time, so obeying it to the second is late enough.
        first = bisect_right(sent, (process, heard))
        last = bisect_left(sent, (process, until - 1e-6))
        found.update(range(first, last))
    return len(found)


def pauses(run: Run) -> float:
    """Pauses that the API asked for; those that overlap are one."""
    count, end = 0, -math.inf
    for heard, until, _ in sorted(run.trace.pauses):
        count += heard > end
        end = max(end, until)
    return count


def requests(run: Run) -> float:
    """Requests in all."""
    return len(run.trace.requests)


Metric: TypeAlias = Callable[[Run], float]
METRICS: Mapping[str, Metric] = {
    metric.__name__: metric
    for metric in (
        goodput, goodput_whole, rejected, rejected_whole, reach_s, finished_x,
        learned_s, jain,
        light_median_x, light_worst_x, click_median_s, click_p95_s, trip_median_s,
        trip_p95_s, wasted, back_s,
        lost, down_s, down_rejected, up_s, in_pause, pauses, requests,
    )
}  # fmt: skip


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that *share* of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
