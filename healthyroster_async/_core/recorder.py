"""What a pool did, in bounded memory: counts by time, provider and endpoint."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from attrs import define, evolve

from healthyroster_async._core.recording import (
    FIRST_WIDTH_S,
    LEAST_S,
    MOST_DURATIONS,
    PER_DOUBLING,
    Bucket,
    Recording,
    Tally,
    merged,
)

MOST_BUCKETS = 360
# Whoever lets strangers name providers must not fill the memory.
_MOST_PROVIDERS, _MOST_LABELS, _MOST_FAILURES = 4096, 512, 512
OTHERS = "(others)"
# What counting touches is then in the CPU's cache: it takes a fifth of the time.
_AT_ONCE = 256
# Where each number of durations but the first begins.
_DURATIONS = tuple(
    LEAST_S * 2.0 ** (number / PER_DOUBLING) for number in range(1, MOST_DURATIONS)
)
_THROTTLED, _DENIED, _GOOD = frozenset({429}), frozenset({401, 403}), range(200, 400)


_What: TypeAlias = tuple[int | str | None, str, int | str]
_Attempt: TypeAlias = tuple[float, _What, float]


class Recorder:
    """Counts what a pool does, by time, provider and endpoint.

    Time is cut into a bounded number of buckets. When a job outgrows them, each two
    become one of twice the width. Each attempt comes by here, so it is short.

    Attributes:
        pace: Returns the calls per second that may go now, and where that comes from,
            in words; ``None`` while nobody knows.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        behind: float = 0.0,
        most: int = MOST_BUCKETS,
    ) -> None:
        """Make an empty one.

        Args:
            clock: Returns seconds.
            behind: What is added to them for those since 1970.
            most: Most buckets, an even number.
        """
        self.pace: Callable[[], tuple[float, str]] | None = None
        self._clock = clock
        self._behind = behind
        self._most = most
        self._width = FIRST_WIDTH_S
        self._began: float | None = None
        self._ended = 0.0
        self._buckets: list[Bucket] = []
        self._total = Tally()
        self._providers: dict[str, Tally] = {}
        self._labels: dict[str, Tally] = {}
        self._failures: Counter[tuple[str, int | str]] = Counter()
        self._durations = [0] * MOST_DURATIONS
        self._pauses = 0
        self._pause: _Pause | None = None
        self._rate_source = ""
        self._uncounted: list[_Attempt] = []
        # How many attempts of a kind, and how long they took together.
        self._sums: dict[_What, list[float]] = {}
        self._next = -math.inf  # when the next bucket begins

    def attempted(
        self,
        provider_id: int | str | None,
        label: str,
        came: int | str,
        seconds: float,
    ) -> None:
        """Count an attempt that ended.

        Args:
            provider_id: The Healthcare Provider it was about.
            label: Method and route template.
            came: The HTTP status, or the class of the error if there was no answer.
            seconds: How long it took.
        """
        now = self._clock()
        self._uncounted.append((now, (provider_id, label, came), seconds))
        if now >= self._next or len(self._uncounted) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        """Count the attempts that were only noted; before anything else is."""
        attempts, self._uncounted = self._uncounted, []
        ended, until = self._ended, self._next
        sums, durations = self._sums, self._durations
        came: list[int | str] = []
        for when, what, seconds in attempts:
            if ended <= when < until:
                ended = when
            else:
                self._ended = ended
                self._fill(came)
                came = []
                self._at(when)
                ended, until = self._ended, self._next
            came.append(what[-1])
            if what in sums:
                own = sums[what]
                own[0] += 1
                own[1] += seconds
            else:
                sums[what] = [1, seconds]
            durations[bisect(_DURATIONS, seconds)] += 1
        self._ended = ended
        self._fill(came)
        if len(sums) > _MOST_PROVIDERS:
            self._share_out()

    def _fill(self, came: list[int | str]) -> None:
        """Count what attempts of the last bucket came to."""
        for one, times in Counter(came).items():
            _add(self._buckets[-1], one, times)

    def _share_out(self) -> None:
        """Count attempts by provider and endpoint; it need not be done each time."""
        sums, self._sums = self._sums, {}
        for (provider_id, label, came), (times, seconds) in sums.items():
            for tally in self._tallies(provider_id, label):
                tally.seconds += seconds
                _add(tally, came, int(times))
            if came in _GOOD:
                continue
            key = (label, came)
            if key not in self._failures and len(self._failures) >= _MOST_FAILURES:
                key = (OTHERS, came if isinstance(came, int) else OTHERS)
            self._failures[key] += int(times)

    def retried(self, provider_id: int | str | None, label: str) -> None:
        """Count that something is tried again."""
        self._now().retries += 1
        for tally in self._tallies(provider_id, label):
            tally.retries += 1

    def streamed(
        self,
        provider_id: int | str | None,
        label: str,
        rows: int,
        size: int,
        seconds: float,
    ) -> None:
        """Count rows that came in the last *seconds*, evenly."""
        if not (rows or size):
            return
        self._now()
        for tally in self._tallies(provider_id, label):
            tally.rows += rows
            tally.bytes += size
        for bucket, share in self._shares(self._ended - seconds, self._ended):
            bucket.rows += rows * share
            bucket.bytes += size * share

    def paced(self, kind: str, pause: float) -> None:
        """Note a change of the pace; see ``PacingEvent``."""
        self._see_pace(self._now())
        now = self._ended
        self._settle()
        is_down = kind == "down" or (
            self._pause is not None and self._pause.is_down and kind != "up"
        )
        self._pauses += kind == "paused"
        if is_down:
            self._pause = _Pause(now, math.inf, is_down=True)
        elif pause > 0:
            self._pause = _Pause(now, now + pause, is_down=False)
        else:
            self._pause = None

    def recorded(self) -> Recording:
        """Return what was recorded so far."""
        self._count()
        self._share_out()
        if self._began is not None and self._pause is not None:
            self._now()
            self._settle()
        return Recording(
            began=None if self._began is None else self._began + self._behind,
            ended=0.0 if self._began is None else self._ended + self._behind,
            width=self._width,
            buckets=tuple(map(evolve, self._buckets)),
            total=evolve(self._total),
            providers={key: evolve(one) for key, one in self._providers.items()},
            labels={key: evolve(one) for key, one in self._labels.items()},
            failures=dict(self._failures),
            pauses=self._pauses,
            durations=tuple(self._durations),
            rate_source=self._rate_source,
        )

    def _now(self) -> Bucket:
        """Return the bucket of this instant, when all before it is counted."""
        self._count()
        return self._at(self._clock())

    def _at(self, now: float) -> Bucket:
        if self._began is None:
            self._began = self._ended = now
        # If somebody sets the clock back, time stands still until it has caught up.
        self._ended = max(self._ended, now)
        index = self._index(self._ended)
        is_new = index >= len(self._buckets)
        bucket = self._bucket(index)
        if is_new:
            self._see_pace(bucket)
        self._next = self._began + len(self._buckets) * self._width
        return bucket

    def _see_pace(self, bucket: Bucket) -> None:
        if self.pace is not None:
            bucket.rate, self._rate_source = self.pace()

    def _index(self, when: float) -> int:
        began = self._began or 0.0
        while (index := int(max(0.0, when - began) / self._width)) >= self._most:
            self._buckets = merged(self._buckets)
            self._width *= 2
        return index

    def _bucket(self, index: int) -> Bucket:
        while len(self._buckets) <= index:
            self._buckets.append(Bucket())
        return self._buckets[index]

    def _shares(self, since: float, until: float) -> Iterable[tuple[Bucket, float]]:
        """Yield the buckets of a stretch of time, and which share of it each has."""
        began = self._began or 0.0
        since, until = max(since, began), max(until, began)
        last = self._index(until)
        first = min(self._index(since), last)
        length = until - since
        if first == last or length <= 0:
            yield self._bucket(last), 1.0
            return
        for index in range(first, last + 1):
            begin = began + index * self._width
            part = min(until, begin + self._width) - max(since, begin)
            yield self._bucket(index), max(0.0, part) / length

    def _settle(self) -> None:
        """Count the pause that is open until now."""
        pause = self._pause
        if pause is None:
            return
        until = min(pause.until, self._ended)
        length = until - pause.since
        if length > 0:
            for bucket, share in self._shares(pause.since, until):
                if pause.is_down:
                    bucket.down += length * share
                else:
                    bucket.paused += length * share
            pause.since = until

    def _tallies(self, provider_id: int | str | None, label: str) -> tuple[Tally, ...]:
        by_label = _kept(self._labels, label, _MOST_LABELS)
        if provider_id is None:
            return self._total, by_label
        return (
            self._total,
            by_label,
            _kept(self._providers, str(provider_id), _MOST_PROVIDERS),
        )


@define
class _Pause:
    """A pause that may not be over.

    Attributes:
        since: From when on it is not counted yet.
        until: When it ends, if nothing comes between.
        is_down: Whether the API does not answer.
    """

    since: float
    until: float
    is_down: bool


def _kept(tallies: dict[str, Tally], key: str, most: int) -> Tally:
    tally = tallies.get(key)
    if tally is None:
        if len(tallies) >= most:
            key = OTHERS
        tally = tallies.setdefault(key, Tally())
    return tally


def _add(counts: Bucket | Tally, came: int | str, times: int) -> None:
    if came in _GOOD:
        counts.answered += times
    elif came in _THROTTLED:
        counts.throttled += times
    elif came in _DENIED:
        counts.denied += times
    else:
        counts.failed += times
