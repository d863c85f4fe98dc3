import math
import random
import struct
import tracemalloc
from collections import deque

import pytest
from disturbed import stopped
from graphs import GRAPHS, Graph, digits, moons, numbers, random_graphs, recorded, total
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import SPECIAL

import engine
from engine import functions
from engine.op import define
from engine.ops import OPS
from engine.replay.backends import python
from engine.replay.backends.python import Lines, Lists
from engine.value import Value, apply

quick = settings(max_examples=200)
KERNELS = pytest.mark.parametrize("make", [Lines, Lists])
SINGLE = [op for op in OPS.values() if not op.many]


def bits(xs):
    """Numbers that are equal only where they are the same bits; nan has many."""
    return ["nan" if x != x else struct.pack("d", x).hex() for x in xs]


def ran(kernel, of, seeds=None):
    """Outputs and gradients of a kernel."""
    first = len(of.program.constants)
    for place, leaf in enumerate(of.leaves, first):
        kernel.values[place] = leaf.data
    kernel.forward()
    kernel.backward(of.seeds if seeds is None else seeds)
    outputs = [kernel.values[place] for place in of.program.outputs]
    return outputs, list(kernel.adjoints[first : of.program.leaves])


def check(make, graph: Graph, seeds=()):
    """The kernel gives the bits of eager mode, twice."""
    of = recorded(graph, seeds)
    kernel = make(of.program, of.tape)
    outputs, gradients = of.eager()
    for _ in range(2):
        got = ran(kernel, of)
        assert (bits(got[0]), bits(got[1])) == (bits(outputs), bits(gradients))
    return kernel


# --- the bits of eager mode ---------------------------------------------------


@pytest.mark.some(6)
@KERNELS
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_graphs(make, graph):
    check(make, graph())


@pytest.mark.whole
@pytest.mark.some(4)
@KERNELS
@quick
@given(random_graphs([*OPS], st.floats(-3, 3)))
def test_random_graphs(make, graph):
    check(make, graph)


@pytest.mark.whole
@KERNELS
@quick
@given(random_graphs([*OPS], st.sampled_from(SPECIAL)), st.sampled_from([1.0, 0.0, -0.0, 1e308]))
def test_random_graphs_of_special_values(make, graph, seed):
    of = recorded(graph)
    check(make, graph, [seed] * len(of.outputs))


@pytest.mark.whole
@KERNELS
@quick
@given(random_graphs(["add", "sub", "mul", "relu", "dot", "max"], st.sampled_from(SPECIAL)))
def test_random_graphs_with_dead_parts_beside_infinities(make, graph):
    check(make, graph)


@pytest.mark.some(12)
@KERNELS
@pytest.mark.parametrize("op", SINGLE, ids=lambda op: op.name)
def test_each_row_at_special_values(make, op):
    draw = random.Random(op.name)
    points = (
        [(x, y) for x in SPECIAL for y in SPECIAL] if op.arity == 2 else [(x,) for x in SPECIAL]
    )
    for point in [*op.at, *draw.sample(points, min(60, len(points)))]:
        values = [Value(x) for x in point]
        check(make, (values, lambda values=values: apply(op, *values)))


@KERNELS
@pytest.mark.parametrize("name", ["sum", "dot", "logsumexp"])
@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
def test_rows_of_many_at_special_values(make, name, special):
    xs = numbers(7)
    xs[2].data = special
    check(make, (xs[:4], lambda: apply(OPS[name], *xs)))
    check(make, (xs[:4], lambda: apply(OPS[name], *xs, *xs, special)))


def defined(name, formula, *partials):
    """An operation whose slopes nobody tests: only their bits matter here."""
    op = define(name, name, formula, *partials, at=[])
    return lambda *operands: functions.call(op, *operands)


@KERNELS
def test_a_row_defined_by_a_user(make):
    name = f"v1_{make.__name__.lower()}"
    twist = defined(name, "(v0 := exp(x)) * sigmoid(y) / (1 + v0)", "(a0 := y) * x + a0", "x / z")
    xs = numbers(4)
    check(make, (xs, lambda: [twist(xs[0], twist(xs[1], xs[2]) + 1.0), twist(0.0, xs[3])]))


