"""What the suite itself promises."""

import time
from pathlib import Path

import pytest
from blockbuster import BlockingError


@pytest.mark.parametrize(
    "block",
    [
        lambda: time.sleep(0),
        lambda: Path(__file__).read_text(encoding="utf-8"),
        lambda: list(Path().iterdir()),
    ],
    ids=["sleep", "file", "folder"],
)
async def test_what_blocks_the_loop_fails_the_test(block):
    """
    A call that blocks for 50 ms delays a thousand others, and no assertion sees it.
    """
    with pytest.raises(BlockingError):
        block()
