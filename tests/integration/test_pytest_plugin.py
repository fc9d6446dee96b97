"""The pytest plugin, in runs of pytest as users have them."""

import subprocess
import sys
import textwrap

import code_of

TESTS = """
    import pytest

    @pytest.mark.anyio
    async def test_five_lines(healthyroster_pool):
        async with healthyroster_pool as pool:
            sources = await pool.session(1).reporting.data_sources()
        assert len(sources) == 9

    @pytest.mark.healthyroster(providers=3, rows=7, denied=[(3, "*")])
    class TestMarked:
        @pytest.mark.healthyroster(rows=8)
        def test_settings_are_those_of_the_marker(self, healthyroster_sync_pool):
            pool = healthyroster_sync_pool
            assert len(pool.session(1).reporting.rows(1).to_list()) == 8
            outcomes = pool.fan_out([1, 3], lambda s: s.reporting.data_sources())
            assert set(outcomes.denied) == {3}

    def test_the_emulator_alone(healthyroster_emulator):
        assert healthyroster_emulator.swagger_url.startswith("http://127.0.0.1")

    def test_faults_and_grants(healthyroster_emulator, healthyroster_sync_pool):
        clinic = healthyroster_sync_pool.session(1)
        healthyroster_emulator.add_fault(kind="status", status=502, times=1)
        clinic.reporting.data_sources()
        assert healthyroster_emulator.seen.faults == {"status": 1}
        healthyroster_emulator.deny(1)
        ids = [1, 2]
        outcomes = healthyroster_sync_pool.fan_out(
            ids, lambda s: s.reporting.data_sources()
        )
        assert set(outcomes.denied) == {1}
        healthyroster_emulator.grant(1)
        clinic.reporting.data_sources()
"""


# What the code of a page takes for granted.
NAMES = """
    import pytest
    from healthyroster_async.testing import VirtualTimeLoop

    async def my_report(session):
        return len(await session.reporting.data_sources())

    def my_sync_report(session):
        return len(session.reporting.data_sources())

"""


def run(folder, code, *arguments):
    """Run pytest on code, and return what it printed."""
    (folder / "test_it.py").write_text(textwrap.dedent(code))
    return run_all(folder, *arguments)


def run_all(folder, *arguments):
    """Run pytest in a folder of its own, and return what it printed."""
    started = (sys.executable, "-m", "pytest", "-q", "-W", "error")
    command = (*started, "-p", "no:asyncio", *arguments)
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return ran.stdout + ran.stderr


def test_the_fixtures_are_there_without_an_import(tmp_path):
    """
    Five lines make a test of a user's code.
    """
    out = run(tmp_path, TESTS, "--strict-markers")

    assert "4 passed" in out, out
    assert "error" not in out.lower()


def test_a_setting_without_its_name_is_refused(tmp_path):
    """
    It was ignored, and the test was about another emulator than it said.
    """
    code = """
        import pytest

        @pytest.mark.healthyroster(3)
        def test_it(healthyroster_emulator): pass
    """
    out = run(tmp_path, code)

    assert "takes settings by name, such as providers=3" in out, out


def test_those_who_use_no_fixture_pay_for_none(tmp_path):
    """
    The plugin is in every run of pytest, in every project that has us installed.
    """
    code = """
        import sys

        def test_nothing_is_imported():
            assert not {"healthyroster_async", "aiohttp"} & set(sys.modules)
    """
    out = run(tmp_path, code)

    assert "1 passed" in out, out


def test_the_tests_on_the_page_pass(tmp_path):
    """
    They are copied before they are read.
    """
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    for number, block in enumerate(code_of.blocks("docs/testing.md", "py")):
        file = tmp_path / f"test_{number}.py"
        file.write_text(textwrap.dedent(NAMES) + block)
    out = run_all(tmp_path)

    assert "3 passed" in out, out
