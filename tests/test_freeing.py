"""Deep graphs are freed node after node where CPython runs in a browser."""

import gc
import sys

import pytest
from processes import printed

from engine import freeing
from engine.freeing import free
from engine.value import Value

IN_A_BROWSER = """
import importlib, sys, engine.value
sys.platform = "emscripten"
print(hasattr(importlib.reload(engine.value).Value, "__del__"))
"""


@pytest.fixture
def freed(monkeypatch):
    """Values that are freed so, and the depths of the stack at which their operands go."""
    depths = []

    def noted(node):
        depth, frame = 0, sys._getframe()
        while frame := frame.f_back:
            depth += 1
        depths.append(depth)
        free(node)

    monkeypatch.setattr(Value, "__del__", noted, raising=False)
    return depths


@pytest.mark.parametrize(
    "grown",
    [lambda y, x: y * x, lambda y, x: x * y, lambda y, x: sum([x, y, x]), lambda y, x: y.relu()],
)
def test_no_node_is_freed_inside_of_many_others(freed, grown):
    x = Value(1.0)
    y = x
    for _ in range(3_000):
        y = grown(y, x)
    del y
    assert len(freed) >= 3_000
    assert max(freed) - min(freed) < 3
    assert x.parents == ()


def test_what_is_still_held_stays(freed):
    x, w = Value(3.0), Value(2.0)
    kept = x * w
    y = kept + x
    del y
    assert kept.parents == (x, w)
    kept.backward()
    assert (x.grad, w.grad) == (2.0, 3.0)


def values():
    return sum(type(thing) is Value for thing in gc.get_objects())


def test_an_interrupt_leaves_nothing_behind(monkeypatch):
    calls = 0

    def interrupted(node):
        nonlocal calls
        calls += 1
        free(node)
        if calls == 50:
            raise KeyboardInterrupt

    y = x = Value(1.0)
    for _ in range(100):
        y = y * x
    gc.collect()
    alive = values()
    monkeypatch.setattr(Value, "__del__", interrupted, raising=False)
    monkeypatch.setattr(sys, "unraisablehook", lambda error: None)
    del y
    assert (calls, values()) == (100, alive - 100)
    assert not freeing._waiting


def test_a_number_that_was_refused_is_freed_in_silence(freed):
    with pytest.raises(TypeError):
        Value("a text")
    gc.collect()


@pytest.mark.whole
def test_it_is_so_in_a_browser_and_nowhere_else():
    assert hasattr(Value, "__del__") == (sys.platform == "emscripten")
    assert printed(IN_A_BROWSER, 0) == "True\n"
