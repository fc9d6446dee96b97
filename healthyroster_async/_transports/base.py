"""The seam: what the policies ask of whatever carries requests."""

from __future__ import annotations

from typing import Protocol

from healthyroster_async._core.messages import Response, SignedRequest


class Transport(Protocol):
    """Carries one request and brings back its answer, whatever its status."""

    async def start(self) -> None:
        """Get ready on the running event loop."""
        ...

    async def send(self, signed: SignedRequest) -> Response:
        """Return the answer; the errors it raises are ``TransportError`` only."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
