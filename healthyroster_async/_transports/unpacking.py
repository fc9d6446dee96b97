"""Unpacking answers as they come, and knowing whether all of one came.

HTTP says where a body ends, not where what is packed in it does: a gateway that packs
and loses its source may end the body as if it were whole.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from importlib import import_module
from typing import Any


def _any_of(*names: str) -> Any:
    """Return the first module that is installed."""
    for name in names:
        with suppress(ImportError):
            return import_module(name)
    return None


# The same that aiohttp says we take.
_brotli = _any_of("brotlicffi", "brotli")
_zstd = _any_of("compression.zstd", "backports.zstd")
# A decompressor copies all that stands behind the member that it unpacks: of a window
# that is little, where an answer is made of many small members.
_WINDOW = 2**13
_DEFLATE = 8
# What is registered (RFC 9110, 16.6.1). Servers write all sorts of things there, as the
# name of an encoding of text, over what is packed in no way.
_CODINGS = frozenset({"br", "compress", "dcb", "dcz", "deflate", "gzip", "zstd"})


class CodingError(ValueError):
    """An answer is packed in a way that we neither know nor asked for."""


class PackedError(ValueError):
    """What came is not packed the way it says, or not all of it came."""


def packed_as(field: str | None) -> str:
    """Return how an answer is packed by its ``Content-Encoding``; empty for not."""
    if field is None:
        return ""
    named = (one.strip().lower().removeprefix("x-") for one in field.split(","))
    return ", ".join(one for one in named if one in _CODINGS)


class Unpacker:
    """Unpacks one answer.

    It may be several members, one after the other (RFC 1952, 2.2; RFC 8878, 3.1.1).
    """

    def __init__(self, coding: str) -> None:
        """Make one.

        Args:
            coding: What ``packed_as`` returned.
        """
        self._coding = coding
        self._packed = b""
        self._at = 0
        self._member: Any = None
        # Whether a member may have more to give before more bytes come.
        self._full = False

    def take(self, packed: bytes, most: int) -> bytes:
        """Take bytes, and return what they unpack to; take none for the rest of it.

        Args:
            packed: What came.
            most: Bytes to return at most, about.

        Returns:
            Nothing if more has to come first.

        Raises:
            CodingError: It is packed in a way that is not known.
            PackedError: It cannot be unpacked.
        """
        if packed:
            self._packed, self._at = self._packed[self._at :] + packed, 0
        while self._full or self._at < len(self._packed):
            if self._member is None:
                self._member = self._begin()
            made = self._unpack(most)
            if made:
                return made
        return b""

    def check_whole(self) -> None:
        """Refuse an answer that ended in the middle of what is packed.

        Raises:
            PackedError: It did.
        """
        member = self._member
        if member is None or (self._coding == "br" and member.is_finished()):
            return
        raise PackedError(f"what is packed as {self._coding} has no end")

    def _begin(self) -> Any:
        match self._coding:
            case "gzip":
                return zlib.decompressobj(16 + zlib.MAX_WBITS)
            case "deflate":
                # Some leave out what RFC 1950 has around it; browsers take both.
                bare = self._packed[self._at] & 0xF != _DEFLATE
                return zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)
            case "br" if _brotli is not None:
                return _brotli.Decompressor()
            case "zstd" if _zstd is not None:
                return _zstd.ZstdDecompressor()
        raise CodingError(
            f"the answer is packed as {self._coding!r}, which was not asked for and "
            "cannot be unpacked here"
        )

    def _unpack(self, most: int) -> bytes:
        member = self._member
        window = b"" if self._full else self._packed[self._at : self._at + _WINDOW]
        unpack = member.process if self._coding == "br" else member.decompress
        made: bytes | None = None
        with suppress(Exception):  # each library has its own
            made = unpack(window, most)
        if made is None:
            raise PackedError(f"what came is not {self._coding}")
        self._at += len(window)
        self._full = bool(made)
        if self._coding != "br":
            # zlib gives back what it has no room for.
            self._at -= len(getattr(member, "unconsumed_tail", b""))
            if member.eof:
                self._at -= len(member.unused_data)
                self._member, self._full = None, False
        return made
