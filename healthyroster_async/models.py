"""What the API describes, as frozen values.

Every model keeps what it does not know in ``extra``, under the API's own names, and
stands whatever is missing: publicly little is known of the answers.

Models compare by value, ``extra`` included, and can stand in a set or be a key.

A frozen class without slots is built in half the time: lists of these are long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from typing_extensions import override

__all__ = [
    "DataSource",
    "DataSourceDetail",
    "DataSourceField",
    "DataSourceParameter",
    "Model",
]


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
