"""How the API looks: hosts, header names, endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import asdict, evolve, field, frozen
from typing_extensions import override

from healthyroster_async._core.document import Document, some, text
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.hosts import host_of, is_loopback
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.settings import Environment, check_type

if TYPE_CHECKING:
    from healthyroster_async._core.swagger import SwaggerReading

# Help article "Leveraging the API for reporting integrations"; the spelling is theirs.
DATA_SOURCES = Endpoint(
    name="data_sources",
    method="GET",
    template="/HealthcareProvider/{id}/Datasources",
    safe=True,
)
DATA_SOURCE = Endpoint(
    name="data_source",
    method="GET",
    template="/HealthcareProvider/{id}/Reporting/DataSources/{datasourceid}",
    safe=True,
)
# "It can be viewed as a GET": the parameters only do not fit a query string.
ROWS = Endpoint(
    name="rows",
    method="POST",
    template="/HealthcareProvider/{id}/Reporting/Datasources/{datasourceid}/Data",
    safe=True,
)

# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Names that HTTP itself needs; a credential under one of them would break the request.
_RESERVED = frozenset(
    {"accept", "accept-encoding", "connection", "content-encoding", "content-length",
     "content-type", "cookie", "expect", "host", "te", "trailer", "transfer-encoding",
     "upgrade", "user-agent"}
)  # fmt: skip


_GIVE_URLS = '{Environment.SANDBOX: "https://..."}'


def _base_urls(given: Mapping[Environment, str]) -> Mapping[Environment, str]:
    check_type("base_urls", given, Mapping, _GIVE_URLS)
    if not given:
        raise ConfigurationError(f"base_urls is empty; give {_GIVE_URLS}")
    urls: dict[Environment, str] = {}
    for environment, url in given.items():
        give = f"a member of Environment, as in {_GIVE_URLS}"
        check_type("a key of base_urls", environment, Environment, give)
        urls[environment] = base_url(environment, url)
    if len({host_of(url) for url in urls.values()}) < len(urls):
        raise ConfigurationError(
            "sandbox and production have the same host; credentials of one environment "
            "must never reach the other, so give each its own base URL"
        )
    return MappingProxyType(urls)


def base_url(environment: Environment, url: str) -> str:
    """Check a base URL and return it without its trailing slash.

    Raises:
        ConfigurationError: It is not absolute, or not https and not loopback, or
            carries what a base URL cannot: user, query, fragment, dot segments.
    """
    name = f"the base URL of {environment.value}"
    if not isinstance(url, str):
        raise ConfigurationError(f"{name} is a {type(url).__name__}; give a text")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} cannot be read as a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"{name} is not absolute; give one such as https://api.example.com"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(f"{name} holds a user or a password; leave them out")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{name} holds a query or a fragment; leave it out")
    if port == 0 or not parts.netloc.isascii() or not parts.netloc.isprintable():
        raise ConfigurationError(f"{name} has a host or port that cannot be asked")
    path = parts.path.rstrip("/")
    if {".", ".."} & set(path.split("/")) or not re.fullmatch(r"[!-~]*", path):
        raise ConfigurationError(
            f"{name} has a path that is not plain; escape it, and leave dots out"
        )
    if parts.scheme == "http" and not is_loopback(parts):
        raise ConfigurationError(
            f"{name} is plain http, which would send the secret unencrypted; "
            "give an https one (plain http is for a loopback address only)"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _header_name(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ConfigurationError(
            f"{attribute.name} is {value!r}, which is no header name; the vendor's "
            "swagger document shows the right one"
        )
    if value.lower() in _RESERVED:
        raise ConfigurationError(
            f"{attribute.name} is {value!r}, a name that HTTP needs for itself"
        )


def _endpoint(_: object, attribute: Any, value: Any) -> None:
    if value is not None:
        check_type(attribute.name, value, Endpoint, "an Endpoint(...)")


def _rows_key(_: object, __: object, value: Any) -> None:
    if value is None:
        return
    check_type("rows_key", value, str, "a key such as data or result.rows")
    if not all(value.split(".")):
        raise ConfigurationError(
            f"rows_key is {value!r}; give a key, or keys with one dot between"
        )


@frozen(kw_only=True)
class Contract:
    """How the API looks. Nothing here is guessed: a document or the caller says it.

    Attributes:
        base_urls: Base URL of each environment.
        application_id_header: Name of the header field of the application id.
        application_secret_header: Name of the header field of the application secret.
        data_sources: Lists the data sources of a provider; ``None`` if the swagger
            document has no such endpoint, as for the two below.
        data_source: Describes one data source.
        rows: Gives the rows of a data source.
        rows_key: Where the rows stand in an answer that wraps them, such as ``data`` or
            ``result.rows``; ``None`` finds out from the answer.
        operations: Every operation of the swagger document, by its name in Python.
    """

    base_urls: Mapping[Environment, str] = field(converter=_base_urls)
    application_id_header: str = field(validator=_header_name)
    application_secret_header: str = field(validator=_header_name)
    data_sources: Endpoint | None = field(default=DATA_SOURCES, validator=_endpoint)
    data_source: Endpoint | None = field(default=DATA_SOURCE, validator=_endpoint)
    rows: Endpoint | None = field(default=ROWS, validator=_endpoint)
    rows_key: str | None = field(default=None, validator=_rows_key)
    operations: Operations = field(factory=Operations, repr=False)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view can be neither pickled nor copied; what it shows can.
        settings = asdict(self, recurse=False) | {"base_urls": dict(self.base_urls)}
        return partial(type(self), **settings), ()

    def __attrs_post_init__(self) -> None:
        names = (self.application_id_header, self.application_secret_header)
        if names[0].lower() == names[1].lower():
            raise ConfigurationError(
                f"application_id_header and application_secret_header are both "
                f"{names[0]!r}"
            )

    def labels(self) -> dict[str, str]:
        """Return method and template of every endpoint, by its name."""
        known = (self.data_sources, self.data_source, self.rows)
        return self.operations.labels | {e.name: e.label for e in known if e}

    def missing(self, endpoint: Endpoint) -> ConfigurationError:
        """Return the error of a call of what the swagger document does not have."""
        near = [o for o in self.operations if "datasource" in o.replace("_", "")]
        hint = f"; it has {', '.join(near)}" if near else ""
        return ConfigurationError(
            f"the swagger document has no operation like {endpoint.label}, so there is "
            f"no {endpoint.name} to call{hint}"
        )

    @classmethod
    def from_swagger(
        cls,
        source: str | Path | bytes | Mapping[str, Any],
        *,
        base_urls: Mapping[Environment, str] | None = None,
        application_id_header: str | None = None,
        application_secret_header: str | None = None,
        rows_key: str | None = None,
        safe_operations: Iterable[str] = (),
        provider_parameter: str | None = None,
    ) -> Contract:
        """Read the vendor's swagger document; what is given here wins over it.

        Args:
            source: Path, URL, bytes or dict. What a URL names is fetched without
                secrets, over https, and blocking: in a running event loop with ``await
                asyncio.to_thread(Contract.from_swagger, url)``.
            base_urls: Base URL of each environment; of one that is left out it is that
                of the document, if its host is another.
            application_id_header: Name of the header field of the application id.
            application_secret_header: Name of the header field of the secret.
            rows_key: Where the rows stand in an answer that wraps them.
            safe_operations: Names or operationIds of what may be repeated although it
                is a POST, PUT, PATCH or DELETE, because it changes nothing.
            provider_parameter: Name of the parameter that is the id of the Healthcare
                Provider; by default what follows ``/HealthcareProvider/`` in the path,
                or is called ``healthcareProviderId``.

        Raises:
            ConfigurationError: The document cannot be read, or leaves open what it
                should say; the text names the argument to give.
            MissingExtraError: It is YAML, and the extra ``yaml`` is not installed.
            UsageError: It would have to be fetched while an event loop runs here.
        """
        # A contract that is made by hand reads nothing.
        from healthyroster_async._core import swagger  # noqa: PLC0415
        from healthyroster_async._core.loading import load  # noqa: PLC0415

        document = Document.of(load(source))
        read = swagger.read(document)
        given = {} if base_urls is None else base_urls
        check_type("base_urls", given, Mapping, _GIVE_URLS)
        urls = base_urls_of(read, given)
        if not urls:
            raise ConfigurationError(
                f"the swagger document {read.about_servers}; give base_urls="
                f"{_GIVE_URLS}, or set HEALTHYROSTER_SANDBOX_BASE_URL (or PRODUCTION)"
            )
        for name, field_name in (
            ("application_id_header", application_id_header),
            ("application_secret_header", application_secret_header),
        ):
            check_type(name, field_name or "", str, "the name of a header field")
        id_header = application_id_header or read.application_id_header
        secret_header = application_secret_header or read.application_secret_header
        _check_headers(id_header, secret_header, read.headers)
        safe = _names(safe_operations)
        operations = operations_of(
            document,
            read,
            base_urls=urls.values(),
            headers=(id_header, secret_header),
            safe=safe,
            provider=provider_parameter,
        )
        for name in safe:
            operations.find(name)
        return cls(
            base_urls=urls,
            application_id_header=id_header or "",
            application_secret_header=secret_header or "",
            data_sources=_spelled(DATA_SOURCES, read),
            data_source=_spelled(DATA_SOURCE, read),
            rows=_spelled(ROWS, read),
            rows_key=rows_key,
            operations=operations,
        )


def base_urls_of(
    read: SwaggerReading, given: Mapping[Environment, str]
) -> dict[Environment, str]:
    """Return the base URLs of a document, and the given ones, which win over them.

    A host that is given for one environment is not the other one's, whatever the
    document calls it.
    """
    hosts = {_host_of(url) for url in given.values()}
    named = read.base_urls.items()
    kept = {e: url for e, url in named if e in given or _host_of(url) not in hosts}
    return {**kept, **given}


def _host_of(url: str) -> tuple[str, int | None] | None:
    try:
        return host_of(base_url(Environment.SANDBOX, url))
    except ConfigurationError:  # the contract says what is wrong with it
        return None


def operations_of(
    document: Document,
    read: SwaggerReading,
    *,
    base_urls: Iterable[str] = (),
    headers: Iterable[str | None],
    safe: Iterable[str] = (),
    provider: str | None = None,
) -> Operations:
    """Return the operations of a document.

    Args:
        document: The document.
        read: What was found in it.
        base_urls: Where calls go; what is served elsewhere cannot be called.
        headers: Header fields of the credentials, which nobody gives as an argument.
        safe: Names or operationIds of what may be repeated in spite of its verb.
        provider: Name of the parameter that is the provider id, or ``None`` to find it.
    """
    rows = _spelled(ROWS, read)
    urls = [text(url).rstrip("/") for url in base_urls]
    # A server may be said without its host.
    known = [*read.servers, *urls]
    below = ["".join(u.partition("://")[2].partition("/")[1:]) for u in known]
    return Operations(
        document,
        hidden=frozenset((name or "").lower() for name in headers),
        safe=frozenset({*safe, *([rows.label] if rows else [])}),
        provider=provider,
        # A document that has no servers of its own does not say what is elsewhere.
        served=frozenset(u.lower() for u in (*known, *below) if read.servers),
    )


def reporting_of(read: SwaggerReading) -> dict[str, str | None]:
    """Return the document's spelling of each reporting endpoint, ``None`` if none."""
    spelled: dict[str, str | None] = {}
    for wanted in (DATA_SOURCES, DATA_SOURCE, ROWS):
        found = _spelled(wanted, read)
        spelled[wanted.label] = None if found is None else found.label
    return spelled


def _check_headers(
    application_id: str | None, secret: str | None, candidates: tuple[str, ...]
) -> None:
    found = {
        "application_id_header": application_id,
        "application_secret_header": secret,
    }
    missing = [name for name, value in found.items() if value is None]
    if missing:
        give = " and ".join(f"{name}=" for name in missing)
        raise ConfigurationError(
            f"the swagger document does not say {' and '.join(missing)}; give {give} "
            f"(header fields it names: {some(candidates) or 'none'})"
        )


def _names(given: Iterable[str]) -> tuple[str, ...]:
    give = 'a list of names such as ["SearchPatients"]'
    if isinstance(given, str):
        raise ConfigurationError(f"safe_operations is one text; give {give}")
    check_type("safe_operations", given, Iterable, give)
    return tuple(given)


def _spelled(default: Endpoint, read: SwaggerReading) -> Endpoint | None:
    """Return an endpoint as the document spells it, if the document has it."""
    template = read.spelling(default.method, default.template)
    return None if template is None else evolve(default, template=template)
