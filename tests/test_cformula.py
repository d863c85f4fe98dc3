"""Formulas in C."""

import re
from itertools import product
from pathlib import Path

import pytest

from engine import op
from engine.op import Op
from engine.ops import OPS
from engine.replay.backends import ctext, library, vectormath
from engine.replay.backends.cformula import FAR, Formulas
from engine.replay.replay import replay
from engine.value import Value, apply

XY = {"x": "x[i]", "y": "y[i]", "z": "z[i]", FAR: "&far"}


def printed(formula: str, formulas: Formulas | None = None, **callees: Op) -> tuple[str, ...]:
    """The lines of an expression, its value last."""
    lines, value = (formulas or Formulas()).printed(formula, row(formula, **callees), XY)
    return *lines, value


def row(formula: str, **callees: Op) -> Op:
    return Op("row", "row", formula, ("1.0",), (), False, callees)


def test_a_call_passes_what_the_formula_reads() -> None:
    first, second = row("2 * x"), row("y - 1")
    formulas = Formulas()
    calls = [printed(f"{name}(x, y)", formulas, a=first, b=second)[-1] for name in "ab"]
    assert calls == [f"z_{first.key}(x[i])", f"z_{second.key}(y[i])"]


def test_each_function_is_written_once_and_after_those_it_calls() -> None:
    inner = row("x * x")
    outer = row("inner(x) + 1", inner=inner)
    formulas = Formulas()
    for _ in range(2):
        printed("outer(x)", formulas, outer=outer)
    names = [re.findall(r"(\w+)\(", text)[0] for text in formulas.functions]
    assert names == [f"z_{inner.key}", f"z_{outer.key}"]


FORMULAS = [
    *("x ** 2 / 3", "-x * y", "0.0 if x <= 0 else x", "1.0 if 0 < x < 1 else y"),
    *("1.0 if x > 0 or not y > 0 and x < y else y", "x * (x < y)", "x if y else 2"),
    *("1e999 * abs(x)", "exp(x)", "sqrt(abs(x)) + sin(x)", "(int := exp(x)) / (1 + int)"),
]
NUMBERS = [0.0, -0.0, 0.5, 1.0, 2.0, -0.5, -3.0]


@pytest.mark.skipif(library.compiler() is None, reason="no C compiler here")
def test_expressions_give_what_python_gives() -> None:
    rows = [
        op.row("mine", "mine", text, *["1.0"] * (1 + ("y" in text)), at=[]) for text in FORMULAS
    ]

    def all_rows(x: Value, y: Value) -> list[Value]:
        return [apply(each, *(x, y)[: len(each.partials)]) for each in rows]

    step = replay(all_rows, backend="c", check=10**9)
    for x, y in product(NUMBERS, NUMBERS):
        got = [z.data for z in step(Value(x), Value(y))]
        want = [z.data for z in all_rows(Value(x), Value(y))]
        for text, a, b in zip(FORMULAS, got, want, strict=True):
            assert a == pytest.approx(b, rel=4 * 2**-52, nan_ok=True), (text, x, y)


def test_what_the_library_has_whole_stands_for_its_own_rows_alone() -> None:
    tanh = OPS["tanh"]
    text = f"y * ({tanh.partials[0]})"
    (value,) = Formulas().printed(text, tanh, XY)[1:]
    assert value == "(y[i] * (4.0 * v_sigmoid_slope((2.0 * x[i]))))"
    assert "sigmoid" not in printed(text)[-1]


def test_named_parts_come_first_under_names_of_the_library() -> None:
    part, value = printed("(int := exp(x)) / (1 + int)")
    assert part == "const double part0 = v_exp(x[i]);"
    assert value == "(part0 / (1.0 + part0))"


def test_a_part_that_may_be_far_from_0_is_told_so_through_all_calls() -> None:
    inner = row("sin(x) * x")
    outer = row("inner(exp(x)) + y", inner=inner)
    formulas = Formulas()
    assert printed("outer(x, y)", formulas, outer=outer) == (f"z_{outer.key}(x[i], y[i], &far)",)
    assert f"double z_{outer.key}(double x, double y, double *far)" in formulas.functions[-1]
    assert f"z_{inner.key}(v_exp(x), far)" in formulas.functions[-1]


def test_a_name_that_is_not_ascii_is_written_in_hex() -> None:
    formulas = Formulas()
    value = printed("f(x)", formulas, f=Op("größe", "g", "x", ("1.0",), ()))[-1]
    assert value.isascii()
    assert formulas.functions[-1].isascii()


@pytest.mark.skipif(library.compiler() is None, reason="no C compiler here")
def test_all_rows_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    formulas = Formulas()
    for each in OPS.values():
        if not each.many:
            formulas.function(each)
    own = "\n".join(formulas.functions)
    assert library.load("\n".join([ctext.HEAD, vectormath.needed(own), own]))
