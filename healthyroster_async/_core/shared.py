"""The budget that the processes of a host share, and its arithmetic.

Time is given out by the generic cell rate algorithm: the budget knows when its next
slot is due; whoever takes *n* calls moves that on by ``n / rate`` seconds.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib

from attrs import evolve, frozen

from healthyroster_async._core.settings import Limit

CATCH_UP_S = 0.05
"""Most seconds of slots that nobody took and that may still be taken."""
HORIZON_S = 3600.0
"""No slot and no pause lies further ahead than so many seconds."""
# Clocks of the processes of a host agree; this is for what is read while it is written.
_SLACK_S = 1.0

# Counters stop here, far below what does not fit any more.
_MOST = 1 << 62
_MAGIC = b"HRB\x01"
_STATE = 12
_LAYOUT = struct.Struct(f"<4s8s3Q{8 + _STATE}d")
_CHECK = struct.Struct("<I")
SIZE = _LAYOUT.size + _CHECK.size
"""Bytes of a budget in the file."""


@frozen(kw_only=True)
class Budget:
    """What the processes of a host know and give out together.

    Times are seconds of the monotonic clock that all processes of the host share.

    Attributes:
        epoch: Number of the last overload that was reacted to.
        due: When the next slot is due.
        pause_until: Nothing starts before.
        rate: Calls per second; 0 while there is nothing to space them by.
        limit: The limit as it was recognised, or ``None`` while it is not known.
        granted: Calls given out so far, to all processes. The difference of two budgets
            says how many went, by whomever.
        granted_before: How many of them before the last reaction.
        reacted_at: When the last reaction was.
        changed_at: When the rate was last set. Whoever raises it step by step goes by
            this, so that many processes do not raise it many times as fast.
        written_at: When the budget was last written.
        state: How far learning is, so that whoever meets the next overload goes on from
            there: up to 12 numbers that only the learner reads.
    """

    epoch: int = 0
    due: float = 0.0
    pause_until: float = 0.0
    rate: float = 0.0
    limit: Limit | None = None
    granted: int = 0
    granted_before: int = 0
    reacted_at: float = 0.0
    changed_at: float = 0.0
    written_at: float = 0.0
    state: tuple[float, ...] = (0.0,) * _STATE


FRESH = Budget()
"""A budget of which nothing is known."""


def key_of(*parts: str) -> str:
    """Return the name under which a budget is kept: a hash that tells nothing.

    Args:
        parts: What budgets differ by: environment, base URL, application id. Never the
            secret.
    """
    # The lengths keep ("ab", "c") from ("a", "bc").
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def encode(budget: Budget, boot: bytes) -> bytes:
    """Return the ``SIZE`` bytes that stand in the file.

    Args:
        budget: What to write.
        boot: Eight bytes that differ from one start of the host's clock to the next.
    """
    limit = budget.limit
    raw = _LAYOUT.pack(
        _MAGIC,
        boot,
        budget.epoch,
        budget.granted,
        budget.granted_before,
        budget.due,
        budget.pause_until,
        budget.rate,
        0.0 if limit is None else limit.calls,
        0.0 if limit is None else limit.seconds,
        budget.reacted_at,
        budget.changed_at,
        budget.written_at,
        *budget.state,
    )
    return raw + _CHECK.pack(zlib.crc32(raw))


def decode(raw: bytes, boot: bytes, now: float) -> Budget | None:
    """Return the budget that stands in a file, or ``None`` if none stands there.

    Junk, half a write, another version's budget, one of another boot, and one with
    times that nobody can have written are no budget; none of them is an error.
    """
    if len(raw) != SIZE or zlib.crc32(raw[:-4]).to_bytes(4, "little") != raw[-4:]:
        return None
    magic, made_in, epoch, granted, before, *numbers = _LAYOUT.unpack_from(raw)
    if magic != _MAGIC or made_in != boot or max(epoch, granted, before) > _MOST:
        return None
    # A sum is infinite or NaN if a part of it is, and no comparison with NaN is true.
    if min(numbers) < 0.0 or not sum(numbers) < math.inf:
        return None
    numbers, state = numbers[:-_STATE], tuple(numbers[-_STATE:])
    due, pause_until, rate, calls, seconds, reacted, changed, written = numbers
    if max(due, pause_until) > now + HORIZON_S + _SLACK_S or written > now + _SLACK_S:
        return None
    return Budget(
        epoch=epoch,
        due=due,
        pause_until=pause_until,
        rate=rate,
        limit=Limit(calls, seconds) if calls and seconds else None,
        granted=granted,
        granted_before=before,
        reacted_at=reacted,
        changed_at=changed,
        written_at=written,
        state=state,
    )


def reserve(
    budget: Budget, calls: int, now: float, catch_up: float = CATCH_UP_S
) -> tuple[Budget, float]:
    """Take the next slots.

    In any *t* seconds, slots for at most ``rate * (t + catch_up) + calls`` calls are
    given out, and none inside a pause. Slots that fell into a pause are not caught up,
    nor any after a rest: they would make six calls of five in a second.

    Args:
        budget: The budget as it stands.
        calls: How many go together.
        now: The time.
        catch_up: Seconds that a slot may be late and still count as if it were not.

    Returns:
        The budget from now on, and when the calls may go, never in the past.
    """
    start = max(budget.due, budget.pause_until)
    if start < now - catch_up:
        start = now
    took = calls / budget.rate if budget.rate else 0.0
    # This runs for every call, under the lock, and evolve() takes twice as long.
    after = Budget(
        epoch=budget.epoch,
        due=min(start + took, now + HORIZON_S),
        pause_until=budget.pause_until,
        rate=budget.rate,
        limit=budget.limit,
        granted=budget.granted + calls,
        granted_before=budget.granted_before,
        reacted_at=budget.reacted_at,
        changed_at=budget.changed_at,
        written_at=now,
        state=budget.state,
    )
    return after, max(start, now)


def react(
    budget: Budget,
    seen: int,
    now: float,
    *,
    rate: float,
    limit: Limit | None,
    pause_until: float,
    asked_until: float = 0.0,
    state: tuple[float, ...] = FRESH.state,
) -> Budget:
    """Apply an overload, once: many answers tell of the same one.

    Args:
        budget: The budget as it stands.
        seen: The epoch that was seen before the request left. If another has begun, its
            answer tells nothing new, and only what the API asked for is obeyed.
        now: The time.
        rate: Calls per second from now on; 0: unknown.
        limit: The limit if it is known.
        pause_until: How long all wait, by our own guess.
        asked_until: How long all wait because the API asked for it; never forgotten.
        state: How far learning is.

    Returns:
        The budget from now on; the same one if nothing changes.
    """
    if seen != budget.epoch:
        if asked_until <= budget.pause_until:
            return budget
        pause = min(asked_until, now + HORIZON_S)
        return evolve(budget, pause_until=pause, written_at=now)
    pause = max(budget.pause_until, pause_until, asked_until)
    return evolve(
        budget,
        epoch=budget.epoch + 1,
        pause_until=min(pause, now + HORIZON_S),
        rate=rate,
        limit=limit,
        state=state,
        granted_before=budget.granted,
        reacted_at=now,
        changed_at=now,
        written_at=now,
    )


def learn(
    budget: Budget,
    seen: int,
    now: float,
    *,
    rate: float,
    limit: Limit | None,
    state: tuple[float, ...] = FRESH.state,
) -> Budget:
    """Set the rate and the limit without an overload.

    Args:
        budget: The budget as it stands.
        seen: The epoch in which it was learned. If another has begun, the rate it set
            is newer than what was learned, and stands.
        now: The time.
        rate: Calls per second from now on; 0: unknown.
        limit: The limit if it is known.
        state: How far learning is.

    Returns:
        The budget from now on; the same one if nothing changes.
    """
    if seen != budget.epoch or (rate, limit) == (budget.rate, budget.limit):
        return budget
    return evolve(
        budget, rate=rate, limit=limit, state=state, changed_at=now, written_at=now
    )
