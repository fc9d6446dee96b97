"""Our client against a server that nobody here wrote, built from the same document.

Prism (https://stoplight.io/open-source/prism) mocks a document: it checks the
credentials, validates what is sent, and answers with the document's examples or with
made-up values of its schemas. For each document, ours and those of the folders given,
every safe operation is called twice: with the required arguments for a static answer,
and with every argument for a dynamic one. With ``--all`` so is what would change
something, with bodies made up from the schemas.

*valid*: Prism had nothing against what was sent. *decoded*: what it answered became
what the document says. *others*: calls that say nothing about us: Prism has no answer
of its own, or wants credentials that are no header fields. Those are named below the
table, and never counted as a success. It exits with 1 if a call was invalid, not
decoded, or not made because no value could be made up for it.

Run: ``python benchmarks/prism.py --prism node_modules/.bin/prism [FOLDER ...] [--all]``
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, TypeAlias

import aiohttp
import made_up
import orjson
import specimens
from attrs import Factory, define, evolve, frozen
from documents import documents, headers_of

from healthyroster_async import (
    ConfigurationError,
    ConnectionPool,
    Contract,
    Credentials,
    DecodingError,
    Environment,
    HealthyRosterError,
    Limit,
    PacingSettings,
    Response,
    ResponseError,
    RetrySettings,
    Timeouts,
)
from healthyroster_async._core import swagger
from healthyroster_async._core.document import Document
from healthyroster_async._core.loading import load
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.schemas import Shape
from healthyroster_async._resources.operations import Prepared, registry_of
from healthyroster_async.models import Model

_READ: dict[str, type | tuple[type, ...]] = {
    "object": Model,
    "array": (list, tuple),
    "map": dict,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "text": (str, date),
}
_START_S, _CALL_S = 60.0, 20.0
_MOST_FALLS = 10
_SHOWN = 300
Kind: TypeAlias = Literal["decoded", "invalid", "undecoded", "uncalled", "other"]


@frozen
class Call:
    """What became of one call.

    Attributes:
        label: Method and template.
        how: With which arguments, for which answer.
        models: Whether models of the document came out of it.
        reason: Why it is no success.
    """

    label: str
    how: str
    kind: Kind
    models: bool = False
    reason: str = ""


@define
class Result:
    """What became of one document."""

    name: str
    operations: int = 0
    calls: list[Call] = Factory(list)
    refusal: str = ""

    def count(self, *kinds: Kind) -> int:
        """Return how many calls ended so."""
        return sum(call.kind in kinds for call in self.calls)


class Server:
    """Prism with a document, on a free port of the loopback; it is started as needed.

    Attributes:
        port: Where it listens, also when it was started again.
    """

    def __init__(self, prism: str, document: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._command = (
            prism, "mock", "-h", "127.0.0.1", "-p", str(self.port),
            "--multiprocess=false", "--verboseLevel=warn", str(document),
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - as long as we

    def start(self) -> None:
        """Start it, unless it runs, and wait until it listens.

        Raises:
            RuntimeError: It does not listen; the text has what it printed.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._output.seek(0)
        self._output.truncate()
        self._process = subprocess.Popen(
            self._command, stdout=self._output, stderr=self._output
        )
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(self.said() or "it does not listen")

    def died_of(self) -> str:
        """Return what it died of, or nothing if it runs."""
        if self._process is None or self._process.poll() is None:
            return ""
        found = re.search(r"^\w*Error: .*$", self.said(), re.MULTILINE)
        return found[0] if found else "no word"

    def said(self) -> str:
        """Return the end of what it printed."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace").strip()[-4096:]

    def stop(self) -> None:
        """Stop it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def contract_of(raw: bytes, port: int) -> tuple[Contract, Credentials]:
    """Return a contract with Prism, and credentials that it takes.

    Where the document wants a token or a password instead, it is given as one of ours.
    """
    document = Document.of(load(raw))
    names = headers_of(swagger.read(document))
    values = ["made-up-id", "made-up-secret"]
    token = _authorization(document)
    if token and "authorization" not in {n.lower() for n in names}:
        names, values[0] = ("Authorization", names[1]), token
    contract = Contract.from_swagger(
        raw,
        base_urls={Environment.SANDBOX: f"http://127.0.0.1:{port}"},
        application_id_header=names[0],
        application_secret_header=names[1],
    )
    return contract, Credentials(values[0], values[1])


def _schemes(document: Document) -> Mapping[str, Any]:
    raw = document.raw
    found = raw.get("securityDefinitions") or raw.get("components", {}).get(
        "securitySchemes"
    )
    return found or {}


