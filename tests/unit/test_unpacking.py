"""What is packed is unpacked exactly, and known to be whole or not."""

import gzip
import sys
import zlib
from functools import partial

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthyroster_async._transports import unpacking
from healthyroster_async._transports.unpacking import (
    CodingError,
    PackedError,
    Unpacker,
    packed_as,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def bare_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": ("gzip", partial(gzip.compress, mtime=0)),
    "x-gzip": (" X-Gzip", partial(gzip.compress, mtime=0)),
    "gzip, stored": ("gzip", partial(gzip.compress, compresslevel=0, mtime=0)),
    "gzip, members": (
        "gzip",
        lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    ),
    "deflate": ("deflate", zlib.compress),
    "deflate, bare": ("deflate", bare_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "zstd, frames": (
        "zstd",
        lambda data: zstd.compress(data[:9]) + zstd.compress(data[9:]),
    ),
}
SEVERAL = {"gzip, members": gzip.compress, "zstd, frames": zstd.compress}
LINES = b"".join(b'{"id":%d,"note":"%d"}\n' % (n, n * 7919) for n in range(40))


def unpacked(coding, pieces, most=1000):
    """Return what comes out, and the unpacker."""
    unpacker = Unpacker(packed_as(coding))
    made = []
    for piece in pieces:
        part = unpacker.take(piece, most)
        while part:
            made.append(part)
            part = unpacker.take(b"", most)
    return b"".join(made), unpacker


@pytest.mark.parametrize("kind", PACKERS)
@given(
    data=st.binary(max_size=300),
    times=st.integers(1, 400),
    size=st.sampled_from([1, 7, 10**6]),
    most=st.sampled_from([1, 100, 2**16]),
)
def test_what_was_packed_comes_back(kind, data, times, size, most):
    if most == 1 or size == 1:
        times = min(times, 5)
    coding, pack = PACKERS[kind]
    packed = pack(data * times)
    pieces = [packed[n : n + size] for n in range(0, len(packed), size)]

    made, unpacker = unpacked(coding, pieces, most)

    assert made == data * times
    unpacker.check_whole()


@pytest.mark.parametrize("kind", PACKERS)
def test_what_has_no_end_is_not_whole(kind):
    """
    Wherever it is cut: but where a member ends, nobody can know that one is missing.
    """
    coding, pack = PACKERS[kind]
    packed = pack(LINES)
    ends = {0}
    if kind in SEVERAL:
        ends.add(len(SEVERAL[kind](LINES[:9])))
    for end in range(len(packed)):
        made, unpacker = unpacked(coding, [packed[:end]])
        assert LINES.startswith(made)
        if end in ends:
            unpacker.check_whole()
        else:
            with pytest.raises(PackedError, match="has no end"):
                unpacker.check_whole()


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("where", ["before", "behind"])
def test_what_is_not_packed_so_is_refused(kind, where):
    """
    The error shows nothing of it.
    """
    coding, pack = PACKERS[kind]
    canary = b"Canary-7c1"
    sent = canary + pack(LINES) if where == "before" else pack(LINES) + canary
    with pytest.raises(PackedError) as caught:
        unpacked(coding, [sent])[1].check_whole()
    assert "Canary" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_small_members_by_the_thousand_cost_no_more_than_their_bytes():
    """
    A decompressor copies what stands behind a member: of all that came it would be
    quadratic, and a MB of them would hold the loop for minutes.
    """
    packed = gzip.compress(b"") * 50_000 + gzip.compress(b"x")
    made, unpacker = unpacked("gzip", [packed])
    assert made == b"x"
    unpacker.check_whole()


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        (None, ""),
        ("", ""),
        ("Identity", ""),
        ("utf-8", ""),
        ("none, identity", ""),
        ("GZIP", "gzip"),
        ("gzip, identity", "gzip"),
        (" x-gzip ,", "gzip"),
        ("br, gzip", "br, gzip"),
    ],
)
def test_only_what_is_registered_says_that_something_is_packed(field, coding):
    """
    Servers write the encoding of a text there, and a text that is there is an answer.
    """
    assert packed_as(field) == coding


def test_a_coding_that_is_not_known_is_named():
    with pytest.raises(CodingError, match=r"'compress'.*not asked for"):
        Unpacker("compress").take(b"x", 1)
    assert Unpacker("compress").take(b"", 1) == b""  # nothing is not packed


def test_a_coding_whose_package_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(unpacking, "_brotli", None)
    monkeypatch.setattr(unpacking, "_zstd", None)
    for coding in ("br", "zstd"):
        with pytest.raises(CodingError, match=coding):
            Unpacker(coding).take(b"x", 1)
