"""Names that a module uses, none of which means something else there."""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Iterable

from healthyroster_async._codegen.prose import WIDTH

_STANDARD = frozenset({"collections.abc", "datetime", "decimal", "pathlib", "typing",
                       "uuid", "builtins"})  # fmt: skip
MARK = '# Written by "healthyroster contract generate": do not edit.'


class Names:
    """What a module imports.

    A name that the document uses for something of its own is reached through its
    module instead: a member called ``date`` would hide the class.
    """

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = taken
        self._from: dict[str, set[str]] = {}
        self._whole: dict[str, str] = {}

    def use(self, module: str, name: str) -> str:
        """Return how a name of a module is written here."""
        if name not in self._taken:
            if module != "builtins":
                self._from.setdefault(module, set()).add(name)
            return name
        alias = f"_{module.replace('.', '_')}"
        self._whole[module] = alias
        return f"{alias}.{name}"

    def builtin(self, name: str) -> str:
        """Return how a name that is always there is written here."""
        return self.use("builtins", name)

    def imports(self) -> list[str]:
        """Return the lines that import what was used."""
        lines = ["from __future__ import annotations"]
        modules = {*self._from, *self._whole}
        here = modules & {"."}
        for group in (modules & _STANDARD, modules - _STANDARD - here, here):
            if not group:
                continue
            lines.append("")
            lines += [
                f"import {m} as {self._whole[m]}"
                for m in sorted(group)
                if m in self._whole
            ]
            for module in sorted(group & set(self._from)):
                lines += _from(module, sorted(self._from[module], key=_order))
        return lines


def _order(name: str) -> tuple[int, str]:
    """Return where a name stands among others: constants, classes, the rest."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _from(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def finished(lines: Iterable[str], arguments: Iterable[str] = ()) -> str:
    """Return the text of a module, with the rules that names of a document break.

    Args:
        lines: Its lines.
        arguments: Names of the arguments in it: they are the document's own.
    """
    body = "\n".join(lines).rstrip() + "\n"
    classes = re.findall(r"^class (\w+)", body, re.MULTILINE)
    given = set(arguments)
    rules = {
        "A001": any(hasattr(builtins, name) for name in classes),
        "A002": any(hasattr(builtins, name) for name in given),
        "E501": any(len(line) > WIDTH for line in body.split("\n")),
        "E741": bool(re.search(r"^ +[lOI]: ", body, re.MULTILINE)),
        "ICN001": any(line.startswith("import ") for line in body.split("\n")),
        "N801": any("_" in c.strip("_") or not c[:1].isupper() for c in classes),
        "N803": any(name.lower() != name for name in given),
        # Pyright wants a body where ruff does not.
        "PIE790": body.count('"""\n        ...\n') > 0,
        "PLC2401": not body.isascii(),
        "RUF001": not body.isascii(),
        "RUF002": not body.isascii(),
    }
    broken = [rule for rule, is_broken in rules.items() if is_broken]
    if not broken:
        return f"{MARK}\n{body}"
    # Which letters look like others, ruff alone knows; so it shall not mind.
    return f"{MARK}\n# ruff: noqa: {', '.join(sorted([*broken, 'RUF100']))}\n{body}"
