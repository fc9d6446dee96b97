"""What calls have taught about access: provider x endpoint, when, how often."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice

from attrs import define, frozen
from typing_extensions import override

from healthyroster_async._core.access_grid import Grant, Grid
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import LikelyCause
from healthyroster_async._core.html import table

FRESH_FOR = 900.0
"""Seconds that what a cell said is gone by. A new grant is noticed after that."""
# Whoever lets strangers name providers must not fill the memory: some 40 MB.
_MOST_CELLS = 100_000
# One refusal may be of this one cell only; a second one makes it the whole line's.
_CERTAIN = 2


@define(eq=False)
class _Cell:
    """What one endpoint said about one provider.

    Attributes:
        seen: When it last did, by the clock that ages are counted with.
        at: The same, in seconds since 1970.
    """

    provider_id: int | str
    granted: bool | None = None
    seen: float = 0.0
    at: float = 0.0
    answered: int = 0
    refused: int = 0


@frozen(kw_only=True)
class AccessCell:
    """What calls of one endpoint about one Healthcare Provider have shown.

    Attributes:
        provider_id: The Healthcare Provider.
        endpoint: The endpoint's name, or method and template where it has none.
        grant: What the last call showed; ``UNKNOWN`` if there was none, or if it was
            denied so long ago that it may have been granted since.
        at: When that was, or ``None``.
        answered: Calls that were answered.
        refused: Calls that were denied (403).
    """

    provider_id: int | str
    endpoint: str
    grant: Grant
    at: datetime | None = None
    answered: int = 0
    refused: int = 0


@frozen
class Denial:
    """A refusal that is remembered.

    Attributes:
        cause: Which grant is most likely missing.
        evidence: Why that one, in words.
        age: Seconds since it was seen.
    """

    cause: LikelyCause
    evidence: str
    age: float


class AccessMap:
    """What every call has taught about the access of one environment.

    An answer with 2xx says that a cell is granted, 403 that it is denied. All others
    teach nothing: a 404 may hide what is denied, and a 400 may come before anybody
    looks at the grants. Providers ``42`` and ``"42"`` are the same one.

    ::

        pool.access.cell(42, "rows").grant      # Grant.DENIED
        for cell in pool.access:
            print(cell.provider_id, cell.endpoint, cell.grant.value, cell.at)
    """

    def __init__(
        self,
        names: Callable[[], Mapping[str, str]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """Make an empty map.

        Args:
            names: Returns the label, method and template, of each endpoint by its name;
                of two names the later one is shown. It is called if somebody looks.
            clock: Returns seconds, which ages are counted with. It may be replaced.
            wall: Returns the seconds since 1970.
        """
        self.clock = clock
        self._names_of = names
        self._wall = wall
        self._cells: dict[tuple[str, str], _Cell] = {}
        self._grid = Grid()

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        return self._names_of()

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return {label: name for name, label in self._labels.items()}

    def answered(self, provider_id: int | str | None, label: str) -> None:
        """Learn from an answer; each call comes by here, so it is short."""
        cell = self._cells.get((str(provider_id), label))
        if cell is None or not cell.granted:
            if provider_id is None:
                return
            cell = self._turn(provider_id, label, granted=True)
        cell.seen, cell.at = self.clock(), self._wall()
        cell.answered += 1

    def refused(self, provider_id: int | str | None, label: str) -> Denial | None:
        """Learn from a refusal, and return what it means by all that is known."""
        if provider_id is None:
            return None
        cell = self._turn(provider_id, label, granted=False)
        cell.seen, cell.at = self.clock(), self._wall()
        cell.refused += 1
        return self._denial(str(provider_id), label, 0.0)

    def denial(self, provider_id: int | str, label: str) -> Denial | None:
        """Return why a call would be denied, or ``None`` if that is not known.

        It is if the last call of the cell was denied, not long ago; or if no endpoint
        of the provider answers, and of those that answer for others at least two
        refused it; or the same of the endpoint.
        """
        provider, now = str(provider_id), self.clock()
        cell = self._cells.get((provider, label))
        if cell is not None and self._is_fresh(cell, now):
            if cell.granted:
                return None
            return self._denial(provider, label, now - cell.seen)
        row = ((provider, e) for e in self._grid.provider_refusals(provider))
        column = ((p, label) for p in self._grid.endpoint_refusals(label))
        for line in (row, column):
            seen = [self._cells[key] for key in line]
            fresh = [now - cell.seen for cell in seen if self._is_fresh(cell, now)]
            if len(fresh) >= _CERTAIN:
                return self._denial(provider, label, min(fresh))
        return None

    def fresh(self) -> Iterator[tuple[str, str, bool]]:
        """Yield provider, label and whether it is granted, of cells that are fresh."""
        now = self.clock()
        for (provider, label), cell in tuple(self._cells.items()):
            if cell.granted is not None and self._is_fresh(cell, now):
                yield provider, label, cell.granted

    def said(self) -> Iterator[tuple[int | str, str, bool]]:
        """Yield provider, label and what the last call showed, however long ago."""
        for (_, label), cell in tuple(self._cells.items()):
            if cell.granted is not None:
                yield cell.provider_id, label, cell.granted

    def cell(self, provider_id: int | str, endpoint: str | Endpoint) -> AccessCell:
        """Return what is known of one endpoint and one provider.

        Args:
            provider_id: The Healthcare Provider.
            endpoint: The endpoint, its name, or its method and template.
        """
        if isinstance(endpoint, Endpoint):
            label = endpoint.label
        else:
            label = self._labels.get(endpoint, endpoint)
        cell = self._cells.get((str(provider_id), label))
        return self._shown(cell or _Cell(provider_id), label, self.clock())

    def __iter__(self) -> Iterator[AccessCell]:
        now = self.clock()
        for (_, label), cell in tuple(self._cells.items()):
            yield self._shown(cell, label, now)

    def __len__(self) -> int:
        return len(self._cells)

    @override
    def __repr__(self) -> str:
        cells = tuple(self._cells.values())
        granted = sum(cell.granted is True for cell in cells)
        return f"<AccessMap: {granted} granted, {len(cells) - granted} denied>"

    def _repr_html_(self) -> str:
        found: defaultdict[str, Counter[Grant]] = defaultdict(Counter)
        for cell in self:
            found[cell.endpoint][cell.grant] += 1
        return table(
            "Access to Healthcare Providers, as far as calls have shown",
            ("endpoint", *(grant.value for grant in Grant)),
            (
                (name, *(counts[grant] or None for grant in Grant))
                for name, counts in found.items()
            ),
        )

    def _turn(self, provider_id: int | str, label: str, *, granted: bool) -> _Cell:
        """Return a cell that now says something else."""
        key = (str(provider_id), label)
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= _MOST_CELLS:
                oldest = next(islice(self._cells, 1))
                del self._cells[oldest]
                self._grid.drop(*oldest)
            cell = self._cells[key] = _Cell(provider_id)
        if cell.granted is not granted:
            cell.granted = granted
            self._grid.put(*key, granted=granted)
        return cell

    def _denial(self, provider: str, label: str, age: float) -> Denial:
        cause = self._grid.cause(provider, label)
        return Denial(cause, self._grid.evidence(provider, label), age)

    @staticmethod
    def _is_fresh(cell: _Cell, now: float) -> bool:
        # What a loop saw whose clock was ahead of this one's is not fresh.
        return 0.0 <= now - cell.seen < FRESH_FOR

    def _shown(self, cell: _Cell, label: str, now: float) -> AccessCell:
        grant = Grant.UNKNOWN
        if cell.granted:
            grant = Grant.GRANTED
        elif cell.granted is False and self._is_fresh(cell, now):
            grant = Grant.DENIED
        return AccessCell(
            provider_id=cell.provider_id,
            endpoint=self._names.get(label, label),
            grant=grant,
            at=None if cell.granted is None else datetime.fromtimestamp(cell.at, UTC),
            answered=cell.answered,
            refused=cell.refused,
        )
