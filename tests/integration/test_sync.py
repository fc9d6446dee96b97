"""The pool without await: the same API, from scripts, threads and running loops."""

import asyncio
import contextlib
import contextvars
import gc
import inspect
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import islice

import attrs
import pytest
from children import variables

import healthyroster_async
from healthyroster_async import (
    CallError,
    ConfigurationError,
    ConnectionPool,
    DecodingError,
    ForbiddenError,
    PoolClosedError,
    PoolReport,
    ProgressBar,
    ProviderSession,
    PullPlan,
    SyncPool,
    UsageError,
)
from healthyroster_async import _sync as sync
from healthyroster_async._loop_thread import LoopThread
from healthyroster_async._resources.namespace import SessionOperations
from healthyroster_async._resources.operations import OperationCall
from healthyroster_async._resources.reporting import Reporting
from healthyroster_async._rows.stream import RowStream
from healthyroster_async.emulator import Emulator, Fault


async def nothing():
    """Stand where something is to be opened."""


@pytest.fixture
def serve():
    """Run emulators on a loop of their own: the tests here do not await."""
    thread = LoopThread(nothing, lambda: None)
    running = []

    def served(**settings):
        emulator = Emulator(**settings)
        thread.run(emulator.start)
        running.append(emulator)
        return emulator

    yield served
    for emulator in running:
        thread.run(emulator.close)
    thread.stop()


@pytest.fixture
def emulator(serve):
    return serve(providers=3, rows=1200, denied=[(3, "*")])


@pytest.fixture
def pool(emulator):
    with SyncPool(emulator.credentials, contract=emulator.contract()) as pool:
        yield pool


TWINS = [
    (ConnectionPool, sync.SyncPool),
    (ProviderSession, sync.SyncSession),
    (Reporting, sync.SyncReporting),
    (RowStream, sync.SyncRowStream),
    (OperationCall, sync.SyncOperationCall),
    (SessionOperations, sync.SyncOperations),
]


def taken(method):
    """Return the parameters of a method, their defaults and their types."""
    parameters = inspect.signature(method).parameters.values()
    return [(one.name, one.kind, one.default, typed(one)) for one in parameters]


def typed(parameter):
    """Return a type as it is written; each module calls its variables as it likes."""
    return re.sub(r"\b_?[A-Z]\b", "T", str(parameter.annotation))


@pytest.mark.parametrize(("one", "twin"), TWINS)
def test_everything_has_a_twin_with_the_same_parameters(one, twin):
    """
    The two must not drift apart.
    """
    for name, member in inspect.getmembers(one):
        if name.startswith("_") and name not in {"__init__", "__call__"}:
            continue
        if name == "__init__" and one is not ConnectionPool:
            continue
        assert hasattr(twin, name) or name in {"reporting", "operations"}, name
        if callable(member):
            assert taken(getattr(twin, name)) == taken(member), name
            if not inspect.isclass(member):
                assert getattr(twin, name).__doc__, name


def test_calls_return_what_they_would_be_awaited_for(pool):
    """
    A script has no await.
    """
    clinic = pool.session(1)
    sources = clinic.reporting.data_sources()
    detail = clinic.reporting.data_source(sources[0])
    rows = clinic.reporting.rows(detail.id).to_list()
    outcomes = pool.fan_out([1, 2, 3], lambda s: s.reporting.data_sources())
    named = clinic.fan_out({"sources": lambda s: s.reporting.data_sources()})
    completed = pool.as_completed([1, 2], lambda s: s.reporting.data_sources())
    seen = {outcome.provider_id for outcome in completed}

    assert len(rows) == 1200
    assert clinic.reporting.rows(1).to_arrow().num_rows == 1200
    assert (set(outcomes.succeeded), set(outcomes.denied)) == ({1, 2}, {3})
    assert set(named.succeeded) == {"sources"}
    assert seen == {1, 2}
    assert next(iter(pool.stats().values())).attempts > 5
    assert len(pool.check_access([1, 3])) > 0
    with pytest.raises(ForbiddenError):
        pool.session(3).reporting.data_sources()
    response = clinic.request("GET", "/HealthcareProvider/{id}/Datasources")
    assert response.status == 200


