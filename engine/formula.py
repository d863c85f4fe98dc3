"""Formulas as text: checked, then rewritten for floats, for inf and nan, and for Values.

A part of a formula is a number or a condition: a comparison, or several joined by and, or, not.
`tree` says which: a condition that stands for a number becomes `1.0 if condition else 0.0`, a
number that stands for a condition `number != 0.0`. So all that run a formula read it alike.
"""

import ast
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import cast

from engine.names import no_such

_ALLOWED = (
    *(ast.Expression, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Call, ast.NamedExpr),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UnaryOp, ast.USub, ast.Not),
    *(ast.IfExp, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
    *(ast.BoolOp, ast.And, ast.Or),
)
_HINTS: dict[type[ast.AST], str] = {ast.BitXor: "; a power is written x ** 3"}
_RESERVED = frozenset("xyz")  # what the texts of a row mean by these never changes


def check(text: str, variables: Collection[str], functions: Mapping[str, int]) -> None:
    """ValueError for a text that is no formula; `functions` says how many arguments each takes.

    It is none where the text cannot be read, holds anything but arithmetic, comparisons,
    `a if condition else b` and `(name := part)`, or names what is not there.

    >>> check("x ^ 3", ["x"], {})
    Traceback (most recent call last):
        ...
    ValueError: formula 'x ^ 3': BitXor is not allowed here; a power is written x ** 3
    """
    if not isinstance(text, str):
        raise TypeError(
            f"a formula is a text, such as 'x * x', got {type(text).__name__} ({text!r:.40})"
        )
    try:
        node = ast.parse(text, mode="eval").body
        for part in ast.walk(node):
            _check_part(part, functions)
        _check_names(node, frozenset(variables), set())
        tree(text)
    except (MemoryError, RecursionError):  # as Python's parser has them
        raise ValueError(f"formula {text[:40]!r}...: too many parts in each other") from None
    except SyntaxError as error:
        raise ValueError(f"formula {text!r}: {error.msg}") from None
    except ValueError as error:
        raise ValueError(f"formula {text!r}: {error}") from None


def _check_part(node: ast.AST, functions: Mapping[str, int]) -> None:
    """ValueError where one part of a formula is not allowed."""
    if not isinstance(node, _ALLOWED):
        hint = _HINTS.get(type(node), "")
        raise ValueError(f"{type(node).__name__} is not allowed here{hint}")
    if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
        raise ValueError(f"{node.value!r} is not a number")
    if isinstance(node, ast.NamedExpr) and node.target.id in functions:
        raise ValueError(f"{node.target.id!r} is a function: choose another name")
    if isinstance(node, ast.NamedExpr) and node.target.id in _RESERVED:
        raise ValueError(f"{node.target.id!r} has a meaning in all formulas: choose another name")
    if isinstance(node, ast.Call):
        if node.keywords or not isinstance(node.func, ast.Name):
            raise ValueError("a call has the form f(x) or f(x, y)")
        name, given = node.func.id, len(node.args)
        if name not in functions:
            raise ValueError(no_such("function", name, sorted(functions)))
        if given != functions[name]:
            raise ValueError(f"{name} expected {functions[name]} arguments, got {given}")


def _check_names(node: ast.AST, known: frozenset[str], named: set[str]) -> frozenset[str]:
    """The names known after a part has run; ValueError where one may not be known before.

    `named` collects all that have been given, known or not: each may be given once.
    """
    match node:
        case ast.Name(id=name) if name not in known:
            raise ValueError(
                f"{name!r} is not always named before it is read"
                if name in named
                else no_such("variable", name, sorted(known))
            )
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            known = _check_names(value, known, named)
            if name in named:
                raise ValueError(f"{name!r} is named twice")
            named.add(name)
            return known | {name}
        case ast.IfExp(test=test, body=body, orelse=orelse):
            known = _check_names(test, known, named)
            for branch in (body, orelse):
                _check_names(branch, known, named)
            return known
        case (
            ast.BoolOp(values=[first, *others])
            | ast.Compare(left=first, comparators=[_, _, *_] as others)
        ):
            known = inside = _check_names(first, known, named)
            for k, other in enumerate(others):
                inside = _check_names(other, inside, named)
                if k == 0 and isinstance(node, ast.Compare):
                    known = inside  # of a < b < c only c may be left out
            return known
    parts = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    for part in parts:
        known = _check_names(part, known, named)
    return known


