"""Figures of training: curves, one way of training against another, decision boundaries.

Each function returns a matplotlib Figure of its own that needs no screen: a notebook shows it,
`figure.savefig("curves.svg")` writes it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Protocol

from nn.boundary import plot_decision_boundary
from nn.data import is_apart
from nn.figure import COLOURS, LINES, finish, level_titles, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_comparison", "plot_decision_boundary", "plot_history"]

WINDOWS = 20  # a noisy curve is averaged over one part in so many of its length
MOST_CORNERS = 1000  # of a curve, so that the file of a long training stays small
FAR = 10.0  # times lower than nearly all dots: so far down they would flatten the others
LOG_FROM = 20.0  # an axis whose ends differ by this factor is logarithmic


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


def plot_history(history: Curves) -> "Figure":
    """Loss, accuracy (where targets are classes) and length of the gradient at each step.

    A noisy curve becomes pale dots, under the mean of the last n steps from where n are there. A
    vertical line marks the step whose weights an early stop kept.
    """
    _expect_steps("plot_history", history)
    percent, percent_held_out = (
        [None if share is None else 100 * share for share in shares]
        for shares in (history.accuracy, history.validation_accuracy)
    )
    panels: list[tuple[str, str, Sequence[float | None], Sequence[float | None]]] = [
        ("Loss", "loss", history.loss, history.validation_loss),
        ("Accuracy", "points in the right class (%)", percent, percent_held_out),
        ("Gradient", "length of the gradient", history.gradient_norm, ()),
    ]
    panels = [panel for panel in panels if any(y is not None for y in panel[2])]
    figure = new_figure(len(panels))
    steps = range(1, len(history.loss) + 1)
    for axes, (title, unit, training, held_out) in zip(figure.axes, panels, strict=True):
        heights = _curve(axes, steps, [y for y in training if y is not None], 0, "training")
        looks = [(x, y) for x, y in zip(steps, held_out, strict=False) if y is not None]
        if looks:
            shown = looks[:: math.ceil(len(looks) / MOST_CORNERS)]
            axes.plot(*zip(*shown, strict=True), LINES[1], color=COLOURS[1], label="validation")
            heights += [y for _, y in looks]
        if title != "Accuracy":
            _fit_height(axes, heights)
        if history.kept is not None:
            name = f"weights kept: step {history.kept + 1:,}"
            axes.axvline(history.kept + 1, color=COLOURS[2], linestyle=LINES[3], label=name)
        finish(axes, title, "step", unit)
    level_titles(figure)
    return figure


def plot_comparison(histories: Mapping[str, Curves]) -> "Figure":
    """The loss of several histories, by name, against points looked at and against time.

    The first step, which records the replay that the others run, is where time begins; a replay is
    compared with its function now and then: its curve waits there.
    Such as `plot_comparison({"GD": history, "SGD": other})`.
    """
    if not histories:
        raise ValueError("plot_comparison expected at least 1 history, got 0")
    for name, history in histories.items():
        _expect_steps(f"plot_comparison of {name!r}", history)
    figure = new_figure(2)
    by_points, by_time = figure.axes
    points, times = [], []
    heights: list[list[float]] = [[], []]
    for i, (name, history) in enumerate(histories.items()):
        points.append(history.points_seen)
        first, *others = history.elapsed()
        times.append([0.0, *(seconds - first for seconds in others)])
        heights[0] += _curve(by_points, points[-1], history.loss, i, name)
        heights[1] += _curve(by_time, times[-1], history.loss, i, name)
    _log_if_wide(by_points.set_xscale, [seen[-1] for seen in points])
    _fit_height(by_points, heights[0])
    _fit_height(by_time, heights[1])
    finish(by_points, "Loss against points looked at", "points looked at", "loss")
    finish(by_time, "Loss against time", "time after the first step (s)", "loss")
    level_titles(figure)
    return figure


def _expect_steps(name: str, history: Curves) -> None:
    if not history.loss:
        raise ValueError(f"{name} expected a history of at least 1 step, got 0")


def _curve(
    axes: "Axes", xs: Sequence[float], ys: Sequence[float], i: int, name: str
) -> list[float]:
    """One curve; a noisy one as pale dots under its moving average. The heights to make room for.

    The average begins where as many steps are there as it is of. All dots have room, but the
    lowest hundredth where it reaches so far down that the others would be flat: the name says so.
    """
    colour, line = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
    way, start = math.fsum(abs(b - a) for a, b in pairwise(ys)), list[float]()
    if len(ys) > 2 * WINDOWS and way > 4 * (max(ys) - min(ys)):
        dots = ys
        if len(set(ys)) > 2:  # right or wrong, of single points, would be two bars
            axes.plot(xs, ys, ".", color=colour, alpha=0.3, markersize=2, rasterized=True)
        window = len(ys) // WINDOWS
        start = _shown(ys)
        sums = [0.0, *accumulate(ys)]
        ys = [(b - a) / window for a, b in zip(sums, sums[window:], strict=False)]
        xs = xs[window - 1 :]
        name = f"{name} (mean of the last {window} steps)"
        name += "; the lowest dots lie below" * (start[0] > min(dots))
    stride = math.ceil(len(ys) / MOST_CORNERS)
    axes.plot(xs[::stride], ys[::stride], line, color=colour, linewidth=1.8, label=name)
    return [*start, *ys[::stride]]


def _shown(dots: Sequence[float]) -> list[float]:
    """The lowest and the highest dot to make room for."""
    ordered = sorted(dots)
    low = ordered[len(ordered) // 100]
    return [low if ordered[0] * FAR < low else ordered[0], ordered[-1]]


def _fit_height(axes: "Axes", heights: Sequence[float]) -> None:
    """Makes room for these heights; what else there is may leave the picture."""
    low, high = min(heights), max(heights)
    if _log_if_wide(axes.set_yscale, heights):
        axes.set_ylim(low / 1.5, high * 1.5)
    elif is_apart(low, high):
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _log_if_wide(set_scale: Callable[[str], object], numbers: Sequence[float]) -> bool:
    wide = min(numbers) > 0 and max(numbers) / min(numbers) > LOG_FROM
    if wide:
        set_scale("log")
    return wide
