"""What becomes of swagger documents: a folder of them, a table of the outcome.

Each document is read in a process of its own, so that one that crashes, hangs or eats
the memory is a line of the table and not its end. *Load* is ``Contract.from_swagger``;
*every* reads every operation after that, makes its signature, its text of help and the
classes of its answer; *ratio* is load beside the bare parser on the same bytes (orjson;
for YAML the parser of PyYAML that is written in C), medians of five alternating runs;
*peak* is what the process grew by. Headers with a question mark are candidates that
leave open which is which.

Run: ``python benchmarks/documents.py FOLDER [--megabytes 3]``, the latter for a
document of that size made for it.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, frozen
from memory import peak_mb

from healthyroster_async import ConfigurationError, Contract, Environment
from healthyroster_async._core import swagger
from healthyroster_async._core.document import Document
from healthyroster_async._core.loading import load
from healthyroster_async._resources.operations import registry_of

SUFFIXES = {".json", ".yaml", ".yml"}
_GIVEN = ("X-Application-Id", "X-Application-Secret")
_PATIENCE_S = 120.0
_RUNS = 5


@frozen(kw_only=True)
class Outcome:
    """What became of one document.

    Attributes:
        file: Its name.
        refusal: Why it was refused, or nothing.
        alone: What it says without any setting of ours: ``yes``, or what it asks for.
        wrong: Operations that were refused, each with the sentence.
    """

    file: str
    version: str = "-"
    operations: int = 0
    models: int = 0
    headers: str = ""
    servers: str = ""
    problems: int = 0
    load_s: float = 0.0
    ratio: float = 0.0
    every_s: float = 0.0
    peak_mb: float = 0.0
    refusal: str = ""
    alone: str = ""
    wrong: tuple[str, ...] = ()


def documents(folder: Path) -> list[Path]:
    """Return the documents of a folder, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def headers_of(reading: swagger.SwaggerReading) -> tuple[str, str]:
    """Return two header names: the document's own as far as it has any."""
    found = [
        reading.application_id_header,
        reading.application_secret_header,
    ]
    spare = [h for h in (*reading.headers, *_GIVEN) if h not in found]
    named = [h if h is not None else spare.pop(0) for h in found]
    return named[0] or "", named[1] or ""


def look(path: Path) -> Outcome:
    """Read a document and all that is in it."""
    raw = path.read_bytes()
    before = peak_mb()
    started = time.perf_counter()
    try:
        document = Document.of(load(raw))
        reading = swagger.read(document)
        first, second = headers_of(reading)
        contract = Contract.from_swagger(
            raw,
            base_urls={Environment.SANDBOX: "http://127.0.0.1:1"},
            application_id_header=first,
            application_secret_header=second,
        )
    except ConfigurationError as error:
        took = time.perf_counter() - started
        return Outcome(file=path.name, load_s=took, refusal=str(error))
    started = time.perf_counter()
    registry = registry_of(contract.operations)
    wrong = []
    for name in contract.operations:
        try:
            prepared = registry.get(name)
            str(prepared.signature)
            len(prepared.doc)
        except ConfigurationError as error:
            wrong.append(f"{name}: {error}")
    models = [getattr(registry.models, name) for name in registry.models]
    every = time.perf_counter() - started
    peak = peak_mb() - before
    taken, bare = _side_by_side(
        lambda: Contract.from_swagger(
            raw,
            base_urls={Environment.SANDBOX: "http://127.0.0.1:1"},
            application_id_header=first,
            application_secret_header=second,
        ),
        lambda: _bare(raw),
    )
    clear = reading.application_id_header and reading.application_secret_header
    return Outcome(
        file=path.name,
        version=document.version,
        operations=len(contract.operations),
        models=len(models),
        headers=" ".join(reading.headers) + ("" if clear else " ?"),
        servers=" ".join(reading.base_urls.values()) or reading.about_servers,
        problems=len(contract.operations.schemas.problems),
        load_s=taken,
        ratio=taken / bare,
        every_s=every,
        peak_mb=peak,
        alone=_alone(raw),
        wrong=tuple(wrong),
    )


def _alone(raw: bytes) -> str:
    try:
        Contract.from_swagger(raw)
    except ConfigurationError as error:
        return str(error)
    return "yes"


