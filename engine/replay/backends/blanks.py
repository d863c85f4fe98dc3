"""Expressions of loops as Python, with blanks for what they read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

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
    keys = {name: row.key for name, row in callees.items()}
    blanks = {name: f"{{{k}}}" for k, name in enumerate(names)}
    tree = ast.parse(text, mode="eval").body
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node in called:
            node.id = call.format(keys.get(node.id, node.id))
        elif isinstance(node, ast.Name):
            node.id = blanks.get(node.id, f"{node.id}_part")
    return tree
