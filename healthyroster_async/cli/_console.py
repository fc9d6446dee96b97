"""What a person or a program reads: data on stdout, messages on stderr."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any, NoReturn, TextIO

import orjson
from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typing_extensions import override

# Nothing is cut or wrapped for a reader that has no width.
_NO_WIDTH = 100_000


class OutputClosedError(Exception):
    """Whoever read the output stopped reading."""


class _Console(Console):
    @override
    def on_broken_pipe(self) -> NoReturn:
        raise OutputClosedError


def _console(stream: TextIO) -> Console:
    _make_lenient(stream)
    terminal = is_terminal(stream)
    return _Console(
        file=stream,
        width=None if terminal else _NO_WIDTH,
        markup=False,  # what the API answers is text, brackets or not
        emoji=False,
        highlight=False,
    )


def _make_lenient(stream: TextIO) -> None:
    """Let a name that the encoding of the terminal lacks not end the command."""
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(ValueError):
            stream.reconfigure(errors="backslashreplace")


def is_terminal(stream: TextIO) -> bool:
    """Return whether a person looks at it."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def output() -> Console:
    """Return where data goes."""
    return _console(sys.stdout)


def messages() -> Console:
    """Return where everything else goes."""
    return _console(sys.stderr)


def message(text: str) -> None:
    """Tell a person something."""
    messages().print(Text(text), soft_wrap=True)


def error(text: str) -> None:
    """Tell a person in one line what went wrong."""
    line = Text.assemble(("error:", "bold red"), f" {plain(text)}")
    messages().print(line, soft_wrap=True)


def write_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    # Not through the console: it would look for colours in it.
    write(orjson.dumps(value, option=option))
    sys.stdout.flush()


def write(data: bytes) -> None:
    """Write data to stdout; on a terminal, without what could move its cursor.

    A program gets the bytes as they are, whatever the encoding of the locale.
    """
    if not is_terminal(sys.stdout):
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:  # somebody put a StringIO there
            sys.stdout.write(data.decode())
        else:
            buffer.write(data)
        return
    _make_lenient(sys.stdout)
    # As \u009b it is still the same JSON; lines of CSV end with both.
    text = data.decode().replace("\r\n", "\n")
    sys.stdout.write(
        "".join(
            c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text
        )
    )


def plain(value: object) -> str:
    """Return a text in one line, without what could move a terminal's cursor."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def block(text: str) -> str:
    """Return a text of several lines, without what could move a terminal's cursor."""
    lines = text.expandtabs().splitlines()
    return "".join(
        "".join(c if c.isprintable() else "?" for c in line) + "\n" for line in lines
    )


def table(console: Console, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; columns in *right* hold numbers."""
    made = Table(
        box=ROUNDED if console.is_terminal else SIMPLE_HEAD,
        header_style="bold",
        border_style="dim",
        show_edge=console.is_terminal,
        pad_edge=console.is_terminal,
    )
    for column in columns:
        if column in right:
            made.add_column(column, justify="right", no_wrap=True)
        else:
            made.add_column(column, overflow="fold")
    return made
