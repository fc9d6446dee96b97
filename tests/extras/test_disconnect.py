"""What the framework raises while a body comes reaches the app."""

import asyncio

import pytest

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