@lru_cache(maxsize=1000)  # many times the texts of all rows
def tree(text: str) -> ast.expr:
    """A formula with its numbers and conditions told apart, and its constants as floats.

    Raises ValueError for `x and y` of numbers, which would be one of them.

    >>> ast.unparse(tree("x * (x > 0) if y else 2"))
    'x * (1.0 if x > 0.0 else 0.0) if y != 0.0 else 2.0'
    """
    return _fresh_tree(text)


def _fresh_tree(text: str) -> ast.expr:
    return cast(ast.expr, _Numbers().visit(ast.parse(text, mode="eval").body))


def calls(text: str) -> set[str]:
    """The names of the functions that a formula calls."""
    found = (node.func for node in ast.walk(tree(text)) if isinstance(node, ast.Call))
    return {cast(ast.Name, function).id for function in found}


class _Numbers(ast.NodeTransformer):
    """Makes every part a number, but a condition where one belongs."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        try:
            return ast.Constant(float(cast(float, node.value)))
        except OverflowError:
            raise ValueError("a constant is too large for a float") from None

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.condition(node.test)
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        return ast.IfExp(self.condition(node), ast.Constant(1.0), ast.Constant(0.0))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        if not _is_condition(node):
            raise ValueError(
                f"{ast.unparse(node)!r} is one of its operands: and, or join conditions such as "
                "x > 0; a number is chosen by `a if condition else b`"
            )
        return ast.IfExp(self.condition(node), ast.Constant(1.0), ast.Constant(0.0))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.USub):
            return ast.UnaryOp(node.op, self.visit(node.operand))
        return ast.IfExp(self.condition(node), ast.Constant(1.0), ast.Constant(0.0))

    def condition(self, node: ast.expr) -> ast.expr:
        """A part as a condition."""
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                return ast.Compare(self.visit(left), ops, list(map(self.visit, others)))
            case ast.BoolOp(op=op, values=values):
                return ast.BoolOp(op, list(map(self.condition, values)))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ast.UnaryOp(ast.Not(), self.condition(operand))
        return ast.Compare(self.visit(node), [ast.NotEq()], [ast.Constant(0.0)])


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_condition, node.values))
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


class _Calls(ast.NodeTransformer):
    """Turns operators into calls: `x / y` into `div(x, y)`, `x < y` into `key(x) < key(y)`."""

    def __init__(self, calls: Mapping[type[ast.operator], str], key: str | None) -> None:
        self.calls = calls
        self.key = key

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        name = self.calls.get(type(node.op))
        if name is None:
            return node
        return _call(name, node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if self.key is None:
            return node
        left, *others = (_call(self.key, side) for side in (node.left, *node.comparators))
        return ast.Compare(left, node.ops, others)


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def plain(text: str) -> str:
    """The formula for floats: `**` as `pow`, which never turns complex.

    >>> plain("x ** 2 / y")
    'pow(x, 2.0) / y'
    """
    return _rewritten(text, {ast.Pow: "pow"})


def careful(text: str) -> str:
    """The formula for numbers that must not raise: `/` as `div`, `**` as `pow`.

    >>> careful("x ** 2 / y")
    'div(pow(x, 2.0), y)'
    """
    return _rewritten(text, {ast.Pow: "pow", ast.Div: "div"})


def generic(text: str) -> str:
    """The formula for Values or complex numbers: careful, and comparisons ask `_key` for a float.

    >>> generic("x / y if y != 0 else x")
    'div(x, y) if _key(y) != _key(0.0) else x'
    """
    return _rewritten(text, {ast.Pow: "pow", ast.Div: "div"}, key="_key")


def _rewritten(text: str, calls: Mapping[type[ast.operator], str], key: str | None = None) -> str:
    return ast.unparse(_Calls(calls, key).visit(_fresh_tree(text)))
