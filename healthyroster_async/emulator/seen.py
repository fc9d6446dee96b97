"""What the server really saw, for tests that must not take a client's word."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from typing import Any, TypeAlias

from attrs import define, field, fields

_GRACE_S = 0.02
_SECONDS_KEPT = 3600
_STATE = frozenset({"in_flight", "_pauses"})

# An application as a whole, or what it asks about one provider.
Caller: TypeAlias = tuple[str, int | str | None]


@define
class _Pauses:
    """What one caller was asked to wait for.

    Attributes:
        until: When the last pause ends that the caller must know of.
        fresh: Pauses it may not know of yet: when it must, and when they end.
    """

    until: float = -math.inf
    fresh: deque[tuple[float, float]] = field(factory=deque)

    def run(self, now: float) -> bool:
        while self.fresh and self.fresh[0][0] < now:
            self.until = max(self.until, self.fresh.popleft()[1])
        return now < self.until


@define
class Seen:
    """Counters of the server. No body and no header is kept.

    Attributes:
        requests: API requests; the swagger pages are none.
        by_endpoint: API requests by endpoint: ``data_sources``, ``data_source``,
            ``rows``, the other operations as ``Emulator.endpoints`` names them, and
            ``other`` for paths that do not exist.
        by_status: Answers by the status that was sent.
        by_provider: API requests by provider id, as far as it was read.
        accepted_at: Requests that the rate limit let in (or that met none), by the
            whole seconds since the server started; the newest hour of them.
        rejected: Requests turned away by the rate limit.
        rows_sent: Rows by (provider id, data source id), of whole answers only.
        in_flight: Requests being answered now.
        peak_in_flight: Most requests that were being answered at once.
        connections: TCP connections accepted.
        during_pause: Requests that arrived while a pause ran that an answer had asked
            their application for. The first 20 ms after the answer left do not count:
            it may still be on its way.
        faults: Faults by kind.
        crossed: Requests with the credentials of another environment.
        secrets_elsewhere: Requests at the redirect target that carried credentials.
    """

    requests: int = 0
    by_endpoint: Counter[str] = field(factory=Counter)
    by_status: Counter[int] = field(factory=Counter)
    by_provider: Counter[int | str] = field(factory=Counter)
    accepted_at: Counter[int] = field(factory=Counter)
    rejected: int = 0
    rows_sent: Counter[tuple[int | str, int | str]] = field(factory=Counter)
    in_flight: int = 0
    peak_in_flight: int = 0
    connections: int = 0
    during_pause: int = 0
    faults: Counter[str] = field(factory=Counter)
    crossed: int = 0
    secrets_elsewhere: int = 0
    _pauses: dict[Caller, _Pauses] = field(
        init=False, factory=lambda: defaultdict(_Pauses), repr=False
    )

    def clear(self) -> None:
        """Begin to count anew; what is in flight stays in flight."""
        for attribute in fields(Seen):
            value = getattr(self, attribute.name)
            if attribute.name in _STATE:
                continue
            if isinstance(value, Counter):
                value.clear()
            else:
                setattr(self, attribute.name, 0)
        self.peak_in_flight = self.in_flight

    def as_dict(self) -> dict[str, Any]:
        """Return the counters as JSON can hold them; ``rows_sent`` as a list."""
        counters: dict[str, Any] = {}
        for attribute in fields(Seen):
            value = getattr(self, attribute.name)
            if attribute.name == "rows_sent":
                counters["rows_sent"] = [
                    {"provider": provider, "source": source, "rows": rows}
                    for (provider, source), rows in value.items()
                ]
            elif isinstance(value, Counter):
                counters[attribute.name] = {str(k): n for k, n in value.items()}
            elif attribute.name != "_pauses":
                counters[attribute.name] = value
        return counters

    def enter(self) -> None:
        """Count a request in."""
        self.requests += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def leave(self) -> None:
        """Count a request out."""
        self.in_flight -= 1

    def admit(self, seconds: float) -> None:
        """Count a request that was let in so many seconds after the start."""
        self.accepted_at[int(seconds)] += 1
        if len(self.accepted_at) > _SECONDS_KEPT:
            del self.accepted_at[min(self.accepted_at)]

    def arrived(self, application_id: str, provider: int | str, now: float) -> None:
        """Note that an application called, maybe while it should not."""
        callers = ((application_id, None), (application_id, provider))
        # All of them are asked, so that none keeps what it need not.
        running = [self._pauses[c].run(now) for c in callers if c in self._pauses]
        if any(running):
            self.during_pause += 1

    def paused(self, caller: Caller, left: float, until: float) -> None:
        """Note that a caller was asked to pause.

        Args:
            caller: Who.
            left: When the answer that asked for it had left.
            until: When the pause ends.
        """
        if until > left:
            self._pauses[caller].fresh.append((left + _GRACE_S, until))
