"""Reading one operation of a document."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from attrs import evolve, field, frozen

from healthyroster_async._core.document import (
    Document,
    mapping,
    pointer,
    sequence,
    some,
    text,
    texts,
    wrong,
)
from healthyroster_async._core.endpoint import Endpoint
from healthyroster_async._core.headers import is_json
from healthyroster_async._core.naming import Names, identifier
from healthyroster_async._core.operation import Operation, Parameter, Where
from healthyroster_async._core.schemas import ANY, Schemas, Shape
from healthyroster_async._core.swagger import servers_at

# RFC 9110, section 9.2.1: these only read, if the server keeps to it.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_WHERE = frozenset({"path", "query", "header", "cookie"})
# HTTP's own (OpenAPI 3.1, section 4.8.12.1: such parameters are ignored); what says
# where a request goes and ends is nobody's to choose.
_NO_ARGUMENTS = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length",
     "content-type", "host", "transfer-encoding", "upgrade", "user-agent"}
)  # fmt: skip
# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STYLES = {
    "": "csv", "form": "csv", "simple": "csv", "spaceDelimited": "ssv",
    "pipeDelimited": "pipes", "deepObject": "deep",
}  # fmt: skip
_COLLECTIONS = frozenset({"csv", "ssv", "tsv", "pipes", "multi"})
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_BINARY = "application/octet-stream"
_MEDIA = re.compile(rf"{_TOKEN.pattern}/{_TOKEN.pattern}")
_ANY_MEDIA = frozenset({"application/*", "*/*"})
# Errors come as JSON whatever a success is.
_OR_JSON = "application/json;q=0.1"
_MOST_MEDIA = 8
_PROVIDER = re.compile(r"healthcareproviders?(?:id)?")


@frozen(kw_only=True)
class Found:
    """An operation that is not read yet.

    Attributes:
        name: Its name in Python.
        method: HTTP method.
        template: Path below the base URL.
        item: The path item it stands in.
        raw: What the document says about it.
        where: Where that stands.
    """

    name: str
    method: str
    template: str
    item: Mapping[str, Any] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)
    where: str


@frozen(kw_only=True)
class Reading:
    """What an operation is read with.

    Attributes:
        document: The document.
        schemas: Its schemas.
        hidden: Header fields that nobody gives as an argument, in lower case: the
            credentials.
        safe: Names, operationIds and labels of what changes nothing in spite of its
            verb.
        provider: Name of the parameter that is the provider id, or ``None`` to find it.
        served: Base URLs, their paths, and the servers of the document as a whole, in
            lower case; where there are none, nothing is known to be elsewhere.
    """

    document: Document
    schemas: Schemas
    hidden: frozenset[str]
    safe: frozenset[str]
    provider: str | None
    served: frozenset[str]

    def operation(self, found: Found) -> Operation:
        """Return an operation.

        Raises:
            ConfigurationError: The document describes it in a way that makes no sense.
        """
        raw = found.raw
        self._check_servers(found)
        operation_id = text(raw.get("operationId")) or None
        safe = found.method in SAFE_METHODS or bool(
            self.safe & {found.name, operation_id, f"{found.method} {found.template}"}
        )
        given, body_type = self._arguments(found)
        answers, media, answer_headers = self._answers(found)
        endpoint = Endpoint(
            name=found.name, method=found.method, template=found.template, safe=safe
        )
        given = [*_unnamed(endpoint, given), *given]
        provider = provider_of(endpoint.template, given, self.provider)
        rest = [p for p in given if p is not provider]
        return Operation(
            name=found.name,
            operation_id=operation_id,
            endpoint=endpoint,
            parameters=tuple(
                sorted(_named(rest), key=lambda parameter: not parameter.required)
            ),
            provider=provider,
            body_type=body_type,
            answer=next(iter(answers.values()), None),
            answers=answers if len(set(answers.values())) > 1 else {},
            accept=_accept(media),
            answer_headers=answer_headers,
            summary=" ".join(text(raw.get("summary")).split()),
            description=text(raw.get("description")).strip(),
            deprecated=raw.get("deprecated") is True,
            tags=tuple(texts(raw.get("tags"))),
        )

    def _check_servers(self, found: Found) -> None:
        """Refuse what is served elsewhere: the secret goes to the base URL alone."""
        outer = found.where.rpartition("/")[0]
        for holder, above in ((found.raw, found.where), (found.item, outer)):
            place = pointer(above, "servers")
            own = [url for url, _, _ in servers_at(holder.get("servers"), place)]
            if own:
                break
        else:
            return
        if self.served and self.served.isdisjoint(url.lower() for url in own):
            wrong(
                place,
                f"it cannot be called, because its server is elsewhere ({some(own)}) "
                "and the secret goes to the base URL alone; make a contract with "
                "base_urls= for it",
            )

    def _arguments(self, found: Found) -> tuple[list[Parameter], str | None]:
        """Return what the operation takes, and the media type of its body."""
        merged: dict[tuple[str, str], tuple[Mapping[str, Any], str]] = {}
        for raw, where in self._raw_parameters(found):
            merged[text(raw.get("name")), text(raw.get("in"))] = raw, where
        given: list[Parameter] = []
        kinds = set()
        for (name, place), (raw, where) in merged.items():
            kinds.add(place)
            if place in _WHERE:
                if place != "header" or name.lower() not in self._not_given:
                    given.append(self._parameter(raw, where, name, place))
            elif place == "formData":
                given.append(self._parameter(raw, where, name, "form"))
            elif place == "body":
                shape = self.schemas.shape(raw.get("schema"), pointer(where, "schema"))
                shape = _sendable(shape, _best(self._consumes(found)))
                given.append(_body(shape, raw, required=raw.get("required") is True))
            else:
                wrong(
                    where, "a parameter stands in path, query, header, cookie or body"
                )
        if not self.document.is_swagger_2:
            more, body_type = self._body_of_3(found)
            return given + more, body_type
        if "body" in kinds:
            return given, _best(self._consumes(found)) or "application/json"
        if "formData" in kinds:
            files = any(p.shape.kind == "bytes" for p in given if p.where == "form")
            plain = _FORM in self._consumes(found) or not self._consumes(found)
            return given, _FORM if plain and not files else _MULTIPART
        return given, None

    @property
    def _not_given(self) -> frozenset[str]:
        """Header fields that are no arguments."""
        if self.document.is_swagger_2:  # where a token has no other place
            return self.hidden | _NO_ARGUMENTS - {"authorization"}
        return self.hidden | _NO_ARGUMENTS

    def _raw_parameters(self, found: Found) -> Iterator[tuple[Mapping[str, Any], str]]:
        outer = found.where.rpartition("/")[0]
        for holder, above in ((found.item, outer), (found.raw, found.where)):
            place = pointer(above, "parameters")
            for number, one in enumerate(sequence(holder.get("parameters"), place)):
                raw, where = self.document.follow(one, pointer(place, number))
                yield mapping(raw, where), where

    def _consumes(self, found: Found) -> list[str]:
        own = texts(found.raw.get("consumes"))
        return own or texts(self.document.raw.get("consumes"))

    def _parameter(
        self, raw: Mapping[str, Any], where: str, name: str, place: str
    ) -> Parameter:
        if not name:
            wrong(where, "a parameter has no name")
        if place in {"header", "cookie"} and not _TOKEN.fullmatch(name):
            wrong(where, f"a {place} parameter has a name that cannot be sent")
        style = "csv"
        schema, at = raw.get("schema"), pointer(where, "schema")
        if self.document.is_swagger_2 and schema is None:
            schema, at = raw, where  # in 2.0 the parameter is its own schema
        if self.document.is_swagger_2:
            said = text(raw.get("collectionFormat"))
            style = said if said in _COLLECTIONS else "csv"
        elif isinstance(raw.get("content"), Mapping) and raw["content"]:
            media, inner = next(iter(raw["content"].items()))
            place_of = pointer(where, "content", media)
            schema, at = mapping(inner, place_of).get("schema"), place_of
            style = "json"
        else:
            style = _style(raw, where, place, style)
        shape = self.schemas.shape(schema, at)
        several = shape.kind in {"array", "object", "map"}
        exploded = several and place == "cookie" and style == "multi"
        if exploded and raw.get("required") is True:
            # Two cookies of one name, or an ampersand in one: servers do not agree.
            wrong(where, "a list or object that is exploded cannot be sent in a cookie")
        if several and shape.kind != "array" and self.document.is_swagger_2:
            style = "multi"  # 2.0 has no word for it, and servers look for members
        return Parameter(
            name=identifier(name),
            wire=name,
            where=cast("Where", place),
            required=place == "path" or raw.get("required") is True,
            shape=shape,
            style=style,
            description=" ".join(text(raw.get("description")).split()),
        )

    def _body_of_3(self, found: Found) -> tuple[list[Parameter], str | None]:
        place = pointer(found.where, "requestBody")
        raw, where = self.document.follow(found.raw.get("requestBody"), place)
        content = mapping(mapping(raw, where).get("content"), pointer(where, "content"))
        media = _best(content)
        if media is None:
            return [], None
        at = pointer(where, "content", media)
        schema = mapping(content[media], at).get("schema")
        shape = self.schemas.shape(schema, pointer(at, "schema"))
        required = raw.get("required") is True
        if media in {_FORM, _MULTIPART} and shape.kind == "object":
            place = pointer(at, "encoding")
            encoding = mapping(content[media].get("encoding"), place)
            return [
                Parameter(
                    name=identifier(member.wire),
                    wire=member.wire,
                    where="form",
                    required=member.required and not member.read_only,
                    shape=member.shape,
                    style=_style(
                        encoding.get(member.wire),
                        pointer(place, member.wire),
                        "form",
                        "multi",
                    ),
                    description=member.shape.description,
                )
                for member in shape.members
            ], media
        if media == _BINARY and shape.kind in {"any", "text"}:
            shape = Shape("bytes", at)
        shape = _sendable(shape, media)
        return [_body(shape, raw, required=required)], _plain(media)

    def _answers(
        self, found: Found
    ) -> tuple[dict[str, Shape], list[str], frozenset[str]]:
        """Return what successes look like, and the first's media and header fields."""
        place = pointer(found.where, "responses")
        responses = mapping(found.raw.get("responses"), place)
        good = sorted(s for s in map(str, responses) if re.fullmatch(r"2\d\d|2XX", s))
        answers: dict[str, Shape] = {}
        media: list[str] = []
        names: frozenset[str] = frozenset()
        # Beside a success "default" is what every failure looks like.
        for status in good or ["default"]:
            if status not in responses:
                continue
            raw, where = self.document.follow(responses[status], pointer(place, status))
            raw = mapping(raw, where)
            if not answers:
                headers = mapping(raw.get("headers"), pointer(where, "headers"))
                names = names or frozenset(name.lower() for name in headers)
                media = self._media(found, raw)
            shape = self._answer_shape(raw, where)
            if shape is not None:
                answers[status] = shape
        return answers, media if answers else [], names

    def _media(self, found: Found, raw: Mapping[str, Any]) -> list[str]:
        """Return the media types of an answer."""
        said = raw.get("content")
        if self.document.is_swagger_2:
            said = found.raw.get("produces") or self.document.raw.get("produces")
        media = said if isinstance(said, Mapping | list) else ()
        return [m for m in media if isinstance(m, str)]

    def _answer_shape(self, raw: Mapping[str, Any], where: str) -> Shape | None:
        if self.document.is_swagger_2:
            schema, at = raw.get("schema"), pointer(where, "schema")
        else:
            content = mapping(raw.get("content"), pointer(where, "content"))
            media = _best(content)
            if media is None:
                return None
            at = pointer(where, "content", media)
            schema = mapping(content[media], at).get("schema")
            at = pointer(at, "schema")
            if schema is None and media == _BINARY:
                return Shape("bytes", at)
        return None if schema is None else self.schemas.shape(schema, at)


