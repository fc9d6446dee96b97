"""What those who watch a pool are told, and what they are not."""

import copy
import logging
import pickle

import pytest
from scripted_server import SILENCE, Server, answer

from healthyroster_async import (
    DeadlineExceededError,
    DecodingError,
    Environment,
    ForbiddenError,
    LikelyCause,
    NotFoundError,
    RetrySettings,
    ServerError,
)
from healthyroster_async.emulator import Emulator, Fault, RateLimit

QUICK = RetrySettings(base_delay=0.001, max_delay=0.002)


class Told:
    """Keeps every event, by the name of its hook."""

    def __init__(self):
        self.events = {}

    def hooks(self, *names):
        return {f"on_{name}": self.events.setdefault(name, []).append for name in names}


async def test_attempts_retries_and_the_end_of_a_stream_are_told():
    """
    One call, one request id, however often it is tried.
    """
    told = Told()
    faults = [
        Fault(kind="status", status=503, endpoint="rows", times=1),
        Fault(kind="reset-inside", endpoint="rows", times=1, after_bytes=100_000),
    ]
    async with (
        Emulator(providers=1, rows=2000, faults=faults) as emulator,
        emulator.pool(
            retry=QUICK, **told.hooks("attempt", "retry", "stream", "denied")
        ) as pool,
    ):
        clinic = pool.session(1)
        await clinic.reporting.data_sources()
        await clinic.reporting.rows(1).to_list()
    first, *rest = told.events["attempt"]
    (end,) = told.events["stream"]

    assert (first.status, first.error, first.attempt) == (200, None, 1)
    assert first.environment is Environment.SANDBOX
    assert first.provider_id == 1
    assert first.duration_s > 0
    assert [(e.attempt, e.status, e.error) for e in rest] == [
        (1, 503, "ServerError"),
        (2, 200, None),
        (3, 200, None),
    ]
    assert rest[1].queue_wait_s > 0  # a pause after the 503
    assert [(e.attempt, e.status, e.error) for e in told.events["retry"]] == [
        (1, 503, "ServerError"),
        (1, None, "ConnectionLostError"),
    ]
    assert {e.request_id for e in (*rest, *told.events["retry"], end)} == {
        end.request_id
    }
    assert first.request_id != end.request_id
    assert (end.rows, end.error) == (2000, None)
    assert end.bytes > 1_000_000
    assert told.events["denied"] == []


async def test_denials_and_pauses_are_told():
    """
    A dashboard shows which grant to ask for, and why nothing moves.
    """
    told = Told()
    limit = RateLimit(rate=20, burst=3, headers="none")
    async with (
        Emulator(providers=9, rows=1, denied=[(2, "*")], rate_limit=limit) as emulator,
        emulator.pool(**told.hooks("denied", "pause", "pacing", "stream")) as pool,
    ):
        for _ in range(2):
            with pytest.raises(ForbiddenError) as denied:
                await pool.session(2).reporting.rows(1).to_list()
        await pool.fan_out(range(3, 10), lambda s: s.reporting.data_sources())

    events = told.events
    assert [(e.provider_id, e.request_id) for e in events["denied"]][1] == (
        2,
        denied.value.request_id,
    )
    assert all(isinstance(e.cause, LikelyCause) for e in events["denied"])
    assert [(e.rows, e.error) for e in events["stream"]] == [(0, "ForbiddenError")] * 2
    assert events["pause"]
    assert all(e.kind == "paused" and e.pause_s > 0 for e in events["pause"])
    assert {e.environment for e in events["pause"]} == {Environment.SANDBOX}
    assert [e for e in events["pacing"] if e.kind == "paused"] == events["pause"]


