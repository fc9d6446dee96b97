"""A handle on one Healthcare Provider."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from types import EllipsisType
from typing import Any, Final, TypeVar

import attrs
import orjson
from typing_extensions import override

from healthyroster_async._caller import Caller
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.html import table
from healthyroster_async._core.messages import Response
from healthyroster_async._core.outcome import Outcomes
from healthyroster_async._core.settings import (
    Environment,
    Priority,
    RetrySettings,
    Timeouts,
    check_deadline,
    check_number,
    check_priority,
    check_type,
)
from healthyroster_async._fanout import (
    Counting,
    Job,
    ProgressCallback,
    check_calls,
    checked_limit,
    fan_out,
)
from healthyroster_async._resources.namespace import SessionOperations
from healthyroster_async._resources.reporting import Reporting

V = TypeVar("V")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A number, a UUID (RFC 9562) with or without dashes, an e-mail address.
_ID = re.compile(
    r"\d+|[0-9a-f]{8}(-?)([0-9a-f]{4}\1){3}[0-9a-f]{12}|[^@]+(@|%40)[^@]+",
    re.IGNORECASE,
)
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}


class ProviderSession:
    """Calls about one Healthcare Provider, made with the pool's connections.

    It is immutable, costs microseconds, and opens nothing: make one wherever one is
    needed. Two with the same pool, provider and options are equal.

    Attributes:
        reporting: The reporting endpoints: data sources and their rows.
        operations: Every operation of the swagger document, by its name in Python.
    """

    __slots__ = ("_caller", "operations", "reporting")

    # Attributes and no properties: IPython completes nothing behind a property.
    reporting: Final[Reporting]
    operations: Final[SessionOperations]

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.reporting = Reporting(caller)
        self.operations = SessionOperations(caller)

    @property
    def provider_id(self) -> int | str:
        """The Healthcare Provider."""
        return self._caller.provider_id

    @property
    def environment(self) -> Environment:
        """The environment whose credentials are used."""
        return self._caller.environment

    @property
    def priority(self) -> Priority:
        """The lane its calls wait in."""
        return self._caller.priority

    def call(
        self, operation: str, /, *, raw: bool = False, **arguments: Any
    ) -> Awaitable[Any]:
        """Call any operation of the swagger document.

        Args:
            operation: Its exact operationId, or its name in Python.
            raw: Whether to return the ``Response`` as it came.
            **arguments: What it takes.

        Returns:
            What ``session.operations`` returns.

        Raises:
            ConfigurationError: The document has no such operation.
            TypeError: An argument is unknown, missing or of a type that does not fit.
            ValueError: A value is none of those that the document allows.
            HealthyRosterError: The call came to nothing.
        """
        return self.operations[operation](raw=raw, **arguments)

    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetrySettings | None = None,
        priority: Priority | None = None,
        weight: float | None = None,
        deadline: float | EllipsisType | None = ...,
    ) -> ProviderSession:
        """Return a copy that shares the pool; what is not given stays as it is.

        Args:
            timeouts: Bounds of an attempt.
            retry: Bounds of trying again.
            priority: The lane to wait in.
            weight: Share of the calls that wait in its lane, against those of other
                providers, which have 1.
            deadline: Seconds that a call may take in all: waiting, attempts and sleeps;
                ``None`` for no bound, also where the pool has one.

        Raises:
            ConfigurationError: One of them is of another type.
        """
        if timeouts is not None:
            check_type("timeouts", timeouts, Timeouts, "Timeouts(...)")
        if retry is not None:
            check_type("retry", retry, RetrySettings, "RetrySettings(...)")
        if priority is not None:
            check_priority(priority)
        if weight is not None:
            check_number("weight", weight, least=0.001, most=1000)
        given: dict[str, Any] = {
            "timeouts": timeouts,
            "retry": retry,
            "priority": priority,
            "weight": weight,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        if deadline is not ...:
            changed["deadline"] = check_deadline(deadline)
        return ProviderSession(attrs.evolve(self._caller, **changed))

    async def request(
        self,
        method: str,
        path: str,
        *,
        values: Mapping[str, int | str] | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        safe: bool | None = None,
    ) -> Response:
        """Send any request about the provider and return its answer, read whole.

        Args:
            method: HTTP method.
            path: Path below the base URL, as a template: the first placeholder is the
                provider id, the others are filled from *values*. The template is
                logged as it stands, so a number, a UUID or an e-mail address in it is
                refused.
            values: Values of the other placeholders, by name.
            query: Query parameters; a list gives its name once for each item.
            json: Body, to be sent as JSON; ``None`` for none.
            safe: Whether repeating it changes nothing; by default GET, HEAD and OPTIONS
                are. What is not is repeated only if it was surely not carried out.

        Raises:
            ConfigurationError: The request makes no sense as it is.
            HealthyRosterError: The call came to nothing.
        """
        check_type("method", method, str, "a text such as GET")
        check_type(
            "path", path, str, "a text such as /HealthcareProvider/{id}/Anything"
        )
        method = method.upper()
        if method not in _METHODS:
            raise ConfigurationError(f"{method!r} is no method of this API")
        endpoint = _endpoint(method, path, safe=safe)
        names = endpoint.placeholders[1:]
        given = {} if values is None else values
        check_type("values", given, Mapping, "a mapping of placeholders to ids")
        if set(names) != set(given):
            raise ConfigurationError(
                f"{endpoint.label}: values must name {sorted(names)}, "
                f"but name {sorted(given)}"
            )
        request = self._caller.request(
            endpoint,
            *(given[name] for name in names),
            query="" if query is None else _query(query),
            body=None if json is None else _json(endpoint, json),
            headers={} if json is None else {"Content-Type": "application/json"},
        )
        sent = self._caller.send_request(request)
        # Error reporters print local variables.
        del self, values, given, query, json
        return await sent

    async def fan_out(
        self,
        calls: Mapping[str, Callable[[ProviderSession], Awaitable[V]]],
        *,
        concurrency: int = 100,
        progress: ProgressCallback | None = None,
        skip_denied: bool = False,
    ) -> Outcomes[V, str]:
        """Make several calls about the provider concurrently and keep every outcome.

        Args:
            calls: What to call, by a name of your own; each gets this session.
            concurrency: Most calls under way at once.
            progress: Called, not awaited, after each outcome.
            skip_denied: Do not send what is known to be denied; see ``pool.fan_out``.

        Returns:
            The outcomes by name, in the order of *calls*.

        Raises:
            ConfigurationError: An argument is wrong.
            UsageError: The pool is not open here.
        """
        self._caller.check_open()
        if not isinstance(calls, Mapping):
            raise ConfigurationError(
                f"calls is a {type(calls).__name__}; give a dict of functions by a "
                'name of yours: {"sources": lambda s: s.reporting.data_sources()}'
            )
        check_calls("a value of calls", *calls.values())
        session = self
        if skip_denied:
            session = ProviderSession(attrs.evolve(self._caller, skip_denied=True))

        async def jobs() -> AsyncIterator[Job]:
            for name, call in calls.items():
                yield Job(name, self.provider_id, partial(call, session))

        limit = checked_limit(concurrency)
        counting = Counting(progress, len(calls))
        return await fan_out(jobs(), limit=limit, counting=counting)  # type: ignore[return-value]

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProviderSession):
            return NotImplemented
        return self._caller == other._caller

    @override
    def __hash__(self) -> int:
        return hash(self._caller)

    @override
    def __repr__(self) -> str:
        return (
            f"<ProviderSession {self.environment.value} provider {self.provider_id} "
            f"{self.priority.name.lower()}>"
        )

    def _repr_html_(self) -> str:
        contract = self._caller.contract
        rows = [
            ("environment", self.environment.value),
            ("priority", self.priority.name.lower()),
            ("reporting", "data_sources, data_source, rows, windows"),
        ]
        if self._caller.deadline is not None:
            rows.append(("deadline", f"{self._caller.deadline:g} s"))
        if contract.operations.document is not None:
            rows.append(("operations", f"{len(self.operations)}: operations.<Tab>"))
        return table(f"Healthcare Provider {self.provider_id}", ("", ""), rows)


def _endpoint(method: str, path: str, *, safe: bool | None) -> Endpoint:
    if not path.startswith("/") or path.startswith("//"):
        raise ConfigurationError("the path begins with one slash, below the base URL")
    segments = path.split("/")
    if (
        {"?", "#", "\\"} & set(path)
        or {".", ".."} & set(segments)
        or not path.isprintable()
    ):
        raise ConfigurationError(
            "the path is plain: no query (give query=), no fragment, no dot segment"
        )
    for number, segment in enumerate(segments):
        if _ID.fullmatch(segment):
            # It is not said which: ids are health data.
            raise ConfigurationError(
                f"segment {number} of the path looks like an id, and paths are logged: "
                'write a placeholder, as in "/HealthcareProvider/{id}/Athletes/'
                '{athlete}", and give values={"athlete": ...}'
            )
    endpoint = Endpoint(
        name=f"{method} {path}",
        method=method,
        template=path,
        safe=method in _SAFE_METHODS if safe is None else safe,
    )
    if not endpoint.placeholders:
        raise ConfigurationError(
            "the path has no placeholder for the provider id, such as "
            "/HealthcareProvider/{id}/Anything"
        )
    return endpoint


def _json(endpoint: Endpoint, value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise ConfigurationError(f"{endpoint.label}: json= {error}") from None


def _query(query: Mapping[str, Any]) -> str:
    from healthyroster_async._core.parameters import query_string  # noqa: PLC0415

    return query_string(query)
