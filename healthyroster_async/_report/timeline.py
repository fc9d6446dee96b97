"""The timeline: what happened when, as drawings and as a table.

The shapes are stretched to the width of the page; letters are HTML and are not.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from html import escape

from healthyroster_async._core.recording import Bucket, Recording
from healthyroster_async._report.plot import (
    HEIGHT,
    KINDS,
    WIDTH,
    Axis,
    Bins,
    area,
    bands,
    grid,
    line,
)
from healthyroster_async._report.text import counted, duration, number, size

_TABLE_ROWS = 24
# A rate far above what is called would press the calls to the ground.
_RATE_SHARE = 2.5
_MINUTE, _DAY = 60, 86400
_STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600),
    *(43200, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 365 * _DAY),
)
_FINE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_TICKS = 7


class Timeline:
    """What a pool did over time.

    Attributes:
        bins: What is drawn side by side.
        clipped: Whether the rate is above what is drawn.
    """

    def __init__(self, recording: Recording, zone: dt.tzinfo) -> None:
        """Put together what is drawn; something must have been recorded.

        Args:
            recording: What was recorded.
            zone: The time zone of its clocks.
        """
        self._recording = recording
        self._zone = zone
        self.bins = Bins.of(recording)
        self.clipped = False

    def calls(self) -> str:
        """Return the drawing of calls, rate and pauses."""
        bins = self.bins
        stacks = [
            [getattr(b, k.key) / s for k in KINDS]
            for b, s in zip(bins.bins, bins.seconds, strict=True)
        ]
        highest = max(map(sum, stacks))
        rates = [b.rate for b in bins.bins]
        fastest = max((rate for rate in rates if rate is not None), default=0.0)
        axis = Axis.of(max(highest, min(fastest, _RATE_SHARE * highest)))
        self.clipped = fastest > axis.top
        shapes = [*bands(bins), *grid(axis)]
        below = [0.0] * len(stacks)
        for place, kind in enumerate(KINDS):
            above = [b + stack[place] for b, stack in zip(below, stacks, strict=True)]
            if above != below:
                shapes.append(area(kind.key, bins, below, above, axis))
            below = above
        shapes.append(line(rates, bins, axis))
        words = (
            f"Calls a second over time, at most {number(highest)}; "
            f"{counted(self._recording.total.calls, 'call')} in all"
        )
        return self._framed("calls a second", words, shapes, axis)

    def rows(self) -> str:
        """Return the drawing of rows; of none there is none."""
        bins = self.bins
        values = [b.rows / s for b, s in zip(bins.bins, bins.seconds, strict=True)]
        highest = max(values)
        if not highest:
            return ""
        axis = Axis.of(highest)
        ground = [0.0] * len(values)
        shapes = [*bands(bins), *grid(axis), area("rows", bins, ground, values, axis)]
        words = f"Rows a second over time, at most {number(highest)}"
        return self._framed("rows a second", words, shapes, axis, extra=" hr-low")

    def axis_note(self) -> str:
        """Return what the axis of time shows, in words."""
        began = self._time(self._recording.began or 0.0)
        name = began.tzname() or ""
        offset = f"UTC{began:%z}"
        offset = f"{offset[:-2]}:{offset[-2:]}"
        zone = name if name in {"UTC", offset} else f"{name} ({offset})"
        if any(self.bins.length / step <= _TICKS for step in _FINE_STEPS):
            return f"seconds since {began:%H:%M:%S}, {zone}"
        return f"time of day, {zone}"

    def table(self) -> Iterator[str]:
        """Yield what the drawings show as the rows of a table."""
        bins = Bins.of(self._recording, _TABLE_ROWS)
        for begin, bucket, seconds in self._placed(bins):
            away = bucket.paused + bucket.down
            cells = (
                number(bucket.calls / seconds),
                *(f"{getattr(bucket, kind.key):,}" for kind in KINDS),
                f"{bucket.retries:,}",
                "" if bucket.rate is None else number(bucket.rate),
                f"{bucket.rows:,.0f}",
                duration(away) if away else "",
            )
            numbers = "".join(f'<td class="hr-n">{cell}</td>' for cell in cells)
            yield f'<tr><th scope="row">{self._clock(begin)}</th>{numbers}</tr>'

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield where on the axis of time which text stands."""
        length, began = self.bins.length, self._recording.began or 0.0
        fine = next((s for s in _FINE_STEPS if length / s <= _TICKS), None)
        if fine is not None:
            for count in range(int(length / fine) + 1):
                yield count * fine / length, f"{count * fine:g}"
            return
        step = next((s for s in _STEPS if length / s <= _TICKS), _STEPS[-1])
        # Lines lie where clocks of the zone show round times.
        offset = (self._time(began).utcoffset() or dt.timedelta(0)).total_seconds()
        when = math.ceil((began + offset) / step) * step - offset
        while when <= began + length:
            time = self._time(when)
            text = f"{time:%H:%M}" if step % _MINUTE == 0 else f"{time:%H:%M:%S}"
            yield (
                (when - began) / length,
                f"{time.day} {time:%b}" if step >= _DAY else text,
            )
            when += step

    def _framed(
        self,
        label: str,
        words: str,
        shapes: Sequence[str],
        axis: Axis,
        *,
        extra: str = "",
    ) -> str:
        ys = "".join(
            f'<span style="bottom:{100 * value / axis.top:.2f}%">{number(value)}</span>'
            for value in axis.lines()
        )
        xs = "".join(
            f'<span class="hr-{"odd" if place % 2 else "even"}" '
            f'style="left:{100 * at:.2f}%">{text}</span>'
            for place, (at, text) in enumerate(self.ticks())
        )
        return (
            f'<div class="hr-frame{extra}"><p class="hr-unit">{label}</p>'
            f'<div class="hr-ys" aria-hidden="true">{ys}</div>'
            f'<div class="hr-canvas"><svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" '
            f'preserveAspectRatio="none" role="img" aria-label="{escape(words)}">'
            f'{"".join(shapes)}</svg><div class="hr-hits" aria-hidden="true">'
            f"{''.join(self._hits())}</div></div>"
            f'<div class="hr-xs" aria-hidden="true">{xs}</div></div>'
        )

    def _hits(self) -> Iterator[str]:
        """Yield what is told of each bin when somebody points at it."""
        half = self.bins.length / 2
        began = self._recording.began or 0.0
        for begin, bucket, seconds in self._placed(self.bins):
            told = "&#10;".join(escape(t) for t in self._told(bucket, begin, seconds))
            side = "r" if begin - began >= half else "l"
            wide = seconds / self.bins.width
            style = "" if wide == 1 else f' style="flex-grow:{wide:.3f}"'
            yield f'<i class="hr-{side}"{style} data-t="{told}"></i>'

    def _told(self, bucket: Bucket, begin: float, seconds: float) -> Iterator[str]:
        yield f"{self._clock(begin)}, for {duration(seconds)}"
        speed = number(bucket.calls / seconds)
        yield f"{counted(bucket.calls, 'call')}, {speed} a second"
        for kind in KINDS[1:]:
            if count := getattr(bucket, kind.key):
                yield f"{count:,} {kind.name}"
        if bucket.retries:
            yield f"{bucket.retries:,} tried again"
        if bucket.rate is not None:
            yield f"{number(bucket.rate)} calls a second allowed"
        if bucket.rows >= 1:
            yield f"{bucket.rows:,.0f} rows, {size(bucket.bytes)}"
        for span, words in ((bucket.paused, "paused"), (bucket.down, "API away")):
            if span:
                yield f"{words} for {duration(span)}"

    def _placed(self, bins: Bins) -> Iterator[tuple[float, Bucket, float]]:
        at = self._recording.began or 0.0
        for bucket, seconds in zip(bins.bins, bins.seconds, strict=True):
            yield at, bucket, seconds
            at += seconds

    def _clock(self, seconds: float) -> str:
        time = self._time(seconds)
        clock = f"{time:%H:%M:%S}"
        return f"{time.day} {time:%b} {clock}" if self.bins.length >= _DAY else clock

    def _time(self, seconds: float) -> dt.datetime:
        return dt.datetime.fromtimestamp(seconds, self._zone)
