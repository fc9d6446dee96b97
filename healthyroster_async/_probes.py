"""How an access check asks an endpoint: safely, and for the least there is to get."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import partial

import orjson

from healthyroster_async import models
from healthyroster_async._caller import Caller
from healthyroster_async._converters import decode_list, decode_one
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.empty_range import empty_range
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import (
    CallError,
    ConfigurationError,
    DecodingError,
    InvalidRequestError,
    NotFoundError,
    TransportError,
)
from healthyroster_async._core.messages import Request
from healthyroster_async._core.places import leave
from healthyroster_async._operation_probes import (
    NotAskedError,
    Probe,
    operation_probes,
)

_JSON = {"Content-Type": "application/json"}
_NO_ID = "no data source is known to ask for"


def probes_of(contract: Contract) -> list[Probe]:
    """Return every endpoint that a check can be about, the best to begin with first."""
    found = _Reporting(contract).probes()
    known = {probe.endpoint.label for probe in found}
    return found + [
        probe
        for probe in operation_probes(contract)
        if probe.endpoint.label not in known
    ]


def chosen(probes: Sequence[Probe], names: Iterable[str] | None) -> list[Probe]:
    """Return the probes of operations that are called by name.

    Raises:
        ConfigurationError: There is no such operation; the text suggests near ones.
    """
    if names is None:
        return [probe for probe in probes if probe.ask is not None]
    if isinstance(names, str):
        raise ConfigurationError(
            'operations is a text; give a list of names, such as ["rows"]'
        )
    known: dict[str, Probe] = {}
    for probe in probes:
        endpoint = probe.endpoint
        for name in (endpoint.name, endpoint.label, *probe.names):
            known.setdefault(name, probe)
    wanted: dict[str, Probe] = {}
    for name in names:
        found = known.get(str(name))
        if found is None:
            near = get_close_matches(str(name), known, n=3)
            hint = f"did you mean {' or '.join(near)}?"
            if not near:
                first = ", ".join(probe.endpoint.name for probe in probes[:5])
                more = len(probes) - 5
                hint = f"there are {first}" + (f" and {more} more" if more > 0 else "")
            raise ConfigurationError(f"there is no operation {name!r}; {hint}")
        wanted[found.endpoint.label] = found
    if not wanted:
        raise ConfigurationError("operations is empty; give names, or None for all")
    # In their own order: the first ones are the best to begin with.
    return [probe for probe in probes if probe.endpoint.label in wanted]


class _Reporting:
    """Asks the reporting endpoints, and keeps what one tells for the others."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._ids: dict[str, int | str] = {}
        self._filters: dict[int | str, dict[str, str]] = {}
        self._listing = asyncio.Lock()
        self._describing = asyncio.Lock()

    def probes(self) -> list[Probe]:
        listing = self._contract.data_sources
        if listing is None:
            return []
        detail, rows = self._contract.data_source, self._contract.rows
        asks = [
            (endpoint, partial(self._with_id, call))
            for endpoint, call in ((detail, self._describe), (rows, self._rows))
            if endpoint is not None
        ]
        return [
            Probe(endpoint=listing, ask=self._list),
            *(
                Probe(endpoint=endpoint, ask=ask, needs=listing.label, why_not=_NO_ID)
                for endpoint, ask in asks
            ),
        ]

    async def _list(self, caller: Caller) -> None:
        response = await caller.send(_known(self._contract.data_sources))
        try:
            sources = decode_list(response, models.DataSource)
        except DecodingError:
            return  # it answered, which is all that was asked
        for source in sources[:1]:
            self._ids[str(caller.provider_id)] = source.id

    async def _with_id(
        self, call: Callable[[Caller, int | str], Awaitable[None]], caller: Caller
    ) -> None:
        """Call about a data source of the provider, or of another one at first."""
        tried = await self._any_id(caller)
        try:
            return await call(caller, tried)
        except (InvalidRequestError, NotFoundError) as error:
            unknown = error
        # It may be that each provider has data sources of its own.
        own = await self._own_id(caller)
        if own is None or own == tried:
            raise unknown
        return await call(caller, own)

    async def _any_id(self, caller: Caller) -> int | str:
        provider = str(caller.provider_id)
        async with self._listing:  # one list is enough for all that wait here
            found = self._ids.get(provider) or next(iter(self._ids.values()), None)
            if found is None:
                found = await self._own_id(caller)
        if found is None:
            raise NotAskedError(_NO_ID)
        return found

    async def _own_id(self, caller: Caller) -> int | str | None:
        provider = str(caller.provider_id)
        if provider not in self._ids:
            try:
                await self._list(caller)
            except CallError:
                return None  # it is about another endpoint, and no answer of this one
        return self._ids.get(provider)

    async def _describe(self, caller: Caller, source_id: int | str) -> None:
        response = await caller.send(_known(self._contract.data_source), source_id)
        try:
            detail = decode_one(response, models.DataSourceDetail)
        except DecodingError:
            return
        parameters = ((p.name or "", p.type or "") for p in detail.parameters)
        self._filters[source_id] = empty_range(parameters)

    async def _rows(self, caller: Caller, source_id: int | str) -> None:
        async with self._describing:
            if source_id not in self._filters:
                self._filters[source_id] = {}
                if self._contract.data_source is not None:
                    with contextlib.suppress(CallError):  # it works without filters
                        await self._describe(caller, source_id)
        request = caller.request(
            _known(self._contract.rows),
            source_id,
            body=orjson.dumps(self._filters[source_id]),
            headers=_JSON,
            stream=True,
        )
        request = caller.timed(request)
        try:
            await caller.repeat(request, partial(_glance, caller, request))
        finally:
            leave(request)


def _known(endpoint: Endpoint | None) -> Endpoint:
    assert endpoint is not None  # noqa: S101 - there is no probe of what is missing
    return endpoint


async def _glance(caller: Caller, request: Request) -> None:
    """Open an answer, and leave it after its first bytes."""
    response = await caller.open(request)
    assert response.stream is not None  # noqa: S101 - it was asked for as a stream
    try:
        # An answer without rows ends here, and its connection can be used again.
        if await response.stream.read():
            await response.stream.read()
    except TransportError:
        pass  # it answered, which is all that was asked
    finally:
        response.stream.close()
