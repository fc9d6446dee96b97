"""A value stays in its place in the path."""

from uuid import UUID

import pytest

from healthyroster_async import ConfigurationError, Endpoint
from healthyroster_async._core.endpoint import plain_id

ENDPOINT = Endpoint(name="x", method="GET", template="/a/{id}/b/{other}/c", safe=True)


class Number:
    """What numpy's integers look like."""

    def __index__(self):
        return 7


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        (42, "42"),
        ("a b", "a%20b"),
        ("ä", "%C3%A4"),
        ("a%2Fb", "a%252Fb"),
        ("?x=1#y", "%3Fx%3D1%23y"),
        ("{other}", "%7Bother%7D"),
        ("...", "..."),
        (Number(), "7"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_escaped(value, segment):
    """
    Ids are ints, GUIDs or texts; nobody knows which.
    """
    assert ENDPOINT.path(value, 1) == f"/a/{segment}/b/1/c"


@pytest.mark.parametrize(
    "bad", ["", "  ", ".", "..", "a/b", "..\\x", "a\nb", "\x00", None, True, 1.5, b"7"]
)
def test_what_would_leave_its_place_is_refused_by_name(bad):
    """
    An id of ".." asks another endpoint, with the credentials of this one.
    """
    with pytest.raises(ConfigurationError, match=r"^other "):
        ENDPOINT.path(1, bad)


def test_an_endpoint_knows_its_label_and_its_placeholders():
    """
    The label is what logs and errors show.
    """
    assert ENDPOINT.label == "GET /a/{id}/b/{other}/c"
    assert ENDPOINT.placeholders == ("id", "other")
    assert plain_id("x", "seven") == "seven"
