"""The time of a step, or of a whole training, as bars."""

import math
from pathlib import Path
from statistics import median
from textwrap import fill

from benchmarks.report import Turns, figures, short
from benchmarks.works import WORKS

OURS, OTHERS = "#1f6f8b", "#b8b8b8"
LETTERS = 100  # of a line


def draw(measured: dict[str, dict[str, Turns]], about: str, path: Path) -> None:
    """Writes a panel for each contest, the slowest first, each on a scale of its own.

    That of steps is logarithmic: they differ by powers of ten.

    Raises ImportError where matplotlib is missing, ValueError where there was no contest.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    contests = {name: by_name for name, by_name in measured.items() if not WORKS[name].alone}
    if not contests:
        raise ValueError("the chart shows contests: run T1, T2, T3, W1, W2 or W3")
    heights = [len(by_name) + 3 for by_name in contests.values()]
    with rc_context({"font.size": 8, "svg.hashsalt": "brickgrad"}):
        figure = Figure(figsize=(9, 0.6 + 0.2 * sum(heights)), layout="constrained")
        panels = figure.subplots(len(contests), squeeze=False, height_ratios=heights)[:, 0]
        for panel, (name, by_name) in zip(panels, contests.items(), strict=True):
            times = {who: median(figures(turns)) for who, turns in by_name.items()}
            done = {who: time for who, time in times.items() if math.isfinite(time)}
            times = dict(sorted(done.items(), key=lambda item: item[1]))
            colours = [OURS if who.startswith("brickgrad") else OTHERS for who in times]
            bars = panel.barh(list(times), list(times.values()), color=colours)
            panel.bar_label(bars, list(map(short, times.values())), padding=3)
            work = WORKS[name]
            scale = "linear" if work.whole else "log"
            panel.set(xscale=scale, title=f"{name}: {work.title}", xlabel=work.unit)
            panel.title.set(ha="left", x=0)
            panel.margins(x=0.1, y=0.02)
            panel.spines[["top", "right"]].set_visible(False)
        below = fill(about, LETTERS)
        panels[-1].set_xlabel(f"{panels[-1].get_xlabel()}; less is better everywhere\n{below}")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
