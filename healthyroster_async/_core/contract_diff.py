"""What a new version of a swagger document means for who calls the old one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from attrs import field, frozen

from healthyroster_async._core import swagger
from healthyroster_async._core.contract import operations_of
from healthyroster_async._core.document import Document
from healthyroster_async._core.headers import is_json
from healthyroster_async._core.naming import snake
from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.paging import detect
from healthyroster_async._core.settings import Environment
from healthyroster_async._core.shape_diff import Comparison, Weight
from healthyroster_async._core.walking import readable


@frozen(kw_only=True)
class Change:
    """One difference.

    Attributes:
        weight: ``breaks``: calls that worked fail, or what they return lacks something;
            ``may break``: whether it does depends on the caller; ``new``: nothing that
            works stops.
        where: The operation it is about, the class and member, or ``contract``.
        text: What is different.
    """

    weight: Weight
    where: str
    text: str


_Changing: TypeAlias = Callable[[Weight, str], Change]
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


@frozen
class Diff:
    """All differences.

    Attributes:
        changes: The differences, in the order of the documents.
    """

    changes: tuple[Change, ...] = field(repr=False)

    def of(self, weight: Weight) -> tuple[Change, ...]:
        """Return the differences of one weight."""
        return tuple(change for change in self.changes if change.weight == weight)

    @property
    def breaks(self) -> bool:
        """Whether something breaks."""
        return bool(self.of("breaks"))


def diff(old: Document, new: Document) -> Diff:
    """Compare two versions of a document.

    Raises:
        ConfigurationError: One of them makes no sense as a whole.
    """
    readings = swagger.read(old), swagger.read(new)
    changes = list(_of_contract(*readings))
    before, after = (
        _operations(document, reading)
        for document, reading in zip((old, new), readings, strict=True)
    )
    comparison = Comparison()
    changes += _of_operations(before, after, comparison)
    comparison.work()
    changes += [
        Change(weight=weight, where=where, text=text)
        for weight, where, text in comparison.found
    ]
    gone = set(before.schemas.named) - set(after.schemas.named)
    changes += [
        Change(weight="may break", where=name, text="there is no such class any more")
        for name in before.schemas.named
        if name in gone
    ]
    return Diff(tuple(dict.fromkeys(changes)))


def _operations(document: Document, reading: swagger.SwaggerReading) -> Operations:
    headers = (reading.application_id_header, reading.application_secret_header)
    return operations_of(document, reading, headers=headers)


def _of_contract(
    old: swagger.SwaggerReading, new: swagger.SwaggerReading
) -> Iterator[Change]:
    pairs = [
        (
            "header field of the application id",
            old.application_id_header,
            new.application_id_header,
        ),
        (
            "header field of the application secret",
            old.application_secret_header,
            new.application_secret_header,
        ),
        *(
            (f"base URL of {e.value}", old.base_urls.get(e), new.base_urls.get(e))
            for e in Environment
        ),
    ]
    for words, before, after in pairs:
        if (before or "").lower() == (after or "").lower():
            continue
        if before is None:
            yield Change(weight="new", where="contract", text=f"the {words} is {after}")
        else:
            now = "is not clear any more" if after is None else f"is {after} now"
            text = f"the {words} was {before} and {now}"
            yield Change(weight="breaks", where="contract", text=text)


def _place(operation: Operation) -> tuple[str, str]:
    """Return what makes two operations the same, whatever they are called."""
    return operation.method, re.sub(r"\{[^{}]*\}", "{}", operation.template).lower()


class _Same:
    """Finds what an operation of the old document is in the new one."""

    def __init__(self, old: list[Operation], new: list[Operation]) -> None:
        self._labels = {operation.endpoint.label: operation for operation in new}
        self._names = {operation.name: operation for operation in new}
        self._places: dict[tuple[str, str], Operation] = {}
        known = {operation.endpoint.label for operation in old}
        for operation in new:
            if operation.endpoint.label not in known:
                self._places.setdefault(_place(operation), operation)
        self._old_places = {_place(operation) for operation in old}

    def of(self, operation: Operation) -> Operation | None:
        """Return it, or ``None`` if there is none.

        It has the same method and path, whatever its placeholders are called, or else
        the same name, at a path where there was nothing.
        """
        found = self._labels.get(operation.endpoint.label)
        found = found or self._places.get(_place(operation))
        moved = self._names.get(operation.name)
        if found is None and moved and _place(moved) not in self._old_places:
            return moved
        return found


def _of_operations(
    old: Operations, new: Operations, comparison: Comparison
) -> Iterator[Change]:
    before, known = readable(old)
    after, wrong = readable(new)
    for where, why in wrong:
        if (where, why) in known:
            continue
        text = f"it makes no sense any more: {why}"
        yield Change(weight="breaks", where=where, text=text)
    same = _Same(before, after)
    matched = set()
    for operation in before:
        found = same.of(operation)
        if found is None:
            yield Change(
                weight="breaks",
                where=operation.name,
                text=f"it is gone ({operation.endpoint.label})",
            )
            continue
        matched.add(found.name)
        yield from _of_operation(operation, found, comparison)
    for operation in after:
        if operation.name not in matched:
            yield Change(
                weight="new", where=operation.name, text=operation.endpoint.label
            )


def _of_operation(
    old: Operation, new: Operation, comparison: Comparison
) -> Iterator[Change]:
    where = old.name

    def change(weight: Weight, text: str) -> Change:
        return Change(weight=weight, where=where, text=text)

    yield from _of_name(old, new, change)
    if new.deprecated and not old.deprecated:
        yield change("may break", "it is deprecated now")
    if old.provider is not None and new.provider is None:
        yield change("breaks", "it does not take the provider id from the session")
    yield from _of_parameters(old, new, comparison, change)
    was, now = old.body_type, new.body_type
    # A form takes the same arguments either way, and so does JSON.
    alike = was == now or {was, now} <= _FORMS
    if was and now and not (alike or (is_json(was) and is_json(now))):
        yield change("breaks", f"its body was {was} and is {now} now")
    yield from _of_answers(old, new, comparison, change)


def _of_answers(
    old: Operation, new: Operation, comparison: Comparison, change: _Changing
) -> Iterator[Change]:
    where = old.name
    if old.answer is not None and new.answer is not None:
        comparison.answer(old.answer, new.answer, f"{where} answers")
        for status in old.answers:
            if status in new.answers:
                was, now = old.answers[status], new.answers[status]
                comparison.answer(was, now, f"{where} answers")
    elif old.answer is not None:
        yield change("breaks", "its answer is not described any more")
    elif new.answer is not None:
        yield change("may break", "its answer is described now, so it becomes a model")
    if detect(old) is not None and detect(new) is None:
        yield change("breaks", "pages() does not know any more how its pages come")


def _of_name(old: Operation, new: Operation, change: _Changing) -> Iterator[Change]:
    if old.name != new.name:
        yield change("breaks", f"it is called {new.name} now ({new.endpoint.label})")
    elif old.operation_id != new.operation_id and old.operation_id:
        said = new.operation_id or "none"
        yield change("may break", f"its operationId was {old.operation_id}, now {said}")
    if _place(old) != _place(new):
        yield change(
            "may break", f"it was {old.endpoint.label}, now {new.endpoint.label}"
        )


def _of_parameters(
    old: Operation, new: Operation, comparison: Comparison, change: _Changing
) -> Iterator[Change]:
    matched: set[str] = set()
    for parameter in old.parameters:
        found = _same(parameter, new)
        if found is None:
            taken = new.provider is not None and snake(parameter.wire) == snake(
                new.provider.wire
            )
            how = "is taken from the session now" if taken else "is gone"
            yield change("breaks", f"the argument {parameter.name} {how}")
            continue
        matched.add(found.name)
        if found.name != parameter.name:
            # A call still finds it, but types and completion know the new one only;
            # unless another is called so now.
            taken = any(p.name == parameter.name for p in new.parameters)
            text = f"the argument {parameter.name} is called {found.name} now"
            yield change("breaks" if taken else "may break", text)
        if found.required and not parameter.required:
            yield change("breaks", f"the argument {found.name} is required now")
        elif parameter.required and not found.required:
            yield change("new", f"the argument {found.name} may be left out now")
        label = f"{old.name}({parameter.name}=)"
        comparison.argument(parameter.shape, found.shape, label)
    for parameter in new.parameters:
        if parameter.name in matched:
            continue
        if parameter.required:
            yield change("breaks", f"the argument {parameter.name} is new and required")
        else:
            yield change("new", f"the argument {parameter.name} can be given")


def _same(parameter: Parameter, operation: Operation) -> Parameter | None:
    """Return what the old parameter is now."""
    given = operation.parameters
    placed = [
        p for p in given if (p.wire, p.where) == (parameter.wire, parameter.where)
    ]
    named = [p for p in given if p.name == parameter.name]
    alike = [
        p
        for p in given
        if snake(p.wire) == snake(parameter.wire) and p.where == parameter.where
    ]
    return next(iter(placed or named or alike), None)
