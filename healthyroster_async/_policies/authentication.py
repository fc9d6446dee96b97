"""Putting the secrets on: last, and only on what goes to the right host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.settings import Environment


class AuthenticationPolicy:
    """Signs requests of one environment, and refuses those to any other host.

    Attributes:
        environment: The one it signs for.
        credentials: Those that requests are signed with.
        renewals: How often they have been replaced.
    """

    def __init__(
        self, environment: Environment, credentials: Credentials, contract: Contract
    ) -> None:
        self.environment: Environment = environment
        self.renewals: int = 0
        self._inside = contract.base_urls[environment] + "/"
        self._names = (
            contract.application_id_header,
            contract.application_secret_header,
        )
        self._use(credentials)

    def replace(self, credentials: Credentials) -> None:
        """Sign with these from now on."""
        self._use(credentials)
        self.renewals += 1

    def _use(self, credentials: Credentials) -> None:
        self.credentials: Credentials = credentials
        # Made once, for every request needs it.
        secret = credentials.application_secret.reveal
        id_name, secret_name = self._names
        self._secrets = {id_name: credentials.application_id, secret_name: secret()}

    def __call__(
        self,
        request: Request,
        send: Callable[[SignedRequest], Awaitable[Response]],
    ) -> Awaitable[Response]:
        """Send *request* with the two credential header fields."""
        if request.environment is not self.environment or not request.url.startswith(
            self._inside
        ):
            raise ConfigurationError(
                f"{request.label}: this request does not go to the "
                f"{self.environment.value} environment, so its credentials stay here"
            )
        return send(SignedRequest(request, self._secrets))
