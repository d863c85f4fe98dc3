"""Formulas in C."""

import re
from pathlib import Path

import pytest

from engine.backends import ctext, library, vectormath
from engine.backends.cformula import FAR, Formulas, with_exponent
from engine.ops import OPS, Op

XY = {"x": "x[i]", "y": "y[i]", "z": "z[i]", FAR: "&far"}


def body(op: Op, result: str = "z") -> str:
    formulas = Formulas()
    formulas.call(op, result, XY)
    return formulas.functions[-1]


def row(formula: str, *partials: str) -> Op:
    return Op("row", "row", formula, partials or ("1.0",), ())


def test_a_call_passes_what_the_formula_reads() -> None:
    formulas = Formulas()
    assert formulas.call(OPS["div"], "dy", XY) == "dy_div(y[i], z[i])"
    assert formulas.call(OPS["add"], "dx", XY) == "dx_add()"


def test_each_function_is_written_once_and_after_those_it_calls() -> None:
    formulas = Formulas()
    for _ in range(2):
        formulas.call(OPS["softplus"], "dx", XY)
    names = [re.findall(r"(\w+)\(", text)[0] for text in formulas.functions]
    assert names == ["z_sigmoid", "dx_softplus"]


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("x ** 2 / 3", "(v_pow(x, 2.0) / 3.0)"),
        ("-x * y", "((-x) * y)"),
        ("0.0 if x <= 0 else x", "((x <= 0.0) ? 0.0 : x)"),
        ("1.0 if 0 < x < 1 else y", "(((0.0 < x) & (x < 1.0)) ? 1.0 : y)"),
        (
            "1.0 if x > 0 or not y > 0 and x < y else y",
            "(((x > 0.0) | ((!(y > 0.0)) & (x < y))) ? 1.0 : y)",
        ),
        ("x * (x < y)", "(x * ((x < y) ? 1.0 : 0.0))"),
        ("x if y else 2", "((y != 0.0) ? x : 2.0)"),
        ("1e999 * abs(x)", "(INFINITY * fabs(x))"),
        ("exp(x)", "v_exp(x)"),
        ("sqrt(x) + sin(x)", "(sqrt(x) + v_sin(x, far))"),
    ],
)
def test_expressions(formula: str, text: str) -> None:
    assert f"return {text};" in body(row(formula))


def test_named_parts_come_first_under_names_of_the_library() -> None:
    text = body(row("(int := exp(x)) / (1 + int)"))
    assert "const double part0 = v_exp(x);" in text
    assert "return (part0 / (1.0 + part0));" in text
    assert "int" not in text


def test_a_part_that_may_be_far_from_0_is_told_so_through_all_calls() -> None:
    inner = row("sin(x) * x")
    outer = Op("outer", "outer", "inner(exp(x)) + y", ("1.0", "1.0"), (), False, {"inner": inner})
    formulas = Formulas()
    assert formulas.call(outer, "z", XY) == "z_outer(x[i], y[i], &far)"
    assert "double z_outer(double x, double y, double *far)" in formulas.functions[-1]
    assert f"z_{inner.key}(v_exp(x), far)" in formulas.functions[-1]
    assert formulas.call(outer, "dx", XY) == "dx_outer()"


@pytest.mark.parametrize("y", [2.0, -0.5, 1e300, 5e-324, -0.0])
@pytest.mark.parametrize("x", [0.0, 0.7, 3.0, -2.0])
def test_a_power_whose_exponent_is_known(x: float, y: float) -> None:
    op = with_exponent(OPS["pow"], y)
    assert op is with_exponent(OPS["pow"], y)
    assert repr(op.forward((x,))) == repr(OPS["pow"].forward((x, y))[:2])
    assert op.key.isidentifier()
    assert op.key != with_exponent(OPS["pow"], 3.0).key


def test_a_name_that_is_not_ascii_is_written_in_hex() -> None:
    op = Op("größe", "g", "x", ("1.0",), ())
    assert body(op).isascii()


@pytest.mark.skipif(library.compiler() is None, reason="no C compiler here")
def test_all_rows_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    formulas = Formulas()
    for op in OPS.values():
        if not op.many:
            for result in ("z", "dx", "dy")[: 1 + len(op.partials)]:
                formulas.call(op, result, XY)
    own = "\n".join(formulas.functions)
    assert library.load("\n".join([ctext.HEAD, vectormath.needed(own), own]))
