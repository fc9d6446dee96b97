"""Windows of dates, asked of servers that differ in what the end of a range means."""

import asyncio
import datetime as dt
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from attrs import frozen

from healthyroster_async import (
    ConfigurationError,
    ConnectionPool,
    Contract,
    Credentials,
    Environment,
    PacingSettings,
    PullPlan,
    RetrySettings,
)
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.models import DataSourceDetail, DataSourceParameter

FIRST = dt.datetime(2025, 1, 30)
# Twice a day, one of them at midnight; then a gap.
MOMENTS = [FIRST + dt.timedelta(hours=12 * n) for n in range(10)] + [
    dt.datetime(2025, 3, 1),
    dt.datetime(2025, 4, 30, 23, 59, 59),
]


@frozen
class Visit:
    id: int


def inclusive(day, start, end):
    return start <= day <= end


def exclusive(day, start, end):
    return start <= day < end


@asynccontextmanager
async def api(
    within,
    *,
    kind="date",
    timed=False,
    description="Bound.",
    moments=MOMENTS,
    shown=dt.datetime.isoformat,
    filters=(),
):
    """A Healthy Roster whose document does not say what its dates mean.

    If it is timed, dates are taken for their midnight.
    """
    asked = []

    async def sources(_):
        return web.json_response([{"id": 1, "name": "Visits"}])

    async def source(_):
        parameters = [
            {"name": name, "type": kind, "description": description}
            for name in ("FromDate", "ToDate")
        ]
        parameters += [{"name": name, "type": "integer"} for name in filters]
        return web.json_response({"id": 1, "parameters": parameters, "fields": []})

    async def rows(request):
        body = await request.json()
        asked.append(body)
        found = []
        for number, moment in enumerate(moments):
            what = moment if timed or kind == "date-time" else moment.date()
            read = type(what).fromisoformat
            ends = (
                read(body.get("FromDate", "1900-01-01")),
                read(body.get("ToDate", "2100-01-01")),
            )
            if within(what, *ends):
                found.append({"id": number, "at": shown(moment)})
        return web.json_response({"data": found})

    app = web.Application()
    base = "/HealthcareProvider/{id}"
    app.router.add_get(f"{base}/Datasources", sources)
    app.router.add_get(f"{base}/Reporting/DataSources/{{source}}", source)
    app.router.add_post(f"{base}/Reporting/Datasources/{{source}}/Data", rows)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        contract = Contract(
            base_urls={Environment.SANDBOX: f"http://127.0.0.1:{port}"},
            application_id_header="X-Id",
            application_secret_header="X-Secret",
        )
        credentials = {Environment.SANDBOX: Credentials("app", "secret")}
        async with ConnectionPool(credentials, contract=contract) as pool:
            yield pool, asked
    finally:
        await runner.cleanup()


async def ids_of(reporting, parts):
    ids = []
    for values in parts.values():
        ids += [row["id"] for row in await reporting.rows(1, **values).to_list()]
    return ids


