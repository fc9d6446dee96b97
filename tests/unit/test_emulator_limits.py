"""The emulator's rate limits, on a clock that the test moves."""

import itertools
import math
from collections import Counter

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async.emulator import RateLimit
from healthyroster_async.emulator.dialects import announced, asked, body, headers
from healthyroster_async.emulator.limits import HEADERS, KINDS, Limiter, Verdict

REFUSED = {
    "Date": "Thu, 01 Jan 1970 00:16:40 GMT",
    "X-RateLimit-Limit": "1",
    "X-RateLimit-Remaining": "0",
}
KEPT_BLOCK = dict.fromkeys(KINDS) | {"firewall": 1}
KEPT = {"bucket": {}, "window": {}, "sliding": {}, "firewall": {"block": 20.0}}
# Instants in binary fractions: what the test adds up is what the limiter sees. Many
# fall on the same instant, and on the very ends of windows.
instants = st.lists(
    st.sampled_from([0, 0, 0, 1, 2, 3, 7, 8, 16, 64, 160]), max_size=80
).map(lambda gaps: [100 + gap / 16 for gap in itertools.accumulate(gaps)])


def allowed(limiter, *instants):
    return [limiter.ask(now).allowed for now in instants]


def accepted(limit, instants):
    limiter = Limiter(limit)
    return [now for now in instants if limiter.ask(now).allowed]


def test_a_bucket_allows_its_burst_and_then_its_rate():
    """
    A client that keeps the rate must never be turned away, dust or not.
    """
    limiter = Limiter(RateLimit(rate=10, burst=3))

    assert allowed(limiter, 0, 0, 0, 0) == [True, True, True, False]
    assert allowed(limiter, *(1 + n / 10 for n in range(500))) == [True] * 500


def test_a_bucket_never_allows_more_than_burst_plus_rate():
    """
    A limiter that lets too much through would praise a client that is too fast.
    """
    limiter = Limiter(RateLimit(rate=10, burst=5))

    assert sum(allowed(limiter, *(n / 1000 for n in range(10_001)))) == 5 + 100


def test_a_window_forgets_everything_at_its_end():
    """
    The two kinds must differ, else clients are tested against one only.
    """
    limiter = Limiter(RateLimit(rate=2, per=10, kind="window"))

    assert allowed(limiter, 0, 9, 9.9, 10, 10, 10) == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


def test_windows_can_begin_on_the_clock():
    """
    A window that began before the first request ends sooner than its length.
    """
    limiter = Limiter(RateLimit(rate=2, per=10, kind="window", aligned=True))

    assert allowed(limiter, 109, 109.5, 109.9) == [True, True, False]
    assert limiter.ask(110).reset == 10
    assert allowed(limiter, 119, 119.9, 120) == [True, False, True]


def test_a_sliding_window_looks_back():
    """
    No trick at the border of two windows lets twice the rate through.
    """
    limiter = Limiter(RateLimit(rate=2, per=10, kind="sliding"))

    assert allowed(limiter, 0, 9, 9.9, 10, 10, 18.9, 19) == [
        True,
        True,
        False,
        True,
        False,
        False,
        True,
    ]


def test_concurrency_is_given_back():
    """
    It is how long a request takes that counts, not how often one comes.
    """
    limiter = Limiter(RateLimit(rate=2, kind="concurrency", headers="none"))

    assert allowed(limiter, 0, 0, 0, 99) == [True, True, False, False]
    limiter.done(100)
    assert allowed(limiter, 100, 100) == [True, False]


