"""The text of straight lines; what it computes is judged in test_python."""

import ast

import pytest
from graphs import GRAPHS, numbers, recorded, total

import engine
from engine import formula
from engine.op import CAREFUL, MANY, PLAIN
from engine.ops import OPS
from engine.replay.backends.pythontext import ONE_LINE, Writer
from engine.value import Value

ALLOWED = (
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AugAssign, ast.Expr),
    *(ast.If, ast.While, ast.Yield, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Tuple),
    *(ast.Call, ast.NamedExpr, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.UnaryOp),
    *(ast.USub, ast.IfExp, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
    *(ast.BoolOp, ast.And, ast.Or, ast.IsNot, ast.Subscript, ast.List),
)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("rewrite", [formula.plain, formula.careful])
def test_the_text_has_only_what_it_may(graph, rewrite):
    of = recorded(graph())
    source = Writer(of.program, of.tape, rewrite).source()
    for node in ast.walk(ast.parse(source)):
        assert isinstance(node, ALLOWED), ast.dump(node)
        if isinstance(node, ast.Call):
            assert node.func.id[:-1] in {*OPS, *PLAIN, *CAREFUL, *MANY, "row_of"}
        elif isinstance(node, ast.Constant):
            assert isinstance(node.value, float | bool | int | None)
    formulas = {text for op in OPS.values() for text in (op.formula, *op.partials)}
    constants = {
        n.value for t in formulas for n in ast.walk(ast.parse(t)) if type(n) is ast.Constant
    }
    found = [n.value for n in ast.walk(ast.parse(source)) if type(n) is ast.Constant]
    used = {x for x in found if type(x) is not int}  # those of a pick are places
    assert used <= {float(c) for c in constants} | {True, None}  # data never becomes text


def lines(graph):
    of = recorded(graph)
    return Writer(of.program, of.tape, formula.plain).source().splitlines()


def test_a_neuron_is_two_lines_and_its_dead_part_is_left_out():
    w, b, xs = numbers(2, 1), Value(0.5), numbers(2)
    v = numbers(2, 3)

    def f():
        h = (w[0] * xs[0] + w[1] * xs[1] + b).relu()
        return h * v[0] + h * v[1] + total(w)

    text = lines((xs, f))
    assert text == EXPECTED.splitlines()


EXPECTED = """\
def run(leaves):
 while True:
  (x0, x1, x2, x3, x4, x5, x6) = leaves
  v3 = x2 * x0 + x3 * x1 + x4
  v4 = 0.0 if v3 <= 0.0 else v3
  v9 = v4 * x5 + v4 * x6 + (x2 + x3)
  seeds = yield (v9,)
  while seeds is not None:
   (s0,) = seeds
   a4 = s0 * x6 + s0 * x5
   a3 = (a4 * 0.0 if v3 <= 0.0 else a4)
   d3 = s0
   if a3 or v3 - v3:
    d3 += a3 * x1
   d2 = s0
   if a3 or v3 - v3:
    d2 += a3 * x0
   d0 = a3 * x2
   d1 = a3 * x3
   d5 = s0 * v4
   d6 = s0 * v4
   seeds = yield (0.0 + d0, 0.0 + d1, 0.0 + d2, 0.0 + d3, 0.0 + a3, 0.0 + d5, 0.0 + d6)
"""


def test_long_expressions_are_cut():
    xs = numbers(1000)
    x = Value(0.5)
    for f in (lambda: total(xs), lambda: total(x * y for y in xs)):
        source = lines(([x, *xs], f))
        assert max(line.count("+") for line in source if "yield" not in line) <= ONE_LINE


@pytest.mark.parametrize(
    ("f", "places"),
    [
        (lambda i, xs: engine.pick(xs, i), ["0 + 1 * k0"]),
        (lambda i, xs: engine.pick(xs[::2], i), ["0 + 1 * k0"]),
        (lambda i, xs: engine.pick(xs[:1], i), ["0 + 1 * k0"]),
        (
            lambda i, xs: engine.pick(xs, i) * engine.pick(xs[::2], i) * engine.pick(xs[::-1], i),
            ["0 + 1 * k0", "0 + 2 * k1", "(3, 2, 1, 0)[k0]"],
        ),
        (lambda i, xs: engine.pick([*xs[:2], 0.5, xs[2]], i), ["(0, 1, -1, 2)[k0]"]),
    ],
)
def test_what_was_picked_finds_its_adjoint(f, places):
    i, xs = Value(0.0), numbers(4)
    source = lines(([i, *xs], lambda: f(i, xs)))
    found = [line.split("] +=")[0].strip() for line in source if "] += " in line]
    assert sorted(found) == sorted(f"pool[{place}" for place in places)
