"""The pytest plugin: it imports the package for tests that use a fixture of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from healthyroster_async import ConnectionPool, SyncPool
    from healthyroster_async.emulator import Emulator

MARKER = "healthyroster"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): settings of the test's emulator, such as providers=3, "
        "rows=100, denied=[(3, '*')]",
    )


@pytest.fixture
def healthyroster_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A local Healthy Roster with synthetic data, in a thread of its own."""
    from healthyroster_async.testing import serve_emulator  # noqa: PLC0415

    settings = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        if marker.args:
            raise pytest.UsageError(
                f"the marker {MARKER} takes settings by name, such as providers=3"
            )
        settings.update(marker.kwargs)
    with serve_emulator(**settings) as emulator:
        yield emulator


@pytest.fixture
def healthyroster_pool(healthyroster_emulator: Emulator) -> ConnectionPool:
    """A pool for the emulator: ``async with healthyroster_pool as pool`` opens it."""
    return healthyroster_emulator.pool()


@pytest.fixture
def healthyroster_sync_pool(healthyroster_emulator: Emulator) -> Iterator[SyncPool]:
    """A pool without await for the emulator."""
    from healthyroster_async import SyncPool  # noqa: PLC0415

    emulator = healthyroster_emulator
    with SyncPool(emulator.credentials, contract=emulator.contract()) as pool:
        yield pool
