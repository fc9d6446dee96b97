"""What the demo is asked, and the misbehaving Healthy Roster that follows from it."""

from __future__ import annotations

from random import Random

from attrs import frozen

from healthyroster_async.emulator import Emulator, Fault, RateLimit

# Data sources of each provider.
SOURCES = 9


@frozen(kw_only=True)
class Plan:
    """What is asked of the demo.

    Attributes:
        providers: How many Healthcare Providers there are.
        rows: Rows of each data source of each provider.
        seed: Decides the data, who lacks which grant, and whom faults meet.
        concurrency: Most calls under way at once.
        rate_limit: How often may be called; ``None`` chooses one that is felt.
    """

    providers: int
    rows: int
    seed: int
    concurrency: int
    rate_limit: RateLimit | None = None

    def emulator(self) -> Emulator:
        """Return the Healthy Roster to pull from."""
        rng = Random(f"{self.seed}/demo")  # noqa: S311 - nothing is secret here
        ids = range(1, self.providers + 1)
        without = rng.sample(ids, min(2, self.providers - 1))
        granted = [i for i in ids if i not in without]
        inside = self.rows * 200  # about a quarter of the body
        faults = [
            Fault(
                kind="status",
                endpoint="data_sources",
                provider=rng.choice(granted),
                times=1,
            )
        ]
        # Every third request: so no call of a single provider meets them all.
        faults += [
            Fault(
                kind=kind,
                endpoint="rows",
                provider=rng.choice(granted),
                every=3,
                times=1,
                after_bytes=inside,
            )
            for kind in ("status", "status", "reset", "reset-inside", "truncate")
        ]
        # All calls in about four seconds, after a burst of a fifth of them.
        calls = self.providers * (SOURCES + 1)
        rate = max(10, calls // 5)
        return Emulator(
            providers=self.providers,
            rows=self.rows,
            seed=self.seed,
            rate_limit=self.rate_limit or RateLimit(rate=rate, burst=rate),
            denied=list(zip(without, ("*", "rows"), strict=False)),
            faults=faults,
        )
