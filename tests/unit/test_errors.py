"""Every error class: survives copy and pickle, and tells nothing about people."""

import copy
import inspect
import json
import pickle

import pytest
from fakes import SECRET, logged, request, response

from healthyroster_async._core import errors
from healthyroster_async._core.errors import (
    CallError,
    ConnectionLostError,
    DeadlineExceededError,
    DecodingError,
    HealthyRosterError,
    MissingExtraError,
    QueueFullError,
    RateLimitedError,
    ResponseError,
    ServiceUnavailableError,
    TransportError,
    error_for,
)
from healthyroster_async.integrations._problems import answer_to, problem_of

PRIVATE = (SECRET, "4711", "Quillfeather", "Broken ankle")


def make(kind):
    """Return an error of a class, of the richest kind there is."""
    if issubclass(kind, ConnectionLostError):
        return kind(request(), "the connection was lost", True)
    if issubclass(kind, TransportError):
        return kind(request(), "no connection")
    if issubclass(kind, ResponseError):
        return kind(
            response(
                429,
                request=request(body=b"Broken ankle", headers={"x": SECRET}),
                headers={
                    "retry-after": "3",
                    "location": "/x/4711",
                    "set-cookie": "4711",
                },
                body=b'{"patient": "Quillfeather", "problem": "Broken ankle"}',
            )
        )
    for special, more in (
        (DecodingError, "no JSON"),
        (DeadlineExceededError, 2.5),
        (ServiceUnavailableError, 2.5),
        (QueueFullError, 7),
    ):
        if issubclass(kind, special):
            return kind("GET /x/{id}", more)
    return kind("GET /x/{id}") if issubclass(kind, CallError) else kind("a sentence")


CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, HealthyRosterError)
]


# In the order in which a class has several parents here; the last one counts.
ANSWERS = {
    CallError: 502,
    errors.PoolClosedError: 503,
    errors.AttemptTimeoutError: 504,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.InvalidRequestError: 422,
    RateLimitedError: 503,
    ServiceUnavailableError: 503,
    QueueFullError: 503,
    DeadlineExceededError: 503,  # it says how long the wait would be
}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_survives_copy_and_pickle(kind):
    """
    Errors travel between worker processes; one that cannot hides all others.
    """
    error = make(kind)

    for twin in (
        copy.copy(error),
        copy.deepcopy(error),
        pickle.loads(pickle.dumps(error)),
    ):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert getattr(twin, "label", None) == getattr(error, "label", None)
        assert getattr(twin, "status", None) == getattr(error, "status", None)
        assert getattr(twin, "retry_after", None) == getattr(error, "retry_after", None)
        assert getattr(twin, "answered", None) == getattr(error, "answered", None)
        assert getattr(twin, "wait", None) == getattr(error, "wait", None)
        assert getattr(twin, "waiting", None) == getattr(error, "waiting", None)


@pytest.mark.parametrize("kind", CLASSES)
def test_no_error_shows_a_body_a_secret_a_query_or_a_filled_in_path(kind):
    """
    Errors end up in logs, and logs are read by people who must not see patients.
    """
    error = make(kind)

    assert repr(error) == f"{kind.__name__}({str(error)!r})"
    for shown in (
        str(error),
        repr(error),
        f"{error.args}",
        pickle.dumps(error).decode("latin-1"),
        repr(copy.deepcopy(error)),
        repr(vars(error)),
    ):
        for private in PRIVATE:
            assert private not in shown


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_stands_in_the_tree_at_the_top_of_the_module(kind):
    """
    The tree is what a reader decides by which class to catch.
    """
    assert (
        f"{kind.__name__} " in errors.__doc__ or f"{kind.__name__}\n" in errors.__doc__
    )


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (302, "RedirectError"),
        (304, "RedirectError"),
        (400, "InvalidRequestError"),
        (401, "AuthenticationError"),
        (402, "ResponseError"),
        (403, "ForbiddenError"),
        (404, "NotFoundError"),
        (409, "ResponseError"),
        (422, "InvalidRequestError"),
        (429, "RateLimitedError"),
        (500, "ServerError"),
        (503, "ServerError"),
        (599, "ServerError"),
        (206, "ResponseError"),
    ],
)
def test_a_status_has_its_error(status, name):
    """
    Callers catch by class, so the class must be the right one.
    """
    error = error_for(response(status))

    assert type(error).__name__ == name
    assert str(status) in str(error) or "3" in str(status)
    assert "GET /HealthcareProvider/{id}/Datasources" in str(error)


