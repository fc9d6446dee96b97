"""The swagger document that a command is about; it needs no credentials."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click
from attrs import frozen

from healthyroster_async import _config
from healthyroster_async._core import swagger
from healthyroster_async._core.contract import base_urls_of, operations_of
from healthyroster_async._core.contract_check import Given
from healthyroster_async._core.document import Document
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.loading import load
from healthyroster_async._core.operations import Operations
from healthyroster_async._core.settings import Environment

F = TypeVar("F", bound=Callable[..., Any])

_HEADERS = ("application_id_header", "application_secret_header")


@frozen(kw_only=True)
class Source:
    """A document, and the settings that win over it.

    Attributes:
        place: Where it comes from.
        document: What stands in it.
        given: The settings.
    """

    place: str
    document: Document
    given: Given

    def operations(self) -> Operations:
        """Return its operations.

        Raises:
            ConfigurationError: It makes no sense as a whole.
        """
        read = swagger.read(self.document)
        found = (self.given.headers.get(h) or getattr(read, h) for h in _HEADERS)
        urls = base_urls_of(read, self.given.base_urls).values()
        return operations_of(self.document, read, base_urls=urls, headers=found)


def find(place: str | None, profile: str | None) -> Source:
    """Return the document that was named, by an argument or the settings.

    Raises:
        ConfigurationError: None was named, or it cannot be read.
    """
    settings = _config.collect(os.environ, profile=profile)
    place = place or settings.text("swagger")
    if not place:
        raise ConfigurationError(
            "no swagger document is named: give its path or URL, or set "
            "HEALTHYROSTER_SWAGGER"
        )
    urls = {e: settings.text(f"{e.value}_base_url") for e in Environment}
    headers = {h: settings.text(h) for h in _HEADERS}
    return Source(
        place=place,
        document=Document.of(load(place)),
        given=Given(
            base_urls={e: url for e, url in urls.items() if url},
            headers={h: name for h, name in headers.items() if name},
        ),
    )


profile = click.option(
    "--profile",
    metavar="NAME",
    help="Profile to take settings from.  [HEALTHYROSTER_PROFILE]",
)
swagger_argument = click.argument("swagger", metavar="[SWAGGER]", required=False)
