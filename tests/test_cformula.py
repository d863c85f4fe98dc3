"""Formulas in C."""

import re
from pathlib import Path

import pytest

from engine.backends import ctext, library
from engine.backends.cformula import Formulas
from engine.ops import OPS, Op

X, XY = {"x": "x[i]"}, {"x": "x[i]", "y": "y[i]", "z": "z[i]"}


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
        ("x ** 2 / 3", "(power(x, 2.0) / 3.0)"),
        ("-x * y", "((-x) * y)"),
        ("0.0 if x <= 0 else x", "((x <= 0.0) ? 0.0 : x)"),
        ("1.0 if 0 < x < 1 else y", "((0.0 < x && x < 1.0) ? 1.0 : y)"),
        (
            "1.0 if x > 0 or not y > 0 and x < y else y",
            "(((x > 0.0) || ((!(y > 0.0)) && (x < y))) ? 1.0 : y)",
        ),
        ("x * (x < y)", "(x * ((x < y) ? 1.0 : 0.0))"),
        ("x if y else 2", "((y != 0.0) ? x : 2.0)"),
        ("1e999 * abs(x)", "(INFINITY * fabs(x))"),
        ("exp(x)", "exponential(x)"),
    ],
)
def test_expressions(formula: str, text: str) -> None:
    assert f"return {text};" in body(row(formula))


def test_named_parts_come_first_under_names_of_the_library() -> None:
    text = body(row("(int := exp(x)) / (1 + int)"))
    assert "const double part0 = exponential(x);" in text
    assert "return (part0 / (1.0 + part0));" in text
    assert "int" not in text.replace("inline", "")


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
    assert library.load("\n".join([ctext.HEAD, *formulas.functions]))
