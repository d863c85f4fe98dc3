"""The sort of a graph, and the sweep that passes adjoints down it: blame, from the loss back.

All nodes of a graph are of one class, that of its root: `Value` in value.py, which imports this
file.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import add
from typing import Any, Protocol, TypeVar

from engine.number import NOT_COMPUTED, number, number_in, short


class Node(Protocol):
    """What a sweep reads and sets: see `Value`."""

    data: float
    grad: float
    op: Any
    x: Any
    y: Any
    dx: Any
    dy: Any
    _dx: Any
    adjoint: Any

    @property
    def _prev(self) -> tuple[Any, ...]: ...


N = TypeVar("N", bound=Node)


class Shares:
    """In place of partials: gives what a backward adds to the adjoint of each operand."""

    @property
    def reach_leaves(self) -> bool:
        """Whether there are only leaves below, each once: nothing to sort."""
        return False

    def shares(self, adjoint: float) -> Iterable[float]:
        """What a backward that comes with an adjoint adds to that of each operand."""
        raise NotImplementedError


class Picked:
    """In place of the partials of a pick: 1 for the operand in `place`, and 0 for the others.

    The node has all `size` candidates as operands, so that a backward reaches them in an order that
    does not depend on which one was taken. `index` is what was asked for, from `low` on.
    """

    __slots__ = ("index", "low", "place", "size")

    def __init__(self, place: int, size: int, index: Any, low: int) -> None:
        self.place, self.size, self.index, self.low = place, size, index, low


def sort(root: N) -> list[N]:
    """The sort, of candidates that were not picked too. Leaves zero as every adjoint.

    Walks down to the first parent not met yet, and back up where there is none. The way back is
    a list, so the depth of a graph does not matter.
    """
    met = float("0")  # a zero of this call's own: who has it as adjoint has been met
    node = type(root)
    order: list[N] = []
    way_back: list[N] = []
    unread: dict[N, Iterator[N]] = {}  # of many operands, those not looked at yet
    v = root
    v.adjoint = met
    while True:
        parent, x, y = None, v.x, v.y
        if type(x) is node and x.adjoint is not met:
            parent = x
        elif type(y) is node and y.adjoint is not met:
            parent = y
        elif type(x) is tuple:
            rest = unread.pop(v, None) or iter(x)
            for operand in rest:
                if operand.adjoint is not met:
                    parent, unread[v] = operand, rest
                    break
        if parent is None:
            order.append(v)
            if not way_back:
                return order
            v = way_back.pop()
        else:
            parent.adjoint = met
            way_back.append(v)
            v = parent


def sweep(order: Sequence[N], gradient: float) -> list[N]:
    """Passes adjoints down a sorted graph; sets the gradients of inner values; gives the leaves."""
    node, leaves = type(order[-1]), []
    order[-1].adjoint = gradient
    for v in reversed(order):
        g, x, y = v.adjoint, v.x, v.y
        if type(x) is node:
            v.grad = g
            x.adjoint += g * v.dx
            if type(y) is node:
                y.adjoint += g * v.dy
        elif type(y) is node:
            v.grad = g
            y.adjoint += g * v.dy
        elif type(x) is tuple:
            v.grad = g
            if type(v.dx) is not tuple:
                _pass_on(v, g)
            elif g != 0 or not math.isfinite(v.data):  # else there are only zeros to pass on
                for parent, d in zip(x, v.dx):  # noqa: B905 (a strict zip is slower)
                    parent.adjoint += g * d
        else:
            leaves.append(v)
    if type(order[-1].data) is not float or not are_floats([v.data for v in leaves]):
        _make_floats(order)
        return sweep(sort(order[-1]), gradient)
    return leaves


def _pass_on(v: Node, g: float) -> None:
    """The shares of a pick, or of a replay, which goes backward itself."""
    if type(v.dx) is Picked:
        for taken in v._prev:
            taken.adjoint += g
    else:
        for parent, share in zip(v.x, v.dx.shares(g), strict=True):
            parent.adjoint += share


def pass_to_leaves(root: Node, gradient: float) -> bool:
    """The backward of the result of a replay, right above all of its leaves: nothing to sort.

    Whether `root` is such a result; nothing is done where it is not.
    """
    if not isinstance(root.dx, Shares) or not root.dx.reach_leaves:
        return False
    leaves, shares = root.x, root.dx.shares(gradient)
    grads = grads_of(leaves)
    is_first = grads.count(NOT_COMPUTED) == len(grads)  # quick where it is this very zero
    sums = shares if is_first else summed(leaves, shares)
    root.grad = gradient
    set_each("grad", leaves, sums)
    return True


def are_floats(numbers: Sequence[object]) -> bool:
    """Whether all of them are, and nothing else that is a number."""
    return list(map(type, numbers)).count(float) == len(numbers)


def _make_floats(order: Sequence[Node]) -> None:
    """Turns numbers that are no floats into those: some were set as data, others came of them.

    TypeError where one is no number, or where a result lost digits that a float has.
    """
    for v in order:
        if v.op and not isinstance(v.data, float | int):
            raise TypeError(
                f"backward expected floats as data, got {type(v.data).__name__} ({short(v.data)}) "
                f"as the result of {v.op.name}: .data was set to one, as by w.data -= lr * w.grad "
                "with such an lr; make lr a float, and compute the result again"
            )
        v.data = number_in(v.data, v)
        if v.op and type(v.x) is not tuple:
            v.dx, v.dy = (d if d is None else float(d) for d in (v.dx, v.dy))


def summed(leaves: Sequence[Node], shares: Iterable[float]) -> list[float]:
    """The gradients of leaves with what a backward adds to them."""
    try:
        sums = list(map(add, grads_of(leaves), shares))
        return sums if are_floats(sums) else list(map(number, sums))
    except TypeError:
        raise TypeError(
            "backward expected a number as the grad of every leaf, to add to: "
            "forget a gradient with zero_grad()"
        ) from None


# --- all at once ------------------------------------------------------------------------------


def grads_of(values: Iterable[Node]) -> list[float]:
    """The gradient of every value.

    Functions that put gradients back, or hold a lock, call this one: what a debugger raises inside
    of a comprehension passes by the handlers of the function that it stands in, in Python 3.12.
    """
    return [v.grad for v in values]


def adjoints_of(values: Iterable[Node]) -> list[float]:
    """The adjoint of every value; see `grads_of`."""
    return [v.adjoint for v in values]


def set_each(slot: str, values: Iterable[Node], numbers: Iterable[float]) -> None:
    """Sets `data` or `grad` of every value; Ctrl-C comes through when all of them are set."""
    try:
        _SETTERS[slot](values, numbers)
    except BaseException:
        deque(map(setattr, values, repeat(slot), numbers), 0)  # one call: cannot be cut in half
        raise


def _set_data(values: Iterable[Node], numbers: Iterable[float]) -> None:
    for v, x in zip(values, numbers):  # noqa: B905 (faster than a call each; repeat has no end)
        v.data = x


def _set_grad(values: Iterable[Node], numbers: Iterable[float]) -> None:
    for v, x in zip(values, numbers):  # noqa: B905 (as above)
        v.grad = x


_SETTERS = {"data": _set_data, "grad": _set_grad}


def forget_each(values: Sequence[Node]) -> None:
    """Forgets the gradient of every value; Ctrl-C comes through when all of them are forgotten."""
    nothing = NOT_COMPUTED
    try:
        for v in values:
            v.grad = nothing
    except BaseException:
        set_each("grad", values, repeat(nothing))
        raise
