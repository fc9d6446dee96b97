"""Validators of settings: they name the field and say what it takes."""

from __future__ import annotations

import math
from typing import Any

from attrs import Attribute
from attrs.validators import in_

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import check_number


def choice(*allowed: object) -> Any:
    """Make a validator that names the field and what it takes."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        try:
            in_(allowed)(instance, attribute, value)
        except ValueError:
            names = ", ".join(repr(name) for name in allowed)
            raise ConfigurationError(
                f"{_name(instance, attribute)} is {value!r}; give one of {names}"
            ) from None

    return check


def number(*, above: float | None = None, least: float | None = None) -> Any:
    """Make a validator for a finite number that names the field and its bound."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        name = _name(instance, attribute)
        check_number(name, value, above=above, least=least)

    return check


def whole(*, least: int, most: float = math.inf) -> Any:
    """Make a validator for a whole number; ``None`` is left to the field's default."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        if value is None and attribute.default is None:
            return
        name = _name(instance, attribute)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigurationError(f"{name} is {value!r}; give a whole number")
        if not least <= value <= most:
            raise ConfigurationError(
                f"{name} is {value!r}; give a number from {least} to {most}"
            )

    return check


def _name(instance: object, attribute: Attribute[Any]) -> str:
    return f"{type(instance).__name__}.{attribute.alias or attribute.name}"
