"""What each answer tells: fewer calls, a fault, or neither."""

import asyncio
import copy
import pickle

import pytest
from fakes import error, request, response

from healthyroster_async import (
    AttemptTimeoutError,
    ConnectError,
    ConnectionLostError,
    ForbiddenError,
    Limit,
    RateLimitedError,
    ServerError,
)
from healthyroster_async._core.attempts import told_by
from healthyroster_async._core.delays import TURNED_AWAY, Fault, fault_of
from healthyroster_async._core.errors import error_for
from healthyroster_async._core.ratelimits import SILENT, Announced, Quota
from healthyroster_async._core.verdicts import Verdict, asked_wait, verdict_of

HTML = b"\r\n<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD></HTML>"
PROBLEM = b'{"title": "Service Unavailable", "status": 503}'
QUOTA = (
    b'{"statusCode":403,"message":"Out of call volume quota. '
    b'Quota will be replenished in 00:12:34."}'
)

A, T, F = Verdict.ACCEPTED, Verdict.THROTTLED, Verdict.FAULT
M = Verdict.MUTE


@pytest.mark.parametrize(
    ("status", "fields", "body", "verdict"),
    [
        (429, {}, b"", T),
        (429, {"content-type": "text/html"}, HTML, T),
        (503, {}, b"", M),
        (503, {"content-type": "text/plain"}, b" \r\n", M),
        (503, {"content-type": "application/problem+json"}, PROBLEM, M),
        (503, {}, PROBLEM, M),
        (503, {}, b"[]", M),
        (503, {"retry-after": "5"}, HTML, T),
        (503, {"ratelimit": '"a";r=0;t=30'}, b"", T),
        (503, {"retry-after-ms": "5"}, HTML, T),
        (503, {}, b"API calls quota exceeded! maximum admitted 5 per 1s.", T),
        (503, {"content-type": "text/html"}, HTML, F),
        (503, {"content-type": "text/html"}, b"{nginx}", F),
        (503, {}, HTML, F),
        (503, {"content-type": "text/plain"}, b"no healthy upstream", F),
        (503, {"retry-after": "soon"}, HTML, F),
        (502, {}, b"", F),
        (504, {}, b"", F),
        (500, {}, PROBLEM, F),
        (500, {"retry-after": "5"}, b"", F),
        (520, {}, b"", F),
        (408, {}, b"", F),
        (425, {}, b"", F),
        (403, {"retry-after": "5"}, b"", T),
        (403, {"retry-after": "Mon, 23 Nov 2026 12:00:00 GMT"}, b"", T),
        (403, {}, QUOTA, T),
        (403, {}, b"", A),
        (403, {"retry-after": "never"}, b"", A),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}, b"", A),
        (401, {"retry-after": "5"}, b"", A),
        (401, {}, QUOTA, A),
        (200, {}, b"", A),
        (302, {}, b"", A),
        (400, {}, b"", A),
        (404, {"retry-after": "5"}, b"", A),
        (409, {}, b"", A),
    ],
)
def test_an_answer_has_its_class(status, fields, body, verdict):
    """
    To slow down for a missing grant starves everybody, to go on in spite of a quota
    gets the application blocked.
    """
    assert verdict_of(status, fields, body) is verdict


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit is exceeded. Try again in 12 seconds.",
        "Out of call volume quota. Quota will be replenished in 00:12:34.",
        "Out of bandwidth quota.",
        "API calls quota exceeded! maximum admitted 600 per 1m.",
        "API rate limit exceeded for this application",
        "You have exceeded a secondary rate limit.",
        "You exceeded your current quota.",
        "RATE_LIMIT_EXCEEDED",
        "rateLimitExceeded",
        "quotaExceeded",
        "Quota has been reached",
        "Too many requests",
    ],
)
def test_a_forbidden_that_names_a_quota_is_no_missing_grant(text):
    """
    API Management answers 403 when a quota is used up; it will be there again.
    """
    body = f'{{"title": "Forbidden", "detail": "{text}"}}'.encode()

    assert verdict_of(403, {}, body) is T


@pytest.mark.parametrize(
    "text",
    [
        "Forbidden",
        "",
        "Access denied",
        "The application has no access to this Healthcare Provider.",
        "You do not have permission to change the rate limit.",
        "Rate limits may only be read by administrators",
        "You are not authorized to see who has exceeded the quota",
        "Permission denied: report 'API rate limit exceeded'",
        "This endpoint is not allowed: Too many requests report",
        "Access to /reports/quota-exceeded was not granted",
        "Your licence does not include quotas",
        "quota",
        "rate",
        "The rate of injury",
        "Separate accounts are needed",
        "moderate limits",
    ],
)
def test_a_missing_grant_is_never_taken_for_a_quota(text):
    """
    A permission does not come back by waiting, and every provider would wait for it.
    """
    body = f'{{"title": "Forbidden", "detail": "{text}"}}'.encode()

    assert verdict_of(403, {}, body) is A
    assert verdict_of(403, {"content-type": "text/html"}, HTML + body) is A


