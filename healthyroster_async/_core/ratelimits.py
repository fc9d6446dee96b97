"""What the header fields of an answer announce about limits, in every dialect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    # The errors read announcements, and settings raise errors.
    from healthyroster_async._core.settings import Limit

MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
# Limit, remaining, reset, reset-after.
FAMILIES = tuple(
    tuple(f"{prefix}-{part}" for part in ("limit", "remaining", "reset", "reset-after"))
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit")
)
FIELDS: frozenset[str] = frozenset(
    {"retry-after", *MILLISECONDS, "ratelimit", "ratelimit-policy"}
).union(*FAMILIES)
"""Lower-case names of all fields that announce something."""

LONGEST = 366 * 86_400.0
"""Seconds; whatever a server says, no wait, window or reset is longer."""

UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@frozen(kw_only=True, slots=False)  # built in half the time
class Quota:
    """One limit that an answer announces; ``None`` is what it does not say.

    Attributes:
        limit: Calls per window, above 0.
        window: Length of the window in seconds, above 0.
        remaining: Calls left now, at most ``limit``.
        reset: Seconds until the window, or all of the quota, is new.
    """

    limit: float | None = None
    window: float | None = None
    remaining: float | None = None
    reset: float | None = None


@frozen(kw_only=True, slots=False)
class Announced:
    """What one answer says about limits.

    Attributes:
        wait: Seconds it asks not to call, or ``None`` if it does not ask.
        quotas: The limits it announces, each once.
        rule: The limit that the body of a rejection states, if it states one.
    """

    wait: float | None = None
    quotas: tuple[Quota, ...] = ()
    rule: Limit | None = None

    @property
    def new_in(self) -> float | None:
        """Seconds until every used-up quota is new, or ``None`` if that is not said.

        It is meant for a rejection: a quota that does not say what remains counts as
        used up.
        """
        resets = [
            quota.reset
            for quota in self.quotas
            if quota.reset is not None and (quota.remaining or 0.0) < 1.0
        ]
        return max(resets, default=None)

    @property
    def used_up(self) -> bool:
        """Whether one of them says that no call is left."""
        if not self.quotas:  # every answer is asked
            return False
        left = (quota.remaining for quota in self.quotas)
        return any(calls is not None and calls < 1.0 for calls in left)


SILENT = Announced()
"""What nearly every answer says: nothing."""


def announced(headers: Mapping[str, str], *, now: datetime | None = None) -> Announced:
    """Return what the header fields of an answer say about limits.

    Understood are ``Retry-After`` and its forms in milliseconds, ``RateLimit`` and
    ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-10 and the elder drafts),
    ``X-RateLimit-*`` and ``X-Rate-Limit-*``. A reset is told to be seconds from now, an
    epoch or a date by its form and magnitude; a time is read on the clock of the
    answer's ``Date``. What makes no sense says nothing.

    Args:
        headers: Header fields of the answer; names are lower case.
        now: The client's time, for an answer without ``Date``; the clock by default.

    Returns:
        Numbers that are finite and at least 0; seconds are at most ``LONGEST``.
    """
    if FIELDS.isdisjoint(headers):
        return SILENT
    # Few servers announce anything.
    from healthyroster_async._core import ratelimit_fields  # noqa: PLC0415

    return ratelimit_fields.read(headers, now=now)