@KERNELS
def test_a_formula_may_call_a_part_as_we_call_the_adjoint(make):
    cube = defined(f"cube_{make.__name__.lower()}", "x * x * x", "3 * (g := x) * g")
    square = defined(f"square_{make.__name__.lower()}", "(g := x) * g", "2 * (g := x)")
    xs = numbers(3)
    check(make, (xs, lambda: [cube(x) + square(x) for x in xs]))


@KERNELS
def test_names_of_users_meet_none_of_ours(make):
    made = {
        "g": defined("g", "2 * x", "(s0 := 2.0)"),
        "leaves": defined("leaves", "(xs := g(x)) * (bias := g(y))", "4 * y", "4 * x"),
        "a1": defined("a1", "(s0 := leaves(x, x)) + g(x)", "(seeds := 8 * x) + 2.0"),
    }
    xs = numbers(3)
    check(make, (xs, lambda: made["a1"](made["leaves"](made["g"](xs[0]), xs[1])) * xs[2]))


@KERNELS
def test_what_is_picked_from_may_be_computed_for_that_alone(make):
    xs, i = numbers(3), Value(1.0)
    check(make, (xs, lambda: engine.pick([x.exp() for x in xs], 2) * xs[0]))
    check(make, ([i, *xs], lambda: engine.pick([x * x for x in xs], i).tanh()))


