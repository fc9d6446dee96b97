"""Every night: what is new of every data source, into a folder that DuckDB reads.

Run: ``python examples/nightly_pull.py lake 42 43``, with the settings of
``ConnectionPool.from_environment``.
"""

import asyncio
import sys

import duckdb

from healthyroster_async import ConnectionPool, PullPlan


async def main(pool: ConnectionPool, folder: str, *providers: str) -> None:
    """Pull, and count what is there."""
    plan = PullPlan(providers, since="last", first="2025-01-01")
    async with pool:
        report = await pool.pull(plan, folder)
    print(f"{report.rows} rows came, {len(report.failed)} partitions failed")
    if report.failed:
        sys.exit(report.failed[0].reason)  # a scheduler reads the exit code


if __name__ == "__main__":
    # It may fetch the swagger document: not in the loop.
    asyncio.run(main(ConnectionPool.from_environment(), *sys.argv[1:]))
    files = f"{sys.argv[1]}/source=Encounters/**/*.parquet"
    query = (
        "SELECT provider, count(*) FROM read_parquet(?, union_by_name=true) GROUP BY 1"
    )
    print(duckdb.execute(query, [files]).fetchall())
