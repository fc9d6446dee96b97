import pytest


@pytest.fixture
def anyio_backend():
    """Real sockets, and asyncio's own checks."""
    return "asyncio", {"debug": True}
