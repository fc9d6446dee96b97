"""Settings are checked when they are built, and say what is wrong."""

import math

import attrs
import pytest

from healthyroster_async import (
    AnswerSettings,
    ConfigurationError,
    Limit,
    PacingSettings,
    RetrySettings,
    Timeouts,
)
from healthyroster_async._core.settings import check_deadline

NUMBERS = [
    (kind, attribute.name)
    for kind in (AnswerSettings, Timeouts, RetrySettings, PacingSettings)
    for attribute in attrs.fields(kind)
]
# What else they take.
ALSO = {
    "max_stream": [None],
    "rate": [None],
    "max_rate": [None],
    "share": [None, True],
    "remember": [None, True],
}


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "7", None, True, 0])
def test_every_number_is_checked_and_named(kind, name, bad):
    """
    A wrong setting must not show up as a strange behaviour an hour later.
    """
    if bad in ALSO.get(name, []):
        assert getattr(kind(**{name: bad}), name) is bad
        return
    with pytest.raises(ConfigurationError) as caught:
        kind(**{name: bad})
    assert f"{kind.__name__}.{name}" in str(caught.value)
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize(
    "kind", [AnswerSettings, Timeouts, RetrySettings, PacingSettings, Limit]
)
def test_every_setting_is_documented_with_its_unit(kind):
    """
    A number without a unit is a guess.
    """
    for attribute in attrs.fields(kind):
        assert f"    {attribute.name}: " in kind.__doc__


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "7", None, True, 0])
def test_a_limit_is_checked_and_named(bad):
    """
    A limit of nothing, or in no time, is no rate to go by.
    """
    for name, build in (("calls", Limit), ("seconds", lambda value: Limit(1, value))):
        with pytest.raises(ConfigurationError) as caught:
            build(bad)
        assert f"Limit.{name}" in str(caught.value)
        assert repr(bad) in str(caught.value)


@pytest.mark.parametrize("bad", [(1e308, 1e-308), (1e-308, 1e308), (10**308, 1e-300)])
def test_a_limit_is_a_rate_that_can_be_reckoned_with(bad):
    """
    A rate of zero or infinity would show up as a division an hour later.
    """
    with pytest.raises(ConfigurationError, match=r"Limit\.calls .* calls .* s"):
        Limit(*bad)


def test_a_limit_reads_as_calls_in_seconds():
    """
    600 per minute is said as the API's documents say it, not as 10 per second.
    """
    assert Limit(600, 60).rate == 10.0
    assert Limit(10).rate == 10.0
    assert Limit(600, 60) != Limit(10)


def test_delays_that_contradict_each_other_are_refused():
    """
    The first wait cannot be longer than the longest.
    """
    with pytest.raises(ConfigurationError, match=r"base_delay is 5 s .* max_delay"):
        RetrySettings(base_delay=5, max_delay=2)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, "soon", True])
def test_a_deadline_is_a_number_of_seconds(bad):
    """
    A deadline of zero would fail every call.
    """
    with pytest.raises(ConfigurationError, match="deadline"):
        check_deadline(bad)


def test_no_deadline_is_a_deadline_too():
    """
    None means no bound.
    """
    assert check_deadline(None) is None
    assert check_deadline(3) == 3.0