def test_only_the_beginning_of_a_body_is_looked_at():
    """
    A body may be megabytes, and who writes that much is no limiter.
    """
    assert verdict_of(403, {}, b" " * 10_000 + QUOTA) is A


def test_a_used_up_quota_is_raised_as_one():
    """
    Who catches ForbiddenError goes and asks for a grant.
    """
    asked = error(403, retry_after="60")
    named = error_for(response(403, body=QUOTA))

    assert (type(asked), asked.retry_after) == (RateLimitedError, 60.0)
    assert (type(named), named.retry_after) == (RateLimitedError, 754.0)
    assert str(asked).endswith("asked for fewer calls and to wait 60 s (403)")
    assert type(error(403)) is ForbiddenError
    assert type(error(503, retry_after="5")) is ServerError
    assert type(error_for(response(503, body=b""))) is ServerError


@pytest.mark.parametrize(
    ("status", "fields", "body", "wait"),
    [
        (429, {"retry-after": "5"}, b"", 5.0),
        (429, {"retry-after-ms": "50"}, b"", 0.05),
        (429, {"ratelimit": '"a";r=0;t=30'}, b"", 30.0),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, b"", 7.0),
        (429, {}, b"Rate limit is exceeded. Try again in 12 seconds.", 12.0),
        (429, {}, b"", None),
        (503, {"ratelimit": '"a";r=0;t=30'}, b"", 30.0),
        (503, {"ratelimit": '"a";r=0;t=30'}, HTML, None),
        (500, {"retry-after": "5"}, b"", 5.0),
        (500, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, b"", None),
        (400, {}, b"Try again in 12 seconds.", None),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, b"", None),
    ],
)
def test_an_error_tells_the_wait_in_whatever_dialect_it_came(
    status, fields, body, wait
):
    """
    Only a rejection asks to wait for a new quota; a fault near its end does not.
    """
    failure = error_for(response(status, headers=fields, body=body))

    assert failure.retry_after == wait
    assert asked_wait(status, fields, body) == wait


def test_an_error_keeps_its_class_and_its_wait_without_its_body():
    """
    Errors travel between worker processes, bodies do not.
    """
    named = error_for(response(403, body=QUOTA))
    fields = {"ratelimit": '"a";r=0;t=30', "x-ms-retry-after-ms": "250"}
    told = error_for(response(429, headers=fields | {"x-who": "Quillfeather"}))
    for failure in (named, told):
        for twin in (copy.deepcopy(failure), pickle.loads(pickle.dumps(failure))):
            assert type(twin) is RateLimitedError
            assert twin.response.body == b""
            assert twin.retry_after == failure.retry_after
            assert str(twin) == str(failure)
            assert fault_of(twin) is Fault.THROTTLED

    assert pickle.loads(pickle.dumps(told)).response.headers == fields


@pytest.mark.parametrize("body", [b"", PROBLEM, HTML])
@pytest.mark.parametrize("asked", [{}, {"retry-after": "5"}])
@pytest.mark.parametrize("status", [*range(400, 432), *range(500, 512)])
def test_retries_and_the_governor_go_by_one_rule(status, asked, body):
    """
    An answer that one takes for a throttle and the other for a fault would be paid for
    twice, or by nobody.
    """
    failure = error_for(response(status, headers=asked, body=body))
    verdict, _ = told_by(failure)

    assert (fault_of(failure) in TURNED_AWAY) is verdict.throttles
    assert (fault_of(failure) is Fault.MUTE) is (verdict is Verdict.MUTE)
    assert (fault_of(failure) is not Fault.FAILED) or verdict is Verdict.FAULT


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (error(403), (A, SILENT)),
        (
            error(404, ratelimit='"a";r=9;t=3'),
            (A, Announced(quotas=(Quota(remaining=9, reset=3),))),
        ),
        (error(500), (F, SILENT)),
        (error(429, retry_after="5"), (T, Announced(wait=5))),
        (
            error_for(response(429, body=b"maximum admitted 600 per 1m.")),
            (T, Announced(rule=Limit(600, 60))),
        ),
        (ConnectError(request(), "refused"), (F, SILENT)),
        (AttemptTimeoutError(request(), "slow"), (F, SILENT)),
        (ConnectionLostError(request(), "lost"), (F, SILENT)),
        (asyncio.CancelledError(), (Verdict.NOTHING, SILENT)),
        (ValueError("a bug"), (Verdict.NOTHING, SILENT)),
    ],
)
def test_the_end_of_an_attempt_tells_what_it_tells(end, told):
    """
    The governor learns from every end, and nothing from a call that was given up.
    """
    assert told_by(end) == told
