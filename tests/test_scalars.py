"""Rows that are computed in floats: how many lines they are, and their names beside ours."""

import pytest
import ran

pytest.importorskip("numpy")

from engine.functions import dot
from engine.op import row
from engine.replay.backends import numpy as backend
from engine.replay.backends import scalars
from engine.replay.backends.steps import Writer
from engine.replay.loops import adjoint, lower
from engine.replay.roll import roll
from engine.replay.watch import record
from engine.value import Value, apply


class Ran(ran.Ran):
    """A function run by NumPy, where rows alone are floats, and eagerly."""

    backend = backend


def lines(f, inputs):
    """Of the last loop, then those of its adjoints."""
    with record() as seen:
        y = f()
    loop = lower(roll(seen.tape(inputs, [y], [True] * len(inputs))))[-1]
    writer = Writer()
    for each in (loop, *adjoint([loop])):
        scalars.write(writer, each)
    return [step.text.format(*step.operands) for step in writer.steps]


def test_all_that_comes_to_a_place_is_one_line():
    x, ys = Value(2.0), [Value(3.0), Value(4.0)]

    def f():
        return dot([x, x], ys, 1.0)

    assert len(lines(f, [x, *ys])) == 1 + 3
    Ran(f, [x, *ys]).check()


@pytest.mark.parametrize("name", ["e", "g", "x0", "values", "adjoints", "ieee", "np"])
def test_a_part_of_a_formula_may_have_any_name(name):
    x = Value(0.3)
    cube = row("cube", "cube", f"({name} := x * x) * x", f"3 * ({name} := x) * {name}", at=[])
    found = Ran(lambda: apply(cube, x), [x]).check()
    assert "values" in found.kernel.source
    assert found.grads == pytest.approx([3 * 0.3**2], rel=1e-15)
