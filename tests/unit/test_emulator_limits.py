"""The emulator's rate limits, on a clock that the test moves."""

import pytest

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.emulator import RateLimit
from healthyroster_async.emulator.dialects import announced, headers
from healthyroster_async.emulator.limits import Limiter


def asked(limiter, *instants):
    return [limiter.ask(now).allowed for now in instants]


def test_a_bucket_allows_its_burst_and_then_its_rate():
    """
    A client that keeps the rate must never be turned away, dust or not.
    """
    limiter = Limiter(RateLimit(rate=10, burst=3))

    assert asked(limiter, 0, 0, 0, 0) == [True, True, True, False]
    assert asked(limiter, *(1 + n / 10 for n in range(500))) == [True] * 500


def test_a_bucket_never_allows_more_than_burst_plus_rate():
    """
    A limiter that lets too much through would praise a client that is too fast.
    """
    limiter = Limiter(RateLimit(rate=10, burst=5))

    assert sum(asked(limiter, *(n / 1000 for n in range(10_001)))) == 5 + 100


def test_a_window_forgets_everything_at_its_end():
    """
    The two kinds must differ, else clients are tested against one only.
    """
    limiter = Limiter(RateLimit(rate=2, per=10, kind="window"))

    assert asked(limiter, 0, 9, 9.9, 10, 10, 10) == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("kind", ["bucket", "window"])
def test_waiting_as_long_as_was_said_is_long_enough(kind):
    """
    An obedient client must not be rejected twice in a row.
    """
    limiter = Limiter(RateLimit(rate=3, per=7.0, kind=kind))
    now = 100.0
    for _ in range(20):
        verdict = limiter.ask(now)
        if not verdict.allowed:
            now += verdict.retry_after

            assert verdict.retry_after > 0
            assert limiter.ask(now).allowed


@pytest.mark.parametrize(
    ("style", "expected", "pause"),
    [
        ("none", {}, 0.0),
        ("retry-after", {"Retry-After": "3"}, 3.0),
        (
            "retry-after-date",
            {
                "Date": "Thu, 01 Jan 1970 00:16:40 GMT",
                "Retry-After": "Thu, 01 Jan 1970 00:16:43 GMT",
            },
            2.75,
        ),
        (
            "x-ratelimit",
            {
                "X-RateLimit-Limit": "1",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "3",
            },
            3.0,
        ),
        (
            "ietf",
            {
                "RateLimit-Policy": '"default";q=1;w=3',
                "RateLimit": '"default";r=0;t=3',
                "Retry-After": "3",
            },
            3.0,
        ),
    ],
)
def test_a_rejection_says_what_its_dialect_can_say(style, expected, pause):
    """
    Clients must read every dialect; delays are rounded up, never down.
    """
    limit = RateLimit(rate=1, per=2.5, burst=1, headers=style)
    limiter = Limiter(limit)
    limiter.ask(0.0)
    verdict = limiter.ask(0.0)

    assert headers(limit, verdict, 1000.25) == expected
    assert announced(limit, verdict, 1000.25) == pause


def test_only_two_dialects_speak_on_success():
    """
    A client that learns from success headers must see them before it is rejected.
    """
    speaking = set()
    for style in ("none", "retry-after", "retry-after-date", "x-ratelimit", "ietf"):
        limit = RateLimit(rate=100, per=60, headers=style)
        if headers(limit, Limiter(limit).ask(0.0), 0.0):
            speaking.add(style)

    assert speaking == {"x-ratelimit", "ietf"}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"rate": 0}, "RateLimit.rate"),
        ({"rate": float("nan")}, "RateLimit.rate"),
        ({"rate": True}, "RateLimit.rate"),
        ({"rate": 1, "per": -1}, "RateLimit.per"),
        ({"rate": 1, "burst": 0}, "RateLimit.burst"),
        ({"rate": 1, "burst": 1.5}, "RateLimit.burst"),
        ({"rate": 1, "kind": "leaky"}, "RateLimit.kind"),
        ({"rate": 1, "headers": "all"}, "RateLimit.headers"),
        ({"rate": 1, "status": 200}, "RateLimit.status"),
        ({"rate": 1, "kind": "window", "burst": 2}, "RateLimit.burst"),
        ({"rate": 0.5, "kind": "window"}, "RateLimit.rate"),
    ],
)
def test_a_wrong_rate_limit_is_refused_by_name(options, word):
    """
    A limit that cannot work would look like a client that is too slow.
    """
    with pytest.raises(ConfigurationError, match=word):
        RateLimit(**options)
