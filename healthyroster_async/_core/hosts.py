"""Which hosts may be asked without encryption: this machine, and no other."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult


def is_loopback(parts: SplitResult) -> bool:
    """Return whether a URL can only lead to this machine."""
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
