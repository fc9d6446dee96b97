"""Content codings: pieces of a body in, compressed pieces out."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, TypeAlias, cast

from healthyroster_async._core.errors import ConfigurationError

Coding: TypeAlias = Literal["gzip", "deflate", "br", "zstd"]
CODINGS: tuple[Coding, ...] = ("gzip", "deflate", "br", "zstd")

_GZIP_WBITS = 31
_ZLIB_WBITS = 15
# The emulator is to be a fast server, not a small one.
_FAST = 1


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _Brotli:
    def __init__(self, module: Any) -> None:
        self._compressor = module.Compressor(quality=_FAST)

    def compress(self, data: bytes, /) -> bytes:
        return cast("bytes", self._compressor.process(data))

    def flush(self) -> bytes:
        return cast("bytes", self._compressor.finish())


def _zstd_module() -> str:
    return "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def _compressor(coding: Coding) -> _Compressor:
    if coding == "gzip":
        return zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP_WBITS)
    if coding == "deflate":
        # RFC 9110, section 8.4.1.2: "deflate" is the zlib format.
        return zlib.compressobj(_FAST, zlib.DEFLATED, _ZLIB_WBITS)
    if coding == "br":
        return _Brotli(importlib.import_module("brotli"))
    module = importlib.import_module(_zstd_module())
    return cast("_Compressor", module.ZstdCompressor(level=_FAST))


def check(coding: Coding) -> None:
    """Check that a coding can be used here.

    Raises:
        ConfigurationError: The package it needs is not installed.
    """
    try:
        _compressor(coding)
    except ImportError:
        package = {"br": "Brotli", "zstd": "backports.zstd"}[coding]
        raise ConfigurationError(
            f"compression is {coding!r}, which needs the package {package}: "
            f"pip install {package}"
        ) from None


def accepts(header: str, coding: Coding) -> bool:
    """Return whether an Accept-Encoding value allows a coding (RFC 9110, 12.5.3)."""
    weights = {}
    for item in header.lower().split(","):
        name, _, parameters = item.partition(";")
        weight = parameters.replace(" ", "").removeprefix("q=") or "1"
        weights[name.strip()] = weight.strip("0.") != ""
    return weights.get(coding, weights.get("*", False))


def encode(pieces: Iterable[bytes], coding: Coding | None) -> Iterator[bytes]:
    """Yield the pieces compressed; empty ones may occur."""
    if coding is None:
        yield from pieces
        return
    compressor = _compressor(coding)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()
