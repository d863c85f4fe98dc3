"""Programs as JavaScript modules, run by Node or Chromium, against eager mode."""

import json
import math
import random
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import mpmath as mp
import pytest
import ran
from graphs import GRAPHS, recorded
from oracles import EXACT, SPECIAL, ulps
from scripts import running

import engine
from engine.ieee import row_of
from engine.op import define
from engine.ops import OPS
from engine.replay.backends import javascript
from engine.replay.backends.kernel import Kernel, memory
from engine.replay.replay import replay
from engine.replay.roll import Program, Rolled
from engine.replay.tape import Tape
from engine.replay.views import View
from engine.value import Value, apply
from nn.loss import cross_entropy
from nn.module import MLP

SINGLE = [op for op in OPS.values() if not op.many]
HELPERS = Path(javascript.__file__).with_suffix(".js").read_text(encoding="ascii")
STATED = {
    name: float(ulp) for name, ulp in re.findall(r"(\w+): (?:at most )?([\d.]+) ulp", HELPERS)
}

# Imports a module, runs it twice (nothing of the first run may show in the second), and gives all
# numbers as texts, as JSON has no inf and no nan.
RUN = """async ({ text, given, seeds }) => {
  const m = await import("data:text/javascript;charset=utf-8," + encodeURIComponent(text));
  const v = m.memory(), a = new Float64Array(m.size), s = Float64Array.from(seeds, Number);
  v.set(given.map(Number), m.inputs);
  for (let n = 0; n < 2; n++) { m.forward(v); m.backward(v, a, s); }
  return [v, a].map((row) => [...row].map((x) => Object.is(x, -0) ? "-0" : String(x)));
}"""
Engine = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module", autouse=True)
def javascript_engine() -> Iterator[None]:
    """One engine for all tests."""
    with running(RUN) as Printed.engine:
        yield


class Printed:
    """A program in the engine, as a kernel: both passes run when the gradients are asked for."""

    engine: ClassVar[Engine]

    def __init__(self, program: Program, tape: Tape | None = None) -> None:
        self.source = javascript.text(program)
        self.values = memory(program)
        self.adjoints = array("d")
        self._leaves = slice(len(program.constants), program.leaves)

    def forward(self) -> None:
        """Waits for `backward`."""

    def backward(self, seeds: Sequence[float]) -> None:
        given, wanted = (list(map(json.dumps, row)) for row in (self.values[self._leaves], seeds))
        found = Printed.engine({"text": self.source, "given": given, "seeds": wanted})
        assert isinstance(found, list), found  # else it is what the engine says
        self.values, self.adjoints = (array("d", map(float, row)) for row in found)


class Ran(ran.Ran):
    """A function run as JavaScript and eagerly, and both results."""

    backend = cast(Any, SimpleNamespace(compile=Printed))
    kernel: Kernel


def values(n: int, seed: int = 0) -> list[Value]:
    draw = random.Random(seed)
    return [Value(draw.uniform(-1, 1)) for _ in range(n)]


def is_same(got: float, want: float, ulp: int = 8) -> bool:
    """Whether two results agree, in what is not finite and where digits are lost, too."""
    if not math.isfinite(want):
        return got == want or (got != got and want != want)
    return abs(got - want) <= max(ulp * math.ulp(want), 1e-323)


# --- whole graphs -------------------------------------------------------------------------------


@pytest.mark.some(3)
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name: str) -> None:
    of = recorded(GRAPHS[name]())
    kernel = Printed(of.program)
    first = len(of.program.constants)
    kernel.values[first : of.program.leaves] = array("d", [v.data for v in of.leaves])
    kernel.backward(of.seeds)
    results = [kernel.values[place] for place in of.program.outputs]
    found = results, [*kernel.adjoints[first : of.program.leaves]]
    for got, want in zip(found, of.eager(), strict=True):
        assert got == pytest.approx(want, rel=1e-12, abs=1e-12 * max(map(abs, want), default=0))


@pytest.mark.parametrize("name", ["dot", "sum", "logsumexp"])
@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
def test_rows_of_many_at_special_values(name: str, special: float) -> None:
    inputs = [values(7, seed) for seed in range(9)]
    inputs[0][2].data = inputs[-1][5].data = special
    Ran(lambda: [apply(OPS[name], *xs) for xs in inputs], [x for xs in inputs for x in xs]).check()


