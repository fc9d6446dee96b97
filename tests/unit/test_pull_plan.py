"""What can be pulled, and which run goes on."""

import contextlib
import datetime as dt
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from healthyroster_async import ConfigurationError, DestinationError, PullPlan
from healthyroster_async.pull._journal import Cell, Journal, Kept
from healthyroster_async.pull._naming import folder_name
from healthyroster_async.pull._schedule import Schedule

UNTIL = dt.date(2025, 3, 1)
LATER = dt.date(2025, 3, 2)
LAST_ZONE = dt.timezone(dt.timedelta(hours=-12))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"providers": []}, "providers is empty"),
        ({"providers": "42"}, "provider_ids is a str"),
        ({"providers": [None]}, "no int and no text"),
        ({"sources": "Patients"}, r"give \"\*\" or a list"),
        ({"sources": []}, "sources is empty"),
        ({"since": "soon"}, "give a date such as"),
        ({"until": "2025-01-01"}, "need since"),
        ({"window": "month"}, "need since"),
        ({"since": "2025-01-02", "until": "2025-01-02"}, "not after since"),
        ({"since": "2025-01-02", "window": "hour"}, "give one of day, week"),
        ({"since": "2025-01-02", "window": 0}, "give rows from 1"),
        ({"since": "2025-01-02", "window": True}, "give one of day, week"),
        ({"format": "xlsx"}, "give one of parquet, csv"),
        ({"overlap": -1}, "whole number of days"),
        ({"overlap": True}, "whole number of days"),
        ({"end_inclusive": "yes"}, "give True or False"),
        ({"parameters": ["Teams"]}, "no dict of dicts; give filters for each"),
        ({"parameters": {"Teams": "ActiveOnly"}}, "no dict of dicts"),
        ({"parameters": {"Teams": {"Only": object()}}}, "Only is of type object"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_when_it_is_made(options, text):
    """
    Not an hour later, in the middle.
    """
    with pytest.raises(ConfigurationError, match=text):
        PullPlan(**{"providers": [1], **options})


def test_a_plan_is_the_same_whatever_the_order():
    """
    A run goes on if it is for the same rows.
    """
    one = PullPlan([1, 2], sources=["A", "B"], since="2025-01-01")
    other = PullPlan(["2", 1, 1], sources=("B", "A"), since=dt.date(2025, 1, 1))

    assert one.arguments(str) == other.arguments(str)
    assert one.arguments(str) != PullPlan([1], since="2025-01-01").arguments(str)


def test_a_plan_with_other_parameters_is_another_one_and_shows_none(tmp_path):
    """
    What is asked for may name a patient; a journal and a log must not.

    Nor can a guess of many names be tried on many journals at once.
    """
    plain, canary = PullPlan([1]), PullPlan([1], parameters={"A": {"Name": "canary"}})
    journals = [Journal(tmp_path / f"{number}.sqlite") for number in range(2)]
    shown = [canary.arguments(journal.digest) for journal in journals]
    for journal in journals:
        journal.close()
    again = Journal(tmp_path / "0.sqlite")

    assert shown[0] == canary.arguments(again.digest)
    assert shown[0] != shown[1]
    assert plain.arguments(again.digest) not in shown
    assert "canary" not in shown[0] + repr(canary)
    assert len({plain, canary, PullPlan([1])}) == 2
    again.close()


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "C:\\x", "\x00", "é/"])
def test_no_name_leads_out_of_the_folder(name):
    """
    Names and ids are what the API says they are.
    """
    shown = folder_name(name)

    assert not {"/", "\\", ":", "\x00"} & set(shown)
    assert Path("lake", f"source={shown}").resolve().parent == Path("lake").resolve()


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def test_a_run_that_was_broken_off_goes_on(journal):
    """
    Also on another day, and with another run between.
    """
    run = journal.begin("a", UNTIL, last=False)

    assert journal.begin("b", UNTIL, last=False) != run
    assert journal.begin("a", LATER, last=False) == run


