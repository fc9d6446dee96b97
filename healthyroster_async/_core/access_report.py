"""What an access check found: a matrix of grants, and which of them are missing."""

from __future__ import annotations

import csv
import enum
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core import access_html, access_letter, access_text
from healthyroster_async._core.access_grid import Grant, Grid
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import LikelyCause
from healthyroster_async._core.settings import Environment

_COLUMNS = (
    "provider_id", "endpoint", "method", "template", "grant", "basis", "likely_cause",
    "reason",
)  # fmt: skip


class Basis(enum.Enum):
    """How the grant of a cell came to be known."""

    ASKED = "asked"
    """This check called it."""
    KNOWN = "known"
    """A call before this check showed it, not long ago."""
    INFERRED = "inferred"
    """Other cells of its row or column imply it."""
    NONE = "none"
    """It is not known, and was not asked."""


@frozen(kw_only=True)
class AccessFinding:
    """What a check found out about one endpoint and one Healthcare Provider.

    Attributes:
        provider_id: The Healthcare Provider.
        endpoint: The endpoint.
        grant: Whether it may be called.
        basis: How that came to be known.
        likely_cause: Which grant is missing, if it is denied; else ``None``. Where
            both are, it is the provider's.
        reason: Why, in words: the evidence of a denial, or what kept the check from
            finding out; empty if it is granted.
    """

    provider_id: int | str
    endpoint: Endpoint
    grant: Grant
    basis: Basis
    likely_cause: LikelyCause | None = None
    reason: str = ""


