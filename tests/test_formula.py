import math

import pytest

from engine.formula import careful, check, generic, plain
from engine.op import CAREFUL, PLAIN
from engine.ops import OPS

TEXTS = {text: op for op in OPS.values() for text in (op.formula, *op.partials)}
BAD = {
    "x +": "invalid syntax",
    "": "invalid syntax",
    "x = 1": "invalid syntax",
    "x; y": "invalid syntax",
    "x + w": "no variable 'w'. There are: x, y",
    "foo(x)": "no function 'foo'. There are: exp",
    "__import__(x)": "no function '__import__'",
    "x(1)": "no function 'x'",
    "exp": "no variable 'exp'",
    "exp(x=1)": "a call has the form",
    "x.real": "Attribute is not allowed",
    "x[0]": "Subscript is not allowed",
    "[x]": "List is not allowed",
    "(x, y)": "Tuple is not allowed",
    "lambda: x": "Lambda is not allowed",
    "f'{x}'": "JoinedStr is not allowed",
    "'x'": "'x' is not a number",
    "True": "True is not a number",
    "1j": "1j is not a number",
    "x @ y": "MatMult is not allowed",
    "x % y": "Mod is not allowed",
    "x // y": "FloorDiv is not allowed",
    "x and y": "'x and y' is one of its operands",
    "2 * (x > 0 or y)": "is one of its operands",
    "-(1 and (x > 0 and y))": "is one of its operands",
    "exp(x, y)": "exp expected 1 arguments, got 2",
    "exp()": "exp expected 1 arguments, got 0",
    "(x := y) + x": "'x' has a meaning in all formulas: choose another name",
    "(z := y) + x": "'z' has a meaning in all formulas: choose another name",
    "(e := x) + (e := y)": "'e' is named twice",
    "e + (e := x)": "no variable 'e'",
    "((e := x) if y > 0 else 1) + e": "'e' is not always named before it is read",
    "x if y > 0 and (e := x) > 1 else e": "'e' is not always named",
    "((e := x) if y > 0 else e)": "'e' is not always named",
    "(1 if x < y < (e := x) else 2) * e": "'e' is not always named",
    f"1{'0' * 400}": "too large for a float",
    "~x": "Invert is not allowed",
    "x is y": "Is is not allowed",
    "x in y": "In is not allowed",
    "exp.x(1)": "a call has the form",
    "exp(*x)": "Starred is not allowed",
    "[x for x in y]": "ListComp is not allowed",
    "(exp := x) * exp": "'exp' is a function: choose another name",
    "await x": "Await is not allowed|invalid syntax|outside",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=repr)
def test_what_is_no_formula_is_refused(text, message):
    with pytest.raises(ValueError, match="formula ") as caught:
        check(text, ["x", "y"], {"exp": 1})
    assert any(part in str(caught.value) for part in message.split("|"))


@pytest.mark.parametrize(
    "text",
    [
        *("x", "-x", "2", "1.5e-3", "x if x < y <= 2 else y", "(e := exp(x)) + e", "not x"),
        *("1 if x and y or not x else 0", "(x > 0) - (x < 0)", "(x > 0 or y > 0) * 2"),
        *("x if 0 < (e := y) < e else e", "1 if x > 0 and (e := y) > 0 and e < 2 else 3"),
    ],
)
def test_arithmetic_is_a_formula(text):
    check(text, ["x", "y"], {"exp": 1})


@pytest.mark.parametrize(
    ("text", "plainly", "carefully", "generically"),
    [
        ("x / y", "x / y", "div(x, y)", "div(x, y)"),
        ("x ** 2", "pow(x, 2.0)", "pow(x, 2.0)", "pow(x, 2.0)"),
        ("x ** y ** 2", *["pow(x, pow(y, 2.0))"] * 3),
        ("-x ** 2", "-pow(x, 2.0)", "-pow(x, 2.0)", "-pow(x, 2.0)"),
        ("1 / (x / y)", "1.0 / (x / y)", "div(1.0, div(x, y))", "div(1.0, div(x, y))"),
        ("exp(x / 2)", "exp(x / 2.0)", "exp(div(x, 2.0))", "exp(div(x, 2.0))"),
        (
            "x if 0 < x / y < 1 else y",
            "x if 0.0 < x / y < 1.0 else y",
            "x if 0.0 < div(x, y) < 1.0 else y",
            "x if _key(0.0) < _key(div(x, y)) < _key(1.0) else y",
        ),
    ],
)
def test_rewriting(text, plainly, carefully, generically):
    assert plain(text) == plainly
    assert careful(text) == carefully
    assert generic(text) == generically


@pytest.mark.some(3)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("rewrite", [plain, careful, generic])
def test_rewriting_keeps_the_number(text, rewrite):
    op = TEXTS[text]
    names = {"x": 0.7, "y": 0.4, "z": 0.9, "xs": [0.7], "ys": [0.4], "bias": 1.0}
    if not op.many:
        names |= {"z": op(*op.at[0]), **dict(zip("xy", op.at[0], strict=False))}
    many = {"fsum": math.fsum, "inner": lambda xs, ys, bias: bias, "logsumexp": max}
    want = eval(text, {**OPS, **PLAIN, **many, **names})
    functions = {**OPS, **PLAIN, **CAREFUL, **many, "_key": float}
    assert eval(rewrite(text), {**functions, **names}) == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_the_rows_hold_no_name_that_is_not_there(text):
    functions = {op.name: op.arity for op in OPS.values() if op.arity}
    functions |= {"fsum": 1, "inner": 3, "logsumexp": 1}
    check(text, ["x", "y", "z", "xs", "ys", "bias"], functions)
