"""Credentials that are fetched: when a pool starts, and again when they are refused."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, TypeVar

from healthyroster_async._core.credentials import (
    Credentials,
    FetchCredentials,
    check_apart,
)
from healthyroster_async._core.errors import (
    AuthenticationError,
    ConfigurationError,
    HealthyRosterError,
)
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.settings import Environment
from healthyroster_async._policies.authentication import AuthenticationPolicy
from healthyroster_async._policies.deadline import DeadlinePolicy

_T = TypeVar("_T")
# A thousand calls that are refused one after the other need not ask a vault as often.
_AGAIN_S = 1.0
# A vault that has not answered by then may answer who asks it anew.
_LONGEST_S = 60.0


async def fetch_all(
    given: Mapping[Environment, Credentials | FetchCredentials],
) -> dict[Environment, Credentials]:
    """Return the credentials of every environment, fetched where that is needed.

    Raises:
        HealthyRosterError: Some could not be fetched, or two have the same secret.
    """
    credentials = {
        environment: one
        if isinstance(one, Credentials)
        else await fetch(environment, one)
        for environment, one in given.items()
    }
    check_apart(credentials)
    return credentials


async def fetch(environment: Environment, source: FetchCredentials) -> Credentials:
    """Return what *source* gives.

    Raises:
        HealthyRosterError: It failed, or gave something else. Of an error that is not
            ours only class and place are told: its text may hold a secret.
    """
    name = f"the credentials of {environment.value}"
    answer: object = None
    try:
        answer = source()
        if inspect.isawaitable(answer):
            answer = await answer
            if isinstance(answer, Credentials):
                return answer
            kind = type(answer).__name__
            failure = f"{name} were fetched as {kind}; return Credentials(...)"
        else:
            failure = f"{name} come from a plain function; make it 'async def'"
    except HealthyRosterError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the caller's function raises
        kind, place = type(error).__name__, _place(error.__traceback__)
        failure = f"{name} could not be fetched: {kind}{place}"
    # Raised out here and without the answer: either may show a secret.
    del answer
    raise ConfigurationError(failure)


def _place(trace: TracebackType | None) -> str:
    """Return where an error was raised, as the end of a sentence."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" in {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


class RenewalPolicy:
    """Fetches credentials that were refused again, and repeats the call if they differ.

    Calls that are refused at the same time fetch once, and share what comes of it. It
    goes on without those that wait no longer: else a vault that takes longer than calls
    may take would never be heard.
    """

    def __init__(
        self,
        source: FetchCredentials,
        authentication: AuthenticationPolicy,
        deadline: DeadlinePolicy,
        others: Callable[[], Mapping[Environment, Credentials]],
    ) -> None:
        self._source = source
        self._authentication = authentication
        self._deadline = deadline
        self._others = others
        self._fetching: asyncio.Task[None] | None = None
        self._failure: str | None = None
        self._again_at = -math.inf

    async def sign(
        self,
        request: Request,
        send: Callable[[SignedRequest], Awaitable[Response]],
    ) -> Response:
        """Send *request* signed; an error for it says which credentials those were."""
        renewals = self._authentication.renewals
        try:
            return await self._authentication(request, send)
        except AuthenticationError as error:
            error.renewals = renewals
            raise

    async def run(self, call: Callable[..., Awaitable[_T]], *args: Any) -> _T:
        """Await *call*, and once more if other credentials than the refused are there.

        Raises:
            ConfigurationError: They were refused and could not be fetched again.
        """
        try:
            return await call(*args)
        except AuthenticationError as error:
            refused = error
        # It may wait for long, and must end when the pool is cut off.
        scoped = self._deadline.scoped
        if not await scoped(refused.request, self._renewed, refused):
            raise refused
        return await call(*args)

    def cut(self) -> None:
        """Wait for the vault no longer."""
        if self._fetching is not None:
            self._fetching.cancel()

    async def _renewed(self, refused: AuthenticationError) -> bool:
        """Return whether there are other credentials than those that were refused."""
        authentication, fetching = self._authentication, self._fetching
        if authentication.renewals > refused.renewals:
            return True
        now = asyncio.get_running_loop().time()
        if (fetching is None or fetching.done()) and now >= self._again_at:
            fetching = self._fetching = asyncio.create_task(self._fetch())
        if fetching is not None:
            await asyncio.wait([fetching])
        if self._failure is not None:
            raise ConfigurationError(f"{refused}, and {self._failure}")
        return authentication.renewals > refused.renewals

    async def _fetch(self) -> None:
        authentication = self._authentication
        environment = authentication.environment
        failure = None
        try:
            async with asyncio.timeout(_LONGEST_S):
                credentials = await fetch(environment, self._source)
            check_apart({**self._others(), environment: credentials})
        except HealthyRosterError as error:
            failure = str(error)
        except TimeoutError:
            failure = (
                f"the credentials of {environment.value} did not come within "
                f"{_LONGEST_S:g} s"
            )
        else:
            if credentials != authentication.credentials:
                authentication.replace(credentials)
        self._failure = failure
        self._again_at = asyncio.get_running_loop().time() + _AGAIN_S
