"""Web apps: real servers, real clients, and the emulator behind them."""

import asyncio
import contextlib
import io
import json
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import aiohttp
import code_of
import pytest
import uvicorn
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from children import unwatched, variables
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from litestar import Litestar, get
from litestar.di import NamedDependency
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from yarl import URL

from healthyroster_async import (
    AuthenticationError,
    ConfigurationError,
    Environment,
    HealthyRosterError,
    PoolClosedError,
    ProviderSession,
)
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.integrations import aiohttp_web, fastapi, litestar, starlette

EXAMPLES = Path("examples").resolve()
UVICORN = "-m uvicorn --log-level warning --host 127.0.0.1 --port {port}"
SERVERS = {
    "aiohttp.web": "aiohttp_app.py",
    "FastAPI": f"{UVICORN} fastapi_app:app",
    "Litestar": f"{UVICORN} litestar_app:app",
    "Starlette": f"{UVICORN} starlette_app:app",
}
WORKERS = {
    "uvicorn": f"{UVICORN} --workers 2 fastapi_app:app",
    "gunicorn": "-m gunicorn --preload --workers 2 -k asgi --bind 127.0.0.1:{port} "
    "fastapi_app:app",
    # Now and then one of its workers does not hear that it should end, with any app.
    "granian": "-m granian --interface asgi --workers 2 --host 127.0.0.1 "
    "--workers-kill-timeout 5 --port {port} fastapi_app:app",
}


READY = """
import asyncio, sys
from healthyroster_async import ConnectionPool
{more}
from healthyroster_async.integrations.aiohttp_web import HealthyRoster

async def main():
    async with HealthyRoster().opened():
        print("pyarrow.parquet" in sys.modules, "sqlite3" in sys.modules)

asyncio.run(main())
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.asynccontextmanager
async def running(command, emulator, says=b""):
    """Start an example as its user would, and give a client of it."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command.format(port=port).split(),
        cwd=EXAMPLES,
        env={**variables(emulator), "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}/") as client:
            async with asyncio.timeout(30):
                while True:
                    try:
                        async with client.get("health"):
                            break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.05)
            yield client
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(20):
                out, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
    assert b"Traceback" not in out, out.decode()
    assert says in out, out.decode()


@pytest.mark.parametrize(
    ("more", "loaded"),
    [("", "False"), ("from healthyroster_async import PullPlan", "True")],
)
async def test_an_app_that_pulls_has_loaded_what_it_needs_when_it_starts(more, loaded):
    """
    Its first pull would hold up everybody who waits for an answer.
    """
    async with Emulator() as emulator:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", READY.format(more=more)),
            env=variables(emulator, unwatched()),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()

    assert out.decode().split() == [loaded, loaded]


@pytest.mark.parametrize("framework", SERVERS)
async def test_an_example_runs_and_answers_what_errors_mean(framework):
    """
    Whoever copies it has an app that works, also when the API says no, and logs why.
    """
    why = b"answered 503: RateLimitedError: GET /HealthcareProvider/{id}/Datasources"
    busy = Fault(kind="status", status=429, retry_after="600", provider=4)
    async with (
        Emulator(providers=4, rows=20, denied=[(3, "*")], faults=[busy]) as emulator,
        running(SERVERS[framework], emulator, why) as client,
    ):
        async with client.get("clinics/1/sources") as answer:
            names = await answer.json()
        async with client.get("health") as answer:
            health = await answer.json()
        answers = {}
        for provider in (3, 999, "%2E%2E", 4):
            url = URL(f"{client._base_url}clinics/{provider}/sources", encoded=True)
            async with client.get(url) as answer:
                assert answer.content_type == "application/problem+json"
                answers[provider] = answer.status
                text = await answer.text()
                asked = answer.headers.get("Retry-After")

    assert "Patients" in names
    assert health == {"environments": {"sandbox": {"answers": True}}}
    assert answers == {3: 403, 999: 404, "%2E%2E": 422, 4: 503}
    assert 590 <= int(asked) <= 601
    assert "/HealthcareProvider" not in text


async def test_the_example_finds_the_provider_and_works_after_the_answer():
    """
    A header names the clinic; the background task reads it at bulk priority.
    """
    async with (
        Emulator(providers=2, rows=20) as emulator,
        running(SERVERS["FastAPI"], emulator) as client,
    ):
        header = {"X-Provider": "2"}
        async with client.get("mine/sources/1", headers=header) as answer:
            rows = await answer.json()
        async with client.get("mine/sources/1") as answer:
            without = answer.status
        async with client.get("clinics/2/sources/1/rows") as answer:
            passed_on = [json.loads(line) async for line in answer.content]
        async with client.get("clinics/3/sources/1/rows") as answer:
            unknown = answer.status
        async with client.post("clinics/2/refresh") as answer:
            assert answer.status == 202
        async with asyncio.timeout(10):
            while emulator.seen.by_endpoint["rows"] < 3 + 9:
                await asyncio.sleep(0.02)

    assert rows == {"rows": 20}
    assert (len(passed_on), unknown) == (20, 404)
    assert without == 422