def _sendable(shape: Shape, media: str | None) -> Shape:
    """Return the shape of a body: what is no JSON or form is given as it is sent."""
    plain = _plain(media or "")
    known = is_json(plain) or plain in {_FORM, _MULTIPART}
    return shape if known or shape.kind in {"bytes", "text"} else ANY


def _style(raw: Any, where: str, place: str, otherwise: str) -> str:
    """Return how an array or object is written in OpenAPI 3."""
    if not isinstance(raw, Mapping):
        return otherwise
    said = text(raw.get("style"))
    style = _STYLES.get(said)
    if style is None:
        wrong(where, f"the style {said!r} is none that can be sent")
    usual = style == "csv" and place in {"query", "cookie", "form"}
    exploded = raw.get("explode", usual) is True
    return "multi" if exploded and style != "deep" else style


def _body(shape: Shape, raw: Mapping[str, Any], *, required: bool) -> Parameter:
    return Parameter(
        name="body",
        wire="body",
        where="body",
        required=required,
        shape=shape,
        description=" ".join(text(raw.get("description")).split()),
    )


def _best(known: Iterable[str]) -> str | None:
    """Return the media type to send or expect: JSON, if it is among them."""

    def rank(kind: str) -> int:
        plain = _plain(kind)
        if plain == "application/json":
            return 0
        if plain == "*/*" or (is_json(plain) and not plain.endswith("*")):
            return 1
        order = (_FORM, _MULTIPART, _BINARY)
        return 2 + order.index(plain) if plain in order else 9

    return min(known, key=rank, default=None)


