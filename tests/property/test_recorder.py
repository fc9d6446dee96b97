"""Nothing is lost when a recorder makes two buckets of one width one of twice it."""

import math

from hypothesis import example, given
from hypothesis import strategies as st
from report_samples import BEGAN, Clock

from healthyroster_async._core.recorder import Recorder
from healthyroster_async._report.plot import Bins

steps = st.one_of(
    st.just(0.0),
    st.floats(0.0, 0.2),
    st.floats(0.0, 100.0),
    st.sampled_from([1 / 16, 360 / 16, 1e6]),
)
events = st.tuples(
    steps,
    st.sampled_from(["good", "denied", "retry", "rows", "paused", "resumed", "down"]),
    st.floats(0.0, 500.0),
)


@given(story=st.lists(events, max_size=60), most=st.sampled_from([2, 4, 360]))
@example(story=[(0.0, "good", 0.0), (360 / 16, "rows", 22.5)], most=360)
@example(story=[(0.0, "paused", 500.0), (1e6, "good", 0.0)], most=2)
@example(story=[(0.0, "down", 0.0), (1e6, "resumed", 0.0)], most=4)
def test_totals_are_kept_when_buckets_merge(story, most):
    """
    Whatever happens when, timeline and totals say the same, in bounded memory.
    """
    clock = Clock()
    recorder = Recorder(clock, most=most)
    for step, what, number in story:
        clock.now += step
        if what == "good":
            recorder.attempted(1, "GET /", 200, number)
        elif what == "denied":
            recorder.attempted(2, "GET /", 403, number)
        elif what == "retry":
            recorder.retried(1, "GET /")
        elif what == "rows":
            recorder.streamed(1, "GET /", round(number), 7, number)
        else:
            recorder.paced(what, number if what == "paused" else 0.0)
    recording = recorder.recorded()
    buckets, total = recording.buckets, recording.total

    assert len(buckets) <= most
    for key in ("answered", "denied", "retries"):
        assert sum(getattr(b, key) for b in buckets) == getattr(total, key)
    for key in ("rows", "bytes"):
        in_time = sum(getattr(b, key) for b in buckets)
        assert math.isclose(in_time, getattr(total, key), abs_tol=1e-6)
    away = sum(b.paused + b.down for b in buckets)
    assert -1e-6 <= away <= recording.seconds + 1e-3
    assert sum(t.calls for t in recording.providers.values()) == total.calls
    assert recording.began is None or recording.began >= BEGAN
    if buckets:
        bins = Bins.of(recording)
        assert sum(b.calls for b in bins.bins) == total.calls
        assert all(seconds > 0 for seconds in bins.seconds)
        assert bins.length >= recording.seconds - 1e-6