def _authorization(document: Document) -> str | None:
    for scheme in _schemes(document).values():
        kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
        if kind == "basic" or way == "basic":
            return "Basic bWFkZTp1cA=="
        if kind in {"oauth2", "openIdConnect"} or way == "bearer":
            return "Bearer made-up"
    return None


def _is_other_credential(document: Document) -> bool:
    """Return whether the document knows credentials that are no header fields."""
    return any(
        s.get("type") == "apiKey" and s.get("in") != "header"
        for s in _schemes(document).values()
    ) or bool(len(_schemes(document)) > 1 and _authorization(document))


async def call_all(raw: bytes, server: Server, result: Result, *, every: bool) -> None:
    """Call the operations of a document, one after the other."""
    contract, credentials = contract_of(raw, server.port)
    registry = registry_of(contract.operations)
    falls = 0
    for name in contract.operations:
        try:
            prepared = registry.get(name)
        except ConfigurationError as error:
            result.calls.append(Call(name, "", "uncalled", reason=str(error)))
            continue
        if not (every or prepared.operation.safe):
            continue
        result.operations += 1
        for headers in ({}, {"Prefer": "dynamic=true"}):
            if falls > _MOST_FALLS:
                continue
            server.start()
            call = await _call(contract, credentials, prepared, headers)
            died = server.died_of()
            if died:
                call = evolve(call, kind="other", reason=f"Prism crashes: {died}")
            elif "Timeout" in call.reason:
                call = evolve(call, reason="Prism hangs")
                server.stop()
            falls += call.reason.startswith(("Prism crashes", "Prism hangs"))
            result.calls.append(call)


async def _call(
    contract: Contract,
    credentials: Credentials,
    prepared: Prepared,
    headers: Mapping[str, str],
) -> Call:
    operation = prepared.operation
    label = operation.endpoint.label
    dynamic = bool(headers)
    how = "every argument, dynamic" if dynamic else "required arguments, static"
    # A pool for each call: what fails must not slow down what comes after it.
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        ConnectionPool(
            {Environment.SANDBOX: credentials},
            contract=contract,
            retry=RetrySettings(max_attempts=1),
            pacing=PacingSettings(share=False, remember=False, rate=Limit(10_000)),
            timeouts=Timeouts(connect=_CALL_S, read=_CALL_S, attempt=_CALL_S),
            client_session=client,
        ) as pool,
    ):
        try:
            response = await _send(pool, operation, every=dynamic)
        except (TypeError, ValueError) as error:
            return Call(label, how, "uncalled", reason=str(error))
        except ResponseError as error:
            return Call(label, how, *_refused(contract, operation, error.response))
        except HealthyRosterError as error:
            return Call(label, how, "other", reason=f"{type(error).__name__}: {error}")
    return Call(label, how, *_answered(prepared, response))


async def _send(pool: ConnectionPool, operation: Operation, *, every: bool) -> Response:
    arguments = made_up.arguments(operation, every=every)
    own = operation.provider
    session = pool.session(1 if own is None else made_up.argument(own))
    response: Response = await session.call(operation.name, raw=True, **arguments)
    return response


def _answered(prepared: Prepared, response: Response) -> tuple[Kind, bool, str]:
    """Return what a success is worth: whether Prism found fault, and what we read."""
    violations = _violations(response)
    ours = [v for v in violations if v["location"][0] == "request"]
    if ours:
        return "invalid", False, _said(ours)
    try:
        value = prepared.decoder.decode(response)
    except DecodingError as error:
        reason = f"{error} {response.body[:80]!r}"
        if violations:  # Prism says itself that it does not answer what it should
            return "other", False, f"Prism's answer is wrong: {reason}"
        return "undecoded", False, reason
    # What is missing, where a schema holds itself, keeps nobody from reading the rest.
    wrong = any(v.get("code") != "required" for v in violations)
    kept = "" if wrong else unread(prepared.operation.answer, value)
    if kept:
        return "undecoded", False, f"kept as it came: {kept}"
    first = value[0] if isinstance(value, list) and value else value
    return "decoded", isinstance(first, Model), ""


