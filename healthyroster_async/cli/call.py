"""``healthyroster call``: one operation of the swagger document, once."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import orjson
import rich_click as click

from healthyroster_async._core.arguments import Binding
from healthyroster_async._core.errors import InvalidRequestError
from healthyroster_async._core.files import whole_file
from healthyroster_async._core.headers import is_json
from healthyroster_async._core.home import at_home
from healthyroster_async._core.messages import Response
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.paging import detect
from healthyroster_async._report.text import size
from healthyroster_async._session import ProviderSession
from healthyroster_async.cli import _console, _options
from healthyroster_async.cli._arguments import arguments_of

# Of an answer that says what is wrong; a page of it would hide the line before.
_MOST_SAID = 4000


@click.command("call")
@click.argument("operation")
@click.argument("provider")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--body",
    metavar="FILE|-|JSON",
    help="The body: a file, - for stdin, or JSON as it stands.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="NAME=PATH",
    help="An argument that is a file; may be given several times.",
)
@click.option(
    "--pages",
    is_flag=True,
    help="Go through all pages; each item is a line of JSON.",
)
@click.option("--raw", is_flag=True, help="Write the answer as it came, byte for byte.")
@click.option(
    "--output",
    metavar="FILE",
    type=_options.FILE,
    help="Write the answer there.",
)
@click.option("--yes", is_flag=True, help="Do not ask before something may change.")
@_options.access
def command(
    operation: str,
    provider: str,
    arguments: tuple[str, ...],
    *,
    body: str | None,
    files: tuple[str, ...],
    pages: bool,
    raw: bool,
    output: Path | None,
    yes: bool,
    **access: Any,
) -> None:
    """Call an operation of the swagger document and print its answer as JSON.

    OPERATION is its name or operationId, as "healthyroster operations" lists them, and
    PROVIDER the id of the Healthcare Provider. Arguments are given as NAME=VALUE; lists
    with commas between their values, or several times; objects as JSON.

    What may change data is asked about first; where nobody can be asked, it needs
    --yes.
    """
    if pages and raw:
        raise click.UsageError("--pages reads the answers, so it cannot be --raw")
    how = _options.Access(provider=provider, **access)
    pool = how.pool()
    found = pool.contract.operations.find(operation)
    if pages and detect(found) is None:
        raise click.UsageError(
            f"the swagger document does not say how the pages of {found.name} come"
        )
    given = _given(found, provider, arguments, files, body)
    if output is not None:
        _check_writable(output)
    if not found.safe and not yes:
        _ask(found)
    if pages:
        with nullcontext() if output is None else _whole(output) as file:
            how.run(pool, lambda clinic: _every(clinic, found, given, file))
        return

    async def once(clinic: ProviderSession) -> Response:
        try:
            response: Response = await clinic.operations[found.name](raw=True, **given)
        except InvalidRequestError as error:
            raise _not_accepted(error) from None
        return response

    _write(how.run(pool, once), output, raw=raw)


def _not_accepted(error: InvalidRequestError) -> click.ClickException:
    """Show a person what the API says, which may name people; return the error."""
    text = str(error).partition(";")[0]
    if not error.response.body:
        return click.ClickException(f"{text}; it does not say why")
    if not _console.is_terminal(sys.stderr):
        return click.ClickException(
            f"{text}; why is shown on a terminal only, for it may name people"
        )
    said = error.response.body[:_MOST_SAID].decode(errors="replace")
    sys.stderr.write(_console.block(said))
    return click.ClickException(f"{text}, and says what is above")


def _check_writable(output: Path) -> None:
    """Refuse a file before the call: it may change data, and its answer be lost."""
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise click.BadParameter(
            f"{output} cannot be written; is its folder there?", param_hint="--output"
        )


@contextmanager
def _whole(output: Path) -> Iterator[IO[bytes]]:
    """Open a file that has its name once it is whole; until then the old one has."""
    real = output.resolve()
    # A pipe, or /dev/stdout; or a folder in which nothing else can be written.
    kept = not real.is_file() or not os.access(real.parent, os.W_OK)
    if output.exists() and kept:
        with output.open("wb") as file:
            yield file
        return
    with whole_file(real) as file:
        yield file


def _given(
    operation: Operation,
    provider: str,
    arguments: tuple[str, ...],
    files: tuple[str, ...],
    body: str | None,
) -> dict[str, Any]:
    """Return the arguments, checked before anything is asked or sent."""
    try:
        given = arguments_of(operation, arguments, files, _body(body))
        Binding(operation).bind(provider, given)
    except (TypeError, ValueError) as error:
        reason = str(error).replace(f"{operation.name}()", operation.name)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
    else:
        return given
    raise click.UsageError(f"{reason}; see healthyroster operations {operation.name}")


def _body(body: str | None) -> bytes | None:
    if body is None:
        return None
    if body == "-":
        return sys.stdin.buffer.read()
    if body.lstrip()[:1] in {"{", "[", '"'}:
        return body.encode()
    try:
        return at_home(body).read_bytes()
    except OSError as error:
        reason = error.strerror
    try:
        # Numbers, true, false and null are JSON as well, and hardly names of files.
        orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    else:
        return body.encode()
    # It is not shown: what looks like no JSON may be about a person as well.
    raise ValueError(f"--body is no JSON, nor a file that can be read: {reason}")


def _ask(operation: Operation) -> None:
    label = operation.endpoint.label
    if not (_console.is_terminal(sys.stdin) and _console.is_terminal(sys.stderr)):
        raise click.UsageError(
            f"{label} may change data, and nobody can be asked: give --yes"
        )
    if not click.confirm(f"{label} may change data. Call it?", err=True):
        raise click.ClickException("nothing was called")


async def _every(
    clinic: ProviderSession,
    operation: Operation,
    given: dict[str, Any],
    file: IO[bytes] | None,
) -> None:
    call = clinic.operations[operation.name]
    items: AsyncIterator[Any] = call.pages(raw=True, **given)
    if file is None:
        async for item in items:
            _console.write(orjson.dumps(item) + b"\n")
        sys.stdout.flush()
        return
    async for item in items:
        file.write(orjson.dumps(item) + b"\n")


def _write(response: Response, output: Path | None, *, raw: bool) -> None:
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    parsed = is_json(media) and "*" not in media and bool(response.body)
    content = response.body
    if parsed and not raw:
        value = response.json()  # which says so if it is none
        option = orjson.OPT_APPEND_NEWLINE
        if output is None and _console.is_terminal(sys.stdout):
            option |= orjson.OPT_INDENT_2
        content = orjson.dumps(value, option=option)
    if output is not None:
        with _whole(output) as file:
            file.write(content)
        _console.message(f"wrote {size(len(content))} to {output}")
    elif not _console.is_terminal(sys.stdout):
        _console.write(content)
    elif parsed or media.startswith("text/") or "json" in media:
        _console.write(_console.block(content.decode(errors="replace")).encode())
    elif content:
        raise click.ClickException(
            f"the answer is {size(len(content))} of {media or 'something'}, "
            "which a terminal cannot show; give --output FILE"
        )
    if not response.body:
        _console.message(f"{response.status}, and no body")
