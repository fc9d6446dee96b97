"""Draws how fast clients go, over time, against the true limit.

Run: ``python benchmarks/pacing/plot.py FILE.png``
"""

from __future__ import annotations

import argparse
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from clients import OURS, client
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter
from record import ACCEPTED, THROTTLED, Trace
from run import listed
from scenarios import Scenario

# Okabe and Ito's colours can be told apart by nearly everybody; the lines differ too.
_STYLES = {
    OURS: ("#0072B2", "-", 2.0),
    "botocore": ("#D55E00", "--", 1.3),
    "AIMD": ("#009E73", "-.", 1.3),
}
_LIMIT = "#000000"
_NAMES = {OURS: "healthyroster-async", "botocore": "botocore, adaptive mode"}
_PANELS = (
    ("50, 20, 50/s, 429", "A bucket of 50 calls/s that becomes 20, then 50 again", 2.0),
    (
        "unknown, window 600/min",
        "600 calls per minute, and no answer says so (higher bursts are cut off)",
        10.0,
    ),
)
_SHOWN_S = 420.0
_SEED = 1


def rates(trace: Trace, outcome: int, span: float, until: float) -> list[float]:
    """Return requests per second over the *span* seconds before each second."""
    times = sorted(r.arrived for r in trace.requests if r.outcome == outcome)
    return [
        (bisect_left(times, t) - bisect_left(times, t - span)) / min(span, t)
        for t in map(float, range(1, int(until) + 1))
    ]


def _draw(axes: Sequence[Axes], scenario: Scenario, title: str, span: float) -> None:
    above, below = axes
    until = min(scenario.seconds, _SHOWN_S)
    seconds = range(1, int(until) + 1)
    site = scenario.site(_SEED)
    limits = [site.rate_at(t) for t in seconds]
    above.step(
        seconds,
        limits,
        where="post",
        color=_LIMIT,
        lw=1.2,
        label="the true limit",
    )
    for which, (colour, line, width) in _STYLES.items():
        trace = client(which)(scenario, _SEED)
        name = _NAMES.get(which, which)
        options: dict[str, Any] = {"color": colour, "ls": line, "lw": width}
        accepted = rates(trace, ACCEPTED, span, until)
        above.plot(seconds, accepted, label=name, **options)
        rejected = rates(trace, THROTTLED, 1.0, until)
        total = [sum(rejected[: n + 1]) for n in range(len(rejected))]
        below.plot(seconds, total, **options)
    above.set_title(title, loc="left")
    above.set_ylabel(f"accepted (calls/s,\nmean of {span:.0f} s)")
    above.set_ylim(0, 1.5 * max(limits))
    below.set_ylabel("rejected so far\n(calls)")
    below.set_yscale("symlog", linthresh=1)
    below.set_ylim(bottom=0)
    below.yaxis.set_major_formatter(ScalarFormatter())
    below.set_xlabel("time (s)")
    for ax in axes:
        ax.set_xlim(0, until)
        ax.grid(alpha=0.25)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="Draw rates over time.")
    parser.add_argument("file")
    options = parser.parse_args()
    mpl.use("Agg")
    every = {scenario.name: scenario for scenario in listed(fast=False)}
    figure, axes = plt.subplots(
        4,
        1,
        figsize=(10, 11),
        height_ratios=(3, 1.4, 3, 1.4),
        layout="constrained",
    )
    for number, (name, title, span) in enumerate(_PANELS):
        _draw(axes[2 * number : 2 * number + 2], every[name], title, span)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(options.file, dpi=130)


if __name__ == "__main__":
    main()
