"""Access over real sockets: what calls teach, and what a check finds out with few."""

import asyncio
import logging
import pickle
import random

import pytest
from scripted_server import Server, answer

from healthyroster_async import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionPool,
    Credentials,
    Denied,
    Environment,
    ForbiddenError,
    Grant,
    KnownDenialError,
    LikelyCause,
    PoolClosedError,
    Priority,
    RetrySettings,
    Skipped,
    Succeeded,
)
from healthyroster_async._core.access import FRESH_FOR
from healthyroster_async.emulator import Emulator, Fault

REPORTING = ("data_sources", "data_source", "rows")

PROVIDER = LikelyCause.PROVIDER_NOT_GRANTED
ENDPOINT = LikelyCause.ENDPOINT_NOT_AUTHORIZED


def sources(session):
    return session.reporting.data_sources()


async def test_a_refusal_says_which_grant_is_missing():
    """
    Support asks which one it is, and the API does not say.
    """
    denied = [(42, "*"), ("*", "rows")]
    async with (
        Emulator(providers=50, denied=denied) as emulator,
        emulator.pool() as pool,
    ):
        await pool.fan_out([1, 2, 3], sources)
        with pytest.raises(ForbiddenError) as provider:
            await pool.session(42).reporting.data_sources()
        with pytest.raises(ForbiddenError) as endpoint:
            await pool.session(1).reporting.rows(1).to_list()

    assert provider.value.likely_cause is PROVIDER
    assert provider.value.evidence == (
        "no other endpoint of this provider was asked; this endpoint answered for 3 "
        "other providers"
    )
    assert endpoint.value.likely_cause is ENDPOINT
    assert "this endpoint answered for no provider" in str(endpoint.value)


async def test_a_row_stream_teaches_as_any_call_does():
    """
    Most of what a pull does is streaming.
    """
    async with Emulator(providers=2, rows=5) as emulator, emulator.pool() as pool:
        await pool.session(1).reporting.rows(1).to_list()
        cell = pool.access.cell(1, "rows")

    assert (cell.grant, cell.answered) == (Grant.GRANTED, 1)


async def test_a_closed_pool_forgets_nothing():
    """
    A web app that starts its pool anew need not be refused anew.
    """
    async with Emulator(providers=2) as emulator:
        pool = emulator.pool()
        async with pool:
            await pool.session(1).reporting.data_sources()
        async with pool:
            cell = pool.access.cell(1, "data_sources")

    assert cell.grant is Grant.GRANTED
    assert pool.access.cell(1, "data_sources") == cell


async def test_a_403_is_sent_once_and_slows_nothing_down():
    """
    It is no sign of load, and asking again changes nothing.
    """
    async with (
        Emulator(providers=30, denied=[("*", "rows")]) as emulator,
        emulator.pool() as pool,
    ):
        outcomes = await pool.fan_out(
            emulator.providers, lambda s: s.reporting.rows(1).to_list()
        )
        stats = pool.stats()[Environment.SANDBOX]

    assert len(outcomes.denied) == emulator.seen.requests == 30
    assert (stats.retries, stats.throttled, stats.pauses) == (0, 0, 0)


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(2))
async def test_few_calls_find_what_300_providers_lack(seed):
    """
    Every clinic is asked once, and every endpoint once; the rest follows.
    """
    rng = random.Random(seed)
    missing = sorted(rng.sample(range(1, 301), 20))
    denied = [*((provider, "*") for provider in missing), ("*", "rows")]
    async with (
        Emulator(providers=300, rows=50, denied=denied) as emulator,
        emulator.pool() as pool,
    ):
        report = await pool.check_access(emulator.providers, REPORTING)
        seen = emulator.seen.requests
        again = await pool.check_access(emulator.providers, REPORTING)

        assert emulator.seen.requests == seen
    assert seen <= 300 + 3 + 20 + 10
    assert report.missing_providers == tuple(missing)
    assert [endpoint.name for endpoint in report.missing_endpoints] == ["rows"]
    for cell in report:
        allowed = emulator.granted(str(cell.provider_id), cell.endpoint.name)
        assert cell.grant is (Grant.GRANTED if allowed else Grant.DENIED)
    assert report.cell(missing[0], "data_sources").likely_cause is PROVIDER
    assert report.cell(300 if 300 not in missing else 299, "rows").likely_cause is (
        ENDPOINT
    )
    assert again.grants() == report.grants()
    assert emulator.seen.rows_sent.total() == 0