def test_a_firewall_closes_for_everybody_and_opens_with_a_clean_slate():
    """
    One request too many costs half a minute, and that is the lesson.
    """
    limiter = Limiter(RateLimit(rate=3, per=10, kind="firewall", block=30))

    assert allowed(limiter, 0, 1, 2, 11, 12, 13) == [True] * 6
    assert limiter.ask(14) == Verdict(
        allowed=False, remaining=0, reset=30.0, retry_after=30.0
    )
    assert allowed(limiter, 20, 43.9, 44, 44, 44, 44) == [
        False,
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_block_ends_its_window_too():
    """
    What was counted before a short block is forgotten after it.
    """
    limiter = Limiter(RateLimit(rate=1, per=10, kind="firewall", block=2))

    assert allowed(limiter, 0, 1, 3, 4, 5.9, 6) == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("kind", ["bucket", "sliding", "firewall"])
def test_rejected_requests_can_cost_too(kind):
    """
    Then hammering never ends well, and only a client that stops gets in again.
    """
    limits = [
        RateLimit(rate=4, per=4, kind=kind, count_rejected=count, **KEPT[kind])
        for count in (False, True)
    ]
    hammering = [n / 4 for n in range(400)]
    forgiving, strict = (accepted(limit, hammering) for limit in limits)
    limiter = Limiter(limits[1])
    allowed(limiter, *hammering)

    assert len(forgiving) > 12
    assert len(strict) == len([now for now in forgiving if now < 2])
    assert limiter.ask(hammering[-1] + 20).allowed


@pytest.mark.parametrize("kind", KEPT)
def test_waiting_as_long_as_was_said_is_long_enough(kind):
    """
    An obedient client must not be rejected twice in a row, nor wait for nothing.
    """
    limiter = Limiter(RateLimit(rate=3, per=7.0, kind=kind, **KEPT[kind]))
    now = 100.0
    for _ in range(20):
        now += 0.5
        verdict = limiter.ask(now)
        if not verdict.allowed:
            assert not limiter.ask(now + verdict.retry_after - 0.01).allowed
            now += verdict.retry_after

            assert verdict.retry_after > 0
            assert limiter.ask(now).allowed


@pytest.mark.parametrize(
    ("kind", "aligned"),
    [*((kind, False) for kind in KEPT), ("window", True), ("firewall", True)],
)
def test_a_client_that_keeps_the_rate_is_never_turned_away(kind, aligned):
    """
    Goodput is measured against what the rule allows, so it must allow that.
    """
    limit = RateLimit(rate=7, per=3, kind=kind, aligned=aligned, **KEPT[kind])
    steady = [100 + n * 3 / 7 for n in range(1000)]

    assert accepted(limit, steady) == steady


@given(instants, st.integers(1, 6), st.sampled_from([1, 2, 5]), st.booleans())
def test_no_bucket_gives_more_than_its_content_and_what_flows_in(
    instants, burst, rate, counting
):
    """
    Law of the bucket, for any two instants: content + rate x time.
    """
    limit = RateLimit(rate=rate, per=2, burst=burst, count_rejected=counting)
    came = accepted(limit, instants)

    for (i, first), (j, last) in itertools.combinations(enumerate(came), 2):
        assert j - i + 1 <= burst + (last - first) * rate / 2


@given(instants, st.integers(1, 6), st.sampled_from([0.5, 1, 4]), st.booleans())
@example([100 + n / 4 for n in range(40)], 2, 1, True)
def test_no_span_of_a_sliding_window_holds_more_than_its_rate(
    instants, rate, per, counting
):
    """
    Law of the sliding window, wherever one looks.
    """
    limit = RateLimit(rate=rate, per=per, kind="sliding", count_rejected=counting)
    came = accepted(limit, instants)

    for first, over in zip(came, came[rate:], strict=False):
        assert over - first >= per


@given(instants, st.integers(1, 6), st.sampled_from([0.5, 1, 4]))
def test_no_window_on_the_clock_holds_more_than_its_rate(instants, rate, per):
    """
    Law of the aligned window: the clock says which one a request is in.
    """
    limit = RateLimit(rate=rate, per=per, kind="window", aligned=True)
    windows = Counter(math.floor(now / per) for now in accepted(limit, instants))
    offered = Counter(math.floor(now / per) for now in instants)

    assert windows == {n: min(rate, count) for n, count in offered.items()}


@given(instants, st.integers(1, 6), st.sampled_from([0.5, 1, 4]))
def test_no_window_that_a_request_begins_holds_more_than_its_rate(instants, rate, per):
    """
    Law of the other window: the first request after the last one begins it.
    """
    begun, windows = -math.inf, Counter()
    for now in accepted(RateLimit(rate=rate, per=per, kind="window"), instants):
        begun = begun if now < begun + per else now
        windows[begun] += 1

    assert all(count <= rate for count in windows.values())
    assert bool(windows) == bool(instants)


@given(instants, st.integers(1, 6), st.booleans(), st.booleans())
def test_a_closed_firewall_lets_nothing_in(instants, rate, aligned, counting):
    """
    Law of the firewall: its windows keep their rate, and a block is a block.
    """
    limit = RateLimit(
        rate=rate,
        per=1,
        kind="firewall",
        block=3,
        aligned=aligned,
        count_rejected=counting,
    )
    limiter, closed, came = Limiter(limit), -math.inf, []
    for now in instants:
        if limiter.ask(now).allowed:
            assert now >= closed
            came.append(now)
        elif counting or now >= closed:
            closed = now + 3

    # Two windows may touch, with the full rate on either side.
    assert all(b - a >= 1 for a, b in zip(came, came[2 * rate :], strict=False))


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 4))
def test_never_more_are_under_way_than_concurrency_allows(steps, most):
    """
    Law of concurrency: what is let in is over before more is.
    """
    limiter, under_way = Limiter(RateLimit(rate=most, kind="concurrency")), 0
    for asks in steps:
        if asks:
            verdict = limiter.ask(0.0)
            assert verdict.allowed == (under_way < most)
            under_way += verdict.allowed
            assert verdict.remaining == most - under_way
        elif under_way:
            limiter.done(0.0)
            under_way -= 1


