"""What came of the partitions of a pull, counted as its report has it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from healthyroster_async.pull._partitions import Partition, Source
from healthyroster_async.pull._report import PullProvider, PullTotal


def by_folder(partitions: list[Partition], *, dated: bool) -> Iterator[PullTotal]:
    """Yield what came of each data source of the destination.

    Args:
        partitions: All of them.
        dated: Whether the plan has dates.
    """
    folders: dict[str, list[Source]] = {}
    for source in dict.fromkeys(p.source for p in partitions):
        folders.setdefault(source.folder, []).append(source)
    for folder, many in folders.items():
        yield PullTotal(
            source=many[0].name,
            partitions=sum(s.count["partitions"] for s in many),
            rows=sum(s.count["rows"] for s in many),
            bytes=sum(s.count["bytes"] for s in many),
            drift=tuple(dict.fromkeys(line for s in many for line in s.drift)),
            whole=dated and any(s.range is None for s in many),
            ids=tuple(dict.fromkeys(s.one.id for s in many)),
            folder=unquote(folder),
        )


def by_provider(partitions: list[Partition]) -> Iterator[PullProvider]:
    """Yield what came of each Healthcare Provider."""
    found: dict[int | str, list[Partition]] = {}
    for partition in partitions:
        found.setdefault(partition.clinic.provider_id, []).append(partition)
    for provider, own in found.items():
        yield PullProvider(
            provider_id=provider,
            partitions=len(own),
            done=sum(p.done and not p.kept for p in own),
            kept=sum(p.kept for p in own),
            rows=sum(p.rows for p in own),
            bytes=sum(p.bytes for p in own),
        )
