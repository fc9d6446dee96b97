"""Putting the secrets on: last, and only on what goes to the right host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.settings import Environment


class AuthenticationPolicy:
    """Signs requests of one environment, and refuses those to any other host."""

    def __init__(
        self, environment: Environment, credentials: Credentials, contract: Contract
    ) -> None:
        self._environment = environment
        self._inside = contract.base_urls[environment] + "/"
        self._secrets = {
            contract.application_id_header: credentials.application_id,
            contract.application_secret_header: credentials.application_secret.reveal(),
        }

    def __call__(
        self,
        request: Request,
        send: Callable[[SignedRequest], Awaitable[Response]],
    ) -> Awaitable[Response]:
        """Send *request* with the two credential header fields."""
        if request.environment is not self._environment or not request.url.startswith(
            self._inside
        ):
            raise ConfigurationError(
                f"{request.label}: this request does not go to the "
                f"{self._environment.value} environment, so its credentials stay here"
            )
        return send(SignedRequest(request, self._secrets))
