"""Decision boundaries: which class a model gives to each point of a plane, with the data on it."""

import math
from array import array
from collections.abc import Callable, Sequence
from itertools import product
from operator import ne
from typing import TYPE_CHECKING, Any

from engine.modes import no_grad
from nn.data import Data, Dataset, Rows, as_dataset, decision, is_apart
from nn.figure import ASIDE, COLOURS, MARKS, finish, new_figure, plain
from nn.rows import EachRow, with_floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = 80  # points along each side of a decision boundary's plane
MOST_DRAWN = 2000  # points of a plane, about: of more rows each k-th of a class


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
    rows some are drawn, and of few numbers points lie on each other, as the title says.
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

    figure = new_figure(1)
    (axes,) = figure.axes
    for k, label in enumerate(decide.labels):
        colour, mark = COLOURS[k % len(COLOURS)], MARKS[k % len(MARKS)]
        lead = [s[k] - max(s[:k] + s[k + 1 :]) for s in scores]
        _region(axes, across, up, lead, colour)
        name = plain(data.classes[k]) if data.classes else str(label)
        here = [xs[i] for i in drawn[label][::every]]
        style = {"c": colour, "marker": mark, "edgecolors": "white", "rasterized": every > 1}
        _points(axes, here, features, name, **style)
    if any(wrong):
        shown = [i for places in drawn.values() for i in places[::every]]
        ringed = [xs[i] for i in shown if wrong[i]]
        name = f"the model is wrong ({sum(wrong)})"
        _points(axes, ringed, features, name, s=110, facecolors="none", edgecolors="black")
    names = [*map(plain, data.features)] or [f"x{i + 1}" for i in range(len(xs[0]))]
    title = f"Decision boundary: {len(xs) - sum(wrong)} of {len(xs)} points right" + (
        f"\n{why}" if why else ""
    )
    places = len({(row[features[0]], row[features[1]]) for row in xs})
    if 2 * places < len(xs):
        title += f"\n(the points lie on {places:,} places, many under others)"
    if every > 1:
        title += f"\n(1 point in {every} of each class is drawn)"
    fixed = [name for i, name in enumerate(names) if i not in features]
    if fixed:
        title += f"\n(background: {_listed(fixed)}\nat the mean; each point has its own)"
    first, second = (names[i] for i in features)
    finish(axes, title, first, second, ASIDE)
    return figure


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


def _listed(names: Sequence[str]) -> str:
    """Names in one short line."""
    return " and ".join(names) if len(names) < 3 else f"the {len(names)} other columns"
