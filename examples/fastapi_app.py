"""A FastAPI app: ``healthyroster emulate``, then ``uvicorn fastapi_app:app``."""

from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import BackgroundTasks, Depends, FastAPI, Header
from fastapi.responses import StreamingResponse

from healthyroster_async import Priority, ProviderSession, RowStream
from healthyroster_async.integrations.fastapi import HealthyRoster

roster = HealthyRoster()  # HEALTHYROSTER_* variables
app = FastAPI(lifespan=roster.lifespan)
roster.install(app)
app.add_api_route("/health", roster.health_check)

Clinic = Annotated[ProviderSession, Depends(roster.session)]


@app.get("/clinics/{provider_id}/sources")
async def sources(clinic: Clinic) -> list[str | None]:
    """Name the data sources of a clinic."""
    return [source.name for source in await clinic.reporting.data_sources()]


def own_clinic(x_provider: Annotated[str, Header()]) -> str:
    """Find out whose clinic it is; an app would look at who is logged in."""
    return x_provider


Own = Annotated[ProviderSession, Depends(roster.session_by(own_clinic))]


@app.get("/mine/sources/{source_id}")
async def count(source_id: int, clinic: Own) -> dict[str, int]:
    """Count the rows of a data source of one's own clinic."""
    table = await clinic.reporting.rows(source_id).to_list()
    return {"rows": len(table)}


async def opened(source_id: int, clinic: Clinic) -> AsyncIterator[RowStream]:
    """Open the rows before the answer begins: what is denied is still a 403."""
    patient = clinic.with_options(deadline=None)
    async with patient.reporting.rows(source_id) as stream:
        yield stream


@app.get("/clinics/{provider_id}/sources/{source_id}/rows")
async def rows(stream: Annotated[RowStream, Depends(opened)]) -> StreamingResponse:
    """Pass rows on as they come, a line each (NDJSON)."""

    async def lines() -> AsyncIterator[bytes]:
        async for row in stream:
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def refresh(provider_id: int | str) -> None:
    """Do what takes long: it waits behind everybody who waits for an answer."""
    clinic = roster.pool.session(provider_id, priority=Priority.BULK)
    for source in await clinic.reporting.data_sources():
        await clinic.reporting.rows(source).to_list()


@app.post("/clinics/{provider_id}/refresh", status_code=202)
async def refresh_later(clinic: Clinic, later: BackgroundTasks) -> None:
    """Read all rows of a clinic after the answer was sent."""
    later.add_task(refresh, clinic.provider_id)
