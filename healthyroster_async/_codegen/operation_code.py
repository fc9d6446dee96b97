"""The module ``operations``: a typed call for each operation."""

from __future__ import annotations

from collections.abc import Sequence

from healthyroster_async._codegen.model_code import Classes
from healthyroster_async._codegen.names import Names, finished
from healthyroster_async._codegen.prose import WIDTH, docstring
from healthyroster_async._codegen.types import Types, optional
from healthyroster_async._core.naming import distinct, pascal
from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.paging import detect
from healthyroster_async._core.schemas import ANY, Shape

_SDK = "healthyroster_async"
# What the module is written with; no operation is called like any of it.
_TAKEN = frozenset(
    {"Any", "AsyncIterator", "Call", "Decimal", "File", "Literal", "Mapping",
     "Operation", "OperationCall", "Operations", "Paging", "Path", "Protocol",
     "ProviderSession", "Response", "Sequence", "TypeAlias", "UUID"}
)  # fmt: skip
_SHORT = 60


def operation_code(
    about: str, operations: Sequence[Operation], classes: Classes
) -> str:
    """Return the module.

    Args:
        about: What the document calls the API.
        operations: The operations.
        classes: The objects that have a class in ``models``.
    """
    return _Writer(operations, classes).module(about)


class _Writer:
    def __init__(self, operations: Sequence[Operation], classes: Classes) -> None:
        self._operations = operations
        wanted = [_class_name(operation.name) for operation in operations]
        self._calls = distinct(wanted, _TAKEN)
        self._aliases: dict[str, str] = {}
        self._values: dict[str, tuple[str, ...]] = {}
        self._wanted_alias = ""
        # Only the class with a member for each operation can hide anything.
        self._names = Names({operation.name for operation in operations})
        self._types = Types(
            self._names, lambda shape: _reference(classes, shape), self._shortened
        )

    def _shortened(self, text: str, values: tuple[str, ...]) -> str:
        """Return a type that is long, and may occur often, by a name."""
        if len(text) <= _SHORT:
            return text
        known = self._aliases.get(text)
        if known is None:
            taken = {*_TAKEN, *self._calls, *self._aliases.values()}
            (known,) = distinct([self._wanted_alias], taken)
            self._aliases[text] = known
            self._values[known] = values
        return known

    def module(self, about: str) -> str:
        """Return the text of the module."""
        use = self._names.use
        calls: list[str] = []
        for operation, name in zip(self._operations, self._calls, strict=True):
            calls += ["", "", *self._call(operation, name)]
        base, whole = self._base(), self._whole()
        cast = use("typing", "cast")
        function = [
            f"def operations(session: {use(_SDK, 'ProviderSession')}) -> Operations:",
            '    """Return the operations of a session, with types.',
            "",
            "    Of a ``SyncSession`` take ``session.operations.with_models(models)``:",
            "    its calls have no types, but their answers are of the same classes.",
            '    """',
            "    typed = session.operations.with_models(models)",
            f'    return {cast}("Operations", {cast}("object", typed))',
        ]
        use(".", "models")
        aliases = [
            line
            for text, name in self._aliases.items()
            for line in self._alias(name, text)
        ]
        lines = [
            *docstring(f"Operations of {about}"),
            "",
            *self._names.imports(),
            *(["", *aliases] if aliases else []),
            *["", "", *base, *calls, "", "", *whole, "", "", *function],
        ]
        given = (p.name for o in self._operations for p in o.parameters)
        return finished(lines, given)

    def _alias(self, name: str, text: str) -> list[str]:
        start = f"{name}: {self._names.use('typing', 'TypeAlias')} = "
        if len(start + text) <= WIDTH:
            return [start + text]
        every = (f"    {value}," for value in self._values[name])
        return [f"{start}{self._names.use('typing', 'Literal')}[", *every, "]"]

    def _base(self) -> list[str]:
        use = self._names.use
        return [
            f"class Call({use('typing', 'Protocol')}):",
            '    """What every operation has."""',
            "",
            f"    operation: {use(_SDK, 'Operation')}",
            '    """What the document says about it."""',
            f"    paging: {use(_SDK, 'Paging')} | None",
            '    """How its list comes in pages; ``None`` if it is not clear."""',
        ]

    def _whole(self) -> list[str]:
        use, key = self._names.use, self._names.builtin("str")
        lines = [
            f"class Operations({use('typing', 'Protocol')}):",
            '    """Every operation, about one Healthcare Provider."""',
            "",
        ]
        for operation, name in zip(self._operations, self._calls, strict=True):
            lines.append(f"    {operation.name}: {name}")
            lines += docstring(_headline(operation), indent=4)
        return [
            *lines,
            *([""] if self._operations else []),
            f"    def __getitem__(self, name: {key}) -> {use(_SDK, 'OperationCall')}:",
            '        """Return the operation of a name or operationId."""',
            "        ...",
        ]

    def _call(self, operation: Operation, name: str) -> list[str]:
        use, types = self._names.use, self._types
        given = [self._parameter(p) for p in operation.parameters]
        literal = use("typing", "Literal")
        returned = types.returned(operation.described)
        made = f"{literal}[False] = False"
        as_it_came = f"{literal}[True]"
        lines = [
            f"class {name}(Call, {use('typing', 'Protocol')}):",
            *_about(operation),
            "",
            f"    @{use('typing', 'overload')}",
            *_signature("async def __call__", [*given, f"raw: {made}"], returned),
            f"    @{use('typing', 'overload')}",
            *_signature(
                "async def __call__",
                [*given, f"raw: {as_it_came}"],
                use(_SDK, "Response"),
            ),
        ]
        items = _items(operation)
        if items is not None:
            iterator = use("collections.abc", "AsyncIterator")
            paging = f"paging: {use(_SDK, 'Paging')} | None = None"
            lines += [
                *_signature(
                    "def pages",
                    [*given, paging],
                    f"{iterator}[{types.answer(items)}]",
                    body=False,
                ),
                '        """Return every item, page after page."""',
                "        ...",
            ]
        return lines

    def _parameter(self, parameter: Parameter) -> str:
        self._wanted_alias = _class_name(parameter.wire)
        kind = self._types.argument(parameter.shape)
        if parameter.required:
            return f"{parameter.name}: {kind}"
        return f"{parameter.name}: {optional(kind)} = None"


