"""What the framework raises while a body comes reaches the app."""

import asyncio

import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from healthyroster_async.integrations._disconnect import CancelOnDisconnect


async def test_an_error_of_the_body_reaches_the_app():
    """
    A body that is too large was waited for without end.
    """

    async def receive():
        raise ValueError("too large")

    async def app(scope, receive, send):
        for _ in range(2):
            with pytest.raises(ValueError, match="too large"):
                await receive()
        raise ValueError("told")

    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="told"):
            await CancelOnDisconnect(app)({"type": "http"}, receive, None)


async def test_middleware_around_it_gets_an_answer():
    """
    Without any, Starlette's would log an error for each client that leaves.
    """
    sent = []
    messages = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    async def endless(scope, receive, send):
        await asyncio.Event().wait()

    async def passed_on(request, call_next):
        return await call_next(request)

    app = BaseHTTPMiddleware(CancelOnDisconnect(endless), passed_on)
    async with asyncio.timeout(5):
        await app({"type": "http", "method": "GET", "headers": []}, receive, send)

    assert sent[0]["status"] == 499
    assert [message["type"] for message in sent[1:]] == ["http.response.body"]


async def test_a_client_that_has_gone_is_told_of_as_often_as_the_app_asks():
    """
    Servers say it each time; whoever asks twice would wait without end.
    """
    messages = [{"type": "http.request"}, {"type": "http.disconnect"}]
    seen = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        """Nobody is there."""

    async def app(scope, receive, send):
        await send({"type": "http.response.body"})
        for _ in range(3):
            message = await receive()
            seen.append(message["type"])

    async with asyncio.timeout(5):
        await CancelOnDisconnect(app)({"type": "http"}, receive, send)

    assert seen == ["http.request", "http.disconnect", "http.disconnect"]
