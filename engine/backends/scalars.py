"""Loops of a few numbers as lines of Python's floats."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from itertools import chain
from math import prod
from typing import NamedTuple

from engine import formula as formulas
from engine.backends.steps import Writer
from engine.ops import OPS, Op, kept_by_row
from engine.roll import Access, Loop

DOT, SUM, LOGSUMEXP = OPS["dot"], OPS["sum"], OPS["logsumexp"]


class Share(NamedTuple):
    """What one operand of a loop gets: the adjoint of the result times `factor`.

    `places` has the row, the place of the operand, and the places that stand in the factor.
    """

    access: Access
    terms: tuple[int, ...]
    factor: str
    places: list[tuple[int, int, tuple[int, ...]]]


def forward(writer: Writer, loop: Loop) -> None:
    """A line for each row."""
    for row, (scalars, vectors) in enumerate(_rows(loop)):
        places = (*scalars, *chain(*vectors))
        values = [f"values[{{{k}}}]" for k in range(1, 1 + len(places))]
        text = _text(loop, values[: len(scalars)], values[len(scalars) :])
        writer.do(f"values[{{0}}] = {text}", loop.out + row, *places)


def shares(loop: Loop) -> Iterator[Share]:
    """What the operands that need a gradient get."""
    rows = list(_rows(loop))
    for k, (access, partial) in enumerate(zip(loop.scalars, _partials(loop), strict=False)):
        if access.needs_grad:
            factor = _placed(loop.op, partial, 2)
            places = [
                (row, own[k], (loop.out + row, *own) if factor != "1.0" else ())
                for row, (own, _) in enumerate(rows)
            ]
            yield Share(access, (), factor, places)
    for k, access in enumerate(loop.vectors):
        if access.needs_grad:
            other = 1 - k if loop.op is DOT else k
            factor = _placed(loop.op, "x" if loop.op is DOT else loop.op.partials[0], 2)
            places = [
                (row, place, (loop.out + row, read) if factor != "1.0" else ())
                for row, (_, vectors) in enumerate(rows)
                for place, read in zip(vectors[k], vectors[other], strict=True)
            ]
            yield Share(access, loop.terms, factor, places)


def _partials(loop: Loop) -> tuple[str, ...]:
    return ("1.0",) * len(loop.scalars) if loop.op is DOT else loop.op.partials


def _rows(loop: Loop) -> Iterator[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]]:
    """The places of the scalars, and of the vectors, of each row."""
    if loop.rows == 1 and not loop.vectors:
        yield tuple(a.table[0] if a.table else a.base for a in loop.scalars), ()
        return
    terms = prod(loop.terms)
    scalars = [access.places(loop.shape) for access in loop.scalars]
    vectors = [access.places((*loop.shape, *loop.terms)) for access in loop.vectors]
    for row in range(loop.rows):
        own = tuple(tuple(v[row * terms : (row + 1) * terms]) for v in vectors)
        yield tuple(column[row] for column in scalars), own


def _text(loop: Loop, scalars: list[str], terms: list[str]) -> str:
    if loop.op is DOT:
        half = len(terms) // 2
        products = [f"{x} * {y}" for x, y in zip(terms[:half], terms[half:], strict=True)]
        return " + ".join([*scalars, *products]) or "0.0"
    if loop.op in (SUM, LOGSUMEXP):
        name = "fsum" if loop.op is SUM else "logsumexp"
        return f"ieee.{name}([{', '.join(terms)}])"
    if loop.vectors:
        return " + ".join(terms)
    return _placed(loop.op, loop.op.formula, 0)


@kept_by_row
def _placed(op: Op, text: str, z: int) -> str:
    """A formula of numbers in memory; the slot of z has number `z`, those of x and y follow."""
    slots = {name: f"values[{{{z + k}}}]" for k, name in enumerate("zxy")}
    node = _Placed(op, slots).visit(ast.parse(formulas.careful(text), mode="eval")).body
    result = ast.unparse(node)
    return (
        f"({result})" if z and isinstance(node, (ast.BinOp, ast.IfExp, ast.NamedExpr)) else result
    )


class _Placed(ast.NodeTransformer):
    """Reads variables from memory and calls functions of `ieee`; other names get an underscore."""

    def __init__(self, op: Op, slots: Mapping[str, str]) -> None:
        self.op = op
        self.slots = slots

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = ast.unparse(node.func)
        name = f"ieee.{self.op.callees[called].key if called in self.op.callees else called}"
        return ast.Call(ast.Name(name, ast.Load()), [self.visit(a) for a in node.args], [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self.slots.get(node.id, f"{node.id}_"), node.ctx)
