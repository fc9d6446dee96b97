"""The header fields that announce limits, read in every dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from attrs import frozen

from healthyroster_async._core.headers import http_date, retry_after, sent_at
from healthyroster_async._core.ratelimits import (
    FAMILIES,
    LONGEST,
    MILLISECONDS,
    SILENT,
    UNITS,
    Announced,
    Quota,
)

_MOST = 1e9  # calls; a larger number says that there is no limit
_MOST_CHARACTERS = 1_000  # of one field that has structure
_MOST_MEMBERS = 16  # of one such field

_NUMBER = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?")
_PERIOD = re.compile(r"([0-9]{1,9})([smhd])")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
# What a comma and a semicolon separate; inside quotes they do not (RFC 9651). A quote
# that nothing closes takes all the rest, so that the time stays linear.
_MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^",])+')
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^";])+')
# No wait lasts 30 years, and no epoch in seconds has 12 digits: a larger number counts
# milliseconds or less.
_FIRST_EPOCH, _FIRST_SMALLER_UNIT = 1e9, 1e11


def read(headers: Mapping[str, str], *, now: datetime | None) -> Announced:
    """Return what the header fields say; see ``ratelimits.announced``."""
    clock = _Clock(headers, now)
    # Some servers say the same in two families.
    quotas = tuple(dict.fromkeys(_quotas(headers, clock)))
    wait = _wait(headers, now)
    if wait is None and not quotas:
        return SILENT
    return Announced(wait=wait, quotas=quotas)


@frozen(slots=False)
class _Clock:
    """Reads times on the server's clock, which is looked at only if need be."""

    headers: Mapping[str, str]
    now: datetime | None

    def seconds_until(self, text: str | None) -> float | None:
        """Return how far off a reset is, in whichever form it is given."""
        if text is None:
            return None
        text = text.strip(" \t")
        value = _number(text)
        if value is None:
            at = http_date(text) or _iso_date(text)
            if at is None:
                return None
            value = (at - self._sent()).total_seconds()
        elif value >= _FIRST_EPOCH:
            while value >= _FIRST_SMALLER_UNIT:
                value /= 1_000
            value -= self._sent().timestamp()
        return min(max(0.0, value), LONGEST)

    def _sent(self) -> datetime:
        return sent_at(self.headers, now=self.now)


@frozen(kw_only=True, slots=False)
class _Policy:
    """One member of ``RateLimit-Policy``: how much of what in how much time."""

    name: str | None
    key: str | None
    limit: float | None
    window: float | None
    counts_calls: bool


@frozen(kw_only=True, slots=False)
class _State:
    """What is left of a policy, which is known by its name or else by its limit."""

    name: str | None = None
    key: str | None = None
    limit: float | None = None
    window: float | None = None
    remaining: float | None
    reset: float | None

    def policy(self, policies: list[_Policy]) -> _Policy | None:
        """Return the policy that this is the state of."""
        if self.name is not None:
            same = [policy for policy in policies if policy.name == self.name]
            exact = [policy for policy in same if policy.key == self.key]
            return next(iter(exact or same), None)
        if self.limit is not None:
            same = [policy for policy in policies if policy.limit == self.limit]
            return next(iter(same), None)
        return policies[0] if len(policies) == 1 else None


def _wait(headers: Mapping[str, str], now: datetime | None) -> float | None:
    waits = [retry_after(headers, now=now)]
    for name in MILLISECONDS:
        value = _number(headers.get(name))
        waits.append(None if value is None else value / 1_000)
    # Never sooner than any of them allows.
    longest = max((wait for wait in waits if wait is not None), default=None)
    return None if longest is None else min(longest, LONGEST)


def _quotas(headers: Mapping[str, str], clock: _Clock) -> Iterator[Quota]:
    states = list(_states(headers.get("ratelimit", ""), clock))
    policies = list(_policies(headers.get("ratelimit-policy", "")))
    for family in FAMILIES:
        limit, remaining, reset, reset_after = map(headers.get, family)
        if limit:
            own = _policies(limit)
            policies += (policy for policy in own if policy.window is not None)
        if limit or remaining or reset or reset_after:
            states += _counted(limit or "", remaining, reset_after or reset, clock)
        yield from _joined(states, policies)
        states, policies = [], []


def _joined(states: list[_State], policies: list[_Policy]) -> Iterator[Quota]:
    stated = []
    for state in states:
        policy = state.policy(policies)
        if policy is None:
            quota = _quota(state.limit, state.window, state.remaining, state.reset)
        else:
            stated.append(policy)
            if not policy.counts_calls:
                continue
            limit = state.limit if policy.limit is None else policy.limit
            quota = _quota(limit, policy.window, state.remaining, state.reset)
        if quota is not None:
            yield quota
    for policy in policies:
        if policy.counts_calls and policy not in stated:
            quota = _quota(policy.limit, policy.window, None, None)
            if quota is not None:
                yield quota


def _quota(
    limit: float | None,
    window: float | None,
    remaining: float | None,
    reset: float | None,
) -> Quota | None:
    # "0 of 0" is how some servers say that there is no limit.
    if limit == 0 or limit is remaining is reset is None:
        return None
    most = _MOST if limit is None else min(limit, _MOST)
    return Quota(
        limit=None if limit is None else most,
        window=min(window, LONGEST) if window else None,
        remaining=None if remaining is None else min(remaining, most),
        reset=reset,
    )


def _policies(text: str) -> Iterator[_Policy]:
    for name, parameters in _members(text):
        # Elder drafts have the limit where the name is now.
        unnamed = _number(name)
        limit = _number(parameters.get("q", name))
        unit = parameters.get("qu", "requests").strip('"')
        yield _Policy(
            name=None if unnamed is not None else name.strip('"'),
            key=parameters.get("pk"),
            limit=limit,
            window=_number(parameters.get("w", parameters.get("window"))),
            counts_calls=unit in {"request", "requests"},
        )


def _states(text: str, clock: _Clock) -> Iterator[_State]:
    counters: dict[str, str] = {}
    for name, parameters in _members(text):
        if not name.startswith('"') and "=" in name:
            # draft-07: RateLimit: limit=100, remaining=50, reset=5
            counter, _, value = name.partition("=")
            counters[counter.strip()] = value
        else:
            yield _State(
                name=name.strip('"'),
                key=parameters.get("pk"),
                remaining=_number(parameters.get("r")),
                reset=clock.seconds_until(parameters.get("t")),
            )
    if counters:
        yield from _counted(
            counters.get("limit", ""),
            counters.get("remaining"),
            counters.get("reset"),
            clock,
        )


def _counted(
    limit: str, remaining: str | None, reset: str | None, clock: _Clock
) -> Iterator[_State]:
    first = limit.partition(",")[0].partition(";")[0].strip(" \t")
    # AspNetCoreRateLimit says the period where everybody else says the limit.
    period = _PERIOD.fullmatch(first)
    state = _State(
        limit=_number(first),
        window=float(period[1]) * UNITS[period[2]] if period else None,
        remaining=_number(remaining),
        reset=clock.seconds_until(reset),
    )
    if not state.limit is state.remaining is state.reset is None:
        yield state


def _members(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Cut a list of structured fields into members, each a head and parameters."""
    if len(text) > _MOST_CHARACTERS:  # a part of it could say something else
        return
    for member in _MEMBER.findall(text)[:_MOST_MEMBERS]:
        head, *rest = _PART.findall(member) or [""]
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip(" \t").lower()] = value.strip(" \t")
        yield head.strip(" \t"), parameters


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    text = text.strip(" \t")
    return float(text) if _NUMBER.fullmatch(text) else None


def _iso_date(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
