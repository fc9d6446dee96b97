"""What a crash report shows that prints local variables, however a call ends."""

import asyncio
import importlib
import json
import random
import threading
import traceback
from pathlib import Path

import aiohttp
import pyarrow as pa
import pytest
from documents import document, operation, query
from fakes import SECRET, contract, credentials, full_disk, pool
from scripted_server import HANG_UP, RESET, SILENCE, Server, answer

import healthyroster_async
from healthyroster_async import (
    AttemptTimeoutError,
    ConfigurationError,
    ConnectionLostError,
    ConnectionPool,
    Contract,
    Credentials,
    DeadlineExceededError,
    DecodingError,
    DestinationError,
    Environment,
    ForbiddenError,
    PacingSettings,
    PoolClosedError,
    PullPlan,
    RetrySettings,
    Secret,
    Timeouts,
)
from healthyroster_async._rows import tables
from healthyroster_async.testing import Recorder, scripted_pool

WHO, WHAT = "Quillfeather", "Featherquill"
BROKEN = (OSError, DestinationError)
SANDBOX = Environment.SANDBOX
ONCE = RetrySettings(max_attempts=1)
FOLDERS = tuple(
    str(Path(module.__file__).parent)
    for module in (healthyroster_async, aiohttp, pa, asyncio)
)
ROW = b'{"patient": "%s"}' % WHAT.encode()
HALF = answer(body=b"[%s%s" % ((ROW + b",") * 5000, b" " * 1000))[:-500]
BEGUN = answer(body=b"[%s%s" % (ROW[:-1], b" " * 1000))[:-500]


async def whole(own):
    query = {"patient": WHAT}
    await own.session(WHO).request("GET", "/HealthcareProvider/{id}/X", query=query)


async def change(own):
    body = {"patient": WHAT}
    await own.session(WHO).request("PUT", "/HealthcareProvider/{id}/X", json=body)


async def typed(own):
    await own.session(WHO).reporting.data_source(7)


async def rows(own):
    await own.session(WHO).reporting.rows(7, patient=WHAT).to_list()


async def row(own):
    async with own.session(WHO).reporting.rows(7, patient=WHAT) as stream:
        async for _ in stream:
            pass


async def as_it_comes(own, call):
    await call(own)


async def in_own_time(own, call):
    async with asyncio.timeout(0.1):
        await call(own)


async def cancelled(own, call):
    task = asyncio.ensure_future(call(own))
    await asyncio.sleep(0.1)
    task.cancel()
    await task


async def cut_off(own, call):
    task = asyncio.ensure_future(call(own))
    await asyncio.sleep(0.1)
    await own.close(timeout=0)
    await task


