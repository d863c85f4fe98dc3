"""What goes through a whole graph, one call at a time: `toposort`, adjoints, copies.

All nodes of a graph are of one class, `Value` in value.py, which imports this file.
"""

from collections.abc import Mapping
from typing import Any

from engine import alone
from engine.alone import check_alone, sweeps
from engine.number import number_in
from engine.sweep import N, Picked, grads_of, set_each, sort, sweep


@sweeps
def toposort(root: N) -> list[N]:
    """Every value that `root` was computed from, parents before children, `root` last.

    >>> from engine.value import Value
    >>> a = Value(2.0)
    >>> b = a * a
    >>> toposort(b + a)[:2] == [a, b]
    True

    Raises RuntimeError in a signal handler that interrupts another sort or a backward.
    """
    check_alone()
    with alone.lock:
        order = sort(root)
    if Picked in {type(v._dx) for v in order}:
        met = {root}  # what was not picked has no part in it
        for v in reversed(order):
            if v in met:
                met.update(v._prev)
        order = [v for v in order if v in met]
    return order


@sweeps
def adjoints(root: N, order: list[N] | None = None) -> list[N]:
    """The sort, where `adjoint` of every value is now d root / d value; no `grad` changes.

    `order` is what a sort gave before, if one did.
    """
    check_alone()
    with alone.lock:
        if order is None:
            order = sort(root)
        else:
            for v in order:
                v.adjoint = 0.0
        former = grads_of(order)
        try:
            sweep(order, 1.0)
        finally:
            set_each("grad", order, former)
        return order


def copy_node(v: N) -> N:
    """A copy of one node, with the same operands: `copy.copy(v)`."""
    return _copied(v, {})


@sweeps
def copy_graph(v: N, memo: dict[int, Any]) -> N:
    """A copy of a value and of all below it, without recursion: `copy.deepcopy(v)`.

    `memo` has the copies by the ids of what was copied.
    """
    check_alone()
    with alone.lock:
        order = sort(v)
    for below in order:
        if id(below) not in memo:
            memo[id(below)] = _copied(below, memo)
    copy: N = memo[id(v)]
    return copy


def _copied(v: N, memo: Mapping[int, Any]) -> N:
    """A copy of one node, its operands replaced by their copies in `memo`."""
    node: Any = type(v)
    copy: N = object.__new__(node)
    for slot in node.__slots__:
        if hasattr(v, slot):
            setattr(copy, slot, getattr(v, slot))

    def of(p: Any) -> Any:
        return tuple(map(of, p)) if isinstance(p, tuple) else memo.get(id(p), p)

    copy.x, copy.y = of(v.x), of(v.y)
    return copy


def reduce_leaf(v: Any) -> tuple[type, tuple[float, str]]:
    """What pickle saves of a leaf; TypeError for the result of an operation."""
    if v.op:
        raise TypeError(
            f"cannot pickle the result of an operation ({v.op.name}): "
            "save the leaves it was computed from, or model.state_dict()"
        )
    return type(v), (number_in(v.data, v), v.label)
