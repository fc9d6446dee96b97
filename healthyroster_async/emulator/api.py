"""The API itself: who may ask what, and what comes back."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web
from attrs import define, field, frozen

from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import answers, dialects, page, swagger, wire
from healthyroster_async.emulator.answers import Answer
from healthyroster_async.emulator.data import chunks, tails
from healthyroster_async.emulator.faults import Fault
from healthyroster_async.emulator.limits import Limiter
from healthyroster_async.emulator.schema import Source
from healthyroster_async.emulator.seen import Seen
from healthyroster_async.emulator.selection import BadParameterError, select
from healthyroster_async.emulator.settings import ProviderId, Settings, SourceId
from healthyroster_async.emulator.sources import SOURCES

_ROUTES = (
    ("data_sources", "GET", r"/healthcareprovider/([^/]+)/datasources"),
    (
        "data_source",
        "GET",
        r"/healthcareprovider/([^/]+)/reporting/datasources/([^/]+)",
    ),
    (
        "rows",
        "POST",
        r"/healthcareprovider/([^/]+)/reporting/datasources/([^/]+)/data",
    ),
)
# ASP.NET matches paths without regard to case, and a slash at the end is nothing.
_PATTERNS = tuple(
    (name, method, re.compile(f"{pattern}/?", re.IGNORECASE))
    for name, method, pattern in _ROUTES
)
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED = 200, 401, 403, 404, 405
_BAD_REQUEST, _UNSUPPORTED = 400, 415
_PAUSING = frozenset({429, 503})


@frozen
class _Route:
    endpoint: str
    method: str
    provider: str
    source: str | None


def _route(path: str) -> _Route | None:
    for name, method, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is not None:
            provider, *source = (unquote(group) for group in match.groups())
            return _Route(name, method, provider, source[0] if source else None)
    return None


@define(kw_only=True, eq=False)
class Api:
    """Answers the requests of all environments.

    Attributes:
        settings: What is set.
        seen: Counters of what arrived.
        base_urls: Base URL of each environment, for the swagger document.
        elsewhere: URL that redirects point to.
    """

    settings: Settings
    seen: Seen
    base_urls: dict[Environment, str]
    elsewhere: Callable[[], str]
    _limiters: dict[str, Limiter] = field(init=False, factory=dict)
    _traces: int = field(init=False, default=0)
    _tasks: set[asyncio.Task[Any]] = field(init=False, factory=set)

    def cancel(self) -> set[asyncio.Task[Any]]:
        """Cancel every request that is being answered."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

    async def handle(
        self, environment: Environment, request: web.BaseRequest
    ) -> web.StreamResponse:
        """Answer one request."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        path, prefix = request.rel_url.raw_path, self.settings.path_prefix
        below = path.lower().startswith(f"{prefix.lower()}/")
        if below:
            path = path[len(prefix) :]
        # Pages are found without the prefix too: a person types them.
        public = self._public(path.lower().rstrip("/"), request.method)
        if public is not None:
            return await wire.send(request, public, None, None)
        route = _route(path) if below else None
        self.seen.enter()
        try:
            return await self._api(environment, request, route)
        finally:
            self.seen.leave()

    def _public(self, path: str, method: str) -> Answer | None:
        """Answer what needs no credentials."""
        if method != "GET":
            return None
        if path == "/health":
            return Answer(pieces=(b"Healthy",), content_type="text/plain")
        if path == "/swagger/v1/swagger.json":
            document = swagger.document(self.settings, self.base_urls)
            return Answer(pieces=(orjson.dumps(document, option=orjson.OPT_INDENT_2),))
        if path in {"", "/swagger", "/swagger/index.html"}:
            text = page.render(
                swagger.document(self.settings, self.base_urls),
                f"{self.settings.path_prefix}/swagger/v1/swagger.json",
            )
            return Answer(
                pieces=(text.encode(),), content_type="text/html; charset=utf-8"
            )
        return None

    async def _api(
        self, environment: Environment, request: web.BaseRequest, route: _Route | None
    ) -> web.StreamResponse:
        settings, seen = self.settings, self.seen
        seen.by_endpoint[route.endpoint if route else "other"] += 1
        if route is not None:
            seen.by_provider[self._provider(route)] += 1
        if not self._authenticated(environment, request):
            answer = answers.problem(
                _UNAUTHORIZED, self._trace(), detail="Unknown application or secret."
            )
            return await self._finish(request, answer)
        application = settings.credentials[environment].application_id
        said, rejection = self._limit(application)
        if rejection is not None:
            return await self._finish(request, rejection)
        if settings.latency:
            await asyncio.sleep(settings.latency)
        if route is None:
            answer = answers.problem(_NOT_FOUND, self._trace())
            return await self._finish(request, answer, said)
        answer = await self._answer(request, route)
        fault = None
        if answer.status == _OK:
            fault = settings.next_fault(route.endpoint, self._provider(route))
        if fault is None:
            response = await self._finish(request, answer, said)
            if answer.rows is not None and route.source is not None:
                seen.rows_sent[self._key(route)] += answer.rows
            return response
        seen.faults[fault.kind] += 1
        if fault.kind == "reset":
            await wire.reset(request)
        answer = self._faulty(answer, fault, application)
        return await self._finish(request, answer, said, fault)

    def _provider(self, route: _Route) -> ProviderId:
        """Return the provider as it was given, or as the path has it."""
        known = self.settings.provider(route.provider)
        return route.provider if known is None else known

    def _key(self, route: _Route) -> tuple[ProviderId, SourceId]:
        source = self.settings.source(route.source or "")
        source_id = self.settings.source_id(source) if source else ""
        return self._provider(route), source_id

    async def _finish(
        self,
        request: web.BaseRequest,
        answer: Answer,
        said: dict[str, str] | None = None,
        fault: Fault | None = None,
    ) -> web.StreamResponse:
        self.seen.by_status[answer.status] += 1
        answer = answers.with_headers(answer, said or {})
        return await wire.send(request, answer, fault, self.settings.compression)

    def _trace(self) -> str:
        self._traces += 1
        return answers.trace_id(self._traces)

    def _authenticated(
        self, environment: Environment, request: web.BaseRequest
    ) -> bool:
        given_id = request.headers.get(self.settings.application_id_header, "")
        secret = request.headers.get(self.settings.application_secret_header, "")
        for owner, credentials in self.settings.credentials.items():
            right_id = hmac.compare_digest(
                credentials.application_id.encode(), given_id.encode(errors="replace")
            )
            right_secret = hmac.compare_digest(
                credentials.application_secret.reveal().encode(),
                secret.encode(errors="replace"),
            )
            if owner is environment and right_id and right_secret:
                return True
            if owner is not environment and (right_id or right_secret):
                self.seen.crossed += 1
        return False

    def _limit(self, application: str) -> tuple[dict[str, str], Answer | None]:
        """Return what every answer says about the limit, and a rejection if due."""
        limit = self.settings.rate_limit
        now, wall = asyncio.get_running_loop().time(), time.time()
        self.seen.arrived(application, now)
        if limit is None:
            return {}, None
        limiter = self._limiters.get(application)
        if limiter is None or limiter.limit is not limit:
            # The limit may be changed while the emulator runs.
            limiter = self._limiters[application] = Limiter(limit)
        verdict = limiter.ask(now)
        said = dialects.headers(limit, verdict, wall)
        if verdict.allowed:
            return said, None
        self.seen.rejected += 1
        self.seen.paused(application, now, dialects.announced(limit, verdict, wall))
        return said, answers.problem(limit.status, self._trace(), headers=said)

    async def _answer(self, request: web.BaseRequest, route: _Route) -> Answer:
        settings = self.settings
        if request.method != route.method:
            allowed = {"Allow": route.method}
            return answers.problem(_NOT_ALLOWED, self._trace(), headers=allowed)
        if not settings.granted(route.provider, route.endpoint):
            return answers.problem(
                _FORBIDDEN,
                self._trace(),
                detail="The application has no access to this data or endpoint.",
            )
        provider = settings.provider(route.provider)
        source = None if route.source is None else settings.source(route.source)
        if provider is None or (source is None and route.source is not None):
            return answers.problem(_NOT_FOUND, self._trace())
        if source is None:
            return answers.data_sources(settings, SOURCES)
        if route.endpoint == "data_source":
            return answers.data_source(settings, source)
        return await self._rows(request, provider, source)

    async def _rows(
        self, request: web.BaseRequest, provider: ProviderId, source: Source
    ) -> Answer:
        settings = self.settings
        raw = await request.read()
        if raw.strip() and not request.content_type.endswith("json"):
            return answers.problem(_UNSUPPORTED, self._trace())
        try:
            parameters = orjson.loads(raw) if raw.strip() else {}
        except orjson.JSONDecodeError:
            parameters = None
        if not isinstance(parameters, dict):
            message = "The body is no JSON object."
            return answers.problem(_BAD_REQUEST, self._trace(), errors={"$": [message]})
        rows = settings.rows_of(source)
        try:
            selection = select(
                source, parameters, provider=provider, rows=rows, seed=settings.seed
            )
        except BadParameterError as error:
            return answers.problem(
                _BAD_REQUEST, self._trace(), errors={error.name: [error.message]}
            )
        made = tails(source, settings.style)
        for _ in made.make(selection):
            await asyncio.sleep(0)
        pieces = chunks(made, selection, provider=provider, rows=rows)
        return answers.rows(settings, selection, pieces)

    def _faulty(self, answer: Answer, fault: Fault, application: str) -> Answer:
        """Return what is answered instead, if the fault is of that kind."""
        headers: dict[str, str] = {}
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        if fault.kind == "redirect":
            location = fault.location or self.elsewhere()
            return Answer(
                status=302, headers={"Location": location}, content_type="text/html"
            )
        if fault.kind not in {"status", "html"}:
            return answer
        if fault.status in _PAUSING and re.fullmatch("[0-9]+", fault.retry_after or ""):
            now = asyncio.get_running_loop().time()
            self.seen.paused(application, now, float(fault.retry_after or 0))
        if fault.kind == "html":
            return answers.error_page(fault.status, headers)
        return answers.problem(fault.status, self._trace(), headers=headers)
