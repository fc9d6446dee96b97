"""Header fields of an answer, read when they are asked for.

Hardly any call looks at more than one or two of them, and making a ``dict`` of all
costs more than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, overload

from multidict import CIMultiDictProxy
from typing_extensions import override

_D = TypeVar("_D")


class Fields(Mapping[str, str]):
    """Header fields as a mapping with names in lower case.

    Fields that are repeated are one list (RFC 9110, section 5.3).
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: CIMultiDictProxy[str]) -> None:
        self._raw = raw

    @override
    def __getitem__(self, name: str) -> str:
        return ", ".join(self._raw.getall(name))

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | _D) -> str | _D: ...
    @override
    def get(self, name: str, /, default: Any = None) -> Any:
        # Policies ask every answer for what few have: that must cost next to nothing.
        return ", ".join(self._raw.getall(name)) if name in self._raw else default

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._raw

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(_lower(tuple(self._raw)))

    @override
    def __len__(self) -> int:
        return len(_lower(tuple(self._raw)))

    @override
    def __repr__(self) -> str:
        # Values may say more than a log should hold.
        return f"<Fields {', '.join(self)}>"

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


# A server has few sets of names, and every answer is looked through for rate limits.
@lru_cache(maxsize=256)
def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(str.lower, names)))
