import dataclasses
import math
from itertools import product

import pytest
from graphs import GRAPHS, digits, flat, moons, numbers, random_graphs, recorded, rows, total
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import engine
from engine import formula
from engine.functions import dot, logsumexp
from engine.op import PLAIN
from engine.ops import OPS, PICK
from engine.replay.roll import Program, Rolled, _cut, _nests, roll
from engine.replay.tape import Guard
from engine.replay.views import View
from engine.replay.watch import record
from engine.value import Value

quick = settings(max_examples=200)
EXACT = ("add", "add", "sub", "mul", "mul", "neg", "relu", "max", "dot", "sum")


# --- a program run in plain Python --------------------------------------------


def operands(loop: Rolled):
    """For each row the places of its scalars, and of its vectors."""
    terms = math.prod(loop.terms)
    scalars = [view.places() for view in loop.scalars]
    vectors = [view.places() for view in loop.vectors]
    for row in range(loop.rows):
        yield [s[row] for s in scalars], [v[row * terms : (row + 1) * terms] for v in vectors]


def computed(op, scalars, vectors):
    if op.name in ("add", "dot") and vectors:
        return sum([*scalars, *map(math.prod, zip(*vectors, strict=True))])
    if op is PICK:
        return vectors[0][int(scalars[0])]
    return op(*scalars, *(x for vector in vectors for x in vector))


def slopes(op, scalars, vectors, z):
    """The partials of scalars, and of vectors."""
    if op.name == "dot":
        return [1.0] * len(scalars), vectors[::-1]
    if op is PICK:
        taken = range(len(vectors[0]))[int(scalars[0])]
        return [0.0], [[float(k == taken) for k in range(len(vectors[0]))]]
    if op.many or vectors:
        return [], [[math.exp(x - z) if op is OPS["logsumexp"] else 1.0 for x in vectors[0]]]
    names = {**PLAIN, **OPS, **dict(zip("xy", scalars, strict=False)), "z": z}
    return [eval(formula.plain(partial), names) for partial in op.partials], []


def interpreted(program: Program, leaves, seeds):
    """The outputs and the gradients of the leaves."""
    values = [*program.constants, *leaves]
    for loop in program.loops:
        assert loop.out == len(values)
        values += [
            computed(loop.op, [values[p] for p in s], [[values[p] for p in v] for v in vs])
            for s, vs in list(operands(loop))
        ]
    assert len(values) == program.size
    adjoints = [0.0] * len(values)
    for place, seed in zip(program.outputs, seeds, strict=True):
        adjoints[place] += seed
    for loop in reversed(program.loops):
        for row, (s, vs) in enumerate(operands(loop), loop.out):
            at = [values[p] for p in s], [[values[p] for p in v] for v in vs]
            ds, dvs = slopes(loop.op, *at, values[row])
            columns = [*([p] for p in s), *vs], [*([d] for d in ds), *dvs]
            for is_wanted, v, dv in zip(loop.needs_grad, *columns, strict=True):
                for p, d in zip(v, dv, strict=True):
                    adjoints[p] += is_wanted and adjoints[row] * d
    first = len(program.constants)
    return [values[p] for p in program.outputs], adjoints[first : program.leaves]


def compared(of):
    outputs, gradients = of.eager()
    got = interpreted(of.program, [v.data for v in of.leaves], of.seeds)
    return zip([*got[0], *got[1]], [*outputs, *gradients], strict=True)


@pytest.mark.some(3)
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_graphs(graph):
    for got, want in compared(recorded(graph())):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-12)


@pytest.mark.whole
@quick
@given(random_graphs(EXACT, st.integers(-3, 3).map(float)))
def test_random_graphs_of_small_integers_are_exact(graph):
    of = recorded(graph)
    outputs, gradients = of.eager()
    assume(all(abs(x) < 2**50 for x in (*outputs, *gradients)))
    assert all(got == want for got, want in compared(of))


# --- the matrices found -------------------------------------------------------


