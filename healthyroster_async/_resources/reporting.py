"""The reporting endpoints: data sources and their rows."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from attrs import evolve
from typing_extensions import override

from healthyroster_async import models
from healthyroster_async._converters import decode_list, decode_one
from healthyroster_async._core.contract import DATA_SOURCE, DATA_SOURCES, ROWS
from healthyroster_async._core.errors import (
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
)
from healthyroster_async._core.settings import OF_SESSIONS

# What lists of data sources need none of is imported where it is used.
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from healthyroster_async._caller import Caller
    from healthyroster_async._core.date_ranges import Unit
    from healthyroster_async._core.messages import Request
    from healthyroster_async._rows.stream import RowStream

_JSON = {"Content-Type": "application/json"}
# What is most likely meant for a session or a window; an API that ignores members which
# it does not know would give all rows, without a deadline.
_NO_FILTERS = frozenset({*OF_SESSIONS, "since", "until", "end_inclusive"})
Source: TypeAlias = int | str | models.DataSource | models.DataSourceDetail


class Reporting:
    """Data sources of one Healthcare Provider: flattened rows made for reports."""

    __slots__ = ("_caller",)

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @override
    def __repr__(self) -> str:
        # It does not say whose: error reporters print local variables.
        return "<Reporting: data_sources, data_source, rows, windows>"

    async def data_sources(self) -> models.DataSources:
        """Return every data source of the provider; a list that also knows names.

        Raises:
            ForbiddenError: The provider or this endpoint is not granted.
            HealthyRosterError: The call came to nothing otherwise.
        """
        contract = self._caller.contract
        endpoint = contract.data_sources
        if endpoint is None:
            raise contract.missing(DATA_SOURCES)
        response = await self._caller.send(endpoint)
        return models.DataSources(decode_list(response, models.DataSource))

    async def data_source(self, data_source_id: Source) -> models.DataSourceDetail:
        """Return one data source with its columns and filters.

        Args:
            data_source_id: Its id, as ``data_sources`` gave it, or what it gave.

        Raises:
            ForbiddenError: The provider or this endpoint is not granted.
            NotFoundError: There is no such data source.
            HealthyRosterError: The call came to nothing otherwise.
        """
        data_source_id = _id_of(data_source_id)
        contract = self._caller.contract
        endpoint = contract.data_source
        if endpoint is None:
            raise contract.missing(DATA_SOURCE)
        response = await self._caller.send(endpoint, data_source_id)
        detail = decode_one(response, models.DataSourceDetail)
        if detail.id is None:
            return evolve(detail, id=data_source_id)
        return detail

    def rows(
        self,
        data_source_id: Source,
        /,
        *,
        window: str | None = None,
        **parameters: Any,
    ) -> RowStream:
        """Return the rows of a data source, to be opened with ``async with``.

        Nothing is sent before that. The rows come in the API's order.

        A range of dates can be asked for in windows, so that no answer is huge and one
        that is lost costs little::

            clinic.reporting.rows(7, since="2025-01-01", until="2026-01-01",
                                  window="month")

        The windows come in their order and each row once; the next two are asked for
        while one is read. ``since`` is the first date and ``until`` the date after the
        last; ``end_inclusive`` is that of ``windows``.

        An open stream holds one of ``PacingSettings.max_streams`` permits. Whoever
        opens another one inside it needs a second: if that many tasks do so at once,
        each waits for the others, and only a deadline ends that. Read the outer rows
        first (``to_list``), or bound them: ``clinic.with_options(deadline=60)``.

        Args:
            data_source_id: Its id, as ``data_sources`` gave it, or what it gave.
            window: What to cut by: day, week, month, quarter or year; ``None`` asks for
                all at once.
            **parameters: Filters, named as the data source names them. Dates and
                date-times are sent in ISO 8601. One that is called like an option of
                ``with_options``, or like the dates of a window, is sent if what
                ``data_source`` returned is given and has it.

        Raises:
            ConfigurationError: A value cannot be sent as JSON; or there is a window,
                and what ``windows`` raises; or what is given belongs to a window that
                is not, or to a session.
        """
        if window is not None:
            return self._in_windows(data_source_id, window, parameters)
        _check_filters(data_source_id, parameters)
        return self._all_at_once(data_source_id, parameters)

    def _all_at_once(self, source: Source, parameters: dict[str, Any]) -> RowStream:
        """Return rows by filters that are surely such, as those of a plan are."""
        from healthyroster_async._rows.stream import RowStream  # noqa: PLC0415

        request, fields = self._request(source, parameters)
        caller = self._caller
        return RowStream(request, caller, caller.contract.rows_key, fields)

    def _request(
        self, source: Source, parameters: dict[str, Any]
    ) -> tuple[Request, Callable[[], Awaitable[dict[str, str | None]]]]:
        """Return what asks for rows, and what tells the types of their columns."""
        caller = self._caller
        endpoint = caller.contract.rows
        if endpoint is None:
            raise caller.contract.missing(ROWS)
        request = caller.request(
            endpoint,
            _id_of(source),
            body=body_of(parameters),
            headers=_JSON,
            stream=True,
        )
        return request, partial(self._fields, source)

    def _in_windows(
        self, source: Source, window: str, parameters: dict[str, Any]
    ) -> RowStream:
        from healthyroster_async._resources.windows import Cut  # noqa: PLC0415
        from healthyroster_async._rows.windowed import WindowedRows  # noqa: PLC0415

        if "since" not in parameters or "until" not in parameters:
            raise ConfigurationError(
                "window= cuts a range of dates: give since= and until= with it, as in "
                f'since="2025-01-01", until="2026-01-01", window="{window}"'
            )
        cut = Cut(
            parameters.pop("since"),
            parameters.pop("until"),
            window,
            parameters.pop("end_inclusive", None),
        )
        _check_filters(source, parameters)
        request, _ = self._request(source, parameters)
        detail, others = source, frozenset(parameters)

        # Error reporters print local variables, and those of parts would be filters.
        def rows_of(**dates: str) -> RowStream:
            return self.rows(detail, **parameters, **dates)

        async def parts() -> list[RowStream]:
            nonlocal detail
            detail = await self._detail(source)
            asked = await cut.parameters(detail, others, rows_of)
            return [rows_of(**part) for part in asked.values()]

        return WindowedRows(request, self._caller, lambda: self._fields(detail), parts)

    async def windows(
        self,
        data_source_id: Source,
        *,
        since: dt.date | str,
        until: dt.date | str,
        window: Unit = "month",
        end_inclusive: bool | None = None,
    ) -> dict[str, dict[str, str]]:
        """Return the parameters that ask for a range of dates in windows.

        No answer is huge then, several come at a time, and each row comes once::

            visits = await clinic.reporting.data_source(7)
            dates = {"since": "2025-01-01", "until": "2026-01-01"}
            parts = await clinic.reporting.windows(visits, **dates)
            tables = await clinic.fan_out({
                key: lambda s, own=own: s.reporting.rows(visits, **own).to_arrow()
                for key, own in parts.items()
            })

        Args:
            data_source_id: Its id, as ``data_sources`` gave it, or what it gave.
            since: The first date.
            until: The date after the last.
            window: What to cut by: day, week, month, quarter or year.
            end_inclusive: Whether the API's end of a date range is inclusive; by
                default the description says it, or else a few calls find it out. Leave
                it out if the end is the midnight of its date.

        Returns:
            The parameters of each window, by its key, such as ``2025-01``.

        Raises:
            ConfigurationError: The data source has no date range, or several; or an
                argument is wrong; or rows at a midnight would be in two windows.
            HealthyRosterError: The data source cannot be asked.
        """
        from healthyroster_async._resources.windows import Cut  # noqa: PLC0415

        cut = Cut(since, until, window, end_inclusive)
        detail = await self._detail(data_source_id)
        return await cut.parameters(detail, (), partial(self.rows, detail))

    async def _detail(self, source: Source) -> models.DataSourceDetail:
        if isinstance(source, models.DataSourceDetail):
            return source
        return await self.data_source(source)

    async def _fields(self, source: Source) -> dict[str, str | None]:
        """Return the API's word for the type of each column, as far as it says."""
        try:
            detail = await self._detail(source)
        except (ConfigurationError, ForbiddenError, NotFoundError):
            return {}  # then the values alone say what they are
        return {f.name: f.type for f in detail.fields if f.name is not None}


