"""What users import of the integrations."""

from importlib import import_module
from pathlib import Path

import pytest
from documented import check_documented

MODULES = sorted(
    path.stem for path in Path("healthyroster_async/integrations").glob("[a-z]*.py")
)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name):
    """
    The reference is made of it; what is not explained there is not usable.
    """
    check_documented(import_module(f"healthyroster_async.integrations.{name}"))
