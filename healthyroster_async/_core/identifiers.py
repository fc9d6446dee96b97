"""What a call is called: by us, and by the API."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping

# In the order in which they say most about a single request.
CORRELATION_FIELDS = (
    "x-correlation-id",
    "x-request-id",
    "request-id",
    "x-ms-request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "cf-ray",
)
# Of another shape it could be anything, a name too.
_IDENTIFIER = re.compile(r"(?=.*\d)[0-9A-Za-z_.:=+/-]{6,128}")


class _Numbers:
    """Names that no other process of this host has given lately."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count anew, under another prefix: a fork has that of its parent."""
        self._prefix = os.urandom(5).hex()
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"


new_request_id = _Numbers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_request_id.begin)


def correlation_id(headers: Mapping[str, str]) -> str | None:
    """Return what the API calls a request, if one of the usual header fields says it.

    Args:
        headers: Header fields of the answer; names are lower case.
    """
    for name in CORRELATION_FIELDS:
        value = headers.get(name)
        if value is not None and _IDENTIFIER.fullmatch(value):
            return value
    return None