def described(program: Program):
    return [(loop.op.name, loop.shape, loop.terms) for loop in program.loops]


@pytest.mark.some(2)
@pytest.mark.parametrize("fused", [True, False])
def test_moons_are_eleven_loops(fused):
    program = recorded(moons(fused), input_grads=False).program
    assert described(program) == [
        ("dot", (1,), (337,)),
        ("dot", (100, 16), (2,)),
        ("relu", (1600,), ()),
        ("dot", (100, 16), (16,)),
        ("relu", (1600,), ()),
        ("dot", (100,), (16,)),
        ("mul", (100,), ()),
        ("sub", (100,), ()),
        ("relu", (100,), ()),
        ("add", (1,), (100,)),
        ("dot", (1,), (2,)),
    ]


@pytest.mark.some(2)
@pytest.mark.parametrize("fused", [True, False])
def test_digits_are_eight_loops(fused):
    program = recorded(digits(fused), input_grads=False).program
    assert described(program) == [
        ("dot", (32, 32), (64,)),
        ("relu", (1024,), ()),
        ("dot", (32, 10), (32,)),
        ("dot", (32,), (10,)),
        ("logsumexp", (32,), (10,)),
        ("sub", (32,), ()),
        ("add", (1,), (32,)),
        ("mul", (1,), ()),
    ]
    bias, w, x = program.loops[0].scalars + program.loops[0].vectors
    assert (bias.strides, w.strides, x.strides) == ((0, 65), (0, 65, 1), (64, 0, 1))
    assert program.loops[0].needs_grad == (True, True, False)


def test_a_convolution_is_one_loop_over_overlapping_windows():
    program = recorded(GRAPHS["convolution"]()).program
    assert described(program) == [
        ("dot", (5, 5), (3, 3)),
        ("relu", (25,), ()),
        ("add", (1,), (25,)),
    ]
    kernel, image = program.loops[0].vectors
    assert (kernel.strides, image.strides) == ((0, 0, 3, 1), (7, 1, 7, 1))


def test_a_sparse_net_has_tables():
    loop, _, _ = recorded(GRAPHS["sparse"]()).program.loops
    w, x = loop.vectors
    assert (loop.op.name, loop.shape, loop.terms) == ("dot", (40,), (4,))
    assert x.table is not None
    assert len(x.table) == 160
    assert (w.table, w.strides) == (None, (4, 1))


def test_runs_beside_tables_have_tables_of_their_own():
    ws, (gap,), xs = rows(9, 3, 1), numbers(1), numbers(9)
    inputs = [*flat(ws[:5]), gap, *flat(ws[5:]), *xs]
    picks = [[(k * k + j * (j + k)) % 9 for j in range(3)] for k in range(9)]
    of = recorded(
        (inputs, lambda: [dot(w, [xs[i] for i in p]) for w, p in zip(ws, picks, strict=True)])
    )
    assert [loop.shape for loop in of.program.loops] == [(5,), (4,)]
    tables = [loop.vectors[1].table for loop in of.program.loops]
    first = 1 + len(inputs) - len(xs)
    assert tables == [tuple(first + i for i in flat(p)) for p in (picks[:5], picks[5:])]
    for got, want in compared(of):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_scattered_rows_have_tables_alone():
    xs = numbers(64)
    spots = [k * k % 61 for k in range(64)]
    program = recorded((xs, lambda: total(xs[i] * xs[-1 - i] for i in spots))).program
    assert [loop.op.name for loop in program.loops] == ["dot"]
    program = recorded((xs, lambda: [xs[i].exp() for i in spots])).program
    (loop,) = program.loops
    assert loop.shape == (64,)
    assert loop.scalars == (View("v", 0, (64,), (1,), tuple(spots)),)
    assert loop.needs_grad == (True,)


