"""Figures of training: curves, one way of training against another, decision boundaries.

Each function returns a matplotlib Figure of its own that needs no screen: a notebook shows it,
`figure.savefig("curves.svg")` writes it.
"""

import io
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import accumulate, pairwise, product
from operator import ne
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.modes import no_grad
from engine.pictures.texts import visible
from nn.data import Data, Dataset, Rows, as_dataset, decision, is_apart
from nn.rows import EachRow, with_floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart. Each has its own mark and
# line too, so that nothing depends on colour alone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "^", "s", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
GRID = 80  # points along each side of a decision boundary's plane
WINDOWS = 20  # a noisy curve is averaged over one part in so many of its length
MOST_CORNERS = 1000  # of a curve, so that the file of a long training stays small
MOST_DRAWN = 2000  # points of a plane, about: of more rows each k-th of a class
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
    figure = _new_figure(len(panels))
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
        _finish(axes, title, "step", unit)
    _level_titles(figure)
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
    figure = _new_figure(2)
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
    _finish(by_points, "Loss against points looked at", "points looked at", "loss")
    _finish(by_time, "Loss against time", "time after the first step (s)", "loss")
    _level_titles(figure)
    return figure


def plot_decision_boundary(
    model: Callable[[Any], Any],
    data: Data,
    *,
    features: tuple[int, int] = (0, 1),
    scaler: Callable[[Rows], Rows] | None = None,
    threshold: float | None = None,
) -> "Figure":
    """Which class the model gives to each point of a plane, with the data on it.

    `features` are the two columns that span the plane; the others stand at their mean. With
    `scaler` (from `standardise`) data and axes keep their own units, and the model gets scaled
    rows. A single output changes class at `threshold`: halfway between the two targets unless
    given (0 for `binary_cross_entropy`). Points that the model puts in the wrong class are ringed.
    It judges each by all of its columns: one may lie on another class's background and be right.

    Raises ValueError where targets are amounts, or `features` are not two columns of the data.
    """
    whole = as_dataset(data)
    xs = whole.xs
    if len(set(features)) != 2 or not all(0 <= i < len(xs[0]) for i in features):
        raise ValueError(
            f"features expected two of the columns 0 to {len(xs[0]) - 1}, got {features}"
        )
    each = EachRow(model)

    def outputs(rows: Rows) -> list[Any]:
        with no_grad():
            return each(with_floats(model, scaler(rows) if scaler else rows))

    means = [math.fsum(column) / len(xs) for column in zip(*xs, strict=True)]
    return boundary(whole, means, features, outputs(xs), outputs, threshold)


def boundary(
    data: Dataset,
    means: Sequence[float],
    features: tuple[int, int],
    predicted: Sequence[Any],
    outputs: Callable[[Rows], Sequence[Any]],
    threshold: float | None = None,
    why: str = "",
) -> "Figure":
    """The same of what a model gives for the rows of the data, and for any others.

    `means` are those of its columns; `why` says in the title why it shows these two. Of very many
    rows some are drawn, as the title says.
    """
    xs = data.xs
    decide = decision(data.ys, predicted[0], threshold)
    if decide is None:
        raise ValueError("a decision boundary expected targets that are classes, got amounts")
    labels = list(map(decide.label_of, data.ys))
    wrong = list(map(ne, decide.labels_of(predicted), labels))
    across, up = (_ticks([row[i] for row in xs]) for i in features)
    every = math.ceil(len(xs) / MOST_DRAWN)
    drawn = {label: list[int]() for label in decide.labels}
    for k, label in enumerate(labels):
        drawn[label].append(k)
    scores = [decide.scores(output) for output in outputs(_plane(means, features, across, up))]

    figure = _new_figure(1)
    (axes,) = figure.axes
    for k, label in enumerate(decide.labels):
        colour, mark = COLOURS[k % len(COLOURS)], MARKS[k % len(MARKS)]
        lead = [s[k] - max(s[:k] + s[k + 1 :]) for s in scores]
        _region(axes, across, up, lead, colour)
        name = _plain(data.classes[k]) if data.classes else str(label)
        here = [xs[i] for i in drawn[label][::every]]
        style = {"c": colour, "marker": mark, "edgecolors": "white", "rasterized": every > 1}
        _points(axes, here, features, name, **style)
    if any(wrong):
        shown = [i for places in drawn.values() for i in places[::every]]
        ringed = [xs[i] for i in shown if wrong[i]]
        name = f"the model is wrong ({sum(wrong)})"
        _points(axes, ringed, features, name, s=110, facecolors="none", edgecolors="black")
    names = [*map(_plain, data.features)] or [f"x{i + 1}" for i in range(len(xs[0]))]
    title = f"Decision boundary: {len(xs) - sum(wrong)} of {len(xs)} points right" + (
        f"\n{why}" if why else ""
    )
    if every > 1:
        title += f"\n(1 point in {every} of each class is drawn)"
    fixed = [name for i, name in enumerate(names) if i not in features]
    if fixed:
        title += f"\n(background: {_listed(fixed)}\nat the mean; each point has its own)"
    first, second = (names[i] for i in features)
    _finish(axes, title, first, second, ASIDE)
    return figure


