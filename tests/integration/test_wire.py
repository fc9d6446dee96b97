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
from fakes import contract, credentials

from healthyroster_async import (
    ConnectionLostError,
    ConnectionPool,
    Environment,
    PacingSettings,
    RetrySettings,
    Timeouts,
)
from healthyroster_async.emulator import Emulator, Fault

README = Path("README.md").read_text(encoding="utf-8")
SANDBOX = Environment.SANDBOX
# Whoever waited before trying again would not be done in time.
SLOWLY = RetrySettings(base_delay=60, max_delay=60)
HANG_UP = None


def answer(status=200, body=b"[]", **headers):
    fields = {"Content-Length": len(body), "Content-Type": "application/json"}
    lines = [f"{k.replace('_', '-')}: {v}" for k, v in {**fields, **headers}.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} x", *lines, "", ""])
    return head.encode() + body


class Server:
    """Answers requests by a script, on connections that it keeps open."""

    def __init__(self, *script):
        self.script = list(script)
        self.requests = []
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def pool(self, **options):
        own = contract(base_urls={SANDBOX: self.url})
        return ConnectionPool({SANDBOX: credentials()}, contract=own, **options)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                fields = dict(
                    line.lower().split(": ", 1) for line in head.splitlines()[1:-1]
                )
                await reader.readexactly(int(fields.get("content-length", 0)))
                self.requests.append(head.split()[0])
                step = self.script.pop(0) if self.script else answer()
                if step is HANG_UP:
                    break
                writer.write(step)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def test_aiohttp_repeats_a_get_by_itself_and_our_counters_do_not_see_it():
    """
    The README says so: a limit is learned from what the server says, not from what we
    believe to have sent. If this fails, aiohttp has changed and the README must too.
    """
    async with Server(answer(), HANG_UP) as server:
        async with server.pool() as own:
            for _ in range(2):
                assert await own.session(1).reporting.data_sources() == []
            stats = own.stats()[SANDBOX]

        assert server.requests == ["GET"] * 3
    assert (stats.attempts, stats.retries) == (2, 0)
    assert "once more by itself" in " ".join(README.split())


async def test_a_safe_post_on_a_stale_connection_is_repeated_at_once():
    """
    aiohttp leaves a POST alone; for the heaviest call of all that is our work.
    """
    async with Server(answer(), HANG_UP) as server:
        async with server.pool(retry=SLOWLY, deadline=10) as own:
            for _ in range(2):
                assert await own.session(1).reporting.rows(7).to_list() == []
            stats = own.stats()[SANDBOX]

        assert server.requests == ["POST"] * 3
    assert (stats.attempts, stats.retries) == (3, 1)


async def test_a_post_that_changes_something_is_sent_once():
    """
    The connection was lost after it was sent: nobody knows whether it was done.
    """
    async with Server(answer(), HANG_UP) as server, server.pool(deadline=10) as own:
        clinic = own.session(1)
        await clinic.reporting.data_sources()
        with pytest.raises(ConnectionLostError):
            await clinic.request("POST", "/HealthcareProvider/{id}/Note", json={})

        assert server.requests == ["GET", "POST"]


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
        Emulator(providers=8, latency=0.1) as emulator,
        emulator.pool(
            pacing=PacingSettings(max_concurrency=1),
            timeouts=Timeouts(attempt=0.6),
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
