"""What really goes over the wire, counted by a server that is told when to hang up."""

import asyncio
import contextvars
import copy
import pickle
from pathlib import Path

import aiohttp
import attrs
import backoff
import pytest
from scripted_server import HANG_UP, RESET, Server, answer

from healthyroster_async import (
    AuthenticationError,
    CallError,
    ConnectionLostError,
    ConnectionPool,
    Environment,
    EnvironmentStats,
    ForbiddenError,
    Limit,
    NotFoundError,
    PacingSettings,
    ResponseError,
    RetrySettings,
    ServerError,
    Timeouts,
)
from healthyroster_async._core.delays import RetryBudget
from healthyroster_async.emulator import Emulator, Fault

README = Path("README.md").read_text(encoding="utf-8")
SANDBOX = Environment.SANDBOX
# Whoever waited before trying again would not be done in time.
SLOWLY = RetrySettings(base_delay=60, max_delay=60)
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
ONCE = RetrySettings(max_attempts=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", [HANG_UP, RESET])
@pytest.mark.parametrize("kept", [False, True])
async def test_nothing_is_sent_again_behind_our_back(method, end, kept):
    """
    aiohttp repeats a GET, PUT or DELETE by itself, though it may have been carried out,
    unless it is kept from it. If this fails, a new aiohttp has found another way.
    """
    async with Server(*([answer()] if kept else []), then=end) as server:
        async with server.pool(retry=ONCE, deadline=10) as own:
            clinic = own.session(1)
            if kept:
                await clinic.reporting.data_sources()
            with pytest.raises(ConnectionLostError):
                await clinic.request(method, "/HealthcareProvider/{id}/Note")
            stats = own.stats()[SANDBOX]

        assert server.requests == ["GET"] * kept + [method]
    assert (stats.attempts, stats.retries) == (1 + kept, 0)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_body_that_is_not_there_has_no_media_type(method):
    """
    aiohttp calls it an octet-stream, and strict servers answer 415 to that.
    """
    async with Server(answer(), answer()) as server, server.pool() as own:
        clinic = own.session(1)
        await clinic.request(method, "/HealthcareProvider/{id}/Note")
        await clinic.request(method, "/HealthcareProvider/{id}/Note", json=[])

    without, with_one = (head.lower() for head in server.heads)
    assert "content-type" not in without
    assert "content-type: application/json" in with_one


async def test_a_session_of_ones_own_is_used_as_it_is():
    """
    What its aiohttp repeats by itself is neither kept from it nor counted; README and
    the docstrings say so. If this fails, aiohttp has changed and they must too.
    """
    async with Server(answer(), HANG_UP) as server:
        async with (
            aiohttp.ClientSession() as session,
            server.pool(client_session=session) as own,
        ):
            for _ in range(2):
                assert await own.session(1).reporting.data_sources() == []
            stats = own.stats()[SANDBOX]

        assert server.requests == ["GET"] * 3
    assert (stats.attempts, stats.retries) == (2, 0)
    assert "sends a GET, PUT or DELETE once more by itself" in " ".join(README.split())
    assert "once more by itself" in " ".join(ConnectionPool.__init__.__doc__.split())
    assert "once more by itself" in " ".join(EnvironmentStats.__doc__.split())


@pytest.mark.parametrize("call", ["GET", "POST"])
async def test_a_safe_call_on_a_stale_connection_is_repeated_at_once(call):
    """
    The server closed an idle connection: nobody failed, so nobody waits; but every
    request counts, and is paid for.
    """
    async with Server(answer(), HANG_UP) as server:
        async with server.pool(retry=SLOWLY, deadline=10) as own:
            reporting = own.session(1).reporting
            for _ in range(2):
                if call == "GET":
                    assert await reporting.data_sources() == []
                else:
                    assert await reporting.rows(7).to_list() == []
            stats = own.stats()[SANDBOX]

        assert server.requests == [call] * 3
    assert (stats.attempts, stats.retries) == (3, 1)
    assert stats.retry_budget < RetryBudget().capacity


class Talkative(Server):
    """Lets a test write on the connections that it has.

    Attributes:
        writers: One for each connection.
    """

    def __init__(self, *script, then=None):
        super().__init__(*script, then=then)
        self.writers = []

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        await super()._serve(reader, writer)


LATE = {
    "an answer": answer(body=b'["of another person"]'),
    "a refusal": answer(401),
    "no answer": b"junk",
}


@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
async def test_what_nobody_asked_for_is_given_to_nobody(late, method, read):
    """
    A gateway may answer twice. As the answer of the next call that would be the rows of
    another person, or the success of a change that was never sent.
    """
    own = answer(body=b'["own"]')
    async with Talkative(answer(), then=own) as server:
        async with server.pool(retry=ONCE, deadline=10) as pool:
            clinic = pool.session(1)
            await clinic.reporting.data_sources()
            server.writers[0].write(late)
            if read:
                await asyncio.sleep(0.01)
            got = await clinic.request(method, "/HealthcareProvider/{id}/Note")

        assert got.json() == ["own"]
        assert server.requests == ["GET", method]
        assert len(server.writers) == 2


async def test_an_idle_connection_is_used_again():
    """
    A new one for each call would take a handshake each time.
    """
    async with Talkative() as server:
        async with server.pool() as pool:
            for _ in range(3):
                await pool.session(1).reporting.data_sources()

        assert len(server.writers) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ResponseError),
        (500, ServerError),
    ],
)
@pytest.mark.parametrize("wrong", ["packed", "cut"])
async def test_an_error_whose_body_is_broken_is_that_error(status, kind, wrong):
    """
    As a lost connection a 401 would be asked for again, until the account is locked.
    """
    broken = {
        "packed": answer(status, b"plain text", Content_Encoding="gzip"),
        "cut": (answer(status, b"half", **{"Content-Length": 100}), HANG_UP),
    }[wrong]
    async with Server(broken) as server:
        async with server.pool(retry=ONCE, deadline=10) as pool:
            with pytest.raises(CallError) as caught:
                await pool.session(1).reporting.data_sources()

        assert type(caught.value) is kind
        assert server.requests == ["GET"]