@pytest.mark.parametrize("server", WORKERS)
async def test_each_worker_has_a_pool_of_its_own(server):
    """
    A pool that is shared by a fork would mix up answers of two workers.
    """
    async with (
        Emulator(providers=1, rows=1) as emulator,
        running(WORKERS[server], emulator) as client,
    ):
        answers = []
        for _ in range(20):
            async with client.get("clinics/1/sources") as answer:
                answers.append(answer.status)

    assert answers == [200] * 20


def fastapi_app(roster, state):
    app = FastAPI(lifespan=roster.lifespan)
    clinic = Annotated[ProviderSession, Depends(roster.session)]

    @app.get("/{provider_id}/slow")
    async def slow(clinic: clinic):
        await clinic.reporting.data_sources()

    @app.get("/{provider_id}/later")
    async def later(clinic: clinic, tasks: BackgroundTasks):
        async def work():
            await asyncio.sleep(0.3)
            await clinic.reporting.data_sources()
            state.append("done")

        tasks.add_task(work)

    @app.get("/stream")
    async def stream():
        async def parts():
            for number in range(5):
                await asyncio.sleep(0.02)
                yield f"{number}"

        return StreamingResponse(parts())

    @app.post("/{provider_id}/unread")
    async def unread(clinic: clinic):
        await clinic.reporting.data_sources()

    @app.post("/length")
    async def length(request: Request):
        return sum([len(part) async for part in request.stream()])

    return app


def starlette_app(roster, state):
    async def slow(request):
        await roster.session(request).reporting.data_sources()
        return JSONResponse({})

    return Starlette(
        routes=[Route("/{provider_id}/slow", slow)], lifespan=roster.lifespan
    )


def litestar_app(roster, state):
    @get("/{provider_id:str}/slow")
    async def slow(clinic: NamedDependency[ProviderSession]) -> None:
        await clinic.reporting.data_sources()

    return Litestar([slow], plugins=[roster], dependencies={"clinic": roster.session})


