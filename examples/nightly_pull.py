"""Every night: what is new of every data source, into a folder that DuckDB reads.

Run: ``python examples/nightly_pull.py lake 42 43``, with the settings of
``ConnectionPool.from_environment``.
"""

import asyncio
import sys
from pathlib import Path

import duckdb

from healthyroster_async import ConnectionPool, PullPlan


async def main(pool: ConnectionPool, folder: str, *providers: str) -> int:
    """Pull, tell what did not come, and return the exit code that says so."""
    plan = PullPlan(providers, since="last", first="2025-01-01")
    async with pool:
        report = await pool.pull(plan, folder)
    print(f"{report.rows} rows came, {len(report.failed)} partitions failed")
    for what, many in (("denied", report.denied), ("failed", report.failed)):
        for one in many:
            where = f"provider {one.provider_id}, {one.source or 'all of it'}"
            print(f"{what}: {where}: {one.reason}", file=sys.stderr)
    # A scheduler reads it; the same codes as those of ``healthyroster pull``.
    return 1 if report.failed else 3 if report.denied else 0


if __name__ == "__main__":
    # It may fetch the swagger document: not in the loop.
    code = asyncio.run(main(ConnectionPool.from_environment(), *sys.argv[1:]))
    # Of no rows there is no file.
    if files := [*Path(sys.argv[1]).glob("source=Encounters/**/*.parquet")]:
        query = """
            SELECT provider, count(*) FROM read_parquet(?, union_by_name=true)
            GROUP BY 1
        """
        print(duckdb.execute(query, [[*map(str, files)]]).fetchall())
    sys.exit(code)
