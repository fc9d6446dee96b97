"""A Litestar app: ``healthyroster emulate``, then ``uvicorn litestar_app:app``."""

from litestar import Litestar, get
from litestar.di import NamedDependency

from healthyroster_async import ProviderSession
from healthyroster_async.integrations.litestar import HealthyRoster

roster = HealthyRoster()  # HEALTHYROSTER_* variables


@get("/clinics/{provider_id:str}/sources")
async def sources(clinic: NamedDependency[ProviderSession]) -> list[str | None]:
    """Name the data sources of a clinic."""
    return [source.name for source in await clinic.reporting.data_sources()]


@get("/health", sync_to_thread=False)
def health() -> dict[str, object]:
    """Say which environments answer."""
    return roster.health()


app = Litestar(
    [sources, health], plugins=[roster], dependencies={"clinic": roster.session}
)
