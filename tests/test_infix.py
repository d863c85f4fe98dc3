"""Formulas in languages that write them as C does."""

import ast
import itertools
from math import inf

import pytest

from engine.formula import careful, plain, tree
from engine.op import CAREFUL
from engine.replay.backends.infix import SIGNS, infix

POINTS = list(itertools.product([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0], repeat=2))


def call(name: str, arguments: list[str]) -> str:
    return f"{name}({', '.join(arguments)})"


def part(name: str, value: str) -> str:
    return f"({name} = {value})"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("x - y * 2 / x", "(x - ((y * 2.0) / x))"),
        ("-x ** 2", "(-pow(x, 2.0))"),
        ("1e999", "INFINITY"),
        ("0.0 if x <= 0 else x", "((x <= 0.0) ? 0.0 : x)"),
        ("1 if 0 < x < y != 2 else 0", "(((0.0 < x) & (x < y) & (y != 2.0)) ? 1.0 : 0.0)"),
        ("x if x > 0 and y > 0 or not x == y else 1",
         "((((x > 0.0) & (y > 0.0)) | (!(x == y))) ? x : 1.0)"),
        ("(e := exp(x)) / (1 + e)", "((e = exp(x)) / (1.0 + E))"),
    ],
)  # fmt: skip
def test_each_form(formula: str, text: str) -> None:
    names = {"x": "x", "y": "y", "e": "E"}
    assert infix(tree(plain(formula)), names, call, part) == text


@pytest.mark.parametrize(
    "formula", ["x - y - (x - 3 * y)", "x / 4 + x * -y", "pow(abs(x), y) - (x - y) * (x + y)"]
)
def test_arithmetic_is_that_of_the_formula(formula: str) -> None:
    text = infix(tree(plain(formula)), {"x": "X", "y": "Y"}, call, part)
    for x, y in POINTS:
        found = eval(text, {**CAREFUL}, {"X": x, "Y": y})
        assert found == eval(careful(formula), {**CAREFUL}, {"x": x, "y": y})


def test_a_language_has_signs_of_its_own() -> None:
    signs = SIGNS | {ast.And: "and", ast.Eq: "is", inf: "oo"}
    text = infix(
        tree("1e999 if x == 1 and 0 < y < 1 else 2"), {"x": "x", "y": "y"}, call, part, signs
    )
    assert text == "(((x is 1.0) and ((0.0 < y) and (y < 1.0))) ? oo : 2.0)"


def test_parts_and_calls_are_asked_in_the_order_of_python() -> None:
    asked: list[str] = []

    def noted(name: str, *_: object) -> str:
        asked.append(name)
        return name

    infix(tree("f(g(x), (a := h(x))) if (b := k(x)) > 0 else (c := x)"), {"x": "x"}, noted, noted)
    assert asked == ["k", "b", "g", "h", "a", "f", "c"]
