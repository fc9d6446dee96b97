"""From the arguments of a call to what is sent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from healthyroster_async._core.encoding import (
    cookie_value,
    form_of,
    line,
    multipart_of,
    pairs,
    query_of,
    single,
)
from healthyroster_async._core.endpoint import path_segment
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.headers import is_json
from healthyroster_async._core.naming import snake
from healthyroster_async._core.operation import Operation, Parameter
from healthyroster_async._core.schemas import ANY
from healthyroster_async._core.settings import OF_SESSIONS
from healthyroster_async._core.values import File, fitting, json_body

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@frozen
class Bound:
    """What a call sends.

    Attributes:
        values: Values of the placeholders, in the order of the template.
        query: Query, ``?`` included.
        headers: Header fields.
        body: Body, or ``None`` for none.
    """

    values: tuple[int | str, ...]
    query: str = ""
    headers: Mapping[str, str] = {}
    body: bytes | None = None


class Binding:
    """How the arguments of one operation become a request, worked out once."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._slots = operation.endpoint.placeholders
        self._headers = {} if operation.accept is None else {"Accept": operation.accept}
        self._required = tuple(p for p in operation.parameters if p.required)
        self._by_name = {p.name: p for p in operation.parameters}
        for parameter in operation.parameters:
            self._by_name.setdefault(parameter.wire, parameter)
        # Whoever writes Python says organization_id, whatever the document's case.
        self._by_snake: dict[str, Parameter | None] = {}
        for parameter in operation.parameters:
            key = snake(parameter.wire)
            self._by_snake[key] = None if key in self._by_snake else parameter

    def bind(self, provider_id: int | str, arguments: Mapping[str, Any]) -> Bound:
        """Return what is sent.

        Raises:
            TypeError: An argument is unknown, missing, or of a type that does not fit.
            ValueError: A value is none of those that the document allows.
        """
        operation = self.operation
        given: dict[Parameter, Any] = {}
        for name, value in arguments.items():
            parameter = self.parameter(name)
            if parameter in given:
                raise TypeError(f"{operation.name}() got {parameter.name} twice")
            # None is how Python says "not given"; only a body can say null.
            if value is not None or parameter.where == "body":
                given[parameter] = fitting(parameter.shape, value, parameter.name)
        missing = [p.name for p in self._required if p not in given]
        if missing:
            raise TypeError(f"{operation.name}() is missing {', '.join(missing)}")
        if operation.provider is not None:
            given[operation.provider] = provider_id
        return self._placed(given) if given else Bound((), headers=self._headers)

    def parameter(self, name: str) -> Parameter:
        """Return the parameter that a name means, whatever its case.

        Raises:
            TypeError: It is none of the operation's.
        """
        found = self._by_name.get(name) or self._by_snake.get(snake(name))
        if found is not None:
            return found
        operation = self.operation
        provider = operation.provider
        if provider is not None and snake(name) == snake(provider.wire):
            raise TypeError(
                f"{operation.name}() takes {provider.wire} from the session: use "
                "pool.session(...) of that provider"
            )
        if name in OF_SESSIONS:
            raise TypeError(
                f"{operation.name}() has no parameter {name!r}; a session has it: "
                f"session.with_options({OF_SESSIONS[name]}=...)"
            )
        near = difflib.get_close_matches(name, self._by_name, n=2)
        takes = ", ".join(p.name for p in operation.parameters) or "nothing"
        hint = f"did you mean {' or '.join(near)}?" if near else f"it takes {takes}"
        raise TypeError(f"{operation.name}() has no parameter {name!r}; {hint}")

    def _placed(self, given: Mapping[Parameter, Any]) -> Bound:
        filled: dict[str, int | str] = {}
        query: list[tuple[str, str]] = []
        form: list[tuple[str, str | File]] = []
        headers = dict(self._headers)
        body: bytes | None = None
        for parameter, value in given.items():
            where = parameter.where
            if where == "path":
                filled[parameter.wire] = self._segment(parameter, value)
            elif where == "query":
                query.extend(pairs(parameter, value))
            elif where == "header":
                headers[parameter.wire] = _field(parameter, value)
            elif where == "cookie":
                said = f"{parameter.wire}={cookie_value(parameter, value)}"
                known = headers.get("Cookie")
                headers["Cookie"] = f"{known}; {said}" if known else said
            elif where == "form":
                form.extend(_form_parts(parameter, value))
            else:
                body, headers["Content-Type"] = self._body(parameter, value)
        if form:
            body, headers["Content-Type"] = self._form(form)
        values = tuple(filled[slot] for slot in self._slots)
        return Bound(values, query_of(query), headers, body)

    def _segment(self, parameter: Parameter, value: Any) -> int | str:
        if parameter is self.operation.provider:
            return value  # type: ignore[no-any-return] # checked by the session
        text = line(parameter, value)
        try:
            path_segment(parameter.name, text)
        except ConfigurationError as error:
            reason = str(error)
        else:
            return text
        raise ValueError(reason)

    def _body(self, parameter: Parameter, value: Any) -> tuple[bytes, str]:
        said = self.operation.body_type or "application/json"
        media = "application/json" if "*" in said else said
        if isinstance(value, File):
            return value.content, value.content_type if said.endswith("/*") else media
        if is_json(media):
            return json_body(value, parameter.name), media
        if isinstance(value, str):
            return value.encode(), media
        if isinstance(value, dict) and media in {_FORM, _MULTIPART}:
            return self._form([p for k, v in value.items() for p in _part(k, v)])
        raise TypeError(f"body is sent as {media}: give a text or bytes of that")

    def _form(self, form: list[tuple[str, str | File]]) -> tuple[bytes, str]:
        plain = [(n, v) for n, v in form if isinstance(v, str)]
        if self.operation.body_type == _FORM and len(plain) == len(form):
            return form_of(plain), _FORM
        return multipart_of(form)


def _field(parameter: Parameter, value: Any) -> str:
    """Return a value for a header field (RFC 9110, section 5.5)."""
    text = line(parameter, value)
    if not (text.isascii() and text.isprintable()):
        raise ValueError(
            f"{parameter.name} holds a character that cannot stand in a header field"
        )
    return text


def _part(name: str, value: Any) -> list[tuple[str, str | File]]:
    """Return a member of a form that the document does not describe."""
    parameter = Parameter(
        name=name, wire=name, where="form", required=False, shape=ANY, style="multi"
    )
    return [] if value is None else _form_parts(parameter, value)


def _form_parts(parameter: Parameter, value: Any) -> list[tuple[str, str | File]]:
    many = value if isinstance(value, list) else [value]
    if any(isinstance(item, File) for item in many):
        return [
            (parameter.wire, i if isinstance(i, File) else single(parameter, i))
            for i in many
        ]
    if isinstance(value, dict) or any(isinstance(item, dict) for item in many):
        return [(parameter.wire, json_body(value, parameter.name).decode())]
    return list(pairs(parameter, value))
