"""Faults: what goes wrong, for which requests, and how often."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from attrs import Attribute, Factory, define, field, frozen

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import check_number
from healthyroster_async.emulator.checks import choice, number, whole
from healthyroster_async.emulator.operations import ENDPOINTS, OPERATIONS, REPORTING

FaultKind: TypeAlias = Literal[
    "status",
    "reset",
    "reset-inside",
    "truncate",
    "stall",
    "malformed",
    "html",
    "redirect",
]
KINDS: tuple[FaultKind, ...] = (
    "status",
    "reset",
    "reset-inside",
    "truncate",
    "stall",
    "malformed",
    "html",
    "redirect",
)
# A line break would end the header field.
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


_IDS = {name.lower(): endpoint for endpoint, name in REPORTING.items()} | {
    operation.id.lower(): operation.endpoint for operation in OPERATIONS
}


def endpoint_name(value: str) -> str:
    """Check the name of an endpoint.

    Raises:
        ConfigurationError: There is no such endpoint; the text names near ones.
    """
    if value in {*ENDPOINTS, "*"}:
        return value
    # Whoever has the document at hand gives the operationId.
    text = str(value).lower()
    near = [_IDS[text]] if text in _IDS else difflib.get_close_matches(text, ENDPOINTS)
    if near:
        raise ConfigurationError(
            f"endpoint is {value!r}; did you mean {' or '.join(near)}?"
        )
    raise ConfigurationError(
        f"endpoint is {value!r}; give '*', {', '.join(REPORTING)}, or the operationId "
        "of another operation in snake_case, such as get_patients"
    )


def _probability(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        number(least=0.0)(instance, attribute, value)
        if value > 1:
            raise ConfigurationError(f"Fault.probability is {value!r}; the most is 1")


def _retry_after(value: str | float | None) -> str | None:
    """Return seconds as Retry-After has them; a text is sent as it is."""
    if value is None or isinstance(value, str):
        return value
    check_number("Fault.retry_after", value, least=0)
    return f"{value:.15g}"  # not as 2.592e+06


def _header(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not _FIELD_VALUE.fullmatch(value):
        raise ConfigurationError(
            f"Fault.{attribute.name} is {value!r}; give a text in one line"
        )


@frozen(kw_only=True)
class Fault:
    """One thing that goes wrong.

    Only requests that would have been answered well can meet it: those with the right
    credentials, inside the limit, granted and valid. As an ``outage`` it meets all.

    Attributes:
        kind: ``status`` answers an error status with a JSON body; ``reset`` breaks the
            connection before the first byte, ``reset-inside`` in the body;
            ``truncate`` ends it there as if all was well; ``stall`` goes silent there;
            ``malformed`` sends broken JSON in sound HTTP; ``html`` an error page;
            ``redirect`` points to another origin.
        status: Status of the kinds ``status`` and ``html``.
        endpoint: Endpoint it happens at, ``*`` for all.
        provider: Provider it happens to, ``*`` for all.
        every: Happens to every n-th matching request.
        probability: Happens with this probability; the emulator's seed decides.
        times: Happens so many times at most.
        after_bytes: Bytes of the body that arrive before it happens.
        retry_after: Seconds in a Retry-After header, for ``status`` and ``html``; a
            text is its value as it is.
        location: Where ``redirect`` points; ``None`` is the emulator's own other
            origin, which counts the secrets that arrive there.
    """

    kind: FaultKind = field(validator=choice(*KINDS))
    status: int = field(default=503, validator=whole(least=200, most=599))
    endpoint: str = field(default="*", converter=endpoint_name)
    provider: int | str = "*"
    every: int | None = field(default=None, validator=whole(least=1))
    probability: float | None = field(default=None, validator=_probability)
    times: int | None = field(default=None, validator=whole(least=0))
    after_bytes: int = field(default=1000, validator=whole(least=0))
    retry_after: str | None = field(
        default=None, converter=_retry_after, validator=_header
    )
    location: str | None = field(default=None, validator=_header)

    def matches(self, endpoint: str, provider: int | str) -> bool:
        """Return whether it may happen to a request."""
        return self.endpoint in {"*", endpoint} and str(self.provider) in {
            "*",
            str(provider),
        }


@define
class _Count:
    fault: Fault
    seen: int = 0
    happened: int = 0


def _counts(faults: Iterable[Fault]) -> list[_Count]:
    counts = []
    for fault in faults:
        if not isinstance(fault, Fault):
            raise ConfigurationError(f"{fault!r} is no Fault; give Fault(kind=...)")
        counts.append(_Count(fault))
    return counts


@define
class FaultPlan:
    """Decides what goes wrong next.

    Attributes:
        counts: The faults and how often each was met.
        seed: Decides the probable ones.
    """

    counts: list[_Count] = field(converter=_counts)
    seed: int = 0
    _rng: random.Random = field(
        init=False,
        default=Factory(
            lambda self: random.Random(f"{self.seed}/faults"),  # noqa: S311
            takes_self=True,
        ),
    )

    def add(self, fault: Fault) -> None:
        """Add a fault after the others."""
        self.counts.extend(_counts([fault]))

    def next(self, endpoint: str, provider: int | str) -> Fault | None:
        """Count a request and return what goes wrong with it: the first that is due."""
        due: _Count | None = None
        for count in self.counts:
            fault = count.fault
            if not fault.matches(endpoint, provider):
                continue
            count.seen += 1
            unlucky = (
                fault.probability is None or self._rng.random() < fault.probability
            )
            if (
                due is None
                and unlucky
                and count.seen % (fault.every or 1) == 0
                and (fault.times is None or count.happened < fault.times)
            ):
                due = count
        if due is None:
            return None
        due.happened += 1
        return due.fault
