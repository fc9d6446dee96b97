"""Prints the table of the pacing laboratory.

Run: ``python benchmarks/pacing/run.py [--scenario NAME] [--seeds 10] [--peers]
[--fast] [--jobs N] [--json]``

A line is a number of a scenario: ours over all seeds, as the median (and the worst),
against its goal. ``ok`` is met by every seed, ``median`` by the median only; a goal that
is about another share of the seeds says so. Beside it stand the medians of the peers.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from attrs import evolve, frozen
from metrics import METRICS, Run, quantile
from ours import OURS, run_ours
from scenarios import Goal, Scenario, scenarios

_ALWAYS = ("goodput", "rejected", "goodput_whole", "rejected_whole", "requests")
_FAST_SEEDS, _FAST_SECONDS = 3, 200.0


@frozen(kw_only=True)
class Task:
    """One run: a client in a scenario with a seed."""

    scenario: int
    client: str
    seed: int
    fast: bool


def _numbers(task: Task) -> dict[str, float]:
    scenario = listed(fast=task.fast)[task.scenario]
    site = scenario.site(task.seed)
    trace = run_ours(scenario, task.seed)
    run = Run(site, scenario.flows, trace, scenario.steady)
    wanted = dict.fromkeys([goal.metric for goal in scenario.goals])
    return {name: METRICS[name](run) for name in (*wanted, *_ALWAYS)}


def listed(*, fast: bool) -> list[Scenario]:
    """Return the scenarios; the fast ones are shorter where that is the same."""
    every = scenarios()
    if not fast:
        return every
    return [
        evolve(s, seconds=_FAST_SECONDS)
        if s.steady + 120 < _FAST_SECONDS < s.seconds and not s.site(0).changes
        else s
        for s in every
    ]


def measure(
    chosen: Sequence[int], clients: Sequence[str], seeds: int, jobs: int, *, fast: bool
) -> dict[tuple[int, str], list[dict[str, float]]]:
    """Run the scenarios and return the numbers of each seed."""
    tasks = [
        Task(scenario=number, client=client, seed=seed, fast=fast)
        for number in chosen
        for client in clients
        for seed in _seeds(listed(fast=fast)[number], client, seeds, fast=fast)
    ]
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    if jobs == 1:
        results: Iterable[dict[str, float]] = map(_numbers, tasks)
        _collect(tasks, results, found)
    else:
        with ProcessPoolExecutor(jobs) as pool:
            _collect(tasks, pool.map(_numbers, tasks), found)
    return found


def _seeds(
    scenario: Scenario, client: str, seeds: int, *, fast: bool
) -> Sequence[int]:
    if scenario.seeds is None:
        return range(seeds if client == OURS else min(3, seeds))
    few = fast or client != OURS
    return scenario.seeds[:: 5 if few else 1]


def _collect(
    tasks: Sequence[Task],
    results: Iterable[dict[str, float]],
    found: dict[tuple[int, str], list[dict[str, float]]],
) -> None:
    for task, numbers in zip(tasks, results, strict=True):
        found.setdefault((task.scenario, task.client), []).append(numbers)


def summary(goal: Goal, values: Sequence[float]) -> dict[str, Any]:
    """Hold the numbers of all seeds against a goal."""
    ascending = goal.sign == "<="
    worst = max(values) if ascending else min(values)
    median = statistics.median(values)
    judged = {
        "median": median,
        "worst": worst,
        "p10": quantile(values, 0.9 if ascending else 0.1),
    }[goal.of]
    met = goal.met(judged)
    mark = "ok" if met and (goal.met(worst) or goal.of != "median") else "median"
    return {
        "metric": goal.metric,
        "goal": f"{goal.sign} {goal.bound:g}",
        "of": goal.of,
        "value": judged,
        "median": median,
        "worst": worst,
        "mark": mark if met else "FAIL",
    }


def lines(
    scenario: Scenario, number: int, found: dict[tuple[int, str], list[dict[str, float]]]
) -> list[dict[str, Any]]:
    """Return the lines of a scenario: its goals, then what else says how it went."""
    ours = found[number, OURS]
    rows = [
        summary(goal, [numbers[goal.metric] for numbers in ours])
        for goal in scenario.goals
    ]
    for name in _ALWAYS:
        if name not in {row["metric"] for row in rows}:
            values = [numbers[name] for numbers in ours]
            high = name.startswith("rejected") or name == "requests"
            rows.append(
                {
                    "metric": name,
                    "goal": "",
                    "of": "median",
                    "median": statistics.median(values),
                    "value": statistics.median(values),
                    "worst": max(values) if high else min(values),
                    "mark": "",
                }
            )
    for row in rows:
        row["scenario"] = scenario.name
        row["peers"] = {
            client: statistics.median(n[row["metric"]] for n in numbers)
            for (which, client), numbers in found.items()
            if which == number and client != OURS
        }
    return rows


def _text(metric: str, value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return "never" if value > 0 else "-"
    if metric.startswith("rejected"):
        return f"{100 * value:.2f}%"
    return f"{value:.0f}" if value == int(value) and value > 1 else f"{value:.3f}"


def _print(rows: Sequence[dict[str, Any]], clients: Sequence[str]) -> None:
    heads = [client for client in clients if client != OURS]
    widths = [max(8, len(head)) for head in heads]
    columns = "".join(f" {h:>{w}}" for h, w in zip(heads, widths, strict=True))
    print(f"{'':36} {'':15} {'goal':>10} {'ours':>9} {'(worst)':>9} {'':6}{columns}")
    before = ""
    for row in rows:
        name, before = ("" if row["scenario"] == before else row["scenario"]), row[
            "scenario"
        ]
        metric = row["metric"]
        of = "" if row["of"] == "median" else f" {row['of']}"
        values = "".join(
            f" {_text(metric, row['peers'].get(h, math.nan)):>{w}}"
            for h, w in zip(heads, widths, strict=True)
        )
        print(
            f"{name:36} {metric + of:15} {row['goal']:>10} "
            f"{_text(metric, row['value']):>9} "
            f"{'(' + _text(metric, row['worst']) + ')':>9} {row['mark']:6}{values}"
        )


def main() -> int:
    """Print the table; the exit code is the number of goals that were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = min(options.seeds, _FAST_SEEDS) if options.fast else options.seeds
    every = listed(fast=options.fast)
    chosen = [
        number
        for number, scenario in enumerate(every)
        if not options.scenario
        or any(part in scenario.name for part in options.scenario)
    ]
    clients = [OURS]
    begun = time.perf_counter()
    found = measure(chosen, clients, seeds, options.jobs, fast=options.fast)
    rows = [row for number in chosen for row in lines(every[number], number, found)]
    if options.json:
        json.dump(rows, sys.stdout, indent=1)
    else:
        _print(rows, clients)
        goals = [row["mark"] for row in rows if row["mark"]]
        print(
            f"\n{len(goals)} goals: {goals.count('ok')} met by all seeds, "
            f"{goals.count('median')} by the median, {goals.count('FAIL')} missed; "
            f"{time.perf_counter() - begun:.0f} s"
        )
    return min(100, sum(row["mark"] == "FAIL" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
