import itertools
import random
from operator import mul

import pytest

pytest.importorskip("numpy")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.replay.backends.called import NAMES, view
from engine.replay.backends.matmul import contract
from engine.replay.backends.steps import Writer
from engine.replay.views import View, packed

KINDS = ["", "a", "b", "o", "ab", "ao", "bo", "abo"]  # which arrays step along an axis


def run(writer, memories):
    """What the steps do."""
    room = {name: np.full(n, np.nan) for name, n in writer.room.items()}
    memories |= room
    for text, operands in writer.steps:
        arrays = [
            o if isinstance(o, float) else view(memories[o.memory], *o[1:4]) for o in operands
        ]
        exec(
            text.format(*[f"a{k}" for k in range(len(arrays))]),
            {**NAMES, **{f"a{k}": array for k, array in enumerate(arrays)}},
        )


def strided(draw, memory, shape, axes):
    """A view with a stride along some axes: packed in any order, sometimes with gaps."""
    order = list(axes)
    draw.shuffle(order)
    steps = packed(tuple(shape[k] for k in order))
    gap = draw.choice([1, 1, 2])
    strides = dict(zip(order, (gap * step for step in steps), strict=True))
    return View(memory, 3, shape, tuple(strides.get(k, 0) for k in range(len(shape))))


def check(draw, shape, kinds):
    """Contracts arrays of random strides along the axes that `kinds` name, and compares."""
    has = [[k for k, kind in enumerate(kinds) if letter in kind] for letter in "abo"]
    a, b, out = (strided(draw, m, shape, axes) for m, axes in zip("abo", has, strict=True))
    memories = {m: np.random.default_rng(k).normal(size=3000) for k, m in enumerate("abo")}
    writer = Writer()
    contract(writer, a, b, out)
    want = {}  # by place, from a loop of scalars
    for index in np.ndindex(*shape):
        x, y, z = (v.base + sum(map(mul, index, v.strides)) for v in (a, b, out))
        want[z] = want.get(z, 0.0) + memories["a"][x] * memories["b"][y]
    untouched = memories["o"].copy()
    run(writer, memories)
    got = [memories["o"][place] for place in want]
    np.testing.assert_allclose(got, list(want.values()), rtol=1e-12, atol=1e-12)
    untouched[list(want)] = got
    np.testing.assert_array_equal(memories["o"], untouched)


@pytest.mark.some(8)
@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, repeat=3)), ids="-".join)
def test_three_axes_of_every_kind(kinds):
    draw = random.Random(str(kinds))
    check(draw, tuple(draw.randint(2, 4) for _ in kinds), kinds)


@pytest.mark.whole
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from(KINDS)), max_size=5),
    st.randoms(use_true_random=False),
)
def test_many_axes(axes, draw):
    check(draw, tuple(n for n, _ in axes), [kind for _, kind in axes])


@pytest.mark.parametrize("n", [2, 3, 7])
def test_terms_that_do_not_move_are_counted(n):
    """x*x + x*x + ... in every row."""
    writer, memories = Writer(), {"a": np.array([1.0, 2.0, 3.0]), "o": np.zeros(3)}
    a, out = View("a", 0, (3, n), (1, 0)), View("o", 0, (3, n), (1, 0))
    contract(writer, a, a, out)
    run(writer, memories)
    assert memories["o"].tolist() == [n, 4 * n, 9 * n]


@pytest.mark.parametrize(
    ("shape", "a", "b", "out", "calls"),
    [
        ((20, 5, 3), (3, 0, 1), (0, 3, 1), (5, 1, 0), ["np.matmul"]),
        ((20, 5), (5, 1), (0, 1), (1, 0), ["np.dot"]),
        ((20, 5), (1, 0), (0, 1), (5, 1), ["np.dot"]),
        ((20,), (1,), (1,), (0,), ["np.dot"]),
        ((20, 5), (5, 1), (5, 1), (1, 0), ["np.matmul"]),
        ((20, 5), (5, 1), (1, 0), (5, 1), ["np.multiply"]),
        ((7, 4, 3), (1, 0, 1), (0, 3, 1), (4, 1, 0), ["np.copyto", "np.matmul"]),
        (
            (6, 4, 2, 2),
            (8, 0, 3, 1),
            (0, 4, 2, 1),
            (4, 1, 0, 0),
            ["np.copyto", "np.copyto", "np.matmul"],
        ),
    ],
    ids=["layer", "gemv", "outer", "dot", "rows", "scaled", "windows", "patches"],
)
def test_calls_for_what_nets_do(shape, a, b, out, calls):
    writer = Writer()
    contract(writer, *(View(m, 0, shape, s) for m, s in zip("abo", (a, b, out), strict=True)))
    assert [text.split("(")[0] for text, _ in writer.steps] == calls
