"""Loops as C functions."""

import pytest

from engine.backends.cformula import Formulas
from engine.backends.cloops import Function, Writer
from engine.backends.contraction import Machine
from engine.ops import OPS
from engine.roll import Access, Loop


def loop(name: str, rows: int, terms: int, needs_grad: bool = True) -> Loop:
    """`rows` rows of an operation, each on memory of its own."""
    op = OPS[name]
    if not op.many:
        scalars = tuple(Access(-1 - k, (1,), None, needs_grad) for k in range(len(op.partials)))
        return Loop(op, (rows,), (), scalars, (), -9)
    vectors = tuple(
        Access(-2 - k, (terms, 1), None, needs_grad) for k in range(1 + (name == "dot"))
    )
    bias = (Access(-1, (1,), None, needs_grad),) if name == "dot" else ()
    return Loop(op, (rows,), (terms,), bias, vectors, -9)


def writer(general: bool = False) -> Writer:
    return Writer(Machine(8, 20), Formulas(), general)


def declared(function: Function) -> list[str]:
    return [parameter.declaration.split()[-1].lstrip("*") for parameter in function.parameters]


def test_a_row_reads_its_operands_and_writes_its_result() -> None:
    (function,) = writer().forward(loop("mul", 100, 0))
    assert declared(function) == ["x", "y", "z"]
    assert [parameter.offset for parameter in function.parameters] == [-1, -2, -9]
    assert function.lines == (
        "for (int i0 = 0; i0 < 100; i0++) {",
        "    z[i0] = z_mul(x[i0], y[i0]);",
        "}",
    )


def test_an_adjoint_reads_what_its_partial_needs() -> None:
    (by_y,) = writer().backward(loop("div", 100, 0), ["", "="])
    assert declared(by_y) == ["y", "z", "g", "dy"]
    assert "dy[i0] = g[i0] * dy_div(y[i0], z[i0]);" in by_y.lines[1]


@pytest.mark.parametrize("name", ["dot", "logsumexp", "sum"])
@pytest.mark.parametrize("rows", [1, 100])
def test_operands_without_need_have_no_adjoint(name: str, rows: int) -> None:
    wanted = loop(name, rows, 9)
    operands = len(wanted.scalars) + len(wanted.vectors)
    for k in range(operands):
        assigns = ["+=" if k == i else "" for i in range(operands)]
        (function,) = writer().backward(wanted, assigns)
        targets = [n for n in declared(function) if n.startswith("d")]
        assert len(targets) == 1


def test_general_functions_serve_all_lengths() -> None:
    functions = [writer(general=True).forward(loop("dot", n, 5))[0] for n in (3, 4)]
    assert functions[0].lines == functions[1].lines
    offsets = [[p.offset for p in f.parameters if not p.memory] for f in functions]
    assert offsets[0] != offsets[1]


@pytest.mark.parametrize("name", ["dot", "sum", "logsumexp"])
def test_long_loops_stay_as_they_are_in_general(name: str) -> None:
    (function,) = writer(general=True).forward(loop(name, 1000, 64))
    assert all(parameter.memory for parameter in function.parameters)


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
    wanted = loop(name, rows, 8)
    (function,) = writer(general).forward(wanted)
    assert ("V8" not in "".join(function.lines) and not function.work) == plain
    assert writer(general).may_set(wanted, wanted.vectors[0]) != plain
    numbers = [parameter for parameter in function.parameters if not parameter.memory]
    assert bool(numbers) == (general and plain)
