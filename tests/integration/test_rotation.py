"""Credentials that change while the pool runs."""

import asyncio
import traceback

import pytest
from fakes import OTHER_SECRET, SECRET, contract

from healthyroster_async import (
    AuthenticationError,
    ConfigurationError,
    ConnectionPool,
    Credentials,
    DeadlineExceededError,
    Environment,
    PacingSettings,
    PoolClosedError,
    RetrySettings,
)
from healthyroster_async.emulator import Emulator
from healthyroster_async.testing import Answer, run_in_virtual_time

SANDBOX, PRODUCTION = Environment.SANDBOX, Environment.PRODUCTION


class Vault:
    """Where credentials are kept; it counts who asks, and can be out of order."""

    def __init__(self, credentials):
        self.credentials = credentials
        self.asked = self.waiting = 0
        self.error = None
        self.opened = asyncio.Event()
        self.opened.set()

    async def fetch(self):
        self.asked += 1
        self.waiting += 1
        try:
            await self.opened.wait()
        finally:
            self.waiting -= 1
        if self.error is not None:
            raise self.error
        return self.credentials


@pytest.fixture
async def emulator():
    async with Emulator(providers=20, rows=30) as emulator:
        yield emulator


@pytest.fixture
def vault(emulator):
    return Vault(emulator.credentials[SANDBOX])


@pytest.fixture
async def own(emulator, vault):
    """Return a pool that fetches its credentials."""
    given = {SANDBOX: vault.fetch}
    async with ConnectionPool(given, contract=emulator.contract()) as own:
        yield own


async def test_they_are_fetched_once_when_the_pool_starts(own, vault, emulator):
    """
    A vault that is asked for every call would be the slowest part of it.
    """
    for provider in (1, 2, 3):
        await own.session(provider).reporting.data_sources()

    assert vault.asked == 1
    assert emulator.seen.by_status == {200: 3}


async def test_a_rotated_secret_costs_no_call_and_no_restart(own, vault, emulator):
    """
    Concurrent calls are refused together: one asks the vault, and all are repeated.
    """
    await own.session(1).reporting.data_sources()
    vault.credentials = emulator.rotate()
    outcomes = await own.fan_out(range(1, 21), lambda s: s.reporting.data_sources())

    assert len(outcomes.succeeded) == 20
    assert vault.asked == 2
    assert 1 <= emulator.seen.by_status[401] <= 20
    assert emulator.seen.by_status[200] == 21


async def test_each_rotation_is_followed_and_none_leaves_anything(
    own, vault, emulator, monkeypatch
):
    """
    A pool of a web application sees many; what is kept for one would pile up.
    """
    monkeypatch.setattr("healthyroster_async._policies.renewal._AGAIN_S", 0)
    for asked in range(2, 52):
        vault.credentials = emulator.rotate()
        assert await own.session(1).reporting.data_sources()
        assert vault.asked == asked

    assert len(own._running.transport._sessions) <= 8
    assert emulator.seen.by_status == {401: 50, 200: 50}
    assert emulator.seen.connections == 1


async def test_a_row_stream_goes_on_with_the_new_secret(own, vault, emulator):
    """
    Rows are opened by another way than other calls.
    """
    vault.credentials = emulator.rotate()
    rows = await own.session(1).reporting.rows(1).to_list()

    assert len(rows) == 30
    assert vault.asked == 2


async def test_the_same_credentials_are_not_sent_again(own, vault, emulator):
    """
    What was refused is refused again; some APIs lock out whoever insists.
    """
    emulator.rotate()
    with pytest.raises(AuthenticationError):
        await own.session(1).reporting.data_sources()

    assert vault.asked == 2
    assert emulator.seen.by_status == {401: 1}


async def test_a_call_is_repeated_once_however_often_the_vault_changes(emulator, vault):
    """
    Else a vault that makes a new secret each time keeps a call going for ever.
    """
    count = 0

    async def fetch():
        nonlocal count
        count += 1
        return Credentials("app-1", f"another-{count}")

    given = {SANDBOX: fetch}
    async with ConnectionPool(given, contract=emulator.contract()) as own:
        with pytest.raises(AuthenticationError):
            await own.session(1).reporting.data_sources()

    assert count == 2
    assert emulator.seen.by_status == {401: 2}


