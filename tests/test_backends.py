import sys

import pytest
from graphs import GRAPHS, recorded

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
