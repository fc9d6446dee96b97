"""Texts of a document as docstrings and literals: none can leave its quotes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 88
_LONGEST = 600
_SIGNS = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-",
     "\u2014": "-", "\u2026": "..."}
)  # fmt: skip
# A line that is one of these words alone would be read as a heading.
_HEADINGS = frozenset(
    {"args", "arguments", "attention", "attributes", "caution", "danger", "error",
     "example", "examples", "extended summary", "hint", "important", "keyword args",
     "keyword arguments", "methods", "note", "notes", "other args",
     "other arguments", "other parameters", "other params", "parameters", "raise",
     "raises", "receives", "references", "return", "returns", "see also",
     "short summary", "tip", "todo", "warning", "warnings", "warns", "yield",
     "yields"}
)  # fmt: skip


def plain(text: str) -> str:
    """Return a text in one line, without what is not printed or looks like a quote."""
    text = text.translate(_SIGNS)
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words).replace('"""', "'''")


def shortened(text: str, longest: int) -> str:
    """Return a text that is no longer than that, cut between two words."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 2].rpartition(" ")[0] or text[: longest - 3]
    return f"{cut.rstrip('.,;: ')}..."


def sentence(text: str) -> str:
    """Return a text that begins and ends as a sentence does."""
    made = text[:1].upper() + text[1:]
    return made if made.endswith((".", "!", "?")) else f"{made.rstrip(',;: ')}."


def docstring(
    headline: str,
    paragraphs: Iterable[str] = (),
    entries: tuple[str, Sequence[tuple[str, str]]] | None = None,
    *,
    indent: int = 0,
) -> list[str]:
    """Return the lines of a docstring.

    Args:
        headline: What it says in a line; what does not fit is said below.
        paragraphs: What it says besides.
        entries: A heading, and names with what is said of them.
        indent: Columns before it.
    """
    room = WIDTH - indent
    whole = sentence(plain(headline))
    first = shortened(whole, room - 7)
    said = [whole] if first != whole else []
    said += [sentence(shortened(plain(p), _LONGEST)) for p in paragraphs if plain(p)]
    lines = [first]
    for paragraph in dict.fromkeys(p for p in said if p != first):
        lines += ["", *_wrapped(paragraph, room)]
    if entries is not None and entries[1]:
        lines += ["", f"{entries[0]}:"]
        for name, words in entries[1]:
            about = sentence(shortened(plain(words), _LONGEST))
            lines += _wrapped(f"{name}: {about}", room, "    ", "        ")
    opening = 'r"""' if any("\\" in line for line in lines) else '"""'
    before = " " * indent
    if len(lines) == 1:
        return [f'{before}{opening}{lines[0]}"""']
    lines = [f"{opening}{lines[0]}", *lines[1:], '"""']
    return [f"{before}{line}" if line else "" for line in lines]


def _wrapped(text: str, room: int, first: str = "", other: str = "") -> list[str]:
    lines = textwrap.wrap(
        text,
        room,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{line.rstrip(':')}." if _is_heading(line) else line for line in lines]


def _is_heading(line: str) -> bool:
    return line.strip().rstrip(":").lower() in _HEADINGS


def literal(value: str | int) -> str:
    """Return a value as it is written in code."""
    if not isinstance(value, str):
        return repr(value)
    if '"' in value and "'" not in value:
        return repr(value)
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    return character if character.isprintable() else repr(character)[1:-1]
