"""The module ``models``: a class for each object of the answers and bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from healthyroster_async._codegen.names import Names, finished
from healthyroster_async._codegen.prose import docstring, literal
from healthyroster_async._codegen.types import Types, optional
from healthyroster_async._core.schemas import Shape
from healthyroster_async._schema_models import PLACES


@frozen
class Classes:
    """The objects that get a class.

    Attributes:
        shapes: Their shapes, each once.
        inline: Places of those that the document gives no name.
        names: Names of the classes, by the place of the object.
    """

    shapes: tuple[Shape, ...] = field(repr=False)
    inline: frozenset[str]
    names: Mapping[str, str]

    @classmethod
    def of(cls, shapes: Sequence[Shape], named: Mapping[str, str]) -> Classes:
        """Return the objects among some shapes.

        Args:
            shapes: The shapes, each once.
            named: Places of what the document gives a name, by the name of the class.
        """
        objects = tuple(shape for shape in shapes if shape.kind == "object")
        names = {shape.where: shape.name for shape in objects}
        known = frozenset(named.values())
        return cls(objects, frozenset(names) - known, names)


def model_code(about: str, classes: Classes) -> str:
    """Return the module.

    Args:
        about: What the document calls the API.
        classes: The objects.
    """
    members = {m.name for shape in classes.shapes for m in shape.members}
    names = Names({*members, "extra", *classes.names.values()})
    # In some scripts there are no capitals: there a member can be called as a class is.
    hidden = members & set(classes.names.values())

    def model(shape: Shape) -> str | None:
        name = classes.names.get(shape.where)
        return f"_{name}" if name in hidden else name

    types = Types(names, model)
    body: list[str] = []
    for shape in classes.shapes:
        body += ["", "", *_class(shape, names, types)]
    for name in sorted(hidden):
        body += ["", f"_{name}: {names.use('typing', 'TypeAlias')} = {name}"]
    if classes.inline:
        body += ["", *_places(classes, names)]
    headline = f"Classes of the answers and bodies of {about}"
    return finished([*docstring(headline), "", *names.imports(), *body])


def _class(shape: Shape, names: Names, types: Types) -> list[str]:
    base = names.use("healthyroster_async.models", "Model")
    decorator = names.use("attrs", "frozen")
    said = [(m.name, m.shape.description) for m in shape.members if m.shape.description]
    about = docstring(
        shape.description or f"{shape.name}, as the swagger document has it",
        entries=("Attributes", said),
        indent=4,
    )
    extra = f"{names.builtin('dict')}[{names.builtin('str')}, {types.any()}]"
    made = f"{names.use('attrs', 'field')}(factory={extra}, hash=False)"
    return [
        f"@{decorator}(kw_only=True, repr=False, slots=False)",
        f"class {shape.name}({base}):",
        *about,
        "",
        *(
            f"    {member.name}: {optional(types.answer(member.shape))} = None"
            for member in shape.members
        ),
        f"    extra: {extra} = {made}",
    ]


def _places(classes: Classes, names: Names) -> list[str]:
    kind = f"{names.builtin('dict')}[{names.builtin('str')}, {names.builtin('type')}]"
    return [
        f"{PLACES}: {kind} = {{",
        *(
            f"    {literal(shape.where)}: {shape.name},"
            for shape in classes.shapes
            if shape.where in classes.inline
        ),
        "}",
    ]
