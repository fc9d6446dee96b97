"""What a call is called, by us and by the API."""

import os

import pytest
from fakes import request, response

from healthyroster_async import ServerError
from healthyroster_async._core.identifiers import correlation_id


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-correlation-id": "0f3a-77"}, "0f3a-77"),
        ({"x-request-id": "b7ad6b71"}, "b7ad6b71"),
        ({"request-id": "|abc.1_2."}, None),
        ({"x-request-id": "b7ad6b71", "x-correlation-id": "c0ffee11"}, "c0ffee11"),
        ({"x-correlation-id": "Quillfeather"}, None),
        ({"x-correlation-id": "Q F 1984"}, None),
        ({"x-correlation-id": "1"}, None),
        ({"x-correlation-id": "1" * 129}, None),
        ({"x-correlation-id": "1234567\u0660"}, None),
        ({}, None),
    ],
)
def test_only_what_looks_like_an_identifier_is_taken_for_one(headers, expected):
    """
    It is shown, and a header field could hold anything.
    """
    assert correlation_id(headers) == expected
    assert ServerError(response(500, headers=headers)).correlation_id == expected


def test_each_call_has_a_name_of_its_own():
    """
    Two calls of one name cannot be told apart in a log.
    """
    names = {request().request_id for _ in range(1000)}
    one = request()

    assert len(names) == 1000
    assert one.request_id == one.request_id


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_gives_other_names():
    """
    Workers that are forked count on from the same number.
    """
    one, other = os.pipe()
    child = os.fork()
    if not child:
        os.write(other, request().request_id.encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(one, 100).decode()
    for end in (one, other):
        os.close(end)

    assert theirs.partition("-")[0] != request().request_id.partition("-")[0]
