"""Calls of the operations of the swagger document."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs
from typing_extensions import override

from healthyroster_async._core.arguments import Binding
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.messages import Request, Response
from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.paging import Pages, PagesError, Paging, detect
from healthyroster_async._core.schemas import ANY, READING
from healthyroster_async._core.settings import check_type
from healthyroster_async._core.values import File
from healthyroster_async._schema_models import (
    PLACES,
    Decoder,
    Models,
    annotation,
    returned,
    structured,
)
from healthyroster_async._shapes import Hook
from healthyroster_async.models import Model

if TYPE_CHECKING:
    from healthyroster_async._caller import Caller


class _Type(str):
    """A type as it is written, which ``inspect`` shows without quotes."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return str(self)


class Prepared:
    """What the calls of one operation share: it is worked out once for a contract."""

    def __init__(self, operation: Operation, models: Models) -> None:
        self.operation: Operation = operation
        self.binding: Binding = Binding(operation)
        self.decoder: Decoder = Decoder(
            operation.answer, models, operation.accept, operation.answers
        )
        self.models: Models = models
        # Reading a file blocks, and few operations take any.
        self.takes_files: bool = any(map(_takes_files, operation.parameters))

    @cached_property
    def paging(self) -> Paging | None:
        """How its list comes in pages, as far as the document says."""
        return detect(self.operation)

    def item_hook(self, items: str) -> Hook:
        """Return what turns an item of a page into what a user gets."""
        shape = self.operation.answer
        for step in items.split(".") if items else ():
            members = () if shape is None else shape.members
            shape = next((m.shape for m in members if m.wire == step), None)
        return self.models.hook(ANY if shape is None else shape.items)

    @cached_property
    def signature(self) -> inspect.Signature:
        """What ``help`` and editors show: arguments are given by name."""
        named = [
            inspect.Parameter(
                p.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if p.required else None,
                annotation=_Type(annotation(p.shape)),
            )
            for p in self.operation.parameters
        ]
        raw = inspect.Parameter(
            "raw", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool
        )
        returns = returned(self.operation.described) or "Any"
        return inspect.Signature([*named, raw], return_annotation=_Type(returns))

    @cached_property
    def doc(self) -> str:
        """The text of ``help``."""
        operation = self.operation
        lines = [operation.summary or operation.endpoint.label]
        if operation.deprecated:
            lines += ["", "Deprecated: the document advises against it."]
        if operation.description and operation.description != operation.summary:
            lines += ["", operation.description]
        lines += ["", f"{operation.endpoint.label}"]
        if operation.operation_id:
            lines[-1] += f" (operationId {operation.operation_id})"
        if operation.parameters:
            lines += ["", "Args:"]
            lines += [f"    {_about(p)}" for p in operation.parameters]
        return "\n".join(lines)


def _takes_files(parameter: Parameter) -> bool:
    shape = parameter.shape
    if shape.kind == "array":
        shape = shape.items
    anything = shape.kind == "any" and parameter.where in {"form", "body"}
    return shape.kind == "bytes" or anything


def _about(parameter: Any) -> str:
    shape = parameter.shape
    said = parameter.description or shape.description
    words = " ".join(said.split())
    if shape.enum:
        words += f" One of {', '.join(map(repr, shape.enum))}."
    return f"{parameter.name}: {words or annotation(shape)}"


class Registry:
    """What has been prepared of one contract's operations.

    Attributes:
        operations: The operations.
        models: The classes of their answers.
    """

    def __init__(
        self, operations: Operations, classes: Mapping[str, type] | None = None
    ) -> None:
        self.operations: Operations = operations
        self.models: Models = Models(operations.schemas, classes)
        self._prepared: dict[str, Prepared] = {}

    def get(self, name: str) -> Prepared:
        """Return what is prepared of the operation of a name or operationId.

        Raises:
            ConfigurationError: There is none, or the document describes it in a way
                that makes no sense.
        """
        known = self._prepared.get(name)
        if known is None:
            with READING:
                operation = self.operations.find(name)
                known = self._prepared.get(operation.name)
                if known is None:
                    known = Prepared(operation, self.models)
                    self._prepared[operation.name] = known
                self._prepared[name] = known
        return known


def registry_of(operations: Operations, models: ModuleType | None = None) -> Registry:
    """Return the registry that all sessions of a contract share.

    Args:
        operations: The operations.
        models: Where the classes of the answers stand; ``None`` has them made.
    """
    every: dict[ModuleType | None, Registry] = operations.kept.setdefault(
        "registries", {}
    )
    known = every.get(models)
    if known is None:
        classes = None if models is None else _classes_in(models)
        with READING:
            known = every.setdefault(models, Registry(operations, classes))
    return known


def _classes_in(module: ModuleType) -> dict[str, type]:
    """Return the models of a module by their names, and by their places as well."""
    found: dict[str, type] = {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, Model) and attrs.has(one)
    }
    return found | getattr(module, PLACES, {})


