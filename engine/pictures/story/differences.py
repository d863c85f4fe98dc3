"""Compares every gradient of a record with what moving that number a little does to the loss."""

import math
from collections.abc import Sequence

from engine.op import Op
from engine.pictures.story.record import Record
from engine.value import Value

LARGE = 2000  # nodes; of a larger graph nothing is checked, since each node costs a forward pass
STEPS = (1e-5, 1e-3, 1e-7)
RELATIVE, NOISE = 1e-6, 1e-8
Computed = tuple[int, Op | None, list[int]]  # its place, how, and from which


def checks(record: Record, grads: Sequence[float]) -> list[bool | None]:
    """For each place whether its gradient agrees with differences.

    None for constants, at kinks, where numbers are not finite, and in large graphs.
    """
    if len(record.data) > LARGE:
        return [None] * len(record.data)
    takers: list[list[int]] = [[] for _ in record.data]
    for edge in record.edges:
        takers[edge.tail].append(edge.head)
    rules = [_rule(record, place) for place in range(len(record.data))]
    return [
        _agrees(record, place, grads[place], [(p, *rules[p]) for p in _above(takers, place)])
        if isinstance(atom, Value)
        else None
        for place, atom in enumerate(record.graph.atoms)
    ]


def _rule(record: Record, place: int) -> tuple[Op | None, list[int]]:
    """The operation of a node, and where its operands stand, in the data and a 0 behind them."""
    atom, operands = record.graph.atoms[place], list(record.graph.operands[place])
    if not isinstance(atom, Value) or atom.op is None:
        return None, operands
    bias = [len(record.data)] * (len(atom.parents) - len(operands))  # one that is not drawn
    return atom.op, operands + bias


def _above(takers: list[list[int]], place: int) -> list[int]:
    """What is computed from a place, operands first."""
    met: set[int] = set()
    waiting = [place]
    while waiting:
        new = [p for p in takers[waiting.pop()] if p not in met]
        met.update(new)
        waiting += new
    return sorted(met)


def _agrees(record: Record, place: int, grad: float, above: list[Computed]) -> bool | None:
    x, z = record.data[place], record.data[-1]
    if not (math.isfinite(grad) and math.isfinite(x) and math.isfinite(z)):
        return None
    noise = NOISE * (1 + abs(z))
    kink = False
    for step in STEPS:
        h = step * max(1.0, abs(x))
        right = (_root(record, place, x + h, above) - z) / h
        left = (z - _root(record, place, x - h, above)) / h
        slope = (left + right) / 2
        if not math.isfinite(slope):
            return None
        if abs(slope - grad) <= RELATIVE * max(abs(slope), abs(grad)) + noise:
            return True
        jump = abs(right - left)
        slack = 0.01 * jump + noise
        kink = (
            jump > 0.01 * max(abs(right), abs(left)) + noise
            and min(left, right) - slack <= grad <= max(left, right) + slack
        )
    return None if kink else False


def _root(record: Record, place: int, x: float, above: list[Computed]) -> float:
    """The loss with one number moved, everything above it computed again."""
    moved = [*record.data, 0.0]
    moved[place] = x
    for p, op, operands in above:
        assert op
        moved[p] = op(*[moved[o] for o in operands])
    return moved[record.root]