async def test_a_probe_reads_no_row():
    """
    Health data that nobody needs is not fetched.
    """
    async with Emulator(providers=3, rows=1000) as emulator, emulator.pool() as pool:
        report = await pool.check_access(emulator.providers, REPORTING, full=True)

    assert report.grants() == {Grant.GRANTED: 9}
    assert emulator.seen.rows_sent.total() == 0
    assert emulator.seen.requests <= 9 + 1


async def test_a_full_check_finds_the_exception():
    """
    One cell that breaks the structure is inferred wrongly, until somebody asks.
    """
    async with (
        Emulator(providers=20, denied=[(7, "rows")]) as emulator,
        emulator.pool() as pool,
    ):
        quick = await pool.check_access(emulator.providers, REPORTING)
        full = await pool.check_access(emulator.providers, REPORTING, full=True)

    assert quick.cell(7, "rows").basis.value == "inferred"
    assert [(c.provider_id, c.endpoint.name) for c in full.exceptions] == [(7, "rows")]
    assert full.cell(7, "rows").likely_cause is LikelyCause.UNKNOWN
    assert full.missing_providers == full.missing_endpoints == ()


async def test_one_provider_is_told_from_one_endpoint_by_what_others_taught():
    """
    A new clinic is checked alone; the pull of the others ran before.
    """
    async with (
        Emulator(providers=20, denied=[(9, "*")]) as emulator,
        emulator.pool() as pool,
    ):
        await pool.fan_out([1, 2], sources)
        report = await pool.check_access([9], REPORTING)

    assert report.missing_providers == (9,)
    assert report.cell(9, "data_sources").likely_cause is PROVIDER


async def test_what_fails_stays_unknown_and_costs_nobody_else():
    """
    One broken clinic must not hide the grants of 19 others.
    """
    fault = Fault(kind="status", status=500, provider=5)
    once = RetrySettings(max_attempts=1)
    async with (
        Emulator(providers=20, faults=[fault], denied=[(6, "*")]) as emulator,
        emulator.pool(retry=once) as pool,
    ):
        report = await pool.check_access([*emulator.providers, 99], REPORTING)
        known = pool.access.cell(5, "data_sources")

    assert report.missing_providers == (6,)
    assert report.grant(5, "data_sources") is Grant.UNKNOWN
    assert report.cell(5, "data_sources").reason == "answered 500"
    assert report.cell(99, "data_sources").reason == "answered 404"
    assert report.grants()[Grant.UNKNOWN] == 6
    assert known.grant is Grant.UNKNOWN


async def test_wrong_credentials_end_a_check_at_once():
    """
    300 refusals of the secret may lock the application out.
    """
    async with Emulator(providers=300) as emulator:
        wrong = {Environment.SANDBOX: Credentials("app-1", "wrong")}
        async with ConnectionPool(wrong, contract=emulator.contract()) as pool:
            with pytest.raises(AuthenticationError):
                await pool.check_access(emulator.providers, REPORTING)

    assert emulator.seen.requests < 10


async def test_nothing_out_there_ends_the_check_at_once():
    """
    Bulk calls wait minutes for an API that is down, but here somebody is waiting.
    """
    async with Emulator() as emulator:
        lonely = emulator.pool()
    async with lonely as pool, asyncio.timeout(10):
        with pytest.raises(ConnectError):
            await pool.check_access(range(1, 9))


async def test_what_was_not_asked_says_why():
    """
    A line of a report without a reason tells nobody what to do.
    """
    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        report = await pool.check_access([1, 999])

    assert all(reason for _, reason in report.unclear)


async def test_where_no_list_is_granted_the_rest_is_said_to_be_unknown():
    """
    A data source cannot be asked for before somebody names one.
    """
    async with (
        Emulator(providers=5, denied=[("*", "data_sources")]) as emulator,
        emulator.pool() as pool,
    ):
        report = await pool.check_access(emulator.providers, REPORTING)
        rows = await pool.check_access([1], ["rows"])

    assert report.cell(1, "rows").reason == "no data source is known to ask for"
    assert report.grants() == {Grant.DENIED: 5, Grant.UNKNOWN: 10}
    assert rows.cell(1, "rows").reason == "no data source is known to ask for"


