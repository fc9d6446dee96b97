"""The API itself: who may ask what, and what comes back."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web
from attrs import Factory, define, field

from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import (
    answers,
    dialects,
    inputs,
    page,
    routes,
    serving,
    swagger,
    wire,
)
from healthyroster_async.emulator.answers import Answer
from healthyroster_async.emulator.data import chunks, tails
from healthyroster_async.emulator.document_versions import NUMBERS
from healthyroster_async.emulator.faults import Fault
from healthyroster_async.emulator.gate import Gate
from healthyroster_async.emulator.limits import RateLimit, Verdict
from healthyroster_async.emulator.routes import Route
from healthyroster_async.emulator.schema import Source
from healthyroster_async.emulator.seen import Seen
from healthyroster_async.emulator.selection import BadParameterError, select
from healthyroster_async.emulator.settings import ProviderId, Settings, SourceId
from healthyroster_async.emulator.sources import SOURCES

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED = 401, 403, 404, 405
_REDIRECT, _BAD_REQUEST, _UNSUPPORTED = 300, 400, 415
_PAUSING = frozenset({429, 503})
_STATUS_KINDS = frozenset({"status", "html"})


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
    _gate: Gate = field(
        init=False,
        default=Factory(
            lambda self: Gate(settings=self.settings, seen=self.seen), takes_self=True
        ),
    )
    _traces: int = field(init=False, default=0)
    _tasks: set[asyncio.Task[Any]] = field(init=False, factory=set)

    def start(self) -> None:
        """Begin as a server that knows nobody, on the clock of this event loop."""
        self._gate.start()

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
        public = self._public(environment, path.lower().rstrip("/"), request.method)
        if public is not None:
            return await wire.send(request, self._dated(public), None, None)
        route = routes.find(path, request.method) if below else None
        self.seen.enter()
        try:
            return await self._api(environment, request, route)
        finally:
            self.seen.leave()

    def _public(
        self, environment: Environment, path: str, method: str
    ) -> Answer | None:
        """Answer what needs no credentials."""
        if method != "GET":
            return None
        if path == "/health":
            return Answer(pieces=(b"Healthy",), content_type="text/plain")
        if path == "/swagger/v1/swagger.json":
            document = swagger.served(self.settings, self.base_urls, environment)
            return Answer(pieces=(orjson.dumps(document, option=orjson.OPT_INDENT_2),))
        if path in {"", "/swagger", "/swagger/index.html"}:
            text = page.render(
                swagger.document(self.settings, self.base_urls),
                f"{self.settings.path_prefix}/swagger/v1/swagger.json",
                NUMBERS[self.settings.document_version],
            )
            return Answer(
                pieces=(text.encode(),), content_type="text/html; charset=utf-8"
            )
        return None

    async def _api(
        self, environment: Environment, request: web.BaseRequest, route: Route | None
    ) -> web.StreamResponse:
        settings, seen = self.settings, self.seen
        endpoint = route.endpoint if route else "other"
        provider = self._provider(route) if route else ""
        seen.by_endpoint[endpoint] += 1
        if route is not None:
            seen.by_provider[provider] += 1
        application = settings.credentials[environment].application_id
        known = self._authenticated(environment, request)
        if known:
            seen.arrived(application, provider, self._gate.now())
        outage = settings.outage
        if outage is not None and outage.matches(endpoint, provider):
            return await self._fail(request, outage, application)
        if not known:
            answer = answers.problem(
                _UNAUTHORIZED, self._trace(), detail="Unknown application or secret."
            )
            return await self._finish(request, answer)
        entry = self._gate.enter(application, provider)
        if entry.rejection is not None:
            rejection = self._rejection(*entry.rejection)
            response = await self._finish(request, rejection, entry.headers)
            self._gate.turned_away(entry)
            return response
        try:
            return await self._serve(
                environment, request, route, application, entry.headers
            )
        finally:
            self._gate.leave(entry)

    async def _serve(
        self,
        environment: Environment,
        request: web.BaseRequest,
        route: Route | None,
        application: str,
        said: Mapping[str, str],
    ) -> web.StreamResponse:
        """Answer a request that may pass."""
        await self._gate.work()
        if route is None:
            answer = answers.problem(_NOT_FOUND, self._trace())
            return await self._finish(request, answer, said)
        answer = await self._answer(environment, request, route)
        fault = None
        if answer.status < _REDIRECT:
            fault = self.settings.next_fault(route.endpoint, self._provider(route))
        if fault is not None:
            return await self._fail(request, fault, application, answer, said)
        response = await self._finish(request, answer, said)
        if answer.rows is not None and route.source is not None:
            self.seen.rows_sent[self._key(route)] += answer.rows
        return response

    async def _fail(
        self,
        request: web.BaseRequest,
        fault: Fault,
        application: str,
        answer: Answer | None = None,
        said: Mapping[str, str] | None = None,
    ) -> web.StreamResponse:
        """Let a request meet a fault instead of its answer, if there is one."""
        self.seen.faults[fault.kind] += 1
        if fault.kind == "reset":
            await wire.reset(request)
        now = self._gate.now()
        response = await self._finish(request, self._faulty(answer, fault), said, fault)
        if fault.kind in _STATUS_KINDS and fault.status in _PAUSING:
            pause = dialects.asked(fault.retry_after or "", self._gate.wall(now))
            self.seen.paused((application, None), self._gate.now(), now + pause)
        return response

    def _provider(self, route: Route) -> ProviderId:
        """Return the provider as it was given, or as the path has it."""
        known = self.settings.provider(route.provider)
        return route.provider if known is None else known

    def _key(self, route: Route) -> tuple[ProviderId, SourceId]:
        source = self.settings.source(route.source or "")
        source_id = self.settings.source_id(source) if source else ""
        return self._provider(route), source_id

    async def _finish(
        self,
        request: web.BaseRequest,
        answer: Answer,
        said: Mapping[str, str] | None = None,
        fault: Fault | None = None,
    ) -> web.StreamResponse:
        self.seen.by_status[answer.status] += 1
        answer = self._dated(answers.with_headers(answer, said or {}))
        return await wire.send(request, answer, fault, self.settings.compression)

    def _dated(self, answer: Answer) -> Answer:
        """Return the same answer with the server's idea of the time."""
        date = answer.headers.get("Date") or self._gate.date()
        return answers.with_headers(answer, {"Date": date})

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

    def _rejection(self, limit: RateLimit, verdict: Verdict) -> Answer:
        body = dialects.body(limit, verdict)
        if body is None:
            return answers.problem(limit.status, self._trace())
        return Answer(
            status=limit.status,
            pieces=(body.content,),
            content_type=body.content_type,
        )

    async def _answer(
        self, environment: Environment, request: web.BaseRequest, route: Route
    ) -> Answer:
        settings = self.settings
        if request.method not in route.methods:
            allowed = {"Allow": ", ".join(route.methods)}
            return answers.problem(_NOT_ALLOWED, self._trace(), headers=allowed)
        if not settings.granted(route.provider, route.endpoint):
            return answers.problem(
                _FORBIDDEN,
                self._trace(),
                detail="The application has no access to this data or endpoint.",
            )
        provider = settings.provider(route.provider)
        if provider is None:
            return answers.problem(_NOT_FOUND, self._trace())
        if route.operation is None:
            return await self._reporting(request, route, provider)
        call = serving.Call(
            settings=settings,
            operation=route.operation,
            provider=provider,
            ids=route.ids,
            request=request,
            origin=self.base_urls[environment].removesuffix(settings.path_prefix),
        )
        return await self._operation(call)

    async def _reporting(
        self, request: web.BaseRequest, route: Route, provider: ProviderId
    ) -> Answer:
        settings = self.settings
        if route.source is None:
            return answers.data_sources(settings, SOURCES)
        source = settings.source(route.source)
        if source is None:
            return answers.problem(_NOT_FOUND, self._trace())
        if route.endpoint == "data_source":
            return answers.data_source(settings, source)
        return await self._rows(request, provider, source)

    async def _operation(self, call: serving.Call) -> Answer:
        """Answer an operation that is none of reporting."""
        try:
            return await serving.answer(call)
        except inputs.BadInputError as error:
            return answers.problem(_BAD_REQUEST, self._trace(), errors=error.errors)
        except inputs.UnsupportedError:
            return answers.problem(_UNSUPPORTED, self._trace())
        except serving.MissingError:
            return answers.problem(_NOT_FOUND, self._trace())

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

    def _faulty(self, answer: Answer | None, fault: Fault) -> Answer:
        """Return what is answered instead, if the fault is of that kind."""
        headers: dict[str, str] = {}
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        if fault.kind == "redirect":
            location = fault.location or self.elsewhere()
            return Answer(
                status=302, headers={"Location": location}, content_type="text/html"
            )
        if fault.kind == "html":
            return answers.error_page(fault.status, headers)
        if fault.kind == "status" or answer is None:
            return answers.problem(fault.status, self._trace(), headers=headers)
        return answer
