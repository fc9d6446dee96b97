"""Rate limits as they are typed: ``20/1``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import rich_click as click
from typing_extensions import override

from healthyroster_async._core.errors import ConfigurationError

if TYPE_CHECKING:
    from healthyroster_async.emulator import RateLimit

_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?)s?)?")


class RateType(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Requests and seconds, with a slash between."""

    name = "N/SECONDS"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> RateLimit:
        from healthyroster_async.emulator import RateLimit  # noqa: PLC0415 - slow

        if isinstance(value, RateLimit):
            return value
        match = _RATE.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no rate; give calls and seconds, as in 20/1")
        try:
            return RateLimit(rate=float(match[1]), per=float(match[2] or 1))
        except ConfigurationError as error:
            self.fail(str(error))