def chain(error):
    """Return an error and all that hangs on it."""
    found = [error]
    for one in found:
        more = [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        found += [e for e in more if e is not None and e not in found]
    return found


def shown(error):
    """Return the local variables in frames of this package and of what it uses."""
    return {
        f"{'/'.join(Path(frame.filename).parts[-2:])} {frame.name} {name}": value
        for one in chain(error)
        for frame in traceback.TracebackException.from_exception(
            one, capture_locals=True
        ).stack
        if frame.filename.startswith(FOLDERS)
        for name, value in (frame.locals or {}).items()
    }


LATE = {"timeouts": Timeouts(attempt=0.1, read=0.1)}
ENDS = {
    "cancelled": (SILENCE, cancelled, {}, asyncio.CancelledError),
    "cancelled-inside": ((HALF, SILENCE), cancelled, {}, asyncio.CancelledError),
    "own-timeout": (SILENCE, in_own_time, {}, TimeoutError),
    "own-timeout-inside": ((HALF, SILENCE), in_own_time, {}, TimeoutError),
    "attempt-timeout": (SILENCE, as_it_comes, LATE, AttemptTimeoutError),
    "stall": ((HALF, SILENCE), as_it_comes, LATE, AttemptTimeoutError),
    "deadline": (SILENCE, as_it_comes, {"deadline": 0.1}, DeadlineExceededError),
    "truncate": ((HALF, HANG_UP), as_it_comes, {}, ConnectionLostError),
    "truncate-first-row": ((BEGUN, HANG_UP), as_it_comes, {}, ConnectionLostError),
    "hang-up": (HANG_UP, as_it_comes, {}, ConnectionLostError),
    "reset": (RESET, as_it_comes, {}, ConnectionLostError),
    "reset-inside": ((HALF, RESET), as_it_comes, {}, ConnectionLostError),
    "cut-off": (SILENCE, cut_off, {}, PoolClosedError),
}


@pytest.mark.parametrize("call", [whole, change, typed, rows, row])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("given", [False, True])
async def test_no_local_variable_tells_secret_or_person(end, call, given):
    """
    Error reporters print those of every frame, aiohttp's too, in the default settings.
    """
    step, way, options, kind = ENDS[end]
    async with Server(then=step) as server, aiohttp.ClientSession() as session:
        options = options | {"client_session": session if given else None}
        async with server.pool(retry=ONCE, **options) as own:
            with pytest.raises(kind) as caught:
                await way(own, call)

    assert type(caught.value) is kind
    variables = shown(caught.value)
    assert variables
    assert not [name for name in variables if name.startswith("aiohttp/")]
    for private in (SECRET, WHO, WHAT):
        assert not [name for name, value in variables.items() if private in value]


@pytest.mark.parametrize("call", [whole, typed, rows])
async def test_a_call_that_waits_for_its_turn_tells_nobody_either(call):
    """
    The queue knows who waits, to be fair, and stands in many frames.
    """
    one = PacingSettings(max_concurrency=1)
    async with Server(then=SILENCE) as server, server.pool(pacing=one) as own:
        waiting = [asyncio.ensure_future(call(own)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError) as caught:
            await in_own_time(own, call)
        variables = shown(caught.value)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    assert "_policies/pacing.py _wait waiter" in variables
    for private in (SECRET, WHO, WHAT):
        assert not [name for name, value in variables.items() if private in value]


def telling(error):
    """Return the names of those variables that tell a secret or a person."""
    variables = shown(error)
    assert variables
    return [n for n, v in variables.items() if any(p in v for p in (SECRET, WHO, WHAT))]


PAGE = b'[{"id": 1, "firstName": "%s"}]' % WHAT.encode()
NEXT = {
    "denied": (answer(403), as_it_comes, ForbiddenError),
    "cancelled": (SILENCE, cancelled, asyncio.CancelledError),
    "own-timeout": (SILENCE, in_own_time, TimeoutError),
    "misfit": (answer(body=b'[["%s"]]' % WHAT.encode()), as_it_comes, DecodingError),
    "same-page": (answer(body=PAGE), as_it_comes, DecodingError),
}


@pytest.mark.parametrize("end", NEXT)
async def test_a_page_that_does_not_come_tells_nobody_of_the_one_before(end):
    """
    Its items are at hand then, and what was asked for.
    """
    step, way, kind = NEXT[end]
    get = operation(query("page", {"type": "integer"}), query("name", {}))
    names = document(GetPatients=get)

    async def pages(own):
        async for _ in own.session(1).operations.get_patients.pages(name=WHAT):
            pass

    async with Server(answer(body=PAGE), then=step) as server:
        own = Contract.from_swagger(names, base_urls={SANDBOX: server.url})
        async with ConnectionPool({SANDBOX: credentials()}, contract=own) as calling:
            with pytest.raises(kind) as caught:
                await way(calling, pages)

    assert telling(caught.value) == []


async def to_arrow(own, _):
    await own.session(1).reporting.rows(7, patient=WHAT).to_arrow()


async def to_csv(own, folder):
    await own.session(1).reporting.rows(7, patient=WHAT).to_csv(folder / "file")


async def batches(own, _):
    async with own.session(1).reporting.rows(7, patient=WHAT) as stream:
        async for _ in stream.batches():
            pass


@pytest.mark.parametrize("call", [to_arrow, to_csv, batches])
@pytest.mark.parametrize("end", ["truncate", "cancelled-inside", "own-timeout-inside"])
@pytest.mark.parametrize("most", [1, 2**16])
async def test_a_table_that_breaks_off_shows_no_row(
    end, call, most, monkeypatch, tmp_path
):
    """
    Thousands of rows have come by then, whether they are a table already or not.
    """
    monkeypatch.setattr(tables, "_MOST_ROWS", most)
    step, way, options, kind = ENDS[end]
    async with (
        Server(step, answer(body=b'{"id": 7}')) as server,
        server.pool(retry=ONCE, **options) as own,
    ):
        with pytest.raises(kind) as caught:
            await way(own, lambda own: call(own, tmp_path))

    assert telling(caught.value) == []


@pytest.mark.parametrize(
    ("kind", "slow"), [("polars", "from_arrow"), ("pandas", "ArrowDtype")]
)
async def test_a_table_that_becomes_a_frame_shows_no_row(kind, slow, monkeypatch):
    """
    That takes long enough for a deadline to end it.
    """
    loop, left = asyncio.get_running_loop(), threading.Event()

    def cancelling(*_):
        loop.call_soon_threadsafe(task.cancel)
        left.wait()

    module = importlib.import_module(kind)
    monkeypatch.setattr(module, slow, cancelling)
    async with scripted_pool([[{"patient": WHAT}], {"id": 7}]) as own:
        rows = own.session(1).reporting.rows(7)
        task = asyncio.ensure_future(getattr(rows, f"to_{kind}")())
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        left.set()

    assert telling(caught.value) == []


SOURCE = {"id": 7, "parameters": [{"name": n, "type": "date"} for n in ("From", "To")]}
DATES = {"since": "2025-01-01", "until": "2025-01-02", "window": "day"}


async def windowed(own):
    rows = own.session(1).reporting.rows(7, patient=WHO, **DATES)
    await rows.to_list()


@pytest.mark.parametrize("end", ["truncate", "cancelled-inside", "own-timeout-inside"])
async def test_finding_out_what_dates_mean_shows_no_row_and_no_filter(end):
    """
    Whoever gives a window does not see that rows are counted first.
    """
    step, way, options, kind = ENDS[end]
    source = answer(body=json.dumps(SOURCE).encode())
    async with (
        Server(source, then=step) as server,
        server.pool(retry=ONCE, **options) as own,
    ):
        with pytest.raises(kind) as caught:
            await way(own, windowed)

    assert telling(caught.value) == []


@pytest.mark.parametrize(
    ("together", "message"), [(1, "end_inclusive"), (3, "would come twice")]
)
async def test_dates_that_cannot_be_understood_show_no_filter(together, message):
    """
    The error says what to do, and is reported like any other.
    """

    def answers(request):
        if not request.stream:
            return SOURCE
        asked = json.loads(request.body)
        days = 1 if asked["From"] == asked["To"] else together
        return [{"patient": WHAT}] * days

    async with scripted_pool(answers) as own:
        with pytest.raises(ConfigurationError, match=message) as caught:
            await windowed(own)

    assert telling(caught.value) == []


@pytest.mark.parametrize("end", ["truncate", "cancelled-inside", "own-timeout-inside"])
async def test_a_recording_that_breaks_off_shows_no_row(end, tmp_path):
    """
    It holds the whole answer before anybody reads the first row.
    """
    step, way, options, kind = ENDS[end]
    async with Server(then=step) as server:
        transport = Recorder(tmp_path / "clinic.json")
        async with server.pool(retry=ONCE, transport=transport, **options) as own:
            with pytest.raises(kind) as caught:
                await way(own, rows)

    assert telling(caught.value) == []


async def pulled(own, folder, kind):
    parameters = {"Patients": {"patient": WHO}}
    plan = PullPlan([1], sources=["Patients"], format=kind, parameters=parameters)
    await own.pull(plan, folder)


async def written(own, folder, kind):
    rows = own.session(1).reporting.rows(7, patient=WHO)
    more = ("table",) if kind == "duckdb" else ()
    await getattr(rows, f"to_{kind}")(folder / "file", *more)


@pytest.mark.parametrize("call", [written, pulled])
@pytest.mark.parametrize("kind", ["csv", "duckdb", "ndjson", "parquet"])
async def test_a_full_disk_shows_no_row(call, kind, tmp_path):
    """
    It happens at night, and what an error reporter sends lies with somebody else.
    """
    rng = random.Random(7)
    rows = [{"patient": f"{WHAT}{rng.getrandbits(1600)}"} for _ in range(2000)]

    def answers(request):
        if request.stream:
            return rows
        one = {"id": 7, "name": "Patients", "parameters": [{"name": "patient"}]}
        return [one] if request.label.endswith("s") else one

    async with scripted_pool(answers) as own:
        with full_disk(), pytest.raises(BROKEN, match="too large") as caught:
            await call(own, tmp_path, kind)

    variables = shown(caught.value)
    assert variables
    for private in (SECRET, WHO, WHAT):
        assert not [name for name, value in variables.items() if private in value]


async def test_who_cancels_meets_the_same_exception_and_count():
    """
    Structured concurrency hangs on both: a swallowed or replaced one is a leak.
    """
    async with Server(then=SILENCE) as server, server.pool() as own:
        for call in (whole, rows):
            caught = []

            async def outer(call=call, caught=caught):
                try:
                    int("what the caller handles")
                except ValueError:
                    try:
                        await call(own)
                    except asyncio.CancelledError as error:
                        caught.append(error)
                        raise

            task = asyncio.ensure_future(outer())
            await asyncio.sleep(0.1)
            task.cancel("because")
            with pytest.raises(asyncio.CancelledError) as seen:
                await task

            assert seen.value is caught[0]
            assert seen.value.args == ("because",)
            assert task.cancelled()
            assert task.cancelling() == 1
            assert type(seen.value.__context__) is ValueError
            assert seen.value.__cause__ is None
            assert not seen.value.__suppress_context__


async def test_nested_timeouts_of_the_caller_keep_their_order():
    """
    The inner one is uncancelled by the scope that asked for it, and nobody else.
    """
    async with Server(then=SILENCE) as server, server.pool() as own:
        task = asyncio.current_task()
        async with asyncio.timeout(30) as outer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1) as inner:
                    await whole(own)
            assert (inner.expired(), outer.expired()) == (True, False)

        assert task.cancelling() == 0


MISTAKES = {
    "a line end": lambda: Credentials("app", f"{SECRET}\n"),
    "bytes": lambda: Credentials("app", SECRET.encode()),
    "the wrong order": lambda: Credentials(f"{SECRET}\n", "app"),
    "bytes for a secret": lambda: Secret(SECRET.encode()),
    "no credential set": lambda: ConnectionPool({SANDBOX: SECRET}, contract=contract()),
    "another setting": lambda: pool(timeouts=5),
}


def reported(error):
    """Return all that a crash report prints of an error, but for what stands here."""
    reports = [
        traceback.TracebackException.from_exception(one, capture_locals=True)
        for one in chain(error)
    ]
    return "".join(
        f"{report} {frame.name} {frame.locals}\n"
        for report in reports
        for frame in report.stack
        if frame.filename != __file__
    )


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_settings_tells_no_secret(mistake):
    """
    It is made when an app is set up, before anybody has looked at its crash reports.
    """
    with pytest.raises(ConfigurationError) as caught:
        mistake()
    report = reported(caught.value)

    assert "__init__" in report
    assert SECRET not in report


@pytest.mark.parametrize(
    ("profile", "variable"),
    [
        ("clinic", ("APPLICATION_ID", f"{SECRET}\n")),
        ("clinic", ("APPLICATION_SECRET", f"{SECRET}\n")),
        ("clinic", ("UNKNOWN", SECRET)),
        ("other", ("APPLICATION_SECRET", SECRET)),
        ("absent", ("APPLICATION_SECRET", SECRET)),
        ("homeless", ("APPLICATION_SECRET", SECRET)),
        ("", ("APPLICATION_SECRET", SECRET)),
    ],
)
def test_a_mistake_in_the_environment_tells_no_variable(
    profile, variable, tmp_path, monkeypatch
):
    """
    They hold the secrets of everything that runs there, not only ours.
    """

    def nobodys():
        raise RuntimeError

    file = tmp_path / "healthyroster" / "profiles.toml"
    if profile != "absent":
        file.parent.mkdir()
        file.write_text(f'[clinic]\nsandbox_application_secret = "{SECRET}"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if profile == "homeless":
        monkeypatch.delenv("XDG_CONFIG_HOME")
        monkeypatch.setattr(Path, "home", nobodys)
    monkeypatch.setenv("HEALTHYROSTER_PROFILE", profile)
    monkeypatch.setenv(f"HEALTHYROSTER_SANDBOX_{variable[0]}", variable[1])
    monkeypatch.setenv("PASSWORD_OF_ANOTHER_SERVICE", SECRET)
    with pytest.raises(ConfigurationError) as caught:
        ConnectionPool.from_environment()
    report = reported(caught.value)

    assert "from_environment" in report
    assert SECRET not in report