def test_a_run_that_failed_in_part_goes_on_for_the_same_dates(journal):
    """
    A cell that fails for ever must not keep the others at the dates of its first day.
    """
    run, _ = journal.begin("a", UNTIL, last=False)
    journal.end(run, failed=1)

    assert journal.begin("a", UNTIL, last=False) == (run, run)
    journal.end(run, failed=1)
    assert journal.begin("a", LATER, last=False) == (run + 1, run + 1)


def test_a_run_of_what_is_new_begins_anew_and_knows_what_failed(journal):
    """
    Also when it is broken off, and only as long as it is for the same dates.
    """
    first, _ = journal.begin("a", UNTIL, last=True)
    journal.end(first, failed=1)

    assert journal.begin("a", UNTIL, last=True) == (first + 1, first)
    assert journal.begin("a", UNTIL, last=True) == (first + 1, first)
    journal.end(first + 1, failed=1)
    assert journal.begin("a", UNTIL, last=True) == (first + 2, first)
    journal.end(first + 2, failed=1)
    assert journal.begin("a", LATER, last=True) == (first + 3, first + 3)


def test_a_run_that_ended_well_is_done(journal):
    """
    The same pull again is for what has changed since.
    """
    run, _ = journal.begin("a", UNTIL, last=False)
    journal.end(run, failed=0)

    assert journal.begin("a", UNTIL, last=False) == (run + 1, run + 1)


def test_a_mark_moves_and_its_beginning_does_not(journal):
    """
    What was there from 2024 on is there still when 2025 was asked again.
    """
    cell = Cell("1", "42")
    journal.keep_mark(cell, dt.date(2024, 1, 1), UNTIL)
    journal.keep_mark(cell, dt.date(2025, 1, 1), LATER)

    assert journal.mark(cell) == (dt.date(2024, 1, 1), LATER)
    assert journal.mark(Cell("1", "43")) is None


def test_a_run_that_goes_on_knows_no_more_than_when_it_began(tmp_path):
    """
    What it has already is as old as its beginning, and that day was not over then.
    """
    plan = PullPlan([1], since="2025-01-01")
    began = dt.datetime.now(dt.UTC) - dt.timedelta(days=5)
    journal = Journal(tmp_path / "journal.sqlite")
    run = Schedule(plan, journal).run
    journal.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db, db:
        db.execute("UPDATE runs SET started = ?", (began.timestamp(),))
    db.close()
    journal = Journal(tmp_path / "journal.sqlite")
    schedule, cell = Schedule(plan, journal), Cell("1", "42")
    schedule.keep_mark(cell, None)

    assert schedule.run == run
    assert journal.mark(cell) == (
        dt.date(2025, 1, 1),
        began.astimezone(LAST_ZONE).date(),
    )
    journal.close()


def test_a_mark_lies_not_before_its_beginning(journal):
    """
    Of dates that are still to come nothing is over, and none before them was asked for.
    """
    soon = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    plan = PullPlan([1], since=soon, until=soon + dt.timedelta(days=2))
    schedule, cell = Schedule(plan, journal), Cell("1", "42")
    schedule.keep_mark(cell, soon + dt.timedelta(days=1))

    assert journal.mark(cell) == (soon, soon)


def test_marks_that_said_too_much_say_less(tmp_path):
    """
    Once they said that the day of the run was over; its last rows are asked for again.
    """
    cells = Cell("1", "42"), Cell("2", "42")
    journal = Journal(tmp_path / "journal.sqlite")
    for cell, since in zip(
        cells, (dt.date(2025, 1, 1), dt.date(2025, 3, 1)), strict=True
    ):
        journal.keep_mark(cell, since, LATER)
    journal.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db, db:
        db.execute("PRAGMA user_version = 0")
    db.close()

    for _ in range(2):
        journal = Journal(tmp_path / "journal.sqlite")
        marks = [journal.mark(cell) for cell in cells]
        journal.close()
        assert [mark for _, mark in marks] == [
            dt.date(2025, 2, 28),
            dt.date(2025, 3, 1),
        ]