@given(
    instants,
    st.sampled_from([k for k in KINDS if k != "concurrency"]),
    st.sampled_from([h for h in HEADERS if h not in {"none", "cloudflare"}]),
    st.sampled_from([0.0, 0.25, 1.7e9]),
)
def test_no_dialect_asks_for_less_than_it_takes(instants, kind, style, ahead):
    """
    Who waits as long as a rejection asks is let in, whatever the clock says.
    """
    limit = RateLimit(rate=3, per=2.5, kind=kind, headers=style, **KEPT[kind])
    limiter = Limiter(limit)
    for now in instants:
        verdict = limiter.ask(now)
        pause = announced(limit, verdict, now + ahead)
        assert 0 <= verdict.remaining <= limit.quota
        assert 0 <= verdict.retry_after <= verdict.reset + 1e-9
        if verdict.allowed:
            assert pause == 0
        elif not (style == "aspnet" and kind in {"sliding", "firewall"}):
            assert pause >= verdict.retry_after - 1e-6


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
        (
            "ietf-old",
            {
                "RateLimit-Limit": "1, 1;w=3",
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": "3",
                "Retry-After": "3",
            },
            3.0,
        ),
        ("retry-after-ms", {"retry-after-ms": "2500"}, 2.5),
        ("x-ratelimit-epoch", {**REFUSED, "X-RateLimit-Reset": "1003"}, 2.75),
        ("x-ratelimit-epoch-ms", {**REFUSED, "X-RateLimit-Reset": "1002750"}, 2.5),
        (
            "x-ratelimit-iso",
            {**REFUSED, "X-RateLimit-Reset": "1970-01-01T00:16:42.7500000Z"},
            2.5,
        ),
        ("aspnet", {"Retry-After": "3"}, 3.0),
        ("aspnetcoreratelimit", {"Retry-After": "3"}, 3.0),
        ("azure", {"Retry-After": "3"}, 3.0),
        ("azure-quota", {"Retry-After": "3"}, 3.0),
        ("cloudflare", {"Retry-After": "30"}, 30.0),
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


def test_some_dialects_speak_on_success_too():
    """
    A client that learns from success headers must see them before it is rejected.
    """
    speaking = {}
    for style in HEADERS:
        limit = RateLimit(rate=100, per=60, headers=style)
        speaking[style] = headers(limit, Limiter(limit).ask(0.0), 0.0)
        assert announced(limit, Limiter(limit).ask(0.0), 0.0) == 0

    assert {style for style, said in speaking.items() if said} == {
        *(style for style in HEADERS if style.startswith("x-ratelimit")),
        "ietf",
        "ietf-old",
        "aspnetcoreratelimit",
    }
    assert speaking["aspnetcoreratelimit"] == {
        "Date": "Thu, 01 Jan 1970 00:00:00 GMT",
        "X-Rate-Limit-Limit": "1m",
        "X-Rate-Limit-Remaining": "99",
        "X-Rate-Limit-Reset": "1970-01-01T00:00:00.6000000Z",
    }


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1s"), (0.5, "0.5s"), (60, "1m"), (90, "90s"), (7200, "2h"), (86_400, "1d")],
)
def test_a_body_can_name_the_rule(seconds, said):
    """
    Who reads it knows the limit after one rejection.
    """
    limit = RateLimit(
        rate=600, per=seconds, kind="window", headers="aspnetcoreratelimit"
    )
    rejected = Verdict(allowed=False, remaining=0, reset=1.0, retry_after=1.0)
    text = f"API calls quota exceeded! maximum admitted 600 per {said}."

    assert body(limit, rejected).content == text.encode()
    assert body(limit, rejected).content_type == "text/plain"