def test_what_is_returned_has_a_public_name(pool):
    """
    Who writes a function of a session or of rows annotates it.
    """
    clinic = pool.session(1)
    returned = [clinic, clinic.reporting.rows(1), pool.stats()]
    names = {type(one).__name__ for one in returned}

    assert names == {"SyncSession", "SyncRowStream", "PoolStats"}
    assert names <= set(healthyroster_async.__all__)


def test_rows_come_in_order_and_may_be_left_early(pool):
    """
    A stream that is left gives its place back, as with the async pool.
    """
    with pool.session(1).reporting.rows(1) as rows:
        every = list(rows)
    with pool.session(1).reporting.rows(1) as rows:
        first = [row for row, _ in zip(rows, range(3), strict=False)]
        open_streams = next(iter(pool.stats().values())).open_streams
    with pool.session(1).reporting.rows(1) as rows:
        batches = [batch.num_rows for batch in rows.batches()]
    dates = {"since": "2024-01-01", "until": "2027-01-01", "window": "year"}
    with pool.session(1).reporting.rows(1, **dates) as rows:
        windowed = list(rows)

    assert windowed == every
    assert len(every) == 1200
    assert first == every[:3]
    assert open_streams == 1
    assert next(iter(pool.stats().values())).open_streams == 0
    assert sum(batches) == 1200


@attrs.frozen
class Person:
    """A row, as far as a test needs it."""

    id: int


def test_a_loop_over_rows_goes_on_where_the_one_before_stopped(pool):
    """
    A look at the first row must not cost the hundreds that came with it.
    """
    with pool.session(1).reporting.rows(1) as rows:
        every = list(rows.as_(Person))
    with pool.session(1).reporting.rows(1) as rows:
        one = list(islice(rows, 1))
        people = list(islice(rows.as_(Person), 2))
        people += islice(rows.as_(Person), 3)
        rest = list(rows)

    assert people == every[1:6]
    assert len(one) + len(people) + len(rest) == len(every) == 1200


@attrs.frozen
class Robot:
    """What no row of ours is."""

    id: bool


def test_strict_rows_say_at_once_which_one_does_not_fit(pool):
    """
    A script wants to stop at the first wrong row as much as a service does.
    """
    with pool.session(1).reporting.rows(1) as rows:
        with pytest.raises(DecodingError, match="row 0 is no Robot"):
            next(rows.as_(Robot, strict=True))
        assert rows.bad_row_count == 1


def test_rows_as_classes_pages_and_pulls_work_too(pool, tmp_path):
    """
    Nothing is left to those who await.
    """
    clinic = pool.session(1)
    with clinic.reporting.rows(1) as rows:
        people = list(rows.as_(Person))
    names = [n for n in clinic.operations if clinic.operations[n].paging]
    items = list(clinic.operations[names[0]].pages())
    report = pool.pull(PullPlan([1], sources=["Teams"]), tmp_path)

    assert len(people) == rows.row_count == 1200
    assert rows.bad_row_count == 0
    assert "id" in inspect.signature(clinic.operations[names[0]]).parameters or items
    assert report.rows == 1200


def test_rows_and_pages_have_a_deadline_too(emulator):
    """
    They are made outside of the loop whose clock says when it has passed.
    """
    contract = emulator.contract()
    with SyncPool(emulator.credentials, contract=contract, deadline=60.0) as pool:
        clinic = pool.session(1)
        rows = clinic.reporting.rows(1).to_list()
        patients = list(clinic.operations.get_patients.pages())

    assert len(rows) == 1200
    assert patients


def test_an_error_in_the_middle_comes_after_the_rows_before_it(serve):
    """
    What was read is not lost because of what was not.
    """
    broken = Fault(kind="malformed", endpoint="rows")
    emulator = serve(providers=1, rows=600, faults=[broken])
    with SyncPool(emulator.credentials, contract=emulator.contract()) as pool:
        seen = []
        with pool.session(1).reporting.rows(1) as rows:
            with pytest.raises(CallError):
                seen.extend(rows)
            assert len(seen) == rows.row_count


