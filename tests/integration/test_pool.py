"""The pool: what it refuses, how it begins and ends, and that it loses nothing."""

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import timeit
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from fakes import OTHER_SECRET, PRODUCTION_URL, SANDBOX_URL, SECRET, contract, pool
from scripted_server import SILENCE, Server, answer

from healthyroster_async import (
    ConfigurationError,
    ConnectError,
    ConnectionPool,
    Contract,
    Credentials,
    DeadlineExceededError,
    Environment,
    PacingSettings,
    PoolClosedError,
    Priority,
    RedirectError,
    RetrySettings,
    Timeouts,
    UsageError,
)
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.testing import (
    Answer,
    run_in_virtual_time,
    scripted_pool,
    serve_emulator,
)

SANDBOX, PRODUCTION = Environment.SANDBOX, Environment.PRODUCTION
ONE = Credentials("app-1", SECRET)
TWO = Credentials("app-2", OTHER_SECRET)


FORKED = """
import asyncio, os
import fakes
from healthyroster_async import UsageError

async def main():
    async with fakes.pool() as own:
        child = os.fork()
        if child == 0:
            try:
                await own.session(1).reporting.data_sources()
            except UsageError as error:
                os.write(1, f"{error}\\n".encode())
                os._exit(0)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

asyncio.run(main())
"""

FORKED_ANEW = """
import asyncio, gc, os
from healthyroster_async.emulator import Emulator

async def main():
    async with Emulator(providers=1) as emulator, emulator.pool(deadline=2) as own:
        for use in (own.start, own.close):
            await own.session(1).reporting.data_sources()
            child = os.fork()
            if child == 0:
                asyncio.run(use())
                gc.collect()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        await own.session(1).reporting.data_sources()

asyncio.run(main())
"""


def stats(own):
    return own.stats()[SANDBOX]


