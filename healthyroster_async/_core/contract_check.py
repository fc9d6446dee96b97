"""What was understood of a swagger document, and what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from healthyroster_async._core import swagger
from healthyroster_async._core.contract import (
    Contract,
    base_urls_of,
    operations_of,
    reporting_of,
)
from healthyroster_async._core.document import (
    Document,
    parted,
    pointer,
    text,
    text_or_number,
)
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.operations import paths
from healthyroster_async._core.paging import detect
from healthyroster_async._core.schemas import Schemas
from healthyroster_async._core.settings import Environment
from healthyroster_async._core.walking import named_shapes, readable, shapes

_DECLARED = "declared as an API key"
_EVERYWHERE = "a header parameter of nearly every operation"
_SETTING = "given by your settings"
_GIVE_URL = (
    "the base URL: HEALTHYROSTER_SANDBOX_BASE_URL (or PRODUCTION), or base_urls= in "
    "code"
)
_GIVE_HEADER = (
    "the header field of the {words}: HEALTHYROSTER_{name}, or {arg}= in code"
)


@frozen(kw_only=True)
class Given:
    """Settings that win over the document.

    Attributes:
        base_urls: Base URL of each environment.
        headers: Header fields of application id and secret, by the names of the
            settings.
    """

    base_urls: Mapping[Environment, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)


@frozen
class Problem:
    """What makes no sense.

    Attributes:
        where: JSON pointer into the document (RFC 6901).
        text: What is wrong there.
    """

    where: str
    text: str


@frozen
class Header:
    """A header field of a credential.

    Attributes:
        name: Its name, or ``None`` if it is not clear.
        how: How it was recognised.
    """

    name: str | None
    how: str = ""


@frozen(kw_only=True)
class Counts:
    """How many operations there are of each kind.

    Attributes:
        total: All that can be called.
        safe: Those that change nothing, so that they are repeated.
        deprecated: Those that the document advises against.
        unnamed: Those without an operationId, named by their paths.
        without_provider: Those that are not about one Healthcare Provider.
        provider: How many take the provider id from the session, by the parameter's
            name.
    """

    total: int = 0
    safe: int = 0
    deprecated: int = 0
    unnamed: int = 0
    without_provider: int = 0
    provider: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True)
class Check:
    """The result.

    Attributes:
        title: What the document calls the API.
        api_version: The API's own version.
        version: Version of Swagger or OpenAPI.
        base_urls: Base URL of each environment.
        about_servers: Why there is none, as the rest of a sentence.
        application_id_header: Where the application id goes.
        application_secret_header: Where the secret goes.
        candidates: Every header field that could hold a credential.
        operations: How many there are.
        reporting: Each reporting endpoint and how the document spells it.
        paging: Names of the operations whose lists come in pages, by how they come.
        models: How many classes of answers and bodies there are.
        missing: Settings to give, before a pool can be made.
        refused: Why no pool can be made although nothing is missing.
        problems: What makes no sense.
    """

    title: str
    api_version: str
    version: str
    base_urls: Mapping[str, str]
    about_servers: str
    application_id_header: Header
    application_secret_header: Header
    candidates: tuple[str, ...]
    operations: Counts
    reporting: Mapping[str, str | None]
    paging: Mapping[str, tuple[str, ...]]
    models: int
    missing: tuple[str, ...]
    refused: str
    problems: tuple[Problem, ...]

    @property
    def usable(self) -> bool:
        """Whether a pool can be made."""
        return not self.missing and not self.refused


def check(document: Document, given: Given | None = None) -> Check:
    """Work out what is understood of a document.

    Raises:
        ConfigurationError: It makes no sense as a whole: its paths or servers have a
            form that swagger documents do not have.
    """
    given = given or Given()
    read = swagger.read(document)
    urls = base_urls_of(read, given.base_urls)
    id_header = _header("application_id_header", read, given)
    secret_header = _header("application_secret_header", read, given)
    headers = (id_header.name, secret_header.name)
    operations = operations_of(document, read, base_urls=urls.values(), headers=headers)
    usable, wrong = readable(operations)
    named = list(named_shapes(operations.schemas))
    every = list(shapes(usable, named))
    paging: dict[str, list[str]] = {}
    for operation in usable:
        found = detect(operation)
        if found is not None:
            paging.setdefault(found.kind, []).append(operation.name)
    missing = tuple(_missing(urls, headers))
    about: Any = document.raw.get("info")
    info = about if isinstance(about, Mapping) else {}
    return Check(
        title=" ".join(text(info.get("title")).split()),
        api_version=" ".join(text_or_number(info.get("version") or "").split()),
        version=document.version,
        base_urls={e.value: url for e, url in urls.items()},
        about_servers="" if urls else read.about_servers,
        application_id_header=id_header,
        application_secret_header=secret_header,
        candidates=read.headers,
        operations=_counts(usable),
        reporting=reporting_of(read),
        paging={kind: tuple(names) for kind, names in sorted(paging.items())},
        models=len({shape.where for shape in every if shape.kind == "object"}),
        missing=missing,
        refused="" if missing else _refused(urls, headers),
        problems=(
            *(Problem(where, why) for where, why in wrong),
            *_repeated_ids(document),
            *_of_schemas(operations.schemas),
            *(
                Problem(s.where, f"{s.unknown_type!r} is no type; it may be anything")
                for s in every
                if s.unknown_type
            ),
        ),
    )


def _header(setting: str, read: swagger.SwaggerReading, given: Given) -> Header:
    own = given.headers.get(setting)
    if own:
        return Header(own, _SETTING)
    name: str | None = getattr(read, setting)
    if name is None:
        return Header(None)
    return Header(name, _DECLARED if name in read.declared else _EVERYWHERE)


def _missing(
    urls: Mapping[Environment, str], headers: tuple[str | None, str | None]
) -> Iterator[str]:
    if not urls:
        yield _GIVE_URL
    for name, words in zip(
        headers, ("application id", "application secret"), strict=True
    ):
        if name is None:
            setting = f"{words.replace(' ', '_')}_header"
            yield _GIVE_HEADER.format(words=words, name=setting.upper(), arg=setting)


def _refused(
    urls: Mapping[Environment, str], headers: tuple[str | None, str | None]
) -> str:
    try:
        Contract(
            base_urls=urls,
            application_id_header=headers[0] or "",
            application_secret_header=headers[1] or "",
        )
    except ConfigurationError as error:
        return str(error)
    return ""


def _counts(operations: list[Operation]) -> Counts:
    provider = Counter(o.provider.wire for o in operations if o.provider is not None)
    return Counts(
        total=len(operations),
        safe=sum(o.safe for o in operations),
        deprecated=sum(o.deprecated for o in operations),
        unnamed=sum(o.operation_id is None for o in operations),
        without_provider=sum(o.provider is None for o in operations),
        provider=dict(provider.most_common()),
    )


def _repeated_ids(document: Document) -> Iterator[Problem]:
    places: dict[str, list[str]] = {}
    for verb, _, item, where in paths(document):
        raw = item[verb.lower()]
        known = text(raw.get("operationId")) if isinstance(raw, Mapping) else ""
        if known:
            at = pointer(where, verb.lower(), "operationId")
            places.setdefault(known, []).append(at)
    for known, found in places.items():
        if len(found) > 1:
            yield Problem(
                found[1],
                f"{len(found)} operations have the operationId {known!r}, so each is "
                "called by its method and path",
            )


def _of_schemas(schemas: Schemas) -> Iterator[Problem]:
    return (Problem(*parted(one)) for one in dict.fromkeys(schemas.problems))