def write_svg(figure: "Figure", path: Path) -> None:
    """The figure as `savefig` writes it, which draws it twice."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(figure).print_svg(path)  # type: ignore[no-untyped-call]


# --- curves -----------------------------------------------------------------------------------


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


# --- planes -----------------------------------------------------------------------------------


def _ticks(numbers: Sequence[float]) -> list[float]:
    """GRID numbers from a little below the lowest to a little above the highest."""
    low, high = min(numbers), max(numbers)
    if not is_apart(low, high):
        high = low
    margin = 0.08 * (high - low) or max(1.0, 1e-6 * abs(low))
    step = (high - low + 2 * margin) / (GRID - 1)
    return [low - margin + step * i for i in range(GRID)]


def _plane(
    means: Sequence[float],
    features: tuple[int, int],
    across: Sequence[float],
    up: Sequence[float],
) -> Rows:
    """Rows of the data's means, with the two features at each point of the grid, line by line."""
    first, second = features
    rows = [list(means) for _ in range(len(up) * len(across))]
    for row, (y, x) in zip(rows, product(up, across), strict=True):
        row[first], row[second] = x, y
    return rows


def _region(
    axes: "Axes", across: list[float], up: list[float], lead: list[float], colour: str
) -> None:
    """Tints where a class leads, and draws a line around it."""
    most = max(lead)
    lines = [lead[i : i + GRID] for i in range(0, len(lead), GRID)]
    if most > 0:
        axes.contourf(across, up, lines, levels=[0, most], colors=[colour], alpha=0.2)
    if most > 0 > min(lead):
        axes.contour(across, up, lines, levels=[0], colors="#444444", linewidths=0.8)


def _points(axes: "Axes", rows: Rows, features: tuple[int, int], name: str, **style: Any) -> None:
    columns = (array("d", [row[i] for row in rows]) for i in features)  # lists take long
    look = {"s": 32, "linewidths": 0.8, "zorder": 3, **style}
    axes.scatter(*columns, label=name, **look)


# --- figures ----------------------------------------------------------------------------------


@cache
def _figure_class() -> type["Figure"]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install matplotlib") from None

    class ShownFigure(Figure):
        """A Figure that a notebook shows without pyplot."""

        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=100)
            return picture.getvalue()

    return ShownFigure


def _new_figure(panels: int) -> "Figure":
    width = 7.2 if panels == 1 else 4.6 * panels
    figure = _figure_class()(figsize=(width, 4.2), layout="constrained")
    figure.subplots(1, panels)
    return figure


def _plain(text: str) -> str:
    """A text of the data for matplotlib, which reads what stands between two dollars as maths.

    It leaves a name that begins with _ out of a legend: such a one stands in quotes.
    """
    shown = visible(text).replace("$", r"\$")
    return repr(shown) if shown.startswith("_") else shown


def _listed(names: Sequence[str]) -> str:
    """Names in one short line."""
    return " and ".join(names) if len(names) < 3 else f"the {len(names)} other columns"


def _height_above(axes: "Axes") -> int:
    """The points that a legend above takes."""
    names, _ = axes.get_legend_handles_labels()
    return 14 + 15 * len(names)


def _level_titles(figure: "Figure") -> None:
    """Puts the titles of panels side by side at one height, above the tallest legend."""
    pad = max(map(_height_above, figure.axes))
    for axes in figure.axes:
        axes.set_title(axes.get_title(), pad=pad)


ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
ASIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)}


def _finish(axes: "Axes", title: str, across: str, up: str, legend: dict[str, Any] = ABOVE) -> None:
    """Titles, axes, and a legend that covers no data."""
    axes.set_title(title, pad=_height_above(axes) if legend is ABOVE else 6)
    axes.set(xlabel=across, ylabel=up)
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=6)  # so that numbers of five digits do not touch
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, **legend)
