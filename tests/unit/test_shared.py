import math
import zlib

import pytest
from attrs import evolve

from healthyroster_async._core.settings import Limit
from healthyroster_async._core.shared import (
    FRESH,
    HORIZON_S,
    SIZE,
    Budget,
    decode,
    encode,
    key_of,
    learn,
    react,
    reserve,
)

BOOT = b"thisboot"
NOW = 1000.0
KNOWN = Budget(
    epoch=3,
    due=1000.5,
    pause_until=990.0,
    rate=10.0,
    limit=Limit(600, 60),
    granted=70,
    granted_before=20,
    reacted_at=980.0,
    changed_at=985.0,
    written_at=999.0,
)


def test_what_is_written_is_read():
    """
    Every field of the budget is part of what the processes agree on.
    """
    raw = encode(KNOWN, BOOT)

    assert len(raw) == SIZE <= 256
    assert decode(raw, BOOT, NOW) == KNOWN
    assert decode(encode(FRESH, BOOT), BOOT, NOW) == FRESH


@pytest.mark.parametrize(
    "changes",
    [
        {"due": NOW + HORIZON_S + 2},
        {"pause_until": NOW + HORIZON_S + 2},
        {"written_at": NOW + 2},
        {"due": math.nan},
        {"rate": math.inf},
        {"rate": -1.0},
        {"reacted_at": -1.0},
        {"epoch": 2**64 - 1},
        {"granted": 2**63},
    ],
)
def test_what_nobody_can_have_written_is_no_budget(changes):
    """
    A process must not wait for a year because of a bit that fell over.
    """
    assert decode(encode(evolve(KNOWN, **changes), BOOT), BOOT, NOW) is None


def test_another_boot_another_version_and_half_a_write_are_no_budget():
    """
    The monotonic clock begins anew at each boot, so old times mean nothing.
    """
    raw = encode(KNOWN, BOOT)

    assert decode(raw, b"thatboot", NOW) is None
    newer = b"HRB\x02" + raw[4:-4]
    assert decode(newer + zlib.crc32(newer).to_bytes(4, "little"), BOOT, NOW) is None
    assert decode(b"", BOOT, NOW) is None
    assert decode(raw[:-1], BOOT, NOW) is None
    assert decode(raw + b"\0", BOOT, NOW) is None
    half = raw[:40] + encode(evolve(KNOWN, granted=71), BOOT)[40:]
    assert decode(half, BOOT, NOW) in (None, KNOWN)
    for at in range(SIZE):
        broken = bytearray(raw)
        broken[at] ^= 0x10
        assert decode(bytes(broken), BOOT, NOW) is None


def test_slots_are_spaced_by_the_rate():
    """
    Whoever asks, the slots follow each other at the rate that all share.
    """
    budget, slots = evolve(KNOWN, due=NOW), []
    for calls in (1, 1, 5, 1):
        budget, slot = reserve(budget, calls, NOW)
        slots.append(slot)

    assert slots == pytest.approx([1000.0, 1000.1, 1000.2, 1000.7])
    assert budget.granted == KNOWN.granted + 8


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (NOW - 0.2, [1000.0, 1000.0, 1000.0, 1000.1]),
        (NOW - 0.05, [1000.0, 1000.05, 1000.15, 1000.25]),
        (NOW - 0.21, [1000.0, 1000.1, 1000.2, 1000.3]),
        (0.0, [1000.0, 1000.1, 1000.2, 1000.3]),
    ],
)
def test_what_is_a_little_late_is_caught_up_and_a_rest_is_not(due, expected):
    """
    A timer that fires late costs nothing, and silence is no burst.
    """
    slots, budget = [], evolve(KNOWN, due=due)
    for _ in range(4):
        budget, slot = reserve(budget, 1, NOW, catch_up=0.2)
        slots.append(slot)

    assert slots == pytest.approx(expected)


def test_nothing_goes_inside_a_pause_and_its_slots_are_lost():
    """
    After a pause the server is met at the rate, not with all that was held back.
    """
    budget, slots = evolve(KNOWN, due=900.0, pause_until=NOW + 30), []
    for now in (NOW, NOW, NOW + 30.15):
        budget, slot = reserve(budget, 1, now, catch_up=5.0)
        slots.append(slot)

    assert slots == pytest.approx([1030.0, 1030.1, 1030.2])


def test_without_a_rate_all_go_at_once_but_not_inside_a_pause():
    """
    Before anything is known there is nothing to space calls by.
    """
    budget, slot = reserve(FRESH, 100, NOW)
    _, again = reserve(budget, 1, NOW)
    _, paused = reserve(evolve(budget, pause_until=NOW + 1), 1, NOW)

    assert (slot, again, paused) == (NOW, NOW, NOW + 1)


def test_one_overload_is_one_cut():
    """
    Four processes see their calls rejected by the same overload; four cuts in a row
    would throw most of the limit away.
    """
    once = react(KNOWN, KNOWN.epoch, NOW, rate=5.0, limit=None, pause_until=NOW + 1)
    twice = react(once, KNOWN.epoch, NOW, rate=2.0, limit=None, pause_until=NOW + 9)

    assert (once.epoch, once.rate, once.limit) == (4, 5.0, None)
    assert (once.granted_before, once.reacted_at, once.changed_at) == (70, NOW, NOW)
    assert once.pause_until == NOW + 1
    assert twice is once


def test_the_pause_that_the_api_asks_for_is_never_shortened_nor_forgotten():
    """
    Even an answer to an old request says how long the API wants to be left alone.
    """

    def answer(budget, seen, **pause):
        return react(budget, seen, NOW, rate=5.0, limit=None, **pause).pause_until

    long = evolve(KNOWN, pause_until=NOW + 60)
    assert answer(long, 3, pause_until=NOW + 1) == NOW + 60
    assert answer(KNOWN, 3, pause_until=NOW + 1, asked_until=NOW + 5) == NOW + 5
    assert answer(KNOWN, 2, pause_until=NOW + 9, asked_until=NOW + 5) == NOW + 5
    assert answer(long, 2, pause_until=NOW + 9, asked_until=NOW + 5) == NOW + 60
    assert answer(KNOWN, 3, pause_until=NOW + 1e9) == NOW + HORIZON_S
    assert answer(KNOWN, 2, pause_until=0.0, asked_until=1e9) == NOW + HORIZON_S


def test_what_was_learned_before_a_cut_does_not_undo_it():
    """
    A process that raised the rate a moment too late would send all into the limit.
    """
    higher = learn(KNOWN, 3, NOW, rate=11.0, limit=Limit(660, 60))
    late = learn(KNOWN, 2, NOW, rate=11.0, limit=None)
    same = learn(KNOWN, 3, NOW, rate=10.0, limit=Limit(600, 60))

    assert (higher.rate, higher.limit, higher.changed_at) == (11.0, Limit(660, 60), NOW)
    assert (higher.epoch, higher.reacted_at) == (3, 980.0)
    assert late is KNOWN
    assert same is KNOWN


def test_a_key_tells_nothing_and_differs_by_every_part():
    """
    It names a file that others may list; the application id is nobody's business.
    """
    key = key_of("sandbox", "https://api.example", "our-app-id")

    assert len(key) == 64
    assert "our-app-id" not in key
    others = {
        key,
        key_of("production", "https://api.example", "our-app-id"),
        key_of("sandbox", "https://api.example/", "our-app-id"),
        key_of("sandbox", "https://api.example", "another"),
        key_of("sandbox", "https://api.exampl", "eour-app-id"),
        key_of("sandboxhttps://api.example", "our-app-id"),
    }
    assert len(others) == 6
