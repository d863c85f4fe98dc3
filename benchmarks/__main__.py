"""Prints the figures: medians of all contenders for each work, ratios, goals reached or missed.

A ratio is the median of the ratios of single rounds.
"""

import argparse
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import CONTENDERS, is_installed
from benchmarks.turns import Measured, take_turns
from benchmarks.works import WORKS, Goal, Work, times_less

BASELINE = "micrograd"
TOLERANCE = 1e-12  # losses are the same to 12 digits


def main() -> None:
    """Runs the works asked for, one after the other."""
    options = _options()
    print(f"{machine()}; {versions()}")
    reports = []
    for name in options.only or WORKS:
        work = WORKS[name]
        rounds = options.rounds or work.rounds
        print(f"\n{work.name}: {work.title}; median of {rounds} rounds", flush=True)
        try:
            measured = run(work, rounds)
        except ImportError as error:
            print(f"  left out: {error}")
            continue
        difference = disagreement(measured)
        same = difference <= TOLERANCE
        print("\n".join(table(work, measured, same)))
        if len(measured) > 1:
            print(f"  losses {'equal' if same else 'DIFFER: no ratios'}, to {difference:.0e}")
        reports.append({"work": name, "same": same, "measured": measured})
    if options.json:
        about = {"machine": machine(), "versions": versions(), "works": reports}
        options.json.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def run(work: Work, rounds: int) -> dict[str, list[Measured]]:
    """Every installed contender's steps; the first one, a warm-up, tells only its loss."""
    contenders = {
        c.name: c.does[work.name] for c in CONTENDERS if work.name in c.does and is_installed(c)
    }
    return take_turns(contenders, work.task(rounds + 1), rounds + 1)


def disagreement(measured: dict[str, list[Measured]]) -> float:
    """The largest relative difference between two contenders' results of one step; inf for nan."""
    largest = 0.0
    for results in zip(*([m.result for m in steps] for steps in measured.values()), strict=True):
        spread = (max(results) - min(results)) / (max(map(abs, results)) or 1.0)
        largest = max(largest, spread if math.isfinite(math.fsum(results)) else math.inf)
    return largest


def table(work: Work, measured: dict[str, list[Measured]], same: bool) -> list[str]:
    """A line for each contender: median, lowest, times less than micrograd, its goal."""
    amounts = {name: [m.amount for m in steps[1:]] for name, steps in measured.items()}
    goals = {goal.contender: goal for goal in work.goals}
    lines = [f"  {'':28}{'median':>9}{'lowest':>9}  {work.unit}"]
    for name, of_one in amounts.items():
        line = f"  {name:28}{median(of_one):9.2f}{min(of_one):9.2f}"
        if same and BASELINE in amounts:
            line += f"{times_less(of_one, amounts[BASELINE]):8.1f}x"
        if name in goals:
            line += f"   {goals[name]}: {fate(goals[name], amounts, same)}"
        lines.append(line)
    return lines


def fate(goal: Goal, amounts: Mapping[str, Sequence[float]], same: bool) -> str:
    """Whether a goal was reached; without the other contender nobody knows."""
    if goal.against and goal.against not in amounts:
        return f'unknown, {goal.against} is not installed: pip install "brickgrad[bench]"'
    return "reached" if same and goal.reached(amounts) else "MISSED"


def machine() -> str:
    """Processor, cores, system."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> str:
    """Python, and each contender's distribution where it is installed."""
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    for name in ("brickgrad", "micrograd"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=WORKS, help="one work; may be repeated")
    parser.add_argument(
        "--rounds", type=int, help="steps of each contender (each work has its own)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="every single measurement")
    return parser.parse_args()


if __name__ == "__main__":
    main()
