"""What an answer holds, read within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from healthyroster_async._core.settings import AnswerSettings
from healthyroster_async._transports.unpacking import Unpacker, packed_as

_PIECE = 2**16
# Until then no answer does harm, and the ratio of a short one says little.
_ANY_RATIO = 8 * 2**20


class TooLargeError(ValueError):
    """An answer is larger than it may be; the text says why."""


class Content(Protocol):
    """A body as it comes.

    Attributes:
        total_bytes: How many came so far.
    """

    total_bytes: int

    async def readany(self) -> bytes:
        """Return what is there, or comes next; nothing at the end."""
        ...

    def at_eof(self) -> bool:
        """Return whether nothing is left."""
        ...


class Body:
    """What an answer holds, unpacked, as long as that is not too much."""

    def __init__(
        self,
        content: Content,
        headers: Mapping[str, str],
        bounds: AnswerSettings,
        name: str,
    ) -> None:
        """Make one.

        Args:
            content: Where it comes from.
            headers: The answer's header fields, found in any case.
            bounds: What is too much.
            name: Of its bounds, which one this is about.
        """
        self._content = content
        self._name = name
        self._most: int | None = getattr(bounds, name)
        self._most_ratio = bounds.max_ratio
        coding = packed_as(headers.get("Content-Encoding"))
        self._unpacker = Unpacker(coding) if coding else None
        self._unpacked = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left for certain."""
        return self._unpacker is None and self._content.at_eof()

    async def read(self) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            ValueError: It cannot be unpacked, is cut off, or is too large.
        """
        if self._unpacker is None:
            piece = await self._content.readany()
        else:
            piece = await self._next_unpacked(self._unpacker)
            self._unpacked += len(piece)
        self._check_size()
        return piece

    async def _next_unpacked(self, unpacker: Unpacker) -> bytes:
        piece = unpacker.take(b"", _PIECE)
        while not piece:
            packed = await self._content.readany()
            if not packed:
                unpacker.check_whole()
                break
            piece = unpacker.take(packed, _PIECE)
        return piece

    def _check_size(self) -> None:
        came = self._content.total_bytes
        size = came if self._unpacker is None else self._unpacked
        if self._most is not None and size > self._most:
            raise TooLargeError(
                f"the answer is larger than {self._most} bytes; "
                f"AnswerSettings.{self._name} allows more"
            )
        # What is packed is counted when it comes, so the true ratio is higher, if
        # anything.
        if size > _ANY_RATIO and size > self._most_ratio * came:
            raise TooLargeError(
                f"the answer unpacks to more than {self._most_ratio:g} times its size; "
                "if that is no attack, AnswerSettings.max_ratio allows more"
            )


async def read_whole(
    content: Content, headers: Mapping[str, str], bounds: AnswerSettings
) -> bytes:
    """Return all that an answer holds.

    Raises:
        ValueError: It cannot be unpacked, is cut off, or is larger than ``max_body``.
    """
    body = Body(content, headers, bounds, "max_body")
    first = await body.read()
    if body.ended:
        return first
    parts = [first]
    while part := await body.read():
        parts.append(part)
    return b"".join(parts)
