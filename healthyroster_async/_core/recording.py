"""What a recorder recorded: buckets of time, tallies by provider and endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

# Durations are counted by their logarithm, so that a few numbers tell the median within
# a tenth: from 1 ms, four to each doubling.
LEAST_S, PER_DOUBLING, MOST_DURATIONS = 0.001, 4, 80
FIRST_WIDTH_S = 1 / 16


@define
class Counts:
    """What became of attempts.

    Attributes:
        answered: Attempts that were answered as they should be.
        throttled: ... that were asked for fewer calls.
        denied: ... that were given no access.
        failed: ... that failed in another way.
        retries: How often something was tried again.
    """

    answered: int = 0
    throttled: int = 0
    denied: int = 0
    failed: int = 0
    retries: int = 0

    @property
    def calls(self) -> int:
        """Attempts in all."""
        return self.answered + self.throttled + self.denied + self.failed


@define
class Bucket(Counts):
    """What happened in a stretch of time.

    Attributes:
        rows: Rows that came.
        bytes: Bytes that they took.
        paused: Seconds in which the pool paused.
        down: Seconds in which the API did not answer and was only probed.
        rate: Calls per second that might go, the last that was seen, or ``None``.
    """

    rows: float = 0.0
    bytes: float = 0.0
    paused: float = 0.0
    down: float = 0.0
    rate: float | None = None

    def __add__(self, later: Bucket) -> Bucket:
        return Bucket(
            self.answered + later.answered,
            self.throttled + later.throttled,
            self.denied + later.denied,
            self.failed + later.failed,
            self.retries + later.retries,
            self.rows + later.rows,
            self.bytes + later.bytes,
            self.paused + later.paused,
            self.down + later.down,
            self.rate if later.rate is None else later.rate,
        )


@define
class Tally(Counts):
    """What became of the attempts of one provider, or of one endpoint.

    Attributes:
        rows: Rows that came.
        bytes: Bytes that they took.
        seconds: How long the attempts took, together.
    """

    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0


@frozen(kw_only=True)
class Recording:
    """What was recorded.

    Attributes:
        began: When the first thing happened, in seconds since 1970; ``None`` if nothing
            did.
        ended: When the last thing happened.
        width: Seconds of each bucket.
        buckets: What happened, from the beginning on.
        total: All of them together.
        providers: The same by Healthcare Provider.
        labels: The same by endpoint, as method and route template.
        failures: How often an endpoint failed in which way: an HTTP status, or the
            class of an error.
        pauses: How often the pool paused.
        durations: How many attempts took how long.
        rate_source: Where the rate came from at last, in words.
    """

    began: float | None = None
    ended: float = 0.0
    width: float = FIRST_WIDTH_S
    buckets: tuple[Bucket, ...] = ()
    total: Tally = field(factory=Tally)
    providers: Mapping[str, Tally] = field(factory=dict)
    labels: Mapping[str, Tally] = field(factory=dict)
    failures: Mapping[tuple[str, int | str], int] = field(factory=dict)
    pauses: int = 0
    durations: tuple[int, ...] = ()
    rate_source: str = ""

    @property
    def seconds(self) -> float:
        """How long it was from the first thing to the last."""
        return 0.0 if self.began is None else self.ended - self.began

    def percentile(self, share: float) -> float | None:
        """Return how many seconds this share of the attempts took at most."""
        wanted = share * sum(self.durations)
        for number, count in enumerate(self.durations):
            wanted -= count
            if count and wanted <= 0:
                return LEAST_S * 2 ** ((number + 0.5) / PER_DOUBLING)
        return None


def merged(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Return half as many buckets, each of two."""
    kept: list[Bucket] = []
    for number, bucket in enumerate(buckets):
        if number % 2:
            kept[-1] = kept[-1] + bucket
        else:
            kept.append(bucket)
    return kept