class OperationCall:
    """One operation of the API, to be awaited like a method.

    Attributes:
        operation: What the document says about it.
    """

    __slots__ = ("_caller", "_prepared")

    def __init__(self, caller: Caller, prepared: Prepared) -> None:
        self._caller = caller
        self._prepared = prepared

    @property
    def operation(self) -> Operation:
        """What the document says about it."""
        return self._prepared.operation

    @property
    def __signature__(self) -> inspect.Signature:
        return self._prepared.signature

    @property
    def __name__(self) -> str:
        return self._prepared.operation.name

    @property
    @override
    def __doc__(self) -> str:  # type: ignore[override]
        return self._prepared.doc

    async def __call__(self, *values: Any, raw: bool = False, **arguments: Any) -> Any:
        """Call the operation.

        Args:
            *values: Nothing: arguments are given by name.
            raw: Whether to return the ``Response`` as it came.
            **arguments: What the operation takes, named as in the document or in
                snake_case; ``None`` is not sent.

        Returns:
            What the document describes: models, lists of them, plain values; ``bytes``
            of a file, ``None`` of an empty answer.

        Raises:
            TypeError: An argument is unknown, missing or of a type that does not fit.
            ValueError: A value is none of those that the document allows.
            HealthyRosterError: The call came to nothing.
        """
        prepared = self._prepared
        if values:
            takes = ", ".join(f"{p.name}=..." for p in prepared.operation.parameters)
            raise TypeError(f"give arguments by name: {self.__name__}({takes})")
        if raw is not True and raw is not False:
            raise TypeError("raw is True or False")
        if prepared.takes_files:
            arguments = await _read_files(arguments)
        sent = self._caller.send_request(self._request(arguments))
        # Error reporters print local variables.
        del self, values, arguments
        response = await sent
        return response if raw else prepared.decoder.decode(response)

    def _request(self, arguments: Mapping[str, Any]) -> Request:
        caller = self._caller
        bound = self._prepared.binding.bind(caller.provider_id, arguments)
        return caller.request_at(
            self._prepared.operation.endpoint,
            bound.values,
            query=bound.query,
            body=bound.body,
            headers=bound.headers,
        )

    @property
    def paging(self) -> Paging | None:
        """How its list comes in pages; ``None`` if the document does not say."""
        return self._prepared.paging

    def pages(
        self, *, paging: Paging | None = None, raw: bool = False, **arguments: Any
    ) -> AsyncIterator[Any]:
        """Return every item of a list that comes in pages, page after page.

        A page is asked for when its first item is. Some servers do not say which page
        is the last; then one more is asked for, which is empty.

        Args:
            paging: How the pages come, where the document does not say or is wrong.
            raw: Whether to return items as they came, instead of models.
            **arguments: What the operation takes.

        Raises:
            ConfigurationError: The document does not say how the pages come.
            TypeError: An argument is unknown, missing or of a type that does not fit.
            ValueError: A value is none of those that the document allows.
        """
        chosen = self._prepared.paging if paging is None else paging
        if chosen is None:
            raise ConfigurationError(
                f"the swagger document does not say how the pages of {self.__name__} "
                'come: give paging=, as in Paging(kind="page", parameter="page", '
                'items="data")'
            )
        check_type("paging", chosen, Paging, "a Paging(...)")
        if chosen.parameter is not None:
            self._prepared.binding.parameter(chosen.parameter)
        pages = Pages(chosen, arguments)
        items = pages.paging.items
        item_of = _as_it_came if raw else self._prepared.item_hook(items)
        return self._every(pages, item_of, self._request(pages.first()))

    async def _every(
        self, pages: Pages, item_of: Hook, request: Request
    ) -> AsyncIterator[Any]:
        caller = self._caller
        items: list[Any] = []
        item: Any = None
        step: dict[str, Any] | str | None = None
        try:
            while True:
                response = await caller.send_request(request)
                items, step = _turned(pages, response)
                for item in items:
                    yield structured(item_of, item, response)
                if step is None:
                    return
                if isinstance(step, str):
                    request = caller.request_url(request, step)
                else:
                    request = self._request(step)
        except BaseException:
            # Error reporters print local variables.
            del items, item, step
            raise

    @override
    def __repr__(self) -> str:
        operation = self._prepared.operation
        return f"<{operation.name}{self.__signature__}: {operation.endpoint.label}>"


def _as_it_came(value: Any) -> Any:
    return value


def _turned(
    pages: Pages, response: Response
) -> tuple[list[Any], dict[str, Any] | str | None]:
    try:
        return pages.turn(response.json(), response.headers)
    except PagesError as error:
        reason = str(error)
    raise response.not_understood(reason)


async def _read_files(arguments: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, list | tuple):
            read[name] = [await _read_file(item) for item in value]
        else:
            read[name] = await _read_file(value)
    return read


async def _read_file(value: Any) -> Any:
    if not isinstance(value, Path):
        return value
    return File(await asyncio.to_thread(value.read_bytes), value.name)