def _bare(raw: bytes) -> Any:
    try:
        return orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        import yaml  # noqa: PLC0415 - an extra

        return yaml.compose(raw, Loader=yaml.CSafeLoader)


def _side_by_side(
    ours: Callable[[], object], bare: Callable[[], object]
) -> tuple[float, float]:
    times: dict[Callable[[], object], list[float]] = {ours: [], bare: []}
    for _ in range(_RUNS):
        for call, took in times.items():
            gc.collect()
            started = time.perf_counter()
            call()
            took.append(time.perf_counter() - started)
    return statistics.median(times[ours]), statistics.median(times[bare])


def look_apart(path: Path) -> Outcome:
    """Read a document in a process of its own."""
    command = (sys.executable, __file__, "--one", str(path))
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(file=path.name, refusal=f"HANGS: more than {_PATIENCE_S:.0f} s")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return Outcome(
            file=path.name, refusal=f"CRASHES, exit {done.returncode}: {last}"
        )
    return Outcome(**json.loads(done.stdout))


def generated(megabytes: float) -> bytes:
    """Return a document of a size: clinics, with models that hold one another."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    text = "What an athletic trainer writes down about it, in a line or two."
    size, number = 0, 0
    while size < megabytes * 2**20:
        number += 1
        schema = {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "integer", "format": "int64"},
                "next": {"$ref": f"#/components/schemas/Model{number // 2}"},
                **{
                    f"field{n}": {"type": "string", "description": text, "maxLength": n}
                    for n in range(12)
                },
            },
        }
        answer = {"$ref": f"#/components/schemas/Model{number}"}
        path = {
            "get": {
                "operationId": f"GetModel{number}",
                "summary": text,
                "parameters": [
                    {
                        "name": f"parameter{n}",
                        "in": "query",
                        "schema": {"type": "string", "description": text},
                    }
                    for n in range(6)
                ],
                "responses": {
                    "200": {
                        "description": "OK",
                        "content": {"application/json": {"schema": answer}},
                    }
                },
            }
        }
        schemas[f"Model{number}"] = schema
        paths[f"/HealthcareProvider/{{id}}/Models{number}"] = path
        size += len(orjson.dumps(schema)) + len(orjson.dumps(path)) + 60
    schemas["Model0"] = {"type": "object"}
    return orjson.dumps(
        {"openapi": "3.0.1", "paths": paths, "components": {"schemas": schemas}}
    )


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Yield the table, and below it what does not fit into one."""
    wide = max(len(o.file) for o in outcomes)
    yield (
        f"{'file':{wide}}  version    ops models probl  load ms ratio every ms peak MB"
        "  headers; servers"
    )
    for o in outcomes:
        if o.refusal:
            yield f"{o.file:{wide}}  refused after {o.load_s * 1e3:.0f} ms: {o.refusal}"
            continue
        yield (
            f"{o.file:{wide}}  {o.version:7} {o.operations:6} {o.models:6} "
            f"{o.problems:5} {o.load_s * 1e3:8.1f} {o.ratio:5.1f} "
            f"{o.every_s * 1e3:8.1f} {o.peak_mb:7.1f}  {o.headers.strip()}; {o.servers}"
        )
    for o in outcomes:
        yield from (f"{o.file}: {sentence}" for sentence in o.wrong)
    yield ""
    for o in outcomes:
        if o.alone:
            yield f"{o.file}, with no setting of ours: {o.alone}"


def main() -> int:
    """Print the table; exit with 1 if a document crashed or hung."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--megabytes", type=float)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        print(json.dumps(asdict(look(given.one))))
        return 0
    outcomes = [look_apart(p) for p in documents(given.folder)] if given.folder else []
    if given.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"generated-{given.megabytes:g}-MB.json"
            path.write_bytes(generated(given.megabytes))
            outcomes.append(look_apart(path))
    if not outcomes:
        parser.error("give a folder with documents, or --megabytes")
    print("\n".join(lines(outcomes)))
    return any(o.refusal.startswith(("CRASHES", "HANGS")) for o in outcomes)


if __name__ == "__main__":
    sys.exit(main())
