"""Prints the figures: medians of all contenders for each work, ratios, goals reached or missed."""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.chart import draw
from benchmarks.contenders import CONTENDERS, Contender, is_there, of_folder
from benchmarks.report import Turns, disagreement, table
from benchmarks.turns import take_turns
from benchmarks.whole import take_whole
from benchmarks.works import WORKS, Work

DISTRIBUTIONS = ("brickgrad", "numpy", "micrograd", "torch", "jax", "scikit-learn", "pandas")


def main() -> None:
    """Runs the works asked for, one after the other."""
    options = _options()
    print(f"{machine()}; {versions()}")
    if options.quick:
        print("Quick: the figures mean nothing.")
    reports: dict[str, dict[str, Turns]] = {}
    works, contenders = dict(WORKS), CONTENDERS
    if options.tables:
        work, more = of_folder(options.tables)
        works[work.name], contenders = work, contenders + more
    for name, work in works.items():
        if options.only and not name.startswith(tuple(options.only)):
            continue
        print(f"\n{work.name}: {work.title}", flush=True)
        print_absent(name, contenders)
        try:
            measured = run(work, options.rounds or work.rounds, options.quick, contenders)
        except ImportError as error:
            print(f"  left out: {error}")
            continue
        reports[name] = measured
        print_measured(work, measured)
    if options.json:
        about = {"machine": machine(), "versions": versions(), "works": reports}
        options.json.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    if options.chart:
        draw(reports, f"{machine()}; {versions()}", options.chart)


def print_absent(name: str, contenders: Sequence[Contender]) -> None:
    """Says which contenders of a work are not installed."""
    for contender in contenders:
        if name in contender.does and not is_there(contender):
            print(f"  without {contender.name}: {contender.needs} is not installed")


def print_measured(work: Work, measured: dict[str, Turns]) -> None:
    """The table of a work, and whether its losses agree."""
    difference, steps = (0.0, 0) if work.alone else disagreement(measured)
    same = difference <= work.tolerance
    print("\n".join(table(work, measured, same)))
    if steps:
        print(f"  losses of {steps} steps {'equal' if same else 'DIFFER'}, to {difference:.0e}")


def run(
    work: Work,
    rounds: int,
    is_quick: bool = False,
    contenders: Sequence[Contender] = CONTENDERS,
) -> dict[str, Turns]:
    """The turns of every contender that is there; quick ones with little to do."""
    contests = {
        c.name: c.does[work.name] for c in contenders if work.name in c.does and is_there(c)
    }
    task = work.task(**work.quick if is_quick else {})
    if work.whole:
        return take_whole(contests, task, rounds)
    return take_turns(contests, task, rounds, warm_up=1 if work.alone else 3)


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
    for name in DISTRIBUTIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _known(name: str) -> str:
    if not any(work.startswith(name) for work in WORKS):
        raise argparse.ArgumentTypeError(f"there is no {name!r}, there are {', '.join(WORKS)}")
    return name


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        type=_known,
        metavar="NAME",
        help=f"a work, or all whose names begin so; may be repeated: {', '.join(WORKS)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="little work in each, to see that all of it runs"
    )
    parser.add_argument(
        "--rounds", type=int, help="turns of each contender (each work has its own)"
    )
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="DIR",
        help="also the CSV files in DIR, as its targets.csv says: file, target, kind",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all measurements")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="bars, as .svg")
    return parser.parse_args()


if __name__ == "__main__":
    main()
