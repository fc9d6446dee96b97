"""Prints the table of the pacing laboratory.

Run: ``python benchmarks/pacing/run.py [--scenario NAME] [--seeds 10] [--peers]``, and
``--help`` for more.

A line is a number of a scenario: ours over all seeds, as the median (and the worst),
against its goal. ``ok`` is met by every seed, ``median`` by the median only; a goal
that is about another share of the seeds says so. Beside it stand the medians of the
peers, in the scenarios that they run.
Two goals of every scenario, that nothing is sent inside a pause that the API asked for
and that no call is lost, are printed where they are missed; ``--more`` prints all.
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
from clients import OURS, PEERS, client
from metrics import METRICS, Run, quantile
from scenarios import Goal, Scenario, scenarios
from servers import TUNING
from simulation import StuckError

# Every scenario makes these two, so they are told when they are broken.
_PROMISES = ("in_pause", "lost")
_HIGH_IS_GOOD = ("goodput", "goodput_whole", "jain")
_MORE = ("goodput", "rejected", "goodput_whole", "rejected_whole", "requests")
# Peers are slow to simulate.
_FEW_SEEDS, _FAST_SECONDS = 3, 200.0
_FEW_SERVERS, _PEERS_SERVERS = 10, 5


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
    wanted = dict.fromkeys(
        [*(goal.metric for goal in scenario.goals), *scenario.also, *_MORE]
    )
    try:
        trace = client(task.client)(scenario, task.seed)
    except StuckError as error:
        print(f"{scenario.name}, seed {task.seed}: {error}", file=sys.stderr)
        return dict.fromkeys(wanted, math.nan)
    run = Run(site, scenario.flows, trace, scenario.steady)
    return {name: METRICS[name](run) for name in wanted}


def listed(*, fast: bool) -> list[Scenario]:
    """Return the scenarios; the fast ones are shorter where that is the same."""
    return [_shorter(scenario) if fast else scenario for scenario in scenarios()]


def _shorter(scenario: Scenario) -> Scenario:
    site = scenario.site(0)
    eventful = site.changes or site.outages or scenario.seeds
    long = site.limit is not None and site.limit.per > 1
    if eventful or long:
        return scenario
    return evolve(scenario, seconds=min(scenario.seconds, _FAST_SECONDS))


def measure(
    chosen: Sequence[int], clients: Sequence[str], options: argparse.Namespace
) -> dict[tuple[int, str], list[dict[str, float]]]:
    """Run the scenarios and return the numbers of each seed."""
    fast = options.fast
    tasks = [
        Task(scenario=number, client=name, seed=seed, fast=fast)
        for number in chosen
        for name in clients
        if name == clients[0] or listed(fast=fast)[number].peers
        for seed in _seeds(listed(fast=fast)[number], options, peer=name != clients[0])
    ]
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    if options.jobs == 1:
        results: Iterable[dict[str, float]] = map(_numbers, tasks)
        _collect(tasks, results, found)
    else:
        with ProcessPoolExecutor(options.jobs) as pool:
            _collect(tasks, pool.map(_numbers, tasks), found)
    return found


def _seeds(
    scenario: Scenario, options: argparse.Namespace, *, peer: bool
) -> Sequence[int]:
    if scenario.seeds is None:
        few = peer or options.fast
        return range(min(options.seeds, _FEW_SEEDS) if few else options.seeds)
    seeds = TUNING if options.tuning else scenario.seeds
    if peer:
        return seeds[:: len(seeds) // _PEERS_SERVERS]
    return seeds[:: len(seeds) // _FEW_SERVERS] if options.fast else seeds


def _collect(
    tasks: Sequence[Task],
    results: Iterable[dict[str, float]],
    found: dict[tuple[int, str], list[dict[str, float]]],
) -> None:
    for task, numbers in zip(tasks, results, strict=True):
        numbers["seed"] = task.seed
        found.setdefault((task.scenario, task.client), []).append(numbers)


def summary(goal: Goal, values: Sequence[float]) -> dict[str, Any]:
    """Hold the numbers of all seeds against a goal."""
    ascending = goal.sign == "<="
    if any(map(math.isnan, values)):  # a run that came to no end meets nothing
        values = [math.inf if ascending else -math.inf]
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
        "told": False,
    }


def lines(
    scenario: Scenario,
    number: int,
    clients: Sequence[str],
    found: dict[tuple[int, str], list[dict[str, float]]],
) -> list[dict[str, Any]]:
    """Return the lines of a scenario: its goals, then what else says how it went."""
    ours = found[number, clients[0]]
    rows = [
        summary(goal, [numbers[goal.metric] for numbers in ours])
        for goal in scenario.goals
    ]
    for name in dict.fromkeys([*scenario.also, *_MORE]):
        if name not in {row["metric"] for row in rows}:
            values = [numbers[name] for numbers in ours]
            high = name not in _HIGH_IS_GOOD
            rows.append(
                {
                    "metric": name,
                    "goal": "",
                    "of": "median",
                    "median": statistics.median(values),
                    "value": statistics.median(values),
                    "worst": max(values) if high else min(values),
                    "mark": "",
                    "told": name in scenario.also,
                }
            )
    for row in rows:
        row["scenario"] = scenario.name
        row["peers"] = {
            name: statistics.median(n[row["metric"]] for n in found[number, name])
            for name in clients[1:]
            if (number, name) in found
        }
    return rows


def _text(metric: str, value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return "never" if value > 0 else "-"
    if metric.startswith("rejected"):
        return f"{100 * value:.2f}%"
    return f"{value:.0f}" if value == int(value) and value > 1 else f"{value:.3f}"


def _told(row: dict[str, Any], *, more: bool) -> bool:
    """Return whether a line is worth reading: promises that are kept are not."""
    if row["metric"] in _PROMISES and row["mark"] == "ok":
        return more
    return more or bool(row["mark"]) or row["told"]


def _print(rows: Sequence[dict[str, Any]], clients: Sequence[str]) -> None:
    heads = clients[1:]
    widths = [max(8, len(head)) for head in heads]
    columns = "".join(f" {h:>{w}}" for h, w in zip(heads, widths, strict=True))
    print(
        f"{'':40} {'':18} {'goal':>10} {clients[0]:>9} {'(worst)':>9} {'':6}{columns}"
    )
    before = ""
    for row in rows:
        name, before = (
            ("" if row["scenario"] == before else row["scenario"]),
            row["scenario"],
        )
        metric = row["metric"]
        of = "" if row["of"] == "median" else f" {row['of']}"
        values = "".join(
            f" {_text(metric, row['peers'].get(h, math.nan)):>{w}}"
            for h, w in zip(heads, widths, strict=True)
        )
        print(
            f"{name:40} {metric + of:18} {row['goal']:>10} "
            f"{_text(metric, row['value']):>9} "
            f"{'(' + _text(metric, row['worst']) + ')':>9} {row['mark']:6}{values}"
        )


def _print_each(scenario: Scenario, found: Sequence[dict[str, float]]) -> None:
    print(scenario.name)
    for numbers in sorted(found, key=lambda numbers: numbers["goodput"]):
        told = "  ".join(
            f"{name} {_text(name, value)}"
            for name, value in numbers.items()
            if name != "requests"
        )
        print(f"  {told}  {scenario.site(int(numbers['seed'])).told}")


def main() -> int:
    """Print the table; the exit code is the number of goals that were missed."""
    parser = argparse.ArgumentParser(description="Print the pacing laboratory's table.")
    add = parser.add_argument
    add("--scenario", action="append", default=[], help="part of a name; repeatable")
    add(
        "--seeds", type=int, default=10, help="how many; the random servers have theirs"
    )
    add(
        "--peers", action="store_true", help="run the other clients too, on fewer seeds"
    )
    add("--client", default=OURS, choices=(OURS, *PEERS), help="whom to judge")
    add("--fast", action="store_true", help="3 seeds, shorter runs, 10 random servers")
    add("--tuning", action="store_true", help="the random servers to tune on")
    add("--more", action="store_true", help="print what was kept or has no goal too")
    add("--each", action="store_true", help="print each seed, the worst goodput first")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    add("--json", action="store_true", help="print the lines for programs")
    options = parser.parse_args()
    every = listed(fast=options.fast)
    chosen = [
        number
        for number, scenario in enumerate(every)
        if not options.scenario
        or any(part in scenario.name for part in options.scenario)
    ]
    clients = [options.client, *(PEERS if options.peers else ())]
    begun = time.perf_counter()
    found = measure(chosen, clients, options)
    rows = [
        row for number in chosen for row in lines(every[number], number, clients, found)
    ]
    if options.each:
        for number in chosen:
            _print_each(every[number], found[number, clients[0]])
    elif options.json:
        json.dump(rows, sys.stdout, indent=1)
    else:
        _print([row for row in rows if _told(row, more=options.more)], clients)
        goals = [row["mark"] for row in rows if row["mark"]]
        print(
            f"\n{len(goals)} goals: {goals.count('ok')} met by all seeds, "
            f"{goals.count('median')} by the median, {goals.count('FAIL')} missed; "
            f"{time.perf_counter() - begun:.0f} s"
        )
    return min(100, [row["mark"] for row in rows].count("FAIL"))


if __name__ == "__main__":
    sys.exit(main())