@frozen(kw_only=True, eq=False)
class AccessReport:
    """A matrix, Healthcare Providers x endpoints, of what the application may call.

    ``print(report)`` shows a table, a notebook one of its own. Iterating yields an
    ``AccessFinding`` for each cell.

    Attributes:
        environment: Whose grants they are.
        application_id: The application, as the letter to support names it.
        providers: The rows.
        endpoints: The columns.
    """

    environment: Environment
    application_id: str = field(repr=False)
    providers: tuple[int | str, ...]
    endpoints: tuple[Endpoint, ...]
    _grid: Grid = field(alias="grid")
    _asked: Mapping[tuple[str, str], Grant] = field(alias="asked")
    _unclear: Mapping[tuple[str, str], str] = field(alias="unclear")
    _not_asked: Mapping[str, str] = field(alias="not_asked")

    def grant(self, provider_id: int | str, endpoint: str | Endpoint) -> Grant:
        """Return whether an endpoint, or that of a name, may be called."""
        return self._grid.grant(str(provider_id), self._endpoint(endpoint).label)

    def cell(self, provider_id: int | str, endpoint: str | Endpoint) -> AccessFinding:
        """Return what was found out about one cell.

        Raises:
            KeyError: The check was not about it.
        """
        if str(provider_id) not in set(map(str, self.providers)):
            raise KeyError(provider_id)
        return self._finding(provider_id, self._endpoint(endpoint))

    def __iter__(self) -> Iterator[AccessFinding]:
        for provider_id in self.providers:
            for endpoint in self.endpoints:
                yield self._finding(provider_id, endpoint)

    def __len__(self) -> int:
        return len(self.providers) * len(self.endpoints)

    @property
    def missing_providers(self) -> tuple[int | str, ...]:
        """Healthcare Providers that the application is not granted at all."""
        missing = self._grid.provider_refusals
        return tuple(p for p in self.providers if missing(str(p)))

    @property
    def missing_endpoints(self) -> tuple[Endpoint, ...]:
        """Endpoints that the application is authorized for with no provider."""
        missing = self._grid.endpoint_refusals
        return tuple(e for e in self.endpoints if missing(e.label))

    @property
    def exceptions(self) -> tuple[AccessFinding, ...]:
        """Denied cells that no missing grant of a whole row or column explains."""
        columns = {e.label for e in self.missing_endpoints}
        rows = set(self.missing_providers)
        return tuple(
            self._finding(provider_id, endpoint)
            for provider_id in self.providers
            if provider_id not in rows and str(provider_id) in self._grid.providers
            for endpoint in self.endpoints
            if endpoint.label not in columns
            and endpoint.label in self._grid.providers[str(provider_id)].refused
        )

    @property
    def failed(self) -> tuple[AccessFinding, ...]:
        """Cells that stay unknown because a call told nothing about them."""
        return tuple(
            finding
            for finding in self
            if finding.grant is Grant.UNKNOWN
            and finding.basis is Basis.ASKED
            # There was nothing to ask for.
            and finding.reason != self._not_asked.get(finding.endpoint.label)
        )

    @property
    def answered(self) -> bool:
        """Whether any call was answered; if none was, no cause can be told."""
        return bool(self._grid.answering_endpoints)

    @property
    def unclear(self) -> dict[tuple[Endpoint, str], list[int | str]]:
        """What could not be found out: providers by endpoint and reason."""
        found: dict[tuple[Endpoint, str], list[int | str]] = {}
        for one in self:
            if one.grant is Grant.UNKNOWN:
                found.setdefault((one.endpoint, one.reason), []).append(one.provider_id)
        return found

    def grants(self) -> Counter[Grant]:
        """Return how many cells are granted, denied, and unknown."""
        return Counter(
            self._grid.grant(str(p), e.label)
            for p in self.providers
            for e in self.endpoints
        )

    def bases(self) -> Counter[Basis]:
        """Return how many cells were asked, known before, inferred, and are not."""
        return Counter(
            self._basis(str(p), e.label) for p in self.providers for e in self.endpoints
        )

    def to_text(self, width: int = 80) -> str:
        """Return a table for a person, in lines of *width* characters at most."""
        return access_text.table(self, width)

    def to_json(self) -> str:
        """Return everything as a JSON document."""
        return orjson.dumps(self.to_dict(), option=orjson.OPT_INDENT_2).decode()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON is made of."""
        grants, bases = self.grants(), self.bases()
        return {
            "environment": self.environment.value,
            "providers": list(self.providers),
            "endpoints": [endpoint.name for endpoint in self.endpoints],
            "grants": {g.value: grants[g] for g in Grant},
            "bases": {b.value: bases[b] for b in Basis},
            "missing_providers": list(self.missing_providers),
            "missing_endpoints": [
                {"name": e.name, "method": e.method, "template": e.template}
                for e in self.missing_endpoints
            ],
            "exceptions": [
                {"provider_id": one.provider_id, "endpoint": one.endpoint.name}
                for one in self.exceptions
            ],
            "cells": [dict(zip(_COLUMNS, _values(one), strict=True)) for one in self],
        }

    def to_csv(self) -> str:
        """Return a line for each cell, behind a line of column names (RFC 4180)."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        writer.writerows(map(_values, self))
        return text.getvalue()

    def request_text(self) -> str:
        """Return a letter to the vendor's support that asks for the missing grants.

        It can be sent as it is. It is empty if nothing was denied.
        """
        return access_letter.letter(self)

    def _repr_html_(self) -> str:
        return access_html.table(self)

    @override
    def __str__(self) -> str:
        return self.to_text()

    @override
    def __repr__(self) -> str:
        counts = self.grants()
        counted = ", ".join(f"{counts[g]} {g.value}" for g in Grant)
        return (
            f"<AccessReport {self.environment.value}: {len(self.providers)} providers "
            f"x {len(self.endpoints)} endpoints, {counted}>"
        )

    def _endpoint(self, wanted: str | Endpoint) -> Endpoint:
        label = wanted.label if isinstance(wanted, Endpoint) else wanted
        for endpoint in self.endpoints:
            if label in {endpoint.name, endpoint.label}:
                return endpoint
        raise KeyError(label)

    def _basis(self, provider: str, label: str) -> Basis:
        if (provider, label) in self._asked:
            return Basis.ASKED
        if self._grid.said(provider, label) is not Grant.UNKNOWN:
            return Basis.KNOWN
        known = self._grid.grant(provider, label) is not Grant.UNKNOWN
        return Basis.INFERRED if known else Basis.NONE

    def _finding(self, provider_id: int | str, endpoint: Endpoint) -> AccessFinding:
        provider, label = str(provider_id), endpoint.label
        grant = self._grid.grant(provider, label)
        cause, reason = None, ""
        if grant is Grant.DENIED:
            cause = self._grid.cause(provider, label)
            reason = self._grid.evidence(provider, label)
        elif grant is Grant.UNKNOWN:
            reason = self._unclear.get((provider, label)) or self._not_asked.get(
                label, "not asked"
            )
        return AccessFinding(
            provider_id=provider_id,
            endpoint=endpoint,
            grant=grant,
            basis=self._basis(provider, label),
            likely_cause=cause,
            reason=reason,
        )


def _values(one: AccessFinding) -> tuple[Any, ...]:
    return (
        one.provider_id,
        one.endpoint.name,
        one.endpoint.method,
        one.endpoint.template,
        one.grant.value,
        one.basis.value,
        one.likely_cause.value if one.likely_cause else None,
        one.reason or None,
    )
