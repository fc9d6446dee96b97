"""Which cells to ask, to know a whole matrix of grants from few calls.

One cell that answers names a good row and a good column. Asking that column of every
provider, and that row of every endpoint, decides all lines with as many calls as there
are lines. A line that is refused is asked once more, where another good line crosses
it, for the first cell may have been an exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import ceil, lcm

from attrs import define, field

from healthyroster_async._core.access_grid import Grant, Grid, Line

# Refusals by good lines that decide a line, and cells that gave no answer either way
# after which no more are asked.
_CERTAIN, _MOST_UNCLEAR = 2, 2
# While nothing has answered: cells at first, at most in a round, and in all that may
# fail in another way than with 403 until no more are asked.
_FIRST, _MOST, _MOST_FAILED = 4, 64, 16
# ... and the share of the matrix that is asked before giving up.
_SHARE = 0.05


@define(eq=False, kw_only=True)
class AccessPlan:
    """The rounds of an access check, without sending anything.

    Ask for ``next_round``, tell what came of each of its cells, and ask again until a
    round is empty.

    Attributes:
        providers: The rows, each once.
        endpoints: The columns, best ones to begin with first.
        unaskable: Columns that cannot be asked.
        needs: Columns that cannot be asked before another one answered, by name.
        full: Whether every cell is asked in the end, so that exceptions are found.
        grid: What the cells said.
        asked: What was asked in this check, and what came of it.
    """

    providers: Sequence[str]
    endpoints: Sequence[str]
    unaskable: AbstractSet[str] = frozenset()
    needs: Mapping[str, str] = field(factory=dict)
    full: bool = False
    grid: Grid = field(init=False, factory=Grid)
    asked: dict[tuple[str, str], Grant] = field(init=False, factory=dict)
    _searched: int = field(init=False, default=0)
    _size: int = field(init=False, default=_FIRST)

    def know(self, cells: Iterable[tuple[str, str, bool]]) -> None:
        """Begin with cells that are known; they are not asked again.

        Those of other providers tell something about the columns.
        """
        columns = set(self.endpoints)
        for provider, endpoint, granted in cells:
            if endpoint in columns:
                self.grid.put(provider, endpoint, granted=granted)

    def tell(self, provider: str, endpoint: str, grant: Grant) -> None:
        """Note what came of a cell; ``UNKNOWN`` if that says nothing of access."""
        self.asked[provider, endpoint] = grant
        if grant is not Grant.UNKNOWN:
            self.grid.put(provider, endpoint, granted=grant is Grant.GRANTED)

    def next_round(self) -> list[tuple[str, str]]:
        """Return the cells to ask next, all at once; none if all is known."""
        columns = self._open()
        if not columns or not self.providers:
            return []
        searching = self.grid.answering_endpoints.isdisjoint(columns)
        cells = self._search(columns) if searching else list(self._lines(columns))
        return cells or self._rest(columns)

    def _open(self) -> list[str]:
        answering = self.grid.answering_endpoints
        return [
            e
            for e in self.endpoints
            if e not in self.unaskable
            and (e not in self.needs or self.needs[e] in answering)
        ]

    def _is_new(self, cell: tuple[str, str]) -> bool:
        return cell not in self.asked and self.grid.said(*cell) is Grant.UNKNOWN

    def _search(self, columns: Sequence[str]) -> list[tuple[str, str]]:
        """Return cells down a diagonal, so that no line is asked twice in vain."""
        rows = self.providers
        cycle, count = lcm(len(rows), len(columns)), len(rows) * len(columns)
        most = min(count, max(len(rows) + len(columns), ceil(_SHARE * count)))
        failed = sum(grant is Grant.UNKNOWN for grant in self.asked.values())
        cells: list[tuple[str, str]] = []
        while (
            failed < _MOST_FAILED and self._searched < most and len(cells) < self._size
        ):
            step = self._searched
            self._searched += 1
            column = columns[(step + step // cycle) % len(columns)]
            cell = rows[step % len(rows)], column
            if self._is_new(cell):
                cells.append(cell)
        self._size = min(2 * self._size, _MOST)
        return cells

    def _lines(self, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield a cell of each line that is not decided yet, where a good one crosses.

        Good lines are those with an answer, and the more answers the better.
        """
        grid = self.grid
        failed = [cell for cell, grant in self.asked.items() if grant is Grant.UNKNOWN]
        failed_rows = Counter(provider for provider, _ in failed)
        failed_columns = Counter(endpoint for _, endpoint in failed)
        good_columns = _best(columns, grid.endpoints)
        good_rows = _best(self.providers, grid.providers)
        for provider in self.providers:
            if provider in grid.answering_providers:
                continue
            refusals = len(grid.provider_refusals(provider))
            if refusals < _CERTAIN and failed_rows[provider] < _MOST_UNCLEAR:
                crossings = ((provider, endpoint) for endpoint in good_columns)
                cell = next(filter(self._is_new, crossings), None)
                if cell is not None:
                    yield cell
        for endpoint in columns:
            if endpoint in grid.answering_endpoints:
                continue
            refusals = len(grid.endpoint_refusals(endpoint))
            if refusals < _CERTAIN and failed_columns[endpoint] < _MOST_UNCLEAR:
                crossings = ((provider, endpoint) for provider in good_rows)
                cell = next(filter(self._is_new, crossings), None)
                if cell is not None:
                    yield cell

    def _rest(self, columns: Sequence[str]) -> list[tuple[str, str]]:
        """Return all that was not asked, if all is to be, and if anything answers."""
        if not self.full or not self.grid.providers:
            return []
        cells = ((p, e) for p in self.providers for e in columns)
        return [cell for cell in cells if self._is_new(cell)]


def _best(names: Sequence[str], lines: Mapping[str, Line]) -> list[str]:
    answers = {name: len(lines[name].answered) for name in names if name in lines}
    good = [name for name, count in answers.items() if count]
    return sorted(good, key=answers.__getitem__, reverse=True)