async def test_a_repeat_is_no_attempt_of_the_retry_settings(own, vault, emulator):
    """
    Whoever allows one attempt allows no lost call at each rotation.
    """
    vault.credentials = emulator.rotate()
    hurried = own.session(1).with_options(retry=RetrySettings(max_attempts=1))

    assert await hurried.reporting.data_sources()


async def test_a_vault_that_fails_fails_the_calls_that_wait_for_it_once(
    own, vault, emulator
):
    """
    None is stranded; class and place of the error are told, its text may be a secret.
    """
    emulator.rotate()
    vault.error = RuntimeError(SECRET)
    outcomes = await own.fan_out(range(1, 21), lambda s: s.reporting.data_sources())
    told = [str(error) for error in outcomes.failed.values()]

    assert vault.asked == 2
    assert len(told) == 20
    assert all(isinstance(e, ConfigurationError) for e in outcomes.failed.values())
    assert all("(401)" in t and "RuntimeError in test_rotation.py:" in t for t in told)
    assert SECRET not in "".join(told)


async def test_a_vault_that_is_back_is_asked_again(own, vault, emulator):
    """
    A failure is of its moment; a second later the next call may do better.
    """
    new = emulator.rotate()
    vault.error = RuntimeError()
    with pytest.raises(ConfigurationError):
        await own.session(1).reporting.data_sources()
    vault.credentials, vault.error = new, None
    await asyncio.sleep(1.1)

    assert await own.session(1).reporting.data_sources()


async def test_whoever_is_cancelled_while_the_vault_is_asked_leaves_it_to_the_rest(
    own, vault, emulator
):
    """
    The caller that happens to be first must not take the others with it.
    """
    vault.credentials = emulator.rotate()
    vault.opened.clear()
    calls = [
        asyncio.ensure_future(own.session(i).reporting.data_sources()) for i in (1, 2)
    ]
    await asyncio.sleep(0.2)
    calls[0].cancel()
    await asyncio.sleep(0.05)
    vault.opened.set()
    done = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(done[0], asyncio.CancelledError)
    assert len(done[1]) == 9
    assert vault.asked == 2


class OldSecret:
    """An API that refuses the first secret."""

    async def start(self): ...

    async def close(self): ...

    async def send(self, signed):
        status = 401 if "secret-1" in signed.secrets.values() else 200
        return Answer(status, json=[]).to(signed.request)


def rotating(*, takes, **given):
    """Return a pool whose vault takes so many seconds for each secret."""
    asked = 0

    async def slow_vault():
        nonlocal asked
        number = asked = asked + 1
        await asyncio.sleep(takes[number - 1])
        return Credentials("app-1", f"secret-{number}")

    pacing = PacingSettings(share=False, remember=False)
    given |= {"transport": OldSecret(), "contract": contract(), "pacing": pacing}
    return ConnectionPool({SANDBOX: slow_vault}, **given)


def test_a_vault_that_takes_longer_than_a_call_may_is_heard_by_the_next():
    """
    If each call began anew, none would ever get the new secret.
    """

    async def main():
        async with rotating(takes=[0, 1.5], deadline=1) as own:
            clinic = own.session(1)
            with pytest.raises(DeadlineExceededError):
                await clinic.request("GET", "/HealthcareProvider/{id}/Teams")
            return await clinic.request("GET", "/HealthcareProvider/{id}/Teams")

    assert run_in_virtual_time(main()).status == 200


def test_a_vault_that_hangs_is_asked_anew_after_a_minute():
    """
    Else it would have to be the one that ends: every call waits for the same answer.
    """

    async def main():
        async with rotating(takes=[0, 10**6, 0]) as own:
            clinic = own.session(1)
            with pytest.raises(ConfigurationError, match="did not come within 60 s"):
                await clinic.request("GET", "/HealthcareProvider/{id}/Teams")
            assert 60 <= asyncio.get_running_loop().time() < 62
            await asyncio.sleep(2)
            return await clinic.request("GET", "/HealthcareProvider/{id}/Teams")

    assert run_in_virtual_time(main()).status == 200


