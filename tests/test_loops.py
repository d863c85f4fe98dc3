"""Loops of one kind: what they compute, run point by point here, and who sets and who adds."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise, product
from math import exp, fsum, log1p

import pytest
from graphs import GRAPHS, recorded

from engine import formula
from engine.functions import dot
from engine.functions import sum as sum_of
from engine.op import CAREFUL
from engine.ops import OPS
from engine.replay.loops import Loop, adjoint, constant, lower, own, seed, text
from engine.replay.loops import backward as made
from engine.replay.roll import Program, roll
from engine.replay.views import View
from engine.replay.watch import record
from engine.value import Value

Memories = Mapping[str, list[float]]


def place(view: View, point: Iterable[int]) -> int:
    at = view.base + sum(i * step for i, step in zip(point, view.strides, strict=True))
    return at if view.table is None else view.table[at]


def run(loops: Iterable[Loop], memories: Memories) -> None:
    """As a printer would have them run, but slowly."""
    for loop in loops:
        code = compile(formula.careful(loop.expression), "loop", "eval")
        places: dict[int, list[float]] = {}
        for point in product(*map(range, loop.shape)):
            if loop.pick:
                (row,) = [int(memories["v"][place(loop.pick, point)])]
                if point[-1] != row % loop.shape[-1]:
                    continue
            reads = {n: memories[v.memory][place(v, point)] for n, v in loop.reads.items()}
            terms = places.setdefault(place(loop.target, point), [])
            terms += [reads[n] for n in loop.starts] if not terms else []
            terms.append(eval(code, {**CAREFUL, **loop.callees}, reads))
        for at, terms in places.items():
            number = fsum(terms) if loop.fold != "logsumexp" else logsumexp(terms)
            target = memories[loop.target.memory]
            target[at] = number if loop.sign == "=" else target[at] + number


def logsumexp(xs: list[float]) -> float:
    top = max(xs)
    return top + log1p(fsum(exp(x - top) for x in xs) - 1)


def backward(program: Program) -> list[Loop]:
    return made(program, lower(program))


@pytest.mark.some(4)
@pytest.mark.parametrize("name", GRAPHS)
def test_results_and_gradients_are_what_eager_has(name: str) -> None:
    seen = recorded(GRAPHS[name]())
    program, size = seen.program, seen.program.size
    start = len(program.constants)
    values = [*program.constants, *(v.data for v in seen.leaves)]
    values += [float("nan")] * (size - len(values))
    memories = {"v": values, "a": [0.0] * program.leaves, "s": list(seen.seeds)}
    memories["a"] += [float("nan")] * (size - program.leaves)
    run(lower(program), memories)
    outputs, gradients = seen.eager()
    assert [values[p] for p in program.outputs] == pytest.approx(outputs, rel=1e-12, abs=1e-12)
    for _ in range(2):  # nothing of the first run may show in the second
        run(backward(program), memories)
        found = memories["a"][start : program.leaves]
        assert found == pytest.approx(gradients, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_text_has_a_line_for_each_loop_of_both_passes(name: str) -> None:
    program = recorded(GRAPHS[name]()).program
    lines = text(program).splitlines()
    passes = {"forward:": lower(program), "backward:": backward(program)}
    assert lines == [line for p in passes for line in (p, *(f"  {loop}" for loop in passes[p]))]


def test_of_a_long_table_the_text_has_the_beginning() -> None:
    view = View("v", 0, (20,), (1,), tuple(range(40, 0, -2)))
    assert str(view) == "v[(40, 38, 36, 34, 32, 30, 28, 26, 24, ...)[i]]"


def test_a_loop_of_dots_and_its_adjoints() -> None:
    ws, xs, bs = ([Value(0.1 * k) for k in range(n)] for n in (15, 5, 3))
    with record() as seen:
        zs = [dot(ws[5 * i : 5 * i + 5], xs, bs[i]) for i in range(3)]
    program = roll(seen.tape([*ws, *xs, *bs], zs, [True] * 23))
    (loop,) = lower(program)
    assert (loop.shape, loop.expression, loop.starts) == ((3, 5), "x * y", ("b0",))
    assert loop.target == View("v", 23, (3, 5), (1, 0))
    dx, dy, bias = adjoint([loop])
    assert (bias.expression, bias.target) == ("g", View("a", 20, (3,), (1,)))
    assert (dx.expression, dx.target) == ("g * y", View("a", 0, (3, 5), (5, 1)))
    assert (dy.expression, dy.target) == ("g * x", View("a", 15, (3, 5), (0, 1)))
    assert dy.reads == {"g": View("a", 23, (3, 5), (1, 0)), "x": View("v", 0, (3, 5), (5, 1))}


def test_only_reads_that_want_a_gradient_have_an_adjoint() -> None:
    x, w = Value(0.5), Value(2.0)
    with record() as seen:
        z = w * x
    program = roll(seen.tape([x], [z], [False]))
    (only,) = adjoint(lower(program))
    assert only.target.base == program.inputs


@pytest.mark.parametrize("y", [2.0, -0.5, 1e300, 5e-324, -0.0])
@pytest.mark.parametrize("x", [0.0, 0.7, 3.0, -2.0])
def test_a_power_whose_exponent_is_known(x: float, y: float) -> None:
    v = Value(x)
    with record() as seen:
        z = v**y
    program = roll(seen.tape([v], [z], [True]))
    (loop,) = lower(program)
    assert loop.reads.keys() == {"x"}
    values = [*program.constants, x, 0.0]
    run([loop], {"v": values})
    want = OPS["pow"].forward((x, y))
    assert repr(values[-1]) == repr(want[0])
    slope = eval(formula.careful(loop.partials["x"]), dict(CAREFUL), {"x": x, "z": want[0]})
    assert repr(slope) == repr(want[1])


@pytest.mark.parametrize(
    ("steps", "lengths", "runs", "is_once"),
    [
        ((1,), (5,), [(7, 12)], True),
        ((0, 1), (3, 4), [(7, 11)], True),
        ((4, 1), (3, 4), [(7, 19)], True),
        ((1, 1), (3, 3), [(7, 12)], False),  # overlapping windows
        ((17, 1), (2, 3), [(7, 10), (24, 27)], True),
        ((-2,), (3,), [(3, 4), (5, 6), (7, 8)], True),
        ((2, 1), (3, 3), [(7, 14)], False),
        ((2,), (4096,), [(7 + 2 * k, 8 + 2 * k) for k in range(4096)], True),
        ((2,), (5000,), [(7, 7 + 9999)], False),  # too many stretches: as one
        ((0,), (3,), [(7, 8)], True),
    ],
)
def test_runs_of_memory(
    steps: tuple[int, ...], lengths: tuple[int, ...], runs: list[tuple[int, int]], is_once: bool
) -> None:
    found, once = View("a", 7, lengths, steps).runs()
    assert (sorted(found), once) == (runs, is_once)


def test_a_table_covers_its_places_or_what_lies_between_its_ends() -> None:
    assert View("a", 0, (4,), (1,), (5, 3, 4, 9)).runs() == ([(3, 6), (9, 10)], True)
    assert View("a", 0, (4,), (1,), (5, 3, 9, 3)).runs() == ([(3, 10)], False)


@pytest.mark.parametrize(
    ("base", "steps", "number"),
    [
        (1, (1,), 5.0),
        (0, (1,), None),  # two numbers
        (2, (1,), None),  # one that is no constant
        (3, (-1,), None),
        (2, (-1,), 5.0),
        (2, (0,), 5.0),
        (1, (2,), None),
    ],
)
def test_what_is_one_constant(base: int, steps: tuple[int, ...], number: float | None) -> None:
    program = Program((), 4, (7.0, 5.0, 5.0), 1, (), (), (), ())
    assert constant(program, View("v", base, (2,), steps)) == number
    assert constant(program, View("v", base, (2, 2, 2), (2, -2, *steps))) is None
    table = base, base + steps[0]
    assert constant(program, View("v", 0, (2,), (1,), table)) == number
    assert constant(program, View("a", base, (2,), steps)) is None


def line(base: int, count: int) -> View:
    return View("a", base, (count,), (1,))


def adding(target: View, reads: Mapping[str, View] | None = None) -> Loop:
    x = View("v", 0, target.shape, (1,))
    return Loop("test", target, "+=", "x", reads or {"x": x})


def owned(*loops: Loop) -> list[tuple[str, int, str]]:
    return [(loop.name, loop.target.base, loop.sign) for loop in own(loops, 20)]


def test_the_first_to_come_sets_and_later_ones_add() -> None:
    first = adding(line(2, 5))
    assert owned(first, first) == [("test", 2, "="), ("test", 2, "+=")]
    later = adding(line(5, 6))  # 7 to 10 hold nothing yet
    assert owned(first, later) == [("zero", 7, "="), ("test", 2, "="), ("test", 5, "+=")]


def test_what_comes_twice_to_a_place_or_only_to_some_adds_to_zeros() -> None:
    table = line(0, 3)._replace(table=(12, 14, 12))
    picked = adding(line(3, 2))._replace(pick=View("v", 0, (2,), (0,)))
    assert owned(adding(table)) == [("zero", 12, "="), ("test", 0, "+=")]
    assert owned(picked) == [("zero", 3, "="), ("test", 3, "+=")]


def test_many_stretches_of_zeros_are_one() -> None:
    loops = [adding(line(0, 2)._replace(table=(k, k))) for k in range(0, 200, 2)]
    zero, *_ = own(loops, 200)
    assert (zero.shape, zero.target.base) == ((200,), 0)


def test_what_no_adjoint_reaches_is_left_out() -> None:
    unreached = adding(line(0, 3), {"g": line(10, 3)})
    assert owned(unreached) == []
    half = adding(line(10, 2))
    assert owned(half, unreached) == [("zero", 12, "="), ("test", 10, "="), ("test", 0, "=")]


def test_a_sum_of_nothing_passes_nothing_on() -> None:
    b = Value(3.0)
    with record() as seen:
        z = dot([], [], b) + sum_of([]) * b
    program = roll(seen.tape([b], [z], [True]))
    assert not any(re.search("sum", loop.name) for loop in backward(program))


XS = [Value(float(k)) for k in range(1, 9)]
YS = [Value(float(k)) for k in range(11, 19)]


def signs(f: Callable[[], Value], wanted: bool = True) -> list[str]:
    """The loops of a backward, each as what it sets or adds."""
    with record() as seen:
        result = f()
    program = roll(seen.tape([*XS, *YS], [result], [wanted] * 16))
    return [f"{loop.sign} {loop.expression}" for loop in backward(program)]


@pytest.mark.parametrize(
    ("f", "loops"),
    [
        pytest.param(
            lambda: sum_of([x.exp() for x in XS]),
            ["= x", "= g * z"],
            id="the adjoint of a sum is that of its summands: no number is copied",
        ),
        pytest.param(
            lambda: dot([x.exp() for x in XS], YS),
            ["= x", "= g * y", "= g * x", "= g * z"],
            id="the first share is set",
        ),
        pytest.param(
            lambda: dot(XS, XS),
            ["= x", "= 2.0 * (g * y)"],
            id="both factors of a square get their shares in one",
        ),
        pytest.param(
            lambda: dot(XS, XS[::-1]), ["= x", "= g * y", "+= g * x"], id="the second is added"
        ),
        pytest.param(
            lambda: sum_of([a - b for a, b in zip(XS, YS, strict=True)]),
            ["= x", "= g", "= -g"],
            id="differences need no product",
        ),
        pytest.param(
            lambda: sum_of([(a + b).exp() for a, b in pairwise(XS)]),
            ["= 0.0", "= x", "= g * z", "= g", "+= g"],
            id="zeros where one share comes before another to some places",
        ),
        pytest.param(
            lambda: sum_of([x.exp() + x.exp() * x for x in XS]),
            ["= x", "= g * y", "= g * x", "= g", "+= g * z"],
            id="half the results of a loop are not passed on",
        ),
    ],
)
def test_no_loop_too_many(f: Callable[[], Value], loops: list[str]) -> None:
    assert signs(f) == loops


def test_a_loop_that_no_seed_reaches_is_left_out() -> None:
    def f() -> Value:
        assert XS[0].exp() < 100
        return XS[2].tanh()

    assert len(signs(f)) == 2


def test_without_wanted_gradients_nothing_runs() -> None:
    assert signs(lambda: sum_of([x.exp() for x in XS]), wanted=False) == ["= x"]


def test_scattered_outputs_have_one_table() -> None:
    with record() as seen:
        results = [x.exp() for x in XS]
    program = roll(seen.tape(XS, results[::2] + results[1::2] + results[::-1], [True] * 8))
    zero, seeds, _ = backward(program)
    assert (zero.expression, seeds.sign, seeds.shape) == ("0.0", "+=", (16,))


def test_a_few_stretches_of_outputs_have_a_loop_each() -> None:
    """Of 8 outputs up to 5, of 16 up to 6."""
    five, six = [0, 1, 3, 4, 6, 7, 9, 11], [0, 1, 3, 4, 6, 8, 10, 12]
    assert [loop.shape for loop in seed(five)] == [(2,), (2,), (2,), (1,), (1,)]
    assert [loop.target.table for loop in seed(six)] == [tuple(six)]
    assert len([*seed([*six, *range(13, 21)])]) == 6


def test_a_loop_in_a_line() -> None:
    table = View("v", 0, (2, 3), (3, 1), (9, 8, 7, 6, 5, 4))
    total = Loop("sum", View("v", 20, (2, 3), (1, 0)), "=", "x", {"x": table}, fold="exact")
    where = "where x = v[(9, 8, 7, 6, 5, 4)[3i + j]]"
    assert str(total) == f"i < 2, j < 3: v[20 + i] = exact sum of x {where}"
    index = View("v", 0, (2, 3), (1, 0))
    taken = total._replace(fold="+", pick=index)
    assert str(taken) == f"i < 2, j < 3: v[20 + i] = x {where}, j = v[i]"
    assert str(line(0, 3)) == "a[i]"
    assert str(Loop("zero", line(4, 3), "=", "0.0", {})) == "i < 3: a[4 + i] = 0.0"


@pytest.mark.some(3)
@pytest.mark.parametrize("name", GRAPHS)
def test_every_loop_can_be_shown(name: str) -> None:
    program = recorded(GRAPHS[name]()).program
    shown = [str(loop) for loop in [*lower(program), *backward(program)]]
    assert all(re.match(r"i < \d+.*: [va]\[.*\] \+?= ", text) for text in shown)
