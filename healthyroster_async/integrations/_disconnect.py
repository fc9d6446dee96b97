"""Ending what nobody waits for any more (ASGI)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

from healthyroster_async.integrations._problems import broke_off

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

# Messages of a body that are taken before the app asks: behind it stands that the
# client has gone. Servers send 64 KiB in one, so it is about a megabyte.
_AHEAD = 16
# What nginx logs of a client that closed its request; nobody reads the answer.
_LEFT = 499


class CancelOnDisconnect:
    """Cancels the handling of a request when its client has gone.

    The calls that it waits for give back their places then. It is ASGI middleware, so
    any framework takes it. What runs after the whole answer was sent, such as
    background tasks, is left alone. A client that goes while more than a megabyte of
    its body is unread is seen when the app reads on.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(  # noqa: C901, PLR0915 - small steps that share their state
        self, scope: Any, receive: Any, send: Any
    ) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        handling = asyncio.current_task()
        assert handling is not None  # noqa: S101 - servers call it in a task
        messages: asyncio.Queue[Message | Exception] = asyncio.Queue(_AHEAD)
        begun = answered = gone = False

        async def watch() -> None:
            nonlocal gone
            while True:
                try:
                    message = await receive()
                except Exception as error:  # noqa: BLE001 - the app is to have it
                    await messages.put(error)
                    return
                if message["type"] == "http.disconnect" and not answered:
                    gone = True
                    handling.cancel()
                await messages.put(message)
                if message["type"] == "http.disconnect":
                    return

        async def come() -> Message:
            message = await messages.get()
            if isinstance(message, Exception):
                messages.put_nowait(message)  # for who asks again
                raise message
            if message["type"] == "http.disconnect":
                messages.put_nowait(message)  # for who asks again, as servers do
            return message

        async def told(message: Message) -> None:
            nonlocal begun, answered
            begun = True
            if message["type"] == "http.response.body":
                answered = not message.get("more_body", False)
            await send(message)

        watching = asyncio.create_task(watch())
        try:
            await self._app(scope, come, told)
        except asyncio.CancelledError:
            # Somebody else may have cancelled it too, such as a server that ends.
            if not gone or handling.uncancel() > 0:
                raise
            if not begun:
                # Middleware around this one takes no answer at all for an error.
                with suppress(OSError):
                    await send(
                        {"type": "http.response.start", "status": _LEFT, "headers": []}
                    )
                    await send({"type": "http.response.body"})
        except Exception as error:
            if begun and not answered:
                broke_off(error)
            raise
        finally:
            watching.cancel()
            await asyncio.wait([watching])
