"""The other clients: real library code, each set as well as it can be.

All but botocore and aiolimiter know no rate: each call tries again by itself. At most
100 calls of a process are under way, sleeping ones included; without that bound every
waiting call would try again by itself, and more would be turned away. Each call has 20
attempts.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import aiohttp_retry
import backoff
import stamina
from aiolimiter import AsyncLimiter
from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.adaptive import ClientRateLimiter, RateClocker
from botocore.retries.bucket import TokenBucket
from botocore.retries.throttling import CubicCalculator
from record import Trace
from scenarios import Scenario
from server import Site
from virtual import Attempt, Caller, TurnedAwayError, play

Maker: TypeAlias = Callable[[Site], Caller]
stamina.instrumentation.set_on_retry_hooks([])
_ATTEMPTS = 20
_CONCURRENCY = 100
_LONGEST_WAIT_S = 30.0


def _told_nothing(make: Callable[[], Caller]) -> Maker:
    return lambda _: make()


def _bounded(call: Caller) -> Caller:
    bound = asyncio.Semaphore(_CONCURRENCY)

    async def caller(attempt: Attempt) -> None:
        async with bound:
            await call(attempt)

    return caller


async def _once(attempt: Attempt) -> None:
    await attempt()


def backoff_full_jitter() -> Caller:
    """Return backoff's exponential waits with full jitter, its default."""
    return _bounded(
        backoff.on_exception(
            backoff.expo,
            TurnedAwayError,
            max_tries=_ATTEMPTS,
            max_value=_LONGEST_WAIT_S,
            jitter=backoff.full_jitter,
            logger=None,
        )(_once)
    )


def backoff_retry_after() -> Caller:
    """Return backoff that obeys Retry-After, and adds as much again at random.

    Without the header it waits a second, and as much again at random.
    """
    return _bounded(
        backoff.on_exception(
            backoff.runtime,
            TurnedAwayError,
            value=lambda error: error.retry_after or 1.0,
            max_tries=_ATTEMPTS,
            jitter=lambda wait: wait + random.uniform(0, wait),
            logger=None,
        )(_once)
    )


def aiohttp_retry_with(options: aiohttp_retry.RetryOptionsBase) -> Caller:
    """Return a loop around the waits of aiohttp_retry, as its client has it."""

    async def call(attempt: Attempt) -> None:
        for number in range(1, options.attempts + 1):
            try:
                await attempt()
            except TurnedAwayError:
                if number == options.attempts:
                    raise
                await asyncio.sleep(options.get_timeout(number, None))
            else:
                return

    return _bounded(call)


def limited(times: float, site: Site) -> Caller:
    """Return aiolimiter told *times* the true rate, and backoff where that fails."""
    limit = site.limit
    limiter = None
    if limit is not None and limit.kind != "concurrency":
        limiter = AsyncLimiter(max(1.0, limit.rate * times), limit.per)

    async def once(attempt: Attempt) -> None:
        if limiter is not None:
            await limiter.acquire()
        await attempt()

    return _bounded(
        backoff.on_exception(
            backoff.expo,
            TurnedAwayError,
            max_tries=_ATTEMPTS,
            max_value=_LONGEST_WAIT_S,
            jitter=backoff.full_jitter,
            logger=None,
        )(once)
    )


def stamina_retry() -> Caller:
    """Return stamina, whose hook obeys Retry-After."""

    def wait(error: Exception) -> bool | float:
        if not isinstance(error, TurnedAwayError):
            return False
        return True if error.retry_after is None else error.retry_after

    retry = stamina.AsyncRetryingCaller(
        attempts=_ATTEMPTS, timeout=None, wait_max=_LONGEST_WAIT_S
    ).on(wait)

    async def call(attempt: Attempt) -> None:
        await retry(attempt)

    return _bounded(call)


class _Clock:
    """botocore's clock, on the loop's."""

    def current_time(self) -> float:
        return asyncio.get_running_loop().time()


class _Detector:
    """botocore asks whether an answer was a throttle."""

    def is_throttling_error(self, *, throttled: bool) -> bool:
        return throttled


def botocore_adaptive() -> Caller:
    """Return botocore's adaptive mode: CUBIC, and its exponential waits.

    Its bucket blocks a thread; here its tokens are waited for in the loop instead.
    """
    clock = _Clock()
    bucket = TokenBucket(max_rate=1, clock=clock)
    limiter = ClientRateLimiter(
        rate_adjustor=CubicCalculator(0, clock.current_time()),
        rate_clocker=RateClocker(clock),
        token_bucket=bucket,
        throttling_detector=_Detector(),
        clock=clock,
    )
    turn = asyncio.Lock()

    async def token() -> None:
        # Threads that wait for its condition are woken whenever the rate changes.
        async with turn:
            while limiter._enabled:  # noqa: SLF001 - it has no name for it
                try:
                    bucket.acquire(block=False)
                except CapacityNotAvailableError:
                    missing = 1 - bucket.available_capacity
                    await asyncio.sleep(min(0.1, missing / bucket.max_rate + 1e-4))
                else:
                    return

    async def call(attempt: Attempt) -> None:
        for number in range(_ATTEMPTS):
            await token()
            try:
                await attempt()
            except TurnedAwayError as error:
                limited = error.answer.status in {403, 429, 503}
                limiter.on_receiving_response(throttled=limited)
                if number == _ATTEMPTS - 1:
                    raise
                # botocore.retries.standard.ExponentialBackoff for throttles.
                await asyncio.sleep(random.random() * min(2**number, 20))
            else:
                limiter.on_receiving_response(throttled=False)
                return

    return _bounded(call)


MAKERS: Mapping[str, Maker] = {
    "backoff": _told_nothing(backoff_full_jitter),
    "backoff RA": _told_nothing(backoff_retry_after),
    "aiohttp_retry": _told_nothing(
        lambda: aiohttp_retry_with(
            aiohttp_retry.ExponentialRetry(_ATTEMPTS, max_timeout=_LONGEST_WAIT_S)
        )
    ),
    "a_r jitter": _told_nothing(
        lambda: aiohttp_retry_with(
            aiohttp_retry.JitterRetry(_ATTEMPTS, max_timeout=_LONGEST_WAIT_S)
        )
    ),
    "stamina": _told_nothing(stamina_retry),
    "limiter 0.5": partial(limited, 0.5),
    "limiter 1.0": partial(limited, 1.0),
    "limiter 2.0": partial(limited, 2.0),
    "botocore": _told_nothing(botocore_adaptive),
}


def run_peer(make: Maker) -> Callable[[Scenario, int], Trace]:
    """Return what runs a client through a scenario with a seed."""

    def run(scenario: Scenario, seed: int) -> Trace:
        return play(scenario, seed, partial(make, scenario.site(seed)))

    return run
