"""``healthyroster describe``: the columns and filters of a data source."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import attrs
import rich_click as click
from rich.console import Console
from rich.text import Text

from healthyroster_async._core.errors import InvalidRequestError, NotFoundError
from healthyroster_async._session import ProviderSession
from healthyroster_async.cli import _console, _options
from healthyroster_async.models import DataSourceDetail

# Numbers and GUIDs; whatever else is asked for may be a name.
_ID = re.compile(r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REQUIRED = {True: "yes", False: "no", None: ""}


@click.command("describe")
@click.argument("provider")
@click.argument("source")
@_options.access
@_options.as_json
def command(provider: str, source: str, *, as_json: bool, **access: Any) -> None:
    """Show the fields and parameters of a data source.

    PROVIDER is the id of the Healthcare Provider, SOURCE the id of the data source or
    its name.
    """
    found = _options.Access(provider=provider, **access).call(
        partial(_describe, wanted=source)
    )
    if as_json:
        _console.write_json(attrs.asdict(found))
    else:
        _show(_console.output(), found)


async def _describe(clinic: ProviderSession, wanted: str) -> DataSourceDetail:
    if _ID.fullmatch(wanted):
        try:
            return await clinic.reporting.data_source(wanted)
        except (NotFoundError, InvalidRequestError):
            pass  # a name may look like an id
    sources = await clinic.reporting.data_sources()
    found = [s for s in sources if str(s.id) == wanted] or [
        s for s in sources if (s.name or "").casefold() == wanted.casefold()
    ]
    if len(found) == 1:
        return await clinic.reporting.data_source(found[0].id)
    known = ", ".join(f"{s.id} ({s.name})" for s in found or sources)
    if found:
        raise click.ClickException(
            f"several data sources are called {wanted!r}; give an id: {known}"
        )
    raise click.ClickException(
        f"there is no data source {wanted!r}; there are: {known or 'none'}"
    )


def _show(console: Console, found: DataSourceDetail) -> None:
    title = (
        f"{_console.plain(found.name) or 'Data source'} ({_console.plain(found.id)})"
    )
    console.print(Text(title, style="bold"))
    if found.description:
        console.print(Text(_console.plain(found.description)))
    console.print()
    fields = _console.table(console, "Field", "Type", "Description")
    for column in found.fields:
        cells = (column.name, column.type, column.description)
        fields.add_row(*map(_console.plain, cells))
    console.print(fields)
    console.print()
    if not found.parameters:
        console.print("It has no parameters.")
        return
    parameters = _console.table(console, "Parameter", "Type", "Required", "Description")
    for one in found.parameters:
        required = _REQUIRED[one.required]
        texts = (one.name, one.type, required, one.description)
        parameters.add_row(*map(_console.plain, texts))
    console.print(parameters)
