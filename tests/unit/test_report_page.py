"""The page of a report: whole, harmless, and readable whatever happened."""

import datetime as dt
import functools
import re
import xml.etree.ElementTree as ET

import pytest
import report_samples as samples
from attrs import evolve
from report_samples import BEGAN, SAMPLES, ZONE, Clock

from healthyroster_async._core.errors import DestinationError
from healthyroster_async._core.recorder import Recorder
from healthyroster_async._report.data import place
from healthyroster_async._report.outcome import providers, verdict
from healthyroster_async._report.page import page
from healthyroster_async._report.report import PoolReport, check_writable
from healthyroster_async._report.text import duration, number, size
from healthyroster_async._report.timeline import Timeline
from healthyroster_async.pull import PullDenial, PullFailure, PullPlan, PullReport

HOSTILE = "</title><script>alert(1)</script>\"' onload=x \u202e\x00\ud800 & <b>"


def tree(html):
    """Return the page as XML, which forgives nothing."""
    return ET.fromstring(html.partition("\n")[2])


def words(html):
    return " ".join(" ".join(tree(html).itertext()).split())


@functools.cache
def made(name):
    return page(SAMPLES[name]())


@pytest.fixture(params=SAMPLES)
def html(request):
    return made(request.param)


def test_a_page_is_well_formed_and_loads_nothing(html):
    """
    It is opened on machines without a network, and mailed to others.
    """
    root = tree(html)
    names = {element.tag for element in root.iter()}
    attributes = [(k, v) for element in root.iter() for k, v in element.attrib.items()]

    assert not names & {"script", "iframe", "img", "object", "embed", "form", "a"}
    assert not [k for k, _ in attributes if k.startswith("on") or k == "src"]
    assert {v for k, v in attributes if k == "href"} == {"data:,"}
    assert not re.search(r"https?:|url\(|@import|javascript:", html)
    policy = next(v for _, v in attributes if v.startswith("default-src"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_a_page_can_be_read_by_who_does_not_see_it(html):
    """
    One title, headings in order, tables with captions and scopes, drawings in words.
    """
    root = tree(html)

    assert root.get("lang") == "en"
    assert root.find("head/title").text
    assert len(list(root.iter("h1"))) == 1
    for table in root.iter("table"):
        assert "".join(table.find("caption").itertext()).strip()
        assert all(head.get("scope") for head in table.iter("th"))
    for drawing in root.iter("svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label")
    assert not list(root.iter("h3"))


def test_a_large_job_fits_into_a_megabyte():
    """
    300 providers with 30 data sources in nine hours.
    """
    assert len(made("large").encode()) < 1_000_000


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        ("small", r"61,\d{3} rows of 4 providers in 2.0 s."),
        ("usual", r"1,\d{3},\d{3} rows of 18 providers in .*, 8 failures of 2 prov.*"),
        ("nothing", "This pool has made no call yet."),
        ("all_failed", "Nothing came in 8.4 s; 3 failures of 3 providers."),
    ],
)
def test_the_first_sentence_says_what_came_of_it(sample, sentence):
    """
    Most people read no further.
    """
    data = SAMPLES[sample]()

    assert re.fullmatch(sentence, verdict(data).sentence)
    assert verdict(data).sentence in words(page(data))
    assert str(PoolReport(data)) == verdict(data).sentence


def test_where_nothing_was_answered_there_is_no_median_answer():
    """
    How fast connections were refused would look like a fast API.
    """
    assert "median answer" in words(page(samples.small()))
    assert "median answer" not in words(page(samples.all_failed()))


def test_what_needs_attention_comes_first():
    """
    Of 300 providers nobody reads the last 250.
    """
    states = [row.state.words for row in providers(samples.usual())]

    assert states[:4] == ["partly failed", "partly failed", "denied", "denied"]
    assert set(states[4:]) == {"complete"}


