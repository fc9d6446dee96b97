"""How an access check asks the operations of a document, for the least there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from attrs import frozen

from healthyroster_async._caller import Caller
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.empty_range import empty_range
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import (
    CallError,
    ConfigurationError,
    DecodingError,
    HealthyRosterError,
    InvalidRequestError,
    NotFoundError,
)
from healthyroster_async._core.messages import Response
from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.paging import at, detect, plain
from healthyroster_async._resources.operations import Prepared, registry_of
from healthyroster_async._shapes import matcher


class NotAskedError(HealthyRosterError):
    """An endpoint could not be asked; the text says what was missing."""


@frozen(kw_only=True)
class Probe:
    """An endpoint that a check can be about.

    Attributes:
        endpoint: The endpoint.
        names: What it may be called beside the endpoint's own name.
        ask: Calls it once; ``None`` if that would not be safe, or needs what nobody
            knows.
        needs: Label of the endpoint that must have answered before, if there is one.
        why_not: Why it was not asked, if it was not.
    """

    endpoint: Endpoint
    names: tuple[str, ...] = ()
    ask: Callable[[Caller], Awaitable[None]] | None
    needs: str | None = None
    why_not: str = ""


def operation_probes(contract: Contract) -> list[Probe]:
    """Return the operations of a document that are about one provider.

    What needs no id comes first. An id is taken from the list that the operation is
    below: ``GET /Patients/{patientId}`` asks for the first of ``GET /Patients``.
    """
    operations = contract.operations
    about: dict[str, Operation] = {}
    for name in operations:
        try:
            operation = operations[name]
        except ConfigurationError:
            continue  # it cannot be called either
        if operation.provider is not None:
            about[operation.endpoint.label] = operation
    asking = _Asking(contract, about)
    probes = [asking.probe(operation) for operation in about.values()]
    return sorted(probes, key=lambda probe: len(probe.endpoint.placeholders))


class _Asking:
    """Asks operations, and keeps the ids that lists tell."""

    def __init__(self, contract: Contract, about: Mapping[str, Operation]) -> None:
        self._registry = registry_of(contract.operations)
        self._about = about
        self._ids: dict[tuple[str, str], Any] = {}
        self._listing: dict[str, asyncio.Lock] = {}

    def probe(self, operation: Operation) -> Probe:
        """Return the probe of an operation."""
        names = (operation.name, operation.operation_id or operation.name)
        endpoint = operation.endpoint
        given = _least(operation)
        missing = [
            p for p in operation.parameters if p.required and p.name not in given
        ]
        if not operation.safe:
            return Probe(endpoint=endpoint, names=names, ask=None)
        if not missing:
            ask: Any = partial(self._plain, operation, given)
            return Probe(endpoint=endpoint, names=names, ask=ask)
        holder = self._list_of(operation)
        if holder is None or len(missing) > 1 or missing[0].where != "path":
            return Probe(
                endpoint=endpoint,
                names=names,
                ask=None,
                why_not=f"nobody knows what to give as {missing[0].name}",
            )
        return Probe(
            endpoint=endpoint,
            names=names,
            ask=partial(self._with_id, operation, given, missing[0], holder),
            why_not=_no_id(missing[0]),
        )

    def _list_of(self, operation: Operation) -> Operation | None:
        """Return the list that holds what an operation is about."""
        template = operation.template
        above = template[: template.rstrip("/").rfind("/{")]
        holder = self._about.get(f"GET {above}")
        if holder is None or _missing(holder, _least(holder)):
            return None
        return holder

    async def _plain(
        self, operation: Operation, given: Mapping[str, Any], caller: Caller
    ) -> None:
        await self._send(operation, given, caller)

    async def _send(
        self, operation: Operation, given: Mapping[str, Any], caller: Caller
    ) -> Response:
        prepared: Prepared = self._registry.get(operation.name)
        bound = prepared.binding.bind(caller.provider_id, given)
        request = caller.request_at(
            operation.endpoint,
            bound.values,
            query=bound.query,
            body=bound.body,
            headers=bound.headers,
        )
        return await caller.send_request(request)

    async def _with_id(
        self,
        operation: Operation,
        given: Mapping[str, Any],
        slot: Parameter,
        holder: Operation,
        caller: Caller,
    ) -> None:
        """Ask about an item of the provider, or of another one at first.

        Where none is known one is made up: a 403 says as much, and a 404 says nothing.
        """
        known = await self._any_id(holder, slot, caller)
        tried = _made_up(slot) if known is None else known
        try:
            return await self._plain(operation, {**given, slot.name: tried}, caller)
        except (InvalidRequestError, NotFoundError) as error:
            unknown = error
        if known is None:
            raise NotAskedError(_no_id(slot))
        own = await self._own_id(holder, slot, caller)
        if own is None or own == tried:
            raise unknown
        return await self._plain(operation, {**given, slot.name: own}, caller)

    async def _any_id(self, holder: Operation, slot: Parameter, caller: Caller) -> Any:
        label = holder.endpoint.label
        async with self._listing.setdefault(label, asyncio.Lock()):
            found = self._ids.get((label, str(caller.provider_id)))
            if found is None:
                of_others = (i for (of, _), i in self._ids.items() if of == label)
                found = next(of_others, None)
            if found is None:
                found = await self._own_id(holder, slot, caller)
        return found

    async def _own_id(self, holder: Operation, slot: Parameter, caller: Caller) -> Any:
        key = (holder.endpoint.label, str(caller.provider_id))
        if key not in self._ids:
            try:
                response = await self._send(
                    holder, _least(holder, any_day=True), caller
                )
                found = _first_id(response.json(), holder, slot)
            except (CallError, DecodingError):
                return None  # it is about another endpoint, and no answer of this one
            if found is None:
                return None
            self._ids[key] = found
        return self._ids[key]


def _no_id(slot: Parameter) -> str:
    return f"no {slot.name} is known to ask for"


def _made_up(slot: Parameter) -> Any:
    if slot.shape.kind == "integer":
        return 0
    return "00000000-0000-0000-0000-000000000000" if "id" in slot.shape.format else "0"


def _missing(operation: Operation, given: Mapping[str, Any]) -> bool:
    return any(p.required and p.name not in given for p in operation.parameters)


def _least(operation: Operation, *, any_day: bool = False) -> dict[str, Any]:
    """Return arguments for the least answer: a page of one, a day long ago.

    Args:
        operation: What is asked.
        any_day: Whether an item is wanted, of whatever day.
    """
    words = {p.wire: p for p in operation.parameters if p.where == "query"}
    given: dict[str, Any] = {
        words[wire].name: value
        for wire, value in empty_range(
            (wire, p.shape.format) for wire, p in words.items()
        ).items()
        if words[wire].required or not any_day
    }
    paging = detect(operation)
    if paging is not None and paging.size is not None:
        given[paging.size] = 1
    for parameter in operation.parameters:
        if parameter.required and parameter.name not in given and parameter.shape.enum:
            given[parameter.name] = parameter.shape.enum[0]
    return given


def _first_id(answer: Any, holder: Operation, slot: Parameter) -> Any:
    """Return the id of the first item of a list, under the name that was asked for."""
    paging = detect(holder)
    items = at(answer, paging.items) if paging is not None else answer
    if not isinstance(items, list) or not items or not isinstance(items[0], dict):
        return None
    item = items[0]
    # "id" first, so that it is the asked one where that is its name.
    keys, _ = matcher({"id": "any", slot.wire: "asked"}, {plain(slot.wire): "asked"})(
        tuple(item)
    )
    return item.get(keys.get("asked", keys.get("any")))
