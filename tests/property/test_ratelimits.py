"""Laws of reading limits: what is read can be reckoned with, whatever is sent."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import example, given
from hypothesis import strategies as st

from healthyroster_async import Limit
from healthyroster_async._core.attempts import announced_by_rejection
from healthyroster_async._core.headers import http_date
from healthyroster_async._core.ratelimits import (
    FIELDS,
    LONGEST,
    SILENT,
    Quota,
    announced,
)
from healthyroster_async._core.verdicts import Verdict, asked_wait, verdict_of

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
PLAIN = ("date", "server", "content-type", "retry", "x-ratelimit", "rate-limit-limit")

moments = st.datetimes(timezones=st.just(UTC))
dates = moments.map(lambda at: format_datetime(at, usegmt=True))
isos = moments.map(datetime.isoformat)
# Plain text almost never looks like a number, so aim at what nearly is one.
near_numbers = st.one_of(
    st.integers().map(str),
    st.integers(0, 100).map(str),
    st.integers(10**9, 10**19).map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", "0", "-1", "NaN", "inf", "1e9", "1m", "0s", "7d", "2147483647", " 5 "]
    ),
    st.text("0123456789.-\N{SUPERSCRIPT TWO}\N{ARABIC-INDIC DIGIT TWO}", max_size=5),
)
near_times = st.one_of(
    near_numbers,
    dates,
    dates.map(lambda date: date.replace("GMT", "-0000")),
    isos,
    isos.map(lambda text: text.replace("+00:00", "1Z")),
    isos.map(lambda text: text.replace("+00:00", "+99:99")),
)
heads = st.sampled_from(['"a"', '"b, c;q=3"', "a", "limit=5", '"', '"\\"', "", "9"])
parameters = st.builds(
    "{}{}={}".format,
    st.sampled_from([";", "; ", " ;", ";;", ","]),
    st.sampled_from(["q", "w", "r", "t", "qu", "pk", "window", "limit", "W", ""]),
    st.one_of(near_numbers, st.sampled_from(['"requests"', ":eA==:", "?1", '"'])),
)
members = st.builds("{}{}".format, heads, st.lists(parameters, max_size=4).map("".join))
near_lists = st.lists(members, max_size=4).map(",".join)
near_values = st.one_of(near_times, near_lists, st.text(max_size=20))
answers = st.dictionaries(st.sampled_from([*sorted(FIELDS), "date"]), near_values)
said = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["maximum admitted ", "Maximum allowed: ", "Try again in ", ""]),
    near_numbers,
    st.sampled_from([" per ", " seconds", " per 0", ""]),
    st.sampled_from(["1s", "999999999d", "0m", "5.03:23:11", "9h"]),
)
bodies = st.one_of(
    said.map(str.encode),
    st.builds("replenished in {}.{}:{}:{}".format, *[near_numbers] * 4).map(str.encode),
    st.binary(max_size=50),
)


def is_sane(number, most=math.inf):
    return number is None or (math.isfinite(number) and 0.0 <= number <= most)


def check(told):
    assert is_sane(told.wait, LONGEST)
    assert is_sane(told.new_in, LONGEST)
    for quota in told.quotas:
        assert quota != Quota()
        assert is_sane(quota.limit)
        assert quota.limit != 0
        assert is_sane(quota.window, LONGEST)
        assert quota.window != 0
        assert is_sane(quota.remaining, math.inf if not quota.limit else quota.limit)
        assert is_sane(quota.reset, LONGEST)
    assert len(set(told.quotas)) == len(told.quotas)


@given(headers=answers, body=bodies)
@example(headers={"x-ratelimit-limit": "9" * 400}, body=b"")
@example(headers={"x-ratelimit-reset": "\N{SUPERSCRIPT TWO}"}, body=b"")
@example(headers={"x-ratelimit-reset": "9" * 19}, body=b"")
@example(headers={"x-ratelimit-reset": "2147483647"}, body=b"")
@example(headers={"x-ratelimit-reset": "-1"}, body=b"")
@example(headers={"x-ratelimit-reset": "2026-02-30T00:00:00Z"}, body=b"")
@example(headers={"x-ratelimit-reset": "0001-01-01T00:00:00+23:59"}, body=b"")
@example(headers={"x-ratelimit-reset": "9999-12-31T23:59:59-23:59"}, body=b"")
@example(headers={"x-ratelimit-reset": "2026-01-01T00:00:00+99:99"}, body=b"")
@example(headers={"x-ratelimit-remaining": "9", "x-ratelimit-limit": "5"}, body=b"")
@example(headers={"x-ratelimit-limit": "0", "x-ratelimit-remaining": "0"}, body=b"")
@example(
    headers={"x-rate-limit-limit": "0m", "x-ratelimit-limit": "999999999d"}, body=b""
)
@example(headers={"ratelimit-policy": ";;;", "ratelimit": ","}, body=b"")
@example(headers={"ratelimit-policy": '"a";q=1;w=0', "ratelimit": '"a"'}, body=b"")
@example(headers={"ratelimit-policy": '"a";q=1;w=9999999999'}, body=b"")
@example(headers={"ratelimit-policy": '"a";q=nan', "ratelimit": '"a";r=9'}, body=b"")
@example(headers={"retry-after-ms": "inf", "retry-after": "2147483647"}, body=b"")
@example(headers={"date": "Mon, 01 Jan 0001 00:00:00 GMT"}, body=b"")
@example(headers={}, body=b"maximum admitted 0 per 1s")
@example(headers={}, body=b"maximum admitted 1 per 0s")
@example(headers={}, body=b"try again in 999999999999 seconds")
def test_whatever_an_answer_holds_its_numbers_are_finite_and_make_sense(headers, body):
    """
    A hostile field can neither stop the pool for good nor make it stampede.
    """
    check(announced(headers, now=NOON))
    told = announced_by_rejection(headers, body, now=NOON)
    check(told)

    assert told.rule is None or (
        isinstance(told.rule, Limit) and told.rule.seconds <= LONGEST
    )


@given(
    status=st.one_of(st.sampled_from([403, 429, 503]), st.integers(100, 999)),
    headers=answers,
    body=bodies,
)
def test_every_answer_has_a_verdict_and_a_wait_that_ends(status, headers, body):
    """
    No answer may raise where it is looked at.
    """
    verdict = verdict_of(status, headers, body)

    assert verdict in set(Verdict) - {Verdict.NOTHING}
    assert is_sane(asked_wait(status, headers, body), LONGEST)
    if status == 403 and verdict is Verdict.ACCEPTED:
        assert announced(headers).wait is None


@given(
    headers=st.dictionaries(
        st.one_of(st.sampled_from(PLAIN), st.text(max_size=12)).filter(
            lambda name: name not in FIELDS
        ),
        near_values,
    )
)
def test_other_fields_say_nothing(headers):
    """
    Only the names that are known to speak of limits are listened to.
    """
    assert announced(headers) is SILENT


counts = st.integers(1, 10**6)
spans = st.integers(1, 30 * 86_400)


@given(
    numbers=st.tuples(counts, spans, counts, spans),
    form=st.tuples(
        st.sampled_from(["delta", "s", "ms", "http", "iso", "iso7"]),
        st.sampled_from(["ratelimit", "x-ratelimit", "x-rate-limit"]),
    ),
    sent=st.datetimes(
        datetime(2005, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)
    ).map(lambda at: at.replace(microsecond=0)),
)
@example(numbers=(1, 1, 1, 1), form=("ms", "ratelimit"), sent=NOON)
def test_what_a_server_means_is_what_is_read(numbers, form, sent):
    """
    The form that a reset comes in changes nothing, and neither does our own clock.
    """
    limit, window, remaining, reset = numbers
    until = sent + timedelta(seconds=reset)
    kind, prefix = form
    headers = {
        "date": format_datetime(sent, usegmt=True),
        f"{prefix}-limit": f"{limit}, {limit};w={window}",
        f"{prefix}-remaining": str(remaining),
        f"{prefix}-reset": {
            "delta": f"{reset}",
            "s": f"{until.timestamp():.0f}",
            "ms": f"{until.timestamp() * 1000:.0f}",
            "http": format_datetime(until, usegmt=True),
            "iso": until.isoformat(),
            "iso7": f"{until:%Y-%m-%dT%H:%M:%S}.0000000Z",
        }[kind],
    }
    expected = Quota(
        limit=limit, window=window, remaining=min(remaining, limit), reset=reset
    )

    assert announced(headers, now=NOON).quotas == (expected,)


@given(
    quotas=st.dictionaries(
        st.text("abc ,;=-", min_size=1, max_size=5),
        st.tuples(counts, spans, counts, spans),
        min_size=1,
        max_size=4,
    ),
    order=st.randoms(use_true_random=False),
    space=st.sampled_from(["", " ", "\t"]),
)
@example(quotas={"a,b;q=9": (1, 2, 1, 2)}, order=None, space=" ")
def test_states_find_their_policies_by_name(quotas, order, space):
    """
    Names may hold what separates, and the two fields need not have one order.
    """
    names = list(quotas)
    headers = {
        "ratelimit-policy": f",{space}".join(
            f'"{name}"{space};q={quotas[name][0]}{space};{space}w={quotas[name][1]}'
            for name in names
        )
    }
    if order is not None:
        order.shuffle(names)
    headers["ratelimit"] = f"{space},".join(
        f'"{name}";{space}r={quotas[name][2]};t={quotas[name][3]}' for name in names
    )
    expected = {
        Quota(limit=limit, window=window, remaining=min(limit, left), reset=reset)
        for limit, window, left, reset in quotas.values()
    }

    assert set(announced(headers).quotas) == expected


@given(value=near_times)
@example(value="Mon, 23 Nov 0000 12:01:00 GMT")
@example(value="Mon, 31 Feb 2026 12:01:00 GMT")
@example(value="Monday, 29-Feb-00 12:01:60 GMT")
def test_what_is_no_date_is_none(value):
    """
    A date is a time in UTC or nothing, never an exception.
    """
    date = http_date(value)

    assert date is None or date.utcoffset() == timedelta(0)