def test_it_is_opened_by_the_first_call_and_closed_once(emulator):
    """
    A notebook has no block to put it in.
    """
    pool = SyncPool(emulator.credentials, contract=emulator.contract())

    def threads():
        return [t.name for t in threading.enumerate() if t.name == "healthyroster"]

    before = len(threads())
    assert "open" not in repr(pool)
    pool.session(1).reporting.data_sources()
    assert len(threads()) == before + 1
    pool.close()
    pool.close()
    assert len(threads()) == before

    with pytest.raises(PoolClosedError, match="start"):
        pool.session(1).reporting.data_sources()
    assert len(pool.start().session(1).reporting.data_sources()) == 9
    pool.close()


def test_a_closed_pool_is_kept_by_nobody(emulator):
    """
    A server that makes one for each job must not grow with each.
    """
    pool = SyncPool(emulator.credentials, contract=emulator.contract())
    for _ in range(2):
        pool.start().session(1).reporting.data_sources()
        pool.close()
    kept = weakref.ref(pool)
    del pool
    gc.collect()

    assert kept() is None


async def test_it_works_inside_a_running_loop():
    """
    A notebook has one, and it must not have to end first.
    """
    async with Emulator(providers=1) as emulator:
        pool = SyncPool(emulator.credentials, contract=emulator.contract())
        try:
            # Here a thread stands for the cell: the emulator needs this loop.
            clinic = pool.session(1)
            sources = await asyncio.to_thread(clinic.reporting.data_sources)
        finally:
            await asyncio.to_thread(pool.close)

    assert len(sources) == 9


async def test_in_a_running_loop_it_fetches_the_document_too(
    serve, monkeypatch, nothing_blocks
):
    """
    A notebook always has a loop, and whoever takes this pool wants to wait.
    """
    waiting = nothing_blocks.functions["threading.Lock.acquire"]
    waiting.can_block_in(
        "test_sync.py", "test_in_a_running_loop_it_fetches_the_document_too"
    )
    for name, value in variables(serve()).items():
        monkeypatch.setenv(name, value)

    with SyncPool.from_environment() as pool:
        assert len(pool.session(1).reporting.data_sources()) == 9


def test_threads_share_it(pool):
    """
    A script that has threads already needs one pool, not one a thread.
    """
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(
                lambda _: len(pool.session(1).reporting.data_sources()), range(40)
            )
        )

    assert found == [9] * 40


def test_a_function_of_a_fan_out_that_waits_is_told_so(pool):
    """
    It would wait for itself for ever.
    """
    clinic = pool.session(1)
    outcomes = pool.fan_out([1], lambda _: clinic.reporting.data_sources())

    assert isinstance(outcomes.failed[1], UsageError)
    assert "wait for itself" in str(outcomes.failed[1])


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_ctrl_c_cancels_the_call_and_the_pool_goes_on(serve):
    """
    The stop button of a notebook is the same signal.
    """
    slow = Fault(kind="stall", endpoint="data_sources", times=1, after_bytes=0)
    emulator = serve(providers=1, rows=1, faults=[slow])
    with SyncPool(emulator.credentials, contract=emulator.contract()) as pool:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            pool.session(1).reporting.data_sources()
        timer.join()

        assert time.monotonic() - began < 20
        assert next(iter(pool.stats().values())).in_flight == 0
        assert len(pool.session(1).reporting.data_sources()) == 9


def interrupt():
    """Hold up the loop, and let Ctrl-C come meanwhile to who waits for it."""
    began = time.monotonic()
    while time.monotonic() < began + 0.1:
        pass
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    while time.monotonic() < began + 0.2:
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_ctrl_c_as_a_stream_has_just_opened_closes_it(emulator):
    """
    There is no block yet whose end does it, and a place that is lost is lost for good.
    """
    hooks = [interrupt]

    def once(_):
        if hooks:
            hooks.pop()()

    contract = emulator.contract()
    with SyncPool(emulator.credentials, contract=contract, on_attempt=once) as pool:
        rows = pool.session(1).reporting.rows(1)
        with pytest.raises(KeyboardInterrupt):
            rows.__enter__()

        assert "closed" in repr(rows)
        assert next(iter(pool.stats().values())).open_streams == 0


