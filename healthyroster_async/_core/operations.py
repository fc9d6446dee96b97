"""All operations of a document, by name, each read when it is asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from healthyroster_async._core.document import Document, mapping, pointer, text
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.naming import distinct, snake
from healthyroster_async._core.settings import check_type

# A contract that is made by hand has an empty one of these, and reads no document.
if TYPE_CHECKING:
    from healthyroster_async._core.operation import Operation
    from healthyroster_async._core.operation_reader import Found, Reading
    from healthyroster_async._core.schemas import Schemas

_VERBS = ("get", "put", "post", "delete", "options", "head", "patch")
_PLACEHOLDER = re.compile(r"\{([^{}/]+)\}")
_PROVIDER = re.compile(r"^.*/healthcareproviders?/\{[^{}/]+\}", re.IGNORECASE)
# A session's operations have attributes of these names.
_RESERVED = ("models", "with_models")


def paths(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any], str]]:
    """Yield method, template, path item and its place, of each operation.

    Raises:
        ConfigurationError: What should be an object is none.
    """
    for path, item in mapping(document.raw.get("paths"), "#/paths").items():
        if path.startswith("x-"):
            continue
        found, where = document.follow(item, pointer("#/paths", path))
        found = mapping(found, where)
        template = path if path.startswith("/") else f"/{path}"
        for verb in _VERBS:
            if verb in found:
                yield verb.upper(), template, found, where


class Operations(Mapping[str, "Operation"]):
    """The operations of a document, by their names in Python.

    Attributes:
        document: The document, or ``None`` if there is none.
        kept: What is worked out of it elsewhere, and lives as long as it.
    """

    def __init__(
        self,
        document: Document | None = None,
        *,
        hidden: frozenset[str] = frozenset(),
        safe: frozenset[str] = frozenset(),
        provider: str | None = None,
        served: frozenset[str] = frozenset(),
    ) -> None:
        self.document = document
        self._settings = (hidden, safe, provider, served)
        self._read: dict[str, Operation] = {}
        self.kept: dict[str, Any] = {}

    @cached_property
    def schemas(self) -> Schemas:
        """The schemas of the document."""
        from healthyroster_async._core.schemas import Schemas  # noqa: PLC0415

        return Schemas(self._document)

    @cached_property
    def _document(self) -> Document:
        return self.document or Document({"paths": {}}, "3.0")

    @cached_property
    def _reading(self) -> Reading:
        from healthyroster_async._core.operation_reader import (  # noqa: PLC0415
            Reading,
        )

        hidden, safe, provider, served = self._settings
        return Reading(
            document=self._document,
            schemas=self.schemas,
            hidden=hidden,
            safe=safe,
            provider=provider,
            served=served,
        )

    @cached_property
    def _found(self) -> dict[str, Found]:
        from healthyroster_async._core.operation_reader import Found  # noqa: PLC0415

        every = list(paths(self._document))
        bodies = [mapping(item[verb.lower()], at) for verb, _, item, at in every]
        wanted = [
            snake(text(raw.get("operationId"))) if raw.get("operationId") else ""
            for raw in bodies
        ]
        times = Counter(wanted)
        # An id that two have names neither: which one came first may change.
        names = [
            name if name and times[name] == 1 else _from_path(verb, template)
            for name, (verb, template, _, _) in zip(wanted, every, strict=True)
        ]
        return {
            name: Found(
                name=name,
                method=verb,
                template=template,
                item=item,
                raw=raw,
                where=pointer(at, verb.lower()),
            )
            for name, raw, (verb, template, item, at) in zip(
                distinct(names, _RESERVED), bodies, every, strict=True
            )
        }

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names by operationId; an id that comes twice is none."""
        ids = [text(f.raw.get("operationId")) for f in self._found.values()]
        times = Counter(ids)
        return {i: n for i, n in zip(ids, self._found, strict=True) if times[i] == 1}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Method and template of each operation, by its name; none is read for it."""
        return {name: f"{f.method} {f.template}" for name, f in self._found.items()}

    @override
    def __getitem__(self, name: str) -> Operation:
        known = self._read.get(name)
        if known is None:
            known = self._read[name] = self._reading.operation(self._found[name])
        return known

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    @override
    def __len__(self) -> int:
        return len(self._found)

    def has(self, name: str) -> bool:
        """Return whether there is an operation of a name or operationId."""
        return name in self._found or name in self._names

    def find(self, name: str) -> Operation:
        """Return the operation of a name or operationId.

        Raises:
            ConfigurationError: There is none; the text names near ones.
        """
        check_type("the name of an operation", name, str, "a text")
        if name in self._found:
            return self[name]
        known = self._names.get(name)
        if known is not None:
            return self[known]
        if self.document is None:
            raise ConfigurationError(
                "the operations of the API are not known: make the contract with "
                'Contract.from_swagger("swagger.json")'
            )
        near = self.near(name)
        hint = f"did you mean {' or '.join(near)}?" if near else "see its operations"
        raise ConfigurationError(
            f"the swagger document has no operation {name!r}; {hint}"
        )

    def near(self, name: str) -> list[str]:
        """Return names that look like one that does not exist."""
        import difflib  # noqa: PLC0415 - only for a message

        return difflib.get_close_matches(snake(name), self._found, n=3)

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Operations):
            return NotImplemented
        return (self.document, self._settings) == (other.document, other._settings)

    @override
    def __hash__(self) -> int:
        return hash(self._settings)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.document, *self._settings)

    @override
    def __repr__(self) -> str:
        return f"<Operations: {len(self)}>"


def _again(
    document: Document | None,
    hidden: frozenset[str],
    safe: frozenset[str],
    provider: str | None,
    served: frozenset[str],
) -> Operations:
    return Operations(
        document, hidden=hidden, safe=safe, provider=provider, served=served
    )


def _from_path(verb: str, template: str) -> str:
    """Return a name for what has none: ``GET /Teams/{id}`` is ``get_teams_by_id``."""
    below = _PROVIDER.sub("", template)
    words = _PLACEHOLDER.sub(r" by \1 ", below)
    return snake(f"{verb.lower()} {words}")