def unread(shape: Shape | None, value: Any, where: str = "answer") -> str:
    """Return where a value did not become what the document says, if anywhere.

    What does not fit is kept as it came, which is right for a drifting API, and would
    hide here that we cannot read what fits.
    """
    if shape is None or value is None:
        return ""
    fits = isinstance(value, _READ.get(shape.kind, object))
    if not fits:
        return f"{where} is no {shape.kind}"
    if shape.kind == "text" and shape.format in {"date", "date-time"}:
        return "" if isinstance(value, date) else f"{where} is no {shape.format}"
    inner: list[tuple[Shape, Any, str]] = []
    if shape.kind == "array":
        inner = [(shape.items, one, f"{where}[]") for one in value]
    elif shape.kind == "map":
        inner = [(shape.values, one, f"{where}.*") for one in value.values()]
    elif shape.kind == "object":
        inner = [
            (m.shape, getattr(value, m.name), f"{where}.{m.wire}")
            for m in shape.members
        ]
    return next(filter(None, (unread(*one) for one in inner)), "")


def _violations(response: Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with contextlib.suppress(orjson.JSONDecodeError):  # too many are only counted
        found = orjson.loads(response.headers.get("sl-violations") or "[]")
    return found


def _said(violations: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{'.'.join(map(str, v['location']))}: {v['message']}" for v in violations[:3]
    )


def _refused(
    contract: Contract, operation: Operation, response: Response
) -> tuple[Kind, bool, str]:
    """Return whose fault an error is."""
    problem: Any = {}
    with contextlib.suppress(orjson.JSONDecodeError):
        problem = orjson.loads(response.body)
    violations = [v for v in _violations(response) if v["location"][0] == "request"]
    title = ""
    if isinstance(problem, dict) and "prism/errors" in str(problem.get("type")):
        title = str(problem["type"]).rpartition("#")[2]
        violations = problem.get("validation") or violations
    detail = problem.get("detail", "") if title and not violations else ""
    reason = f"{response.status} {title} {_said(violations)}{detail}".strip()
    document = contract.operations.document
    if response.status == HTTPStatus.UNAUTHORIZED:
        wanted = document is not None and _is_other_credential(document)
        return ("other" if wanted else "invalid"), False, reason
    if violations or title in {"UNPROCESSABLE_ENTITY", "INVALID_CONTENT_TYPE"}:
        return "invalid", False, reason
    if response.status in {400, 422} and operation.answer is not None and not title:
        return "invalid", False, reason
    return "other", False, reason or f"the document answers {response.status}"


def look(name: str, path: Path, prism: str, *, every: bool) -> Result:
    """Call what one document has."""
    result = Result(name)
    server = Server(prism, path)
    try:
        server.start()
        asyncio.run(call_all(path.read_bytes(), server, result, every=every))
    except ConfigurationError as error:
        result.refusal = f"refused by us: {error}"
    except RuntimeError as error:
        result.refusal = f"refused by Prism: {' '.join(str(error).split())[-_SHOWN:]}"
    finally:
        server.stop()
    return result


def line(result: Result, wide: int) -> str:
    """Return the line of a document."""
    if result.refusal:
        return f"{result.name:{wide}}  {result.refusal}"
    valid = result.count("decoded", "undecoded")
    models = sum(call.models for call in result.calls)
    return (
        f"{result.name:{wide}}  {result.operations:5} {len(result.calls):6} {valid:6} "
        f"{result.count('decoded'):7} {models:6} {result.count('invalid'):7} "
        f"{result.count('undecoded'):9} {result.count('uncalled'):8} "
        f"{result.count('other'):6}"
    )


def reasons(result: Result) -> Iterator[str]:
    """Yield what was no success, alike ones together."""
    bad = [call for call in result.calls if call.kind != "decoded"]
    times = Counter((c.kind, c.reason) for c in bad)
    for (kind, reason), count in times.most_common():
        one = next(c for c in bad if (c.kind, c.reason) == (kind, reason))
        yield (
            f"{result.name}: {count} x {kind}: {reason[:_SHOWN]} "
            f"[{one.label}, {one.how}]"
        )


def main() -> int:
    """Print the table; exit with 1 if a call was invalid or not decoded."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--prism", required=True, help="its command")
    parser.add_argument(
        "--all", action="store_true", help="also what changes something"
    )
    parser.add_argument("--only", default="", help="documents whose name holds this")
    given = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in specimens.DOCUMENTS.items():
            Path(folder, f"{name}.json").write_bytes(orjson.dumps(make()))
        found = [p for f in (Path(folder), *given.folders) for p in documents(f)]
        found = [path for path in found if given.only in path.name]
        wide = max(len(path.name) for path in found)
        print(
            f"{'document':{wide}}    ops  calls  valid decoded models invalid "
            "undecoded uncalled others"
        )
        for path in found:
            result = look(path.name, path, given.prism, every=given.all)
            results.append(result)
            print(line(result, wide), flush=True)
    print()
    for result in results:
        for sentence in reasons(result):
            print(sentence)
    bad = sum(r.count("invalid", "undecoded", "uncalled") for r in results)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
