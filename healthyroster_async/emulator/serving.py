"""Answering the operations beside reporting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web
from attrs import field, frozen

from healthyroster_async.emulator import components, inputs, items, paging
from healthyroster_async.emulator.answers import Answer
from healthyroster_async.emulator.items import Shelf
from healthyroster_async.emulator.operations import Operation, Task
from healthyroster_async.emulator.resources import BY_NAME, fields_of
from healthyroster_async.emulator.schema import cased
from healthyroster_async.emulator.settings import ProviderId, Settings


class MissingError(LookupError):
    """There is no such object."""


@frozen(kw_only=True)
class Call:
    """One request for an operation that may be answered.

    Attributes:
        settings: What is set.
        operation: The operation.
        provider: The Healthcare Provider.
        ids: The ids in the path, by name.
        request: The request.
        origin: Scheme, host and port that it came to.
    """

    settings: Settings
    operation: Operation
    provider: ProviderId
    ids: Mapping[str, str] = field(repr=False)
    request: web.BaseRequest = field(repr=False)
    origin: str = field(repr=False)

    @property
    def schemas(self) -> Mapping[str, Any]:
        """The schemas of the document."""
        settings = self.settings
        return components.schemas(settings.key_casing, whole=settings.whole_ids)

    def url(self, **changes: Any) -> str:
        """Return the address of the request with other arguments."""
        return self.origin + str(self.request.rel_url.update_query(changes))


async def answer(call: Call) -> Answer:
    """Return the answer to a call.

    Raises:
        BadInputError: It is not what the document says.
        UnsupportedError: Its body has another content type.
        MissingError: It names an object that there is not.
    """
    operation = call.operation
    ids = inputs.path(call.ids)
    given = inputs.arguments(operation, call.request, call.schemas)
    shelf = _shelf(call, ids)
    number = -1
    if operation.resource.id_name in ids:
        number = _number(shelf, ids[operation.resource.id_name])
    if operation.task in _BODIES:
        return await _BODIES[operation.task](call, shelf, number)
    return _TASKS[operation.task](call, shelf, number, given)


def _shelf(call: Call, ids: Mapping[str, Any]) -> Shelf:
    """Return where the objects of a call are."""
    resource, settings = call.operation.resource, call.settings
    shelf = Shelf(
        resource=resource,
        provider=call.provider,
        above=None if resource.below is None else ids[BY_NAME[resource.below].id_name],
        count=settings.items,
        seed=settings.seed,
    )
    if resource.below is not None:
        _number(shelf.other(resource.below), shelf.above)
    return shelf


def _number(shelf: Shelf, item_id: Any) -> int:
    number = shelf.number(item_id)
    if number is None:
        raise MissingError
    return number


def _list(call: Call, shelf: Shelf, _: int, given: Mapping[str, Any]) -> Answer:
    operation, settings = call.operation, call.settings
    filters = {
        argument: given[argument.name]
        for argument in operation.filters
        if argument.name in given
    }
    numbers = items.found(shelf, filters)
    try:
        page = paging.cut(operation.paging, numbers, given, settings.max_page_size)
    except paging.BadTokenError as error:
        errors = {error.name: ["The value was never given out."]}
        raise inputs.BadInputError(errors) from None
    casing = settings.key_casing
    listed: Any = [items.item(shelf, number, casing) for number in page.numbers]
    following = None if page.more is None else call.url(**page.more)
    headers = {}
    if operation.paging == "link" and following is not None:
        headers["Link"] = f'<{following}>; rel="next"'
    if operation.paging in paging.ENVELOPES:
        key, *_rest = paging.ENVELOPES[operation.paging]
        members = dict(page.members)
        if "next" in members:
            members["next"] = following
        listed = {cased(key, casing): listed} | {
            cased(name, casing): member for name, member in members.items()
        }
    return _json(listed, headers=headers)


def _get(call: Call, shelf: Shelf, number: int, _: Mapping[str, Any]) -> Answer:
    return _json(items.item(shelf, number, call.settings.key_casing))


def _cancel(call: Call, shelf: Shelf, number: int, _: Mapping[str, Any]) -> Answer:
    casing = call.settings.key_casing
    cancelled = {cased("status", casing): "Cancelled"}
    return _json(items.item(shelf, number, casing) | cancelled)


def _delete(_: Call, __: Shelf, ___: int, ____: Mapping[str, Any]) -> Answer:
    return Answer(status=204, content_type="")


def _download(_: Call, shelf: Shelf, number: int, __: Mapping[str, Any]) -> Answer:
    (name,) = (f for f in fields_of(shelf.resource) if f.kind == "fileName")
    file_name = items.value(shelf, number, name)
    return Answer(
        pieces=items.content(shelf, number),
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )


def _account(call: Call, _: Shelf, __: int, ___: Mapping[str, Any]) -> Answer:
    # The document says nothing of this one, so its keys are not respelled either.
    about = {"id": call.provider, "timeZone": "UTC-05:00", "modules": ["reporting"]}
    return _json(about)


async def _write(call: Call, shelf: Shelf, number: int) -> Answer:
    """Create or replace an object: it is made up, with what was given put into it."""
    operation, casing = call.operation, call.settings.key_casing
    schema = call.schemas[f"{operation.resource.one}Input"]
    given = await inputs.body(call.request, schema, call.schemas)
    created = operation.task == "create"
    # A new object has the number after the last one; none of it is kept.
    made = items.item(shelf, shelf.count if created else number, casing)
    for column in fields_of(shelf.resource):
        key = cased(column.name, casing)
        if not column.made and (key in given or column.nulls):
            made[key] = given.get(key)
    return _json(made, operation.status, _location(call, made) if created else {})


async def _upload(call: Call, shelf: Shelf, _: int) -> Answer:
    casing = call.settings.key_casing
    given = await inputs.form(call.operation, call.request, call.schemas)
    file: inputs.File = given["file"]
    made = items.item(shelf, shelf.count, casing) | {
        cased(name, casing): value
        for name, value in {
            "title": given["title"],
            "fileName": file.name,
            "contentType": file.content_type,
            "sizeBytes": file.size,
            "patientId": given.get("patientId"),
        }.items()
    }
    return _json(made, call.operation.status, _location(call, made))


async def _send(call: Call, shelf: Shelf, _: int) -> Answer:
    casing = call.settings.key_casing
    given = await inputs.form(call.operation, call.request, call.schemas)
    patient = shelf.id(_number(shelf, given["patientId"]))
    receipt = {
        "messageId": "00000000-0000-4000-8000-000000000001",
        "patientId": patient,
        "at": "2026-01-02T03:04:05Z",
    }
    return _json({cased(name, casing): value for name, value in receipt.items()})


def _location(call: Call, made: Mapping[str, Any]) -> dict[str, str]:
    item_id = made[cased("id", call.settings.key_casing)]
    path = call.request.rel_url.raw_path.rstrip("/")
    return {"Location": f"{call.origin}{path}/{item_id}"}


def _json(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    return Answer(status=status, pieces=(orjson.dumps(value),), headers=headers or {})


_TASKS: Mapping[Task, Callable[[Call, Shelf, int, Mapping[str, Any]], Answer]] = {
    "list": _list,
    "get": _get,
    "delete": _delete,
    "download": _download,
    "account": _account,
    "cancel": _cancel,
}
_BODIES: Mapping[Task, Callable[[Call, Shelf, int], Awaitable[Answer]]] = {
    "create": _write,
    "update": _write,
    "upload": _upload,
    "send": _send,
}
