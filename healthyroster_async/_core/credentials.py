"""A secret that does not show itself, and the credential set that holds one."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import NoReturn, TypeAlias

from attrs import frozen
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
            kind = type(value).__name__
            del value  # error reporters print local variables
            raise ConfigurationError(f"a secret is a text, not {kind}") from None
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


def unfit(name: str, value: object) -> str | None:
    """Return why a value cannot stand in a header field (RFC 9110, section 5.5)."""
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        return f"{name} is a {type(text).__name__}; give a text"
    if not text.strip():
        return f"{name} is empty"
    if text != text.strip():
        return f"{name} begins or ends with white space; a line end copied with it?"
    if not (text.isascii() and text.isprintable()):
        return f"{name} holds a character that cannot stand in a header field"
    return None


@frozen(init=False)
class Credentials:
    """What the vendor hands out for one environment.

    Attributes:
        application_id: The application id.
        application_secret: The application secret; a text given here is wrapped.
    """

    application_id: str
    application_secret: Secret

    def __init__(self, application_id: str, application_secret: str | Secret) -> None:
        # A plain function, for it can forget its arguments: error reporters print
        # local variables, and what is not yet complete cannot be printed.
        why = unfit("application_id", application_id)
        why = why or unfit("application_secret", application_secret)
        if why is not None:
            del self, application_id, application_secret
            raise ConfigurationError(why)
        if not isinstance(application_secret, Secret):
            application_secret = Secret(application_secret)
        object.__setattr__(self, "application_id", application_id)
        object.__setattr__(self, "application_secret", application_secret)


# A coroutine function that returns them: called when a pool starts and after a 401.
FetchCredentials: TypeAlias = Callable[[], Awaitable[Credentials]]


def fault_of(credentials: object, hosts: Container[Environment]) -> str | None:
    """Return why these are no credential sets, lead to none, or belong to no host.

    The caller raises it, who can forget what was given: it may be the secret itself.
    """
    if not isinstance(credentials, Mapping) or not credentials:
        return (
            "credentials are given per environment: {Environment.SANDBOX: "
            "Credentials(...)}"
        )
    for environment, given in credentials.items():
        known = isinstance(given, Credentials) or callable(given)
        if not isinstance(environment, Environment) or not known:
            return (
                "credentials map members of Environment to Credentials, or to an async "
                f"function that returns them, not {type(environment).__name__} to "
                f"{type(given).__name__}"
            )
        if environment not in hosts:
            return (
                f"there are credentials of {environment.value}, but the contract has "
                "no base URL for it; give base_urls=, or set "
                f"HEALTHYROSTER_{environment.name}_BASE_URL"
            )
    return None


def check_apart(
    credentials: Mapping[Environment, Credentials | FetchCredentials],
) -> None:
    """Refuse one secret for two environments: one of them would get the other's.

    Raises:
        ConfigurationError: Two are the same.
    """
    secrets = [
        one.application_secret
        for one in credentials.values()
        if isinstance(one, Credentials)
    ]
    if len(set(secrets)) < len(secrets):
        raise ConfigurationError(
            "sandbox and production have the same application secret; the vendor "
            "gives each its own, so one of them stands in the wrong place"
        )
