import math
from dataclasses import replace
from itertools import pairwise

import pytest

from engine.functions import dot, logsumexp, pick
from engine.functions import sum as sum_of
from engine.replay.roll import roll
from engine.replay.stretch import FEW, is_line, program_of, stretched
from engine.replay.watch import record
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


W = Value(2.0)


def plus(x, w=W):
    return w * x + w


@pytest.mark.parametrize(
    "f",
    [
        lambda xs: [x * len(xs) for x in xs],
        lambda xs: [x * math.sqrt(2.0) for x in xs],
        lambda xs: list(map(plus, xs)),
        lambda xs: [sum_of(map(plus, xs)) / len(xs), *xs],
        lambda xs: [pick([W] * 200, x) for x in xs],
        lambda xs: [*xs, sum_of([logsumexp([plus(x), -x]) for x in xs])],
    ],
    ids=["its length", "equal", "parameters", "a mean", "picks", "a sum"],
)
@pytest.mark.parametrize("few", [(3, 4), (5, 7)])
@pytest.mark.parametrize("n", [8, 20, 101])
def test_what_grows_evenly_is_the_program_of_that_size(f, few, n):
    found = stretched([mapped(f, k) for k in few], few, n)
    assert found == replace(mapped(f, n), place=())


def test_a_third_program_shows_what_two_do_not():
    def mirror(xs):
        return [x * y for x, y in pairwise([*xs, *xs[::-1]])]

    few = {k: mapped(mirror, k) for k in FEW}
    assert stretched([few[3], few[4]], (3, 4), 20) != replace(mapped(mirror, 20), place=())
    assert program_of(few, 20) is None
    assert program_of({k: mapped(lambda xs: list(map(plus, xs)), k) for k in FEW}, 20) is not None


@pytest.mark.parametrize(
    "f",
    [
        lambda xs: [x.exp() if k % 3 else x.tanh() for k, x in enumerate(xs)],
        lambda xs: [x * (1 / len(xs)) for x in xs],
        lambda xs: [x * xs[k**2 % len(xs)] for k, x in enumerate(xs)],
        lambda xs: xs[::-1],
        lambda xs: [x for x in xs if x > 2.5],
        lambda xs: [plus(x, Value(k + 0.5)) for k, x in enumerate(xs)],
        lambda xs: [pick([W] * (k + 2), xs[0]) for k, x in enumerate(xs)],
    ],
    ids=["every third", "a share", "a table", "backwards", "a guard", "its own", "limits"],
)
@pytest.mark.parametrize("few", [(3, 4), (5, 7)])
def test_what_does_not_grow_evenly_is_refused(f, few):
    assert stretched([mapped(f, k) for k in few], few, 20) is None


@pytest.mark.parametrize(
    ("three", "four", "twenty"),
    [
        ((0, 2, 1), (0, 2, 1), (0, 2, 1)),  # the same for all rows
        ((9, 7, 5), (9, 7, 5, 3), tuple(range(9, -31, -2))),
        ((0, 1, 2, 3, 4, 5), tuple(range(8)), tuple(range(40))),  # two for each row
        ((0, 1, 2, 3, 4, 5), tuple(range(9)), None),
        ((0, 1, 2, 3), tuple(range(4, 9)), None),
        ((9, 7, 5), (9, 6, 3, 0), None),
    ],
)
def test_a_table_grows_by_even_steps(three, four, twenty):
    programs = []
    for n, table in ((3, three), (4, four)):
        program = mapped(lambda xs: [x.exp() for x in xs], n)
        (loop,) = program.loops
        x = loop.scalars[0]._replace(table=table)
        programs.append(replace(program, loops=(replace(loop, scalars=(x,)),)))
    found = stretched(programs, (3, 4), 20)
    assert (found and found.loops[0].scalars[0].table) == twenty


@pytest.mark.parametrize(
    ("points", "want"),
    [
        ([(1, 5), (3, 9), (4, 11), (10, 23)], True),
        ([(1, 5), (3, 9), (4, 12)], False),
        ([(1, 5), (3, 9), (4, 11), (10, 22)], False),
        ([(2, 7), (5, 7), (9, 7)], True),
        ([(2, 7), (5, 7), (9, 8)], False),
        ([(-3, 6), (-1, 2), (4, -8)], True),
        ([(1, 5), (3, 9)], True),
    ],
)
def test_points_on_a_line(points, want):
    assert is_line(points) is want