@contextlib.asynccontextmanager
async def served(app):
    """Serve an app in this loop, to look into its pool."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server._serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}/") as client:
                yield client
        finally:
            server.should_exit = True


APPS = {
    "FastAPI": (fastapi.HealthyRoster, fastapi_app),
    "Starlette": (starlette.HealthyRoster, starlette_app),
    "Litestar": (litestar.HealthyRoster, litestar_app),
}


@pytest.mark.parametrize("framework", APPS)
async def test_calls_of_a_client_that_left_are_cancelled(framework):
    """
    Nobody waits for them, and they take the places of those for whom somebody does.
    """
    kind, make = APPS[framework]
    async with Emulator(providers=1, rows=1, latency=30.0) as emulator:
        roster = kind(emulator.pool)
        app = make(roster, [])
        if not isinstance(roster, litestar.HealthyRoster):
            roster.install(app)
        async with served(app) as client:
            await leave(roster, client.get("1/slow"))


async def leave(roster, request):
    """Make a request, and go while its call is under way."""

    def in_flight():
        (stats,) = roster.pool.stats().values()
        return stats.in_flight

    assert in_flight() == 0
    asking = asyncio.ensure_future(request)
    async with asyncio.timeout(10):
        while in_flight() == 0:
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait([asking])
    async with asyncio.timeout(5):
        while in_flight():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [10, 500_000])
async def test_a_client_that_left_is_seen_behind_what_it_sent(size):
    """
    The app has no use for the body, and the end stands behind it.
    """
    async with Emulator(providers=1, rows=1, latency=30.0) as emulator:
        roster = fastapi.HealthyRoster(emulator.pool)
        app = fastapi_app(roster, [])
        roster.install(app)
        async with served(app) as client:
            await leave(roster, client.post("1/unread", data=b"x" * size))


async def test_a_group_of_errors_is_answered(caplog):
    """
    A fan-out in a request is no reason for a bare 500, and its log line can be found.
    """
    caplog.set_level("INFO", "healthyroster_async.web")
    async with Emulator(providers=1, rows=1) as emulator:
        roster = fastapi.HealthyRoster(emulator.pool)
        app = FastAPI(lifespan=roster.lifespan)
        roster.install(app)

        @app.get("/all")
        async def every():
            async def ask(clinic):
                await clinic.reporting.data_sources()

            (await roster.pool.fan_out([1, 99], ask)).raise_for_failures()

        async with served(app) as client, client.get("all") as answer:
            assert answer.status == 404
            assert answer.content_type == "application/problem+json"
            told = await answer.json()

    (line,) = [r for r in caplog.records if r.name == "healthyroster_async.web"]
    assert told.pop("request_id") == line.request_id
    assert told == {"title": "There is no such thing", "status": 404}


@pytest.mark.parametrize("written", [b"", b"first"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_answer_of_aiohttp_that_has_begun_is_broken_off(
    version, written, caplog
):
    """
    A second answer inside of it, or a proper end, looks like more of the body.
    """

    async def late(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        if written:
            await answer.write(written)
        await roster.session(request, 1).reporting.data_sources()

    async with Emulator(providers=1, denied=[(1, "*")]) as emulator:
        roster = aiohttp_web.HealthyRoster(emulator.pool)
        app = web.Application()
        roster.setup(app)
        app.router.add_get("/", late)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            reader, writer = await asyncio.open_connection(*runner.addresses[0])
            writer.write(f"GET / HTTP/{version}\r\nHost: x\r\n\r\n".encode())
            got = bytearray()

            async def read():
                async with asyncio.timeout(5):
                    while not reader.at_eof():
                        got.extend(await reader.read(1000))

            with pytest.raises(ConnectionResetError):
                await read()
            writer.close()
        finally:
            await runner.cleanup()

    assert got.count(b"HTTP/1.") <= 1
    (told,) = (one for one in caplog.records if one.name == "healthyroster_async.web")
    assert (told.levelname, told.error) == ("WARNING", "ForbiddenError")


def fastapi_late(roster):
    app = FastAPI(lifespan=roster.lifespan)
    roster.install(app)

    @app.get("/{provider_id}/late")
    async def late(clinic: Annotated[ProviderSession, Depends(roster.session)]):
        return StreamingResponse(parts_of(clinic))

    return app


def starlette_late(roster):
    async def late(request):
        return StreamingResponse(parts_of(roster.session(request)))

    routes = [Route("/{provider_id}/late", late)]
    app = Starlette(routes=routes, lifespan=roster.lifespan)
    roster.install(app)
    return app


def litestar_late(roster):
    @get("/{provider_id:str}/late")
    async def late(clinic: NamedDependency[ProviderSession]) -> Stream:
        return Stream(parts_of(clinic))

    clinic = {"clinic": roster.session}
    # Else it takes the handlers of the log away.
    return Litestar([late], plugins=[roster], dependencies=clinic, logging_config=None)


async def parts_of(clinic):
    yield b"first"
    await clinic.reporting.data_sources()


LATE = {"FastAPI": fastapi_late, "Starlette": starlette_late, "Litestar": litestar_late}


@pytest.mark.parametrize("framework", LATE)
async def test_what_breaks_an_answer_off_is_logged(framework, caplog):
    """
    Its reader cannot be told, so that is all that says why.
    """
    kind, _ = APPS[framework]
    async with Emulator(providers=1, denied=[(1, "*")]) as emulator:
        app = LATE[framework](kind(emulator.pool))
        async with served(app) as client, client.get("1/late") as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    (told,) = (one for one in caplog.records if one.name == "healthyroster_async.web")
    assert (told.levelname, told.error) == ("WARNING", "ForbiddenError")
    assert told.label == "GET /HealthcareProvider/{id}/Datasources"
    assert told.request_id


async def test_an_app_within_an_app_has_the_same_pool():
    """
    The inner one ends first, and the outer goes on.
    """
    async with Emulator(providers=1) as emulator:
        roster = starlette.HealthyRoster(emulator.pool)
        async with roster.lifespan(None):
            pool = roster.pool
            async with roster.lifespan(None):
                assert roster.pool is pool
            assert roster.pool is pool
        with pytest.raises(PoolClosedError, match="ended"):
            roster.pool  # noqa: B018 - it raises


@pytest.mark.parametrize("status", [401, 500])
async def test_an_environment_that_only_fails_does_not_answer(status):
    """
    A health check that says true while nothing works hides what is wrong.
    """
    fault = Fault(kind="status", status=status)
    async with Emulator(providers=1, faults=[fault]) as emulator:
        roster = starlette.HealthyRoster(emulator.pool)
        async with roster.lifespan(None):
            before = roster.health()
            with pytest.raises(HealthyRosterError):
                await roster.session_of(1).reporting.data_sources()
            after = roster.health()

    assert before == {"environments": {"sandbox": {"answers": None}}}
    assert after == {"environments": {"sandbox": {"answers": False}}}


async def test_an_environment_that_refuses_the_secret_by_now_does_not_answer():
    """
    A secret that is revoked after months of good answers fails every call.
    """
    fault = Fault(kind="status", status=401, every=2)
    seen = []
    async with Emulator(providers=1, faults=[fault]) as emulator:
        roster = starlette.HealthyRoster(emulator.pool)
        async with roster.lifespan(None):
            for _ in range(3):
                with contextlib.suppress(AuthenticationError):
                    await roster.session_of(1).reporting.data_sources()
                seen.append(roster.health()["environments"]["sandbox"]["answers"])

    assert seen == [True, False, True]


async def test_what_the_client_does_not_wait_for_goes_on():
    """
    Background tasks, answers in parts and long bodies are as they are without us.
    """
    done = []
    async with Emulator(providers=1, rows=1) as emulator:
        roster = fastapi.HealthyRoster(emulator.pool)
        app = fastapi_app(roster, done)
        roster.install(app)
        async with served(app) as client:
            async with client.get("1/later") as answer:
                assert answer.status == 200
            async with client.get("stream") as answer:
                assert await answer.text() == "01234"
            async with client.post(
                "length", data=io.BytesIO(b"x" * 3_000_000)
            ) as answer:
                assert await answer.json() == 3_000_000
            await client.close()
            async with asyncio.timeout(5):
                while not done:
                    await asyncio.sleep(0.01)


MAKE_APP = """
    from typing import Annotated
    from fastapi import Depends, FastAPI
    from healthyroster_async import ProviderSession
    from healthyroster_async.integrations.fastapi import HealthyRoster

    def make_app(roster):
        app = FastAPI(lifespan=roster.lifespan)
        clinic = Annotated[ProviderSession, Depends(roster.session)]

        @app.get("/clinics/{provider_id}/sources")
        async def sources(clinic: clinic):
            return [source.name for source in await clinic.reporting.data_sources()]

        return app

