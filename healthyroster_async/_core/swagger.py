"""What a swagger document says of its service: hosts, credential headers, paths."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from healthyroster_async._core.document import (
    Document,
    mapping,
    pointer,
    sequence,
    some,
    text,
)
from healthyroster_async._core.operations import paths
from healthyroster_async._core.settings import Environment

_ENVIRONMENT_WORDS = {
    Environment.SANDBOX: re.compile(r"sandbox", re.IGNORECASE),
    Environment.PRODUCTION: re.compile(r"\bprod(uction)?\b", re.IGNORECASE),
}
# "Not the sandbox", "non-production", "pre-prod": such words name what it is not.
_DENIAL = re.compile(
    r"\b(?:not|no|non|never|without|except|unlike|pre)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_SECRET = re.compile(r"secret", re.IGNORECASE)
_ID = re.compile(r"(?<![A-Za-z])id\b|Id\b|ID\b|\b[Aa]pp(?:lication)?[-_ ]?id\b")
# A header field that nearly every operation requires is no argument of one of them.
_SHARE_OF_ALL = 0.9
_NO_CREDENTIALS = frozenset({"accept", "authorization", "content-type"})
_MOST_SERVERS = 16
_SCHEMES = ("http://", "https://")
# Its URL, the text that may name its environment, and how many of its variables are
# chosen to be something else than their default.
Server: TypeAlias = tuple[str, str, int]


@frozen(kw_only=True)
class SwaggerReading:
    """What was found in a document.

    Attributes:
        base_urls: Base URL of each environment that the document names.
        about_servers: Why an environment has none, as the rest of a sentence.
        servers: URL of every server, also of those that are below a host.
        application_id_header: Header field of the application id, if it is clear.
        application_secret_header: Header field of the secret, if it is clear.
        headers: Every header field that could hold a credential.
        declared: Those of them that are declared as API keys.
        paths: Method and template of every operation.
    """

    base_urls: Mapping[Environment, str]
    about_servers: str
    servers: frozenset[str]
    application_id_header: str | None
    application_secret_header: str | None
    headers: tuple[str, ...]
    declared: frozenset[str]
    paths: tuple[tuple[str, str], ...] = field(repr=False)

    def spelling(self, method: str, template: str) -> str | None:
        """Return how the document spells a path, whatever its case and names."""
        wanted = _shape(template)
        for verb, path in self.paths:
            if verb == method and _shape(path).endswith(wanted):
                return path
        return None


def _shape(template: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", template).lower().rstrip("/")


def read(document: Document) -> SwaggerReading:
    """Work out what a document says.

    Raises:
        ConfigurationError: A part has a form that swagger documents do not have.
    """
    every_server = list(_servers(document))
    servers = [s for s in every_server if s[0].lower().startswith(_SCHEMES)]
    named = _named(servers)
    every = list(paths(document))
    headers = _credential_headers(document, every)
    application_id, secret = _roles(headers)
    return SwaggerReading(
        base_urls={e: urls[0] for e, urls in named.items() if len(urls) == 1},
        about_servers=_about(document, servers, named),
        servers=frozenset(url for url, _, _ in every_server),
        application_id_header=application_id,
        application_secret_header=secret,
        headers=tuple(headers),
        declared=frozenset(_declared(document)),
        paths=tuple((verb, template) for verb, template, _, _ in every),
    )


def _named(servers: list[Server]) -> dict[Environment, list[str]]:
    """Return the URLs that could be the base URL of each environment.

    What is chosen without being the default comes after what is not.
    """
    found: dict[Environment, dict[str, int]] = {}
    for url, words, choices in servers:
        named = [e for e, known in _ENVIRONMENT_WORDS.items() if known.search(words)]
        if len(named) == 1 and not _DENIAL.search(words) and "{" not in url:
            urls = found.setdefault(named[0], {})
            urls[url] = min(choices, urls.get(url, choices))
    nearest: dict[Environment, list[str]] = {}
    for environment, urls in found.items():
        # Where both are offered, the secret goes the safe way.
        offered = {
            url: choices
            for url, choices in urls.items()
            if f"https{url.removeprefix('http')}" not in urls
        }
        least = min(offered.values())
        nearest[environment] = [url for url, n in offered.items() if n == least]
    return nearest


def _about(
    document: Document,
    servers: list[Server],
    named: Mapping[Environment, list[str]],
) -> str:
    for environment, several in named.items():
        if len(several) > 1:
            return f"names more than one {environment.value} server ({some(several)})"
    for url, _, _ in servers:
        if "{" in url:
            return f"does not say what a variable of its server is ({url})"
    if servers:
        urls = some(url for url, _, _ in servers)
        which = "its server is" if len(servers) == 1 else "each of its servers is"
        return f"does not say which environment {which} ({urls})"
    below = text(document.raw.get("basePath")) or next(
        (
            text(server.get("url"))
            for server in sequence(document.raw.get("servers"), "#/servers")
            if isinstance(server, Mapping)
        ),
        "",
    )
    if below.strip("/"):
        return f"names no host, only the path {below} below one"
    return "names no server"


def _servers(document: Document) -> Iterator[Server]:
    yield from servers_at(document.raw.get("servers"), "#/servers")
    host = text(document.raw.get("host"))
    if host:
        schemes = sequence(document.raw.get("schemes"), "#/schemes") or ["https"]
        # Where both are offered, the secret goes the safe way.
        scheme = "https" if "https" in schemes else text(schemes[0]) or "https"
        base = text(document.raw.get("basePath"))
        slash = "" if base.startswith("/") or not base else "/"
        url = f"{scheme}://{host}{slash}{base}"
        yield url, url, 0


def servers_at(given: Any, where: str) -> Iterator[Server]:
    """Yield the servers of a list of them."""
    for number, one in enumerate(sequence(given, where)):
        place = pointer(where, number)
        server = mapping(one, place)
        about = text(server.get("description"))
        for url, choices in itertools.islice(_filled(server, place), _MOST_SERVERS):
            yield url.rstrip("/"), f"{about} {url}", choices


def _filled(server: Mapping[str, Any], where: str) -> Iterator[tuple[str, int]]:
    """Yield the URL of a server with each choice of its variables, the default first.

    What the document leaves open stays in braces.
    """
    url = text(server.get("url"))
    place = pointer(where, "variables")
    choices: list[list[tuple[str, str, bool]]] = []
    for name, one in mapping(server.get("variables"), place).items():
        variable = mapping(one, pointer(place, name))
        default = variable.get("default")
        enum = sequence(variable.get("enum"), pointer(place, name, "enum"))
        # OpenAPI 3.1, section 4.8.6: the default holds if nothing else is said.
        known = isinstance(default, str | int | float)
        given = [v for v in (default, *enum) if isinstance(v, str | int | float)]
        values = list(dict.fromkeys(map(str, given)))
        if values:
            choices.append([(name, v, known and v != values[0]) for v in values])
    for picked in itertools.product(*choices):
        filled = url
        for name, value, _ in picked:
            filled = filled.replace(f"{{{name}}}", value)
        yield filled, sum(other for _, _, other in picked)


def _credential_headers(
    document: Document, every: list[tuple[str, str, Mapping[str, Any], str]]
) -> dict[str, str]:
    """Return each header field that could hold a credential, with its words.

    They are the API keys that the document declares, required or not, and the header
    parameters that nearly every operation has.
    """
    found = _declared(document)
    return found if len(found) > 1 else found | _everywhere(document, every)


def _declared(document: Document) -> dict[str, str]:
    if document.is_swagger_2:
        place, given = "#/securityDefinitions", document.raw.get("securityDefinitions")
    else:
        parts = mapping(document.raw.get("components"), "#/components")
        place, given = "#/components/securitySchemes", parts.get("securitySchemes")
    found: dict[str, str] = {}
    for key, one in mapping(given, place).items():
        scheme, where = document.follow(one, pointer(place, key))
        scheme = mapping(scheme, where)
        if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
            name = text(scheme.get("name"))
            found[name] = f"{key} {name} {text(scheme.get('description'))}"
    return found


def _everywhere(
    document: Document, every: list[tuple[str, str, Mapping[str, Any], str]]
) -> dict[str, str]:
    times: Counter[str] = Counter()
    words: dict[str, str] = {}
    for verb, _, item, where in every:
        names: dict[str, None] = {}  # in the order of the document
        for place, holder in (
            (where, item),
            (pointer(where, verb.lower()), item[verb.lower()]),
        ):
            given = mapping(holder, place).get("parameters")
            at = pointer(place, "parameters")
            for number, one in enumerate(sequence(given, at)):
                raw, inner = document.follow(one, pointer(at, number))
                raw = mapping(raw, inner)
                name = text(raw.get("name"))
                if raw.get("in") == "header" and name.lower() not in _NO_CREDENTIALS:
                    names[name] = None
                    words.setdefault(name, f"{name} {text(raw.get('description'))}")
        times.update(list(names))
    most = _SHARE_OF_ALL * len(every)
    return {name: words[name] for name, count in times.items() if count >= most}


def _roles(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return which header field holds the id and which the secret, if that is clear."""
    secrets = [h for h, words in headers.items() if _SECRET.search(words)]
    ids = [h for h in headers if h not in secrets and _ID.search(headers[h])]
    application_id = ids[0] if len(ids) == 1 else None
    secret = secrets[0] if len(secrets) == 1 else None
    # The two come as a pair: where one of two is known, so is the other.
    if len(headers) == 2:  # noqa: PLR2004 - a pair
        first, second = headers
        if secret and not ids:
            application_id = first if secret == second else second
        elif application_id and not secrets:
            secret = first if application_id == second else second
    return application_id, secret