async def test_a_limit_counts_also_if_its_answer_is_broken():
    """
    Whoever does not hear of it goes on as fast as before.
    """
    broken = answer(429, b"plain", Content_Encoding="gzip", Retry_After="0")
    async with Server(broken) as server, server.pool(retry=ONCE) as pool:
        assert await pool.session(1).reporting.data_sources() == []
        stats = pool.stats()[SANDBOX]

    assert stats.answers == {429: 1, 200: 1}
    assert stats.throttled == 1


async def test_a_part_of_an_answer_is_not_taken_for_all_of_it():
    """
    Rows in lines look whole wherever they end, and nobody asked for a part (206).
    """
    part = answer(206, b'{"id":1}\n', Content_Type="application/x-ndjson")
    async with Server(then=part) as server, server.pool(retry=ONCE) as pool:
        with pytest.raises(ResponseError, match="206"):
            await pool.session(1).reporting.rows(7).to_list()


async def test_max_attempts_bounds_what_a_dying_server_sees():
    """
    What is repeated at once is one of the attempts.
    """
    quick = RetrySettings(max_attempts=4, base_delay=0.001, max_delay=0.001)
    async with Server(then=RESET) as server:
        async with server.pool(retry=quick, deadline=10) as own:
            with pytest.raises(ConnectionLostError):
                await own.session(1).reporting.data_sources()

        assert server.requests == ["GET"] * 4


async def test_calls_into_a_server_that_resets_everything_cost_little_more():
    """
    Repeating each of them, even once, would double the load of a server that dies.
    """
    quick = RetrySettings(base_delay=0.001, max_delay=0.001)
    async with Server(then=RESET) as server:
        async with server.pool(
            retry=quick,
            pacing=PacingSettings(max_concurrency=200, rate=Limit(1_000_000, 1)),
        ) as own:
            call = own.session(1).reporting.data_sources
            ended = await asyncio.gather(
                *(call() for _ in range(200)), return_exceptions=True
            )

        assert all(isinstance(error, CallError) for error in ended)
        assert 200 <= len(server.requests) <= 215


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_is_sent_once(method):
    """
    The connection was lost after it was sent: nobody knows whether it was done.
    """
    async with Server(answer(), HANG_UP) as server, server.pool(deadline=10) as own:
        clinic = own.session(1)
        await clinic.reporting.data_sources()
        with pytest.raises(ConnectionLostError):
            await clinic.request(method, "/HealthcareProvider/{id}/Note", json={})

        assert server.requests == ["GET", method]


