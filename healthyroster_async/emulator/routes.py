"""Which endpoint a path leads to; all patterns are made once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from attrs import frozen

from healthyroster_async.emulator.operations import OPERATIONS, Operation

_REPORTING = (
    ("data_sources", "GET", "/HealthcareProvider/{id}/Datasources"),
    (
        "data_source",
        "GET",
        "/HealthcareProvider/{id}/Reporting/DataSources/{datasourceid}",
    ),
    (
        "rows",
        "POST",
        "/HealthcareProvider/{id}/Reporting/Datasources/{datasourceid}/Data",
    ),
)
_SOURCE = "datasourceid"
_WORD = 3
"""Where the word stands that tells most paths apart, in a path that was split."""


@frozen
class Route:
    """Where a request leads.

    Attributes:
        endpoint: Name of the endpoint.
        methods: The methods that the path has.
        provider: Id of the Healthcare Provider, as the path has it.
        ids: The other ids in the path, by name.
        operation: The operation, unless it is one of reporting.
    """

    endpoint: str
    methods: tuple[str, ...]
    provider: str
    ids: Mapping[str, str]
    operation: Operation | None = None

    @property
    def source(self) -> str | None:
        """The id of the data source in the path, if there is one."""
        return self.ids.get(_SOURCE)


@frozen
class _Path:
    """One path of the API: how it is found, and what each of its methods is."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    methods: Mapping[str, tuple[str, Operation | None]]


def find(path: str, method: str) -> Route | None:
    """Return where a path leads; with a method it has not, to the first that it has."""
    split = path.lower().removesuffix("/").split("/")
    if len(split) <= _WORD:
        return None
    for candidate in _PATHS.get((len(split), split[_WORD]), ()):
        match = candidate.pattern.fullmatch(path)
        if match is not None:
            methods = candidate.methods
            known = method if method in methods else next(iter(methods))
            endpoint, operation = methods[known]
            provider, *ids = map(unquote, match.groups())
            named = dict(zip(candidate.names, ids, strict=True))
            return Route(endpoint, tuple(methods), provider, named, operation)
    return None


def _all() -> Iterator[tuple[str, str, str, Operation | None]]:
    for endpoint, method, template in _REPORTING:
        yield endpoint, method, template, None
    for operation in OPERATIONS:
        yield operation.endpoint, operation.method, operation.path, operation


def _table() -> Mapping[tuple[int, str], list[_Path]]:
    templates: dict[str, dict[str, tuple[str, Operation | None]]] = {}
    for endpoint, method, template, operation in _all():
        templates.setdefault(template, {})[method] = (endpoint, operation)
    table: dict[tuple[int, str], list[_Path]] = {}
    for template, methods in templates.items():
        split = template.lower().split("/")
        # ASP.NET matches paths without regard to case; a slash at the end is nothing.
        pattern = re.compile(
            re.sub(r"\{[^}]+\}", "([^/]+)", template) + "/?", re.IGNORECASE
        )
        _, *names = re.findall(r"\{([^}]+)\}", template)
        found = _Path(pattern, tuple(names), methods)
        table.setdefault((len(split), split[_WORD]), []).append(found)
    return table


_PATHS = _table()
