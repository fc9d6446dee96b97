import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture
def anyio_backend():
    """Real sockets, and asyncio's own checks."""
    return "asyncio", {"debug": True}
