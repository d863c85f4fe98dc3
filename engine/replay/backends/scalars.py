"""Loops of a few numbers as lines of Python's floats."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

from engine import formula as formulas
from engine.ops import Op
from engine.replay.backends.loops import Loop
from engine.replay.backends.steps import Writer

MEMORIES = {"v": "values", "a": "adjoints", "s": "seeds"}
FOLDS = {"exact": "ieee.fsum([{}])", "logsumexp": "ieee.logsumexp([{}])"}


def write(writer: Writer, loop: Loop) -> None:
    """A line for each number."""
    template = _template(loop.expression, tuple(loop.callees.items()))
    views = loop.reads.items()
    arrays = {name: MEMORIES[view.memory] for name, view in views}
    places = {name: view.places(loop.lengths) for name, view in views}
    points: dict[int, list[int]] = {}
    for point, place in enumerate(loop.target.places(loop.lengths)):
        points.setdefault(place, []).append(point)
    for place, own in points.items():
        operands = [place]

        def slot(name: str, point: int, operands: list[int] = operands) -> str:
            operands.append(places[name][point])
            return f"{arrays[name]}[{{{len(operands) - 1}}}]"

        terms = [slot(name, own[0]) for name in loop.starts]
        inside = [name for name in places if name not in loop.starts]
        terms += [template.format(**{x: slot(x, point) for x in inside}) for point in own]
        if loop.fold in FOLDS:
            total = FOLDS[loop.fold].format(", ".join(terms))
        else:
            total = " + ".join(terms)
        writer.do(f"{MEMORIES[loop.target.memory]}[{{0}}] {loop.sign} {total}", *operands)


@lru_cache(maxsize=1000)
def _template(expression: str, callees: tuple[tuple[str, Op], ...]) -> str:
    """The line of an expression, with slots such as {x} for what it reads."""
    node = ast.parse(formulas.careful(expression), mode="eval").body
    text = ast.unparse(_Placed(dict(callees)).visit(node))
    return f"({text})" if isinstance(node, (ast.IfExp, ast.NamedExpr)) else text


class _Placed(ast.NodeTransformer):
    """Reads variables from slots and calls functions of `ieee`; parts get an underscore."""

    def __init__(self, callees: Mapping[str, Op]) -> None:
        self.callees = callees

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = ast.unparse(node.func)
        name = f"ieee.{self.callees[called].key if called in self.callees else called}"
        return ast.Call(ast.Name(name, ast.Load()), [self.visit(a) for a in node.args], [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        name = f"{{{node.id}}}" if node.id in ("x", "y", "z", "g") else f"{node.id}_"
        return ast.Name(name, node.ctx)