async def test_a_long_error_page_holds_no_connection():
    """
    A retry that waits for the connection its own failure holds would wait for ever.
    """
    page = answer(503, b"<p>" * 200_000)
    connector = aiohttp.TCPConnector(limit=1)
    async with (
        Server(page, page, answer()) as server,
        aiohttp.ClientSession(connector=connector) as session,
        server.pool(
            client_session=session,
            deadline=10,
            retry=RetrySettings(base_delay=0.01, max_delay=0.01),
        ) as own,
    ):
        assert await own.session(1).reporting.data_sources() == []
        assert own.stats()[SANDBOX].answers == {503: 2, 200: 1}


async def test_waiting_for_a_turn_never_counts_against_an_attempt():
    """
    Else a busy pool fails its calls with time-outs that no server caused.
    """
    async with (
        Emulator(providers=8, latency=0.3) as emulator,
        emulator.pool(
            pacing=PacingSettings(max_concurrency=1),
            timeouts=Timeouts(attempt=2.0),
            retry=RetrySettings(max_attempts=1),
        ) as own,
    ):
        outcomes = await own.fan_out(
            range(1, 9), lambda s: s.reporting.data_sources(), concurrency=8
        )
        assert len(outcomes.succeeded) == 8


async def test_a_call_that_waits_to_be_repeated_holds_no_permit():
    """
    One clinic's trouble must not stand in the way of the others.
    """
    fault = Fault(kind="status", status=500, provider=1, times=1)
    async with (
        Emulator(providers=2, faults=[fault]) as emulator,
        emulator.pool(
            pacing=PacingSettings(max_concurrency=1), retry=SLOWLY, deadline=90
        ) as own,
    ):
        waiting = asyncio.ensure_future(own.session(1).reporting.data_sources())
        while not emulator.seen.by_status[500]:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            assert len(await own.session(2).reporting.data_sources()) == 9

        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_backoff_is_set_up_once_and_not_for_every_call(monkeypatch):
    """
    It costs ten times as much as what it does.
    """
    made = []
    original = backoff.on_exception

    def counted(*arguments, **options):
        made.append(options)
        return original(*arguments, **options)

    monkeypatch.setattr(backoff, "on_exception", counted)
    async with (
        Emulator(providers=1, faults=[Fault(kind="status", every=2)]) as emulator,
        emulator.pool(retry=RetrySettings(base_delay=0.001, max_delay=0.001)) as own,
    ):
        for _ in range(6):
            await own.session(1).reporting.data_sources()
        assert own.stats()[SANDBOX].retries > 3

    assert len(made) == 1


async def test_a_pool_works_in_a_task_that_shares_no_context_with_its_start():
    """
    Web frameworks start it in a lifespan task and use it in request tasks.
    """
    async with Emulator(providers=1) as emulator:
        own = emulator.pool()
        await asyncio.create_task(own.start(), context=contextvars.Context())
        call = own.session(1).reporting.data_sources
        request = asyncio.create_task(call(), context=contextvars.Context())
        assert len(await request) == 9
        await asyncio.create_task(own.close(), context=contextvars.Context())


async def test_header_fields_are_read_and_copied_as_a_dict_with_names_in_lower_case():
    """
    aiohttp's own mapping can neither be pickled nor be looked up by who expects a dict.
    """
    fields = answer(X_One="1").replace(b"X-One: 1", b"X-One: 1\r\nX-ONE: 2")
    async with Server(fields) as server, server.pool() as own:
        got = await own.session(1).request("GET", "/HealthcareProvider/{id}/Anything")

    assert type(copy.copy(got.headers)) is dict
    assert type(pickle.loads(pickle.dumps(got.headers))) is dict
    assert got.headers["x-one"] == "1, 2"
    assert all(name == name.lower() for name in got.headers)
    assert pickle.loads(pickle.dumps(attrs.asdict(got)["headers"])) == got.headers


@pytest.mark.parametrize("kind", ["reset-inside", "truncate"])
async def test_what_is_lost_inside_a_row_stream_is_counted_like_the_rest(kind):
    """
    Retries without failures look like a counter that is broken.
    """
    fault = Fault(kind=kind, after_bytes=300_000, times=2, endpoint="rows")
    async with (
        Emulator(providers=1, rows=1000, faults=[fault]) as emulator,
        emulator.pool(retry=RetrySettings(base_delay=0.01, max_delay=0.01)) as own,
    ):
        rows = await own.session(1).reporting.rows(1).to_list()
        stats = own.stats()[SANDBOX]

    assert len(rows) == 1000
    assert stats.retries == 2
    assert stats.failures == {"ConnectionLostError": 2}
