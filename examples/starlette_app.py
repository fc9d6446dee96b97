"""A Starlette app: ``healthyroster emulate``, then ``uvicorn starlette_app:app``."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from healthyroster_async.integrations.starlette import HealthyRoster

roster = HealthyRoster()  # HEALTHYROSTER_* variables


async def sources(request: Request) -> Response:
    """Name the data sources of a clinic."""
    clinic = roster.session(request)
    return JSONResponse([s.name for s in await clinic.reporting.data_sources()])


app = Starlette(
    routes=[
        Route("/health", roster.health_check),
        Route("/clinics/{provider_id}/sources", sources),
    ],
    lifespan=roster.lifespan,
)
roster.install(app)
