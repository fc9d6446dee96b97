"""Filters of a probe: nothing should be read to find out what may be."""

import pytest

from healthyroster_async._core.empty_range import empty_range

DAY = "1900-01-01"


@pytest.mark.parametrize(
    ("parameters", "filters"),
    [
        (
            [("StartDate", "date"), ("EndDate", "date"), ("Status", "string")],
            {"StartDate": DAY, "EndDate": DAY},
        ),
        (
            [("modified_since", "date-time"), ("modified_until", "DateTime")],
            {"modified_since": f"{DAY}T00:00:00", "modified_until": f"{DAY}T00:00:00"},
        ),
        (
            [("fromDate", "string"), ("toDate", "string")],
            {"fromDate": DAY, "toDate": DAY},
        ),
        ([("EndDate", "date")], {"EndDate": DAY}),
        ([("StartDate", "date")], {}),
        ([("Date", "date")], {}),
        ([("Sender", "string"), ("Trend", "date"), ("", "")], {}),
        ([], {}),
    ],
)
def test_a_range_of_one_day_long_ago_is_empty(parameters, filters):
    """
    Half a range would be everything there is.
    """
    assert empty_range(parameters) == filters
