"""Programs as WebAssembly against eager, and against C of as many lanes: the same bits."""

import math
import os
import platform
import random
import re
import sys
import threading
from array import array
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import needs
import pytest
import ran
from contractions import case, check_sums, summed
from graphs import GRAPHS, deep_chain, random_graphs, recorded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import SPECIAL
from wat import of_text

from engine import functions as fn
from engine.ieee import FUNCTIONS
from engine.op import Op
from engine.ops import OPS
from engine.replay.backends import c, choice, library, wasm
from engine.replay.backends.contraction import Machine, Plan
from engine.replay.backends.wasm import host, mathematics, program
from engine.replay.backends.wasm.bytes import Function, Module
from engine.replay.backends.wasm.contraction import MACHINE, contract
from engine.replay.backends.wasm.kernel import WasmKernel, WasmSeveral
from engine.replay.backends.wasm.program import Text
from engine.replay.backends.wasm.walk import Walk
from engine.replay.replay import replay
from engine.replay.roll import Program, Rolled, roll
from engine.replay.views import View
from engine.replay.watch import record
from engine.value import Value, apply
from nn import loss as losses
from nn.module import MLP
from nn.optim import Adam
from nn.train import fit

pytestmark = pytest.mark.skipif(wasm.unavailable() is not None, reason="no wasmtime here")

ROWS = [op for op in OPS.values() if not op.many]
MANY = ["sum", "dot", "logsumexp"]
SHAPES = [(1, 1, 1), (3, 2, 5), (16, 16, 16), (7, 33, 20), (19, 10, 64), (40, 9, 3)]


class Ran(ran.Ran):
    """A function run as WebAssembly and eagerly, and both results."""

    backend = wasm


class RanAsC(ran.Ran):
    """The same as C."""

    backend = c


def values(n: int, seed: int = 0) -> list[Value]:
    draw = random.Random(seed)
    return [Value(draw.uniform(-1, 1)) for _ in range(n)]


# --- right ---------------------------------------------------------------------------------------


@pytest.mark.some(10)
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_each_row_at_its_points_and_at_special_values(op: Op) -> None:
    special = [(x,) for x in SPECIAL] if op.arity == 1 else [*product(SPECIAL, SPECIAL)]
    points = [*op.at * 7, *special]
    inputs = [[Value(x) for x in point] for point in points]
    done = Ran(lambda: [apply(op, *at) for at in inputs], [x for at in inputs for x in at])
    for got, want in ((done.data, done.want), (done.grads, done.want_grads)):
        for k, (g, w) in enumerate(zip(got, want, strict=True)):
            where = op.name, points[k * len(points) // len(got)], g, w
            if math.isfinite(w):
                assert abs(g - w) <= max(8 * math.ulp(w), 1e-323), where
            else:
                assert g == w or (g != g and w != w), where


@pytest.mark.some(6)
@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("rows", [1, 64])
@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
def test_rows_of_many_at_special_values(name: str, rows: int, special: float) -> None:
    inputs = [values(7, seed) for seed in range(rows)]
    inputs[0][2].data = inputs[-1][5].data = special
    Ran(lambda: [apply(OPS[name], *xs) for xs in inputs], [x for xs in inputs for x in xs]).check()


@pytest.mark.parametrize(("name", "want"), [("dot", 3.0), ("sum", 0.0), ("add", 0.0)])
def test_rows_without_terms(name: str, want: float) -> None:
    bias = (View("v", 0, (1,), (0,)),) if name == "dot" else ()
    nothing = (View("v", 0, (1, 0), (0, 1), ()),) * (2 if bias else 1)
    loop = Rolled(OPS[name], (1,), (0,), bias, nothing, 1, (True,) * len([*bias, *nothing]))
    program = Program((loop,), 2, (), 0, (Value(3.0),), (1,), (), (0, 1))
    kernel = WasmKernel(program)
    kernel.values[0], kernel.values[1] = 3.0, 9.0
    kernel.forward()
    kernel.backward([2.0])
    assert kernel.values[1] == want
    assert kernel.adjoints[0] == (2.0 if bias else 0.0)


def of_values(function: Callable[[], Any]) -> list[Any]:
    """The results that are no constants."""
    results = function()
    results = results if isinstance(results, list) else [results]
    return [z for z in results if isinstance(z, Value)]


@pytest.mark.some(6)
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name: str) -> None:
    inputs, function = GRAPHS[name]()
    Ran(lambda: of_values(function), inputs).check()


