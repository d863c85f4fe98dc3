"""Expressions of loops as Python, with blanks for what they read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import cast

from engine.op import Op


def with_blanks(
    text: str, callees: Mapping[str, Op], names: Iterable[str], call: str = "{}_"
) -> ast.expr:
    """An expression with a blank {0}, {1}, ... for each of the names in turn.

    Functions, or rows by their keys, are called as `call` says; parts that a formula names end in
    `_part`, so that they meet no names of ours.

    >>> ast.unparse(with_blanks("(e := exp(x)) / (y + e)", {}, "xy"))
    '(e_part := exp_({0})) / ({1} + e_part)'
    """
    return cast(ast.expr, _Blanks(callees, names, call).visit(ast.parse(text, mode="eval").body))


class _Blanks(ast.NodeTransformer):
    def __init__(self, callees: Mapping[str, Op], names: Iterable[str], call: str) -> None:
        self.keys = {name: row.key for name, row in callees.items()}
        self.blanks = {name: f"{{{k}}}" for k, name in enumerate(names)}
        self.call = call

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func)
        function = ast.Name(self.call.format(self.keys.get(name, name)), ast.Load())
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self.blanks.get(node.id, f"{node.id}_part"), node.ctx)
