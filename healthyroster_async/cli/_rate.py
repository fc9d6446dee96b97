"""Rate limits as they are typed: ``20/1``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import rich_click as click

from healthyroster_async._core.errors import ConfigurationError

if TYPE_CHECKING:
    from healthyroster_async.emulator import RateLimit

METAVAR = "CALLS/SECONDS"
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?)s?)?")


def rate(text: str | RateLimit) -> RateLimit:
    """Read calls and seconds with a slash between; without one it is per second.

    Raises:
        click.BadParameter: It is no rate, or one that allows nothing.
    """
    from healthyroster_async.emulator import RateLimit  # noqa: PLC0415 - slow

    if isinstance(text, RateLimit):
        return text
    match = _RATE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no rate; give one such as 20/1")
    try:
        return RateLimit(rate=float(match[1]), per=float(match[2] or 1))
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None
