"""The time of a step, or of a whole training, as bars."""

import math
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.report import Turns, figures
from benchmarks.works import WORKS
from nn.chart import bars, beside
from nn.document import Chart


def draw(measured: dict[str, dict[str, Turns]], about: str, path: Path) -> None:
    """Writes a panel for each contest, the slowest first, each on a scale of its own.

    That of steps is logarithmic: they differ by powers of ten.

    Raises ValueError where there was no contest, or for a name that does not end in .svg.
    """
    contests = {name: by_name for name, by_name in measured.items() if not WORKS[name].alone}
    if not contests:
        raise ValueError("the chart shows contests: run T1, T2, T3, W1, W2 or W3")
    charts = []
    for name, by_name in contests.items():
        work = WORKS[name]
        times = {who: median(figures(turns)) for who, turns in by_name.items()}
        done = sorted((time, who) for who, time in times.items() if math.isfinite(time))
        amounts = {who: time for time, who in done}
        title = f"{name}: {work.title}"
        charts.append(bars(amounts, title=title, x=work.unit, log_x=not work.whole))
    *others, last = beside(*charts).panels
    notes = "less is better everywhere", about
    Chart((*others, replace(last, notes=notes))).save(path)
