"""Everything that the operations of a document lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from healthyroster_async._core.document import parted
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.operation import Operation
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.schemas import Schemas, Shape


def readable(
    operations: Operations,
) -> tuple[list[Operation], list[tuple[str, str]]]:
    """Return the operations that make sense, and where and why the others do not."""
    read: list[Operation] = []
    wrong: list[tuple[str, str]] = []
    for name in operations:
        try:
            read.append(operations[name])
        except ConfigurationError as error:
            wrong.append(parted(str(error)))
    return read, wrong


def named_shapes(schemas: Schemas) -> Iterator[Shape]:
    """Yield the shape of each schema that has a name and makes sense."""
    for where in schemas.named.values():
        try:
            yield schemas.at(where)
        except ConfigurationError as error:
            schemas.problems.append(str(error))


def shapes(
    operations: Iterable[Operation], also: Iterable[Shape] = ()
) -> Iterator[Shape]:
    """Yield every shape once: of arguments and answers, and all that is in them.

    Args:
        operations: Whose shapes to begin with, in their order.
        also: More to begin with, before them.
    """
    seen: set[str] = set()
    waiting = [*also, *(shape for o in operations for shape in _outer(o))]
    waiting.reverse()
    while waiting:
        shape = waiting.pop()
        if shape.where in seen:
            continue
        seen.add(shape.where)
        yield shape
        waiting += reversed(_inner(shape))


def _outer(operation: Operation) -> list[Shape]:
    given = [parameter.shape for parameter in operation.parameters]
    return [*given, *operation.described]


def _inner(shape: Shape) -> list[Shape]:
    if shape.kind == "array":
        return [shape.items]
    if shape.kind == "map":
        return [shape.values]
    return [member.shape for member in shape.members] if shape.kind == "object" else []
