"""What came of each call of a fan-out."""

from __future__ import annotations

from collections.abc import (
    Hashable,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    Sized,
    ValuesView,
)
from typing import Any, Generic, TypeAlias

from attrs import field, frozen
from typing_extensions import TypeVar, override

from healthyroster_async._core.errors import ForbiddenError, HealthyRosterError
from healthyroster_async._core.html import table

V = TypeVar("V")
_D = TypeVar("_D")
V_co = TypeVar("V_co", covariant=True)
K_co = TypeVar("K_co", covariant=True, default=int | str)


@frozen(kw_only=True)
class Succeeded(Generic[V_co]):
    """The call gave a value.

    Attributes:
        key: What the call was made for: the provider id, or the name in a session's
            fan-out.
        provider_id: The Healthcare Provider.
        value: What it gave; left out of ``repr`` because it may hold health data.
    """

    key: Hashable
    provider_id: int | str
    value: V_co = field(repr=False)


@frozen(kw_only=True)
class Denied:
    """The API gave no access (403).

    Attributes:
        key: What the call was made for.
        provider_id: The Healthcare Provider.
        error: The refusal.
    """

    key: Hashable
    provider_id: int | str
    error: ForbiddenError


@frozen(kw_only=True)
class Failed:
    """The call failed for good.

    Attributes:
        key: What the call was made for.
        provider_id: The Healthcare Provider.
        error: Why.
    """

    key: Hashable
    provider_id: int | str
    error: HealthyRosterError


@frozen(kw_only=True)
class Skipped:
    """The call was not made, or not to its end.

    The pool was closed, or with ``skip_denied=True`` it was known that the call would
    be denied; then ``error`` is a ``KnownDenialError``.

    Attributes:
        key: What the call would have been made for.
        provider_id: The Healthcare Provider.
        error: Why.
    """

    key: Hashable
    provider_id: int | str
    error: HealthyRosterError


Outcome: TypeAlias = Succeeded[V] | Denied | Failed | Skipped


@frozen
class Progress:
    """How far a fan-out is.

    Attributes:
        done: Calls that came to an end.
        succeeded: ... with a value.
        denied: ... without access.
        failed: ... with an error.
        skipped: ... before they were made.
        total: Calls in all, or ``None`` if the input does not say. What comes again is
            taken off when it is met.
    """

    done: int = 0
    succeeded: int = 0
    denied: int = 0
    failed: int = 0
    skipped: int = 0
    total: int | None = None


@frozen
class Outcomes(Generic[V, K_co]):
    """Every outcome of a fan-out, in the order of its input.

    It is looked up in as a dict is: ``outcomes[42]``, ``42 in outcomes``, ``get``,
    ``keys``, ``items``, ``dict(outcomes)``. Unlike a dict it gives its values when it
    is gone through: ``for outcome in outcomes`` as over ``as_completed``.

    In an annotation it is ``Outcomes[V]`` of values, or ``Outcomes[V, int]`` where the
    keys are known to be numbers.
    """

    _by_key: Mapping[K_co, Outcome[V]] = field(repr=False)

    @property
    def succeeded(self) -> dict[K_co, V]:
        """Values by key."""
        return {key: o.value for key, o in self.items() if isinstance(o, Succeeded)}

    @property
    def denied(self) -> dict[K_co, ForbiddenError]:
        """Refusals by key."""
        return {key: o.error for key, o in self.items() if isinstance(o, Denied)}

    @property
    def failed(self) -> dict[K_co, HealthyRosterError]:
        """Errors by key."""
        return {key: o.error for key, o in self.items() if isinstance(o, Failed)}

    @property
    def skipped(self) -> dict[K_co, HealthyRosterError]:
        """Why calls were not made, by key."""
        return {key: o.error for key, o in self.items() if isinstance(o, Skipped)}

    def raise_for_failures(self) -> None:
        """Do nothing if every call gave a value.

        Raises:
            ExceptionGroup: The errors of all that were denied, failed or skipped.
        """
        errors = [o.error for o in self if not isinstance(o, Succeeded)]
        if errors:
            raise ExceptionGroup(
                f"{len(errors)} of {len(self)} calls gave no value", errors
            )

    def __iter__(self) -> Iterator[Outcome[V]]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def __getitem__(self, key: Hashable) -> Outcome[V]:
        return self._by_key[key]  # type: ignore[index]

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def get(
        self, key: Hashable, default: Outcome[V] | _D | None = None
    ) -> Outcome[V] | _D | None:
        """Return the outcome of a key, or *default* if there is none."""
        return self._by_key.get(key, default)  # type: ignore[arg-type]

    def keys(self) -> KeysView[K_co]:
        """What the calls were made for."""
        return self._by_key.keys()

    def values(self) -> ValuesView[Outcome[V]]:
        """The outcomes, as iterating gives them."""
        return self._by_key.values()

    def items(self) -> ItemsView[K_co, Outcome[V]]:
        """The outcomes with what the calls were made for."""
        return self._by_key.items()

    @property
    def _summary(self) -> str:
        return (
            f"{len(self.succeeded)} succeeded, {len(self.denied)} denied, "
            f"{len(self.failed)} failed, {len(self.skipped)} skipped"
        )

    @override
    def __repr__(self) -> str:
        return f"<Outcomes: {self._summary}>"

    def _repr_html_(self) -> str:
        rows = ((o.key, type(o).__name__.lower(), _what_came(o)) for o in self)
        return table(self._summary, ("call", "outcome", "what came"), rows)


def _what_came(outcome: Outcome[Any]) -> str:
    """Say what a call gave, without a value of it."""
    if not isinstance(outcome, Succeeded):
        return str(outcome.error)
    value = outcome.value
    kind = type(value).__name__
    return f"{kind} of {len(value)}" if isinstance(value, Sized) else kind