def test_failures_of_one_reason_are_one():
    """
    300 equal lines are no report.
    """
    root = tree(made("large"))
    reasons = [
        " ".join("".join(item.itertext()).split())
        for element in root.iter("ul")
        if element.get("class") == "hr-reasons"
        for item in element.iter("li")
    ]

    assert len(reasons) == 3
    assert "300 times" in reasons[0]
    assert "90 providers: 1001-1090" in reasons[0]


def test_names_from_outside_are_no_markup():
    """
    A data source is named by whoever has an account at the vendor.
    """
    recorder = Recorder(Clock())
    recorder.attempted(HOSTILE, HOSTILE, HOSTILE, 0.1)
    recorder.attempted(HOSTILE, HOSTILE, 403, 0.1)
    recorder.pace = lambda: (1.0, HOSTILE)
    recording = recorder.recorded()
    pull = samples.pulled([HOSTILE], [HOSTILE, "x" * 5000], recording)
    failed = PullFailure(
        provider_id=HOSTILE, source=HOSTILE, window=HOSTILE, reason=HOSTILE
    )
    denied = PullDenial(provider_id=HOSTILE, source=HOSTILE, reason=HOSTILE)
    report = evolve(pull.report, failed=(failed,), denied=(denied,))
    pull = evolve(
        pull,
        report=report,
        ended=f"failed: {HOSTILE}",
        destination=HOSTILE,
        plan=PullPlan([HOSTILE], sources=[HOSTILE]),
    )
    data = samples.data(recording, pull, samples.access([HOSTILE]))
    data = evolve(data, environment=HOSTILE, host=HOSTILE)
    html = page(data)
    text = tree(html)

    assert not list(text.iter("script"))
    assert "\u202e" not in html
    assert "\x00" not in html
    html.encode()
    assert "x" * 200 not in html
    assert PoolReport(data)._repr_html_().encode()


def test_a_destination_is_shown_without_its_secrets():
    """
    Some give keys in the URL of an object store.
    """
    html = page(samples.small())

    assert "hidden-secret" not in html
    assert "s3://bucket/lake" in html
    assert place("s3://u:p@bucket/a@b?sig=1#x") == "s3://bucket/a@b"
    assert place("s3://u:p?q#r;s@bucket:9000/a?sig=1") == "s3://bucket:9000/a"
    assert place("memory://h/x;sig=hidden-secret") == "memory://h/x"
    for hidden in (
        "us/er:hidden-secret@h/x",
        "us:er/hidden-secret@h/x",
        "a:b@us/er:hidden-secret@h/x",
        "u:hidden?/secret@h/x",
        "h/x;sig=a:hidden@secret",
    ):
        assert place(f"memory://{hidden}") == "memory://..."
    assert place("/data/lake") == "/data/lake"


