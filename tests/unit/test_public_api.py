"""What users import."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import healthyroster_async
from healthyroster_async import emulator, models, pull, testing

MODULES = [healthyroster_async, models, emulator, pull, testing]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_listed_sorted_and_documented(module):
    """
    What is not listed is not public, and what is not explained is not usable.
    """
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            assert value.__doc__, name
            for member, function in inspect.getmembers(value, inspect.isfunction):
                ours = function.__module__.startswith("healthyroster_async")
                if ours and not member.startswith("_"):
                    assert inspect.getdoc(function), f"{name}.{member}"


def test_importing_costs_no_extra():
    """
    The core is five packages; an extra is imported when it is used.
    """
    script = "import sys, healthyroster_async; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert not loaded & {"click", "rich", "uvloop", "pyarrow", "polars", "pandas"}
    assert not loaded & {"keyring", "tomlkit"}


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

    assert len(told) == len(set(told))
    assert {name for module in MODULES for name in module.__all__} == set(told)