@pytest.mark.parametrize("window", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("within", [inclusive, exclusive])
async def test_rows_at_the_edges_come_once_whatever_the_end_means(within, window):
    """
    Nobody says whether the API's end is inclusive: one guess loses rows, the other
    gives them twice.
    """
    async with api(within) as (pool, _):
        reporting = pool.session(1).reporting
        parts = await reporting.windows(
            1, since="2025-01-01", until="2025-06-01", window=window
        )

        assert await ids_of(reporting, parts) == list(range(len(MOMENTS)))


@pytest.mark.parametrize("within", [inclusive, exclusive])
async def test_windows_are_one_stream_of_rows(within, tmp_path):
    """
    Whoever wants the rows of a year writes no loop over its months.
    """
    dates = {"since": "2025-01-01", "until": "2025-06-01", "window": "month"}
    expected = list(range(len(MOMENTS)))
    async with api(within) as (pool, asked):
        reporting = pool.session(1).reporting
        async with reporting.rows(1, **dates) as rows:
            ids = [row["id"] async for row in rows]
            count = rows.row_count
        async with reporting.rows(1, **dates) as rows:
            batches = [batch async for batch in rows.batches()]
        async with reporting.rows(1, **dates) as rows:
            typed = [visit.id async for visit in rows.as_(Visit)]
        before = len(asked)
        table = await reporting.rows(1, Site="a", **dates).to_arrow()
        filters = {body.get("Site") for body in asked[before:]}
        written = await reporting.rows(1, **dates).to_ndjson(tmp_path / "rows.ndjson")

    assert ids == typed == table["id"].to_pylist() == expected
    assert count == written == len(expected)
    # A batch does not end where a window ends.
    assert [batch.num_rows for batch in batches] == [len(expected)]
    # Other filters go along, also where the edges are found out.
    assert filters == {"a"}


async def test_some_windows_are_asked_for_ahead_and_no_more():
    """
    The API works on the next ones, but nobody knows if the last is ever wanted; and
    who leaves in the middle holds nothing.
    """
    dates = {"since": "2025-01-01", "until": "2025-12-01", "end_inclusive": True}
    async with api(inclusive) as (pool, asked):
        reporting = pool.session(1).reporting
        async with reporting.rows(1, window="month", **dates) as rows:
            first = await anext(rows)
            # Until the two after it have been asked for.
            async with asyncio.timeout(10):
                while len(asked) < 3:  # noqa: ASYNC110 - a list has no event
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            ahead = len(asked)
        held = pool.stats()[Environment.SANDBOX]

    assert first["id"] == 0
    assert ahead == 3
    assert held.open_streams == 0


@pytest.mark.parametrize("after", [None, 20_000])
async def test_a_window_that_is_lost_does_not_wait_for_those_after_it(after):
    """
    They are asked for ahead and would have all the places, until it has been read.
    """
    kind = "status" if after is None else "reset-inside"
    faults = [
        Fault(kind=kind, endpoint="rows", provider=id_, times=1, after_bytes=after or 0)
        for id_ in (1, 2, 3)
    ]
    dates = {"since": "2025-01-01", "until": "2026-12-01", "end_inclusive": True}
    async with (
        Emulator(providers=3, rows=1000, faults=faults) as emulator,
        emulator.pool(
            pacing=PacingSettings(max_streams=2), retry=RetrySettings(base_delay=0.01)
        ) as pool,
        asyncio.timeout(10),
    ):
        read = await pool.fan_out(
            (1, 2, 3),
            lambda s: s.reporting.rows(2, window="quarter", **dates).to_list(),
        )
        held = pool.stats()[Environment.SANDBOX]

    assert len(read.succeeded) == 3
    assert held.open_streams == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": "fortnight"}, "window is 'fortnight'"),
        ({"until": "2025-01-01"}, "not after since"),
        ({"since": None}, "since is None"),
        ({"since": ...}, "give since= and until= with it"),
        ({"window": ...}, "window= cuts: give that with them"),
        ({"window": ..., "until": ...}, "^since= is .* window= cuts: .* returned"),
        ({"window": ..., "since": ...}, "^until= is .* window= cuts: .* returned"),
        (
            {"window": ..., "since": ..., "until": ..., "end_inclusive": True},
            "^end_inclusive= is .* window= cuts: .* returned",
        ),
        ({"deadline": 5}, "with_options"),
    ],
)
async def test_wrong_windows_are_refused_before_anything_is_asked(given, message):
    """
    It is a slip, and easy to mend.
    """
    dates = {"since": "2025-01-01", "until": "2025-06-01", "window": "month", **given}
    async with api(inclusive) as (pool, asked):
        with pytest.raises(ConfigurationError, match=message):
            pool.session(1).reporting.rows(
                1, **{k: v for k, v in dates.items() if v is not ...}
            )

    assert not asked


