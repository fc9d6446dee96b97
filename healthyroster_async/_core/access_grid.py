"""What a matrix of answers and refusals says about the two grants behind a 403.

A Healthcare Provider is granted or not, an endpoint is authorized or not, and a cell
answers if both are. So one answer anywhere in a row speaks for the provider, and one
refusal then speaks against the endpoint; and the other way round.
"""

from __future__ import annotations

import enum

from attrs import define, field

from healthyroster_async._core.errors import LikelyCause


class Grant(enum.Enum):
    """Whether a call of an endpoint about a Healthcare Provider is allowed."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


@define(eq=False)
class Line:
    """A row or a column of the matrix.

    Attributes:
        answered: Where it crosses lines with an answer.
        refused: ... with a refusal.
    """

    answered: set[str] = field(factory=set)
    refused: set[str] = field(factory=set)


_EMPTY = Line()


@define(eq=False)
class Grid:
    """Answers and refusals by provider and endpoint, the last one of each cell.

    Attributes:
        providers: The rows, by provider id as a text.
        endpoints: The columns.
        answering_providers: Rows with an answer.
        answering_endpoints: Columns with an answer.
    """

    providers: dict[str, Line] = field(factory=dict)
    endpoints: dict[str, Line] = field(factory=dict)
    answering_providers: set[str] = field(factory=set)
    answering_endpoints: set[str] = field(factory=set)

    def put(self, provider: str, endpoint: str, *, granted: bool) -> None:
        """Note what a cell said last."""
        row = self.providers.setdefault(provider, Line())
        column = self.endpoints.setdefault(endpoint, Line())
        if granted:
            row.refused.discard(endpoint)
            column.refused.discard(provider)
            row.answered.add(endpoint)
            column.answered.add(provider)
        else:
            row.answered.discard(endpoint)
            column.answered.discard(provider)
            row.refused.add(endpoint)
            column.refused.add(provider)
        self._note(provider, row, endpoint, column)

    def drop(self, provider: str, endpoint: str) -> None:
        """Forget a cell."""
        row, column = self.providers[provider], self.endpoints[endpoint]
        for line, crossing in ((row, endpoint), (column, provider)):
            line.answered.discard(crossing)
            line.refused.discard(crossing)
        self._note(provider, row, endpoint, column)
        if not (row.answered or row.refused):
            del self.providers[provider]
        if not (column.answered or column.refused):
            del self.endpoints[endpoint]

    def _note(self, provider: str, row: Line, endpoint: str, column: Line) -> None:
        for line, name, answering in (
            (row, provider, self.answering_providers),
            (column, endpoint, self.answering_endpoints),
        ):
            if line.answered:
                answering.add(name)
            else:
                answering.discard(name)

    def said(self, provider: str, endpoint: str) -> Grant:
        """Return what the cell itself said."""
        row = self.providers.get(provider, _EMPTY)
        if endpoint in row.answered:
            return Grant.GRANTED
        return Grant.DENIED if endpoint in row.refused else Grant.UNKNOWN

    def provider_refusals(self, provider: str) -> set[str]:
        """Return the endpoints that show that the provider is not granted.

        They refused it, though they answer for others. There are none if anything
        answered for it.
        """
        row = self.providers.get(provider, _EMPTY)
        return set() if row.answered else row.refused & self.answering_endpoints

    def endpoint_refusals(self, endpoint: str) -> set[str]:
        """Return the providers that show that the endpoint is not authorized."""
        column = self.endpoints.get(endpoint, _EMPTY)
        return set() if column.answered else column.refused & self.answering_providers

    def grant(self, provider: str, endpoint: str) -> Grant:
        """Return what is known of a cell: what it said, or what its lines imply."""
        said = self.said(provider, endpoint)
        if said is not Grant.UNKNOWN:
            return said
        if self.provider_refusals(provider) or self.endpoint_refusals(endpoint):
            return Grant.DENIED
        if (
            provider in self.answering_providers
            and endpoint in self.answering_endpoints
        ):
            return Grant.GRANTED
        return Grant.UNKNOWN

    def cause(self, provider: str, endpoint: str) -> LikelyCause:
        """Return which grant is most likely missing where a cell is denied.

        Where both are, it is the provider's. Where both lines have answers, neither
        grant explains the refusal, and the cause is ``UNKNOWN``.
        """
        row_answers = provider in self.answering_providers
        column_answers = endpoint in self.answering_endpoints
        if row_answers and column_answers:
            return LikelyCause.UNKNOWN
        if not row_answers and (column_answers or self.provider_refusals(provider)):
            return LikelyCause.PROVIDER_NOT_GRANTED
        if row_answers or self.endpoint_refusals(endpoint):
            return LikelyCause.ENDPOINT_NOT_AUTHORIZED
        return LikelyCause.UNKNOWN

    def evidence(self, provider: str, endpoint: str) -> str:
        """Return in words what the two lines of a denied cell say."""
        row = self.providers.get(provider, _EMPTY)
        column = self.endpoints.get(endpoint, _EMPTY)
        if row.answered:
            other = _count(row.answered, "other endpoint")
            first = f"{other} of this provider answered"
        elif row.refused - {endpoint}:
            asked = f"{len(row.refused):,} asked"
            elsewhere = len(row.refused & self.answering_endpoints - {endpoint})
            if elsewhere:
                asked += f", {elsewhere:,} of them answered for others"
            first = f"no endpoint of this provider answered ({asked})"
        else:
            first = "no other endpoint of this provider was asked"
        second = "this endpoint answered for "
        if column.answered:
            second += _count(column.answered, "other provider")
        elif column.refused - {provider}:
            asked = f"{len(column.refused):,} asked"
            elsewhere = len(column.refused & self.answering_providers - {provider})
            if elsewhere:
                asked += f", {elsewhere:,} of them answered elsewhere"
            second += f"no provider ({asked})"
        else:
            second += "no provider"
        return f"{first}; {second}"


def _count(items: set[str], name: str) -> str:
    return f"{len(items):,} {name}{'' if len(items) == 1 else 's'}"
