"""Values for tests, and a fake at the transport seam."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager

import pytest

from healthyroster_async import (
    ConnectionPool,
    Contract,
    Credentials,
    Environment,
    PacingSettings,
    Request,
    Response,
    testing,
)
from healthyroster_async._config import Configuration, collect, made_of
from healthyroster_async._core.errors import error_for

SECRET = "s3cr3t-of-the-sandbox"
OTHER_SECRET = "s3cr3t-of-production"
SANDBOX_URL = "https://sandbox.example.test/api"
PRODUCTION_URL = "https://api.example.test"


def contract(**changes) -> Contract:
    settings = {
        "base_urls": {
            Environment.SANDBOX: SANDBOX_URL,
            Environment.PRODUCTION: PRODUCTION_URL,
        },
        "application_id_header": "X-App-Id",
        "application_secret_header": "X-App-Secret",
    }
    return Contract(**(settings | changes))


def credentials() -> Credentials:
    return Credentials("app-1", SECRET)


def pool(**changes) -> ConnectionPool:
    # Files need threads, and virtual time waits for none.
    settings = {"pacing": PacingSettings(share=False, remember=False)}
    return ConnectionPool(
        {Environment.SANDBOX: credentials()}, contract=contract(), **settings | changes
    )


def read(variables, **options) -> Configuration:
    """Return what a pool is made of when these are the variables."""
    return made_of(collect(variables, **options))


def request(**changes) -> Request:
    settings = {
        "method": "GET",
        "url": f"{SANDBOX_URL}/HealthcareProvider/4711/Datasources?who=Quillfeather",
        "label": "GET /HealthcareProvider/{id}/Datasources",
        "environment": Environment.SANDBOX,
        "safe": True,
        "provider_id": 4711,
    }
    return Request(**(settings | changes))


def response(status: int = 200, **changes) -> Response:
    settings = {"request": request(), "body": b"[]"}
    return Response(status=status, **(settings | changes))


def error(status: int, **headers: str):
    """Return the error of an answer with this status and these header fields."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_for(response(status, headers=named))


class ScriptedTransport:
    """Plays a script of answers and errors, and notes when each was asked for."""

    def __init__(self, script, *, latency: float = 0.0):
        self.script = list(script)
        self.latency = latency
        self.asked_at: list[float] = []
        self.under_way = 0
        self.peak = 0

    async def send(self, request_):
        self.asked_at.append(asyncio.get_running_loop().time())
        step = self.script.pop(0) if self.script else response()
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.under_way -= 1
        if isinstance(step, Exception):
            raise step
        return step


class SlowScript(testing.ScriptedTransport):
    """Answers as a script says, but only after a while."""

    async def send(self, signed):
        await asyncio.sleep(0.6)
        return await super().send(signed)


def logged(record):
    """Return all that a log record holds but clocks, numbers of threads and its id.

    Those may have any digits, also the ones that a test looks for; so may seconds, of
    which only the first digits are shown.
    """
    chance = {"created", "msecs", "relativeCreated", "thread", "process", "taskName"}
    chance |= {"request_id"}
    shown = {key: value for key, value in vars(record).items() if key not in chance}
    return re.sub(r"(\d\.\d\d)\d+", r"\1", str(shown))


@contextmanager
def full_disk():
    """Let no file become larger, as if the disk were full."""
    resource = pytest.importorskip("resource", reason="no such limit on Windows")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