@pytest.mark.parametrize("until", ["2024-01-01", "2025-01-01"])
async def test_windows_of_no_date_are_refused_and_not_none(until):
    """
    A fan-out over none of them succeeds, and nobody sees that rows are missing.
    """
    async with api(inclusive) as (pool, asked):
        asking = pool.session(1).reporting.windows(1, since="2025-01-01", until=until)
        with pytest.raises(ConfigurationError, match="not after since"):
            await asking

    assert not asked


async def test_a_data_source_may_have_filters_that_are_called_since_and_until():
    """
    Its description says so, and then they are no dates that a window is missing for.
    """
    names = [DataSourceParameter(name=name) for name in ("since", "until")]
    described = DataSourceDetail(id=1, parameters=names)
    dates = {"since": "2025-01-01", "until": "2025-06-01"}
    async with api(inclusive) as (pool, asked):
        await pool.session(1).reporting.rows(described, **dates).to_list()

    assert asked == [dates]


@pytest.mark.parametrize(
    ("name", "option"),
    [("deadline", "deadline"), ("timeout", "deadline"), ("priority", "priority")],
)
async def test_an_option_of_a_session_is_not_sent_as_a_filter(name, option):
    """
    An API that leaves out what it does not know gives rows, and there is no deadline;
    but what the data source has is one of its filters.
    """
    without = DataSourceDetail(id=1)
    described = DataSourceDetail(id=1, parameters=[DataSourceParameter(name=name)])
    dates = {"since": "2025-01-01", "until": "2025-02-01", "window": "month"}
    async with api(inclusive) as (pool, asked):
        reporting = pool.session(1).reporting
        for source, hint in ((1, "data_source"), (without, "has no filter of that")):
            for more in ({}, dates):
                text = rf"with_options\({option}=.*{hint}"
                with pytest.raises(ConfigurationError, match=text):
                    reporting.rows(source, **{name: 5}, **more)
        assert not asked
        await reporting.rows(described, **{name: 5}).to_list()

    assert asked == [{name: 5}]


async def test_a_filter_that_windows_would_set_is_refused():
    """
    One of the two would be ignored.
    """
    dates = {"since": "2025-01-01", "until": "2025-06-01", "window": "month"}
    async with api(inclusive) as (pool, _):
        rows = pool.session(1).reporting.rows(1, FromDate="2025-02-01", **dates)
        with pytest.raises(ConfigurationError, match="FromDate is given"):
            await rows.to_list()


async def test_an_end_that_is_no_day_and_no_instant_is_not_guessed():
    """
    Rows between two midnights do not tell what happens to one at midnight, which both
    windows would have, or none.
    """
    async with api(exclusive, kind="date-time") as (pool, _):
        asking = pool.session(1).reporting.windows(
            1, since="2025-01-01", until="2025-06-01"
        )
        with pytest.raises(ConfigurationError, match="give end_inclusive"):
            await asking


@pytest.mark.parametrize(("within", "known"), [(inclusive, True), (exclusive, False)])
async def test_who_knows_better_says_so(within, known):
    """
    Date-times too come once then, up to the last instant of a day.
    """
    async with api(within, kind="date-time") as (pool, asked):
        reporting = pool.session(1).reporting
        parts = await reporting.windows(
            1, since="2025-01-01", until="2025-06-01", end_inclusive=known
        )

        assert not asked
        assert await ids_of(reporting, parts) == list(range(len(MOMENTS)))


@pytest.mark.parametrize(
    ("description", "end"),
    [("Last day, inclusive.", "2025-01-31"), ("Up to, exclusive.", "2025-02-01")],
)
async def test_a_description_that_says_it_costs_no_call(description, end):
    """
    Finding out takes a dozen calls for each data source.
    """
    async with api(inclusive, description=description) as (pool, asked):
        parts = await pool.session(1).reporting.windows(
            1, since="2025-01-01", until="2025-06-01"
        )

        assert not asked
        assert parts["2025-01"] == {"FromDate": "2025-01-01", "ToDate": end}


