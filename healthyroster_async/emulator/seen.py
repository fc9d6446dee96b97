"""What the server really saw, for tests that must not take a client's word."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import define, field, fields

_GRACE_S = 0.02


@define
class Seen:
    """Counters of the server. No body and no header is kept.

    Attributes:
        requests: API requests; the swagger pages are none.
        by_endpoint: API requests by endpoint: ``data_sources``, ``data_source``,
            ``rows``, and ``other`` for paths that do not exist.
        by_status: Answers by the status that was sent.
        by_provider: API requests by provider id, as far as it was read.
        rejected: Requests turned away by the rate limit.
        rows_sent: Rows by (provider id, data source id), of whole answers only.
        in_flight: Requests being answered now.
        peak_in_flight: Most requests that were being answered at once.
        connections: TCP connections accepted.
        during_pause: Requests that arrived while a pause ran that an answer had asked
            their application for. The first 20 ms do not count: the answer may still
            be on its way.
        faults: Faults by kind.
        crossed: Requests with the credentials of another environment.
        secrets_elsewhere: Requests at the redirect target that carried credentials.
    """

    requests: int = 0
    by_endpoint: Counter[str] = field(factory=Counter)
    by_status: Counter[int] = field(factory=Counter)
    by_provider: Counter[int | str] = field(factory=Counter)
    rejected: int = 0
    rows_sent: Counter[tuple[int | str, int | str]] = field(factory=Counter)
    in_flight: int = 0
    peak_in_flight: int = 0
    connections: int = 0
    during_pause: int = 0
    faults: Counter[str] = field(factory=Counter)
    crossed: int = 0
    secrets_elsewhere: int = 0
    _pauses: dict[str, tuple[float, float]] = field(
        init=False, factory=dict, repr=False
    )

    def clear(self) -> None:
        """Begin to count anew; what is in flight stays in flight."""
        for attribute in fields(Seen):
            value = getattr(self, attribute.name)
            if attribute.name in {"in_flight", "_pauses"}:
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

    def arrived(self, application_id: str, now: float) -> None:
        """Note that an application called, maybe while it should not."""
        since, until = self._pauses.get(application_id, (now, now))
        if since + _GRACE_S < now < until:
            self.during_pause += 1

    def paused(self, application_id: str, now: float, seconds: float) -> None:
        """Note that an application was asked to pause."""
        since, until = self._pauses.get(application_id, (now, now))
        if now >= until:
            since = now
        if seconds > 0:
            self._pauses[application_id] = (since, max(until, now + seconds))
