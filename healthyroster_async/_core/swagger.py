"""What a swagger document says: hosts, credential headers, paths."""

from __future__ import annotations

import asyncio
import contextlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core.errors import ConfigurationError, UsageError
from healthyroster_async._core.hosts import is_loopback
from healthyroster_async._core.settings import Environment, check_type

_FETCH_TIMEOUT_S = 30.0
_MAX_BYTES = 32 * 2**20
_ENVIRONMENT_WORDS = {
    Environment.SANDBOX: re.compile(r"sandbox", re.IGNORECASE),
    Environment.PRODUCTION: re.compile(r"\bprod(uction)?\b", re.IGNORECASE),
}
# "Not the sandbox", "non-production", "pre-prod": such words name what it is not.
_DENIAL = re.compile(
    r"\b(?:not|no|non|never|without|except|unlike|pre)\b|n['\u2019]t\b",
    re.IGNORECASE,
)


@frozen(kw_only=True)
class SwaggerReading:
    """What was found in a document.

    Attributes:
        base_urls: Base URL of each environment that the document names.
        about_servers: Why an environment has none, as the rest of a sentence.
        application_id_header: Header field of the application id, if it is clear.
        application_secret_header: Header field of the secret, if it is clear.
        headers: Every header field that could hold a credential.
        paths: Method and template of every operation.
    """

    base_urls: Mapping[Environment, str]
    about_servers: str
    application_id_header: str | None
    application_secret_header: str | None
    headers: tuple[str, ...]
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


def load(source: str | Path | bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """Fetch a document and parse it as JSON.

    Raises:
        ConfigurationError: It cannot be fetched, is no JSON or no swagger document.
        UsageError: It would have to be fetched while an event loop runs here.
    """
    if isinstance(source, Mapping):
        document: Any = source
    else:
        raw = source if isinstance(source, bytes) else _read(_place(source))
        try:
            document = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise ConfigurationError(
                f"the swagger document is no JSON: line {error.lineno}, "
                f"column {error.colno}"
            ) from None
    if not isinstance(document, Mapping) or not {"swagger", "openapi"} & set(document):
        raise ConfigurationError(
            "this is no swagger document: it has neither 'swagger' nor 'openapi'"
        )
    return document


def _place(source: Any) -> str | Path:
    give = "a path, a URL, bytes or a dict"
    check_type("the swagger document", source, (str, Path), give)
    return source  # type: ignore[no-any-return] # it has just been checked


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not to where the document could be altered."""

    @override
    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        with contextlib.ExitStack() as refused:
            refused.callback(fp.close)
            _refuse_plain(newurl)
            refused.pop_all()
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refuse_plain(url: str) -> None:
    """Refuse plain http: whoever alters the document chooses who gets the secret."""
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" and not is_loopback(parts):
        raise ConfigurationError(
            "the swagger document would come over plain http, and whoever alters it on "
            "the way chooses the host that gets the secret: give an https URL or a file"
        )


def _refuse_to_block() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "fetching the swagger document would block the running event loop: do it in a "
        "thread, as in 'await asyncio.to_thread(Contract.from_swagger, url)'"
    )


def _read(source: str | Path) -> bytes:
    text = str(source)
    try:
        if not re.match(r"https?://", text, re.IGNORECASE):
            return Path(source).read_bytes()
        _refuse_to_block()
        _refuse_plain(text)
        opener = urllib.request.build_opener(_Redirects)
        with opener.open(text, timeout=_FETCH_TIMEOUT_S) as answer:
            body: bytes = answer.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ConfigurationError(
            f"the swagger document cannot be read from {_shown(text)}: "
            f"{getattr(error, 'strerror', None) or error}"
        ) from None
    if len(body) > _MAX_BYTES:
        raise ConfigurationError(
            f"the swagger document at {_shown(text)} is larger than "
            f"{_MAX_BYTES >> 20} MiB"
        )
    return body


def _shown(place: str) -> str:
    """Return a path or URL without what may be a password or a key."""
    parts = urlsplit(place)
    if not parts.netloc:
        return place
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def read(document: Mapping[str, Any]) -> SwaggerReading:
    """Work out what a document says.

    Raises:
        ConfigurationError: A part has a form that swagger documents do not have.
    """
    servers = list(_servers(document))
    base_urls: dict[Environment, str] = {}
    for url, text in servers:
        named = [e for e, words in _ENVIRONMENT_WORDS.items() if words.search(text)]
        if len(named) == 1 and not _DENIAL.search(text):
            base_urls.setdefault(named[0], url)
    about = "names no server"
    if servers:
        urls = ", ".join(url for url, _ in servers)
        about = f"does not say which environment its server is ({urls})"
    headers = _credential_headers(document)
    ids = [h for h, text in headers.items() if _is_id(text)]
    secrets = [h for h, text in headers.items() if _is_secret(text)]
    return SwaggerReading(
        base_urls=base_urls,
        about_servers=about,
        application_id_header=ids[0] if len(ids) == 1 else None,
        application_secret_header=secrets[0] if len(secrets) == 1 else None,
        headers=tuple(headers),
        paths=tuple(_operations(document)),
    )


def _servers(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each absolute server URL with the text that may name its environment."""
    for server in _list(document, "servers"):
        url = str(_dict(server).get("url", ""))
        if url.startswith(("http://", "https://")):
            yield url, f"{_dict(server).get('description', '')} {url}"
    host = document.get("host")
    if host:
        for scheme in _list(document, "schemes") or ["https"]:
            url = f"{scheme}://{host}{document.get('basePath', '')}"
            yield url, url


def _credential_headers(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the header fields of the API-key schemes, each with its words."""
    schemes = _dict(document.get("securityDefinitions", {})) or _dict(
        _dict(document.get("components", {})).get("securitySchemes", {})
    )
    found: dict[str, str] = {}
    for key, scheme in schemes.items():
        kind = _dict(scheme)
        if kind.get("type") == "apiKey" and kind.get("in") == "header":
            name = str(kind.get("name", ""))
            found[name] = f"{key} {name} {kind.get('description', '')}"
    return found


def _is_secret(text: str) -> bool:
    return "secret" in text.lower()


def _is_id(text: str) -> bool:
    return not _is_secret(text) and bool(re.search(r"id\b|Id\b", text))


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    verbs = {"get", "put", "post", "delete", "options", "head", "patch"}
    for path, item in _dict(document.get("paths", {})).items():
        for verb in verbs & set(_dict(item)):
            yield verb.upper(), str(path)


def _dict(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"the swagger document has a {type(value).__name__} where an object belongs"
        )
    return value


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key) or []
    if not isinstance(value, list):
        raise ConfigurationError(
            f"the swagger document has {key} of type {type(value).__name__}; "
            "a list belongs there"
        )
    return value
