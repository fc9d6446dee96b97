"""What a notebook shows of our objects: tables, escaped, without a value of a row."""

import re

import pytest
from fakes import SECRET, error, pool

from healthyroster_async import (
    Outcomes,
)
from healthyroster_async._core.access import AccessMap
from healthyroster_async._core.html import table
from healthyroster_async._core.outcome import Denied, Succeeded
from healthyroster_async.models import (
    DataSource,
    DataSourceDetail,
    DataSourceField,
    DataSourceParameter,
    DataSources,
)
from healthyroster_async.pull import PullReport

EVIL = "<script>alert('&')</script>\ud800\u202e"
CANARY = "Canary O'Patient"


def source(number=1, name=EVIL):
    return DataSource(id=number, name=name, description=EVIL)


def detail():
    return DataSourceDetail(
        id=1,
        name=EVIL,
        description=EVIL,
        fields=(DataSourceField(name=EVIL, type=EVIL, description=EVIL),),
        parameters=(DataSourceParameter(name="StartDate", type=EVIL, required=True),),
    )


def access():
    known = AccessMap(lambda: {EVIL: "GET /x"}, lambda: 0.0, lambda: 0.0)
    known.answered(1, "GET /x")
    known.answered(2, "GET /x")
    known.refused(3, "GET /x")
    known.refused(CANARY, f"GET /{EVIL}")
    return known


SHOWN = [
    source(),
    DataSources([source()]),
    detail(),
    Outcomes(
        {
            1: Succeeded(key=1, provider_id=1, value=[{"name": CANARY}]),
            2: Succeeded(key=2, provider_id=2, value=CANARY),
            EVIL: Denied(key=EVIL, provider_id=7, error=error(403)),
        }
    ),
    PullReport(
        environment=EVIL, partitions=1, done=1, kept=0, rows=1, bytes=1, seconds=1.0
    ),
    access(),
]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: type(shown).__name__)
def test_no_script_and_no_value_gets_into_a_notebook(shown):
    """
    The texts come from a server, and a notebook is saved, mailed and put into git.
    """
    html = shown._repr_html_()

    assert "<table" in html
    assert "<script" not in html
    assert CANARY not in html
    assert CANARY.partition(" ")[0] not in html
    assert "\u202e" not in html
    html.encode()  # half a surrogate cannot be saved


def test_an_outcome_shows_kinds_and_lengths():
    """
    What came is told without telling what it says.
    """
    html = SHOWN[3]._repr_html_()

    assert "list of 1" in html
    assert "str of 16" in html
    assert "answered 403" in html or "denied" in html


def test_what_calls_showed_of_access_is_counted():
    """
    The whole matrix is that of ``check_access``; here one sees what is known already.
    """
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", access()._repr_html_())

    assert cells[1:4] == ["2", "1", ""]
    assert cells[5:] == ["", "1", ""]


def test_data_sources_are_a_list_that_also_knows_names():
    """
    A person remembers "Patients", not that it is number 7.
    """
    sources = DataSources([source(7, "Patients"), source(8, None)])

    assert sources["Patients"] is sources[0]
    assert sources[:1] == [sources[0]]
    assert sources._ipython_key_completions_() == ["Patients"]
    with pytest.raises(KeyError, match="'Patients'"):
        sources["Patient"]


def test_columns_and_filters_are_found_by_name():
    """
    Their names are what one types, so Tab completes them.
    """
    one = detail()

    assert one["StartDate"] is one.parameters[0]
    assert one[EVIL] is one.fields[0]
    assert one._ipython_key_completions_() == [EVIL, "StartDate"]
    assert "StartDate" in one
    assert "Nothing" not in one
    with pytest.raises(KeyError, match="neither"):
        one["Nothing"]


def test_a_pool_and_a_session_show_no_secret():
    """
    A notebook with a pool in its last line must be safe to hand on.
    """
    unused = pool()
    for shown in (unused, unused.session(42)):
        html = shown._repr_html_() + repr(shown)

        assert "sandbox" in html
        assert SECRET not in html
        assert "app-1" not in html
    assert "42" in unused.session(42)._repr_html_()
    assert "not started" in unused._repr_html_()


def test_a_long_table_is_cut_and_says_so():
    """
    A notebook with a million lines cannot be opened again.
    """
    html = table("many", ("n",), ((n,) for n in range(5000)))

    assert html.count("<tr>") < 300
    assert "and 4,800 more" in html
