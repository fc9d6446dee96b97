"""What the API describes, as frozen values.

Every model keeps what it does not know in ``extra``, under the API's own names, and
stands whatever is missing: publicly little is known of the answers.

Models compare by value, ``extra`` included, and can stand in a set or be a key.

A frozen class without slots is built in half the time: lists of these are long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, SupportsIndex, TypeVar, overload

from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core.html import table

__all__ = [
    "DataSource",
    "DataSourceDetail",
    "DataSourceField",
    "DataSourceParameter",
    "DataSources",
    "Model",
]

_SOURCE = ("id", "name", "description")


class Model:
    """Base of the classes that are made from a swagger document.

    Its ``repr`` names what is set and shows no value, for that may be health data. Who
    wants to see the values prints ``attrs.asdict(model)``.
    """

    @override
    def __repr__(self) -> str:
        names = [n for n, value in vars(self).items() if value not in (None, {})]
        return f"<{type(self).__name__}: {', '.join(names) or 'empty'}>"


@frozen(kw_only=True, slots=False)
class DataSource:
    """A pre-packaged group of flattened rows.

    Attributes:
        id: What the API calls it by: an int, a GUID or another text, as it came.
        name: What a person calls it.
        description: What is in it.
        extra: Fields of the answer that are not publicly known.
    """

    id: int | str
    name: str | None = None
    description: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)

    def _repr_html_(self) -> str:
        row = (self.id, self.name, self.description)
        return table("A data source", _SOURCE, (row,))


class _Named(Protocol):
    @property
    def name(self) -> str | None: ...


_N = TypeVar("_N", bound=_Named)


def _called(name: str, many: Iterable[_N]) -> _N | None:
    """Return the one of a name; case counts where it tells two apart."""
    alike = [one for one in many if (one.name or "").casefold() == name.casefold()]
    exact = (one for one in alike if one.name == name)
    return next(exact, alike[0] if alike else None)


class DataSources(list[DataSource]):
    """Data sources in the API's order, which are also found by name.

    ::

        sources = await clinic.reporting.data_sources()
        rows = clinic.reporting.rows(sources["Patients"])
    """

    @overload
    def __getitem__(self, index: SupportsIndex | str) -> DataSource: ...
    @overload
    def __getitem__(self, index: slice) -> list[DataSource]: ...

    @override
    def __getitem__(
        self, index: SupportsIndex | slice | str
    ) -> DataSource | list[DataSource]:
        if not isinstance(index, str):
            return super().__getitem__(index)
        found = _called(index, self)
        if found is not None:
            return found
        names = ", ".join(repr(source.name) for source in self)
        raise KeyError(f"no data source is called {index!r}; there are {names}")

    @override
    def __contains__(self, key: object, /) -> bool:
        """Return whether a data source, or one of a name, is in the list."""
        if isinstance(key, str):
            return _called(key, self) is not None
        return super().__contains__(key)

    def _ipython_key_completions_(self) -> list[str]:
        return [source.name for source in self if source.name is not None]

    def _repr_html_(self) -> str:
        rows = ((s.id, s.name, s.description) for s in self)
        return table(f"{len(self)} data sources", _SOURCE, rows)


@frozen(kw_only=True, slots=False)
class DataSourceField:
    """A column of a data source.

    Attributes:
        name: The key of the column in a row.
        type: The API's own word for its type.
        description: What stands in it.
        extra: Fields of the answer that are not publicly known.
    """

    name: str | None = None
    type: str | None = None
    description: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)


@frozen(kw_only=True, slots=False)
class DataSourceParameter:
    """What the rows of a data source can be filtered by.

    Attributes:
        name: The key to give it under.
        type: The API's own word for its type.
        required: Whether the rows cannot be asked for without it; ``None`` if the API
            does not say.
        description: What it does.
        extra: Fields of the answer that are not publicly known.
    """

    name: str | None = None
    type: str | None = None
    required: bool | None = None
    description: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)


@frozen(kw_only=True, slots=False)
class DataSourceDetail:
    """One data source with its columns and filters.

    Attributes:
        id: What the API calls it by, as it came; what it was asked for by if missing.
        name: What a person calls it.
        description: What is in it.
        fields: Its columns, in the API's order.
        parameters: Its filters, in the API's order.
        extra: Fields of the answer that are not publicly known.
    """

    id: int | str | None = None
    name: str | None = None
    description: str | None = None
    fields: tuple[DataSourceField, ...] = ()
    parameters: tuple[DataSourceParameter, ...] = ()
    extra: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)

    @property
    def _named(self) -> tuple[DataSourceField | DataSourceParameter, ...]:
        return (*self.fields, *self.parameters)

    def __iter__(self) -> Iterator[str]:
        """Return the names of its columns and filters."""
        return (one.name for one in self._named if one.name is not None)

    def __contains__(self, name: object) -> bool:
        """Return whether a column or a filter has a name."""
        return isinstance(name, str) and _called(name, self._named) is not None

    def __getitem__(self, name: str) -> DataSourceField | DataSourceParameter:
        """Return the column, or else the filter, of a name.

        Raises:
            KeyError: There is none.
        """
        found = _called(name, self._named)
        if found is not None:
            return found
        names = ", ".join(map(repr, self))
        raise KeyError(
            f"{self.name} has neither a column nor a filter {name!r}; there are {names}"
        )

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _repr_html_(self) -> str:
        title = f"{self.name or self.id}: {self.description or 'a data source'}"
        fields = ((f.name, f.type, f.description) for f in self.fields)
        filters = (
            (p.name, p.type, "yes" if p.required else None, p.description)
            for p in self.parameters
        )
        return (
            table(title, (), ())
            + table(
                f"{len(self.fields)} columns", ("name", "type", "description"), fields
            )
            + table(
                f"{len(self.parameters)} filters",
                ("name", "type", "required", "description"),
                filters,
            )
        )