def _check_filters(source: Source, parameters: dict[str, Any]) -> None:
    names = _NO_FILTERS.intersection(parameters)
    hint = (
        "if the data source has a filter of that name, give what await "
        "session.reporting.data_source(...) returned in place of the id"
    )
    if names and isinstance(source, models.DataSourceDetail):
        names -= {one.name for one in source.parameters}
        hint = "the data source has no filter of that name"
    if not names:
        return
    name = min(names)
    option = OF_SESSIONS.get(name)
    meant = (
        "is of a range of dates (since=, until=, end_inclusive=) that window= cuts: "
        'give that with them, as in window="month"'
        if option is None
        else f"is an option of a session: session.with_options({option}=...)"
    )
    raise ConfigurationError(f"{name}= {meant}; {hint}")


def _id_of(source: Source) -> int | str:
    if not isinstance(source, models.DataSource | models.DataSourceDetail):
        return source
    if source.id is None:
        raise ConfigurationError("the data source has no id to ask for it by")
    return source.id


def body_of(parameters: dict[str, Any]) -> bytes:
    from healthyroster_async._core.parameters import (  # noqa: PLC0415
        check_parameter,
        plain,
    )

    parameters = {name: plain(value) for name, value in parameters.items()}
    for name, value in parameters.items():
        check_parameter(name, value)
    try:
        return orjson.dumps(parameters, default=_plain)
    except TypeError as error:
        raise ConfigurationError(
            f"a parameter cannot be sent as JSON: {error}"
        ) from None


def _plain(value: object) -> Any:
    from datetime import date  # noqa: PLC0415 - asked only what orjson does not know
    from decimal import Decimal  # noqa: PLC0415

    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):  # a class of its own, such as pandas' Timestamp
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not known")
