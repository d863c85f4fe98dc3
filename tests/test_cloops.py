"""Loops as C functions."""

import re

import pytest

from engine.ops import OPS
from engine.replay.backends.cformula import Formulas
from engine.replay.backends.cloops import Function, views
from engine.replay.backends.contraction import Machine
from engine.replay.loops import Loop, adjoint, lower
from engine.replay.roll import Program, Rolled
from engine.replay.views import View


def loops(name: str, rows: int, terms: int) -> tuple[Loop, list[Loop]]:
    """`rows` rows of an operation, each on memory of its own, and the loops of its adjoints."""
    op = OPS[name]
    wanted = (True,) * len(op.partials)
    scalars = (View("v", 0, (rows,), (1,)),) * len(op.partials)
    rolled = Rolled(op, (rows,), (), scalars, (), 9, wanted)
    if op.many:
        vectors = (View("v", 0, (rows, terms), (terms, 1)),) * (1 + (name == "dot"))
        rolled = Rolled(op, (rows,), (terms,), scalars[: name == "dot"], vectors, 9, wanted)
    (loop,) = lower(Program((rolled,), 10**6, (), 10**6, (), (), (), ()))
    return loop, list(adjoint([loop]))


def written(loop: Loop, general: bool = False) -> Function:
    return Function(loop, Machine(8, 20), Formulas(), general)


def declared(made: Function) -> list[str]:
    return [parameter.split()[-1] for parameter in made.head.split(", ")]


def test_a_row_reads_its_operands_and_writes_its_result() -> None:
    loop, _ = loops("mul", 100, 0)
    made = written(loop)
    assert declared(made) == ["x", "y", "to"] == list(views(loop))
    assert made.memories == ("v", "v", "v")


def test_an_adjoint_reads_what_its_partial_needs() -> None:
    _, (_, by_y) = loops("div", 100, 0)
    made = written(by_y)
    assert declared(made) == ["g", "y", "z", "to"]
    assert made.memories == ("a", "v", "v", "a")


def test_only_what_is_written_is_no_constant() -> None:
    made = written(loops("logsumexp", 100, 9)[0])
    changed = [name for name in made.head.split(", ") if not name.startswith("const ")]
    assert [name.split()[-1] for name in changed] == ["to", "w"]
    assert made.work == 900


def test_a_table_takes_a_pointer_more() -> None:
    table = View("v", 0, (10,), (1,), tuple(range(0, 20, 2)))
    made = written(Loop("row", View("v", 30, (10,), (1,)), "=", "x", {"x": table}))
    assert made.memories == ("v", "t", "v")


def test_general_functions_serve_all_lengths() -> None:
    made = [written(loops("dot", n, 5)[0], general=True) for n in (3, 4)]
    assert (made[0].head, made[0].lines) == (made[1].head, made[1].lines)
    assert made[0].numbers != made[1].numbers
    assert made[0].memories[-len(made[0].numbers) :] == ("",) * len(made[0].numbers)


@pytest.mark.parametrize("name", ["dot", "sum", "logsumexp"])
def test_long_loops_stay_as_they_are_in_general(name: str) -> None:
    loop, adjoints = loops(name, 1000, 64)
    for each in (loop, adjoints[0]):
        assert written(each, general=True).numbers == ()


@pytest.mark.parametrize("name", ["dot", "logsumexp"])
@pytest.mark.parametrize(
    ("general", "rows", "plain"),
    [
        (False, 32, True),
        (False, 33, False),
        (True, 33, True),
        (True, 256, True),
        (True, 257, False),
    ],
)
def test_short_loops_are_written_as_they_stand(
    name: str, general: bool, rows: int, plain: bool
) -> None:
    made = written(loops(name, rows, 8)[0], general)
    assert ("V8" not in "".join(made.lines) and not made.work) == plain
    assert bool(made.numbers) == (general and plain)


def test_a_sum_over_the_first_axis_adds_where_it_stands() -> None:
    """The last axis lies side by side, so it stays the innermost."""
    reads = {"x": View("v", 0, (3, 4), (4, 1))}
    loop = Loop("sum", View("a", 0, (3, 4), (0, 1)), "=", "x", reads)
    nested = re.findall(r"for \(int (i\d)", "\n".join(written(loop).lines))
    assert nested == ["i1", "i0", "i1"]  # zeros, then all sums at once


def test_the_exps_of_a_softmax_come_in_one_stretch() -> None:
    _, (soft,) = loops("logsumexp", 100, 10)
    text = "\n".join(written(soft).lines)
    (loop,) = [line for line in text.splitlines() if "v_exp(" in line]
    assert "< 1000" in loop