@pytest.mark.parametrize("status", [400, 422])
def test_what_was_not_accepted_is_explained_by_the_body(status):
    """
    The API says which parameter it was, with its value: for who asks, not for logs.
    """
    error = error_for(response(status, body=b'{"title": "Quillfeather is no date"}'))

    assert "error.response.body says why" in str(error)
    assert error.response.json() == {"title": "Quillfeather is no date"}


def test_what_is_not_there_may_be_the_wrong_address():
    """
    A base URL without its last part answers 404 to everything.
    """
    assert "or the base URL of the environment" in str(error_for(response(404)))


@pytest.mark.parametrize("status", [200, 201, 204, 205, 207, 299])
def test_success_is_no_error(status):
    """
    Only 2xx is success (RFC 9110, section 15.3), but for a part of an answer.
    """
    assert error_for(response(status)) is None


def test_a_part_that_was_asked_for_is_no_error():
    """
    Of a large file an operation may fetch the rest, with Range.
    """
    asking = request(headers={"Range": "bytes=4-"})

    assert error_for(response(206, request=asking)) is None


def test_a_missing_extra_is_an_import_error_too():
    """
    Who guards an import catches ImportError.
    """
    assert issubclass(MissingExtraError, ImportError)


def test_the_body_is_there_for_who_asks():
    """
    The process that made the call may look at the answer.
    """
    error = error_for(response(400, body=b'{"title": "no"}'))

    assert error.response.body == b'{"title": "no"}'
    assert error.request.label == error.label


def test_a_wait_that_the_governor_knows_better_survives_too():
    """
    A call that is turned away inside a pause is told what is left of it.
    """
    error = make(errors.RateLimitedError)
    error.retry_after = 599.5
    twins = (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error)))

    assert [twin.retry_after for twin in twins] == [599.5] * 3
    assert all("wait 599.5 s" in str(twin) for twin in twins)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_an_answer_of_a_web_app_that_tells_nothing(kind, caplog):
    """
    What the API said is for the app, and not for whoever calls the app. Whoever runs it
    finds in the log which error it was.
    """
    caplog.set_level("INFO")
    error = make(kind)

    problem = answer_to(error)
    text = f"{problem.body!r} {problem.headers} {problem.title}"

    expected = 500
    for special, status in ANSWERS.items():
        if issubclass(kind, special):
            expected = status
    assert problem.status == expected
    assert json.loads(problem.body)["status"] == problem.status
    assert (problem.retry_after is not None) == (problem.status == 503)
    assert not [word for word in (*PRIVATE, "GET", "{id}") if word in text]
    (record,) = caplog.records
    assert (record.status, record.error) == (problem.status, kind.__name__)
    assert record.levelname == {500: "ERROR"}.get(
        expected, "WARNING" if expected > 500 else "INFO"
    )
    assert not [word for word in PRIVATE if word in logged(record)]


def test_of_a_group_the_highest_status_is_answered(caplog):
    """
    Calls of a task group and of a fan-out fail together, and one answer goes out.
    """
    denied, late = make(RateLimitedError), DeadlineExceededError("GET /x/{id}")
    group = ExceptionGroup("calls", [denied, ExceptionGroup("more", [late, denied])])

    assert answer_to(group).status == 504
    (record,) = caplog.records
    assert (record.status, record.error) == (504, "DeadlineExceededError")
    mixed = ExceptionGroup("calls", [denied, KeyError(4711)])
    with pytest.raises(ExceptionGroup) as raised:
        answer_to(mixed)
    assert raised.value is mixed


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [
        (DeadlineExceededError("GET /x/{id}"), 504, None),
        (DeadlineExceededError("GET /x/{id}", 0.2), 503, "1"),
        (DeadlineExceededError("GET /x/{id}", 61.2), 503, "62"),
        (ServiceUnavailableError("GET /x/{id}", 4.0), 503, "4"),
        (QueueFullError("GET /x/{id}", 7), 503, "1"),
        (RateLimitedError(response(429, headers={"retry-after": "30"})), 503, "30"),
        (RateLimitedError(response(429)), 503, "1"),
    ],
)
def test_a_web_app_says_when_to_come_again(error, status, wait):
    """
    Whole seconds, and never too early.
    """
    problem = problem_of(error)

    assert (problem.status, problem.headers.get("Retry-After")) == (status, wait)


def test_who_waits_for_the_api_is_told_whether_it_is_busy_or_away():
    """
    People press the button again for the one, and call somebody for the other.
    """
    away = problem_of(ServiceUnavailableError("GET /x/{id}", 4.0))
    busy = problem_of(DeadlineExceededError("GET /x/{id}", 4.0))

    assert "do not answer" in away.title
    assert "busy" in busy.title