@pytest.mark.whole
@settings(max_examples=60)
@given(random_graphs([op.name for op in ROWS if op.arity == 1] + MANY * 9, st.floats(-2, 2)))
def test_random_graphs(graph: Any) -> None:
    """As eager says it, but where a slope at the edge of a domain is not finite."""
    inputs, function = graph
    done = Ran(lambda: of_values(function), inputs)
    for g, w in zip(done.data, done.want, strict=True):
        assert g == pytest.approx(w, rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.whole
def test_deep_chains(amount: Callable[..., int]) -> None:
    run, x = deep_chain(amount(3_000, 20_000, 100_000))
    source = Ran(run, [x]).check().kernel.source
    assert len(source) < 300_000
    assert "instructions more" in source


def test_a_long_program_is_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines refuse functions that are too long."""
    monkeypatch.setattr(program, "CALLS", 3)
    x = Value(0.5)

    def run() -> Any:
        v: Any = x
        for _ in range(10):
            v = (v * x).sin()
        return v

    source = Ran(run, [x]).check().kernel.source
    names = re.findall(r"\(func \$(\w+ward\w*)", source)
    assert names[-1] == "backward"
    assert "forward_1" in names


@needs.wasmtime
def test_what_wasmtime_refuses_is_said_in_words() -> None:
    wrong = Module([Function("wrong", {}, "f64")])  # which gives nothing
    with pytest.raises(RuntimeError, match=r"refused a program: (?s:.*)Please report it"):
        host.room().load(wrong, {})


# --- the same order of additions as C of two lanes ----------------------------------------------


@pytest.fixture
def two_lanes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C for the first processors of this kind: two lanes, products and sums rounded apart."""
    if c.unavailable() or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("no C compiler for x86-64 here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(library, "_stopped", set())  # by a test before, on a busy machine
    monkeypatch.setenv("CC", f"{' '.join(library.compiler() or [])} -march=x86-64")
    assert c.machine() == Machine(2, 10)


def assert_the_bits_of_c(function: Callable[[], Any], inputs: Sequence[Value]) -> None:
    ours, theirs = Ran(function, inputs), RanAsC(function, inputs)
    assert list(map(repr, ours.data)) == list(map(repr, theirs.data))
    assert list(map(repr, ours.grads)) == list(map(repr, theirs.grads))


@pytest.mark.some(3)
@pytest.mark.usefixtures("two_lanes")
@pytest.mark.parametrize("shape", SHAPES)
def test_matrix_products_have_the_bits_of_c(shape: tuple[int, int, int]) -> None:
    n, m, terms = shape
    rows, columns = ([values(terms, k + 100 * s) for k in range(c)] for s, c in enumerate((n, m)))
    bias = values(m, 7)

    def run() -> list[Any]:
        return [fn.dot(x, y, b) for x in rows for y, b in zip(columns, bias, strict=True)]

    assert_the_bits_of_c(run, [*bias, *(v for row in (*rows, *columns) for v in row)])


def test_random_contractions(amount: Callable[..., int]) -> None:
    """Against plain loops; nothing is written beyond the working memory that was asked for."""
    draw = random.Random(2)
    for _ in range(amount(40, 200, 2_000)):
        _, result, factors, starts, assign = case(draw)
        arrays, want, off = summed(draw, result, factors, starts, assign)
        plan = Plan(MACHINE, result._replace(memory="to"), factors, starts, assign)
        if plan.along is None:
            continue
        arrays["to"], used, room = arrays.pop("z"), draw.choice([0, 5]), host.room()
        function = Function("sums", {**dict.fromkeys(arrays, "i32"), "w": "i32"})
        walk = Walk(function)
        for view in (
            plan.result,
            *plan.factors,
            *plan.starts,
            *[copy.source for copy in plan.copies],
        ):
            if view.memory in arrays:
                walk.take(view.memory, view, view.memory)
        work = contract(walk, plan, used)
        memories = {name: room.numbers(len(numbers)) for name, numbers in arrays.items()}
        for name, numbers in arrays.items():
            memories[name][0][:] = array("d", numbers)
        memories["w"] = room.numbers(work + 1)
        memories["w"][0][:] = array("d", [7.0] * (work + 1))
        (run,) = room.load(Module([function], exported=["sums"]), {})
        run(*[place for _, place in memories.values()])
        check_sums(memories["to"][0], want, off)
        assert [*memories["w"][0][:used], memories["w"][0][work]] == [7.0] * (used + 1)


@pytest.mark.some(6)
@pytest.mark.usefixtures("two_lanes")
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus"])
def test_trainings_have_the_bits_of_c(loss: str, activation: str) -> None:
    model = MLP(8, [20, 5] if loss == "cross_entropy" else [20, 1], activation, seed=1)
    xs = [values(8, k) for k in range(31)]
    targets: list[Any] = [k % 5 if loss == "cross_entropy" else math.sin(k) for k in range(31)]

    def run() -> Any:
        return getattr(losses, loss)([model(x) for x in xs], targets)

    assert_the_bits_of_c(run, [v for x in xs for v in x])


def test_one_softmax_under_many_weights_has_the_bits_of_c(two_lanes: None) -> None:
    """Its slope, a sum over the weights, is computed in registers."""
    xs, weights = values(40), values(30, 1)
    assert_the_bits_of_c(lambda: fn.sum([w * fn.logsumexp(xs) for w in weights]), [*xs, *weights])


def test_sums_of_what_is_no_product_have_the_bits_of_c(two_lanes: None) -> None:
    xs, weights = values(40), values(30, 1)
    assert_the_bits_of_c(
        lambda: fn.sum([fn.dot([w] * 40, [x.sin() for x in xs]) for w in weights]),
        [*xs, *weights],
    )


@pytest.mark.parametrize("classes", [4, 1])
@pytest.mark.parametrize("count", [9, 1])
def test_picks_of_what_lies_across(classes: int, count: int) -> None:
    """Of a batch whose scores lie class by class, each row picks one, also from the end."""
    columns = [values(count, k) for k in range(classes)]
    places = [Value(float(k % classes - classes // 2)) for k in range(count)]

    def run() -> list[Any]:
        rows = zip(*[[x.sin() for x in column] for column in columns], strict=True)
        return [fn.pick(row, place) for row, place in zip(rows, places, strict=True)]

    inputs = [*(x for column in columns for x in column), *places]
    Ran(run, inputs, [1.0 + k for k in range(count)]).check()


def test_places_that_no_formula_gives_have_a_memory_of_their_size() -> None:
    xs = values(500)
    wires = [(i * i * 7 + 3) % 500 for i in range(1000)]
    pairs = list(zip(wires, wires[::-1], strict=True))
    done = Ran(lambda: fn.sum([xs[p] * xs[q] for p, q in pairs]), xs).check()
    written = Text(done.program)
    assert len(written.table) >= 1000
    assert 0 <= program.NUMBER * written.sizes["t"] - program.PLACE * len(written.table) < 8


# --- the text, and what it is made of -------------------------------------------------------------


@pytest.mark.parametrize("name", ["recurrent", "moons, fused=True"])
def test_the_source_is_a_text_of_the_very_module(name: str) -> None:
    given = recorded(GRAPHS[name]())
    kernel = wasm.compile(given.program, given.tape)
    text = Text(given.program)
    starts = [8 * sum([*text.sizes.values()][:k]) for k in range(len(text.sizes))]
    assert (
        of_text(kernel.source) == text.module(dict(zip(text.sizes, starts, strict=True))).encoded()
    )
    assert "(func $forward" in kernel.source


def test_what_vectormath_has_is_computed_here_and_the_rest_asked_of_python() -> None:
    xs = values(5)
    tanh, gamma = (Ran(lambda f=f: [f(x) for x in xs], xs) for f in (fn.tanh, fn.lgamma))
    assert "python_" not in tanh.kernel.source
    assert "(call $python_lgamma)" not in tanh.kernel.source
    asked = set(re.findall(r'"python_(\w+)"', gamma.kernel.source))
    assert "lgamma" in asked <= FUNCTIONS.keys()


def test_each_row_is_computed_here_but_for_what_a_table_of_the_docs_names() -> None:
    each = [[Value(x) for x in op.at[0]] for op in ROWS for _ in range(2)]
    ops = [op for op in ROWS for _ in range(2)]
    flat = [x for xs in each for x in xs]
    done = Ran(lambda: [apply(op, *xs) for op, xs in zip(ops, each, strict=True)], flat)
    asked = set(re.findall(r'"python_(\w+)"', done.kernel.source))
    page = Path(__file__).parents[1].joinpath("docs", "replay.md").read_text(encoding="utf-8")
    _, table = page.split("| asked of Python |")
    told = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()[2:]]
    assert asked == set(re.findall(r"`(\w+)`", " ".join(told)))


def test_the_c_of_a_function_is_read_as_it_stands() -> None:
    text = mathematics.written("v_mantissa")
    assert text.parameters == ["x", "exponent"]
    assert text.pointers == ["exponent"]
    assert [name for name, _ in text.statements] == ["root", "above", "exponent"]


# --- memory, threads, forks -----------------------------------------------------------------------


def small(k: float) -> Any:
    w = Value(k)
    step = replay(lambda xs: fn.dot([w] * len(xs), xs), backend="wasm")
    step([1.0, 2.0])
    return step


def test_gradients_stay_what_they_were_when_the_kernel_goes_on() -> None:
    w = Value(2.0)
    step = replay(lambda x: w * x * x, backend="wasm")
    first, second = step(3.0), step(5.0)
    first.backward()
    assert w.grad == 9.0
    second.backward()
    assert w.grad == 9.0 + 25.0


def test_a_memory_that_is_looked_into_outlives_its_kernel() -> None:
    x = Value(2.0)
    with record() as seen:
        y = x * 3.0
    tape = seen.tape([x], [y])
    kept = []
    for _ in range(3 * host.KERNELS):
        kernel = wasm.compile(roll(tape), tape)
        kernel.values[1] = 4.0
        kernel.forward()
        kept.append(kernel.values)
    assert [numbers[2] for numbers in kept] == [12.0] * len(kept)


def test_threads_share_a_room() -> None:
    steps, wrong = [small(float(k)) for k in range(4)], []

    def run(k: int) -> None:
        found = [steps[k]([1.0, float(n)]).data for n in range(300)]
        wrong.append(found != [k * (1.0 + n) for n in range(300)])

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [False] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_a_fork_goes_on_and_makes_more() -> None:
    step = small(3.0)
    process = os.fork()
    if not process:
        good = step([1.0, 1.0]).data == 6.0 and small(5.0)([1.0, 3.0]).data == 20.0
        os._exit(0 if good else 1)
    assert os.waitpid(process, 0)[1] == 0
    assert step([1.0, 2.0]).data == 9.0


@pytest.mark.some(12)
@pytest.mark.parametrize("kernels", [1, 1000])
@pytest.mark.parametrize("batch", [None, 7])
@pytest.mark.parametrize("loss", ["mse", "hinge", "cross_entropy"])
def test_several_steps_in_one_call_are_those_one_by_one(
    monkeypatch: pytest.MonkeyPatch, loss: str, batch: int | None, kernels: int
) -> None:
    """Whether or not the loss and what moves its parameters are in one room."""
    monkeypatch.setattr(host, "KERNELS", kernels)
    draw = random.Random(3)
    xs = [[draw.uniform(-1, 1) for _ in range(4)] for _ in range(40)]
    targets = {"mse": [sum(x) for x in xs], "hinge": [1 if sum(x) > 0 else -1 for x in xs]}
    ys = targets.get(loss) or [int(x[0] > 0) + int(x[1] > 0) for x in xs]
    taken = []
    call = WasmSeveral.__call__

    def counted(self: WasmSeveral, *given: Any) -> Any:
        seen = call(self, *given)
        taken.append(self.done)
        return seen

    monkeypatch.setattr(WasmSeveral, "__call__", counted)

    def trained() -> tuple[list[float], list[float]]:
        model = MLP(4, [6, 3 if loss == "cross_entropy" else 1], "tanh", seed=1)
        settings = {"batch_size": batch, "epochs": 40} if batch else {"steps": 200}
        history = fit(
            model,
            getattr(losses, loss),
            (xs, ys),
            optimizer=Adam(model.parameters(), lr=0.01),
            backend="wasm",
            **settings,
        )
        return [*history.loss, *history.accuracy], [p.data for p in model.parameters()]

    together = trained()
    assert sum(taken) > 100
    monkeypatch.delattr(WasmKernel, "several")
    assert trained() == together


# --- where it stands in for C ---------------------------------------------------------------------


def test_auto_tries_it_where_there_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    program = recorded(GRAPHS["moons, fused=True"]()).program
    for name, compiler in (("c", ["cc"]), ("wasm", None)):
        monkeypatch.setattr(library, "compiler", lambda compiler=compiler: compiler)
        names = {attempt.name for attempt in choice.attempts(program, "python")}
        assert names - {"numpy", "python"} == {name}


def test_auto_ends_with_it_where_there_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "compiler", lambda: None)
    monkeypatch.setitem(sys.modules, "numpy", None)
    model, xs = MLP(8, [16, 1], "tanh", seed=1), [[0.1 * k] * 8 for k in range(20)]
    step = replay(lambda xs: fn.sum([model(x) for x in xs]))
    for _ in range(3000):
        total = step(xs)
        total.backward()
        if step.backend == "wasm":
            break
    want = fn.sum([model(x) for x in xs])
    assert step.backend == "wasm", step.explain()
    assert total.data == pytest.approx(want.data, rel=1e-14)
