"""A server that is told answer by answer what to do, on connections that it keeps."""

from __future__ import annotations

import asyncio
import enum
import socket
import struct

from fakes import contract, credentials

from healthyroster_async import ConnectionPool, Environment


class End(enum.Enum):
    """What comes instead of the rest of an answer."""

    HANG_UP = "the connection is closed"
    RESET = "the connection is broken with RST"
    SILENCE = "nothing comes until the client goes"


HANG_UP, RESET, SILENCE = End


def answer(status=200, body=b"[]", **headers):
    fields = {"Content-Length": len(body), "Content-Type": "application/json"}
    lines = [f"{k.replace('_', '-')}: {v}" for k, v in {**fields, **headers}.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} x", *lines, "", ""])
    return head.encode() + body


class Server:
    """Answers requests by a script, on connections that it keeps open.

    A step of the script is an answer, an ``End``, or both; after the last one it goes
    on with *then*.

    Attributes:
        requests: The method of each request that came.
        heads: Its request line and header fields.
    """

    def __init__(self, *script, then=None):
        self.script = list(script)
        self.then = answer() if then is None else then
        self.requests = []
        self.heads = []
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def pool(self, **options):
        own = contract(base_urls={Environment.SANDBOX: self.url})
        return ConnectionPool(
            {Environment.SANDBOX: credentials()}, contract=own, **options
        )

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                fields = dict(
                    line.lower().split(": ", 1) for line in head.splitlines()[1:-1]
                )
                await reader.readexactly(int(fields.get("content-length", 0)))
                self.requests.append(head.split()[0])
                self.heads.append(head)
                step = self.script.pop(0) if self.script else self.then
                for part in step if isinstance(step, tuple) else (step,):
                    if isinstance(part, End):
                        await _end(part, reader, writer)
                        return
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _end(end, reader, writer):
    if end is SILENCE:
        await reader.read()
    if end is RESET:
        # What was written leaves, and then a lingering time of zero makes RST of FIN.
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
