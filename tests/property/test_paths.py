"""Laws of filling an id into a path."""

from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from healthyroster_async import ConfigurationError, Endpoint

ENDPOINT = Endpoint(name="x", method="GET", template="/a/{id}/b", safe=True)
BASE = "https://api.example.test/v1"

# What is nearly a way out, in pieces.
near = st.lists(
    st.one_of(
        st.sampled_from(
            ["..", ".", "/", "\\", "%2e", "%2F", "%5c", "%", "?", "#", ";", "@", ":",
             "//", "{id}", "\x00", "\n", " ", "\N{FULLWIDTH FULL STOP}", "\ud800"]
        ),
        st.text(max_size=3),
    ),
    max_size=5,
).map("".join)  # fmt: skip


@given(value=near)
@example("..")
@example("%2e%2e")
@example(".%2E")
@example("..;")
@example("1?x=1")
@example("1#")
@example("%252e%252e%252f")
def test_an_id_cannot_leave_its_place(value):
    """
    Whatever it holds, it is refused or it is one segment, also for whoever resolves
    dots and decodes once on the way.
    """
    try:
        path = ENDPOINT.path(value)
    except ConfigurationError:
        return

    sent = URL(f"{BASE}{path}", encoded=True)
    assert sent.raw_path.split("/")[:3] == ["", "v1", "a"]
    assert sent.raw_path.split("/")[4:] == ["b"]
    assert (sent.raw_query_string, sent.raw_fragment) == ("", "")
    assert unquote(sent.raw_path.split("/")[3]) == value
    assert URL(f"{BASE}{path}").raw_path.count("/") == 4