@KERNELS
@pytest.mark.parametrize("row", range(4))
def test_what_is_picked_passes_its_adjoint_to_the_right_place(make, row):
    xs, i = numbers(4), Value(float(row))

    def f():
        both = engine.pick(xs, i) * engine.pick(xs[::-1], i)
        return both + engine.pick([xs[1], 0.5, xs[3], xs[0]], i) * engine.pick(xs[2:], row // 2)

    check(make, ([i, *xs], f))


@KERNELS
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_gradient_of_minus_zero_is_added_to_zero(make, zero):
    x, y = Value(zero), Value(-1.0)
    kernel = check(make, ([x], lambda: x * y), [0.0])
    assert bits([*kernel.adjoints][:2]) == bits([0.0, 0.0])


@KERNELS
def test_outputs_that_are_leaves(make):
    x, w = Value(2.0), Value(3.0)
    check(make, ([x], lambda: x))
    check(make, ([x], lambda: [w, x, 0.5, w]))
    check(make, ([], lambda: w))
    check(make, ([x], lambda: 0.5))
    check(make, ([], list))


@KERNELS
def test_inputs_without_gradients_get_none(make):
    x, w = Value(2.0), Value(3.0)
    of = recorded(([x], lambda: x * w * x), input_grads=False)
    _, gradients = ran(make(of.program, of.tape), of)
    assert gradients == [0.0, 4.0]


@KERNELS
def test_the_rows_of_guards_are_computed_but_pass_nothing_on(make):
    x, w = Value(0.0), Value(2.0)
    of = recorded(([x], lambda: w * 3 if x.log() < w / x else w))
    kernel = make(of.program, of.tape)
    assert ran(kernel, of) == ([6.0], [0.0, 3.0])
    (guard,) = of.program.guards
    assert (kernel.values[guard.left], kernel.values[guard.right]) == (-math.inf, math.inf)
    of.inputs[0].data = 1.0
    ran(kernel, of)
    assert (kernel.values[guard.left], kernel.values[guard.right]) == (0.0, 2.0)


@KERNELS
def test_new_numbers_each_time(make):
    graph = GRAPHS["moons, fused=True"]()
    of = recorded(graph)
    kernel = make(of.program, of.tape)
    draw = random.Random(1)
    for _ in range(5):
        for leaf in of.leaves:
            leaf.data = draw.uniform(-1, 1)
        got, want = ran(kernel, of), recorded(graph).eager()
        assert (bits(got[0]), bits(got[1])) == (bits(want[0]), bits(want[1]))


@KERNELS
def test_seeds_of_a_second_backward(make):
    x = Value(3.0)
    of = recorded(([x], lambda: [x * x, x.log()]))
    kernel = make(of.program, of.tape)
    assert ran(kernel, of, [1.0, 0.0])[1] == [6.0]
    kernel.backward([0.0, 3.0])
    assert kernel.adjoints[0] == 1.0
    kernel.backward((1.0, 3.0))
    assert kernel.adjoints[0] == 7.0


def test_gradients_belong_to_the_last_forward():
    x = Value(0.0)
    of = recorded(([x], x.sqrt))
    kernel = python.compile(of.program, of.tape)
    kernel.values[0] = 0.0
    kernel.forward()
    kernel.values[0] = 4.0
    kernel.backward([1.0])  # its plain lines raise, and the careful ones begin anew
    assert kernel.adjoints[0] == math.inf


@pytest.mark.parametrize("line", range(12))
def test_after_an_interrupt_anywhere_a_kernel_goes_on(line):
    x, y = Value(2.0), Value(3.0)
    of = recorded(([x, y], lambda: (x * y).exp() * x + (y - x).tanh()))
    kernel = Lines(of.program, of.tape)
    expected = ran(kernel, of)
    in_lines = stopped(lambda code: code.co_filename == "<replay>", line)
    with pytest.raises(KeyboardInterrupt), in_lines:
        deque(ran(kernel, of) for _ in range(9))
    kernel.backward([1.0])
    assert list(kernel.adjoints[: of.program.leaves]) == expected[1]
    assert [ran(kernel, of) for _ in range(2)] == [expected] * 2


def test_after_careful_lines_the_plain_ones_run_again():
    x = Value(0.0)
    of = recorded(([x], x.log))
    kernel = python.compile(of.program, of.tape)
    assert ran(kernel, of) == ([-math.inf], [math.inf])
    x.data = 2.0
    assert ran(kernel, of) == ([math.log(2.0)], [0.5])
    assert kernel._run is kernel._plain


# --- size and speed -----------------------------------------------------------


def test_long_expressions():
    xs = numbers(1000)
    for f in (lambda: total(xs), lambda: engine.dot(xs, xs), lambda: engine.sum(xs)):
        check(Lines, (xs, f))


@pytest.mark.whole
@pytest.mark.some(4)
@KERNELS
@pytest.mark.parametrize(
    ("levels", "step"),
    [((20_000, 100_000), lambda y, x: y.sin()), ((5_000, 20_000), lambda y, x: y * x + 0.1)],
    ids=["sin", "line"],
)
def test_deep_graphs(make, levels, step, amount):
    x = Value(0.9)

    def f():
        y = x
        for _ in range(amount(*levels)):
            y = step(y, x)
        return y

    check(make, ([x], f))


@pytest.mark.some(2)
@KERNELS
def test_deep_graphs_without_gradients(make):
    x, w = Value(0.9), Value(0.5)

    def f():
        y, z = x, w
        for _ in range(3_000):
            y, z = y.sin(), -z
        return y * z

    of = recorded(([x], f), input_grads=False)
    got, (outputs, gradients) = ran(make(of.program, of.tape), of), of.eager()
    assert (bits(got[0]), bits(got[1])) == (bits(outputs), bits([0.0, gradients[1]]))


def test_the_source_of_lists_says_what_they_do():
    """Three shares in turn: of a seed of 5, of what that gave, and one more to the same place."""
    adjoints, numbers_ = [0.0, 0.0, 5.0], [2.0, 3.0, 7.0]
    exec(Lists.source, {"adjoints": adjoints, "numbers": numbers_,
                        "shares": [(2, 1, 0), (1, 0, 1), (2, 0, 2)]})  # fmt: skip
    assert adjoints == [65.0, 10.0, 5.0]


@pytest.mark.whole
def test_wide_graphs_take_lists(monkeypatch):
    xs = numbers(1000)
    w = Value(0.1)
    of = recorded((xs, lambda: engine.sum([(x * w + x) * w for x in xs for _ in range(10)])))
    monkeypatch.setattr(python, "WRITTEN_OUT", 70_000)  # operands
    assert isinstance(python.compile(of.program, of.tape), Lines)
    monkeypatch.setattr(python, "WRITTEN_OUT", 69_999)
    tracemalloc.start()
    kernel = python.compile(of.program, of.tape)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(kernel, Lists)
    assert peak < 300 * len(of.tape.rows)
    got, want = ran(kernel, of), of.eager()
    assert (bits(got[0]), bits(got[1])) == (bits(want[0]), bits(want[1]))


@pytest.mark.whole
@pytest.mark.some(8)
@pytest.mark.parametrize(
    ("graph", "fused", "examples"),
    [
        *((moons, True, 100), (moons, False, 100), (digits, True, 32), (digits, False, 8)),
        pytest.param(digits, False, 32, marks=pytest.mark.nightly),
    ],
)
def test_whole_batches(graph, fused, examples):
    kernel = check(python.compile, graph(fused, examples))
    assert isinstance(kernel, Lines)
