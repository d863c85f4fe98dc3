"""Loops of a few numbers as lines of Python's floats."""

from __future__ import annotations

import ast
from functools import lru_cache

from engine import formula as formulas
from engine.op import Op
from engine.replay.backends.blanks import with_blanks
from engine.replay.backends.steps import MEMORIES, Writer
from engine.replay.loops import Loop

FOLDS = {"exact": "ieee.fsum([{}])", "logsumexp": "ieee.logsumexp([{}])"}


def write(writer: Writer, loop: Loop) -> None:
    """A line for each number."""
    inside = tuple(name for name in loop.reads if name not in loop.starts)
    template = _template(loop.expression, tuple(loop.callees.items()), inside)
    places = {name: view.places() for name, view in loop.reads.items()}
    points: dict[int, list[int]] = {}
    for point, place in enumerate(loop.target.places()):
        points.setdefault(place, []).append(point)
    for place, own in points.items():
        operands = [place]

        def slot(name: str, point: int, operands: list[int] = operands) -> str:
            operands.append(places[name][point])
            return f"{MEMORIES[loop.reads[name].memory]}[{{{len(operands) - 1}}}]"

        terms = [slot(name, own[0]) for name in loop.starts]
        terms += [template.format(*[slot(x, point) for x in inside]) for point in own]
        if loop.fold in FOLDS:
            total = FOLDS[loop.fold].format(", ".join(terms))
        else:
            total = " + ".join(terms)
        writer.do(f"{MEMORIES[loop.target.memory]}[{{0}}] {loop.sign} {total}", *operands)


@lru_cache(maxsize=1000)
def _template(expression: str, callees: tuple[tuple[str, Op], ...], names: tuple[str, ...]) -> str:
    """The line of an expression, with slots {0}, {1}, ... for what it reads."""
    node = with_blanks(formulas.careful(expression), dict(callees), names, "ieee.{}")
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, (ast.IfExp, ast.NamedExpr)) else text
