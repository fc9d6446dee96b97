"""The files of a package with the types of a document."""

from __future__ import annotations

from collections.abc import Mapping

from healthyroster_async._codegen.model_code import Classes, model_code
from healthyroster_async._codegen.names import MARK, finished
from healthyroster_async._codegen.operation_code import operation_code
from healthyroster_async._codegen.prose import docstring, plain, shortened
from healthyroster_async._core.document import Document, text, text_or_number
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.walking import named_shapes, readable, shapes

_ABOUT = 40
_PARAGRAPHS = (
    (
        "``operations(session)`` returns the operations of a session with types; "
        "``models`` has the classes of answers and bodies."
    ),
    (
        "Written by ``healthyroster contract generate``: write it anew when the "
        "swagger document changes."
    ),
)
_INIT = """
from . import models
from .operations import Operations, operations

__all__ = ["Operations", "models", "operations"]
"""


def package(operations: Operations) -> dict[str, str]:
    """Return the texts of the files of a package, by their names.

    The same document gives the same texts. Operations that make no sense are left out.
    """
    about = _about(operations.document)
    read, _ = readable(operations)
    schemas = operations.schemas
    every = list(shapes(read, list(named_shapes(schemas))))
    classes = Classes.of(every, schemas.named)
    init = docstring(f"Types of the operations of {about}", _PARAGRAPHS)
    return {
        "__init__.py": finished([*init, *_INIT.splitlines()]),
        "models.py": model_code(about, classes),
        "operations.py": operation_code(about, read, classes),
        "py.typed": "",
    }


def is_ours(init: str) -> bool:
    """Return whether a package with this ``__init__.py`` was written here."""
    return init.startswith(f"{MARK}\n")


def _about(document: Document | None) -> str:
    info = None if document is None else document.raw.get("info")
    if not isinstance(info, Mapping):
        return "the API"
    title = plain(text(info.get("title"))) or "the API"
    version = plain(text_or_number(info.get("version") or ""))
    return f"{shortened(title, _ABOUT)} {shortened(version, _ABOUT)}".strip()
