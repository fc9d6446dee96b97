"""An answer, read as JSON."""

import pytest
from fakes import response

from healthyroster_async import DecodingError


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_answer_is_read_as_json(mark):
    """
    Who calls any other operation gets an answer, and wants what is in it.
    """
    assert response(body=mark + b' {"a": [1, null]} ').json() == {"a": [1, None]}


@pytest.mark.parametrize(
    "body", [b"", b"<p>Quillfeather</p>", b'{"a":' * 2000, b"\xff"]
)
def test_what_is_no_json_is_told_without_being_shown(body):
    """
    A page of a proxy, or half an answer; orjson's own error holds all of it.
    """
    answer = response(body=body, headers={"content-type": "text/html; charset=utf-8"})

    with pytest.raises(DecodingError, match=f"{len(body)} bytes of text/html") as told:
        answer.json()
    assert "Quillfeather" not in str(told.value)
    assert told.value.__context__ is None
