"""Formulas as calls of NumPy on whole arrays."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from itertools import pairwise

from engine import formula as formulas
from engine.op import CAREFUL, Op
from engine.replay.backends.steps import Writer
from engine.replay.views import Lengths, View

Number = View | float

FUNCTIONS = {
    **{name: f"np.{name}" for name in ("abs", "cos", "cosh", "exp", "expm1", "log", "log1p")},
    **{name: f"np.{name}" for name in ("sin", "sinh", "sqrt", "tan", "tanh")},
    **{name: f"np.{name}" for name in ("cbrt", "fmod", "hypot", "log10", "log2", "maximum")},
    **{f"a{name}": f"np.arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: name for name in ("erf", "erfc", "lgamma")},  # NumPy has none
    **{"atan2": "np.arctan2", "pow": "np.power", "round": "np.rint"},
}
SIGNS: dict[type[ast.AST], str] = {
    **{ast.Add: "np.add", ast.Sub: "np.subtract", ast.Mult: "np.multiply", ast.Div: "np.divide"},
    **{ast.And: "np.logical_and", ast.Or: "np.logical_or", ast.Not: "np.logical_not"},
    ast.USub: "np.negative",
    **{ast.Lt: "np.less", ast.LtE: "np.less_equal", ast.Gt: "np.greater"},
    **{ast.GtE: "np.greater_equal", ast.Eq: "np.equal", ast.NotEq: "np.not_equal"},
}
MASKS = ast.cmpop, ast.boolop, ast.Not  # make truth values
SHORTER = {"0.0 if x <= 0.0 else x": "maximum(x, 0.0)"}


@cache
def _names(node: ast.expr) -> frozenset[str]:
    """The variables that a part of a formula reads or sets."""
    called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    return frozenset(
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and id(n) not in called
    )


@cache
def _text(node: ast.expr) -> str:
    return ast.unparse(node)


@cache
def _careful(node: ast.expr) -> str:
    return formulas.careful(_text(node))


@dataclass
class Formula:
    """Writes the steps of a row's formulas: their variables are arrays of one shape, or numbers.

    What is known of a variable (a constant exponent) decides conditions now, not in each call.
    """

    callees: Mapping[str, Op]
    writer: Writer
    shape: Lengths
    operands: Mapping[str, Number]
    known: Mapping[str, float]
    done: dict[str, Number] = field(default_factory=dict)
    parts: dict[str, ast.expr] = field(default_factory=dict)  # by the names a formula gives them

    def result(self, text: str, out: View | None = None) -> Number:
        """Steps that leave the value of a formula in `out`, or somewhere."""
        node = self._read(text)
        if self._folded(node) is None and _text(node) in SHORTER:
            node = self._read(SHORTER[_text(node)])
        return self._value(node, out)

    def factor(self, text: str) -> Number:
        """The value of a formula, to be multiplied with: it may consist of truth values."""
        node = self._decided(self._read(text))
        if isinstance(node, ast.IfExp):
            branches = [self._folded(branch) for branch in (node.body, node.orelse)]
            if branches in ([0, 1], [1, 0]):
                mask = self._value(node.test)
                if branches == [0, 1]:
                    self.writer.do("np.logical_not({0}, out={0})", mask)
                return mask
        return self._value(node)

    def _read(self, text: str) -> ast.expr:
        node = formulas.tree(text)
        named = [part for part in ast.walk(node) if isinstance(part, ast.NamedExpr)]
        self.parts = {part.target.id: part.value for part in named}
        return node

    def _value(self, node: ast.expr, out: View | None = None) -> Number:
        """The value of a part of the formula; each part is computed once."""
        node = self._decided(node)
        text = _text(node)
        if text not in self.done:
            folded = None if isinstance(node, ast.Name) else self._folded(node)
            self.done[text] = self._computed(node, out) if folded is None else folded
        made = self.done[text]
        if out is not None and made != out:
            self.writer.do("np.copyto({0}, {1})", out, made)
        return made

    def _folded(self, node: ast.expr) -> float | None:
        """The number that a part is, where what it reads is known, or what decides it."""
        if isinstance(node, ast.BoolOp):
            decides = isinstance(node.op, ast.Or)
            if any(
                part is not None and bool(part) == decides
                for part in map(self._folded, node.values)
            ):
                return float(decides)
        if not _names(node) <= self.known.keys():
            return None
        return float(eval(_careful(node), {**CAREFUL, **self.callees, **self.known}))

    def _decided(self, node: ast.expr) -> ast.expr:
        """Of a condition that is known the branch taken."""
        while isinstance(node, ast.IfExp) and (test := self._folded(node.test)) is not None:
            node = node.body if test else node.orelse
        return node

    def _computed(self, node: ast.expr, out: View | None) -> Number:
        """Calls for a part that is no number yet."""
        match node:
            case ast.NamedExpr(ast.Name(name)) | ast.Name(name):
                made = self._value(self.parts[name]) if name in self.parts else self.operands[name]
            case ast.BinOp(left, ast.Pow(), right):
                made = self._power(left, right, out)
            case ast.BinOp(left, sign, right):
                made = self._call(sign, [self._value(left), self._value(right)], out)
            case ast.UnaryOp(sign, operand):
                made = self._call(sign, [self._value(operand)], out)
            case ast.Compare(left, relations, others):
                sides = map(self._value, (left, *others))
                pairs = zip(relations, pairwise([*sides]), strict=True)
                made = self._all(ast.And(), [self._call(sign, pair) for sign, pair in pairs])
            case ast.BoolOp(word, conditions):
                made = self._all(word, list(map(self._value, conditions)))
            case ast.IfExp(test, body, orelse):
                parts = list(map(self._value, (test, body, orelse)))
                made = out or self.writer.temporary(self.shape)
                self.writer.do("np.copyto({3}, np.where({0}, {1}, {2}))", *parts, made)
            case ast.Call(ast.Name(name), arguments):
                made = self._called(name, list(map(self._value, arguments)), out)
        return made

    def _call(
        self, what: str | ast.AST, numbers: Sequence[Number], out: View | None = None
    ) -> View:
        name = what if isinstance(what, str) else SIGNS[type(what)]
        if out is None:
            single = all(isinstance(n, float) or n.shape == () for n in numbers)
            room = "masks" if isinstance(what, MASKS) else "scratch"
            out = self.writer.temporary(() if single else self.shape, room)
        slots = "".join(f"{{{k}}}, " for k in range(len(numbers)))
        self.writer.do(f"{name}({slots}out={{{len(numbers)}}})", *numbers, out)
        return out

    def _all(self, word: ast.boolop, masks: Sequence[Number]) -> Number:
        return reduce(lambda total, mask: self._call(word, [total, mask]), masks)

    def _called(self, name: str, arguments: Sequence[Number], out: View | None) -> Number:
        if name in FUNCTIONS:
            return self._call(FUNCTIONS[name], arguments, out)
        given = dict(zip("xy", arguments, strict=False))
        known = {x: value for x, value in given.items() if isinstance(value, float)}
        op = self.callees[name]
        return Formula(op.callees, self.writer, self.shape, given, known).result(op.formula, out)

    def _power(self, left: ast.expr, right: ast.expr, out: View | None) -> Number:
        exponent, x = self._folded(right), self._value(left)
        if exponent == 1:
            return x
        if exponent == 2:
            return self._call("np.square", [x], out)
        y = self._value(right)
        if exponent in (None, 0.5) and not (isinstance(y, View) and y.shape):
            room = self.writer.temporary(self.shape)  # of a single 0.5 NumPy makes a sqrt,
            self.writer.do("np.copyto({0}, {1})", room, y)  # which has no answer for -inf
            y = room
        return self._call("np.power", [x, y], out)
