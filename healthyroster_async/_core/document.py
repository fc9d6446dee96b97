"""A swagger document as it stands, and where things are in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from attrs import field, frozen
from typing_extensions import override

from healthyroster_async._core.errors import ConfigurationError

_SHOWN, _MOST_SHOWN = 60, 12
_WRONG = "the swagger document is wrong at "
# A reference may lead to a reference; nobody writes longer chains than this.
_MOST_STEPS = 32


def wrong(where: str, sentence: str) -> NoReturn:
    """Refuse the document: *where* is a JSON pointer into it (RFC 6901).

    Raises:
        ConfigurationError: Always.
    """
    raise ConfigurationError(f"{_WRONG}{where}: {sentence}")


def pointer(where: str, *keys: object) -> str:
    """Return the place of a key below a place."""
    return "/".join([where, *map(_step, keys)])


def _step(key: object) -> str:
    # A fragment is percent-encoded (RFC 6901, section 6), so a sign of its own is too.
    return str(key).replace("%", "%25").replace("~", "~0").replace("/", "~1")


def parted(problem: str) -> tuple[str, str]:
    """Return where a document is wrong, and the sentence that says how."""
    if not problem.startswith(_WRONG):
        return "#", problem
    where, _, sentence = problem.removeprefix(_WRONG).partition(": ")
    return where, sentence


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return a value that must be an object; what is missing is an empty one.

    Raises:
        ConfigurationError: It is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        wrong(where, f"a {type(value).__name__} stands where an object belongs")
    return value


def sequence(value: Any, where: str) -> list[Any]:
    """Return a value that must be a list; what is missing is an empty one.

    Raises:
        ConfigurationError: It is something else.
    """
    if value is None or value == {}:
        return []
    if not isinstance(value, list):
        wrong(where, f"a {type(value).__name__} stands where a list belongs")
    return value


def some(words: Iterable[str]) -> str:
    """Return words for an error, of many only the first."""
    every = list(dict.fromkeys(words))
    return ", ".join([*every[:_MOST_SHOWN], *(["..."] if every[_MOST_SHOWN:] else [])])


def text(value: Any) -> str:
    """Return a text of the document, or none if something else stands there."""
    return value if isinstance(value, str) else ""


def text_or_number(value: Any) -> str:
    """Return the same, also of a number; of what is large nothing is printed."""
    return str(value) if isinstance(value, str | int | float) else ""


def texts(value: Any) -> list[str]:
    """Return the texts of a list, or none if something else stands there."""
    given = value if isinstance(value, list) else []
    return [item for item in given if isinstance(item, str)]


def _alike(one: Any, other: Any) -> bool:
    """Return whether two values are the same, each two parts compared once.

    What YAML's aliases stand for may be more than there is time for.
    """
    left = [(one, other)]
    seen: set[tuple[int, int]] = set()
    while left:
        a, b = left.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
            left += [(value, b[key]) for key, value in a.items()]
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            left += zip(a, b, strict=True)
        elif isinstance(a, Mapping | list) or a != b:
            return False
    return True


@frozen(eq=False)
class Document:
    """A parsed document.

    Attributes:
        raw: What stands in it.
        version: ``2.0``, ``3.0``, ``3.1`` or a later 3.x.
    """

    raw: Mapping[str, Any] = field(repr=False)
    version: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Document:
        """Return a document of a version that is read.

        Raises:
            ConfigurationError: The version is another one.
        """
        said = raw.get("swagger", raw.get("openapi"))
        # Aliases of YAML make lists that no memory could hold if they were printed.
        said = str(said) if isinstance(said, str | int | float) else type(said).__name__
        version = ".".join(said.strip().split(".")[:2])
        if version == "2":
            version = "2.0"
        if version != "2.0" and not version.startswith("3."):
            shown = said[:_SHOWN]
            raise ConfigurationError(
                f"the swagger document has version {shown!r}; versions 2.0, 3.0 and "
                "3.1 are read"
            )
        return cls(raw, version)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and _alike(self.raw, other.raw)

    @override
    def __hash__(self) -> int:
        return hash(self.version)

    @property
    def is_swagger_2(self) -> bool:
        """Whether it is of version 2.0, where bodies are parameters."""
        return self.version == "2.0"

    def follow(self, value: Any, where: str) -> tuple[Any, str]:
        """Return what a reference leads to, and where that stands.

        What is no reference is returned as it is.

        Raises:
            ConfigurationError: It leads nowhere, in a circle, or out of the document.
        """
        for _ in range(_MOST_STEPS):
            if not isinstance(value, Mapping) or "$ref" not in value:
                return value, where
            target = value["$ref"]
            if not isinstance(target, str):
                wrong(where, "$ref is no text")
            if not target.startswith("#"):
                wrong(where, "$ref leads out of the document; only it alone is read")
            value, where = self._at(target, where)
        wrong(where, "$ref leads in a circle")

    def _at(self, target: str, where: str) -> tuple[Any, str]:
        """Return what a pointer leads to, and the one spelling of that pointer."""
        found: Any = self.raw
        if target in {"#", "#/"}:
            return found, "#"
        keys: list[str] = []
        for step in target.removeprefix("#").removeprefix("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not (isinstance(found, Mapping) and key in found):
                key = unquote(step).replace("~1", "/").replace("~0", "~")
            keys.append(key)
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, list) and _is_index(key) and int(key) < len(found):
                found = found[int(key)]
            else:
                wrong(where, f"$ref leads nowhere: {target[:_SHOWN]}")
        return found, pointer("#", *keys)


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) < _SHOWN