"""


def test_the_test_on_the_page_passes(tmp_path):
    """
    It is copied before it is read.
    """
    (block,) = code_of.blocks(EXAMPLES.parent / "docs/web-apps.md", "py")
    (tmp_path / "test_it.py").write_text(textwrap.dedent(MAKE_APP) + block)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "1 passed" in ran.stdout, ran.stdout


async def test_a_route_that_names_no_provider_is_a_mistake_of_the_app(caplog):
    """
    Its client can do nothing about it, and would be told that it asked for nonsense.
    """
    roster = fastapi.HealthyRoster()
    app = FastAPI()
    roster.install(app)

    @app.get("/sources")
    async def sources(clinic: Annotated[ProviderSession, Depends(roster.session)]):
        """Nobody gets here."""

    with pytest.raises(ConfigurationError, match="no parameter provider_id"):
        starlette.HealthyRoster().session(Request({"type": "http"}))
    with pytest.raises(ConfigurationError, match="no parameter provider_id"):
        aiohttp_web.HealthyRoster().session(make_mocked_request("GET", "/sources"))
    async with served(app) as client, client.get("sources") as answer:
        assert answer.status == 500
    assert "no parameter provider_id" in caplog.text


async def forgotten():
    """Forget to return the pool."""


@pytest.mark.parametrize("make", [lambda: None, forgotten])
async def test_what_makes_no_pool_is_told_so(make):
    """
    A forgotten return is no riddle of the asynchronous context manager protocol.
    """
    with pytest.raises(ConfigurationError, match="make returned is of type NoneType"):
        async with fastapi.HealthyRoster(make).opened():
            """Nobody gets here."""


async def test_an_environment_that_the_pool_does_not_have_is_the_apps_mistake():
    """
    A client that is told that its provider is none looks in the wrong place.
    """
    async with Emulator(providers=1) as emulator:
        roster = fastapi.HealthyRoster(emulator.pool)
        async with roster.opened():
            with pytest.raises(ConfigurationError, match="credentials of 'production'"):
                roster.session_of(1, Environment.PRODUCTION)


async def test_an_app_without_its_lifespan_is_told_so():
    """
    A mistake in the app is no riddle.
    """
    roster = fastapi.HealthyRoster()

    with pytest.raises(ConfigurationError, match="lifespan"):
        roster.session_of(1)
    with pytest.raises(ConfigurationError, match="each process of the server"):
        fastapi.HealthyRoster("pool")
