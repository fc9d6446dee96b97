"""Names for Python, made of the names in a document."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

# "HTTPServer" is two words, so is "getPatient", "v2Patients" and "patient_id".
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_NO_NAME = re.compile(r"\W+")
# ``None``, ``self`` and what begins with underscores have a meaning of their own.
_TAKEN = frozenset({"self", "cls"})


def snake(text: str) -> str:
    """Return a name in snake_case: ``GetPatientsV2`` becomes ``get_patients_v2``."""
    plain = unicodedata.normalize("NFKC", text)
    parts: list[str] = []
    for word in _WORDS.findall(plain):
        # A number belongs to the word before it: "v2", "address1".
        if word.isdecimal() and parts:
            parts[-1] += word
        else:
            parts.append(word.lower())
    return identifier("_".join(parts))


def pascal(text: str) -> str:
    """Return a name in PascalCase: ``patient[Int32]`` becomes ``PatientInt32``."""
    plain = unicodedata.normalize("NFKC", text)
    words = [w for w in re.split(r"[\W_]+", plain) if w]
    return identifier("".join(w[:1].upper() + w[1:] for w in words))


def identifier(text: str) -> str:
    """Return a text as an identifier that is no keyword, little changed.

    ``from`` becomes ``from_``, ``filter.name`` becomes ``filter_name``.
    """
    name = _NO_NAME.sub("_", unicodedata.normalize("NFKC", text)).strip("_")
    if not name:
        return "unnamed"
    if not name.isidentifier():
        name = f"n{name}" if f"n{name}".isidentifier() else "unnamed"
    if keyword.iskeyword(name) or name in _TAKEN:
        name += "_"
    return name


class Names:
    """Names of which none is given twice."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def give(self, name: str) -> str:
        """Return a name, with a number if it is taken."""
        unique = name
        # Where many want the same one, none begins to count at two.
        while unique in self._taken:
            self._counts[name] = self._counts.get(name, 1) + 1
            unique = f"{name}_{self._counts[name]}"
        self._taken.add(unique)
        return unique


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return names of which none comes twice: the later ones get a number."""
    given = Names(taken)
    return [given.give(name) for name in names]
