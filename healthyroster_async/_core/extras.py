"""Packages that only an extra installs."""

from __future__ import annotations

import importlib
from typing import Any

from healthyroster_async._core.errors import MissingExtraError


def extra(module: str, name: str) -> Any:
    """Return a module that an extra installs.

    Args:
        module: Its name.
        name: The extra.

    Raises:
        MissingExtraError: It is not installed; the text names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(
            f"{module.partition('.')[0]} is not installed: "
            f"pip install 'healthyroster-async[{name}]'"
        ) from None
