"""Which hosts may be asked: unencrypted this machine, and of a profile its own."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

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


def is_same_host(named: str, url: str) -> bool:
    """Return whether a URL leads to a host; the port counts where one is named."""
    parts, own = urlsplit(url), urlsplit(f"//{named}")
    if own.hostname != parts.hostname:
        return False
    return own.port is None or own.port == (parts.port or _PORTS[parts.scheme])