def test_two_data_sources_of_one_name_have_two_folders(journal):
    """
    And each keeps its own when it is renamed.
    """
    one, two, other = Cell("1", "42"), Cell("2", "42"), Cell("9", "43")
    folders = journal.folders({c: ("visits", f"visits-{c.source}") for c in (one, two)})
    again = journal.folders({one: ("Encounters",), other: ("Visits", "Visits-9")})

    assert folders == {one: "visits", two: "visits-2"}
    assert again == {one: "visits", other: "visits"}
    # One that is called as the second was made to be, and all that it may be called is
    # taken: no reason for a pull to break.
    third = Cell("3", "42")
    assert journal.folders({third: ("visits", "visits-2")}) == {third: "visits-2-2"}


def test_no_two_providers_have_one_folder(journal):
    """
    On Windows and macOS names that differ in case only are one, and so are those that
    differ in a dot or space at the end on Windows: the second's rows took the place of
    the first's.
    """
    # The last one is called as the second folder is made to be.
    ids = ["abC", "ABc", "X", "X.", "X ", f"{'q' * 300}", f"{'q' * 301}"]
    ids.append("ABc-4f1a1434703d")
    journal.folders({Cell("1", provider): ("Visits",) for provider in ids})
    names = [journal.provider_folder(provider) for provider in ids]
    journal.folders({Cell("2", provider): ("Teams",) for provider in reversed(ids)})

    assert [journal.provider_folder(provider) for provider in ids] == names
    assert len({name.lower() for name in names}) == len(ids)
    assert names[:5] == ["abC", "ABc-4f1a1434703d", "X", "X%2E", "X%20"]
    assert max(map(len, names)) < 240


def test_who_lies_there_from_before_names_were_kept_stays(journal):
    """
    Else old rows and new ones of a provider would lie in two folders.
    """
    old = ["a b.", "PROV", "prov", "é" * 40]
    for provider in old:
        journal.keep(Cell("1", provider), "all", Kept(None, 1), 9, 99)
    providers = ["Prov", *old]
    journal.folders({Cell("1", provider): ("Visits",) for provider in providers})
    new, *names = [journal.provider_folder(provider) for provider in providers]

    assert names == ["a b.", "PROV", "prov", "%C3%A9" * 40]
    assert new.startswith("Prov-")


def test_who_is_new_finds_what_was_renamed_where_it_lies(journal):
    """
    Rows of one data source lie in one folder; an id alone may be another's by chance.
    """
    one, new, other = Cell("7", "1"), Cell("7", "2"), Cell("7", "3")
    journal.folders({one: ("Visits", "Visits-7")})
    names = ("Encounters", "Encounters-7")
    there = {new: names, one: names, other: ("Teams", "Teams-7")}

    assert journal.folders(there) == {one: "Visits", new: "Visits", other: "Teams"}
    assert journal.folders(there) == {one: "Visits", new: "Visits", other: "Teams"}


def test_a_file_that_is_no_journal_or_of_another_version_is_said(tmp_path):
    """
    Nothing is written over what somebody else keeps there.
    """
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(DestinationError, match="cannot be used"):
        Journal(tmp_path / "text")

    Journal(tmp_path / "old").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "old")) as db, db:
        db.execute("UPDATE facts SET value = '0'")
    db.close()
    with pytest.raises(DestinationError, match="another version"):
        Journal(tmp_path / "old")

    held = Journal(tmp_path / "held")
    with pytest.raises(DestinationError, match="another pull"):
        Journal(tmp_path / "held")
    held.close()


def test_many_threads_keep_partitions_at_once(journal):
    """
    Each partition is published in a thread of its own.
    """
    numbers = range(400)

    def keep(number):
        cell = Cell(str(number % 4), "1")
        journal.keep(cell, str(number), Kept(None, number), 1, 1)
        return len(journal.partitions(cell))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(keep, numbers))

    kept = [len(journal.partitions(Cell(str(n), "1"))) for n in range(4)]
    assert kept == [100] * 4
