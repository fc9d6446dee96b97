"""What a pull asks for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Literal, TypeAlias, get_args

from attrs import Attribute, field, frozen

from healthyroster_async._core.date_ranges import Unit, as_date, check_unit
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._fanout import check_ids
from healthyroster_async._resources.reporting import body_of
from healthyroster_async.models import DataSource

Format: TypeAlias = Literal["parquet", "csv", "ndjson", "duckdb"]
FORMATS: tuple[Format, ...] = get_args(Format)
LAST = "last"


def _ids(given: Any) -> tuple[int | str, ...]:
    check_ids(given)
    # 42 and "42" are one provider, and one folder.
    found: dict[str, Any] = {}
    for one in given:
        found.setdefault(str(one), one)
    ids = tuple(found.values())
    for one in ids:
        if isinstance(one, bool) or not isinstance(one, int | str) or one == "":
            raise ConfigurationError(f"provider id {one!r} is no int and no text")
    if not ids:
        raise ConfigurationError("providers is empty; give ids of providers")
    return ids


def _names(given: Any) -> tuple[str, ...] | None:
    if given is None or given == "*":
        return None
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f'sources is {given!r}; give "*" or a list of names or ids of data sources'
        )
    names = tuple(str(name) for name in given)
    if not names:
        raise ConfigurationError('sources is empty; give "*" for every data source')
    return names


def _parameters(given: Any) -> dict[str, dict[str, Any]]:
    found = {} if given is None else given
    if not isinstance(found, Mapping) or not all(
        isinstance(values, Mapping) for values in found.values()
    ):
        raise ConfigurationError(
            "parameters is no dict of dicts; give filters for each name or id of a "
            'data source, such as {"Teams": {"ActiveOnly": True}}'
        )
    parameters = {str(source): dict(values) for source, values in found.items()}
    for values in parameters.values():
        body_of(values)
    return parameters


def _since(value: Any) -> dt.date | str | None:
    return value if value in {None, LAST} else as_date("since", value)


def _first(value: Any) -> dt.date | None:
    return None if value is None else as_date("first", value)


def _until(value: Any) -> dt.date | None:
    return None if value is None else as_date("until", value)


def _window(value: Any) -> Unit | int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ConfigurationError(f"window is {value}; give rows from 1, or a unit")
        return value
    return check_unit(value)


def _flag(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} is {value!r}; give True or False")


def _format(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value not in FORMATS:
        raise ConfigurationError(
            f"{attribute.name} is {value!r}; give one of {', '.join(FORMATS)}"
        )


def _days(_: object, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(
            f"{attribute.name} is {value!r}; give a whole number of days from 0"
        )


def is_called(source: DataSource, name: str, known: Container[str]) -> bool:
    """Return whether a data source is meant; case counts where it tells two apart."""
    return name in {str(source.id), source.name} or (
        name not in known and name.casefold() == (source.name or "").casefold()
    )


@frozen
class PullPlan:
    """Which rows to pull, and how to cut and write them.

    Attributes:
        providers: Ids of Healthcare Providers.
        sources: Names or ids of data sources; ``"*"`` or ``None`` for all.
        parameters: Filters by name or id of a data source, named and given as to
            ``Reporting.rows``. A destination holds rows of the same filters only.
        since: The first date, or ``"last"`` to go on where the last run into the
            destination ended. Without it there are no windows, and everything comes.
        first: The date at which ``"last"`` begins where nothing is there yet.
        until: The date after the last; tomorrow (UTC) by default.
        window: What answers are cut by: day, week, month, quarter or year; or a number
            of rows, for windows from a year to a day with about that many rows at most.
            By default what the destination is cut by already, and a month for a new
            one. Only data sources with a date range are cut; the others come whole.
        format: What the files are; ``"duckdb"`` is one file, ``rows.duckdb``, with a
            table for each data source.
        overlap: Days that ``"last"`` asks for again, before the first one that was not
            over everywhere when the last run began, so that late edits and deletions
            arrive. The windows they fall into are replaced.
        end_inclusive: Whether the API's end of a date range is inclusive. By default
            the data source's description says it, or else a few calls find it out.
            Leave it out if the end is the midnight of its date.

    Raises:
        ConfigurationError: One of them makes no sense.
    """

    providers: tuple[int | str, ...] = field(converter=_ids)
    sources: tuple[str, ...] | None = field(
        default=None, converter=_names, kw_only=True
    )
    parameters: Mapping[str, Mapping[str, Any]] = field(
        default=None, converter=_parameters, kw_only=True, repr=False, hash=False
    )
    since: dt.date | str | None = field(default=None, converter=_since, kw_only=True)
    first: dt.date | None = field(default=None, converter=_first, kw_only=True)
    until: dt.date | None = field(default=None, converter=_until, kw_only=True)
    window: Unit | int | None = field(default=None, converter=_window, kw_only=True)
    format: Format = field(default="parquet", validator=_format, kw_only=True)
    overlap: int = field(default=7, validator=_days, kw_only=True)
    end_inclusive: bool | None = field(default=None, validator=_flag, kw_only=True)

    def __attrs_post_init__(self) -> None:
        since, until = self.since, self.until
        if since is None and (until is not None or self.window is not None):
            raise ConfigurationError("until and window need since, the first date")
        if self.first is not None and since != LAST:
            raise ConfigurationError('first is where since="last" begins; give that')
        for name, date in (("since", since), ("first", self.first)):
            if isinstance(date, dt.date) and until is not None and until <= date:
                raise ConfigurationError(
                    f"until is {until}, not after {name} ({date}); it is the date "
                    "after the last"
                )

    def parameters_of(self, source: DataSource, known: set[str]) -> dict[str, Any]:
        """Return the filters of a data source, by its id or its name.

        Args:
            source: The data source.
            known: Names that some data source of the same list has just so.
        """
        names = [name for name in self.parameters if is_called(source, name, known)]
        # The id has the last word, and before it the name as it is.
        names.sort(key=lambda name: (name == str(source.id), name == source.name))
        return {k: v for name in names for k, v in self.parameters[name].items()}

    def arguments(self, digest: Callable[[Mapping[str, Any]], str]) -> str:
        """Return what was asked for, to tell whether a run is the same as one before.

        Args:
            digest: Tells some filters from others and does not show them.
        """
        names = ("since", "until", "window", "format", "overlap", "end_inclusive")
        asked = {name: getattr(self, name) for name in names}
        asked["providers"] = sorted(map(str, self.providers))
        asked["sources"] = sorted(self.sources) if self.sources else None
        asked["parameters"] = digest(self.parameters)
        return json.dumps(asked, default=str, sort_keys=True)
