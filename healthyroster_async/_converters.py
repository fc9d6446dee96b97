"""The one cattrs converter, and its hooks for answers of which little is known."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, get_args

import attrs
import cattrs

from healthyroster_async import models
from healthyroster_async._core.messages import Response
from healthyroster_async._rows.envelope import NoRowsError, find_rows
from healthyroster_async._shapes import Hook, Member, Reader, readers_of

_M = TypeVar("_M")

# Other words the API may use for what a model calls by its own name. Lower case,
# without separators, as every key is compared.
_ALIASES: dict[type, dict[str, str]] = {
    models.DataSource: {
        "datasourceid": "id",
        "datasourcename": "name",
        "title": "name",
    },
    models.DataSourceDetail: {
        "datasourceid": "id",
        "datasourcename": "name",
        "title": "name",
        "columns": "fields",
        "filters": "parameters",
    },
    models.DataSourceField: {
        "fieldname": "name",
        "columnname": "name",
        "datatype": "type",
        "fieldtype": "type",
    },
    models.DataSourceParameter: {
        "parametername": "name",
        "datatype": "type",
        "parametertype": "type",
        "isrequired": "required",
    },
}
_AS_IT_IS: dict[Any, frozenset[type]] = {
    int | str: frozenset({int, str}),
    int | str | None: frozenset({int, str, type(None)}),
    str | None: frozenset({str, type(None)}),
    bool | None: frozenset({bool, type(None)}),
}


def _id(value: Any, _: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"an id is an int or a text, not {type(value).__name__}")
    return value


def _text(value: Any, _: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _flag(value: Any, _: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _structure_list(model: type[Any]) -> Callable[[Any, object], list[Any]]:
    """Make the hook of lists of one model.

    Which key means what is worked out once for each set of keys that occurs, so that an
    item costs little more than its values.
    """
    members = tuple(
        Member(
            name=a.name,
            default=a.default,
            as_it_is=_AS_IT_IS.get(a.type, frozenset()),
            hook=_hook(a.type),
        )
        for a in attrs.fields(attrs.resolve_types(model))
        if a.name != "extra"
    )
    reader = readers_of(
        model, members, {m.name: m.name for m in members}, _ALIASES[model]
    )

    def structure(value: Any, _: object) -> list[Any]:
        made = []
        shape: tuple[str, ...] | None = None
        read: Reader | None = None
        for item in value:
            if type(item) is not dict:
                raise TypeError(f"an object was expected, not {type(item).__name__}")
            keys = tuple(item)
            if keys != shape or read is None:
                shape, read = keys, reader(keys)
            made.append(read(item))
        return made

    return structure


def _hook(kind: Any) -> Hook:
    hook = converter.get_structure_hook(kind)
    return lambda value: hook(value, kind)


def _one(model: type[Any]) -> Callable[[Any, object], Any]:
    structure = _structure_list(model)
    return lambda value, kind: structure((value,), kind)[0]


def _many(kind: Any) -> Callable[[Any, object], tuple[Any, ...]]:
    structure = converter.get_structure_hook(list[get_args(kind)[0]])  # type: ignore[misc]
    return lambda value, kind: () if value is None else tuple(structure(value, kind))


converter = cattrs.Converter(detailed_validation=False)
converter.register_structure_hook(int | str, _id)
converter.register_structure_hook(
    int | str | None, lambda value, kind: None if value is None else _id(value, kind)
)
converter.register_structure_hook(str | None, _text)
converter.register_structure_hook(bool | None, _flag)
converter.register_structure_hook_factory(
    lambda kind: getattr(kind, "__origin__", None) is tuple, _many
)
converter.register_structure_hook_factory(lambda kind: kind in _ALIASES, _one)
converter.register_structure_hook_factory(
    lambda kind: (
        getattr(kind, "__origin__", None) is list and get_args(kind)[0] in _ALIASES
    ),
    lambda kind: _structure_list(get_args(kind)[0]),
)


def decode_one(response: Response, model: type[_M]) -> _M:
    """Return the answer as one model.

    Raises:
        DecodingError: It is no JSON object that fits, or one of which nothing is known,
            such as a failure with the status of a success.
    """
    return _structure(response, response.json(), model)


def decode_list(response: Response, model: type[_M]) -> list[_M]:
    """Return the answer as a list of models, wrapped in an object or not.

    Raises:
        DecodingError: It is no JSON list of objects that fit.
    """
    structure = _list_hook(model)  # type: ignore[arg-type] # classes are hashable
    try:
        made: list[_M] = structure(_unwrap(response, response.json()), model)
    except (TypeError, ValueError) as error:
        reason = f"an item is no {model.__name__}: {error}"
    else:
        return made
    raise response.not_understood(reason)


@cache
def _list_hook(model: Hashable) -> Callable[[Any, object], list[Any]]:
    return converter.get_structure_hook(list[model])  # type: ignore[valid-type]


def _structure(response: Response, value: Any, model: type[_M]) -> _M:
    try:
        made = converter.structure(value, model)
        extra: Mapping[str, Any] = made.extra  # type: ignore[attr-defined] # all have it
        if len(extra) < len(value):
            return made
        reason = f"the answer is no {model.__name__}: it has none of its fields"
        del extra
    except (TypeError, ValueError) as error:
        reason = f"the answer is no {model.__name__}: {error}"
    del value  # a traceback may print it
    raise response.not_understood(reason)


def _unwrap(response: Response, value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    # Items are found as rows are: the envelope is the vendor's either way.
    try:
        place = find_rows(response.body)
    except NoRowsError:
        place = None
    if place is None:
        kind = type(value).__name__
        del value  # a traceback may print it
        raise response.not_understood(f"a list was expected, not {kind}")
    for key in place.path:
        value = value[key]
    return list(value)