async def test_operations_are_chosen_by_name():
    """
    A typo would be a check of nothing.
    """
    async with Emulator(providers=5) as emulator, emulator.pool() as pool:
        report = await pool.check_access([1, 2], ["rows", "data_sources"])
        with pytest.raises(ConfigurationError, match="did you mean data_sources"):
            await pool.check_access([1], ["data_sorces"])
        with pytest.raises(
            ConfigurationError, match=r"there are data_sources.* and \d+ more"
        ):
            await pool.check_access([1], ["zzz"])
        with pytest.raises(ConfigurationError, match="give a list"):
            await pool.check_access([1], "rows")
        with pytest.raises(ConfigurationError, match="empty"):
            await pool.check_access([1], [])
        with pytest.raises(ConfigurationError, match="provider_id"):
            await pool.check_access(["../1"])
        with pytest.raises(ConfigurationError, match="give a list of ids"):
            await pool.check_access("42")

    assert [endpoint.name for endpoint in report.endpoints] == ["data_sources", "rows"]


async def test_progress_is_told_and_ends_at_its_total():
    """
    A bar that never gets to its end looks like a hang.
    """
    told = []
    async with (
        Emulator(providers=10, denied=[(3, "*")]) as emulator,
        emulator.pool() as pool,
    ):
        ids = (provider for provider in [*emulator.providers, "1", 2])
        report = await pool.check_access(ids, REPORTING, progress=told.append)

    assert told[-1].done == told[-1].total == len(told)
    assert told[-1].denied == 2
    assert len(report.providers) == 10


async def test_a_cancelled_check_leaves_nothing_behind():
    """
    Whoever closes the page gives its calls back.
    """
    async with Emulator(providers=100, latency=5) as emulator, emulator.pool() as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await pool.check_access(emulator.providers, REPORTING)
        left = [t for t in asyncio.all_tasks() if "_make_all" in repr(t.get_coro())]
        stats = pool.stats()[Environment.SANDBOX]
        emulator.latency = 0
        report = await pool.check_access([1], REPORTING)

    assert left == []
    assert (stats.in_flight, stats.waiting, stats.open_streams) == (0, 0, 0)
    assert report.grants() == {Grant.GRANTED: 3}


async def test_a_check_waits_behind_people():
    """
    It is made in the lane of pulls.
    """
    lanes = []
    async with Emulator(providers=3) as emulator, emulator.pool() as pool:
        made = pool._caller

        def noted(provider_id, environment, priority, **options):
            lanes.append(priority)
            return made(provider_id, environment, priority, **options)

        pool._caller = noted
        await pool.check_access(emulator.providers, REPORTING)

    assert set(lanes) == {Priority.BULK}


async def test_a_pool_that_closes_ends_a_check():
    """
    Half a matrix would look like a whole one.
    """
    async with Emulator(providers=100, latency=0.5) as emulator:
        pool = await emulator.pool().start()
        check = asyncio.create_task(pool.check_access(emulator.providers, REPORTING))
        await asyncio.sleep(0.2)
        await pool.close(timeout=0)
        with pytest.raises(PoolClosedError):
            await check
        with pytest.raises(PoolClosedError):
            await pool.check_access([1], REPORTING)


async def test_what_is_known_to_be_denied_is_skipped():
    """
    A nightly pull need not ask 20 clinics in vain for each of nine data sources.
    """
    async with (
        Emulator(providers=9, denied=[(3, "*"), (4, "data_source")]) as emulator,
        emulator.pool() as pool,
    ):
        await pool.check_access(emulator.providers, REPORTING, full=True)
        sent = emulator.seen.requests
        outcomes = await pool.fan_out(
            [2, 3, 4], lambda s: s.reporting.data_source(1), skip_denied=True
        )
        streamed = [
            outcome
            async for outcome in pool.as_completed(
                [3], lambda s: s.reporting.rows(1).to_list(), skip_denied=True
            )
        ]
        of_one = await pool.session(4).fan_out(
            {
                "list": sources,
                "detail": lambda s: s.reporting.data_source(1),
                "any": lambda s: s.with_options(weight=2).request(
                    "GET",
                    pool.contract.data_source.template,
                    values={"datasourceid": 1},
                ),
            },
            skip_denied=True,
        )
        assert emulator.seen.requests == sent + 2
        asked = await pool.fan_out([3], sources)

    assert isinstance(outcomes[2], Succeeded)
    assert isinstance(outcomes[3], Skipped)
    assert isinstance(outcomes[4].error, KnownDenialError)
    assert isinstance(outcomes[4].error, ForbiddenError)
    assert outcomes[3].error.likely_cause is PROVIDER
    assert "no endpoint of this provider" in outcomes[3].error.evidence
    assert isinstance(streamed[0], Skipped)
    assert {key: type(o) for key, o in of_one.items()} == {
        "list": Succeeded,
        "detail": Skipped,
        "any": Skipped,
    }
    assert isinstance(asked[3], Denied)


