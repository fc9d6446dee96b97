"""What a pool did, counted in bounded memory."""

from report_samples import LIST, ROWS, Clock

from healthyroster_async._core.recorder import OTHERS, Recorder


def sums(recording, key):
    return sum(getattr(bucket, key) for bucket in recording.buckets)


def test_an_attempt_is_counted_by_time_provider_and_endpoint():
    """
    The same numbers stand in the timeline and in the tables.
    """
    recorder = Recorder(Clock())
    for came in (200, 204, 403, 429, 503, "ConnectError"):
        recorder.attempted(1, LIST, came, 0.1)
    recorder.retried(1, LIST)
    recording = recorder.recorded()

    for counted in (
        recording.total,
        recording.providers["1"],
        recording.labels[LIST],
        recording.buckets[0],
    ):
        shown = (counted.answered, counted.denied, counted.throttled, counted.failed)
        assert shown == (2, 1, 1, 2)
        assert (counted.calls, counted.retries) == (6, 1)
    assert recording.failures[LIST, 503] == 1
    assert recording.failures[LIST, "ConnectError"] == 1


def test_a_job_of_any_length_fits_into_the_buckets():
    """
    A pull of nine hours takes no more memory than one of two seconds.
    """
    clock = Clock()
    recorder = Recorder(clock)
    for _ in range(9 * 60):
        clock.now += 60
        recorder.attempted(1, LIST, 200, 0.1)
    recording = recorder.recorded()

    assert len(recording.buckets) <= 360
    assert sums(recording, "answered") == 540
    assert recording.width * len(recording.buckets) >= recording.seconds


def test_rows_are_spread_over_the_time_they_came_in():
    """
    A stream is told of when it ends; its rows did not all come then.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.attempted(1, ROWS, 200, 0.1)
    clock.now += 4.0
    recorder.streamed(1, ROWS, 1000, 5000, 4.0)
    recording = recorder.recorded()

    rows = [bucket.rows for bucket in recording.buckets]
    assert round(sum(rows)) == 1000
    assert max(rows) < 20
    assert (recording.total.rows, recording.total.bytes) == (1000, 5000)


def test_a_pause_that_ends_early_counts_as_long_as_it_was():
    """
    A pause says how long it will be, and may be over before.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.paced("paused", 10.0)
    clock.now += 3.0
    recorder.paced("resumed", 0.0)
    clock.now += 5.0
    recorder.attempted(1, LIST, 200, 0.1)

    assert round(sums(recorder.recorded(), "paused"), 6) == 3.0
    assert recorder.recorded().pauses == 1


def test_a_pause_under_way_counts_until_now():
    """
    Whoever asks in the middle of a pause sees it.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.paced("paused", 10.0)
    clock.now += 4.0
    first = sums(recorder.recorded(), "paused")
    clock.now += 100.0

    assert round(first, 6) == 4.0
    assert round(sums(recorder.recorded(), "paused"), 6) == 10.0


def test_an_outage_lasts_until_the_api_answers():
    """
    An API that is down is probed and pauses between; that is one outage, not many.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.paced("down", 1.0)
    clock.now += 5.0
    recorder.paced("paused", 2.0)
    clock.now += 5.0
    recorder.paced("up", 0.0)
    recording = recorder.recorded()

    assert round(sums(recording, "down"), 6) == 10.0
    assert sums(recording, "paused") == 0


def test_the_rate_is_seen_when_time_goes_on():
    """
    It grows between the events of the pace, and nobody tells.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.pace = lambda: (clock.now - 1_000_000.0, "estimating")
    clock.now = 1_000_000.0 + 5
    recorder.attempted(1, LIST, 200, 0.1)
    clock.now += 1.0
    recorder.attempted(1, LIST, 200, 0.1)
    recording = recorder.recorded()

    rates = [b.rate for b in recording.buckets if b.rate is not None]
    assert rates == [5.0, 6.0]
    assert recording.rate_source == "estimating"


def test_strangers_who_name_providers_do_not_fill_the_memory():
    """
    A web app may take the id from its path.
    """
    recorder = Recorder(Clock())
    for number in range(5000):
        recorder.attempted(f"provider-{number}", f"GET /{number}", 500, 0.1)
    recording = recorder.recorded()

    assert len(recording.providers) <= 4097
    assert len(recording.labels) <= 513
    assert len(recording.failures) <= 513
    assert recording.providers[OTHERS].calls == 5000 - 4096
    assert sum(t.calls for t in recording.providers.values()) == 5000


def test_a_clock_that_is_set_back_loses_nothing():
    """
    Time stands still then, until it has caught up.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.attempted(1, LIST, 200, 0.1)
    clock.now -= 3600.0
    recorder.attempted(1, LIST, 200, 0.1)

    assert recorder.recorded().buckets[0].answered == 2


def test_the_median_is_told_within_a_tenth():
    """
    Counts by the logarithm are enough, and take no memory.
    """
    recorder = Recorder(Clock())
    for took in (0.0, 0.05, 0.1, 0.2, 100_000.0):
        recorder.attempted(1, LIST, 200, took)
    recording = recorder.recorded()

    assert abs(recording.percentile(0.5) / 0.1 - 1) <= 0.1
    assert recording.percentile(1.0) > 500
    assert Recorder(Clock()).recorded().percentile(0.5) is None


def test_times_are_those_of_a_calendar():
    """
    The clock may begin anywhere; the page says when something happened.
    """
    clock = Clock()
    recorder = Recorder(clock, behind=1e9)
    assert (recorder.recorded().began, recorder.recorded().ended) == (None, 0.0)
    began = clock()
    recorder.attempted(42, LIST, 200, 0.1)

    recording = recorder.recorded()

    assert recording.began == recording.ended == began + 1e9
    assert recording.seconds == 0.0