@pytest.mark.parametrize("special", [math.inf, -math.inf, math.nan])
def test_logsumexp_of_specials_alone(special: float) -> None:
    xs = [Value(special) for _ in range(5)]
    Ran(lambda: engine.logsumexp(xs), xs).check()


def test_logsumexp_of_one_term_is_that_term() -> None:
    x = Value(0.75)
    ran = Ran(lambda: engine.logsumexp([x]), [x])
    assert (ran.data, ran.grads) == ([0.75], [1.0])


def test_a_long_sum_is_rounded_once() -> None:
    xs = [Value(x) for x in [1e16, *[1.0] * 3_000, -1e16]]
    assert Ran(lambda: engine.sum(xs), xs).data == [3_000.0]


def test_a_sum_of_negative_zeros_is_one() -> None:
    xs = [Value(-0.0) for _ in range(6)]
    ran = Ran(lambda: [sum(xs[1:], xs[0]), *(x * 1.0 for x in xs)], xs)
    assert [str(x) for x in ran.data] == ["-0.0"] * 7 == [str(x) for x in ran.want]


@pytest.mark.parametrize(("name", "want"), [("dot", 3.0), ("sum", 0.0), ("add", 0.0)])
def test_rows_without_terms(name: str, want: float) -> None:
    bias = (View("v", 0, (1,), (0,)),) if name == "dot" else ()
    nothing = (View("v", 0, (1, 0), (0, 1), ()),) * (2 if bias else 1)
    loop = Rolled(OPS[name], (1,), (0,), bias, nothing, 1, (True,) * len([*bias, *nothing]))
    kernel = Printed(Program((loop,), 2, (), 0, (Value(3.0),), (1,), (), (0, 1)))
    kernel.values[0] = 3.0
    kernel.backward([2.0])
    assert kernel.values[1] == want
    assert kernel.adjoints[0] == (2.0 if bias else 0.0)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_pick_takes_the_row_that_its_integer_names(rows: int) -> None:
    """One that names none, which `engine.pick` refuses, takes row 0."""
    letters = [Value(x) for x in (0.0, -0.0, rows - 1.0, -1.0, -float(rows))]
    table, wrong = values(rows), (0.5, -rows - 1.0, rows + 1.0, math.nan, math.inf)
    of = recorded((letters, lambda: [engine.pick(table, k) * 2.0 for k in letters]))
    for given in ([k.data for k in letters], wrong):
        kernel = Printed(of.program)
        first = len(of.program.constants)
        kernel.values[first : first + 5] = array("d", given)
        kernel.values[first + 5 : of.program.leaves] = array("d", [p.data for p in of.leaves[5:]])
        kernel.backward([1.0] * 5)
        picked = [row_of(k, rows) for k in given]
        want = [2.0 * table[k].data for k in picked]
        assert [kernel.values[place] for place in of.program.outputs] == want
        slopes = dict(zip(of.leaves, kernel.adjoints[first:], strict=False))
        assert [slopes[p] for p in table] == [2.0 * picked.count(k) for k in range(rows)]


# --- formulas -----------------------------------------------------------------------------------


def special_points() -> dict[str, list[tuple[float, ...]]]:
    sizes = (1e-320, 4e-17, 0.5 - 2**-54, 26.6, 27.2, 28.5, 744.8, 2**52 + 1.0)
    tiny = [s * x for s in (1, -1) for x in sizes]
    pairs = [(x, y) for x in (*SPECIAL, 3.0) for y in (*SPECIAL, 3.0)]
    singles = [(x,) for x in (*SPECIAL, *tiny)]
    return {op.name: [*op.at, *(singles if op.arity == 1 else pairs)] for op in SINGLE}