def test_a_gateway_writes_bodies_of_its_own():
    """
    What stands in front of the application answers in its own way.
    """
    rejected = Verdict(allowed=False, remaining=0, reset=9000.0, retry_after=8999.1)
    bodies = {
        style: body(RateLimit(rate=1, headers=style), rejected) for style in HEADERS
    }
    texts = {style: said.content for style, said in bodies.items() if said}

    assert set(texts) == {
        "aspnet",
        "aspnetcoreratelimit",
        "azure",
        "azure-quota",
        "cloudflare",
    }
    assert texts["aspnet"] == b""
    assert orjson.loads(texts["azure"]) == {
        "statusCode": 429,
        "message": "Rate limit is exceeded. Try again in 9000 seconds.",
    }
    assert orjson.loads(texts["azure-quota"]) == {
        "statusCode": 403,
        "message": "Out of call volume quota. Quota will be replenished in 2:30:00.",
    }
    assert b"1015" in texts["cloudflare"]
    empty = RateLimit(rate=1, headers="azure", empty_body=True)
    assert body(empty, rejected).content == b""


def test_a_server_that_cannot_know_when_says_nothing():
    """
    ASP.NET's own limiter has no idea for a sliding window, nor for concurrency.
    """
    rejected = Verdict(allowed=False, remaining=0, reset=2.0, retry_after=2.0)
    said = {
        kind: headers(
            RateLimit(
                rate=1, per=60, kind=kind, headers="aspnet", block=KEPT_BLOCK[kind]
            ),
            rejected,
            0.0,
        )
        for kind in KINDS
    }

    assert said == {
        "bucket": {"Retry-After": "60"},
        "window": {"Retry-After": "60"},
        "firewall": {"Retry-After": "60"},
        "sliding": {},
        "concurrency": {},
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 1970 00:16:43 GMT", 2.75),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 99999999999 00:00:00 GMT", 0.0),
        ("9" * 400, float("inf")),
        ("soon", 0.0),
        ("-1", 0.0),
        ("", 0.0),
    ],
)
def test_a_pause_that_a_fault_asks_for_is_read(text, seconds):
    """
    Politeness is counted for these too.
    """
    assert asked(text, 1000.25) == seconds


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
        ({"rate": 0.5, "kind": "concurrency"}, "RateLimit.rate"),
        ({"rate": 1, "kind": "sliding", "burst": 2}, "RateLimit.burst"),
        ({"rate": 1, "kind": "firewall"}, "RateLimit.block"),
        ({"rate": 1, "kind": "firewall", "block": 0}, "RateLimit.block"),
        ({"rate": 1, "kind": "window", "block": 5}, "RateLimit.block"),
        ({"rate": 1, "kind": "sliding", "aligned": True}, "RateLimit.aligned"),
        ({"rate": 1, "kind": "concurrency", "count_rejected": True}, "count_rejected"),
        ({"rate": 1, "scope": "planet"}, "RateLimit.scope"),
    ],
)
def test_a_wrong_rate_limit_is_refused_by_name(options, word):
    """
    A limit that cannot work would look like a client that is too slow.
    """
    with pytest.raises(ConfigurationError, match=word):
        RateLimit(**options)


def test_a_spent_quota_is_forbidden_and_not_too_many():
    """
    It looks like a missing grant to whoever does not read on.
    """
    assert RateLimit(rate=1, headers="azure-quota").status == 403
    assert RateLimit(rate=1, headers="azure-quota", status=429).status == 429
    assert RateLimit(rate=1, headers="azure").status == 429
