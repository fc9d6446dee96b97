"""Header fields read when asked for mean what a dict of them would."""

import copy
import pickle

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from healthyroster_async._transports.fields import Fields

RAW = [
    ("Content-Type", "application/json"),
    ("RateLimit", '"a";r=1'),
    ("ETAG", "x"),
    ("ratelimit", '"b";r=2'),
]
PLAIN = {
    "content-type": "application/json",
    "ratelimit": '"a";r=1, "b";r=2',
    "etag": "x",
}


@pytest.fixture
def fields():
    return Fields(CIMultiDictProxy(CIMultiDict(RAW)))


def test_names_are_lower_case_and_repeated_fields_are_one_list(fields):
    """
    RFC 9110, section 5.3; rules look for names in lower case only.
    """
    assert dict(fields) == PLAIN
    assert (list(fields), len(fields)) == (list(PLAIN), 3)
    assert fields == PLAIN


def test_looking_up_is_as_looking_up_in_a_dict(fields):
    """
    Rules take any mapping, and tests give them dicts.
    """
    for name in (*PLAIN, "retry-after"):
        assert fields.get(name) == PLAIN.get(name)
        assert fields.get(name, "none") == PLAIN.get(name, "none")
        assert (name in fields) == (name in PLAIN)
    with pytest.raises(KeyError):
        fields["retry-after"]


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
)
def test_a_copy_is_a_dict_and_a_repr_shows_names_only(fields, copied):
    """
    They go to other processes; a value may be a token or name a person.
    """
    assert type(copied(fields)) is dict
    assert copied(fields) == PLAIN
    assert repr(fields) == "<Fields content-type, ratelimit, etag>"
