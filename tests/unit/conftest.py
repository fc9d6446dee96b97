import pytest

from healthyroster_async.testing import VirtualTimeLoop


@pytest.fixture
def anyio_backend():
    """Unit tests run in virtual time: sleeping is instant and exact."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}
