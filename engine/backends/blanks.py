"""Expressions of loops as Python, with blanks for what they read."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import cast

from engine.ops import Op


def with_blanks(text: str, op: Op | None, names: Iterable[str], call: str = "{}_") -> ast.expr:
    """The expression of a row, with a blank {0}, {1}, ... for each of the names in turn.

    Functions are called as `call` says, parts that a formula names end in `_part`, so that they
    meet no names of ours.

    >>> ast.unparse(with_blanks("(e := exp(x)) / (y + e)", None, "xy"))
    '(e_part := exp_({0})) / ({1} + e_part)'
    """
    return cast(ast.expr, _Blanks(op, names, call).visit(ast.parse(text, mode="eval").body))


class _Blanks(ast.NodeTransformer):
    def __init__(self, op: Op | None, names: Iterable[str], call: str) -> None:
        self.keys = {name: row.key for name, row in op.callees.items()} if op else {}
        self.blanks = {name: f"{{{k}}}" for k, name in enumerate(names)}
        self.call = call

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func)
        function = ast.Name(self.call.format(self.keys.get(name, name)), ast.Load())
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self.blanks.get(node.id, f"{node.id}_part"), node.ctx)
