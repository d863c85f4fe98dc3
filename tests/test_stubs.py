"""What follows from a row alone: functions, methods, stubs, and all that runs them."""

import ast
import os
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest

import engine
from engine import operators, stubs
from engine.operators import function_name
from engine.ops import OPS
from engine.replay import backends

ROOT = Path(engine.__file__).parents[1]
LIBRARY = [op for op in OPS.values() if op.arity]

ROW = """
define("bump", "bump", "exp(-x * x)", "-2 * x * z", at=[(0.5,), (-1.0,)])
define("ramp", "ramp", "y * x if x > 0 else x", "y if x > 0 else 1.0", "x if x > 0 else 0.0",
       at=[(0.5, 3.0), (-1.0, 2.0)], parameter=("slope", 2.0))
"""

PROGRAM = """
import math
import engine
from engine import Value, bump, grad, ramp, replay, steps, stubs
from nn import MLP

assert {"bump", "ramp"} <= {*dir(engine), *engine.__all__}
x, z = Value(0.5), math.exp(-0.25)
assert bump(x).data == x.bump().data == bump(0.5) == engine.bump(0.5) == z
assert [d.data for d in (grad(bump(x), x), grad(grad(x.bump(), x), x))] == [-z, -z]
assert ramp(3.0) == 6.0 == Value(3.0).ramp().data == Value(2.0).ramp(slope=3.0).data
assert "bump(0.5)" in str(steps(bump(x)))
assert MLP(1, [1, 1], "ramp")([x]).op
for backend in %r:
    f = replay(lambda v: (bump(v) + ramp(v)) * v, backend=backend)
    for at in (0.5, -1.0):
        v, w = Value(at), Value(at)
        f(v).backward()
        ((bump(w) + ramp(w)) * w).backward()
        assert math.isclose(v.grad, w.grad, rel_tol=1e-12), backend
assert "bump: Function\\n" in stubs.text() and "def ramp(self, slope: " in stubs.text()
"""


def test_the_stub_is_what_the_rows_say():
    written = stubs.PATH.read_text(encoding="ascii")
    assert written == stubs.text(), "the rows have changed: run python -m engine.stubs"


def test_signatures_for_type_checkers_are_those_of_the_methods():
    tree = ast.parse(stubs.PATH.read_text(encoding="ascii"))
    [block] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Methods"]
    shown = {n.name: n for n in block.body if isinstance(n, ast.FunctionDef)}
    assert shown.keys() == {n.name for n in ast.parse(operators.source()).body}
    for name, n in shown.items():
        assert [a.arg for a in n.args.args] == [*signature(getattr(engine.Value, name)).parameters]
        compares = name in {f"__{relation}__" for relation in operators.COMPARISONS}
        assert ast.unparse(n.returns) == ("bool" if compares else "Value")
        kinds = [ast.unparse(a.annotation) for a in n.args.args[1:]]
        reflected = name in {f"__r{infix}__" for infix in operators.INFIX}
        assert kinds in ([], ["float"] if reflected else ["Value | float"])


@pytest.mark.parametrize("op", LIBRARY, ids=repr)
def test_every_row_is_a_function_and_of_one_operand_a_method(op):
    name = function_name(op)
    function = getattr(engine, name)
    assert function.__name__ == name
    assert name in dir(engine)
    assert hasattr(engine.Value, op.name) >= op.takes_one
    for at in op.at:
        assert function(*at) == op(*at) == function(*map(engine.Value, at)).data


def test_a_new_operation_is_one_row(tmp_path):
    """In a copy of the engine with two rows more."""
    for package in ("engine", "nn"):
        shutil.copytree(ROOT / package, tmp_path / package)
    with (tmp_path / "engine/ops.py").open("a") as table:
        table.write(ROW)
    names = [name for name in backends.NAMES if backends._runs(name)]
    subprocess.run(
        [sys.executable, "-c", PROGRAM % names],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True, cwd=tmp_path,
    )  # fmt: skip
