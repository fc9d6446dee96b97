"""Sending an answer, and all the ways in which that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterable
from typing import NoReturn

from aiohttp import web

from healthyroster_async.emulator.answers import Answer, cut
from healthyroster_async.emulator.encoding import Coding, accepts, encode
from healthyroster_async.emulator.faults import Fault

_CUT_KINDS = frozenset({"reset-inside", "truncate", "stall"})
_FLUSH_S = 1.0
_TICK_S = 0.005


async def send(
    request: web.BaseRequest, answer: Answer, fault: Fault | None, coding: Coding | None
) -> web.StreamResponse:
    """Send an answer. With a fault that breaks it, this never returns.

    Args:
        request: What is answered.
        answer: The answer.
        fault: What goes wrong on the way; one of the kinds that change the answer
            itself changes nothing here, but ``malformed`` does.
        coding: Compression to use if the request accepts it.
    """
    kind = fault.kind if fault is not None else None
    after = fault.after_bytes if fault is not None else 0
    if coding is not None and not accepts(
        request.headers.get("Accept-Encoding", ""), coding
    ):
        coding = None
    response = _head(answer, coding)
    # Broken before it is compressed: the coding is sound, the JSON is not.
    pieces = cut(answer.pieces, after) if kind == "malformed" else answer.pieces
    body: Iterable[bytes] = encode(pieces, coding)
    if answer.rows is None:
        whole = b"".join(body)
        response.content_length = len(whole)
        body = (whole,)
    if kind in _CUT_KINDS:
        body = cut(body, after)
    try:
        await response.prepare(request)
        for piece in body:
            if piece:
                await response.write(piece)
            # Writing does not give way while the socket takes all of it.
            await asyncio.sleep(0)
        if kind in _CUT_KINDS:
            await _break(request, kind)
        await response.write_eof()
    except ConnectionError:
        # The client has gone, and takes this handler with it.
        await _never()
    return response


def _head(answer: Answer, coding: Coding | None) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
    if answer.content_type:
        response.headers["Content-Type"] = answer.content_type
    if coding is not None:
        response.headers["Content-Encoding"] = coding
        response.headers["Vary"] = "Accept-Encoding"
    return response


async def _break(request: web.BaseRequest, kind: str | None) -> NoReturn:
    await _flush(request)
    if kind == "reset-inside":
        await reset(request)
    if kind == "truncate" and request.transport is not None:
        request.transport.close()
    await _never()


async def reset(request: web.BaseRequest) -> NoReturn:
    """Break the connection with RST instead of FIN."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            # A lingering time of zero makes close() send RST.
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        transport.abort()
    await _never()


async def _flush(request: web.BaseRequest) -> None:
    """Wait until what was written has left, and had the time to arrive."""
    transport = request.transport
    if not isinstance(transport, asyncio.WriteTransport):
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FLUSH_S):
            while transport.get_write_buffer_size():  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(_TICK_S)
    await asyncio.sleep(_TICK_S)


async def _never() -> NoReturn:
    """Wait to be cancelled: when the connection is gone, or the server closes."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets the event")  # pragma: no cover
