"""What a check tells a person, a program, a notebook, and the vendor's support."""

import csv
import html.parser
import io
import json
import pickle
import re

import pytest

from healthyroster_async import (
    AccessReport,
    Basis,
    Endpoint,
    Environment,
    Grant,
    LikelyCause,
)
from healthyroster_async._core.access_grid import Grid
from healthyroster_async._core.access_text import id_list, shortened


def endpoint(name):
    template = f"/HealthcareProvider/{{id}}/{name.title()}"
    return Endpoint(name=name, method="GET", template=template, safe=True)


FEW = tuple(endpoint(name) for name in ("patients", "teams", "notes"))
MANY = tuple(endpoint(f"list_things_of_kind_{number}") for number in range(1, 41))


def report(providers, endpoints, denied, **changes):
    """Return the report of a check in which every cell was asked."""
    grid, asked = Grid(), {}
    unclear = changes.get("unclear", {})
    for provider in providers:
        for one in endpoints:
            cell = (str(provider), one.label)
            if cell in unclear:
                asked[cell] = Grant.UNKNOWN
                continue
            granted = not denied(provider, one.name)
            grid.put(*cell, granted=granted)
            asked[cell] = Grant.GRANTED if granted else Grant.DENIED
    settings = {
        "environment": Environment.SANDBOX,
        "application_id": "app-17",
        "providers": tuple(providers),
        "endpoints": endpoints,
        "grid": grid,
        "asked": asked,
        "unclear": {},
        "not_asked": {},
    }
    return AccessReport(**settings | changes)


@pytest.fixture
def small():
    return report(
        range(1, 11),
        FEW,
        lambda p, e: p in {3, 4, 5, 8} or e == "notes" or (p, e) == (7, "teams"),
    )


@pytest.fixture
def large():
    missing = {MANY[4].name, MANY[20].name}
    return report(range(1, 301), MANY, lambda p, e: p % 15 == 0 or e in missing)


SMALL = """\
Access in sandbox: 10 providers x 3 endpoints
11 granted, 19 denied, 0 unknown
30 asked, 0 known before, 0 inferred

Providers not granted (4 of 10)
  3-5, 8

Endpoints not authorized (1 of 3)
  notes  GET /HealthcareProvider/{id}/Notes

Denied though both grants are there (1)
  teams: 7

Provider        patients  teams    notes
1, 2, 6, 9, 10  granted   granted  denied
3-5, 8          denied    denied   denied
7               granted   denied   denied
"""

LETTER = """\
To: help@healthyroster.com
Subject: API access of our application (sandbox)

Hello,

the sandbox environment of your API answers 403 Forbidden to calls that
our application needs.

Our application id: app-17

Please grant it access to these 4 Healthcare Providers:

  3, 4, 5, 8

Please authorize it for this endpoint:

  GET /HealthcareProvider/{id}/Notes

Please look at these as well. The endpoints answer for other Healthcare
Providers, and these Healthcare Providers on other endpoints, but not
together:

  GET /HealthcareProvider/{id}/Teams
    7

Thank you very much.
"""


def test_a_person_sees_what_is_missing_and_where(small):
    """
    It is read in a terminal, by somebody whose pull has just failed.
    """
    assert str(small) == small.to_text() == SMALL


def test_the_letter_names_exactly_what_is_missing(small):
    """
    It is sent as it is, and support grants what stands in it.
    """
    assert small.request_text() == LETTER


def test_nothing_is_asked_for_where_nothing_is_missing():
    """
    No letter is better than an empty one.
    """
    all_well = report([1, 2], FEW, lambda p, e: False)

    assert all_well.request_text() == ""
    assert "1, 2      granted" in str(all_well)


def test_a_letter_about_all_calls_claims_no_cause():
    """
    If nothing answered, either grant may be what is missing.
    """
    none = report([1, 2], FEW[:2], lambda p, e: True)

    assert "cannot tell which grants" in none.request_text()
    assert "  1, 2\n" in none.request_text()
    assert none.request_text().count("/HealthcareProvider/{id}/") == 2
    assert "Nothing answered" in str(none)
    assert none.missing_providers == none.missing_endpoints == ()


@pytest.mark.unmeasured
def test_a_large_matrix_fits_a_terminal(large):
    """
    300 x 40 cells are read at a glance, or not at all.
    """
    for width in (60, 80, 120):
        lines = large.to_text(width).splitlines()

        assert max(map(len, lines)) <= width
        assert len(lines) < 60
    text = large.to_text(80)
    assert re.search(
        r"^1-14, 16-29, .*\(280\) +\+{4}-\+{15}-\+{19}$", text, re.MULTILINE
    )
    assert re.search(r"^15, 30, .*\(20\) +-{40}$", text, re.MULTILINE)
    assert " 40 list_things_of_kind_40" in text