@pytest.mark.some(9)
@pytest.mark.parametrize("op", SINGLE, ids=lambda op: op.name)
def test_each_row_at_special_values(op: Any) -> None:
    points = special_points()[op.name]
    inputs = [[Value(x) for x in point] for point in points]
    ran = Ran(lambda: [apply(op, *xs) for xs in inputs], [x for xs in inputs for x in xs])
    for point, got, want in zip(points, ran.data, ran.want, strict=True):
        assert is_same(got, want), (point, got, want)
        assert want or math.copysign(1, got) == math.copysign(1, want), point
    for k, (got, want) in enumerate(zip(ran.grads, ran.want_grads, strict=True)):
        assert is_same(got, want), (points[k // op.arity], got, want)


@pytest.mark.some(2)
@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_error_function_is_as_near_as_its_line_says(
    name: str, amount: Callable[[int, int], int]
) -> None:
    draw, count = random.Random(name), amount(1_000, 50_000)
    spread = [draw.uniform(-6, 28) for _ in range(count)]
    near = [draw.uniform(-1, 1) for _ in range(count)]
    small = [draw.choice([-1, 1]) * 10 ** draw.uniform(-300, 0) for _ in range(count)]
    xs = [Value(x) for x in (*spread, *near, *small)]
    ran = Ran(lambda: [apply(OPS[name], x) for x in xs], xs)
    off = [ulps(got, EXACT[name][0](mp.mpf(x.data))) for x, got in zip(xs, ran.data, strict=True)]
    assert max(off) <= STATED[name]


def test_lgamma_is_as_near_as_its_line_says(amount: Callable[[int, int], int]) -> None:
    draw, count = random.Random(0), amount(200, 3_300)
    spread = [draw.uniform(-20, 40) for _ in range(count)]
    far = [draw.choice([-1, 1]) * 10 ** draw.uniform(-25, 12) for _ in range(count)]
    xs = [Value(x) for x in (*spread, *far)]
    ran = Ran(lambda: [apply(OPS["lgamma"], x) for x in xs], xs)
    for x, got in zip(xs, ran.data, strict=True):
        want = float(EXACT["lgamma"][0](mp.mpf(x.data)))
        assert abs(got - want) <= 1e-14 * max(1.0, abs(want)), x


def test_powers_with_one_exponent_for_all() -> None:
    for y in (2.0, -1.0, 0.5, 0.0, 3.0, math.inf, math.nan):
        xs = [Value(x) for x in SPECIAL]
        ran = Ran(lambda: [x**y for x in xs], xs)  # noqa: B023 (it runs here)
        assert all(map(is_same, ran.data, ran.want)), y
        assert all(map(is_same, ran.grads, ran.want_grads)), y


NAMES = ["new", "var", "Math", "sum", "exp_", "i0", "v", "size", "é"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_users_define(name: str) -> None:
    """They call each other, have parts with names, and conditions of all kinds."""
    text = f"(part_{name} := exp(x)) * part_{name} - y"
    inner = define(name, name, text, "2 * exp(x) * exp(x)", "-1", at=[])
    z = f"{name}(x, {name}(x, 1)) if 0 < (a := 0.5 * x + 1) <= 2 < 3 and not a == 1.5 else x ** 2"
    slope = f"a if (a := {name}(x, x)) and (x > 0 or a != a) else (x < 0) - 3 * (not x)"
    outer = define("outer", "o", f"({z}) + (x >= -1)", slope, at=[])
    xs = [Value(x) for x in (*SPECIAL, 0.25, 1.5, 3.0)]
    ran = Ran(lambda: [z for x in xs for z in (apply(outer, x), apply(inner, x, 0.5))], xs)
    assert all(map(is_same, ran.data, ran.want))
    assert all(map(is_same, ran.grads, ran.want_grads))


# --- for users ----------------------------------------------------------------------------------


def test_a_step_of_a_net() -> None:
    """The module has the parameters; a move by its gradients is that of eager mode."""
    net = MLP(2, [8, 3], seed=1)
    step = replay(lambda x, label: cross_entropy(net(x), label))
    step([0.5, -0.25], 2)
    text = step.source("javascript")
    found = Printed.engine({"text": text, "given": ["0.5", "-0.25", "2"], "seeds": ["1"]})
    (v, a), parameters = ([float(x) for x in row] for row in found), list(net.parameters())
    loss = cross_entropy(net([0.5, -0.25]), 2)
    loss.backward()
    place = int(re.findall(r"outputs = \[(\d+)\]", text)[0])
    assert v[place] == pytest.approx(loss.data, rel=1e-14)
    first = int(re.findall(r"parameters = (\d+)", text)[0])
    kept = v[first : first + len(parameters)]
    assert sorted(kept) == sorted(p.data for p in parameters)
    moved = sorted(x - 0.1 * g for x, g in zip(kept, a[first:], strict=False))
    assert moved == pytest.approx(sorted(p.data - 0.1 * p.grad for p in parameters), rel=1e-14)


def test_names_that_are_none() -> None:
    step = replay(lambda x: x * 2.0)
    step(1.0)
    hint = "no source 'javascrip', did you mean 'javascript'. There are: words, loops, javascript"
    for wrong, words in (("javascrip", hint), (["c"], r"no source \['c'\]")):
        with pytest.raises(ValueError, match=words):
            step.source(cast(str, wrong))