@pytest.mark.parametrize(
    ("credentials", "changes", "sentence"),
    [
        ({}, {}, "per environment"),
        (None, {}, "per environment"),
        ({"sandbox": ONE}, {}, "members of Environment"),
        ({SANDBOX: ("a", "b")}, {}, "members of Environment"),
        ({SANDBOX: ONE, PRODUCTION: ONE}, {}, "same application secret"),
        ({SANDBOX: ONE}, {"environment": PRODUCTION}, "no credentials of 'production'"),
        ({SANDBOX: ONE}, {"deadline": -1}, "deadline"),
        (
            {PRODUCTION: TWO},
            {"contract": contract(base_urls={SANDBOX: SANDBOX_URL})},
            "no base URL",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(credentials, changes, sentence):
    """
    Sandbox credentials in the place of the production ones, and the like.
    """
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        ConnectionPool(credentials, **({"contract": contract()} | changes))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "bad", ["", " ", ".", "..", "1/2", "a\\b", "\n", None, 1.5, " 42", "42\u3000"]
)
def test_a_provider_id_stays_in_its_place(bad):
    """
    An id of ".." would ask something else with the application's credentials.
    """
    with pytest.raises(ConfigurationError, match="provider_id"):
        pool().session(bad)


def test_with_two_environments_none_is_assumed():
    """
    Writing to production by default is how accidents happen.
    """
    own = ConnectionPool({SANDBOX: ONE, PRODUCTION: TWO}, contract=contract())

    with pytest.raises(ConfigurationError, match="none is assumed"):
        own.session(1)
    assert own.session(1, environment=PRODUCTION).environment is PRODUCTION
    assert pool().session(1).environment is SANDBOX
    with pytest.raises(ConfigurationError, match="it has those of sandbox"):
        pool().session(1, environment=PRODUCTION)


def test_a_handle_is_immutable_and_costs_microseconds():
    """
    One is made for every web request and every provider of a pull.
    """
    own = pool()
    session = own.session(1)
    changed = session.with_options(
        timeouts=Timeouts(attempt=1), retry=RetrySettings(max_attempts=1),
        priority=Priority.BULK, deadline=5,
    )  # fmt: skip
    each = min(timeit.repeat(lambda: own.session(1), number=1000, repeat=5)) / 1000

    with pytest.raises(AttributeError):
        session.provider_id = 2
    assert changed.priority is Priority.BULK
    assert session.priority is Priority.INTERACTIVE
    assert changed.provider_id == 1
    assert each < 100e-6
    for shown in (repr(own), repr(session)):
        assert SECRET not in shown
        assert "app-1" not in shown


def test_handles_are_compared_by_what_they_do():
    """
    Apps keep handles in a dict, or compare them in their own tests.
    """
    own, other = pool(), pool()
    session = own.session(1)
    same = {session, own.session(1), session.with_options(priority=session.priority)}
    others = {
        other.session(1),
        own.session("1"),
        own.session(2),
        session.with_options(deadline=5),
        session.with_options(priority=Priority.BULK),
    }

    assert len(same) == 1
    assert len(others) == 5
    assert all(session != handle for handle in others)
    assert session != 1


async def test_a_handle_can_have_no_deadline_though_its_pool_has_one():
    """
    A pool for web requests is the one that a long report uses too.
    """
    async with (
        Emulator(providers=1, latency=0.3) as emulator,
        emulator.pool(deadline=0.1) as own,
    ):
        session = own.session(1)
        for bound in (session, session.with_options(priority=Priority.BULK)):
            with pytest.raises(DeadlineExceededError):
                await bound.reporting.data_sources()
        free = session.with_options(deadline=None)

        assert len(await free.reporting.data_sources()) >= 9


async def test_wrong_use_says_what_is_wrong():
    """
    The first five minutes with a library are made of these.
    """
    own = pool()
    call = own.session(1).reporting.data_sources
    with pytest.raises(UsageError, match="async with"), own:
        pass
    with pytest.raises(PoolClosedError, match="not started"):
        await call()
    with pytest.raises(PoolClosedError, match="not started"):
        own.stats()
    async with own:
        assert await own.start() is own
        stream = own.session(1).reporting.rows(1)
    with pytest.raises(PoolClosedError, match="the pool is closed"):
        await call()
    with pytest.raises(PoolClosedError, match="the pool is closed"):
        await stream.to_list()
    with pytest.raises(PoolClosedError, match="the pool is closed"):
        own.stats()
    await own.close()


async def test_a_second_loop_is_told(anyio_backend):
    """
    Connections belong to a loop; used in another one they hang.
    """
    async with pool() as own:

        async def call():
            await own.session(1).reporting.data_sources()

        for use in (call, own.start, own.close):

            async def elsewhere(use=use):
                await use()

            with pytest.raises(UsageError, match="another event loop"):
                await asyncio.to_thread(asyncio.run, elsewhere())


def test_a_pool_may_be_used_in_one_loop_after_another():
    """
    Scripts call asyncio.run several times.
    """
    own = pool()

    async def use():
        async with own:
            return own.stats()[SANDBOX].attempts

    assert [asyncio.run(use()) for _ in range(3)] == [0, 0, 0]


def test_a_pool_whose_loop_is_over_says_how_to_go_on():
    """
    A script that left its pool open cannot close it in a loop that is gone.
    """
    own = pool()
    asyncio.run(own.start())

    async def use():
        with pytest.raises(UsageError, match=r"is closed: await pool.start\(\) opens"):
            own.stats()
        await own.start()
        async with own:
            return own.stats()[SANDBOX].attempts

    assert asyncio.run(use()) == 0


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("under_way", [False, True])
def test_what_a_loop_left_open_that_is_over_is_let_go_of(under_way, caplog):
    """
    aiohttp logs an error for each session that nobody closed.
    """
    with serve_emulator(providers=1) as emulator:
        own = emulator.pool()

        async def call():
            await own.start()
            return await own.session(1).reporting.data_sources()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(call())
        if under_way:
            loop.create_task(call())._log_destroy_pending = False
            emulator.latency = 10.0
            loop.run_until_complete(asyncio.sleep(0.1))
            emulator.latency = 0.0
        loop.close()

        async def use():
            await call()
            await own.close()

        asyncio.run(use())
        gc.collect()

    assert not caplog.records


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_pool_whose_loop_is_over_can_be_closed(caplog):
    """
    A test or an app may end its loop first, and cannot close anything there any more.
    """
    with serve_emulator(providers=1) as emulator:
        own = emulator.pool()

        async def use():
            await own.start()
            return len(await own.session(1).reporting.data_sources())

        found = asyncio.run(use())
        asyncio.run(own.close())
        gc.collect()
        assert "closed" in repr(own)
        assert asyncio.run(use()) == found
        asyncio.run(own.close())
        gc.collect()

    assert not caplog.records


def test_of_two_threads_that_start_a_pool_at_once_one_is_told():
    """
    Else both have started it, and to one of them it says at the first call that it is
    the other's; what it opened stays open.
    """
    both, transport = threading.Barrier(2, timeout=5), Scripted()

    async def fetch():
        await asyncio.to_thread(both.wait)
        return ONE

    own = ConnectionPool({SANDBOX: fetch}, contract=contract(), transport=transport)

    async def use():
        try:
            await own.start()
        except UsageError as error:
            await asyncio.to_thread(both.wait)
            return str(error)
        await asyncio.to_thread(both.wait)
        assert transport.opened == 1
        await own.close()
        return ""

    with ThreadPoolExecutor() as threads:
        told = sorted(threads.map(asyncio.run, (use(), use())))

    assert told[0] == ""
    assert "another event loop" in told[1]
    assert transport.opened == 0


def test_starting_twice_at_once_works_in_one_loop_after_another():
    """
    Web apps start a pool at the first request, and there are two of them.
    """
    own = pool()

    async def use():
        await asyncio.gather(own.start(), own.start(), own.close(), own.start())
        await asyncio.gather(own.close(), own.close())
        return repr(own)

    assert {asyncio.run(use()) for _ in range(3)} == {repr(own)}
    assert "closed" in repr(own)


@pytest.mark.parametrize("second", [None, 0.2])
async def test_starting_a_pool_that_is_being_closed_opens_it(second):
    """
    Else start() says that the pool is open, and the first call that it is closed.

    Who closes it meanwhile comes back when it is closed, and not after his own time.
    """
    loop = asyncio.get_running_loop()
    async with Emulator(providers=1) as emulator:
        emulator.add_fault(Fault(kind="stall", times=1))
        own = await emulator.pool().start()
        call = own.session(1).reporting.data_sources
        stalled = asyncio.ensure_future(call())
        await asyncio.sleep(0.2)
        began = loop.time()
        closing = asyncio.ensure_future(own.close(timeout=1 if second is None else 60))
        await asyncio.sleep(0.05)
        assert "closed" in repr(own)
        if second is not None:
            await own.close(timeout=second)
            assert stalled.done() or closing.done()
        assert await own.start() is own
        took = loop.time() - began

        assert closing.done()
        assert len(await call()) >= 9
        with pytest.raises(PoolClosedError):
            await stalled
        await own.close()

    assert (second or 1) <= took < (second or 1) + 2


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_a_pool_is_not_copied(twin):
    """
    Workers get the contract and make a pool of their own.
    """
    async with pool() as own:
        with pytest.raises(TypeError, match="a pool is neither pickled nor copied"):
            twin(own)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_is_told():
    """
    Two processes on one socket mix their answers: one clinic's rows in the other's.

    The fork happens while the loop runs, as under a preloading server; it is done in a
    process of its own, so that this one has no second half.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        env={**os.environ, "PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "after the fork" in done.stdout
    assert done.stdout.endswith("0\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_that_begins_anew_leaves_the_parent_its_connections():
    """
    Both share the selector that waits for them: the parent waited for a minute.
    """
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED_ANEW], check=True, timeout=60
    )


async def test_nothing_is_followed_and_nothing_is_kept():
    """
    aiohttp would send custom secret headers along with a redirect.
    """
    async with Emulator(providers=1) as emulator:
        emulator.add_fault(
            Fault(kind="redirect", location=f"http://localhost:{emulator.url[-5:]}/x")
        )
        async with emulator.pool() as own:
            with pytest.raises(RedirectError, match="base URL"):
                await own.session(1).reporting.data_sources()

        assert emulator.seen.requests == 1
        assert emulator.seen.secrets_elsewhere == 0


async def test_the_client_is_set_as_it_should_be(monkeypatch):
    """
    One connector without a limit of its own, no cookies, no netrc, short keep-alive.
    """
    async with Emulator(providers=1) as emulator, emulator.pool() as own:
        await own.session(1).reporting.data_sources()
        ((_, session),) = own._running.transport._sessions.values()
        connector = session.connector

        assert connector.limit == 0
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert not session.trust_env
        assert connector._keepalive_timeout < 60
        assert connector._ssl is not None
        assert session.headers["User-Agent"].startswith("healthyroster-async/")


async def test_an_own_client_session_is_used_and_left_open():
    """
    Apps with a session of their own, for a proxy or a trace, can give it.
    """
    async with (
        Emulator(providers=1) as emulator,
        aiohttp.ClientSession(raise_for_status=True) as session,
    ):
        async with emulator.pool(client_session=session) as own:
            assert len(await own.session(1).reporting.data_sources()) >= 9
        assert not session.closed


async def test_a_client_session_that_is_closed_is_told():
    """
    An app that closes its own session first gets a sentence, not aiohttp's error.
    """
    async with aiohttp.ClientSession() as session:
        late = await pool(client_session=session).start()
        call = late.session(1).reporting.data_sources
    with pytest.raises(UsageError, match="client_session of the pool is closed"):
        await pool(client_session=session).start()
    with pytest.raises(UsageError, match="client_session of the pool is closed"):
        await call()
    await late.close()


async def test_nobody_there_is_a_connect_error_after_a_few_tries():
    """
    The text says which host; nothing was sent, so every endpoint may try again.
    """
    closed = Contract(
        base_urls={SANDBOX: "http://127.0.0.1:9"},
        application_id_header="A",
        application_secret_header="B",
    )
    settings = RetrySettings(base_delay=0.01, max_delay=0.01)
    async with ConnectionPool({SANDBOX: ONE}, contract=closed, retry=settings) as own:
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1:9") as caught:
            await own.session(1).reporting.data_sources()

        assert stats(own).attempts == 4
    error = caught.value
    assert error.__cause__ is None
    while (error := error.__context__) is not None:
        assert not isinstance(error, aiohttp.ClientError | OSError)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=503, times=2),
        Fault(kind="status", status=429, retry_after="0", times=2),
        Fault(kind="status", status=500, times=1),
        Fault(kind="reset", times=2),
        Fault(kind="reset-inside", after_bytes=100, times=2),
        Fault(kind="truncate", after_bytes=100, times=2),
        Fault(kind="reset-inside", after_bytes=70_000, times=1, endpoint="rows"),
        Fault(kind="reset-inside", after_bytes=300_000, times=1, endpoint="rows"),
        Fault(kind="truncate", after_bytes=300_000, times=2, endpoint="rows"),
        Fault(kind="malformed", times=1, endpoint="rows"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.after_bytes}",
)
async def test_what_can_be_mended_is_mended(fault):
    """
    Every row comes exactly once, in order, however the first answers ended.
    """
    retry = RetrySettings(base_delay=0.01, max_delay=0.02)
    async with Emulator(providers=1, rows=1000) as emulator:
        async with emulator.pool() as own:
            expected = await own.session(1).reporting.rows(1).to_list()
        emulator.add_fault(fault)
        async with emulator.pool(retry=retry) as own:
            clinic = own.session(1).reporting
            if fault.endpoint != "rows":
                assert len(await clinic.data_sources()) >= 9
            assert await clinic.rows(1).to_list() == expected

            assert stats(own).retries >= 1
            assert stats(own).open_streams == stats(own).in_flight == 0


async def test_a_stalled_answer_ends():
    """
    A server that says nothing must not hold a caller for ever.
    """
    timeouts = Timeouts(read=0.2, attempt=0.2)
    stall = Fault(kind="stall", after_bytes=500)
    async with (
        Emulator(providers=1, rows=100, faults=[stall]) as emulator,
        emulator.pool(
            timeouts=timeouts, retry=RetrySettings(max_attempts=1), deadline=5
        ) as own,
    ):
        reporting = own.session(1).reporting
        with pytest.raises(Exception, match=r"nothing came within 0\.2 s"):
            await reporting.data_sources()
        with pytest.raises(Exception, match=r"nothing came within 0\.2 s"):
            await reporting.rows(1).to_list()
        with pytest.raises(DeadlineExceededError):
            await (
                own.session(1)
                .with_options(deadline=0.1, timeouts=Timeouts())
                .reporting.data_sources()
            )

        assert stats(own).in_flight == stats(own).open_streams == 0


async def cancelled_after(ticks, call):
    """Cancel *call* after so many steps of the loop; return whether it had ended."""
    task = asyncio.ensure_future(call())
    for _ in range(ticks):
        if task.done():
            break
        await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return ended


@pytest.mark.parametrize("kind", ["models", "rows", "break", "retry", "queue"])
async def test_a_call_cancelled_at_any_await_gives_back_everything(kind):
    """
    Slot, permit, place in the queue, socket: at every point there is.
    """
    faults = [Fault(kind="status", every=2)] if kind == "retry" else []
    limit = 1 if kind == "queue" else 3
    async with (
        Emulator(providers=1, rows=30, faults=faults) as emulator,
        emulator.pool(
            pacing=PacingSettings(max_concurrency=limit),
            retry=RetrySettings(base_delay=0.001, max_delay=0.001),
        ) as own,
    ):
        reporting = own.session(1).reporting

        async def call():
            if kind in {"models", "retry"}:
                await reporting.data_sources()
            elif kind == "rows":
                await reporting.rows(1).to_list()
            elif kind == "queue":
                await asyncio.gather(*(reporting.data_sources() for _ in range(3)))
            else:
                async with reporting.rows(1) as rows:
                    async for _ in rows:
                        break

        ticks = 0
        while not await cancelled_after(ticks, call) and ticks < 400:
            ticks += 1 if ticks < 60 else 7
            now = stats(own)
            assert (now.in_flight, now.open_streams, now.waiting) == (0, 0, 0)
        await reporting.data_sources()

        assert ticks > 5
        assert not own._running.transport._streams
        assert not own._running.transport._bounds


async def test_closing_drains_then_cuts():
    """
    What is under way may finish; what does not is ended, and says why.
    """
    async with Emulator(providers=1, latency=0.2) as emulator:
        own = await emulator.pool().start()
        call = own.session(1).reporting.data_sources
        drained = asyncio.ensure_future(call())
        await asyncio.sleep(0.05)
        await own.close()
        assert len(await drained) >= 9

        emulator.add_fault(Fault(kind="stall"))
        await own.start()
        cut = [asyncio.ensure_future(call()) for _ in range(3)]
        stream = own.session(1).reporting.rows(1)
        cut.append(asyncio.ensure_future(stream.to_list()))
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        closing = asyncio.ensure_future(own.close(timeout=0.2))
        await asyncio.sleep(0.05)
        with pytest.raises(PoolClosedError):
            await call()
        await closing
        took = asyncio.get_running_loop().time() - began
        for task in cut:
            with pytest.raises(PoolClosedError):
                await task

    assert 0.2 <= took < 3
    assert "closed" in repr(own)


async def test_a_close_that_is_cancelled_at_any_await_closes_everything():
    """
    Closing once more does nothing: what it left open would stay so.
    """
    fault = Fault(kind="stall", endpoint="data_sources")
    ticks, ended = 0, False
    async with Emulator(providers=1, rows=1, faults=[fault]) as emulator:
        while not ended:
            own = await emulator.pool().start()
            transport, reporting = own._running.transport, own.session(1).reporting
            call = asyncio.ensure_future(reporting.data_sources())
            async with reporting.rows(1):
                ticks += 1
                ended = await cancelled_after(ticks, partial(own.close, timeout=0))

                assert transport._connector.closed
                assert not transport._streams
            await asyncio.wait([call])

            assert isinstance(call.exception(), PoolClosedError)

    assert ticks > 2


async def test_leaving_with_an_error_does_not_wait():
    """
    Who leaves by Ctrl-C wants to be gone.
    """
    fault = Fault(kind="stall", endpoint="data_sources")
    async with Emulator(providers=1, faults=[fault]) as emulator:
        began = asyncio.get_running_loop().time()
        task = None
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is the point
            async with emulator.pool() as own:
                task = asyncio.ensure_future(own.session(1).reporting.data_sources())
                await asyncio.sleep(0.1)
                raise ZeroDivisionError
        with pytest.raises(PoolClosedError):
            await task

    assert asyncio.get_running_loop().time() - began < 3


class Scripted:
    """A transport that counts how often it is open, and answers when it may."""

    def __init__(self, status=200):
        self.opened = 0
        self.status = status
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def start(self):
        self.opened += 1

    async def close(self):
        self.opened -= 1

    async def send(self, signed):
        self.asked.set()
        await self.may_answer.wait()
        return Answer(self.status).to(signed.request)


async def test_a_start_that_is_cancelled_leaves_nothing_open():
    """
    Whoever gives up has no pool to close.
    """
    transport = Scripted()
    own = scripted_pool(transport, pacing=PacingSettings(share=True))
    starting = asyncio.ensure_future(own.start())
    while not transport.opened:  # noqa: ASYNC110 - it comes within some ticks
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert transport.opened == 0


async def test_an_answer_shows_nothing_but_its_status():
    """
    aiohttp logs the one that nobody closed, with its filled-in path and all its fields.
    """
    step = answer(X_Patient="Quillfeather")[:-1], SILENCE
    async with (
        Server(step) as server,
        server.pool() as own,
        own.session("Featherquill").reporting.rows(7),
    ):
        (stream,) = own._running.transport._streams

        assert repr(stream._answer) == "<ClientResponse [200]>"


@pytest.mark.parametrize("patience", [0, 10])
async def test_a_rejection_while_the_pool_closes_leaves_no_budget_open(patience):
    """
    Workers start many pools, and each would leave one more file open.
    """
    transport = Scripted(429)
    own = scripted_pool(transport, pacing=PacingSettings(share=True))
    await own.start()
    (pacer,) = own._running.lanes[SANDBOX].pacing.pacers
    store = pacer.leasing._store
    clinic, path = own.session(1), "/HealthcareProvider/{id}/Teams"
    call = asyncio.ensure_future(clinic.request("GET", path))
    await transport.asked.wait()
    closing = asyncio.ensure_future(own.close(timeout=patience))
    await asyncio.sleep(0.05)
    transport.may_answer.set()
    with pytest.raises(PoolClosedError):
        await call
    await closing

    assert store._fd == -1


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.unmeasured
async def test_a_thousand_pools_in_a_row_leave_nothing_behind():
    """
    No task, no socket, no warning: tests and workers make many pools.
    """
    async with Emulator(providers=1, rows=1) as emulator:
        own_contract = emulator.contract()

        async def once():
            async with ConnectionPool(
                emulator.credentials, contract=own_contract
            ) as own:
                await own.session(1).reporting.data_sources()

        for _ in range(20):
            await once()
        gc.collect()
        tasks, files = len(asyncio.all_tasks()), open_files()
        for _ in range(1000):
            await once()
        gc.collect()
        # Threads of the resolver close what is theirs, when they get to it.
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > tasks or open_files() > files + 2:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

        assert emulator.seen.by_status[200] == 1020


def test_production_is_asked_over_tls_only():
    """
    A context of one's own is for a private authority.
    """
    assert contract().base_urls[PRODUCTION] == PRODUCTION_URL
    with pytest.raises(ConfigurationError, match="plain http"):
        contract(base_urls={PRODUCTION: "http://api.example.test"})


async def test_a_client_that_goes_away_leaves_the_emulator_quiet(caplog):
    """
    Users' tests must not be full of tracebacks of a server they did not write.
    """
    async with Emulator(providers=1, rows=200_000) as emulator:
        async with emulator.pool() as own:
            for _ in range(3):
                async with own.session(1).reporting.rows(1) as rows:
                    async for _row in rows:
                        break
        await asyncio.sleep(0.1)

    assert not [r for r in caplog.records if r.name.startswith("aiohttp")]


def test_settings_that_nobody_uses_any_more_are_forgotten():
    """
    Whoever makes them anew for each call would fill the memory; the count stays whole.
    """

    async def main():
        async with scripted_pool([500, []] * 10 + [[]] * 90) as own:
            for number in range(100):
                retry = RetrySettings(max_delay=30 + number)
                clinic = own.session(1).with_options(retry=retry)
                await clinic.request("GET", "/HealthcareProvider/{id}/Teams")
            return len(own._running._pipelines), own.stats()[SANDBOX].retries

    assert run_in_virtual_time(main()) == (64, 10)


async def test_a_session_may_have_a_larger_share_of_the_calls_that_wait():
    """
    One large clinic among many small ones is not to finish hours after them.
    """
    order = []

    async def call(session):
        await session.reporting.data_sources()
        order.append(session.provider_id)

    settings = PacingSettings(max_concurrency=1)
    async with (
        Emulator(providers=2) as emulator,
        emulator.pool(pacing=settings) as pool,
        asyncio.TaskGroup() as group,
    ):
        small = pool.session(1)
        large = pool.session(2).with_options(weight=3.0)
        for session in [small, large] * 12:
            group.create_task(call(session))

    assert order[:16].count(2) in {11, 12}


@pytest.mark.parametrize("weight", [0, -1, "2", float("nan"), True])
async def test_a_weight_is_a_number_above_nothing(weight):
    """
    A share of nothing would wait for ever.
    """
    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        with pytest.raises(ConfigurationError, match="weight"):
            pool.session(1).with_options(weight=weight)


@pytest.mark.parametrize(
    ("call", "kind"),
    [(lambda s: s.reporting.rows(1), "RowStream"), (lambda _: 5, "int")],
)
async def test_a_fan_out_of_what_cannot_be_awaited_says_what_to_give(call, kind):
    """
    Rows are opened, not awaited: the slip of the first minute.
    """
    async with Emulator(providers=1) as emulator, emulator.pool() as pool:
        with pytest.raises(TypeError, match=f"gave {kind}; give a function"):
            await pool.fan_out([1], call)
