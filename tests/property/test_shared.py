"""Laws of the budget that processes share."""

import math
import struct
import zlib

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from healthyroster_async._core.settings import Limit
from healthyroster_async._core.shared import (
    FRESH,
    HORIZON_S,
    SIZE,
    Budget,
    decode,
    encode,
    learn,
    react,
    reserve,
)

BOOT = b"thisboot"
NOW = 5000.0
rates = st.one_of(st.floats(0.01, 5000), st.sampled_from([1.0, 10.0, 50.0]))
# Bits of any number: NaN, infinities and subnormal ones among them.
anything = st.one_of(
    st.floats(),
    st.floats(0, 2 * NOW),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7e308, NOW + HORIZON_S, math.nan]),
)
counts = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 100))


@st.composite
def near_budgets(draw):
    """Bytes that are a budget but for a few of them, or with odd numbers in it."""
    raw = struct.pack(
        "<4s8s3Q8d",
        draw(st.sampled_from([b"HRB\x01", b"HRB\x02"])),
        draw(st.sampled_from([BOOT, bytes(8)])),
        *(draw(counts) for _ in range(3)),
        *(draw(anything) for _ in range(8)),
    )
    raw += struct.pack("<I", zlib.crc32(raw))
    cut = draw(st.one_of(st.just(SIZE), st.integers(0, SIZE)))
    return raw[:cut] + draw(st.one_of(st.just(b""), st.binary(max_size=9)))


@given(raw=st.one_of(near_budgets(), st.binary(max_size=2 * SIZE)), now=anything)
@example(raw=encode(FRESH, BOOT), now=0.0)
@example(raw=encode(evolve(FRESH, rate=5e-324), BOOT), now=NOW)
def test_junk_is_never_an_exception_and_never_a_wait_without_end(raw, now):
    """
    Whatever stands in the file, the process goes on, and what it writes is readable.
    """
    budget = decode(raw, BOOT, now) or FRESH
    if not 0 <= now < 1e300:
        return
    taken, slot = reserve(budget, 1, now)
    cut = react(taken, taken.epoch, now, rate=1.0, limit=None, pause_until=now + 1)

    assert now <= slot <= now + HORIZON_S + 1
    for after in (taken, cut, learn(cut, cut.epoch, now, rate=0.0, limit=None)):
        assert decode(encode(after, BOOT), BOOT, now) == after


@given(
    rate=rates,
    catch_up=st.sampled_from([0.0, 0.05, 1.0]),
    asks=st.lists(
        st.tuples(
            st.one_of(st.just(0.0), st.floats(0, 2)),
            st.integers(1, 20),
            st.one_of(st.just(0.0), st.floats(0, 3)),
        ),
        max_size=40,
    ),
)
@example(rate=10.0, catch_up=0.05, asks=[(0.0, 1, 0.0), (9.0, 1, 0.0), (0, 1, 0.0)])
@example(rate=10.0, catch_up=1.0, asks=[(0.0, 1, 3.0), (2.0, 9, 0.0), (0, 1, 0.0)])
def test_no_stretch_of_time_holds_more_slots_than_the_rate(rate, catch_up, asks):
    """
    In any t seconds: rate * t, what may be caught up, and the last batch; and none
    inside a pause.
    """
    now, budget, slots = NOW, evolve(FRESH, rate=rate), []
    for passed, calls, pause in asks:
        now += passed
        if pause:
            budget = react(
                budget,
                99,
                now,
                rate=1,
                limit=None,
                pause_until=0,
                asked_until=now + pause,
            )
        budget, slot = reserve(budget, calls, now, catch_up)
        assert slot >= max(now, budget.pause_until)
        slots.append((slot, calls))
        if budget.due >= now + HORIZON_S:
            return

    assert slots == sorted(slots, key=lambda each: each[0])
    for first, (begin, _) in enumerate(slots):
        total = 0
        for end, calls in slots[first:]:
            total += calls
            most = rate * (end - begin + catch_up) + calls
            assert total <= most * (1 + 1e-9) + 1e-6


@given(rate=rates, late=st.lists(st.floats(0, 0.04), min_size=1, max_size=200))
def test_who_comes_a_little_late_loses_nothing(rate, late):
    """
    Timers fire late on a busy machine; the sum must still be the whole rate.

    While calls wait, the next slot is taken as soon as one is used.
    """
    budget, now = evolve(FRESH, rate=rate, due=NOW), NOW
    for turn, lateness in enumerate(late):
        ideal = NOW + turn / rate
        budget, slot = reserve(budget, 1, now, 0.05)
        assert slot == pytest.approx(max(now, ideal), abs=1e-6)
        now = max(now, ideal + lateness)


@given(rate=rates, rest=st.floats(0.0, 100.0))
def test_after_a_rest_there_is_no_call_more_in_its_first_second(rate, rest):
    """
    A strict server counts six of five a second, and turns one away.
    """
    now = NOW + rest
    budget, first = reserve(evolve(FRESH, rate=rate, due=NOW - 1), 1, now, 0.05)
    _, second = reserve(budget, 1, now, 0.05)

    assert first == now
    assert second == pytest.approx(now + 1 / rate, abs=1e-6)


@given(
    events=st.lists(
        st.tuples(st.integers(0, 4), st.floats(1, 100), st.floats(0, 50)), max_size=20
    )
)
def test_each_epoch_ends_once_and_pauses_only_grow(events):
    """
    However the answers of one overload come in, one of them counts.
    """
    budget, cuts = Budget(rate=100.0, limit=Limit(6000, 60)), []
    for seen, rate, pause in events:
        after = react(
            budget, seen, NOW, rate=rate, limit=None, pause_until=0, asked_until=pause
        )
        assert after.pause_until == pytest.approx(max(budget.pause_until, pause))
        if after.epoch != budget.epoch:
            cuts.append(seen)
        else:
            assert (after.rate, after.limit) == (budget.rate, budget.limit)
        budget = after

    assert cuts == list(range(len(cuts)))
    assert budget.epoch == len(cuts)
