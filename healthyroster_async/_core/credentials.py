"""A secret that does not show itself, and the credential set that holds one."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any, NoReturn, TypeAlias

from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import Environment


class Secret:
    """A text that is shown to nobody who does not ask for it by name.

    It is absent from ``repr``, ``str``, ``format``, ``attrs.asdict`` and JSON, and it
    refuses to be pickled: a process that needs it reads it from where it is kept.
    """

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise ConfigurationError(
                f"a secret is a text, not {type(value).__name__}"
            ) from None
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret('***')"

    @override
    def __str__(self) -> str:
        return "***"

    @override
    def __format__(self, format_spec: str) -> str:
        return "***"

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    @override
    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @override
    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    @override
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Secret is not pickled: read it from the environment or a file in the "
            "process that needs it"
        )

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def _application_id(value: str) -> str:
    return _header_value("application_id", value)


def _application_secret(value: str | Secret) -> Secret:
    text = value.reveal() if isinstance(value, Secret) else value
    return Secret(_header_value("application_secret", text))


def _header_value(name: str, value: str) -> str:
    """Refuse what cannot stand in a header field (RFC 9110, section 5.5)."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is a {type(value).__name__}; give a text")
    if not value.strip():
        raise ConfigurationError(f"{name} is empty")
    if value != value.strip():
        raise ConfigurationError(
            f"{name} begins or ends with white space; a line end copied with it?"
        )
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError(
            f"{name} holds a character that cannot stand in a header field"
        )
    return value


@frozen
class Credentials:
    """What the vendor hands out for one environment.

    Attributes:
        application_id: The application id.
        application_secret: The application secret; a text given here is wrapped.
    """

    application_id: str = field(converter=_application_id)
    application_secret: Secret = field(converter=_application_secret)


# A coroutine function that returns them: called when a pool starts and after a 401.
FetchCredentials: TypeAlias = Callable[[], Awaitable[Credentials]]


def check_credentials(credentials: Any, hosts: Container[Environment]) -> None:
    """Refuse what is no credential set, or leads to none, or belongs to no host.

    Raises:
        ConfigurationError: The text says what to give.
    """
    if not isinstance(credentials, Mapping) or not credentials:
        raise ConfigurationError(
            "credentials are given per environment: {Environment.SANDBOX: "
            "Credentials(...)}"
        )
    for environment, given in credentials.items():
        known = isinstance(given, Credentials) or callable(given)
        if not isinstance(environment, Environment) or not known:
            raise ConfigurationError(
                "credentials map members of Environment to Credentials, or to an async "
                f"function that returns them, not {type(environment).__name__} to "
                f"{type(given).__name__}"
            )
        if environment not in hosts:
            raise ConfigurationError(
                f"there are credentials of {environment.value}, but the contract has "
                "no base URL for it; give base_urls=, or set "
                f"HEALTHYROSTER_{environment.name}_BASE_URL"
            )
    check_apart(
        {e: given for e, given in credentials.items() if isinstance(given, Credentials)}
    )


def check_apart(credentials: Mapping[Environment, Credentials]) -> None:
    """Refuse one secret for two environments: one of them would get the other's.

    Raises:
        ConfigurationError: Two are the same.
    """
    secrets = [c.application_secret for c in credentials.values()]
    if len(set(secrets)) < len(secrets):
        raise ConfigurationError(
            "sandbox and production have the same application secret; the vendor "
            "gives each its own, so one of them stands in the wrong place"
        )