def test_a_stream_that_is_opened_twice_stays_open(pool):
    """
    The second block must not close what is the first one's.
    """
    with pool.session(1).reporting.rows(1) as rows:
        with pytest.raises(UsageError, match="read once"):
            rows.__enter__()
        assert len(list(rows)) == 1200


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_ctrl_c_as_a_stream_is_left_closes_it_all_the_same(pool):
    """
    What closes was cancelled before its first step, and the place was lost for good.
    """
    rows = pool.session(1).reporting.rows(1)
    with pytest.raises(KeyboardInterrupt), rows:
        pool._thread._loop.call_soon_threadsafe(interrupt)

    assert "closed" in repr(rows)
    assert next(iter(pool.stats().values())).open_streams == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_ctrl_c_as_the_pool_closes_closes_it_all_the_same(pool):
    """
    Its connections would stay open, on a loop that has ended.
    """
    pool._thread._loop.call_soon_threadsafe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.close()

    assert "open" not in repr(pool)


def test_a_block_that_is_not_entered_leaves_no_thread(emulator):
    """
    Nobody has the pool then to close it.
    """

    async def vault():
        raise OSError

    credentials = dict.fromkeys(emulator.credentials, vault)
    before = threading.active_count()
    with pytest.raises(ConfigurationError):
        SyncPool(credentials, contract=emulator.contract()).__enter__()

    assert threading.active_count() == before


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_function_that_exits_ends_the_block_and_not_the_loop(emulator, kind):
    """
    The script ends with its own word, and a notebook goes on with the pool.
    """

    def leave(_):
        raise kind("bad input")

    pool = SyncPool(emulator.credentials, contract=emulator.contract())
    with pytest.raises(kind, match="bad input"):
        next(pool.as_completed([1, 2], leave))
    assert len(pool.session(1).reporting.data_sources()) == 9
    with pytest.raises(kind, match="bad input"), pool:
        pool.fan_out([1, 2], leave)


def test_a_pool_that_is_closed_inside_the_block_of_a_stream_has_closed_it(pool):
    """
    As with await: the end of the block has nothing to complain about.
    """
    with pool.session(1).reporting.rows(1) as rows:
        pool.close()

    with pytest.raises(PoolClosedError):
        next(iter(rows))
    with pytest.raises(ConfigurationError, match="timeout is 'x'"):
        pool.close(timeout="x")


def test_a_function_that_closes_the_pool_is_told_not_to(pool):
    """
    It would wait for itself; and half of it must not be done before it is told.
    """
    outcomes = pool.fan_out([1], lambda _: pool.close())

    assert isinstance(outcomes.failed[1], UsageError)
    assert len(pool.session(1).reporting.data_sources()) == 9


@pytest.mark.parametrize("is_open", [True, False])
def test_a_call_that_comes_as_the_loop_is_stopped_opens_nothing(is_open):
    """
    It would be opened on a loop that ends, and taken for open on the next one.
    """
    opened = []

    async def opening():
        opened.append(asyncio.get_running_loop())

    def hold_until(event):
        while not event.is_set():
            pass

    thread = LoopThread(opening, lambda: None)
    thread.run(nothing, opening=is_open)
    first = thread._loop
    called, begun, stopped = (threading.Event() for _ in range(3))
    with ThreadPoolExecutor(2) as threads:
        first.call_soon_threadsafe(hold_until, called)
        call = threads.submit(thread.run, nothing)
        time.sleep(0.1)  # the loop is told to make the call
        first.call_soon_threadsafe(begun.set)
        first.call_soon_threadsafe(hold_until, stopped)
        called.set()
        begun.wait(20)  # its task is there, and takes its first step after what holds
        stop = threads.submit(thread.stop)
        while not thread._stopped:
            time.sleep(0.01)
        stopped.set()
        stop.result(timeout=20)
        call.exception(timeout=20)
    thread.start()
    second = thread._loop
    thread.stop()

    assert opened == ([first, second] if is_open else [second])


def test_a_call_under_way_is_told_when_another_thread_closes_the_pool(serve):
    """
    It must neither hang nor see a bare cancellation, which no except clause expects.
    """
    slow = Fault(kind="stall", endpoint="data_sources", times=1, after_bytes=0)
    emulator = serve(providers=1, rows=1, faults=[slow])
    pool = SyncPool(emulator.credentials, contract=emulator.contract())
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(pool.session(1).reporting.data_sources)
        while not next(iter(pool.stats().values())).in_flight:
            time.sleep(0.01)
        pool.close(timeout=0)
        with pytest.raises(PoolClosedError):
            call.result(timeout=20)


