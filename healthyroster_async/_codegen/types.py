"""Types of arguments and answers, as they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from healthyroster_async._codegen.names import Names
from healthyroster_async._codegen.prose import literal
from healthyroster_async._core.schemas import Shape

_DEEPEST = 20
_MOMENTS = {"date": "date", "date-time": "datetime"}
_PLAIN = {"text": "str", "integer": "int", "number": "float", "boolean": "bool",
          "bytes": "bytes"}  # fmt: skip
# What a text of a form may be given as besides.
_FORMS = {
    "date": ("datetime", "date"),
    "date-time": ("datetime", "datetime"),
    "datetime": ("datetime", "datetime"),
    "time": ("datetime", "time"),
    "uuid": ("uuid", "UUID"),
    "guid": ("uuid", "UUID"),
}
# What something else may be given as besides.
_BESIDES = {
    "bytes": (("pathlib", "Path"), ("healthyroster_async", "File")),
    "number": (("decimal", "Decimal"),),
}


class Types:
    """Writes types.

    Args:
        names: What the module imports.
        model: Returns how the class of an object is written; ``None`` if there is none.
        shorten: Returns how the type of what is one of some values is written, given
            the type itself and the values as they are written.
    """

    def __init__(
        self,
        names: Names,
        model: Callable[[Shape], str | None],
        shorten: Callable[[str, tuple[str, ...]], str] = lambda text, _: text,
    ) -> None:
        self._names = names
        self._model = model
        self._shorten = shorten

    def any(self) -> str:
        """Return the type of what may be anything."""
        return self._names.use("typing", "Any")

    def answer(self, shape: Shape, within: tuple[str, ...] = ()) -> str:
        """Return the type of a value in an answer: that of the classes at run time."""
        if shape.where in within or len(within) > _DEEPEST:
            return self.any()
        around, builtin = (*within, shape.where), self._names.builtin
        if shape.kind == "array":
            return f"{builtin('tuple')}[{self.answer(shape.items, around)}, ...]"
        if shape.kind == "map":
            inner = self.answer(shape.values, around)
            return f"{builtin('dict')}[{builtin('str')}, {inner}]"
        if shape.kind == "object":
            return self._model(shape) or self.any()
        if shape.kind == "text" and shape.format in _MOMENTS:
            return self._names.use("datetime", _MOMENTS[shape.format])
        return builtin(_PLAIN[shape.kind]) if shape.kind in _PLAIN else self.any()

    def returned(self, shapes: Iterable[Shape]) -> str:
        """Return the type of an answer that looks like one of some shapes."""
        every = dict.fromkeys(self._returned(shape) for shape in shapes)
        return " | ".join(every) or self.any()

    def _returned(self, shape: Shape) -> str:
        """Return the type of an answer: its outermost list is the caller's."""
        if shape.kind == "array":
            items = self.answer(shape.items, (shape.where,))
            made = f"{self._names.builtin('list')}[{items}]"
        else:
            made = self.answer(shape)
        return optional(made) if shape.nullable else made

    def argument(self, shape: Shape, within: tuple[str, ...] = ()) -> str:
        """Return the type of what is given for a value."""
        if shape.where in within or len(within) > _DEEPEST:
            return self.any()
        made = self._argument(shape, (*within, shape.where))
        return optional(made) if shape.nullable else made

    def _argument(self, shape: Shape, within: tuple[str, ...]) -> str:
        use, builtin = self._names.use, self._names.builtin
        values = tuple(v for v in shape.enum if isinstance(v, str | int))
        if values and len(values) == len(shape.enum):
            return self._one_of(values)
        if shape.kind == "array":
            return self._list(shape.items, within)
        if shape.kind in {"map", "object"}:
            return self._mapping(shape, within)
        made = builtin(_PLAIN[shape.kind]) if shape.kind in _PLAIN else self.any()
        if shape.kind == "text" and shape.format in _FORMS:
            return f"{use(*_FORMS[shape.format])} | {made}"
        besides = [use(*name) for name in _BESIDES.get(shape.kind, ())]
        return " | ".join([made, *besides])

    def _mapping(self, shape: Shape, within: tuple[str, ...]) -> str:
        mapping = self._names.use("collections.abc", "Mapping")
        key = self._names.builtin("str")
        if shape.kind == "map":
            return f"{mapping}[{key}, {self.argument(shape.values, within)}]"
        given, model = f"{mapping}[{key}, {self.any()}]", self._model(shape)
        return f"{model} | {given}" if model else given

    def _list(self, items: Shape, within: tuple[str, ...]) -> str:
        inner = self.argument(items, within)
        if items.kind == "text" and not items.enum:
            # A text is a sequence of texts, and none that is meant.
            builtin = self._names.builtin
            each = [one for one in inner.split(" | ") if one != "None"]
            lists = [f"{builtin('list')}[{one}]" for one in each]
            return " | ".join([*lists, f"{builtin('tuple')}[{inner}, ...]"])
        return f"{self._names.use('collections.abc', 'Sequence')}[{inner}]"

    def _one_of(self, values: tuple[str | int, ...]) -> str:
        shown = tuple(dict.fromkeys(literal(value) for value in values))
        text = f"{self._names.use('typing', 'Literal')}[{', '.join(shown)}]"
        return self._shorten(text, shown)


def optional(text: str) -> str:
    """Return a type that may be ``None`` as well."""
    return text if text.endswith("| None") else f"{text} | None"
