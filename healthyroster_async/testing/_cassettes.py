"""Recording what the API really answers, and playing it again."""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin

import orjson

from healthyroster_async._core.errors import ConfigurationError, is_success
from healthyroster_async._core.files import write_whole
from healthyroster_async._core.home import at_home
from healthyroster_async._core.messages import Request, Response, SignedRequest
from healthyroster_async._core.paging import COUNTING, NEXT, WRAPPERS, next_link, plain
from healthyroster_async._transports.base import Transport
from healthyroster_async.testing._scripted import response_of
from healthyroster_async.testing._scrubbing import Scrubber

_VERSION = 1
# Ids of data sources tell of nobody, and neither does what describes them: what has
# nothing behind them in its path.
_SOURCES = re.compile(
    r"\w+ ([^{]*\{[^}]*\})?[^{]*/datasources(?:/\{[^}]*\})?/?([^{]*)", re.IGNORECASE
)
# "Provider" alone is an athletic trainer in the vendor's words.
_PROVIDER = re.compile(r"healthcareproviders?/\{|\{healthcareprovider", re.IGNORECASE)
_ID = re.compile(r"(?:.*_)?id|.*I[dD]", re.DOTALL)  # also patientId, _id
_KEPT = frozenset({"content-type", "retry-after"})


class Recorder:
    """Writes every answer into a file, to be played by ``Replay``.

    ::

        async with ConnectionPool(..., transport=Recorder("clinic.json")) as pool:
            ...

    No header field of a request is written, and so no secret. Every value of a body is
    replaced by a made-up one of the same shape, equal ones by equal ones; only the
    lists and descriptions of data sources stay as they are, and numbers beside a list
    that count its pages and items. Bodies that are no JSON are left out, and so are
    queries and what was sent. Names of columns and ids of Healthcare Providers stay.
    The file appears when the pool is closed, whole.
    """

    def __init__(self, path: str | Path, *, keep_health_data: bool = False) -> None:
        """Record into a file.

        Args:
            path: The file; one that is there is replaced.
            keep_health_data: Write bodies as they are, into a file that only its owner
                may read. Whoever has the file then has health data.
        """
        self._path = at_home(path)
        self._scrubber = None if keep_health_data else Scrubber()
        self._inner: Transport | None = None
        self._calls: list[dict[str, Any]] = []

    def around(self, inner: Transport) -> Transport:
        """Record what another transport does; a pool calls this."""
        self._inner = inner
        return self

    async def start(self) -> None:
        """Get ready."""
        await self._transport.start()

    async def send(self, signed: SignedRequest) -> Response:
        """Send, and keep the answer."""
        response = await self._transport.send(signed)
        request, body = signed.request, response.body
        if response.stream is not None:
            # All of it: a part is no answer that could be played.
            whole = BytesIO()  # shows nothing: error reporters print local variables
            try:
                while whole.write(await response.stream.read()):
                    pass
            finally:
                response.stream.close()
            body = whole.getvalue()
        headers = {k: v for k, v in response.headers.items() if k in _KEPT}
        following = next_link(response.headers.get("link", ""))
        if following is not None:
            headers["link"] = f'<{self._page_url(request, following)}>; rel="next"'
        self._calls.append(
            {
                "request": request.label,
                "path": self._path_of(request),
                "status": response.status,
                "headers": headers,
                "body": self._body(request, response.status, body),
            }
        )
        return response_of(request, response.status, response.headers, body)

    async def close(self) -> None:
        """Write the file."""
        await self._transport.close()
        await asyncio.to_thread(self._write)

    def _write(self) -> None:
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        tape = {"version": _VERSION, "calls": self._calls}
        private = self._scrubber is None
        write_whole(self._path, orjson.dumps(tape, option=option), private=private)

    @property
    def _transport(self) -> Transport:
        if self._inner is None:
            raise ConfigurationError(
                "a Recorder records a pool: ConnectionPool(..., transport=recorder)"
            )
        return self._inner

    def _body(self, request: Request, status: int, body: bytes) -> Any:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        about = _of_sources(request)
        describing = is_success(status) and about is not None and not about[2]
        if self._scrubber is None or describing:
            return value
        made = self._scrubber.value(value)
        if is_success(status) and isinstance(value, dict) and _is_page(value):
            self._keep_paging(request, value, made)
        return made

    def _keep_paging(
        self, request: Request, value: dict[str, Any], made: dict[str, Any]
    ) -> None:
        """Keep what the client goes by: with another total it would stop elsewhere."""
        for key in value.keys() & made.keys():
            item, word = value[key], plain(key)
            if type(item) is int and word in COUNTING:
                made[key] = item
            elif isinstance(item, str) and word in NEXT:
                made[key] = self._page_url(request, item)
            elif isinstance(item, dict) and word in WRAPPERS:
                self._keep_paging(request, item, made[key])

    def _page_url(self, request: Request, url: str) -> str:
        """Return the URL of another page of a list, with made-up arguments.

        It is relative to the one before, which has the made-up ids in its path.
        """
        if self._scrubber is None:
            return url
        try:
            there = urljoin(request.url, url).partition("#")[0]
        except ValueError:  # the client does not follow it either
            there = ""
        path, _, query = there.partition("?")
        if not url or path != request.url.partition("?")[0]:
            return self._scrubber.text(url)
        made = [
            (name, value if _is_count(name, value) else self._scrubber.text(value))
            for name, value in parse_qsl(query)
        ]
        return f"?{urlencode(made)}"

    def _path_of(self, request: Request) -> list[str]:
        values = path_values(request)
        if self._scrubber is None or _of_sources(request) is not None:
            return values
        made = [quote(self._scrubber.text(unquote(v)), safe="") for v in values]
        whose, parts = _whose(request), request.label.split("}")
        # The id of something else may be equal to it, and is made up in bodies.
        own = (at for at, value in enumerate(values) if value == whose)
        place = min(own, key=lambda at: not _PROVIDER.search(parts[at]), default=None)
        if place is not None:
            made[place] = whose
        return made


