"""``healthyroster sources``: what a provider has."""

from __future__ import annotations

from typing import Any

import attrs
import rich_click as click

from healthyroster_async.cli import _console, _options


@click.command("sources")
@click.argument("provider")
@_options.access
@_options.as_json
def command(provider: str, *, as_json: bool, **access: Any) -> None:
    """List the data sources of the Healthcare Provider with id PROVIDER."""
    found = _options.Access(provider=provider, **access).call(
        lambda clinic: clinic.reporting.data_sources()
    )
    if as_json:
        _console.write_json([attrs.asdict(source) for source in found])
        return
    console = _console.output()
    table = _console.table(console, "Id", "Name", "Description")
    for source in found:
        cells = (source.id, source.name, source.description)
        table.add_row(*map(_console.plain, cells))
    console.print(table)
