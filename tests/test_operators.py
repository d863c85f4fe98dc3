import ast
import inspect
import linecache

import pytest
from disturbed import traced

from engine import operators
from engine.ops import OPS
from engine.value import Value

SOURCE = "".join(linecache.getlines("<operators of brickgrad>"))
METHODS = {node.name: node for node in ast.parse(SOURCE).body}
DUNDER = {"add": "__add__", "sub": "__sub__", "mul": "__mul__", "div": "__truediv__"}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_runs_the_text_that_is_shown(name):
    method = getattr(Value, name)
    assert method.__name__ == name
    assert method.__qualname__ == f"Value.{name}"
    first, last = METHODS[name].lineno, METHODS[name].end_lineno
    assert inspect.getsource(method) == "".join(SOURCE.splitlines(True)[first - 1 : last])


def test_linecache_holds_what_the_rows_generate_now():
    assert operators.source().startswith(SOURCE.rstrip("\n"))


def test_every_row_of_one_or_two_operands_is_a_method():
    one = {op.name for op in OPS.values() if op.takes_one}
    assert {name for name in METHODS if not name.startswith("__")} == one
    assert {"__add__", "__radd__", "__rsub__", "__rmul__", "__pow__", "__rpow__", "__neg__"} <= set(
        METHODS
    )


def test_the_source_is_plain_code_a_person_could_have_written():
    assert ast.unparse(METHODS["__mul__"]) == "\n".join(
        [
            "def __mul__(self, other):",
            "    x = self._data",
            "    if type(other) is Value:",
            "        y = other._data",
            "        try:",
            "            z = x * y",
            "            dx = y",
            "            dy = x",
            "        except (ArithmeticError, TypeError, ValueError):",
            "            if type(x) is not float or type(y) is not float:",
            "                return apply(mul_op, self, other)",
            "            z, dx, dy = mul_careful(x, y)",
            "        node = _new()",
            "        node._dx = dx",
            "        node._dy = dy",
            "    else:",
            "        if type(other) is not float:",
            "            other = number(other)",
            "        y = other",
            "        try:",
            "            z = x * y",
            "            dx = y",
            "        except (ArithmeticError, TypeError, ValueError):",
            "            if type(x) is not float or type(y) is not float:",
            "                return apply(mul_op, self, other)",
            "            z, dx, dy = mul_careful(x, y)",
            "        node = _new()",
            "        node._dx = dx",
            "        node._dy = None",
            "    node.x = self",
            "    node.y = other",
            "    node._data = z",
            "    node.op = mul_op",
            "    node._grad = NOT_COMPUTED",
            "    node.label = ''",
            "    node.adjoint = None",
            "    if modes:",
            "        for see in active():",
            "            see(node)",
            "    return node",
        ]
    )


def test_a_debugger_steps_through_the_generated_source():
    steps = []

    def at_line(frame):
        file = frame.f_code.co_filename
        linecache.checkcache(file)
        steps.append(linecache.getline(file, frame.f_lineno).strip())

    with traced(lambda code: code.co_name == "__mul__", at_line):
        Value(2.0) * Value(3.0)
    assert steps[:2] == ["x = self._data", "if type(other) is Value:"]
    assert "z = x * y" in steps
    assert steps[-1] == "return node"


@pytest.mark.parametrize("name", DUNDER)
@pytest.mark.parametrize("at", [(1.5, 2.0), (-3.0, 0.5)])
def test_infix_reflected_and_constant_operands_agree_with_the_row(name, at):
    op, (x, y) = OPS[name], at
    z, dx, dy = op.forward(at)
    method = getattr(Value, DUNDER[name])
    both, left = method(Value(x), Value(y)), method(Value(x), y)
    right = getattr(Value(y), DUNDER[name].replace("__", "__r", 1))(x)
    assert [v.data for v in (both, left, right)] == [z, z, z]
    assert both.partials == (dx, dy)
    assert left.partials == (dx, None)
    assert right.partials == (None, dy)
    assert right.parents[0] == x
    assert {v.op for v in (both, left, right)} == {op}