@pytest.mark.parametrize(
    ("seconds", "texts", "note"),
    [
        (1.8, ["0", "0.5", "1", "1.5"], "seconds since 01:58:47, EST (UTC-05:00)"),
        (30, ["01:58:50", "01:58:55", "01:59:00"], "time of day, EST (UTC-05:00)"),
        (252, ["01:59", "02:00", "02:01"], "time of day, EST (UTC-05:00)"),
        (32_400, ["02:00", "04:00", "06:00"], "time of day, EST (UTC-05:00)"),
        (9 * 86400, ["17 Jan", "19 Jan", "21 Jan"], "time of day, EST (UTC-05:00)"),
    ],
)
def test_the_axis_shows_round_times_of_the_zone(seconds, texts, note):
    """
    A person compares them with the clock on the wall.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.attempted(1, "GET /", 200, 0.1)
    clock.now = BEGAN + seconds
    recorder.attempted(1, "GET /", 200, 0.1)
    timeline = Timeline(recorder.recorded(), ZONE)
    ticks = list(timeline.ticks())

    assert [text for _, text in ticks][: len(texts)] == texts
    assert all(0 <= at <= 1 for at, _ in ticks)
    assert len(ticks) <= 8
    assert timeline.axis_note() == note


def test_a_rate_far_above_the_calls_does_not_press_them_down():
    """
    A pool may be allowed a thousand calls a second and make two.
    """
    clock = Clock()
    recorder = Recorder(clock)
    recorder.pace = lambda: (1000.0, "configured")
    for _ in range(100):
        clock.now += 0.5
        recorder.attempted(1, "GET /", 200, 0.1)
    data = samples.data(recorder.recorded())

    assert "above the scale" in words(page(data))


def test_a_pull_of_which_everything_was_there_says_so():
    """
    The same command the next day is no failure.
    """
    recording = Recorder(Clock()).recorded()
    report = PullReport(
        environment="sandbox", partitions=9, done=0, kept=9, rows=0, bytes=0, seconds=1
    )
    pull = samples.pulled([1], ["Teams"], recording)
    data = samples.data(recording, evolve(pull, report=report))

    assert verdict(data).sentence == "All 9 partitions were there already."


def test_a_file_is_whole_or_as_it_was(tmp_path):
    """
    A page that is half there is no report, and the old one is better than none.
    """
    path = tmp_path / "report.html"
    path.write_text("old")
    report = PoolReport(samples.small())
    saved = report.save(path)

    assert saved == path
    assert path.read_text(encoding="utf-8") == report.html
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_lies_in_the_home_as_people_write_it(tmp_path, monkeypatch):
    """
    No shell expands what stands in quotes, in a script or in a variable.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    check_writable("~/report.html")

    saved = PoolReport(samples.small()).save("~/report.html")
    assert [saved] == list(tmp_path.iterdir()) == [tmp_path / "report.html"]


@pytest.mark.parametrize("where", ["no/such/folder/report.html", "", "a.txt/r.html"])
def test_what_cannot_be_written_is_said_before_and_after(tmp_path, where):
    """
    Nobody wants to learn that after nine hours.
    """
    (tmp_path / "a.txt").touch()
    path = tmp_path / where
    report = PoolReport(samples.small())

    with pytest.raises(DestinationError, match=r"the report .* cannot be written: "):
        check_writable(path)
    with pytest.raises(DestinationError, match=r"the report .* cannot be written: "):
        report.save(path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_what_can_be_written_is_left_as_it_was(tmp_path):
    """
    The pull may fail, and the report of yesterday is still there.
    """
    path = tmp_path / "report.html"
    path.write_text("old")
    check_writable(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_are_as_a_person_says_them():
    """
    Three digits are enough.
    """
    assert [number(n) for n in (0, 7, 7.25, 72.5, 1234.5)] == [
        "0", "7", "7.2", "72.5", "1,234",
    ]  # fmt: skip
    assert [duration(s) for s in (0.02, 2, 59.6, 252, 3600, 32_580, 90_000)] == [
        "20 ms", "2.0 s", "1 min", "4 min 12 s", "1 h", "9 h 3 min", "1 d 1 h",
    ]  # fmt: skip
    assert [size(n) for n in (0, 999, 1_200_000)] == ["0 B", "999 B", "1.2 MB"]


def test_a_notebook_gets_a_piece_that_leaves_it_alone():
    """
    Every rule of its style is about the report only.
    """
    piece = PoolReport(samples.usual())._repr_html_()
    style = piece[len("<style>") : piece.index("</style>")]
    rules = re.findall(r"(?:^|[}{;])\s*([^{}@;]+)\{", style)

    assert piece.startswith("<style>")
    assert "<html" not in piece
    assert rules
    for rule in rules:
        for selector in rule.split(","):
            assert ".hr-report" in selector


def test_the_time_of_the_page_names_its_zone():
    """
    It is read elsewhere.
    """
    data = evolve(samples.small(), made_at=dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC))

    assert "2026-07-01 12:00:00 +0000" in words(page(data))