@pytest.mark.parametrize(("n", "loops"), [(4, 4), (5, 1)])
def test_up_to_four_runs_stay_loops(n, loops):
    xs = numbers(100)
    starts = [0, 7, 31, 52, 80][:n]
    spots = [s + k * (j + 1) for j, s in enumerate(starts) for k in range(3)]
    program = recorded((xs, lambda: [xs[i].exp() for i in spots])).program
    assert len(program.loops) == loops
    assert [p for loop in program.loops for p in loop.scalars[0].places()] == spots


def test_an_eighth_of_the_rows_may_be_runs():
    xs = numbers(500)
    for runs, loops in ((8, 8), (9, 1)):
        spots = [50 * j + k * (j + 1) for j in range(runs) for k in range(8)]
        spots = [s % 500 for s in spots]
        spots = spots[: 64 if runs == 8 else 71]
        program = recorded((xs, lambda spots=spots: [xs[i].exp() for i in spots])).program
        assert len(program.loops) == loops


def test_steps_backwards():
    xs = numbers(12)
    w = numbers(6, 1)
    (loop,) = recorded((xs, lambda: dot(w, xs[5::-1]))).program.loops
    assert [v.strides for v in loop.vectors] == [(0, 1), (0, -1)]
    (loop,) = recorded((xs, lambda: total(w[k] * xs[11 - 2 * k] for k in range(6)))).program.loops
    assert [(v.base, v.strides) for v in loop.vectors] == [(12, (0, 1)), (11, (0, -2))]


def test_rows_that_differ_in_a_constant_are_one_loop():
    xs = numbers(10)
    (loop,) = recorded((xs, lambda: [x * (0.1 * k) for k, x in enumerate(xs)])).program.loops
    assert [a.strides for a in loop.scalars] == [(1,), (1,)]
    half = 0.5
    program = recorded((xs, lambda: [x * half for x in xs])).program
    assert program.constants == (0.5,)
    assert [a.strides for a in program.loops[0].scalars] == [(1,), (0,)]


# --- chains of additions and products -----------------------------------------


def names(graph):
    program = recorded(graph).program
    return [(loop.op.name, len(loop.scalars), *loop.terms) for loop in program.loops]


@pytest.mark.parametrize("count", [4, 9])
def test_a_sum_of_dots_is_one_loop_of_dots(count):
    ws = [Value(0.5), Value(-1.5)]
    inputs = [Value(float(i)) for i in range(2 * count)]
    with record() as seen:
        total = sum(dot(ws, inputs[2 * i : 2 * i + 2], 1.0) for i in range(count))
    program = roll(seen.tape(inputs, [total]))
    assert [loop.op.name for loop in program.loops] == ["dot", "add"]
    assert [loop.rows for loop in program.loops] == [count, 1]


def test_chains_become_dots():
    w, x = numbers(4, 1), numbers(4)
    cases = [
        (lambda: w[0] * x[0] + w[1] * x[1] + w[2], [("dot", 1, 2)]),
        (lambda: w[0] + w[1] * x[1] + x[0], [("dot", 2, 1)]),
        (lambda: w[0] + x[0], [("add", 2)]),
        (lambda: w[0] + x[0] + w[1], [("add", 0, 3)]),
        (lambda: dot(w, x) + w[0] * x[0] + w[1], [("dot", 2, 5)]),
        (lambda: w[0] + (x[0] + x[1]), [("add", 2), ("add", 2)]),
        (lambda: w[0] * x[0] * x[1] + w[1], [("mul", 2), ("dot", 1, 1)]),
        (lambda: dot([], [], w[0]), [("dot", 1, 0)]),
        (lambda: dot(w, x, w[0]), [("dot", 1, 4)]),
        (lambda: engine.sum(w) + w[0] * x[0], [("sum", 0, 4), ("dot", 1, 1)]),
        (lambda: logsumexp(x), [("logsumexp", 0, 4)]),
    ]
    for f, want in cases:
        assert names((x, f)) == want


