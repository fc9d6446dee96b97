"""An operation of a document: what it takes, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.schemas import Shape

Where: TypeAlias = Literal["path", "query", "header", "cookie", "form", "body"]


@frozen(kw_only=True, eq=False)
class Parameter:
    """One argument of an operation.

    Attributes:
        name: Its name in Python: the document's spelling, as far as that is a name.
        wire: The document's spelling.
        where: Where it goes.
        required: Whether the operation cannot be called without it.
        shape: What it looks like.
        style: How an array or object is written: ``csv``, ``ssv``, ``tsv``, ``pipes``,
            ``multi`` or ``deep``.
        description: What the document says about it.
    """

    name: str
    wire: str
    where: Where
    required: bool
    shape: Shape
    style: str = "csv"
    description: str = ""


@frozen(kw_only=True, eq=False)
class Operation:
    """One operation of the API, as the document describes it.

    Attributes:
        name: Its name in Python, in snake_case.
        operation_id: The document's own name of it, or ``None``.
        endpoint: Method, template, and whether it may be repeated.
        parameters: What it takes, required ones first, without the provider id; the
            body is one of them.
        provider: What the session fills in, or ``None`` if it is not about one
            Healthcare Provider.
        body_type: Media type of the body, or ``None`` if it has none.
        answer: What it answers, or ``None`` if the document does not say.
        answers: What it answers by status, where the document tells them apart; else
            empty.
        accept: Media types of its answer, as a header field asks for them; ``None`` if
            JSON is one of them, which is asked for anyway.
        answer_headers: Names of the header fields of its answer, in lower case.
        summary: What it does, in a line.
        description: What the document says besides.
        deprecated: Whether the document advises against it.
        tags: The groups it belongs to.
    """

    name: str
    operation_id: str | None
    endpoint: Endpoint
    parameters: tuple[Parameter, ...] = field(repr=False)
    provider: Parameter | None = field(default=None, repr=False)
    body_type: str | None = field(default=None, repr=False)
    answer: Shape | None = field(default=None, repr=False)
    answers: Mapping[str, Shape] = field(factory=dict, repr=False)
    accept: str | None = field(default=None, repr=False)
    answer_headers: frozenset[str] = field(default=frozenset(), repr=False)
    summary: str = ""
    description: str = field(default="", repr=False)
    deprecated: bool = False
    tags: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """HTTP method."""
        return self.endpoint.method

    @property
    def template(self) -> str:
        """Path below the base URL, with placeholders in braces."""
        return self.endpoint.template

    @property
    def described(self) -> tuple[Shape, ...]:
        """All that it may answer, as far as the document says, each once."""
        first = () if self.answer is None else (self.answer,)
        return tuple(dict.fromkeys((*first, *self.answers.values())))

    @property
    def safe(self) -> bool:
        """Whether repeating it changes nothing."""
        return self.endpoint.safe
