"""How far a long job is, in words and as a bar."""

import io
import sys

import pytest

from healthyroster_async import Progress, ProgressBar
from healthyroster_async import _progress as progress
from healthyroster_async.pull import PullProgress


def stats(**figures):
    """Return the figures of a pace, as far as a bar needs them."""

    class Figures:
        rate = figures.get("rate", 10.0)
        paused_for = figures.get("paused_for", 0.0)

    return Figures


@pytest.mark.parametrize(
    ("now", "seconds", "start", "pace", "left"),
    [
        (Progress(done=50, total=100), 10.0, 0, None, 10.0),
        (Progress(done=50, total=100), 10.0, 0, stats(rate=1.0), 50.0),
        (Progress(done=50, total=100), 10.0, 0, stats(paused_for=30.0), 40.0),
        (PullProgress(done=60, total=100), 10.0, 50, None, 40.0),
        (Progress(done=50, total=None), 10.0, 0, None, None),
        (Progress(done=0, total=100), 10.0, 0, None, None),
        (Progress(done=100, total=100), 10.0, 0, None, None),
    ],
)
def test_the_time_left_knows_the_pace(now, seconds, start, pace, left):
    """
    What went quickly so far ends at a limit; what was there before says nothing.
    """
    assert progress.time_left(now, seconds, start, pace) == left


def test_a_pull_tells_rows_bytes_and_what_did_not_come():
    """
    A bar of partitions alone does not say whether anything comes.
    """
    now = PullProgress(total=9, done=2, failed=1, rows=1500, bytes=2_000_000)

    words = progress.counted(now, 2.0)

    assert words == ["1,500 rows", "2.0 MB", "750 rows/s", "1 failed", "0 denied"]
    assert progress.ended(now) == 3


def test_where_nobody_looks_it_is_lines(monkeypatch):
    """
    A log of a nightly job must not fill with bars.
    """
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with ProgressBar("sources") as bar:
        for done in range(1001):
            bar(Progress(done=done, total=1000, denied=done // 500))

    (line,) = out.getvalue().splitlines()
    assert line.startswith("sources: 1,000 of 1,000, 2 denied, in ")


def test_a_bar_without_news_says_nothing(monkeypatch):
    """
    An error before the first call is what should be seen.
    """
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with ProgressBar():
        pass

    assert out.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_it_is_a_bar_and_the_cursor_comes_back(monkeypatch):
    """
    Also for whoever made no block: a shell without a cursor is a nuisance.
    """
    pytest.importorskip("rich")
    out = Terminal()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    bar = ProgressBar("[sources]")
    bar(PullProgress(total=2, rows=3))
    bar(PullProgress(total=2, done=2, rows=1500, bytes=1000))

    text = out.getvalue()
    assert "[sources]" in text
    assert "2/2" in text
    assert "1,500 rows, 1.0 kB" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_without_rich_a_terminal_gets_lines_and_a_hint(monkeypatch):
    """
    A job must not fail because of its bar.
    """
    out = Terminal()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with ProgressBar() as bar:
        bar(Progress(done=1, total=1))

    hint, line = out.getvalue().splitlines()
    assert "healthyroster-async[cli]" in hint
    assert line.startswith("1 of 1")