async def test_closing_the_pool_ends_a_call_that_waits_for_the_vault(
    own, vault, emulator
):
    """
    A vault that hangs must not keep a process from leaving.
    """
    emulator.rotate()
    vault.opened.clear()
    call = asyncio.ensure_future(own.session(1).reporting.data_sources())
    await asyncio.sleep(0.2)
    await own.close(timeout=0)

    with pytest.raises(PoolClosedError):
        await asyncio.wait_for(call, 1)
    assert vault.waiting == 0


@pytest.mark.parametrize("timeout", [0, 10])
def test_closing_the_pool_ends_its_start_that_waits_for_the_vault(timeout):
    """
    Nor may it keep whoever wants to leave before the pool was ready.
    """

    async def main():
        vault = Vault(None)
        vault.opened.clear()
        own = ConnectionPool({SANDBOX: vault.fetch}, contract=contract())
        starts = [asyncio.ensure_future(own.start()) for _ in range(2)]
        await asyncio.sleep(1)
        await own.close(timeout=timeout)
        closed_at = asyncio.get_running_loop().time()
        ended = await asyncio.gather(*starts, return_exceptions=True)
        return vault, closed_at, [type(error) for error in ended]

    vault, closed_at, ended = run_in_virtual_time(main())
    assert closed_at == 1 + timeout
    assert ended == [PoolClosedError] * 2
    assert (vault.asked, vault.waiting) == (1, 0)


@pytest.mark.parametrize(
    ("fetch", "sentence"),
    [
        (lambda: Credentials("app-1", SECRET), "make it 'async def'"),
        (lambda: asyncio.sleep(0, SECRET), "fetched as str; return Credentials"),
        (lambda: int(SECRET), "could not be fetched: ValueError in test_rotation"),
    ],
)
async def test_a_wrong_function_is_told_when_the_pool_starts(fetch, sentence):
    """
    Not at the first call of the night; and without what it returned.
    """
    own = ConnectionPool({SANDBOX: fetch}, contract=contract())
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        await own.start()
    shown = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )

    assert SECRET not in "".join(shown.format())
    assert "not started" in repr(own)


async def test_two_environments_are_never_given_one_secret(own):
    """
    Fetched or written down: one of the two would get the secret of the other.
    """
    given = Credentials("app-1", SECRET)

    async def fetch():
        return Credentials("app-2", SECRET)

    own = ConnectionPool({SANDBOX: given, PRODUCTION: fetch}, contract=contract())
    with pytest.raises(ConfigurationError, match="same application secret"):
        await own.start()


async def test_a_rotation_does_not_bring_the_secret_of_the_other_environment():
    """
    A vault that mixes them up would send the one of production to the sandbox.
    """
    async with Emulator(environments=[SANDBOX, PRODUCTION]) as emulator:
        vault = Vault(emulator.credentials[SANDBOX])
        given = emulator.credentials | {SANDBOX: vault.fetch}
        async with ConnectionPool(given, contract=emulator.contract()) as own:
            emulator.rotate(SANDBOX)
            vault.credentials = emulator.credentials[PRODUCTION]
            with pytest.raises(ConfigurationError, match="same application secret"):
                await own.session(1, environment=SANDBOX).reporting.data_sources()

        assert emulator.seen.crossed == 0


async def test_no_local_variable_tells_the_fetched_secret(own, vault, emulator):
    """
    Error reporters print those of every frame.
    """
    emulator.rotate()
    vault.credentials = Credentials("app-1", OTHER_SECRET)
    with pytest.raises(AuthenticationError) as caught:
        await own.session(1).reporting.data_sources()
    shown = "".join(
        traceback.TracebackException.from_exception(
            caught.value, capture_locals=True
        ).format()
    )

    assert caught.value.renewals == 1
    assert "renewal.py" in shown
    assert OTHER_SECRET not in shown
    assert "sandbox-secret" not in shown