def test_what_was_not_found_out_says_why():
    """
    Unknown is no denial, and nobody should write to support about it.
    """
    failed = {("2", FEW[0].label): "ConnectError", ("3", FEW[0].label): "answered 404"}
    one = report([1, 2, 3], FEW[:1], lambda p, e: False, unclear=failed)

    assert "Not found out (2)\n  patients, ConnectError: 2" in str(one)
    assert "patients, answered 404: 3" in str(one)
    assert one.cell(2, "patients").reason == "ConnectError"
    assert one.request_text() == ""


def test_a_cell_says_how_it_came_to_be_known():
    """
    Who acts on a denial wants to know if it was seen or worked out.
    """
    grid = Grid()
    for provider, name, granted in (
        (1, "patients", True), (1, "teams", True), (1, "notes", False),
        (2, "patients", False), (3, "patients", True),
    ):  # fmt: skip
        grid.put(str(provider), endpoint(name).label, granted=granted)
    asked = {("2", FEW[0].label): Grant.DENIED}
    one = report([1, 2, 3], FEW, lambda p, e: False, grid=grid, asked=asked)

    assert one.cell(2, "patients").basis is Basis.ASKED
    assert one.cell(1, "teams").basis is Basis.KNOWN
    inferred = one.cell(2, "teams")
    assert (inferred.grant, inferred.basis) == (Grant.DENIED, Basis.INFERRED)
    assert inferred.likely_cause is LikelyCause.PROVIDER_NOT_GRANTED
    assert inferred.reason.startswith("no endpoint of this provider answered (1 asked")
    assert one.cell(3, "teams").grant is Grant.GRANTED
    assert one.grant(3, FEW[2]) is Grant.DENIED
    assert one.bases()[Basis.INFERRED] == 4
    with pytest.raises(KeyError):
        one.cell(4, "teams")
    with pytest.raises(KeyError):
        one.cell(1, "team")


def test_a_program_reads_every_cell(small):
    """
    JSON and CSV leave nothing out, and both say the same.
    """
    document = json.loads(small.to_json())
    lines = list(csv.DictReader(io.StringIO(small.to_csv())))

    assert document["grants"] == {"granted": 11, "denied": 19, "unknown": 0}
    assert document["missing_providers"] == [3, 4, 5, 8]
    assert [one["name"] for one in document["missing_endpoints"]] == ["notes"]
    assert document["exceptions"] == [{"provider_id": 7, "endpoint": "teams"}]
    assert len(document["cells"]) == len(lines) == len(small) == 30
    for cell, line in zip(document["cells"], lines, strict=True):
        assert {k: "" if v is None else str(v) for k, v in cell.items()} == line
    seventh = document["cells"][3 * 6 + 1]
    assert (seventh["provider_id"], seventh["likely_cause"]) == (7, "unknown")


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_notebook_shows_a_table_without_script(large):
    """
    A notebook may be dark or light, and trusts no script that it did not run itself.
    """
    reader = Reader()
    reader.feed(large._repr_html_())

    assert reader.open == []
    assert "script" not in reader.seen
    assert reader.seen.count("td") == 2 * 40
    styles = " ".join(value for name, value in reader.attributes if name == "style")
    assert not re.search(r"(?<![-\w])color:|#[0-9a-f]{3}", styles)


def test_an_id_cannot_break_out_of_the_page_or_the_terminal():
    """
    Ids come from users of a web app too.
    """
    one = report(["<b>x", "\x1b[31my"], FEW, lambda p, e: p != "<b>x")

    assert "<b>x" not in one._repr_html_()
    assert "\x1b" not in str(one)
    assert "\x1b" not in one.request_text()


def test_a_report_travels_and_shows_no_id_in_its_repr(small):
    """
    A repr ends up in logs.
    """
    twin = pickle.loads(pickle.dumps(small))

    assert str(twin) == str(small)
    assert repr(small) == (
        "<AccessReport sandbox: 10 providers x 3 endpoints, 11 granted, 19 denied, 0 "
        "unknown>"
    )


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([1, 2, 3, 5, 6, 9], "1-3, 5, 6, 9"),
        (["1", "2", "3", "x", "4"], "1-3, x, 4"),
        ([3, 2, 1], "3, 2, 1"),
        (["01", "02", "03"], "01, 02, 03"),
        ([], ""),
    ],
)
def test_ids_are_listed_as_a_person_writes_them(ids, text):
    """
    ``4-299`` says more than 296 numbers.
    """
    assert id_list(ids) == text


def test_a_list_that_is_too_long_says_how_many_there_are():
    """
    Half a list without a word about it is a wrong one.
    """
    assert shortened(range(0, 1000, 7), 30) == "0, 7, 14, 21, 28, ... (143)"
    assert shortened(range(0, 1000, 7), 5) == "143"
