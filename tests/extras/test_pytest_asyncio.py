"""The pytest plugin beside pytest-asyncio, in both its modes."""

import subprocess
import sys
import textwrap

import pytest

TEST = """
    import pytest

    {mark}
    async def test_five_lines(healthyroster_pool):
        async with healthyroster_pool as pool:
            sources = await pool.session(1).reporting.data_sources()
        assert len(sources) == 9
"""


@pytest.mark.parametrize(
    ("mode", "mark"), [("strict", "@pytest.mark.asyncio"), ("auto", "")]
)
def test_the_fixtures_work_with_it(mode, mark, tmp_path):
    """
    Most suites of async apps use it.
    """
    code = textwrap.dedent(TEST).format(mark=mark)
    (tmp_path / "test_it.py").write_text(code)
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = {mode}\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:anyio"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
