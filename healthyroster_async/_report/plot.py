"""Shapes of the timeline: areas, a line and bands, which the page stretches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from attrs import frozen

from healthyroster_async._core.recording import Bucket, Recording, merged

# Of the drawing; the page stretches it.
WIDTH, HEIGHT = 1000.0, 100.0
_MOST_BINS, _FEW_BINS, _FEW_CALLS = 180, 24, 4
_ROOM = 1.06


@frozen
class Kind:
    """One of the areas that stand on each other.

    Attributes:
        key: Name of the attribute of a bucket, and of the class in the style.
        name: What the legend says.
    """

    key: str
    name: str


KINDS = (
    Kind("answered", "answered"),
    Kind("denied", "denied (401, 403)"),
    Kind("throttled", "asked to wait (429)"),
    Kind("failed", "failed"),
)


@frozen
class Bins:
    """Buckets as the page draws them: few enough to see, full enough to mean something.

    Attributes:
        width: Seconds of each but the last.
        bins: The buckets.
        seconds: Seconds of each.
    """

    width: float
    bins: Sequence[Bucket]
    seconds: Sequence[float]

    @classmethod
    def of(cls, recording: Recording, most: int = _MOST_BINS) -> Bins:
        """Put buckets together."""
        bins, width = list(recording.buckets), recording.width
        calls = sum(bucket.calls for bucket in bins)
        while len(bins) > most or (
            len(bins) > _FEW_BINS and calls < _FEW_CALLS * len(bins)
        ):
            bins, width = merged(bins), width * 2
        last = max(recording.seconds - width * (len(bins) - 1), 0.0)
        if len(bins) > 1 and last < width / 2:
            # A call in a millisecond is no thousand calls a second.
            bins[-2:] = [bins[-2] + bins[-1]]
            last += width
        else:
            last = max(last, min(width, recording.width))
        return cls(width, bins, [*[width] * (len(bins) - 1), last])

    @property
    def length(self) -> float:
        """Seconds of all."""
        return sum(self.seconds)


@frozen
class Axis:
    """The scale of a drawing.

    Attributes:
        top: What its upper edge stands for.
        step: What lies between two lines.
    """

    top: float
    step: float

    @classmethod
    def of(cls, most: float) -> Axis:
        """Return a scale on which *most* fits, with three to six lines."""
        most = max(most * _ROOM, 1e-9)
        power = 10.0 ** math.floor(math.log10(most))
        step = next(s * power for s in (0.2, 0.5, 1, 2, 5) if most <= 5 * s * power)
        return cls(math.ceil(most / step) * step, step)

    def y(self, value: float) -> float:
        """Return how far below the upper edge a value is drawn."""
        return HEIGHT * (1 - min(value, self.top) / self.top)

    def lines(self) -> Iterator[float]:
        """Yield the values of the lines."""
        for count in range(round(self.top / self.step) + 1):
            yield count * self.step


def _edges(bins: Bins) -> list[float]:
    """Return where bins begin, and where the last one ends, on the drawing."""
    edges, at = [0.0], 0.0
    for seconds in bins.seconds:
        at += seconds
        edges.append(WIDTH * at / bins.length)
    return edges


def area(
    key: str, bins: Bins, below: Sequence[float], above: Sequence[float], axis: Axis
) -> str:
    """Return what lies between two heights of each bin."""
    edges = _edges(bins)
    there, back = [], []
    for place, (low, high) in enumerate(zip(below, above, strict=True)):
        left, right = edges[place], edges[place + 1]
        there.append(f"{left:.1f} {axis.y(high):.2f} {right:.1f} {axis.y(high):.2f}")
        back.append(f"{right:.1f} {axis.y(low):.2f} {left:.1f} {axis.y(low):.2f}")
    path = f"M{' '.join(there)} {' '.join(reversed(back))}Z"
    return f'<path class="hr-{key}" d="{path}"/>'


def line(rates: Sequence[float | None], bins: Bins, axis: Axis) -> str:
    """Return the line of the rate, which goes on where none was seen."""
    edges, parts, last = _edges(bins), [], None
    for place, rate in enumerate(rates):
        rate = last if rate is None else rate  # noqa: PLW2901 - it goes on as it was
        if rate is None:
            continue
        y = axis.y(rate)
        start = "M" if last is None else "L"
        parts.append(
            f"{start}{edges[place]:.1f} {y:.2f}L{edges[place + 1]:.1f} {y:.2f}"
        )
        last = rate
    if not parts:
        return ""
    path = "".join(parts)
    return f'<path class="hr-halo" d="{path}"/><path class="hr-rate" d="{path}"/>'


def bands(bins: Bins) -> Iterator[str]:
    """Yield pauses and outages: where one fills part of a bin, it is fainter."""
    edges = _edges(bins)
    for place, (bucket, seconds) in enumerate(
        zip(bins.bins, bins.seconds, strict=True)
    ):
        for key in ("paused", "down"):
            share = min(1.0, getattr(bucket, key) / seconds)
            if share <= 0:
                continue
            left, wide = edges[place], edges[place + 1] - edges[place]
            yield (
                f'<rect class="hr-{key}" x="{left:.1f}" y="0" width="{wide:.1f}" '
                f'height="{HEIGHT:.0f}" opacity="{max(share, 0.15):.2f}"/>'
            )


def grid(axis: Axis) -> Iterator[str]:
    """Yield the lines of a scale."""
    for value in axis.lines():
        y = axis.y(value)
        yield f'<path class="hr-grid" d="M0 {y:.2f}H{WIDTH:.0f}"/>'
