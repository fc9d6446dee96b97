"""YAML as swagger documents mean it: what JSON can say, and nothing else.

PyYAML reads YAML 1.1, in which ``no`` is false, ``010`` is eight and ``2020-02-30`` an
error. Here scalars are those of the core schema of YAML 1.2 (section 10.3), and what
looks like none of them is a text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from healthyroster_async._core.errors import ConfigurationError, MissingExtraError

_TAG = "tag:yaml.org,2002:"
_NULLS = re.compile(r"~|null|Null|NULL|")
_BOOLS = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTS = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,29})")  # 010 is a code, not a number
_FLOATS = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_MOST_MERGED = 2_000_000
_UNDER_WAY = object()
_OCTAL_LIKE = re.compile(r"[-+]?0[0-9]+")


def parse(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        ConfigurationError: It is no YAML, or holds itself.
        MissingExtraError: The extra ``yaml`` is not installed.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError(
            "the swagger document is no JSON, and reading YAML needs an extra: "
            "pip install 'healthyroster-async[yaml]'"
        ) from None
    try:
        # The loader only composes nodes: no object is ever made by a tag.
        return _Reading().value(yaml.compose(text, Loader=_loader()))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "?"
        raise ConfigurationError(
            f"the swagger document is neither JSON nor YAML: {error.problem}, {place}"
        ) from None
    except (yaml.YAMLError, ValueError):
        raise ConfigurationError(
            "the swagger document is neither JSON nor YAML: it holds a character that "
            "cannot stand in a text"
        ) from None
    except RecursionError:
        raise ConfigurationError("the swagger document is nested too deep") from None


@cache
def _loader() -> Any:
    import yaml  # noqa: PLC0415 - an extra

    # The parser written in C takes a twentieth of the time.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reading:
    """Nodes becoming values; an alias gives the same object again."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}
        self._merged = 0

    def value(self, node: Any) -> Any:
        """Return what a node stands for."""
        if node is None:
            return None
        made = self._made
        if node in made:
            if made[node] is _UNDER_WAY:
                raise ConfigurationError(
                    "the swagger document holds itself, by an alias"
                )
            return made[node]
        made[node] = _UNDER_WAY
        if node.id == "mapping":
            value: Any = self._mapping(node)
        elif node.id == "sequence":
            value = [self.value(item) for item in node.value]
        else:
            # Quoted texts and blocks have a style, plain scalars have none.
            value = _scalar(node.value) if not node.style else node.value
        made[node] = value
        return value

    def _mapping(self, node: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, item in node.value:
            value = self.value(item)
            if key.id != "scalar":
                raise ConfigurationError(
                    "the swagger document has a key that is no text, "
                    f"line {key.start_mark.line + 1}"
                )
            if key.value == "<<" and not key.style:
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, dict):
                        self._count(len(part) + len(merged))
                        merged = part | merged
            else:
                own[key.value] = value
        return merged | own

    def _count(self, members: int) -> None:
        """Refuse what a few bytes could blow up beyond all memory."""
        self._merged += members
        if self._merged > _MOST_MERGED:
            raise ConfigurationError(
                "the swagger document is too large once its merge keys (<<) are filled "
                "in"
            )


def _scalar(text: str) -> Any:
    if _NULLS.fullmatch(text):
        return None
    if _BOOLS.fullmatch(text):
        return text.lower() == "true"
    if _INTS.fullmatch(text):
        return int(text)
    if _FLOATS.fullmatch(text) and not _OCTAL_LIKE.fullmatch(text):
        return float(text)
    return text
