"""What users import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from children import unwatched
from documented import check_documented

import healthyroster_async
from healthyroster_async import emulator, models, pull, testing

MODULES = [healthyroster_async, models, emulator, pull, testing]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_listed_sorted_and_documented(module):
    """
    What is not listed is not public, and what is not explained is not usable.
    """
    assert list(module.__all__) == sorted(module.__all__)
    check_documented(module)


def test_importing_costs_no_extra():
    """
    The core is five packages; an extra, and what few pools do, is imported when used.
    """
    script = (
        "import sys; from healthyroster_async import ConnectionPool;print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, env=unwatched(),
    )  # fmt: skip
    loaded = set(done.stdout.split())
    packages = {name.partition(".")[0] for name in loaded}

    assert not packages & {"click", "rich", "uvloop", "pyarrow", "polars", "pandas"}
    assert not packages & {"keyring", "tomlkit", "tomllib", "sqlite3", "opentelemetry"}
    assert not packages & {"duckdb", "fsspec", "yaml", "tqdm", "fastapi", "starlette"}
    ours = {name.partition(".")[2] for name in loaded if name.startswith("healthyr")}
    assert not ours & {"pull._job", "_report.page", "_core.swagger", "_rows.stream"}
    assert not ours & {"_checking", "_config", "_sync", "emulator", "testing", "cli"}


def test_names_that_are_imported_later_are_there_all_the_same():
    """
    Editors and ``dir`` find each of them, and a name that is none is an error at once.
    """
    module = healthyroster_async
    script = (
        "import healthyroster_async as h; print(*dir(h));"
        "assert h.PullPlan is h.PullPlan is h.pull.PullPlan"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert set(module.__all__) <= set(done.stdout.split())
    with pytest.raises(AttributeError, match="has no attribute 'ConectionPool'"):
        _ = module.ConectionPool


def test_every_public_name_is_in_the_reference():
    """
    Who looks a name up finds it, and finds it once.
    """
    text = "".join(page.read_text() for page in sorted(Path("docs/api").glob("*.md")))
    told = re.findall(
        r"^\.\. (?:autoclass|py:type|py:data):: (\w+)", text, re.MULTILINE
    )
    for module in MODULES[1:]:
        assert f".. automodule:: {module.__name__}\n" in text
        told += module.__all__

    for path in Path("healthyroster_async/integrations").glob("[a-z]*.py"):
        assert f".. automodule:: healthyroster_async.integrations.{path.stem}\n" in text

    assert len(told) == len(set(told))
    assert {name for module in MODULES for name in module.__all__} == set(told)
