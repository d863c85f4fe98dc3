"""Charts of training: curves, one way of training against another, decision boundaries.

Each function gives a Chart: a notebook shows it, `chart.save("curves.svg")` writes it.
"""

import math
from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from operator import sub
from typing import Protocol

from nn.axis import Axis, axis_of, is_wide
from nn.boundary import plot_decision_boundary
from nn.chart import ACROSS, left_out, upright
from nn.document import Chart, for_charts
from nn.mark import Mark
from nn.panel import Panel, Scale

__all__ = ["plot_comparison", "plot_decision_boundary", "plot_history"]

WINDOWS = 20  # a noisy curve is averaged over one part in so many of its length
FAR = 10.0  # times lower than nearly all dots: so far down they would flatten the others
KEPT = 3  # the look of the line at the step whose weights were kept: dotted


class Curves(Protocol):
    """What a plot reads of a History."""

    loss: list[float]
    accuracy: list[float | None]
    gradient_norm: list[float]
    points_seen: list[int]
    validation_loss: list[float | None]
    validation_accuracy: list[float | None]
    kept: int | None

    def elapsed(self) -> list[float]:
        """The seconds from the start to the end of each step."""


@for_charts
def plot_history(history: Curves) -> Chart:
    """Loss, accuracy (where targets are classes) and length of the gradient at each step.

    A noisy curve becomes pale dots, under the mean of the last n steps from where n are there. A
    vertical line marks the step whose weights an early stop kept.
    """
    _expect_steps("plot_history", history)
    percent, percent_held_out = (
        [None if share is None else 100 * share for share in shares]
        for shares in (history.accuracy, history.validation_accuracy)
    )
    found: list[tuple[str, str, Sequence[float | None], Sequence[float | None]]] = [
        ("Loss", "loss", history.loss, history.validation_loss),
        ("Accuracy", "points in the right class (%)", percent, percent_held_out),
        ("Gradient", "length of the gradient", history.gradient_norm, ()),
    ]
    steps = array("d", range(1, len(history.loss) + 1))
    across = Scale("step", axis_of(steps, margin=ACROSS))
    panels = []
    for title, unit, training, held_out in found:
        known = [y for y in training if y is not None]
        if not known:
            continue
        marks, heights, notes = _curve(steps, known, 0, "training")
        looks = [(x, y) for x, y in zip(steps, held_out, strict=False) if y is not None]
        if looks:
            xs, ys = zip(*looks, strict=True)
            looked, more = left_out(xs, ys)
            marks.append(Mark("line", *looked, "validation", 1))
            heights += [y for y in looked[1] if y == y]
            notes += [f"validation: {words}" for words in more]
        up = _fitting(heights, title != "Accuracy")
        if history.kept is not None:
            name = f"weights kept: step {history.kept + 1:,}"
            marks.append(upright(history.kept + 1, name, up, KEPT))
        panels.append(Panel(title, across, Scale(unit, up), marks, notes))
    return Chart(tuple(panels))


@for_charts
def plot_comparison(histories: Mapping[str, Curves]) -> Chart:
    """The loss of several histories, by name, against points looked at and against time.

    The first step, which records the replay that the others run, is where time begins; a replay is
    compared with its function now and then: its curve waits there.
    Such as `plot_comparison({"GD": history, "SGD": other})`.
    """
    if not histories:
        raise ValueError("plot_comparison expected at least 1 history, got 0")
    for name, history in histories.items():
        _expect_steps(f"plot_comparison of {name!r}", history)
    points, times = list[Sequence[float]](), list[Sequence[float]]()
    for history in histories.values():
        points.append(history.points_seen)
        first, *others = history.elapsed()
        times.append([0.0, *(seconds - first for seconds in others)])
    is_log = is_wide([seen[-1] for seen in points])
    found = [
        ("Loss against points looked at", "points looked at", points, is_log),
        ("Loss against time", "time after the first step (s)", times, False),
    ]
    panels = []
    for title, unit, places, log_across in found:
        marks, heights, notes = list[Mark](), list[float](), list[str]()
        for look, (name, xs) in enumerate(zip(histories, places, strict=True)):
            drawn, reached, words = _curve(xs, histories[name].loss, look, name)
            marks += drawn
            heights += reached
            notes += words
        ends = [x for xs in places for x in (min(xs), max(xs))]
        across = Scale(unit, axis_of(ends, log_across, ACROSS))
        panels.append(Panel(title, across, Scale("loss", _fitting(heights)), marks, notes))
    return Chart(tuple(panels))


def _expect_steps(name: str, history: Curves) -> None:
    if not history.loss:
        raise ValueError(f"{name} expected a history of at least 1 step, got 0")


def _curve(
    xs: Sequence[float], ys: Sequence[float], look: int, name: str
) -> tuple[list[Mark], list[float], list[str]]:
    """One curve, heights to make room for, and what is left out of it.

    A noisy one becomes pale dots under its moving average, which begins where as many steps are
    there as it is of. All dots have room, but the lowest hundredth where it reaches so far down
    that the others would be flat: the name says so.
    """
    marks, start = list[Mark](), list[float]()
    (kept, heights), gone = left_out(xs, ys)
    if gone:
        xs, ys = ([n for n in numbers if n == n] for numbers in (kept, heights))
    way = math.fsum(map(abs, map(sub, islice(ys, 1, None), ys)))
    if len(ys) > 2 * WINDOWS and way > 4 * (max(ys) - min(ys)):
        if len(set(ys)) > 2:  # right or wrong, of single points, would be two bars
            marks.append(Mark("haze", xs, ys, look=look))
        window = len(ys) // WINDOWS
        start = _shown(ys)
        below = "; the lowest dots lie below" if start[0] > min(ys) else ""
        sums = [0.0, *accumulate(ys)]
        ys = [(b - a) / window for a, b in zip(sums, sums[window:], strict=False)]
        xs = xs[window - 1 :]
        name = f"{name} (mean of the last {window} steps){below}"
    marks.append(Mark("line", xs, ys, name, look))
    return marks, [*start, *ys], [f"{name}: {words}" for words in gone]


def _shown(dots: Sequence[float]) -> list[float]:
    """The lowest and the highest dot to make room for."""
    ordered = sorted(dots)
    low = ordered[len(ordered) // 100]
    return [low if ordered[0] * FAR < low else ordered[0], ordered[-1]]


def _fitting(heights: Sequence[float], may_be_log: bool = True) -> Axis:
    """An axis with room for these heights; what else there is may leave the picture."""
    return axis_of(heights, may_be_log and is_wide(heights))
