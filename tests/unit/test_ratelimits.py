"""What header fields and bodies announce about limits, dialect by dialect."""

import timeit
from datetime import UTC, datetime

import pytest

from healthyroster_async import Limit
from healthyroster_async._core.attempts import announced_by_rejection
from healthyroster_async._core.ratelimits import (
    FIELDS,
    LONGEST,
    SILENT,
    Announced,
    Quota,
    announced,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOON.timestamp())
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"
PLAIN = {
    "server": "Kestrel",
    "date": DATE,
    "content-type": "application/json; charset=utf-8",
    "transfer-encoding": "chunked",
    "connection": "keep-alive",
    "vary": "Accept-Encoding",
    "cache-control": "no-store",
    "x-request-id": "0HN7",
}


def quotas(**fields):
    """Return the quotas of header fields; an underscore is a hyphen."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return list(announced(headers, now=NOON).quotas)


def test_an_ordinary_answer_says_nothing_and_costs_next_to_nothing():
    """
    Nearly every answer is ordinary, and each is asked.
    """
    costs, lookups = (
        min(timeit.repeat(call, number=1_000, repeat=20))
        for call in (
            lambda: announced(PLAIN),
            lambda: [name in PLAIN for name in FIELDS],
        )
    )

    assert announced(PLAIN) is SILENT
    assert costs < 2 * lookups  # beside asking for each field by name


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Monday, 23-Nov-26 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon Nov 23 12:00:30 2026"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 15:00:05 GMT", "date": DATE}, 3 * 3600 + 5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": " 1500 "}, 1.5),
        # Never sooner than any of them allows.
        ({"retry-after": "1", "retry-after-ms": "250"}, 1.0),
        ({"retry-after": "1", "x-ms-retry-after-ms": "2500"}, 2.5),
        # AspNetCoreRateLimit's answer to a rule of zero calls.
        ({"retry-after": "2147483647"}, LONGEST),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST),
        ({"retry-after-ms": "9" * 19}, LONGEST),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon", "retry-after-ms": "-250"}, None),
        ({"retry-after-ms": "NaN"}, None),
        ({"retry-after-ms": "9" * 400}, None),
        ({"retry-after-ms": ""}, None),
    ],
)
def test_a_wait_is_read_in_every_form(fields, wait):
    """
    To come back sooner than asked is the one thing that makes all worse.
    """
    assert announced(fields, now=NOON).wait == wait


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        (
            '"default";q=100;w=60',
            '"default";r=50;t=30',
            [Quota(limit=100, window=60, remaining=50, reset=30)],
        ),
        # Spaces, tokens for strings, capitals, unknown parameters, partition keys.
        (
            ' "100-in-15min"; q=100; w=900; pk=:NDdkYzc5OTQ3Zjc1:',
            '"100-in-15min" ;r=99 ; t=899;pk=:NDdkYzc5OTQ3Zjc1:;x="a;b,c"',
            [Quota(limit=100, window=900, remaining=99, reset=899)],
        ),
        (
            "burst;Q=5;W=1;vendor=?1",
            "burst;r=0;t=1",
            [Quota(limit=5, window=1, remaining=0, reset=1)],
        ),
        # Several policies, in another order than what is left of them.
        (
            '"burst";q=10;w=1, "day, all";q=5000;w=86400',
            '"day, all";r=12;t=7200, "burst";r=9;t=1',
            [
                Quota(limit=5000, window=86400, remaining=12, reset=7200),
                Quota(limit=10, window=1, remaining=9, reset=1),
            ],
        ),
        # A policy whose state is not told, a state whose policy is not.
        (
            '"burst";q=10;w=1,"day";q=5000;w=86400',
            '"other";r=3;t=4',
            [
                Quota(remaining=3, reset=4),
                Quota(limit=10, window=1),
                Quota(limit=5000, window=86400),
            ],
        ),
        # One name, a partition each.
        (
            '"a";q=10;w=1;pk=:eA==:,"a";q=20;w=1;pk=:eQ==:',
            '"a";r=19;t=1;pk=:eQ==:',
            [
                Quota(limit=20, window=1, remaining=19, reset=1),
                Quota(limit=10, window=1),
            ],
        ),
        # A partition that only one of the two tells.
        (
            '"a";q=10;w=1',
            '"a";r=9;t=1;pk=:eQ==:',
            [Quota(limit=10, window=1, remaining=9, reset=1)],
        ),
        # Bytes and concurrent calls are no calls, and neither is what is left of them.
        (
            (
                '"bytes";q=9;w=1;qu="content-bytes","par";q=4;qu="concurrent-requests",'
                '"all";q=10;w=1;qu="requests","more";q=99;w=1;qu="content-bytes"'
            ),
            '"bytes";r=0;t=60,"par";r=0,"all";r=9;t=1',
            [Quota(limit=10, window=1, remaining=9, reset=1)],
        ),
        ('"a";q=10', '"a";r=9', [Quota(limit=10, remaining=9)]),
        # More is left than there is: a bucket that says its rate. The limit holds.
        (
            '"a";q=10;w=1',
            '"a";r=15;t=1',
            [Quota(limit=10, window=1, remaining=10, reset=1)],
        ),
        # draft-07
        (
            "100;w=60",
            "limit=100, remaining=50, reset=5",
            [Quota(limit=100, window=60, remaining=50, reset=5)],
        ),
    ],
)
def test_the_current_draft_is_understood(policy, state, expected):
    """
    A server that tells its limits need not be searched for them.
    """
    assert quotas(ratelimit_policy=policy, ratelimit=state) == expected


def test_either_half_of_the_current_draft_says_something():
    """
    Nothing says that a server sends both.
    """
    assert quotas(ratelimit='"a";r=9;t=3') == [Quota(remaining=9, reset=3)]
    assert quotas(ratelimit_policy='"a";q=9;w=3') == [Quota(limit=9, window=3)]


@pytest.mark.parametrize("prefix", ["ratelimit", "x-ratelimit", "x-rate-limit"])
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("100", [Quota(limit=100, remaining=50, reset=30)]),
        ("100, 100;w=60", [Quota(limit=100, window=60, remaining=50, reset=30)]),
        ("100;w=60", [Quota(limit=100, window=60, remaining=50, reset=30)]),
        ("100;window=60", [Quota(limit=100, window=60, remaining=50, reset=30)]),
        (
            '100, 100;w=1;name="per app", 5000;w=3600;comment="a, b;w=9"',
            [
                Quota(limit=100, window=1, remaining=50, reset=30),
                Quota(limit=5000, window=3600),
            ],
        ),
        (None, [Quota(remaining=50, reset=30)]),
        ("many", [Quota(remaining=50, reset=30)]),
        # AspNetCoreRateLimit: the period.
        ("1m", [Quota(window=60, remaining=50, reset=30)]),
        ("15m", [Quota(window=900, remaining=50, reset=30)]),
        ("1s", [Quota(window=1, remaining=50, reset=30)]),
        ("12h", [Quota(window=43200, remaining=50, reset=30)]),
        ("7d", [Quota(window=604800, remaining=50, reset=30)]),
        # Both are how servers say that there is no limit.
        ("0", []),
        ("0, 0;w=60", []),
    ],
)
def test_the_three_counters_are_understood_under_each_of_their_names(
    prefix, limit, expected
):
    """
    They are the same three numbers, whoever wrote the server.
    """
    fields = {f"{prefix}-remaining": "50", f"{prefix}-reset": "30"}
    if limit is not None:
        fields[f"{prefix}-limit"] = limit

    assert list(announced(fields, now=NOON).quotas) == expected


def test_counters_find_their_policy_in_a_field_of_its_own():
    """
    draft-06 moved the windows out of the limit.
    """
    found = quotas(
        ratelimit_limit="10",
        ratelimit_policy='10;w=1;burst=50, 5000;w=86400;comment="d"',
        ratelimit_remaining="9",
        ratelimit_reset="1",
    )
    alone = quotas(ratelimit_policy="10;w=1", ratelimit_remaining="9")

    assert found == [
        Quota(limit=10, window=1, remaining=9, reset=1),
        Quota(limit=5000, window=86400),
    ]
    assert alone == [Quota(limit=10, window=1, remaining=9)]


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("86400", 86400.0),
        (f"{EPOCH + 30}", 30.0),
        (f"{EPOCH + 30}.25", 30.25),
        (f"{(EPOCH + 30) * 1000 + 500}", 30.5),
        (f"{(EPOCH + 30) * 1_000_000}", 30.0),
        (f"{(EPOCH + 30) * 1_000_000_000}", 30.0),
        (f"{EPOCH - 30}", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("2026-11-23T12:00:30Z", 30.0),
        ("2026-11-23T12:00:30", 30.0),
        ("2026-11-23 12:00:30Z", 30.0),
        ("2026-11-23T12:00:30.5000000Z", 30.5),
        ("2026-11-23T12:00:30.1234567Z", 30.123456),
        ("2026-11-23T14:00:30.123+02:00", 30.123),
        ("2026-11-23T07:00:30-0500", 30.0),
        ("2026-11-23T11:00:00Z", 0.0),
        ("2147483647", LONGEST),
        ("9999-12-31T23:59:59.9999999Z", LONGEST),
        ("99999999", LONGEST),
        ("9" * 19, LONGEST),
        ("9" * 20, None),
        ("9" * 400, None),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("1e9", None),
        ("2026-02-30T12:00:00Z", None),
        ("2026-11-23T25:00:00Z", None),
        ("0000-00-00T00:00:00Z", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("٣٠", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("date", [DATE, None])
def test_a_reset_is_read_by_its_form_and_magnitude(reset, seconds, date):
    """
    It is a delta, an epoch or a date, depending on who wrote the server.
    """
    fields = {"x-ratelimit-reset": reset} | ({"date": date} if date else {})
    told = announced(fields, now=NOON).quotas

    assert [quota.reset for quota in told] == (
        [] if seconds is None else [pytest.approx(seconds, abs=1e-5)]
    )


@pytest.mark.parametrize(
    "reset", [f"{EPOCH + 10}", "2026-11-23T12:00:10Z", "Mon, 23 Nov 2026 12:00:10 GMT"]
)
def test_a_time_is_read_on_the_servers_clock(reset):
    """
    A server whose clock is an hour off does not mean an hour.
    """
    ours = datetime(2026, 11, 23, 13, 0, 0, tzinfo=UTC)
    fields = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, "date": DATE}

    assert announced(fields, now=ours).quotas == (Quota(remaining=0, reset=10),)


def test_a_delta_beside_a_reset_is_the_better_of_the_two():
    """
    A delta needs no clock.
    """
    fields = {"x-ratelimit-reset": f"{EPOCH + 3000}", "x-ratelimit-reset-after": "1.25"}

    assert announced(fields, now=NOON).quotas == (Quota(reset=1.25),)


def test_what_two_families_say_alike_is_said_once():
    """
    Gateways send the elder fields beside the newer ones.
    """
    counters = {"limit": "100", "remaining": "50", "reset": "30"}
    fields = {
        f"{prefix}-{name}": value
        for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit")
        for name, value in counters.items()
    }

    assert announced(fields).quotas == (Quota(limit=100, remaining=50, reset=30),)
    fields["x-ratelimit-remaining"] = "3"
    assert len(announced(fields).quotas) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"x-ratelimit-limit": "-5", "x-ratelimit-remaining": "-1"},
        {"x-ratelimit-limit": "nan", "x-ratelimit-reset": "infinity"},
        {"x-ratelimit-limit": "9" * 400},
        {"x-ratelimit-limit": "\N{SUPERSCRIPT TWO}"},
        {"x-ratelimit-limit": ""},
        {"ratelimit": "", "ratelimit-policy": ""},
        {"ratelimit": ";;;,,,", "ratelimit-policy": ",;=,\"'"},
        {"ratelimit": '"a";r=-1;t=-1', "ratelimit-policy": '"a";q=0;w=0'},
        {"ratelimit": '"a";r=NaN;t=inf', "ratelimit-policy": '"a";q=²;w=²'},
        # Cut anywhere it would say something else: w=6 for w=60.
        {"ratelimit-policy": ",".join('"a";q=9;w=60' for _ in range(100))},
    ],
)
def test_nonsense_says_nothing(fields):
    """
    A number we made up would be worse than none.
    """
    assert announced(fields) is SILENT


def test_a_window_of_nothing_is_not_said():
    """
    Dividing by it would be the last thing the pool does.
    """
    assert quotas(ratelimit_policy='"a";q=5;w=0') == [Quota(limit=5)]


def test_a_hostile_field_costs_little():
    """
    An unclosed quote must not make the reader go over the rest again and again.
    """
    fields = dict.fromkeys(("ratelimit", "ratelimit-policy"), '"\\' * 500)
    seconds = min(timeit.repeat(lambda: announced(fields), number=1, repeat=5))

    assert seconds < 0.01


ASPNET = b"API calls quota exceeded! maximum admitted 600 per 1m."


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (ASPNET, Limit(600, 60)),
        (b'{"message":"' + ASPNET + b'"}', Limit(600, 60)),
        (b"\xef\xbb\xbf" + ASPNET, Limit(600, 60)),
        (b"API calls quota exceeded! maximum admitted 5 per 1s.", Limit(5, 1)),
        (b"API calls quota exceeded! maximum admitted 100 per 15m.", Limit(100, 900)),
        (b"API calls quota exceeded! maximum admitted 9 per 12h.", Limit(9, 43200)),
        (b"API calls quota exceeded! maximum admitted 9 per 7d.", Limit(9, 604800)),
        (b"API calls quota exceeded! maximum admitted 2.5 per 1s.", Limit(2.5, 1)),
        (
            (
                b'{"details":"Quota exceeded. Maximum allowed: 10 per 1m. '
                b'Please try again in 43 second(s)."}'
            ),
            Limit(10, 60),
        ),
        (b"API calls quota exceeded! maximum admitted 0 per 1s.", None),
        (b"API calls quota exceeded! maximum admitted 5 per 0s.", None),
        (b"API calls quota exceeded! maximum admitted -5 per 1s.", None),
        (b"API calls quota exceeded! maximum admitted 5 per 999999999d.", None),
        (b"API calls quota exceeded! maximum admitted 5 per 1mo.", None),
        (b"maximum admitted " + b"9" * 400 + b" per 1m", None),
        (b" " * 2048 + ASPNET, None),
        (b"[]", None),
        (b"\xff\xfe\x00", None),
        (b"", None),
    ],
)
def test_a_body_may_state_the_rule(body, rule):
    """
    AspNetCoreRateLimit hides the limit in its headers and shows it in its text.
    """
    assert announced_by_rejection({}, body).rule == rule


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        (
            (
                b'{"statusCode":429,"message":"Rate limit is exceeded. '
                b'Try again in 12 seconds."}'
            ),
            12.0,
        ),
        (b"Rate limit is exceeded. Try again in 1 second.", 1.0),
        (b"Quota exceeded. Please try again in 43 second(s).", 43.0),
        (
            (
                b'{"statusCode":403,"message":"Out of call volume quota. '
                b'Quota will be replenished in 00:12:34."}'
            ),
            754.0,
        ),
        (b"Quota will be replenished in 5.03:23:11.", 444191.0),
        (b"Quota will be replenished in 999999.00:00:00.", LONGEST),
        (b"Try again in 999999999999 seconds.", LONGEST),
        (b"Try again in -5 seconds.", None),
        (b"Try again in a few seconds.", None),
        (b"Try again in 5 minutes.", None),
        (ASPNET, None),
        (b"", None),
    ],
)
def test_a_body_may_ask_for_a_wait(body, wait):
    """
    Azure API Management says it in words too.
    """
    assert announced_by_rejection({}, body).wait == wait


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({"ratelimit": '"a";r=0;t=30'}, 30.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{EPOCH + 20}"}, 20.0),
        ({"x-rate-limit-remaining": "0.5", "x-rate-limit-reset": "9"}, 9.0),
        ({"x-ratelimit-reset-after": "0.75"}, 0.75),
        # The one that is used up, not the one that is not; of two the later.
        ({"ratelimit": '"burst";r=0;t=1,"day";r=7;t=7200'}, 1.0),
        ({"ratelimit": '"burst";r=0;t=1,"day";r=0;t=7200'}, 7200.0),
        ({"ratelimit": '"a";r=5;t=30'}, None),
        ({"ratelimit": '"a";r=0'}, None),
        # What is asked in so many words goes first.
        ({"ratelimit": '"a";r=0;t=30', "retry-after": "3"}, 3.0),
        ({"ratelimit": '"a";r=0;t=30', "retry-after": "0"}, 0.0),
    ],
)
def test_a_rejection_asks_to_wait_for_what_is_used_up(fields, wait):
    """
    A server that tells when the quota is new need not send Retry-After.
    """
    assert announced_by_rejection(fields | {"date": DATE}, b"").wait == wait


def test_only_a_rejection_asks_to_wait_for_a_new_quota():
    """
    The last call of a window went through; there is nothing to wait for yet.
    """
    assert announced({"ratelimit": '"a";r=0;t=30'}) == Announced(
        quotas=(Quota(remaining=0, reset=30),)
    )
