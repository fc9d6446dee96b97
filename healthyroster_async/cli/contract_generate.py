"""``healthyroster contract generate``: a package with types for editors."""

from __future__ import annotations

import keyword
from pathlib import Path

import rich_click as click

from healthyroster_async._codegen.package import is_ours, package
from healthyroster_async._core.walking import readable
from healthyroster_async.cli import _console, _document, _options


@click.command("generate")
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=_options.HomePath(file_okay=False, path_type=Path),
    help="Where to write the package; its name is what is imported.",
)
@_document.swagger_argument
@_document.profile
def command(swagger: str | None, *, out: Path, profile: str | None) -> None:
    """Write a typed package for the operations of a swagger document.

    With it, mypy, pyright and editors check the arguments of calls and know their
    answers. What an earlier run wrote is replaced; any other folder is left alone.

    SWAGGER is the path or https URL of the document; without it,
    HEALTHYROSTER_SWAGGER or the profile says which.
    """
    name = out.resolve().name
    if not name.isidentifier() or keyword.iskeyword(name):
        raise click.BadParameter(
            f"{name!r} cannot be imported: give a folder with a name such as "
            "clinic_api",
            param_hint="--out",
        )
    if not _may_write(out):
        raise click.BadParameter(
            f"{str(out)!r} holds something else; give a folder that is new, empty, or "
            "was written by this command",
            param_hint="--out",
        )
    operations = _document.find(swagger, profile).operations()
    files = package(operations)
    _, wrong = readable(operations)
    out.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (out / file).write_bytes(text.encode())
    if wrong:
        _console.message(
            f"{len(wrong)} of {len(operations)} operations make no sense and were left "
            "out: see healthyroster contract check"
        )
    _console.message(
        f"wrote {out}: from {name} import operations, then "
        "operations(session).<name>(...)"
    )


def _may_write(out: Path) -> bool:
    if not out.exists() or not any(out.iterdir()):
        return True
    try:
        return is_ours((out / "__init__.py").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
