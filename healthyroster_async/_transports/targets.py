"""Where a request goes: its URL, and the proxy on the way there."""

from __future__ import annotations

import re
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

from attrs import field, frozen
from yarl import URL

from healthyroster_async._core.hosts import is_loopback


@frozen
class Target:
    """Where a request goes. A local variable that is one tells nothing.

    Attributes:
        url: The URL, as aiohttp takes it.
        proxy: The proxy on the way there.
        proxy_headers: What tells the proxy who asks, maybe with a password.
    """

    url: URL = field(repr=False)
    proxy: str | None = field(repr=False)
    proxy_headers: Mapping[str, str] | None = field(repr=False)


@lru_cache(maxsize=4096)
def target_of(url: str) -> Target:
    """Return where a request goes."""
    # The path is already escaped, and must stay as it is.
    return Target(URL(url, encoded=True), *_proxy_of(url[: url.find("/", 8)]))


@lru_cache(maxsize=16)
def _proxy_of(origin: str) -> tuple[str | None, Mapping[str, str] | None]:
    """Return the proxy that the environment variables name for a host.

    aiohttp would read them itself with ``trust_env``, but netrc along with them. User
    and password stand apart: it logs the URL with a connection that nobody closed.
    """
    parts = urlsplit(origin)
    if is_loopback(parts) or urllib.request.proxy_bypass(parts.netloc):
        return None, None
    proxy = urllib.request.getproxies().get(parts.scheme)
    found = re.fullmatch(r"(\w+://)?(.*)@(.*)", proxy or "")
    if found is None:
        return proxy, None
    scheme, user, host = found.groups(default="")
    known = b64encode(unquote_to_bytes(user if ":" in user else f"{user}:"))
    return f"{scheme}{host}", {"Proxy-Authorization": f"Basic {known.decode()}"}
