"""Formulas as text: checked once, then rewritten for each kind of number that runs them."""

import ast
from collections.abc import Collection, Mapping

_ALLOWED = (
    *(ast.Expression, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Call, ast.NamedExpr),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UnaryOp, ast.USub),
    *(ast.IfExp, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
    *(ast.BoolOp, ast.And, ast.Or),
)
_HINTS: dict[type[ast.AST], str] = {ast.BitXor: "; a power is written x ** 3"}


def parse(text: str, variables: Collection[str], functions: Collection[str]) -> ast.expr:
    """The syntax tree of a formula.

    Raises ValueError where the text is not a formula, holds anything but arithmetic, comparisons,
    `a if condition else b` and `(name := part)`, or names what is not there.

    >>> ast.unparse(parse("exp(x)*y", ["x", "y"], ["exp"]))
    'exp(x) * y'
    """
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"formula {text!r}: {error.msg}") from None
    known = set(variables)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    known |= {node.target.id for node in ast.walk(tree) if isinstance(node, ast.NamedExpr)}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            hint = _HINTS.get(type(node), "")
            raise ValueError(f"formula {text!r}: {type(node).__name__} is not allowed here{hint}")
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
            raise ValueError(f"formula {text!r}: {node.value!r} is not a number")
        if isinstance(node, ast.NamedExpr) and node.target.id in functions:
            raise ValueError(f"formula {text!r}: {node.target.id!r} is a function: name it else")
        if isinstance(node, ast.Call) and (node.keywords or not isinstance(node.func, ast.Name)):
            raise ValueError(f"formula {text!r}: a call has the form f(x) or f(x, y)")
        if isinstance(node, ast.Name):
            names, kind = (functions, "function") if id(node) in called else (known, "variable")
            if node.id not in names:
                have = ", ".join(sorted(names))
                raise ValueError(f"formula {text!r}: no {kind} {node.id!r}; there are: {have}")
    return tree.body


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
    'pow(x, 2) / y'
    """
    return _rewritten(text, {ast.Pow: "pow"})


def careful(text: str) -> str:
    """The formula for numbers that must not raise: `/` as `div`, `**` as `pow`.

    >>> careful("x ** 2 / y")
    'div(pow(x, 2), y)'
    """
    return _rewritten(text, {ast.Pow: "pow", ast.Div: "div"})


def generic(text: str) -> str:
    """The formula for Values or complex numbers: careful, and comparisons ask `_key` for a float.

    >>> generic("x / y if y != 0 else x")
    'div(x, y) if _key(y) != _key(0) else x'
    """
    return _rewritten(text, {ast.Pow: "pow", ast.Div: "div"}, key="_key")


def _rewritten(text: str, calls: Mapping[type[ast.operator], str], key: str | None = None) -> str:
    return ast.unparse(_Calls(calls, key).visit(ast.parse(text, mode="eval")))
