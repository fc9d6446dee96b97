"""An endpoint: a verb, a route template, and what may be done with it."""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from typing import SupportsIndex
from urllib.parse import quote, unquote
from uuid import UUID

from attrs import Factory, field, frozen

from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.home import not_utf8

_PLACEHOLDER = re.compile(r"\{([^{}/]+)\}")
# What stands in a path or a query as it is (RFC 3986, sections 3.3 and 3.4); an escape
# is one already.
_PLAIN = "/?:@!$&'()*+,;=%"
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _template(_: object, __: object, value: str) -> None:
    if not value.isprintable() or {"#", "\\"} & set(value):
        raise ConfigurationError(
            f"the path {value!r} holds a character that cannot be sent in one"
        )
    if {".", ".."} & set(unquote(value.partition("?")[0]).split("/")):
        raise ConfigurationError(
            f"the path {value!r} holds a dot segment, which leads out of the base URL"
        )


@frozen(kw_only=True)
class Endpoint:
    """One operation of the API.

    Attributes:
        name: What the grants call it and the access map too.
        method: HTTP method.
        template: Path below the base URL, with placeholders in braces; it may have a
            query.
        safe: Whether repeating it changes nothing. It belongs to the endpoint, not to
            the verb: the rows are asked for with a POST that only reads.
        label: Method and template, for logs and errors.
        placeholders: Names of the placeholders, in the order of the template.
    """

    name: str
    method: str
    template: str = field(validator=_template)
    safe: bool
    label: str = field(
        init=False,
        default=Factory(lambda self: f"{self.method} {self.template}", takes_self=True),
    )
    placeholders: tuple[str, ...] = field(
        init=False,
        default=Factory(
            lambda self: tuple(_PLACEHOLDER.findall(self.template)), takes_self=True
        ),
    )

    def path(self, *values: int | str) -> str:
        """Fill the placeholders, in the order of the template.

        Raises:
            ConfigurationError: A value is empty or would leave its place in the path.
        """
        return self.url("", *values)

    def url(self, base: str, *values: int | str) -> str:
        """Return the path behind a base URL, which has no slash at its end.

        Raises:
            ConfigurationError: A value is empty or would leave its place in the path.
        """
        try:
            return _fill(base, self.template, self.placeholders, *values)
        except TypeError:  # what cannot be looked up is no id, and is named here
            ids = map(plain_id, self.placeholders, values)
            return _fill(base, self.template, self.placeholders, *ids)


# Few templates, many providers: a nightly pull asks nine sources of each of them. Who
# looks things up by URL gains from getting the same text each time.
@lru_cache(maxsize=4096, typed=True)  # 1 and True are equal, and not the same
def _fill(
    base: str, template: str, placeholders: tuple[str, ...], *values: int | str
) -> str:
    first, *between = _between(template)
    path = base + first
    for name, value, after in zip(placeholders, values, between, strict=True):
        path += path_segment(name, value) + after
    return path


@lru_cache(maxsize=4096)
def _between(template: str) -> tuple[str, ...]:
    """Return what stands around the placeholders, escaped where it has to be."""
    return tuple(
        quote(_NO_ESCAPE.sub("%25", plain), safe=_PLAIN)
        for plain in _PLACEHOLDER.split(template)[::2]
    )


def plain_id(name: str, value: object) -> int | str:
    """Return an id as an int or a text: numpy's integers and UUIDs are ids too.

    Raises:
        ConfigurationError: The value is no id.
    """
    # Asking for the protocol costs 50 times as much as asking for the class.
    if type(value) is int or isinstance(value, str):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return operator.index(value)
    raise ConfigurationError(
        f"{name} is a {type(value).__name__}; give an int, a text or a UUID"
    )


def path_segment(name: str, value: int | str) -> str:
    """Return a value as one segment of a path (RFC 3986, section 3.3).

    Raises:
        ConfigurationError: The value is no id, is empty, or would leave its place.
    """
    return _segment(name, plain_id(name, value))


@lru_cache(maxsize=4096, typed=True)
def _segment(name: str, value: int | str) -> str:
    text = str(value)
    if not text.strip():
        raise ConfigurationError(f"{name} is empty")
    if text != text.strip():
        raise ConfigurationError(f"{name} begins or ends with white space")
    # "." and ".." cannot be escaped: every client and server resolves them. Slashes
    # can be, but many servers undo that before they look at the path.
    if text in {".", ".."} or "/" in text or "\\" in text:
        raise ConfigurationError(f"{name} holds a path; give an id")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(not_utf8(name)) from None
    if not text.isprintable():
        raise ConfigurationError(f"{name} holds a control character; give an id")
    return quote(text, safe="")
