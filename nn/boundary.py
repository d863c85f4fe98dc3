"""Decision boundaries: which class a model gives to each point of a plane, with the data on it."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from operator import ne
from typing import Any

from engine.modes import no_grad
from nn.axis import axis_of
from nn.chart import GRID, MAP, grid, joined
from nn.contour import areas, contour
from nn.data import Data, Dataset, Rows, as_dataset, decision
from nn.document import Chart, for_charts
from nn.mark import Mark
from nn.panel import Panel, Scale
from nn.rows import EachRow, with_floats

MARGIN = 0.08  # of the data's range, at each end
MOST_LEAD = 1e300
MOST_DRAWN = 2000  # points of a plane, about: of more rows each k-th of a class


@for_charts
def plot_decision_boundary(
    model: Callable[[Any], Any],
    data: Data,
    *,
    features: tuple[int, int] = (0, 1),
    scaler: Callable[[Rows], Rows] | None = None,
    threshold: float | None = None,
) -> Chart:
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
) -> Chart:
    """The same of what a model gives for the rows of the data, and for any others.

    `means` are those of its columns; `why` says below why it shows these two. Of very many rows
    some are drawn, and of few numbers points lie on each other, as notes below say.
    """
    xs = data.xs
    decide = decision(data.ys, predicted[0], threshold)
    if decide is None:
        raise ValueError("a decision boundary expected targets that are classes, got amounts")
    labels = list(map(decide.label_of, data.ys))
    wrong = list(map(ne, decide.labels_of(predicted), labels))
    axes = [axis_of([row[i] for row in xs], margin=MARGIN) for i in features]
    across, up = (grid(axis.low, axis.high) for axis in axes)
    every = math.ceil(len(xs) / MOST_DRAWN)
    drawn = {label: list[int]() for label in decide.labels}
    for k, label in enumerate(labels):
        drawn[label].append(k)
    scores = [decide.scores(output) for output in outputs(_plane(means, features, across, up))]

    def at(places: Sequence[int]) -> tuple[list[float], list[float]]:
        first, second = features
        return [xs[k][first] for k in places], [xs[k][second] for k in places]

    regions, points = list[Mark](), list[Mark]()
    for k, label in enumerate(decide.labels):
        regions += _region(across, up, [_lead(score, k) for score in scores], k)
        name = data.classes[k] if data.classes else str(label)
        points.append(Mark("dots", *at(drawn[label][::every]), name, k))
    if any(wrong):
        ringed = [k for places in drawn.values() for k in places[::every] if wrong[k]]
        points.append(Mark("rings", *at(ringed), f"the model is wrong ({sum(wrong)})"))
    notes = [why] if why else []
    places = len({(row[features[0]], row[features[1]]) for row in xs})
    if 2 * places < len(xs):
        notes.append(f"the points lie on {places:,} places, many under others")
    if every > 1:
        notes.append(f"1 point in {every} of each class is drawn")
    names = data.features or tuple(f"x{i + 1}" for i in range(len(xs[0])))
    fixed = [name for i, name in enumerate(names) if i not in features]
    if fixed:
        notes.append(f"background: {_listed(fixed)} at the mean; each point has its own")
    first, second = (Scale(names[i], axis) for i, axis in zip(features, axes, strict=True))
    title = f"Decision boundary: {len(xs) - sum(wrong)} of {len(xs)} points right"
    return Chart((Panel(title, first, second, [*regions, *points], notes, MAP),))


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


def _lead(scores: Sequence[float], k: int) -> float:
    """By how much class k is ahead of the next; 0 where nobody can say."""
    lead = scores[k] - max(score for i, score in enumerate(scores) if i != k)
    return 0.0 if math.isnan(lead) else min(max(lead, -MOST_LEAD), MOST_LEAD)


def _region(
    across: Sequence[float], up: Sequence[float], lead: Sequence[float], look: int
) -> list[Mark]:
    """Where a class leads, and the line around it."""
    rows = [lead[i : i + GRID] for i in range(0, len(lead), GRID)]
    return [
        joined("areas", areas(across, up, rows, 0.0), look),
        joined("edges", contour(across, up, rows, 0.0)),
    ]


def _listed(names: Sequence[str]) -> str:
    """Names in one short line."""
    return " and ".join(names) if len(names) < 3 else f"the {len(names)} other columns"