def test_closing_does_not_open_what_could_not_be_opened(emulator):
    """
    It would ask the vault once more, fail once more, or wait for it at the end.
    """
    asked = []

    async def vault():
        asked.append(1)
        raise OSError

    credentials = dict.fromkeys(emulator.credentials, vault)
    pool = SyncPool(credentials, contract=emulator.contract())
    with pytest.raises(ConfigurationError):
        pool.start()
    pool.close()

    assert len(asked) == 1


def test_closing_does_not_wait_for_who_waits_for_a_vault(emulator):
    """
    A vault that is not there must not hold up the end of the interpreter.
    """
    asked = threading.Event()

    async def vault():
        asked.set()
        await asyncio.Event().wait()

    credentials = dict.fromkeys(emulator.credentials, vault)
    pool = SyncPool(credentials, contract=emulator.contract())
    with ThreadPoolExecutor(2) as threads:
        start = threads.submit(pool.start)
        asked.wait(20)
        closing = threads.submit(pool.close, timeout=0)
        try:
            closing.result(timeout=20)
        finally:
            pool._thread.stop()
        with pytest.raises(PoolClosedError):
            start.result(timeout=20)


def test_a_report_takes_its_turn_on_the_loop_while_there_is_one(pool):
    """
    What it counts changes there: beside it, a dictionary would grow while it is read.
    """
    held, enough = threading.Event(), threading.Event()

    async def hold(_):
        held.set()
        while not enough.is_set():
            pass  # the loop is busy
        return type(pool.report())

    pool.report()
    with ThreadPoolExecutor(2) as threads:
        holding = threads.submit(pool.fan_out, [1], hold)
        held.wait(20)
        report = threads.submit(pool.report)
        beside, _ = wait([report], timeout=0.2)
        enough.set()

        assert {1: type(report.result())} == holding.result().succeeded
        assert not beside
    pool.close()
    assert isinstance(pool.report(), PoolReport)


def test_a_notebook_shows_it_as_the_async_one(pool):
    """
    What one looks at is the same, whoever awaits.
    """
    sources = pool.session(1).reporting.data_sources()
    stats = pool.stats()

    assert "SyncPool, open" in pool._repr_html_()
    assert "Healthcare Provider 1" in pool.session(1)._repr_html_()
    assert "Patients" in sources._repr_html_()
    assert "calls a second" in stats._repr_html_()
    for one in stats.values():
        assert "calls a second" in one._repr_html_()
    assert "get_patients" in pool.session(1).operations._ipython_key_completions_()


def test_a_loop_in_a_cycle_is_closed_where_the_loop_collects_it(pool, caplog):
    """
    The collector runs in any thread, also in the one that must not wait for itself.
    """

    begun, ended = threading.Event(), threading.Event()

    async def wait(session):
        if session.provider_id == 2:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                ended.set()

    async def collect(_):
        gc.collect()

    completed = pool.as_completed([1, 2], wait, concurrency=2)
    next(completed)
    begun.wait(20)
    cycle = [completed]
    cycle.append(cycle)
    del completed, cycle
    pool.fan_out([1], collect)

    assert ended.wait(20)
    assert caplog.text == ""


def test_a_bar_asks_the_pool_for_its_pace(pool, tmp_path, capsys):
    """
    Its callback runs on the loop of the pool, which must not wait for itself.
    """
    with ProgressBar("sources", pool) as bar:
        bar._drawn = 0.0
        pool.fan_out([1, 2, 3], lambda s: s.reporting.data_sources(), progress=bar)
        pool.pull(PullPlan([1], sources=["Teams"]), tmp_path, progress=bar)

    assert "sources: 1 of 1, 1,200 rows" in capsys.readouterr().err


def test_calls_run_in_the_context_of_their_caller(pool):
    """
    A span that was begun around the call is the parent of ours.
    """
    here = contextvars.ContextVar("here", default="lost")
    here.set("found")

    async def look(_):
        return here.get()

    assert pool.fan_out([1], look).succeeded == {1: "found"}


def test_in_debug_mode_asyncio_logs_no_rows(emulator, monkeypatch, caplog):
    """
    It shows the result of a task that took long, and a call of many rows does.
    """
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    with SyncPool(emulator.credentials, contract=emulator.contract()) as pool:
        pool._thread._loop.slow_callback_duration = 0.0
        rows = pool.session(1).reporting.rows(1).to_list()

    assert "Executing <Task finished" in caplog.text
    assert rows[0]["createdAt"] not in caplog.text


