import random
from collections import Counter

import pytest

pytest.importorskip("numpy")

import numpy as np

from engine.backends.called import NAMES, view
from engine.backends.matmul import contract
from engine.backends.steps import Writer
from engine.backends.strides import View, packed


def run(writer, memories):
    """What the steps do."""
    room = {name: np.full(n, np.nan) for name, n in writer.room.items()}
    memories |= room
    for text, operands in writer.steps:
        arrays = [view(memories[o.memory], *o[1:]) for o in operands]
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


@pytest.mark.parametrize("seed", range(400))
def test_contractions_of_every_kind(seed):
    draw = random.Random(seed)
    shape = tuple(draw.randint(2, 4) for _ in range(draw.randint(0, 5)))
    kinds = [draw.choice(["a", "b", "o", "ab", "ao", "bo", "abo", "ao", "bo", "ab"]) for _ in shape]
    has = [[k for k, kind in enumerate(kinds) if letter in kind] for letter in "abo"]
    a, b, out = (strided(draw, m, shape, axes) for m, axes in zip("abo", has, strict=True))
    memories = {m: np.random.default_rng(seed + k).normal(size=3000) for k, m in enumerate("abo")}
    writer = Writer(Counter())
    contract(writer, a, b, out)
    summed = tuple(k for k in range(len(shape)) if k not in has[2])
    products = view(memories["a"], *a[1:]) * view(memories["b"], *b[1:])
    # axes that neither factor has and that are summed over do not count
    absent = [shape[k] for k in summed if kinds[k] == ""]
    want = products.sum(axis=summed) / np.prod(absent or [1])
    untouched = memories["o"].copy()
    run(writer, memories)
    np.testing.assert_allclose(
        view(memories["o"], *out.along(out.own)[1:]), want, rtol=1e-12, atol=1e-12
    )
    view(memories["o"], *out.along(out.own)[1:])[...] = view(untouched, *out.along(out.own)[1:])
    np.testing.assert_array_equal(memories["o"], untouched)


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
    writer = Writer(Counter())
    contract(writer, *(View(m, 0, shape, s) for m, s in zip("abo", (a, b, out), strict=True)))
    assert [text.split("(")[0] for text, _ in writer.steps] == calls
