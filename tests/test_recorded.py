import math
import multiprocessing
import os
import threading

import pytest

import engine
from engine import alone
from engine.modes import modes
from engine.replay import backends
from engine.replay.recorded import Recorded
from engine.replay.replay import ReplayError, replay
from engine.replay.watch import is_recording, record
from engine.value import Value

BACKENDS = [name for name in backends.NAMES if backends._runs(name)]
each_backend = pytest.mark.parametrize("backend", BACKENDS)


class Given:
    """What came of a run that was recorded: Values, and nothing set beside them."""

    sets = ()

    def __init__(self, results):
        self.are_values, self.forms = [True] * len(results), [[0.0] * len(results)]


def made(f, backend, main=None):
    with record() as seen:
        results = f()
    return Recorded(seen.tape([], results), Given(results), backend, main=main)


def leaves(recorded):
    return (), [p.data for p in recorded.program.parameters]


# --- several outputs ------------------------------------------------------------------------------


@each_backend
def test_what_is_not_below_an_output_has_no_part_in_its_gradient(backend):
    w = Value(0.0)
    step = replay(lambda x: (w * x + 1, (w * x).sqrt()), backend=backend)
    for _ in range(5):
        w.zero_grad()
        loss, norm = step(2.0)
        loss.backward()
        assert w.grad == 2.0
        w.zero_grad()
        norm.backward()
        assert w.grad == math.inf


def several():
    w, v = Value(0.3), Value(0.7)

    def f():
        h = (w * v + w).tanh()
        return [h * v, (h + w) * h, engine.sum([h, w, v, w]), (v * v).exp() * h]

    return [w, v], f


@each_backend
def test_each_output_has_the_gradient_of_eager_mode(backend):
    (w, v), f = several()
    step = replay(f, backend=backend)
    for _ in range(3):
        for got, expected in zip(step(), f(), strict=True):
            slopes = []
            for z in (got, expected):
                w.zero_grad()
                v.zero_grad()
                z.backward()
                slopes.append([w.grad, v.grad])
            assert slopes[0] == (
                slopes[1] if backend == "python" else pytest.approx(slopes[1], rel=1e-14)
            )


def test_the_main_output_has_all_rows_below_it():
    w = Value(2.0)

    def f():
        y = w * 3.0
        return [y, y.exp()]

    assert made(f, "python").main == 1
    assert made(f, "python", main=0).main == 0
    assert made(lambda: [w * 3.0, w * 4.0], "python").main is None


@each_backend
def test_a_main_output_that_was_asked_for_is_left_alone_by_the_others(backend):
    w = Value(0.0)
    recorded = made(lambda: [w * 3.0, w.sqrt()], backend, main=0)
    assert list(recorded.backward(leaves(recorded), 0)) == [3.0]
    assert list(recorded.backward(leaves(recorded), 1)) == [math.inf]


def test_a_kernel_for_one_output_is_compared_with_python(monkeypatch):
    if "numpy" not in BACKENDS:
        pytest.skip("numpy is not there")
    w = Value(0.0)
    recorded = made(lambda: [w * 3.0, w.sqrt()], "numpy", main=0)
    module = backends.backend("numpy")
    compile_ = module.compile

    class Wrong:
        def __init__(self, kernel):
            self.kernel, self.values, self.adjoints = kernel, kernel.values, kernel.adjoints
            self.forward = kernel.forward

        def backward(self, seeds):
            self.kernel.backward(seeds)
            self.adjoints[1] = 5.0

    monkeypatch.setattr(module, "compile", lambda *of: Wrong(compile_(*of)))
    with pytest.raises(ReplayError, match=r"gives a gradient of 5\.0, that of Python 2\.0"):
        recorded.backward(((), [0.0625]), 1)


@pytest.mark.parametrize(("share", "is_told"), [(1e-6, True), (1e-12, False)])
def test_a_kernel_for_one_output_may_round_and_no_more(share, is_told, monkeypatch):
    if "numpy" not in BACKENDS:
        pytest.skip("numpy is not there")
    w = Value(0.0)
    recorded = made(lambda: [w * 3.0, w.sqrt()], "numpy", main=0)
    module = backends.backend("numpy")
    compile_ = module.compile

    class Off:
        def __init__(self, kernel):
            self.kernel, self.values, self.adjoints = kernel, kernel.values, kernel.adjoints
            self.forward = kernel.forward

        def backward(self, seeds):
            self.kernel.backward(seeds)
            self.adjoints[:] = type(self.adjoints)("d", [g * (1 + share) for g in self.adjoints])

    monkeypatch.setattr(module, "compile", lambda *of: Off(compile_(*of)))
    if is_told:
        with pytest.raises(ReplayError, match=r"gives a gradient of 2\.000002, that of Python 2"):
            recorded.backward(((), [0.0625]), 1)
    else:
        assert recorded.backward(((), [0.0625]), 1) == pytest.approx([2.0], rel=1e-11)


def test_calls_are_counted_up_to_the_one_to_compare():
    w = Value(2.0)
    recorded = made(lambda: [w * 3.0], "python")
    recorded.due = 4
    assert [recorded.count() for _ in range(3)] == [False, False, True]


# --- results --------------------------------------------------------------------------------------


def test_a_value_that_the_function_made_comes_back_as_one():
    step = replay(lambda xs: sum(xs, Value(0.0)))
    for _ in range(3):
        assert type(step([])) is Value
    assert type(replay(lambda x: 2.0)(1.0)) is float


# --- fork -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_child_of_a_fork_finds_no_lock_taken():
    w = Value(2.0)
    step = replay(lambda x: w * x, backend="python")
    step(1.0)
    recorded = step.kept.all[-1]
    is_held, is_done = threading.Event(), threading.Event()

    def hold():
        with recorded.lock, step.kept.lock, record(), alone.lock:
            is_held.set()
            is_done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(30)

    def child():
        w.zero_grad()
        step(3.0).backward()
        other = replay(lambda x: w * x * x)
        watched = modes or is_recording() or type(vars(Value)["data"]) is property
        os._exit(0 if (w.grad, other(2.0).data, bool(watched)) == (3.0, 8.0, False) else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    code = process.exitcode
    process.kill()
    is_done.set()
    thread.join(30)
    assert code == 0
