"""Secrets show themselves to nobody who does not ask."""

import copy
import json
import pickle
import traceback

import attrs
import orjson
import pytest
from fakes import SECRET, credentials

from healthyroster_async import ConfigurationError, Credentials, Secret

SHOWING = [
    repr,
    str,
    "{0}".format,
    "{0!r}".format,
    lambda value: f"{value}",
    lambda value: json.dumps(value, default=str),
    lambda value: orjson.dumps(value, default=str).decode(),
    lambda value: str(vars(value)) if hasattr(value, "__dict__") else "",
    lambda value: str(attrs.asdict(value)) if attrs.has(type(value)) else "",
    lambda value: str(attrs.astuple(value)) if attrs.has(type(value)) else "",
]


@pytest.mark.parametrize("show", SHOWING, ids=range(len(SHOWING)))
@pytest.mark.parametrize("value", [Secret(SECRET), credentials()])
def test_no_way_of_showing_a_value_shows_the_secret(show, value):
    """
    A secret ends up in logs because somebody printed what holds it.
    """
    assert SECRET not in show(value)


@pytest.mark.parametrize("value", [Secret(SECRET), credentials()])
def test_a_secret_is_not_pickled(value):
    """
    A pickle travels to queues and disks; it must not carry the secret along.
    """
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(value)


def test_a_traceback_that_prints_local_variables_hides_the_secret():
    """
    Error reporters print the local variables of every frame.
    """
    own = credentials()
    try:
        int("x", base=own)
    except TypeError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown = "".join(report.format())

    assert "Credentials(" in shown
    assert SECRET not in shown


def test_a_format_width_shows_nothing_either():
    """
    Tables are made with widths.
    """
    assert SECRET not in f"{Secret(SECRET):>40}"


def test_copies_stay_usable():
    """
    Settings objects are copied by frameworks; the copy must still authenticate.
    """
    own = credentials()

    assert copy.deepcopy(own) == own
    assert copy.copy(own.application_secret).reveal() == SECRET


def test_a_secret_does_not_change_and_compares_by_value():
    """
    A pool compares the secrets of two environments, and keeps the ones it was given.
    """
    secret = Secret("one")

    with pytest.raises(AttributeError):
        secret._value = "two"
    assert secret == Secret("one")
    assert secret != Secret("two")
    assert secret != "one"
    assert len({secret, Secret("one")}) == 1


@pytest.mark.parametrize("bad", ["", "  ", "line\n", " led", "non-ascii-é", "a\x00b"])
@pytest.mark.parametrize("place", [0, 1])
def test_what_cannot_stand_in_a_header_is_refused_without_being_quoted(bad, place):
    """
    A line end copied with a secret is the commonest mistake there is.
    """
    pair = ["app-1", SECRET]
    pair[place] = bad

    with pytest.raises(ConfigurationError, match="application_") as caught:
        Credentials(*pair)
    assert SECRET not in str(caught.value)
    assert not bad.strip() or bad not in str(caught.value)


@pytest.mark.parametrize("bad", [None, 7, b"bytes"])
def test_a_secret_is_a_text(bad):
    """
    None comes from a variable that is not set.
    """
    with pytest.raises(ConfigurationError, match="text"):
        Credentials("app-1", bad)
    with pytest.raises(ConfigurationError, match="text"):
        Secret(bad)