def test_what_is_read_twice_stays_a_row():
    w, x = Value(2.0), Value(3.0)

    def product_twice():
        p = w * x
        return p + p

    def sum_twice():
        s = w * x + w
        return [s + x, s * x]

    def output():
        s = w * x + w
        return [s + x, s]

    def output_product():
        p = w * x
        return [p + x, p]

    def output_read_twice():
        p = w * x
        return [p + x, p + w, p]

    def guard():
        s = w * x + w
        return s + x if s > 0 else s

    assert names(([x], product_twice)) == [("mul", 2), ("add", 2)]
    assert names(([x], sum_twice)) == [("dot", 1, 1), ("add", 2), ("mul", 2)]
    assert names(([x], output)) == [("dot", 1, 1), ("add", 2)]
    assert names(([x], output_product)) == [("mul", 2), ("add", 2)]
    assert names(([x], output_read_twice)) == [("mul", 2), ("add", 2)]
    assert names(([x], guard)) == [("dot", 1, 1), ("add", 2)]


def test_nothing_of_a_program_can_be_changed():
    of = recorded(GRAPHS["moons, fused=True"]())
    loop = of.program.loops[0]
    for part in (of.program, loop, of.tape, Guard(0, "lt", 1, True)):
        name = dataclasses.fields(part)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, None)


def test_the_tape_is_left_as_it_was():
    of = recorded(moons(False, 3, 2))
    assert described(roll(of.tape)) == described(of.program)


# --- the parts of a program ---------------------------------------------------


def test_memory_has_constants_inputs_parameters_and_results_in_turn():
    x, unread, w, v = Value(2.0), Value(9.0), Value(3.0), Value(4.0)
    of = recorded(([x, unread], lambda: [(x * w + 5.0) * v, w]))
    program = of.program
    assert program.constants == (5.0,)
    assert program.inputs == 2
    assert program.parameters == (w, v)
    assert program.leaves == 5
    assert program.size == 7
    assert program.outputs == (6, 3)
    assert program.place[-1] == 1
    assert [program.place[row] for row in range(3)] == [0, 5, 6]
    assert program.guards == ()


def test_parameters_stand_in_the_order_they_are_read():
    ws, b, xs = rows(2, 2, 1), numbers(2, 2), numbers(2)
    of = recorded((xs, lambda: [dot(w, xs, c).exp() for w, c in zip(ws, b, strict=True)]))
    assert of.program.parameters == (b[0], *ws[0], b[1], *ws[1])


def test_guards_move_to_their_places():
    x, w = Value(2.0), Value(3.0)
    program = recorded(([x], lambda: x * w if x.exp() >= 7 else w)).program
    sides = {loop.op.name: loop.out for loop in program.loops}
    assert program.constants == (7.0,)
    assert program.guards == (Guard(sides["exp"], "ge", 0, True),)
    assert program.outputs == (sides["mul"],)


def test_parts_that_only_guards_need_want_no_gradient():
    x, w = Value(2.0), Value(3.0)
    program = recorded(([x], lambda: w * x if w.exp() * x > x.exp() else w)).program
    wanted = [loop.needs_grad for loop in program.loops]
    assert sorted(wanted) == [(False,), (False, False), (True, True)]


def test_gradients_are_wanted_below_parameters_alone():
    x, w = Value(2.0), Value(3.0)
    f = lambda: [(x * 2.0).exp(), (x * w).exp(), dot([x, 3.0], [x, 2.0], x), dot([x], [w])]
    program = recorded(([x], f), input_grads=False).program
    wants = {(loop.op.name, loop.rows, loop.terms): loop.needs_grad for loop in program.loops}
    assert wants == {
        ("dot", 1, (1,)): (False, False, True),
        ("dot", 1, (2,)): (False, False, False),
        ("exp", 2, ()): (True,),
        ("mul", 2, ()): (False, True),
    }


def test_a_program_without_rows():
    x, w = Value(2.0), Value(3.0)
    program = recorded(([x], lambda: [w, 0.5, x])).program
    assert (program.loops, program.size, program.outputs) == ((), 3, (2, 0, 1))