def _class_name(name: str) -> str:
    made = pascal(name)
    # In some scripts there are no capitals to tell a class from a member.
    return f"{made}Call" if made == name else made


def _reference(classes: Classes, shape: Shape) -> str | None:
    name = classes.names.get(shape.where)
    return None if name is None else f"models.{name}"


def _headline(operation: Operation) -> str:
    return operation.summary or operation.description or operation.endpoint.label


def _about(operation: Operation) -> list[str]:
    known = operation.operation_id
    label = f"``{operation.endpoint.label}``"
    said = [
        "Deprecated: the document advises against it." if operation.deprecated else "",
        operation.description,
        f"{label} (operationId {known})" if known else label,
    ]
    given = [
        (p.name, p.description or p.shape.description or _place(p))
        for p in operation.parameters
    ]
    return docstring(_headline(operation), said, ("Args", given), indent=4)


def _place(parameter: Parameter) -> str:
    if parameter.where == "body":
        return "The body."
    return f"``{parameter.wire}``, in the {parameter.where}."


def _items(operation: Operation) -> Shape | None:
    """Return the shape of each item of what comes in pages."""
    paging, shape = detect(operation), operation.answer
    if paging is None or shape is None:
        return None
    for step in paging.items.split(".") if paging.items else ():
        shape = next((m.shape for m in shape.members if m.wire == step), ANY)
    return shape.items


def _signature(
    start: str, given: Sequence[str], returned: str, *, body: bool = True
) -> list[str]:
    """Return the lines of a method whose arguments are all given by name."""
    end = f" -> {returned}:{' ...' if body else ''}"
    line = f"    {start}(self, *, {', '.join(given)}){end}"
    if len(line) <= WIDTH:
        return [line]
    inner = f"        self, *, {', '.join(given)}"
    if len(inner) <= WIDTH:
        return [f"    {start}(", inner, f"    ){end}"]
    every = ["self", "*", *given]
    return [f"    {start}(", *(f"        {one}," for one in every), f"    ){end}"]