def _accept(media: list[str]) -> str | None:
    """Return the header field that asks for an answer, unless it is JSON."""
    plain = [_plain(m) for m in media]
    known = [m for m in plain if _MEDIA.fullmatch(m)][:_MOST_MEDIA]
    if not known or "application/json" in plain:
        return None
    if _ANY_MEDIA & set(plain):
        return "application/json, */*;q=0.1"
    return ", ".join([*dict.fromkeys(known), _OR_JSON])


def _plain(media: str) -> str:
    return media.partition(";")[0].strip().lower()


def _unnamed(endpoint: Endpoint, given: list[Parameter]) -> list[Parameter]:
    """Return a parameter for each placeholder that the document does not describe.

    What is described but stands in no placeholder goes nowhere, and is dropped.
    """
    described = {p.wire for p in given if p.where == "path"}
    slots = dict.fromkeys(endpoint.placeholders)
    given[:] = [p for p in given if p.where != "path" or p.wire in slots]
    return [
        Parameter(
            name=identifier(slot), wire=slot, where="path", required=True, shape=ANY
        )
        for slot in slots
        if slot not in described
    ]


def _named(parameters: list[Parameter]) -> list[Parameter]:
    """Give each parameter a name of its own, with its place where two have one."""
    taken = {"paging", "raw"}  # what every call takes besides
    given = Names(taken)
    named: dict[Parameter, Parameter] = {}
    # Who is called in the document as in Python keeps that name.
    for parameter in sorted(parameters, key=lambda p: p.name != p.wire):
        name, placed = parameter.name, f"{parameter.name}_{parameter.where}"
        if name in taken and placed not in taken:
            name = placed
        name = given.give(name)
        taken.add(name)
        named[parameter] = evolve(parameter, name=name)
    return [named[parameter] for parameter in parameters]


def provider_of(
    template: str, parameters: Iterable[Parameter], name: str | None
) -> Parameter | None:
    """Return the parameter that is the provider id.

    It follows a segment ``HealthcareProvider``, or is called ``healthcareProviderId``,
    whatever its case. "Provider" alone is an athletic trainer in the vendor's words.
    """
    given = list(parameters)
    if name is not None:
        return next((p for p in given if p.wire.lower() == name.lower()), None)
    segments = template.strip("/").split("/")
    for before, segment in itertools.pairwise(segments):
        if re.fullmatch(r"\{[^{}]+\}", segment) and _is_provider(before):
            slot = segment[1:-1]
            return next((p for p in given if p.wire == slot), None)
    return next((p for p in given if _is_provider(p.wire)), None)


def _is_provider(word: str) -> bool:
    return bool(_PROVIDER.fullmatch(re.sub(r"[\W_]", "", word).lower()))
