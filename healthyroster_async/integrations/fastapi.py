"""FastAPI: a pool for the app, a session for the request (extra ``fastapi``).

::

    roster = HealthyRoster()
    app = FastAPI(lifespan=roster.lifespan)
    roster.install(app)
    Clinic = Annotated[ProviderSession, Depends(roster.session)]
"""

# FastAPI reads annotations when it runs, so they stand here as they are.

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from healthyroster_async._core.extras import extra
from healthyroster_async._session import ProviderSession
from healthyroster_async.integrations._disconnect import CancelOnDisconnect
from healthyroster_async.integrations._keeper import provider_in

extra("fastapi", "fastapi")

from fastapi import Depends, Path, Request  # noqa: E402

from healthyroster_async.integrations.starlette import Keeper  # noqa: E402

__all__ = ["CancelOnDisconnect", "HealthyRoster"]


# Else a route without it is told to the client, as a parameter that it left out.
async def _check_route(request: Request) -> None:
    provider_in(request.path_params)


class HealthyRoster(Keeper):
    """The pool of a FastAPI app."""

    # FastAPI sends what is not async into a thread, and the loop waits for it.
    async def session(
        self,
        provider_id: Annotated[int | str, Path(description="Healthcare Provider")],
        _checked: Annotated[None, Depends(_check_route)] = None,
    ) -> ProviderSession:
        """Return the session of ``provider_id`` in the path; a dependency."""
        return self.session_of(provider_id)

    def session_by(
        self, find: Callable[..., Any]
    ) -> Callable[..., Awaitable[ProviderSession]]:
        """Return a dependency that gives the session of a provider that *find* names.

        ::

            def own_clinic(x_provider: Annotated[str, Header()]) -> str:
                return x_provider

            Clinic = Annotated[ProviderSession, Depends(roster.session_by(own_clinic))]

        Args:
            find: A dependency of the app that returns the id, such as one that looks
                at a header or at who is logged in.
        """

        async def session(
            provider_id: Annotated[int | str, Depends(find)],
        ) -> ProviderSession:
            return self.session_of(provider_id)

        return session
