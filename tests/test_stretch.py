from dataclasses import replace
from itertools import pairwise

import pytest

from engine.functions import dot
from engine.roll import roll
from engine.stretch import stretched
from engine.tape import record
from engine.value import Value
from nn.optim import SGD, Adam, AdamW

OPTIMIZERS = [
    *((SGD, {"lr": 0.1, **more}) for more in (
        {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"momentum": 0.5, "dampening": 0.25}, {"weight_decay": 0.5},
    )),
    (Adam, {}), (Adam, {"weight_decay": 0.1}), (AdamW, {}),
]  # fmt: skip


def moved(kind, options, n):
    """The program of an optimizer's arithmetic for n parameters."""
    optimizer = kind([Value(1.0)], **options)
    ps, gs, *memory = ([Value(1.0) for _ in range(n)] for _ in range(2 + len(kind.MEMORY)))
    rates = list(map(Value, optimizer.rates(3)))
    with record() as seen:
        columns = optimizer.moved(ps, gs, memory, rates)
        size = dot(gs, gs)
    flat = [*ps, *gs, *(x for column in memory for x in column), *rates]
    return roll(seen.tape(flat, [*(x for column in columns for x in column), size]))


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
@pytest.mark.parametrize("size", [8, 101])
def test_a_stretched_program_is_the_one_of_that_size(kind, options, size):
    few = 5, 7
    found = stretched([moved(kind, options, n) for n in few], few, size)
    assert found == replace(moved(kind, options, size), place=())


def mapped(f, n):
    xs = [Value(k + 1.0) for k in range(n)]
    with record() as seen:
        ys = f(xs)
    return roll(seen.tape(xs, ys))


@pytest.mark.parametrize(
    "f",
    [
        lambda xs: [x * y for x, y in pairwise([*xs, *xs[::-1]])],
        lambda xs: [x.exp() if k % 3 else x.tanh() for k, x in enumerate(xs)],
        lambda xs: [x * len(xs) for x in xs],
        lambda xs: [x * xs[k**2 % len(xs)] for k, x in enumerate(xs)],
        lambda xs: xs[::-1],
        lambda xs: [x for x in xs if x > 2.5],
    ],
    ids=["mirror", "every third", "its length", "a table", "backwards", "a guard"],
)
def test_what_does_not_grow_evenly_is_refused(f):
    assert stretched([mapped(f, 5), mapped(f, 7)], (5, 7), 20) is None


def test_parameters_are_refused():
    w = Value(2.0)
    programs = [mapped(lambda xs: [w * x for x in xs], n) for n in (5, 7)]
    assert stretched(programs, (5, 7), 20) is None
