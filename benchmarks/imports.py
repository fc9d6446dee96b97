"""What it costs to import the package, beside its dependencies alone.

Each is imported by a fresh interpreter from compiled files, which take turns; what is
compared is the CPU time of the processes. Install the package as its users do, not
editable, to measure what they have: ``pip install .``.

Run: ``python benchmarks/imports.py [--rounds 25] [--check]``
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile

OURS, DEPENDENCIES = "the package", "its dependencies"
WAYS = {
    DEPENDENCIES: "import aiohttp, attrs, cattrs",
    OURS: "from healthyroster_async import ConnectionPool",
    "all of its names": "from healthyroster_async import *",
}
GOAL = 1.3


def cpu_of(code: str, folder: str) -> float:
    """Return the CPU seconds of an interpreter that runs *code* and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--check", action="store_true", help="fail above the goal")
    options = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds + 1):
            for name, code in WAYS.items():
                seconds = cpu_of(code, folder)
                if number:  # the first one compiles
                    taken[name].append(seconds)
    print(
        f"CPU time of a fresh interpreter, median of {options.rounds} that took turns, "
        f"Python {sys.version_info.major}.{sys.version_info.minor}\n"
    )
    print(f"{'imported':<18}{'ms':>6}{'ratio':>8}{'middle half':>15}{'goal':>7}")
    met = True
    for name, own in taken.items():
        pairs = zip(own, taken[DEPENDENCIES], strict=True)
        low, ratio, high = statistics.quantiles(
            (one / beside for one, beside in pairs), method="inclusive"
        )
        said = ""
        if name == OURS:
            met = ratio <= GOAL
            said = f"{GOAL:>7.2f}  {'met' if met else 'NOT MET'}"
        print(
            f"{name:<18}{statistics.median(own) * 1e3:>6.0f}{ratio:>8.2f}"
            f"{low:>9.2f}-{high:.2f}{said}"
        )
    if options.check and not met:
        sys.exit(1)


if __name__ == "__main__":
    main()