THREADS = """
    import sys, threading, time
    from concurrent.futures import ThreadPoolExecutor
    from healthyroster_async import SyncPool
    pool = SyncPool.from_environment()
    pool.session(1).reporting.data_sources()

    def work():
        for _ in range(3):
            time.sleep(0.3)  # by then the script has ended
            print(len(pool.session(1).reporting.data_sources()), flush=True)

    if "executor" in sys.argv:
        ThreadPoolExecutor().submit(work)
    else:
        threading.Thread(target=work).start()
"""


@pytest.mark.parametrize("kind", ["executor", "thread"])
def test_threads_that_outlive_the_script_may_still_call(serve, kind):
    """
    The interpreter waits for them, and nobody would read that their calls failed.
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(THREADS), kind],
        env=variables(serve(providers=1)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "9\n" * 3


def test_a_function_that_will_not_be_cancelled_does_not_hold_up_the_end(serve):
    """
    ``close(timeout=)`` says how long it takes, whatever others do.
    """
    emulator = serve(providers=1)
    pool = SyncPool(emulator.credentials, contract=emulator.contract())
    begun, enough = threading.Event(), threading.Event()

    async def stubborn(_):
        while not enough.is_set():
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(pool.fan_out, [1], stubborn)
        begun.wait(20)
        began = time.monotonic()
        pool.close(timeout=0)
        took = time.monotonic() - began
        enough.set()
        call.exception(timeout=20)

    assert took < 10


SCRIPT = """
    import os, sys
    from healthyroster_async import SyncPool, UsageError
    pool = SyncPool.from_environment()
    print(len(pool.session(1).reporting.data_sources()))
    rows = pool.session(1).reporting.rows(1)
    rows.__enter__()
    next(iter(rows))
    if hasattr(os, "fork") and "fork" in sys.argv:
        child = os.fork()
        if not child:
            try:
                pool.session(1).reporting.data_sources()
            except UsageError as error:
                print(error, flush=True)
            sys.exit(0)
        print("child", os.waitpid(child, 0)[1])
    print("end", flush=True)
"""


FORKED = """
    import copy, os, pickle, sys
    from healthyroster_async import SyncPool
    pool = SyncPool.from_environment()
    for wrong in (copy.copy, copy.deepcopy, pickle.dumps):
        try:
            wrong(pool)
        except TypeError as error:
            print(error)
    sys.stdout.flush()
    child = os.fork()
    if child and os.waitpid(child, 0)[1]:
        sys.exit("the child failed")
    print(len(pool.session(1).reporting.data_sources()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_pool_that_was_not_opened_yet_may_be_forked(serve):
    """
    Servers load a module and then fork; only what runs cannot be taken along.
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKED)],
        env=variables(serve(providers=1)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("neither pickled nor copied") == 3
    assert ran.stdout.split()[-2:] == ["9", "9"]


def test_a_script_that_closes_nothing_ends_without_a_word(serve):
    """
    No traceback of a loop that is closed, no thread that hangs; a fork is told.
    """
    emulator = serve(providers=1, rows=50_000)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT), "fork"],
        env=variables(emulator),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("9\n")
    assert "after the fork" in ran.stdout
    assert ran.stdout.endswith("child 0\nend\n")
    assert ran.stderr == "" or "fork()" in ran.stderr


UNCLOSED = """
    import gc
    from healthyroster_async import Contract, Credentials, Environment, SyncPool
    from healthyroster_async.testing import ScriptedTransport

    class Api(ScriptedTransport):
        async def close(self):
            print("closed")

    contract = Contract(
        base_urls={Environment.SANDBOX: "https://sandbox.example.test"},
        application_id_header="X-Id",
        application_secret_header="X-Secret",
    )
    credentials = {Environment.SANDBOX: Credentials("app", "secret")}
    for _ in range(2):
        SyncPool(credentials, contract=contract, transport=Api([])).start()
    gc.collect()
    print("end")
"""


def test_pools_that_nobody_has_any_more_are_closed_at_the_end():
    """
    A function may open one and forget it; what it remembers is written when it closes.
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(UNCLOSED)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "end\nclosed\nclosed\n"
