"""The pool that benchmarks measure."""

from __future__ import annotations

from typing import Any

from healthyroster_async import ConnectionPool, Contract, Credentials, Environment


def pool_of(url: str, **options: Any) -> ConnectionPool:
    """Return a pool for a server that looks at nothing, made as the README shows."""
    contract = Contract(
        base_urls={Environment.SANDBOX: url},
        application_id_header="X-Application-Id",
        application_secret_header="X-Application-Secret",
    )
    credentials = {Environment.SANDBOX: Credentials("bench-app", "bench-secret")}
    return ConnectionPool(credentials, contract=contract, **options)
