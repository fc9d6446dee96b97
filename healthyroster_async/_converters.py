"""The one cattrs converter, and its hooks for answers of which little is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, get_args

import attrs
import cattrs
import orjson

from healthyroster_async import models
from healthyroster_async._core.errors import DecodingError
from healthyroster_async._core.messages import Response
from healthyroster_async._rows.envelope import NoRowsError, find_rows

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
# A server has few shapes; this only bounds what a strange answer can make us keep.
_PLANS_KEPT = 256
_Hook: TypeAlias = Callable[[Any], Any]
# With the types of values that need no hook.
_MemberHook: TypeAlias = tuple[_Hook, frozenset[type]]
_Plan: TypeAlias = tuple[
    tuple[tuple[str, str, _Hook, frozenset[type]], ...], tuple[str, ...]
]
_AS_IT_IS: dict[Any, frozenset[type]] = {
    int | str: frozenset({int, str}),
    int | str | None: frozenset({int, str, type(None)}),
    str | None: frozenset({str, type(None)}),
    bool | None: frozenset({bool, type(None)}),
}


def plain_key(key: str) -> str:
    """Return a key without case and separators: all three casings become one."""
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


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


def _structure_model(model: type[Any]) -> Callable[[Any, object], Any]:
    """Make the hook of one model.

    Which key means what is worked out once for each set of keys that occurs, so that an
    item costs little more than its values.
    """
    members = [a for a in attrs.fields(attrs.resolve_types(model)) if a.name != "extra"]
    names = {plain_key(a.name): a.name for a in members} | _ALIASES[model]
    hooks = {a.name: _member_hook(a.type) for a in members}
    plans: dict[tuple[str, ...], _Plan] = {}

    def structure(value: Any, _: object) -> Any:
        if type(value) is not dict:
            raise TypeError(f"an object was expected, not {type(value).__name__}")
        keys = tuple(value)
        plan = plans.get(keys)
        if plan is None:
            plan = _plan(keys, names, hooks)
            if len(plans) < _PLANS_KEPT:
                plans[keys] = plan
        known, others = plan
        extra = {key: value[key] for key in others} if others else {}
        arguments: dict[str, Any] = {"extra": extra}
        for key, name, hook, as_it_is in known:
            item = value[key]
            arguments[name] = item if type(item) in as_it_is else hook(item)
        return model(**arguments)

    return structure


def _plan(
    keys: Iterable[str], names: Mapping[str, str], hooks: Mapping[str, _MemberHook]
) -> _Plan:
    known: dict[str, tuple[str, str, _Hook, frozenset[type]]] = {}
    extra = []
    for key in keys:
        name = names.get(plain_key(key))
        # Of two spellings of one name the first is meant, the other is kept.
        if name is None or name in known:
            extra.append(key)
        else:
            known[name] = (key, name, *hooks[name])
    return tuple(known.values()), tuple(extra)


def _member_hook(kind: Any) -> _MemberHook:
    hook = converter.get_structure_hook(kind)
    return lambda value: hook(value, kind), _AS_IT_IS.get(kind, frozenset())


def _many(kind: Any) -> Callable[[Any, object], tuple[Any, ...]]:
    item = get_args(kind)[0]
    hook = converter.get_structure_hook(item)

    def structure(value: Any, _: object) -> tuple[Any, ...]:
        return () if value is None else tuple(hook(entry, item) for entry in value)

    return structure


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
converter.register_structure_hook_factory(
    lambda kind: kind in _ALIASES, _structure_model
)


def decode(response: Response) -> Any:
    """Parse an answer as JSON.

    Raises:
        DecodingError: It is no JSON; the text says what kind of answer came instead.
    """
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        kind = response.headers.get("content-type", "no content type").partition(";")[0]
        reason = (
            f"the answer is no JSON: {len(response.body)} bytes of {kind}, "
            f"wrong at byte {error.pos}"
        )
    raise DecodingError(response.request.label, reason)


def decode_one(response: Response, model: type[_M]) -> _M:
    """Return the answer as one model.

    Raises:
        DecodingError: It is no JSON object that fits.
    """
    return _structure(response, decode(response), model)


def decode_list(response: Response, model: type[_M]) -> list[_M]:
    """Return the answer as a list of models, wrapped in an object or not.

    Raises:
        DecodingError: It is no JSON list of objects that fit.
    """
    hook = converter.get_structure_hook(model)
    items = _unwrap(response, decode(response))
    try:
        return [hook(item, model) for item in items]
    except (TypeError, ValueError) as error:
        reason = f"an item is no {model.__name__}: {_kind_of(error)}"
    raise DecodingError(response.request.label, reason)


def _structure(response: Response, value: Any, model: type[_M]) -> _M:
    try:
        return converter.structure(value, model)
    except (TypeError, ValueError) as error:
        reason = f"the answer is no {model.__name__}: {_kind_of(error)}"
    raise DecodingError(response.request.label, reason)


def _kind_of(error: Exception) -> str:
    """Say what is missing or of the wrong kind; our own hooks never quote data."""
    _, found, name = str(error).rpartition("required keyword-only argument: ")
    return f"{name} is missing" if found else str(error)


def _unwrap(response: Response, value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    # Items are found as rows are: the envelope is the vendor's either way.
    try:
        place = find_rows(response.body)
    except NoRowsError:
        place = None
    if place is None:
        raise DecodingError(
            response.request.label, f"a list was expected, not {type(value).__name__}"
        )
    for key in place.path:
        value = value[key]
    return list(value)
