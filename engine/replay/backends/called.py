"""What the generated calls of NumPy find by name: NumPy, and the little that it lacks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ieee import FUNCTIONS, fsum, logsumexp
from engine.op import CAREFUL
from engine.replay.views import Lengths, Strides

ROWS = 16  # up to here their sums are correctly rounded


def total(x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """The sum of each row, as exact as `fsum` or nearly so."""
    if len(x) <= ROWS:
        out[...] = [fsum(row) for row in x.tolist()]
        return
    sums, lost = x, np.zeros(len(x))
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        a, b, odd = sums[:, :half], sums[:, half : 2 * half], sums[:, 2 * half :]
        s = a + b
        part = s - a
        lost += ((a - (s - part)) + (b - part)).sum(axis=1)  # what rounding took from a + b
        sums = np.concatenate([s, odd], axis=1)
    np.add(sums[:, 0], lost, out=out)
    wild = ~np.isfinite(out)
    if wild.any():
        out[wild] = x[wild].sum(axis=1)


def view(memory: Any, base: int, shape: Lengths, strides: Strides) -> NDArray[Any]:
    """An array laid over a memory."""
    dtype = np.dtype(getattr(memory, "dtype", float))
    steps = [step * dtype.itemsize for step in strides]
    return np.ndarray(shape, dtype, memory, base * dtype.itemsize, steps)


def row_places(
    index: NDArray[np.float64], rows: int, first: NDArray[np.intp], step: int, out: NDArray[np.intp]
) -> None:
    """Where the rows stand that indices name, `step` from one row to the next; see `row_of`."""
    place = np.where(index < 0, index + rows, index)
    place[~((place >= 0) & (place < rows))] = 0
    np.copyto(out, place, casting="unsafe")
    out *= step
    out += first


def _elementwise(f: Callable[[float], float]) -> Callable[..., None]:
    def function(x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
        out[...] = np.reshape([f(v) for v in x.ravel().tolist()], x.shape)

    return function


NAMES: dict[str, Any] = {
    "np": np,
    "view": view,
    "total": total,
    "row_places": row_places,
    **{name: _elementwise(FUNCTIONS[name]) for name in ("erf", "erfc", "lgamma")},
    "LARGEST": sys.float_info.max,
    "ieee": SimpleNamespace(**CAREFUL, fsum=fsum, logsumexp=logsumexp),
}