def test_rows_of_one_level_do_not_need_each_other():
    for graph in GRAPHS.values():
        program = recorded(graph()).program
        for loop in program.loops:
            read = {p for s, vs in operands(loop) for p in (*s, *(p for v in vs for p in v))}
            assert max(read) < loop.out


def test_leaves_alone_are_the_first_level():
    x, w = Value(2.0), Value(3.0)
    f = lambda: [(x * w).exp(), (x.sin() * w).exp(), x.exp()]
    assert describe_levels(([x], f)) == ["exp 1", "mul 1", "sin 1", "exp 1", "mul 1", "exp 1"]


def describe_levels(graph):
    return [f"{loop.op.name} {loop.rows}" for loop in recorded(graph).program.loops]


# --- the parts of the roller --------------------------------------------------


@pytest.mark.parametrize(
    ("points", "nests"),
    [
        ([], []),
        ([(5,)], [((5,), ((1, (0,)),))]),
        ([(5, 1), (5, 3)], [((5, 1), ((2, (0, 2)),))]),
        ([(0,), (1,), (2,), (9,)], [((0,), ((3, (1,)),)), ((9,), ((1, (0,)),))]),
        ([(0,), (1,), (9,), (7,)], [((0,), ((2, (1,)),)), ((9,), ((2, (-2,)),))]),
        (
            [(100 * i + 10 * j + k,) for i in range(2) for j in range(3) for k in range(4)],
            [((0,), ((2, (100,)), (3, (10,)), (4, (1,))))],
        ),
        (
            [(0,), (1,), (10,), (11,), (20,), (21,), (50,), (51,)],
            [((0,), ((3, (10,)), (2, (1,)))), ((50,), ((2, (1,)),))],
        ),
        ([(0, 0), (1, 0), (2, 1)], [((0, 0), ((2, (1, 0)),)), ((2, 1), ((1, (0, 0)),))]),
    ],
)
def test_nests(points, nests):
    assert _nests(points) == nests


@quick
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), max_size=40))
def test_nests_hold_their_points_in_order(points):
    found = [
        tuple(
            x + sum(i * d[c] for i, (_, d) in zip(at, axes, strict=True))
            for c, x in enumerate(first)
        )
        for first, axes in _nests(points)
        for at in product(*(range(n) for n, _ in axes))
    ]
    assert found == points


def test_cut():
    assert _cut(((6, 5),), [2, 3]) == ((2, 15), (3, 5))
    assert _cut(((12, -1),), [2, 3, 2]) == ((2, -6), (3, -2), (2, -1))
    assert _cut(((2, 9), (3, 1)), [2, 3]) == ((2, 9), (3, 1))
    assert _cut(((3, 9), (2, 1)), [2, 3]) is None


def test_vectors_of_a_loop_have_the_same_terms():
    grid, line, other = rows(2, 10), numbers(6, 1), rows(3, 10, 2)
    patch = [grid[i][j] for i in range(2) for j in range(3)]
    (loop,) = recorded((patch, lambda: dot(line, [*grid[0][:3], *grid[1][5:8]]))).program.loops
    assert loop.terms in {(6,), (2, 3)}
    xs = [x for row in grid for x in row]
    (loop,) = recorded((xs, lambda: dot(line, patch))).program.loops
    assert (loop.terms, [v.strides for v in loop.vectors]) == ((2, 3), [(0, 3, 1), (0, 10, 1)])
    ys = [y for row in other for y in row]
    tall = [other[i][j] for i in range(3) for j in range(2)]
    (loop,) = recorded((xs + ys, lambda: dot(tall, patch))).program.loops
    assert sorted(v.table is None for v in loop.vectors) == [False, True]
    mixed = [xs[i] for i in (0, 4, 1, 9, 2, 3)]
    (loop,) = recorded((xs, lambda: dot(mixed, patch))).program.loops
    assert (loop.terms, loop.vectors[0].table) == ((2, 3), (1, 5, 2, 10, 3, 4))  # 0 is the bias
