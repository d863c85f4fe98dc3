import sys
from itertools import chain, product
from operator import mul

import pytest
from graphs import GRAPHS, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import backends
from engine.replay import replay
from engine.value import Value


def hide(monkeypatch, *names):
    """No NumPy, or no C compiler, on this machine."""
    if "numpy" in names:
        monkeypatch.setitem(sys.modules, "numpy", None)
    if "c" in names:
        monkeypatch.setattr("engine.backends.library.compiler", lambda: None)


@pytest.mark.parametrize("name", backends.NAMES)
def test_a_backend_by_name(name):
    module = backends.backend(name)
    assert name == module.NAME
    assert module.unavailable() is None


def test_a_backend_that_is_none():
    with pytest.raises(ValueError, match="expected a backend of python, numpy, c, got 'rust'"):
        backends.backend("rust")


@pytest.mark.parametrize(
    ("name", "advice"), [("numpy", "pip install"), ("c", r"install gcc or clang, or pip install")]
)
def test_what_is_missing_is_said_by_name_and_no_error_in_auto(monkeypatch, name, advice):
    hide(monkeypatch, "numpy", "c")
    with pytest.raises(RuntimeError, match=f"backend '{name}' cannot run here: .*{advice}"):
        backends.backend(name)
    with pytest.raises(RuntimeError, match=advice):
        replay(lambda x: x, backend=name)
    w = Value(2.0)
    step = replay(lambda xs: sum(w * x for x in xs))
    assert [step([1.0] * 3000).data for _ in range(3)] == [6000.0] * 3
    assert step.backend == "python"


def test_auto_begins_small_graphs_in_python_and_large_ones_in_numpy(monkeypatch):
    pytest.importorskip("numpy")
    small = recorded(GRAPHS["recurrent"]()).program
    w = Value(2.0)
    large = replay(lambda xs: sum(w * x for x in xs))
    large([0.5] * 1000)
    assert backends.first(small).NAME == "python"
    assert large.backend == "numpy"
    hide(monkeypatch, "numpy")
    assert backends.first(recorded(GRAPHS["moons, fused=True"]()).program).NAME == "python"


def test_auto_moves_to_c_once_that_is_worth_its_compile_time(monkeypatch):
    program = recorded(GRAPHS["moons, fused=True"]()).program
    assert backends.better(program, 0.1) is None
    assert backends.better(program, 9.0) is backends.backend("c")
    hide(monkeypatch, "c")
    assert backends.better(program, 9.0) is None


@pytest.mark.parametrize("fails", [False, True])
def test_a_replay_moves_to_c_with_its_numbers(monkeypatch, fails):
    w = Value(2.0)
    step = replay(lambda x: (w * x).tanh())
    before = step(0.5)
    c = backends.backend("c")
    monkeypatch.setattr(backends, "better", lambda program, seconds: c)
    if fails:
        monkeypatch.setattr(c, "compile", lambda program, tape: broken())
    after = step(0.5)
    assert after.data == pytest.approx(before.data, rel=1e-15)
    after.backward()
    assert w.grad == pytest.approx(0.5 * (1 - after.data**2), rel=1e-14)
    assert step.backend == ("python" if fails else "c")


def broken():
    raise RuntimeError("the C compiler failed")


LENGTHS = st.lists(st.sampled_from([1, 2, 3, 5]), max_size=2)
LENGTHS_IN_REGISTERS = st.lists(st.sampled_from([2, 7, 20]), min_size=1, max_size=2)


@st.composite
def dots(draw):
    """Rows of dots whose operands step evenly, or not at all: the way of each, and the places."""
    lengths = draw(st.sampled_from([LENGTHS, LENGTHS_IN_REGISTERS]))
    shape, terms = draw(lengths), draw(lengths)
    steps = [
        draw(st.lists(st.sampled_from([0, 0, 1, 2, -1, 5]), min_size=n, max_size=n))
        for n in (len(shape + terms), len(shape + terms), len(shape))
    ]
    way = draw(st.sampled_from(["products", "dot", "sum"]))
    rows = []
    for row in product(*map(range, shape)):
        terms_of_row = [
            [sum(map(mul, (*row, *term), strides)) for strides in steps[:2]]
            for term in product(*map(range, terms))
        ]
        rows.append((terms_of_row, sum(map(mul, row, steps[2]))))
    return way, rows


@pytest.mark.parametrize("name", backends.NAMES)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(dots(), st.booleans())
def test_loops_of_all_strides_are_what_a_plain_loop_says(name, program, shares):
    """Results and gradients of dots, of chains of products and of sums, two operands or one."""
    way, rows = program
    places = sorted({p for terms, bias in rows for p in (*chain(*terms), bias)})
    xs = {p: Value(1 + k % 7 / 8) for k, p in enumerate(places)}
    ys = xs if shares else {p: Value(k % 5 / 4 - 0.25) for k, p in enumerate(places)}
    bs = {p: Value(k % 3 / 2) for k, p in enumerate(places)}

    def results():
        if way == "dot":
            return [
                engine.dot([xs[p] for p, _ in terms], [ys[q] for _, q in terms], bs[bias])
                for terms, bias in rows
            ]
        add = engine.sum if way == "sum" else sum
        return [add([xs[p] * ys[q] for p, q in terms] + [bs[bias] * 1]) for terms, bias in rows]

    weights = [k % 4 - 1.5 for k in range(len(rows))]
    step = replay(lambda: (found := results(), engine.dot(found, weights)), backend=name)
    step()
    got, total = step()
    total.backward()
    want = [bs[bias].data + sum(xs[p].data * ys[q].data for p, q in terms) for terms, bias in rows]
    assert [z.data for z in got] == pytest.approx(want, rel=1e-12, abs=1e-12)
    slopes = {id(v): 0.0 for v in (*xs.values(), *ys.values(), *bs.values())}
    for weight, (terms, bias) in zip(weights, rows, strict=True):
        slopes[id(bs[bias])] += weight
        for p, q in terms:
            slopes[id(xs[p])] += weight * ys[q].data
            slopes[id(ys[q])] += weight * xs[p].data
    leaves = [*xs.values(), *ys.values(), *bs.values()]
    gradients = [slopes[id(v)] for v in leaves]
    assert [v.grad for v in leaves] == pytest.approx(gradients, rel=1e-12, abs=1e-12)
