"""Outcomes are looked up by key, and gone through one by one."""

import copy
import pickle

import pytest
from fakes import error

from healthyroster_async import Denied, Failed, Outcomes, Succeeded, UsageError

ONE = Succeeded(key=1, provider_id=1, value=["x"])
TWO = Denied(key="b", provider_id=2, error=error(403))
THREE = Failed(key=3, provider_id=3, error=UsageError("no"))
BY_KEY = {1: ONE, "b": TWO, 3: THREE}


def test_a_key_is_looked_up_as_in_a_dict():
    """
    ``42 in outcomes`` was always False, although ``outcomes[42]`` was there.
    """
    outcomes = Outcomes(BY_KEY)

    assert 1 in outcomes
    assert "b" in outcomes
    assert 2 not in outcomes
    assert outcomes["b"] is TWO
    assert outcomes.get(3) is THREE
    assert outcomes.get(2) is None
    assert outcomes.get(2, "none") == "none"
    with pytest.raises(KeyError):
        outcomes[2]


def test_they_make_a_dict_in_the_order_of_the_input():
    """
    Who wants a plain dict gets one; so does ``**`` and whatever takes mappings.
    """
    outcomes = Outcomes(BY_KEY)

    assert list(dict(outcomes).items()) == list(BY_KEY.items())
    assert list(outcomes.keys()) == [1, "b", 3]
    assert list(outcomes.values()) == [ONE, TWO, THREE]
    assert list(outcomes.items()) == list(BY_KEY.items())


def test_going_through_gives_the_outcomes():
    """
    As ``as_completed`` does, which is what one moves from and to.
    """
    outcomes = Outcomes(BY_KEY)

    assert list(outcomes) == [ONE, TWO, THREE]
    assert len(outcomes) == 3
    assert Outcomes({1: ONE}) == Outcomes({1: ONE}) != outcomes


def test_they_travel_between_processes():
    """
    A worker hands its outcomes back.
    """
    outcomes = Outcomes({1: ONE, 3: THREE})

    for twin in (copy.deepcopy(outcomes), pickle.loads(pickle.dumps(outcomes))):
        assert twin[1] == ONE
        assert str(twin[3].error) == "no"


def test_their_type_may_name_the_keys_or_not():
    """
    Annotations are read at run time too, and those of one type were there before.
    """
    assert Outcomes[list] == Outcomes[list, int | str] != Outcomes[list, int]