async def test_an_error_says_which_call_it_was():
    """
    The vendor's support asks for it; our own log has it too.
    """
    seen = []
    broken = Fault(kind="malformed", endpoint="data_source")
    failing = Fault(kind="status", status=500, endpoint="data_sources")
    async with (
        Emulator(providers=1, faults=[broken, failing]) as emulator,
        emulator.pool(retry=RetrySettings(max_attempts=1), on_attempt=seen.append) as p,
    ):
        with pytest.raises(ServerError) as caught:
            await p.session(1).reporting.data_sources()
        with pytest.raises(DecodingError):
            await p.session(1).reporting.data_source(1)
    error = caught.value

    assert error.request_id == seen[0].request_id
    assert error.correlation_id == seen[0].correlation_id
    for other in (copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert other.request_id == error.request_id
        assert other.correlation_id == error.correlation_id


async def test_a_hook_that_raises_costs_no_call_and_is_logged_without_a_word(caplog):
    """
    A mistake in a dashboard must not lose the rows of a nightly pull.
    """

    def fail(event):
        raise ZeroDivisionError("4711")

    hooks = dict.fromkeys(
        ("on_attempt", "on_retry", "on_denied", "on_stream", "on_pause"), fail
    )
    faults = [Fault(kind="status", status=503, endpoint="rows", times=1)]
    async with (
        Emulator(providers=2, rows=5, faults=faults, denied=[(2, "*")]) as emulator,
        emulator.pool(retry=QUICK, **hooks) as pool,
    ):
        rows = await pool.session(1).reporting.rows(1).to_list()
        with pytest.raises(ForbiddenError):
            await pool.session(2).reporting.data_sources()

    assert len(rows) == 5
    told = [r for r in caplog.records if r.name == "healthyroster_async.hooks"]
    assert {r.hook for r in told} == set(hooks)
    assert {r.error for r in told} == {"ZeroDivisionError"}
    assert "4711" not in caplog.text


async def test_nothing_of_a_row_or_a_secret_is_in_an_event_or_a_log_line(caplog):
    """
    Every hook, every logger at its most talkative, faults on every way.
    """
    caplog.set_level(logging.DEBUG)
    told = Told()
    faults = [
        Fault(kind="status", status=500, endpoint="rows", times=2),
        Fault(kind="reset-inside", endpoint="rows", times=2),
        Fault(kind="malformed", endpoint="rows", provider=3),
        Fault(kind="html", endpoint="data_sources", provider=4, times=1),
    ]
    hooks = told.hooks("attempt", "retry", "denied", "stream", "pause", "pacing")
    limit = RateLimit(rate=50, burst=5, headers="none")
    async with (
        Emulator(
            providers=5, rows=50, faults=faults, denied=[(5, "*")], rate_limit=limit
        ) as emulator,
        emulator.pool(retry=QUICK, **hooks) as pool,
    ):
        await pool.fan_out(range(1, 6), lambda s: s.reporting.data_sources())
        await pool.fan_out(range(1, 6), lambda s: s.reporting.rows(1).to_list())
        (own,) = emulator.credentials.values()
    async with Emulator(providers=5, rows=50) as emulator, emulator.pool() as pool:
        rows = await pool.session(1).reporting.rows(1).to_list()
    text = caplog.text + repr(told.events)
    fields = {key for record in caplog.records for key in vars(record)}

    assert own.application_secret.reveal() not in text
    private = {v for row in rows for v in row.values() if isinstance(v, str)}
    private = {v for v in private if len(v) > 6 and not v[:4].isdigit()}
    assert len(private) > 100
    assert not [value for value in private if value in text]
    assert {"label", "status"} <= fields
    assert len(told.events["attempt"]) >= 12


async def test_an_attempt_is_told_that_the_deadline_cut_short():
    """
    A server that hangs is what a dashboard is looked at for.
    """
    told = Told()
    async with (
        Server(then=SILENCE) as server,
        server.pool(**told.hooks("attempt", "stream")) as pool,
    ):
        clinic = pool.session(1).with_options(deadline=0.2)
        with pytest.raises(DeadlineExceededError) as late:
            await clinic.reporting.data_sources()
        with pytest.raises(DeadlineExceededError) as late_rows:
            await clinic.reporting.rows(1).to_list()
    events = told.events["attempt"]

    assert [(e.status, e.error) for e in events] == [(None, "CancelledError")] * 2
    assert all(0.1 < e.duration_s < 2 for e in events)
    assert [e.request_id for e in events] == [
        late.value.request_id,
        late_rows.value.request_id,
    ]
    (end,) = told.events["stream"]
    assert end.error == "DeadlineExceededError"


async def test_events_and_errors_of_a_call_have_the_same_names():
    """
    Our log, a dashboard and the vendor's support must mean the same call.
    """
    told = Told()
    named = {"X-Correlation-Id": "c0ffee-11"}
    async with (
        Server(
            answer(503, **named),
            answer(body=b"no json", **named),
            answer(403, **named),
            then=answer(body=b'"no rows"', **named),
        ) as server,
        server.pool(
            retry=QUICK, **told.hooks("attempt", "retry", "denied", "stream")
        ) as pool,
    ):
        reporting = pool.session(1).reporting
        with pytest.raises(DecodingError) as strange:
            await reporting.data_sources()
        with pytest.raises(ForbiddenError) as denied:
            await reporting.data_sources()
        with pytest.raises(DecodingError) as broken:
            await reporting.rows(1).to_list()
    events = [event for kind in told.events.values() for event in kind]
    errors = [strange.value, denied.value, broken.value]

    assert {type(e).__name__ for e in events} == {
        "AttemptEvent", "RetryEvent", "DeniedEvent", "StreamEvent",
    }  # fmt: skip
    assert {e.correlation_id for e in (*events, *errors)} == {"c0ffee-11"}
    assert {e.request_id for e in events} == {e.request_id for e in errors}
    assert len({e.request_id for e in errors}) == 3
    for error in errors:
        twin = pickle.loads(pickle.dumps(error))
        assert twin.request_id == error.request_id
        assert twin.correlation_id == error.correlation_id == "c0ffee-11"


class Failing:
    """An integration that fails wherever it can."""

    enabled = True

    def __init__(self, where):
        self._where = where

    def call(self, request):
        if self._where == "call":
            raise ZeroDivisionError("4711")
        return self

    def __enter__(self):
        if self._where == "enter":
            raise ZeroDivisionError("4711")

    def __exit__(self, *_):
        if self._where == "exit":
            raise ZeroDivisionError("4711")


@pytest.mark.parametrize("where", ["call", "enter", "exit"])
async def test_an_integration_that_fails_costs_no_call(where, caplog):
    """
    A wrong exporter must not take the app down.
    """
    async with (
        Server(answer(), answer(404)) as server,
        server.pool(telemetry=Failing(where)) as pool,
    ):
        assert await pool.session(1).reporting.data_sources() == []
        with pytest.raises(NotFoundError):
            await pool.session(1).reporting.data_sources()

    told = [r for r in caplog.records if r.name == "healthyroster_async.hooks"]
    assert [r.hook for r in told] == ["telemetry"] * 2
    assert "4711" not in caplog.text