async def test_no_rows_at_all_are_no_error():
    """
    A provider that is new has none.
    """
    async with api(inclusive, moments=[]) as (pool, asked):
        parts = await pool.session(1).reporting.windows(
            1, since="2025-01-01", until="2025-03-01"
        )

        assert list(parts) == ["2025-01", "2025-02"]
        assert len(asked) == 1


@pytest.mark.parametrize("within", [inclusive, exclusive])
async def test_a_pull_finds_it_out_once(within, tmp_path):
    """
    The second run has it in its journal.
    """
    plan = PullPlan([1, 2], since="2025-01-01", until="2025-06-01", format="ndjson")
    async with api(within) as (pool, asked):
        report = await pool.pull(plan, tmp_path)
        first = len(asked)
        again = await pool.pull(plan, tmp_path)

    assert report.rows == again.rows == 2 * len(MOMENTS)
    assert len(asked) - first == 10
    assert first > 10


BETWEEN = [dt.datetime(2025, 1, 3, 9) + dt.timedelta(hours=31 * n) for n in range(90)]
MIDNIGHTS = [dt.datetime(2025, month, 1) for month in (2, 5)]


def written(lake):
    """Return the lines of a pull's files."""
    files = lake.rglob("rows.ndjson")
    return [line for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize("within", [inclusive, exclusive])
@pytest.mark.parametrize(
    "moments",
    [
        BETWEEN,
        # A row at midnight tells that later ones of its day do not come.
        [dt.datetime(2025, 1, 2), dt.datetime(2025, 1, 2, 8), *BETWEEN],
        # What was kept without a time, and then with one.
        [dt.datetime(2025, 1, 2), dt.datetime(2025, 1, 3), *BETWEEN[20:]],
    ],
)
async def test_an_end_may_be_the_midnight_of_its_date(within, moments):
    """
    So it is where a database compares date-times: a day less is most of a day lost in
    each window.
    """
    async with api(within, timed=True, moments=moments) as (pool, _):
        rows = pool.session(1).reporting.rows(
            1, since="2025-01-01", until="2025-06-01", window="month"
        )

        ids = [row["id"] for row in await rows.to_list()]

    assert ids == list(range(len(moments)))


@pytest.mark.parametrize("moments", [BETWEEN + MIDNIGHTS, MOMENTS])
async def test_rows_that_two_windows_would_have_are_refused(moments):
    """
    They come with both, whichever end is given; and nothing else tells them from two
    rows that are alike.
    """
    dates = {"since": "2025-01-01", "until": "2025-06-01", "window": "month"}
    async with api(inclusive, timed=True, moments=moments) as (pool, _):
        reporting = pool.session(1).reporting
        with pytest.raises(ConfigurationError, match="they would come twice"):
            await reporting.rows(1, **dates).to_list()
        with pytest.raises(ConfigurationError, match="they would come twice"):
            await reporting.windows(1, **dates)
        whole = await reporting.rows(1, ToDate="2025-06-01").to_list()

    assert len(whole) == len(moments)


@pytest.mark.parametrize(
    "shown",
    [
        lambda moment: f"{moment - dt.timedelta(hours=9)}Z",
        lambda moment: moment.date().isoformat(),
    ],
    ids=["another zone", "a date"],
)
async def test_a_midnight_of_another_zone_or_none_tells_nothing(shown):
    """
    A row that shows one, or a date alone, may be of any time of the API's day.
    """
    moments = BETWEEN + MIDNIGHTS
    async with api(inclusive, timed=True, moments=moments, shown=shown) as (pool, _):
        rows = pool.session(1).reporting.rows(
            1, since="2025-01-01", until="2025-06-01", window="month"
        )
        with pytest.raises(ConfigurationError, match="they would come twice"):
            await rows.to_list()


async def test_a_pull_has_no_row_twice_and_says_where_it_would(tmp_path):
    """
    Windows that end where no row is at midnight come all the same.
    """
    moments = BETWEEN + MIDNIGHTS
    plan = PullPlan([1], since="2025-01-01", until="2025-06-01", format="ndjson")
    async with api(inclusive, timed=True, moments=moments) as (pool, asked):
        await pool.pull(plan, tmp_path)
        first = len(asked)
        report = await pool.pull(plan, tmp_path)
    lines = await asyncio.to_thread(written, tmp_path)

    expected = [n for n, one in enumerate(moments) if one.month in (2, 3, 5)]
    assert sorted(json.loads(line)["id"] for line in lines) == expected
    assert [failure.window for failure in report.failed] == ["2025-01", "2025-04"]
    assert all("they would come twice" in one.reason for one in report.failed)
    # Only what failed, and no more than the ends of it.
    assert {body["FromDate"] for body in asked[first:]} == {"2025-02-01", "2025-05-01"}


@pytest.mark.parametrize("moved", [None, dt.datetime(2025, 2, 20, 9)])
async def test_rows_that_change_meanwhile_tell_nothing(moved, tmp_path):
    """
    What is found out is kept, and a wrong answer would be wrong for good.
    """
    first_one, hours = dt.datetime(2025, 1, 1, 9), dt.timedelta(hours=7)
    moments = [first_one + n * hours for n in range(99)]
    changed = []

    def change():
        at = next(n for n, m in enumerate(moments) if m.date() == dt.date(2025, 1, 2))
        moments[at : at + 1] = [moved] if moved else []

    def within(day, start, end):
        if start == end and not changed:
            changed.append(asyncio.get_running_loop().call_soon(change))
        return start <= day <= end

    plan = PullPlan([1], since="2025-01-01", until="2025-03-01", format="ndjson")
    async with api(within, moments=moments) as (pool, _):
        first = await pool.pull(plan, tmp_path)
        second = await pool.pull(plan, tmp_path)

    assert "cannot be told" in first.failed[0].reason
    assert second.complete
    assert second.rows == len(moments)


async def test_a_filter_may_be_called_as_an_argument_is(tmp_path):
    """
    A plan gives filters apart from all else, also where it is found out how dates end.
    """
    plan = PullPlan(
        [1],
        since="2025-01-01",
        until="2025-06-01",
        parameters={"Visits": {"window": 3, "priority": 4}},
        format="ndjson",
    )
    async with api(exclusive, filters=("window", "priority")) as (pool, asked):
        report = await pool.pull(plan, tmp_path)

    assert report.complete
    assert all(body["window"] == 3 and body["priority"] == 4 for body in asked)


async def test_a_window_that_goes_on_costs_no_call_more(tmp_path):
    """
    What comes later comes into it: that is each night's window but on a month's last.
    """
    plan = PullPlan([1], since="2025-02-01", until="2025-02-20", format="ndjson")
    async with api(inclusive, timed=True, moments=BETWEEN) as (pool, asked):
        await pool.pull(plan, tmp_path)

    assert asked[-1] == {"FromDate": "2025-02-01", "ToDate": "2025-02-20"}
    assert {"FromDate": "2025-02-20", "ToDate": "2025-02-20"} not in asked


async def test_an_end_that_is_an_instant_is_asked_for_the_last_one():
    """
    Where the parameters take date-times, no window needs the midnight of the next.
    """
    async with api(inclusive, kind="date-time") as (pool, _):
        reporting = pool.session(1).reporting
        parts = await reporting.windows(1, since="2025-01-30", until="2025-06-01")

        assert await ids_of(reporting, parts) == list(range(len(MOMENTS)))


async def test_a_data_source_without_dates_comes_whole(tmp_path):
    """
    What cannot be cut is pulled all the same.
    """
    async with Emulator(providers=1, rows=5) as emulator, emulator.pool() as pool:
        report = await pool.pull(PullPlan([1], sources=["Patients"]), tmp_path)

    file = tmp_path / "source=Patients/provider=1/window=all/rows.parquet"
    assert [total.rows for total in report.totals] == [5]
    assert await asyncio.to_thread(file.is_file)
