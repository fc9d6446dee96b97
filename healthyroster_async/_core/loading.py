"""Getting a swagger document: from a file, a URL, bytes or a dict."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import orjson
from typing_extensions import override

from healthyroster_async._core import yaml_text
from healthyroster_async._core.errors import ConfigurationError, UsageError
from healthyroster_async._core.home import at_home
from healthyroster_async._core.hosts import is_loopback
from healthyroster_async._core.settings import check_type

_FETCH_TIMEOUT_S = 30.0
_REFUSED = frozenset({401, 403})
_FETCH_LIMIT_S = 120.0
_PIECE = 2**16
_MAX_BYTES = 32 * 2**20
# Deeper than any document, and far from the interpreter's own bound.
_DEEPEST = 200
# Longest first: the mark of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def load(source: str | Path | bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """Fetch a document and parse it, JSON or YAML.

    Raises:
        ConfigurationError: It cannot be fetched, or is neither JSON nor YAML, or no
            swagger document.
        MissingExtraError: It is YAML, and the extra ``yaml`` is not installed.
        UsageError: It would have to be fetched while an event loop runs here.
    """
    where = ""
    if isinstance(source, Mapping):
        document: Any = _plain(source, {})
    elif isinstance(source, bytes):
        document = _parse(source)
    else:
        raw, where = _read(_place(source)), f" ({_shown(str(source))})"
        try:
            document = _parse(raw)
        except ConfigurationError as error:
            raise ConfigurationError(f"{error}{where}") from None
    if not isinstance(document, Mapping) or not {"swagger", "openapi"} & set(document):
        raise ConfigurationError(
            "this is no swagger document: it has neither 'swagger' nor 'openapi'"
            + where
        )
    return document


def _parse(raw: bytes) -> Any:
    encoding = "utf-8"
    for mark, name in _MARKS:
        if raw.startswith(mark):
            raw, encoding = raw[len(mark) :], name
            break
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the swagger document is no {encoding.upper()}, at byte {error.start}"
        ) from None
    begins = text.lstrip()[:1]
    if not begins:
        raise ConfigurationError("the swagger document is empty")
    if begins == "<":
        raise ConfigurationError(
            "the swagger document is a page, of HTML or XML: give what it shows or "
            "links to, the JSON or YAML itself"
        )
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "recursion" in error.msg.lower():
            raise ConfigurationError(
                "the swagger document is nested too deep"
            ) from None
        if begins not in {"{", "["}:
            return yaml_text.parse(text)
        raise ConfigurationError(
            f"the swagger document is no JSON: line {error.lineno}, "
            f"column {error.colno}"
        ) from None


def _plain(value: Any, made: dict[int, Any], depth: int = 0) -> Any:
    """Return what Python holds as JSON would give it: a copy of our own.

    Whoever parses YAML on their own has keys such as ``200`` and values such as dates.
    """
    if not isinstance(value, Mapping | list | tuple):
        return value.isoformat() if isinstance(value, date | time) else value
    known = made.get(id(value))
    if known is not None:
        return known
    if depth > _DEEPEST:
        raise ConfigurationError(
            "the swagger document is nested too deep, or holds itself"
        )
    plain: Any
    if isinstance(value, Mapping):
        plain = {_key(k): _plain(v, made, depth + 1) for k, v in value.items()}
    else:
        plain = [_plain(item, made, depth + 1) for item in value]
    made[id(value)] = plain
    return plain


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return orjson.dumps(key).decode()
    if isinstance(key, int | float):
        return str(key)
    raise ConfigurationError(
        f"the swagger document has a key of type {type(key).__name__}; give texts"
    )


def _place(source: Any) -> str | Path:
    give = "a path, a URL, bytes or a dict"
    check_type("the swagger document", source, (str, Path), give)
    return source  # type: ignore[no-any-return] # it has just been checked


class _Proxies(urllib.request.ProxyHandler):
    """Leaves proxies out on the way to this machine, as calls do."""

    @override
    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:
        if is_loopback(urlsplit(req.full_url)):
            return None
        return super().proxy_open(req, proxy, type)


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
    """Refuse plain http: whoever alters the document chooses who gets the secret.

    And what stands before the host, which urllib takes for a part of it.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"the URL of the swagger document ({_shown(url)}) has a user or a password "
            "in it, which are not sent: fetch the document and give its file"
        )
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
        "thread, as in 'await asyncio.to_thread(Contract.from_swagger, url)' or "
        "'await asyncio.to_thread(ConnectionPool.from_environment)', or give a file"
    )


def _read(source: str | Path) -> bytes:
    text = str(source)
    try:
        if not re.match(r"https?://", text, re.IGNORECASE):
            return at_home(text.removeprefix("file://")).read_bytes()
        _refuse_to_block()
        _refuse_plain(text)
        opener = urllib.request.build_opener(_Proxies, _Redirects)
        with opener.open(text, timeout=_FETCH_TIMEOUT_S) as answer:
            body = _whole(answer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ConfigurationError(
            f"the swagger document cannot be read from {_shown(text)}: {_why(error)}"
        ) from None
    if len(body) > _MAX_BYTES:
        raise ConfigurationError(
            f"the swagger document at {_shown(text)} is larger than "
            f"{_MAX_BYTES >> 20} MiB"
        )
    return body


def _whole(answer: Any) -> bytes:
    """Return a body, at most what is too large; a server can send it drop by drop."""
    end = monotonic() + _FETCH_LIMIT_S
    body = bytearray()
    while len(body) <= _MAX_BYTES and (piece := answer.read1(_PIECE)):
        body += piece
        if monotonic() > end:
            raise TimeoutError(f"it took longer than {_FETCH_LIMIT_S:g} s")
    if answer.length and len(body) <= _MAX_BYTES:
        raise ConnectionError("it broke off")
    return bytes(body)


def _why(error: Exception) -> str:
    """Return why something cannot be read; some errors quote the URL, key included."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        refused = " (no secret is sent; fetch it, and give its file)"
        return f"HTTP status {error.code}" + refused * (error.code in _REFUSED)
    if not isinstance(error, OSError):
        return type(error).__name__
    why = getattr(error, "reason", None) or error
    return str(getattr(why, "strerror", None) or why)


def _shown(place: str) -> str:
    """Return a path or URL without what may be a password or a key."""
    try:
        parts = urlsplit(place)
    except ValueError:
        return "a URL that is none"
    if not parts.netloc:
        # A URL with a slash too few is taken for a path.
        return place.rpartition("@")[2] if parts.scheme else place
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
