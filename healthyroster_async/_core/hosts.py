"""Where requests may go: unencrypted to this machine, with a secret to its place."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}


def is_loopback(parts: SplitResult) -> bool:
    """Return whether a URL can only lead to this machine."""
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> tuple[str, int | None]:
    """Return the host of a URL, however it is written, and on this machine the port."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    # Elsewhere one host has one owner, whatever the port.
    return host, (parts.port or _PORTS[parts.scheme]) if is_loopback(parts) else None


def is_same_host(named: str, url: str) -> bool:
    """Return whether a URL leads to a host; the port counts where one is named."""
    parts, own = urlsplit(url), urlsplit(f"//{named}")
    if own.hostname != parts.hostname:
        return False
    return own.port is None or own.port == (parts.port or _PORTS[parts.scheme])


def is_below(url: str, base: str) -> bool:
    """Return whether a URL leads below a base URL, whoever resolves its path."""
    if not url.startswith(f"{base}/"):
        return False
    path = unquote(urlsplit(url).path)
    # Some servers take a backslash for a slash, and "..;" for "..".
    return "\\" not in path and not {".", ".."} & set(re.split("[/;]", path))


def is_elsewhere(url: str, base: str, before: str, segment: str) -> bool:
    """Return whether a URL has another segment in the place where *before* has one.

    Both are below *base*, whose own segments are no such place.
    """
    # Many servers take two slashes for one.
    above, there, here = (
        [*filter(None, unquote(urlsplit(each).path).casefold().split("/"))]
        for each in (base, url, before)
    )
    own = segment.casefold()
    if own not in here[len(above) :]:
        return False
    place = here.index(own, len(above))
    return here[:place] == there[:place] and here[place] not in there[place : place + 1]
