"""Scales columns to mean 0 and standard deviation 1, and other rows in the same way."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nn.dataset import Columns, Data, Dataset, Rows, as_dataset, by_rows, is_apart, picked
from nn.progress import collector_paused


@dataclass(frozen=True)
class Scaler:
    """`(x - mean) / scale`, column by column. Call it with new rows.

    >>> Scaler(means=(2.0, 7.0), scales=(1.0, 2.0))([[5.0, 8.0]])
    [[3.0, 0.5]]
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]

    @collector_paused()
    def __call__(self, xs: Sequence[Sequence[float]]) -> Rows:
        """The rows, scaled; ValueError for a row of another length."""
        width, lengths = len(self.means), list(map(len, xs))
        if lengths.count(width) < len(lengths):
            i, length = next((i, n) for i, n in enumerate(lengths) if n != width)
            raise ValueError(f"row {i} expected {width} numbers, got {length}")
        return by_rows(self.columns(zip(*xs, strict=True))) if xs and width else [[] for _ in xs]

    def columns(self, columns: Iterable[Sequence[float]]) -> Rows:
        """The same of columns."""
        known = zip(columns, self.means, self.scales, strict=True)
        return [[(x - mean) / scale for x in column] for column, mean, scale in known]


def _scale(column: Sequence[float]) -> tuple[float, float]:
    """Its mean and its scale."""
    least, most = min(column), max(column)
    is_constant = least == most and math.isfinite(least)
    try:
        mean = column[0] if is_constant else math.fsum(column) / len(column)
    except OverflowError:
        mean = math.inf
    scale = math.hypot(*[x - mean for x in column]) / math.sqrt(len(column))
    if not math.isfinite(scale):
        raise ValueError(
            f"standardise expected smaller numbers, got a column from {least:g} to {most:g}: "
            "its sum or its spread is too large for a float"
        )
    return mean, scale if is_apart(least, most) else 1.0


def alike(xs: Rows, places: Sequence[int] = (), columns: Columns = ()) -> tuple[Scaler, Rows]:
    """What gives rows the mean 0 and the standard deviation 1, and their columns, scaled by it.

    With `places` the rows there alone say by what all are scaled. `columns` are those of the rows,
    where they are at hand. Raises as `standardise`.
    """
    try:
        columns = columns or list(zip(*xs, strict=True))
        known = picked(columns, places) if places else columns
        means, scales = zip(*map(_scale, known), strict=True)
        scaler = Scaler(means, scales)
        return scaler, scaler.columns(columns)
    except (TypeError, ValueError, OverflowError):
        _refuse_rows([xs[k] for k in places] if places else xs)
        raise


def standardise(data: Data) -> tuple[Dataset, Scaler]:
    """Rows with mean 0 and standard deviation 1 in each column, and how to do it to new rows.

    A constant column becomes 0, and one whose numbers differ by no more than rounding keeps the
    scale 1. Raises ValueError for rows that are none, and for numbers that are not finite, or too
    large.

    >>> scaled, scaler = standardise(([[1.0, 7.0], [3.0, 7.0]], [0, 1]))
    >>> scaled.xs, scaler([[5.0, 8.0]])
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 1.0]])
    """
    whole = as_dataset(data)
    with collector_paused():
        scaler, columns = alike(whole.xs)
        return replace(whole, xs=by_rows(columns)), scaler


def _refuse_rows(xs: Sequence[Any]) -> None:
    """ValueError for what is no row of finite numbers, if there is one."""
    for i, row in enumerate(xs):
        if not hasattr(row, "__len__") or isinstance(row, str):
            raise ValueError(
                f"standardise expected rows, lists of numbers, got {row!r:.60} in xs[{i}]"
            )
        for j, x in enumerate(row):
            if not is_finite(x):
                raise ValueError(
                    f"standardise expected finite numbers, got {x!s:.60} in xs[{i}][{j}]"
                )


def is_finite(x: Any) -> bool:
    """Whether it is a finite number."""
    try:
        return math.isfinite(x)
    except (TypeError, OverflowError):
        return False
