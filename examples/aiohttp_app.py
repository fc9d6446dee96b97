"""An aiohttp.web app: ``healthyroster emulate``, then ``python aiohttp_app.py``."""

import os

from aiohttp import web

from healthyroster_async.integrations.aiohttp_web import HealthyRoster

roster = HealthyRoster()  # HEALTHYROSTER_* variables


async def sources(request: web.Request) -> web.Response:
    """Name the data sources of a clinic."""
    clinic = roster.session(request)
    return web.json_response([s.name for s in await clinic.reporting.data_sources()])


app = web.Application()
roster.setup(app)
app.router.add_get("/health", roster.health_check)
app.router.add_get("/clinics/{provider_id}/sources", sources)

if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8000"))
    # Without it a client that leaves keeps its calls going.
    web.run_app(app, host="127.0.0.1", port=port, handler_cancellation=True)
