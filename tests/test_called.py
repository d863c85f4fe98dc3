import math
import random

import pytest

pytest.importorskip("numpy")

import numpy as np

from engine.ieee import fsum
from engine.replay.backends.called import NAMES, ROWS, total, view


@pytest.mark.parametrize("rows", [1, ROWS, ROWS + 1, 100])
@pytest.mark.parametrize("terms", [1, 2, 3, 7, 64, 101])
def test_total_is_nearly_the_correctly_rounded_sum(rows, terms):
    draw = random.Random(rows * terms)
    x = np.array(
        [
            [draw.uniform(-1, 1) * 10 ** draw.randint(-3, 9) for _ in range(terms)]
            for _ in range(rows)
        ]
    )
    x[:, 0] -= x.sum(axis=1)  # so that nearly all of it cancels
    out = np.empty(rows)
    total(x, out=out)
    for got, row in zip(out.tolist(), x.tolist(), strict=True):
        largest = max(map(abs, row))
        assert abs(got - fsum(row)) <= math.ulp(fsum(row)) + 1e-28 * largest * terms


@pytest.mark.parametrize("rows", [1, ROWS + 1])
@pytest.mark.parametrize(
    ("row", "want"),
    [
        ([math.inf, 1.0, 2.0], math.inf),
        ([1.0, -math.inf, 2.0], -math.inf),
        ([math.inf, 1.0, -math.inf], math.nan),
        ([math.nan, 1.0, 2.0], math.nan),
        ([1e308, 1e308, 1.0], math.inf),
    ],
)
def test_total_of_what_is_not_finite(rows, row, want):
    out = np.empty(rows)
    with np.errstate(all="ignore"):
        total(np.array([row] * rows), out=out)
    assert out.tolist() == pytest.approx([want] * rows, nan_ok=True)


@pytest.mark.parametrize("name", ["erf", "erfc"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_erf_of_each_number(name, shape):
    x = np.linspace(-3, 3, int(np.prod(shape))).reshape(shape)
    out = np.empty(shape)
    NAMES[name](x, out=out)
    assert out.ravel().tolist() == [getattr(math, name)(v) for v in x.ravel().tolist()]


def test_a_view_shares_its_memory():
    memory = np.arange(12.0)
    part = view(memory, 1, (2, 3), (5, 2))
    assert part.tolist() == [[1, 3, 5], [6, 8, 10]]
    part[1, 1] = -1
    assert memory[8] == -1