class Replay:
    """Plays what a ``Recorder`` wrote, without a network.

    Each call gets the next answer that was recorded for the same endpoint and ids, and
    the last one again and again; pages of a list begin anew with the first. So does all
    of it when a pool starts.
    """

    def __init__(self, path: str | Path) -> None:
        """Read a file.

        Raises:
            ConfigurationError: It is none of a ``Recorder``.
        """
        self._name = os.fspath(path)
        try:
            tape = orjson.loads(at_home(path).read_bytes())
            known = tape["version"] == _VERSION
            calls = [(c["request"], tuple(c["path"]), c) for c in tape["calls"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{self._name} cannot be replayed ({type(error).__name__}); record it "
                "with transport=Recorder(...)"
            ) from None
        if not known:
            raise ConfigurationError(f"{self._name} is of another version; record anew")
        self._answers: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        for label, path_, call in calls:
            self._answers.setdefault((label, path_), []).append(call)
        self._asked: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)

    async def start(self) -> None:
        """Begin anew."""
        self._asked.clear()

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, signed: SignedRequest) -> Response:
        """Answer as the API did.

        Raises:
            AssertionError: Nobody recorded that.
        """
        request = signed.request
        key = request.label, tuple(path_values(request))
        answers = self._answers.get(key)
        if answers is None:
            recorded = sorted({label for label, _ in self._answers})
            raise AssertionError(
                f"{self._name} has no answer for {request.label} with these ids; it "
                f"has {', '.join(recorded)}. Record it anew"
            )
        asked = self._asked[key]
        # The last page again would be a list that is short, without a word.
        if len(asked) >= len(answers) and request.url == asked[0] != asked[-1]:
            asked.clear()
        call = answers[min(len(asked), len(answers) - 1)]
        asked.append(request.url)
        body = b"" if call["body"] is None else orjson.dumps(call["body"])
        return response_of(request, call["status"], call["headers"], body)


def _is_page(value: Any) -> bool:
    """Return whether there is a list in it, but for those of a record: that has an id.

    Numbers of a record are health data, whatever they are called.
    """
    if isinstance(value, dict):
        return not any(map(_ID.fullmatch, value)) and any(map(_is_page, value.values()))
    return isinstance(value, list)


def _of_sources(request: Request) -> re.Match[str] | None:
    """Return the parts of the label of an endpoint of data sources, if it is one.

    Before them no id may stand but that of the Healthcare Provider.
    """
    found = _SOURCES.fullmatch(request.label)
    if found is None or not found[1]:
        return found
    return found if path_values(request)[0] == _whose(request) else None


def _whose(request: Request) -> str:
    return quote(str(request.provider_id), safe="")


def _is_count(name: str, value: str) -> bool:
    return value.isdecimal() and plain(name) in COUNTING


def path_values(request: Request) -> list[str]:
    """Return what fills the placeholders of a request's path."""
    template = request.label.partition(" ")[2].partition("?")[0]
    path = request.url.partition("?")[0].partition("#")[0]
    pattern = "".join(_parts(template))
    found = re.search(f"{pattern}$", path)
    return [] if found is None else list(found.groups())


def _parts(template: str) -> Iterator[str]:
    for part in re.split(r"(\{[^}]*\})", template):
        yield "([^/]*)" if part.startswith("{") else re.escape(part)
