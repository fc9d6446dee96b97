"""Rate limits as they are typed: ``20/1``, and what else there is to say of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from healthyroster_async._core.errors import ConfigurationError

if TYPE_CHECKING:
    from healthyroster_async.emulator import RateLimit

F = TypeVar("F", bound=Callable[..., Any])

METAVAR = "CALLS/SECONDS"
# Written down here too: importing the emulator would slow down every command.
KINDS = ("bucket", "window", "sliding", "concurrency", "firewall")
SCOPES = ("application", "provider")
HEADERS = (
    "none",
    "retry-after",
    "retry-after-date",
    "retry-after-ms",
    "x-ratelimit",
    "x-ratelimit-epoch",
    "x-ratelimit-epoch-ms",
    "x-ratelimit-iso",
    "ietf",
    "ietf-old",
    "aspnet",
    "aspnetcoreratelimit",
    "azure",
    "azure-quota",
    "cloudflare",
)
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


_PREFIX = "limit_"
_OPTIONS = (
    click.option(
        "--rate-limit",
        type=rate,
        metavar=METAVAR,
        help="Calls allowed in so many seconds: 20/1. The options that begin with "
        "--limit say what kind of limit it is.",
    ),
    click.option(
        "--limit-kind",
        type=click.Choice(KINDS),
        metavar="KIND",
        help="bucket refills steadily (the default); window forgets all at its end; "
        "sliding looks back; concurrency allows so many at once; firewall answers one "
        "call too many with a block.",
    ),
    click.option(
        "--limit-burst",
        metavar="CALLS",
        type=click.IntRange(1),
        help="Calls that a full bucket allows at once.",
    ),
    click.option(
        "--limit-block",
        metavar="SECONDS",
        type=click.FloatRange(0, min_open=True),
        help="Seconds that a firewall rejects everything.",
    ),
    click.option(
        "--limit-aligned",
        is_flag=True,
        default=None,
        help="Windows begin on the clock, not with the first call.",
    ),
    click.option(
        "--limit-count-rejected",
        is_flag=True,
        default=None,
        help="Rejected calls count against the limit too.",
    ),
    click.option(
        "--limit-scope",
        type=click.Choice(SCOPES),
        help="Whose calls are counted together: those of the application (the "
        "default), or those to each provider.",
    ),
    click.option(
        "--limit-headers",
        type=click.Choice(HEADERS),
        metavar="STYLE",
        help="What answers say about the limit: retry-after, if you do not choose, or "
        f"one of {', '.join(HEADERS)}.",
    ),
    click.option(
        "--limit-status",
        metavar="STATUS",
        type=click.IntRange(400, 599),
        help="Status of a rejection; 429 if you do not choose, 403 with azure-quota.",
    ),
    click.option(
        "--limit-empty-body",
        is_flag=True,
        default=None,
        help="Rejections have no body, as ASP.NET sends them by default.",
    ),
)


def limit_options(command: F) -> F:
    """Add the options that describe a rate limit; ``take_limit`` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_limit(options: dict[str, Any]) -> RateLimit | None:
    """Take the options of a rate limit out of *options*, and make it of them.

    Raises:
        click.UsageError: They describe a limit, but no rate was given.
        ConfigurationError: They do not go together.
    """
    from healthyroster_async.emulator import RateLimit  # noqa: PLC0415 - slow

    typed: RateLimit | None = options.pop("rate_limit")
    names = [name for name in options if name.startswith(_PREFIX)]
    taken = {name.removeprefix(_PREFIX): options.pop(name) for name in names}
    given = {name: value for name, value in taken.items() if value is not None}
    if typed is not None:
        return RateLimit(rate=typed.rate, per=typed.per, **given)
    if given:
        raise click.UsageError(
            "the options --limit-... describe a limit; give --rate-limit too"
        )
    return None