async def test_a_new_grant_is_noticed():
    """
    Support answers in days, and nobody restarts the program for it.
    """
    async with (
        Emulator(providers=3, denied=[(3, "*")]) as emulator,
        emulator.pool() as pool,
    ):
        clock = pool.access.clock
        await pool.fan_out([3], sources)
        emulator.grant(3, "*")
        early = await pool.fan_out([3], sources, skip_denied=True)
        pool.access.clock = lambda: clock() + FRESH_FOR
        late = await pool.fan_out([3], sources, skip_denied=True)

    assert isinstance(early[3], Skipped)
    assert isinstance(late[3], Succeeded)


async def test_each_environment_has_a_map_of_its_own():
    """
    Sandbox and production are granted apart.
    """
    both = (Environment.SANDBOX, Environment.PRODUCTION)
    async with Emulator(providers=3, environments=both) as emulator:
        async with emulator.pool() as pool:
            production = pool.session(1, environment=Environment.PRODUCTION)
            await production.reporting.data_sources()
            report = await pool.check_access(
                [1], REPORTING, environment=Environment.SANDBOX
            )
            with pytest.raises(ConfigurationError, match="environment="):
                await pool.check_access([1], REPORTING)
            with pytest.raises(ConfigurationError, match="environment="):
                pool.access.cell(1, "rows")

        assert len(pool.access_of(Environment.PRODUCTION)) == 1
        assert len(pool.access_of(Environment.SANDBOX)) == 3
        assert report.environment is Environment.SANDBOX


async def test_ids_of_data_sources_may_be_each_providers_own():
    """
    What answers 404 for an id of another provider is asked for with its own.
    """
    lists = {provider: b'[{"id": %d}]' % (provider * 100) for provider in (1, 2)}
    found = answer(body=b'{"id": 1, "fields": [], "parameters": []}')
    missing = answer(status=404, body=b"{}")
    script = [
        answer(body=lists[1]),  # provider 1: the list
        answer(body=lists[2]),  # provider 2: the list
        found,  # the detail of provider 1
        missing,  # the detail of provider 2, asked with the id of provider 1
        found,
    ]
    async with Server(*script) as server, server.pool() as pool:
        report = await pool.check_access(
            [1, 2], ["data_sources", "data_source"], full=True, concurrency=1
        )

    assert report.grants() == {Grant.GRANTED: 4}


async def test_nothing_about_people_is_logged(caplog):
    """
    A check touches every clinic, so one slip would show them all.
    """
    caplog.set_level(logging.DEBUG, "healthyroster_async")
    async with (
        Emulator(providers=["q-1", "q-2"], denied=[("q-2", "*")]) as emulator,
        emulator.pool() as pool,
    ):
        await pool.check_access(emulator.providers, REPORTING)

    assert caplog.records
    assert "q-1" not in caplog.text
    assert "q-2" not in caplog.text


async def test_a_report_names_the_application_and_no_secret():
    """
    It is mailed, printed, and saved beside a notebook.
    """
    async with (
        Emulator(providers=2, denied=[(2, "*")]) as emulator,
        emulator.pool() as pool,
    ):
        report = await pool.check_access(emulator.providers, REPORTING)
    (own,) = emulator.credentials.values()
    texts = [report.to_text(), report.to_json(), report.to_csv(), repr(report)]
    texts += [report._repr_html_(), report.request_text(), str(pickle.dumps(report))]

    assert own.application_id in report.request_text()
    assert not [text for text in texts if own.application_secret.reveal() in text]
