"""`Value`: a number that remembers how it was computed, and finds its derivatives backwards.

From top to bottom: what a Value is; `backward`; what it is as a number; how an operation makes one.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from engine import alone, graph, numpys, operators, refused
from engine.alone import check_alone, sweeps
from engine.freeing import free
from engine.modes import active, examine_backward, modes
from engine.number import NOT_COMPUTED, number, number_in, shown
from engine.op import Op
from engine.operators import GENERATED
from engine.sweep import (
    Picked,
    adjoints_of,
    are_floats,
    grads_of,
    pass_to_leaves,
    set_each,
    sort,
    summed,
    sweep,
)

if TYPE_CHECKING:  # `x * y`, `x < y`, `x.tanh()`: made from the rows, at the end of this file
    from engine.typed import Methods
else:
    Methods = object


@refused.foreign_names
class Value(Methods):
    """A float, and where it came from: one node of the computation graph.

    `data` is the number and `grad` its derivative of the value that `backward()` was last called
    on; leaves add up the gradients of several calls, as in PyTorch. Raises TypeError for anything
    that is not a real number.

    >>> w, x = Value(3.0, label="w"), 2.0
    >>> loss = (w * x - 1) ** 2
    >>> loss.backward()
    >>> w.grad
    20.0
    """

    # An operation has its operands in x and y and the derivatives with respect to them in dx and
    # dy. Of many operands, x and dx hold the Values and their derivatives, as tuples, and y holds
    # all operands where some are constants; of a pick, dx is a `Picked`, of a replay, `Shares`.
    # A leaf has none.
    __slots__ = (
        *("data", "grad", "label", "op", "x", "y", "dx", "dy"),
        "adjoint",  # scratch, under alone.lock: marks of `sort`, sums of `sweep`, places on a tape
        "line",  # that made it, for `detect_anomaly`
    )
    __class__ = property(type)  # a recording (engine/replay/watch.py) puts its watch here
    if sys.platform == "emscripten":
        __del__ = free

    data: float
    grad: float
    label: str
    op: Op | None
    x: Value | float | tuple[Value, ...] | None
    y: Value | float | tuple[Value | float, ...] | None
    dx: Any
    dy: Any
    adjoint: Any
    line: str
    _data: float  # with an underscore: the same slots, which no recording watches
    _grad: float
    _dx: Any
    _dy: Any

    def __init__(
        self, data: float, label: str = "", _op: object = None, _children: object = None
    ) -> None:
        if _op is not None or _children is not None or not isinstance(label, str):
            refused.check_leaf(label, _op, _children)
        self._data = data if type(data) is float else number(data)
        self._grad = NOT_COMPUTED
        self.label = label
        self.op = self.x = self.y = self._dx = self._dy = self.adjoint = None

    def __init_subclass__(cls) -> None:
        refused.subclass(cls)

    @property
    def has_grad(self) -> bool:
        """Whether a backward has computed `grad`; until then it reads 0.0."""
        return self.grad is not NOT_COMPUTED

    @property
    def parents(self) -> tuple[Value | float, ...]:
        """The operands in order, constants as floats; `x * x` has two, a pick what it took."""
        x, y, picked = self.x, self.y, self._dx
        if type(picked) is Picked:
            return (cast(Any, x if y is None else y)[picked.place],)
        if isinstance(y, tuple):
            return tuple(p if type(p) is Value else float(cast(float, p)) for p in y)
        if isinstance(x, tuple):
            return x
        return tuple(p for p in (x, y) if p is not None)

    @property
    def partials(self) -> tuple[float | None, ...]:
        """The derivative of this value for each of the parents; None where that is a constant."""
        if type(self._dx) is Picked:
            return tuple(1.0 if type(p) is Value else None for p in self.parents)
        if isinstance(self.x, tuple):
            slopes = iter(self.dx)
        else:
            slopes = (d for p, d in ((self.x, self.dx), (self.y, self.dy)) if type(p) is Value)
        return tuple(float(next(slopes)) if type(p) is Value else None for p in self.parents)

    # micrograd's names, for drawing code that was written for it.

    @property
    def _prev(self) -> tuple[Value, ...]:
        return tuple(p for p in self.parents if type(p) is Value)

    @property
    def _op(self) -> str:
        return self.op.symbol if self.op else ""

    @sweeps
    def backward(self, gradient: float = 1.0) -> None:
        """Adds `gradient` * d self / d leaf to the `grad` of every leaf below.

        Inner values get theirs set. `gradient` is d loss / d self, of a loss that was computed
        elsewhere; it is a number, a TypeError tells what else came. All gradients change at once,
        at the end: an interrupt leaves them as they were. TypeError where a leaf has no number as
        `data` or `grad`.

        >>> x = Value(3.0)
        >>> (x * x).backward(5.0)
        >>> x.grad
        30.0
        """
        if type(gradient) is not float:
            gradient = refused.seed(gradient)
        check_alone()  # one sweep at a time: marks and adjoints stand in the nodes
        with alone.lock:
            if not modes and pass_to_leaves(self, gradient):
                return  # the result of a replay, which went backward itself
            order = sort(self)
            former = grads_of(order)
            try:
                leaves = sweep(order, gradient)  # the chain rule, which is in sweep.py
                if modes:
                    examine_backward(order)
                # leaves add up: all of them now, in one call
                set_each("grad", leaves, summed(leaves, adjoints_of(leaves)))
            except BaseException:  # Ctrl-C too
                set_each("grad", order, former)
                raise

    def zero_grad(self) -> None:
        """Forgets the gradient: `grad` reads 0.0 and counts as not computed."""
        self.grad = NOT_COMPUTED

    def detach(self) -> Value:
        """The same number as a leaf of its own: no gradient flows through it."""
        return Value(self.data, self.label)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={shown(self.data)}, grad={self.grad}{label})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __bool__(self) -> bool:
        return bool(data_of(self))

    def __pos__(self) -> Value:
        return self

    def __round__(self, digits: int | None = None) -> Value:
        refused.check_digits(digits)
        return self.round()

    @property
    def _key(self) -> Any:
        """What formulas compare; a recording puts its watch here."""
        return self.data

    # `math.sin(v)` must fail, else it would cut off the gradient and say nothing
    __float__ = refused.to_float
    __int__ = refused.to_int

    adjoints = graph.adjoints
    __copy__ = graph.copy_node
    __deepcopy__ = graph.copy_graph
    __reduce__ = graph.reduce_leaf


Operand = Value | float


def data_of(x: Operand) -> float:
    """The number of a Value, or of a constant; TypeError where it has something else as data.

    `data` is a slot, because all that computes reads it: anything can be set there. What is a
    number but no float, such as NumPy's, is turned into one here and by `backward`.
    """
    if type(x) is Value:
        data = x.data
        return data if type(data) is float else number_in(data, x)
    return number(x)


toposort = graph.toposort


# --- making nodes -----------------------------------------------------------------------------
#
# `x * y` calls `Value.__mul__`. Its text is written by operators.py from the row "mul" of ops.py;
# it computes z, dx and dy, and fills the slots of a new node itself, for speed. The functions here
# do the same for any row.

# A partial: `sys.setprofile`, by which a replay sees what code does, is told of calls of builtins.
_new = partial(object.__new__, Value)

# A recording watches who looks at a number of a Value, or sets it: the engine does so by these.
NUMBERS = ("data", "grad", "dx", "dy")
for _name in NUMBERS:
    setattr(Value, f"_{_name}", vars(Value)[_name])


def node(op: Op, z: float, x: Any, y: Any, dx: Any, dy: Any) -> Value:
    """The result `z` of an operation, its operands, and the partials with respect to them."""
    v = _new()
    v._data, v.op, v.x, v.y, v._dx, v._dy = z, op, x, y, dx, dy
    v._grad, v.label, v.adjoint = NOT_COMPUTED, "", None
    if modes:
        for see in active():
            see(v)
    return v


def node_of_many(op: Op, z: float, operands: tuple[Operand, ...], slopes: Sequence[float]) -> Value:
    """The same for many operands with their partials, constants among them."""
    values = tuple(p for p in operands if type(p) is Value)
    kept = tuple(d for p, d in zip(operands, slopes, strict=True) if type(p) is Value)
    return node(op, z, values, None if len(values) == len(operands) else operands, kept, None)


def apply(op: Op, *operands: Operand) -> Value:
    """The node of a row for operands given one after the other (x1, x2, ..., y1, y2, ..., bias).

    >>> from engine.ops import OPS
    >>> apply(OPS["mul"], Value(3.0), 2.0)
    Value(data=6.0, grad=0.0)
    """
    kept = tuple([p if type(p) is Value else number(p) for p in operands])
    if not op.many and len(kept) != op.arity:
        raise TypeError(f"{op.name} expected {op.arity} operands, got {len(kept)}")
    data = [p._data if type(p) is Value else p for p in kept]
    if not are_floats(data):
        data = list(map(data_of, kept))
    z, *slopes = op.forward(op.arguments(data))
    if op.many:
        return node_of_many(op, z, kept, slopes[0])
    return node(op, z, *(*kept, None)[:2], *(*slopes, None)[:2])


def call(op: Op, *operands: Operand) -> Any:
    """A row for Values and floats: a Value where there is one among them, else a float."""
    if Value in map(type, operands):
        return apply(op, *operands)
    return op(*map(data_of, operands))


def written(source: str, file: str, **names: Any) -> dict[str, Callable[..., Any]]:
    """The functions of a source that makes nodes; a debugger can step into them."""
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    made: dict[str, Callable[..., Any]] = {}
    exec(compile(source, file, "exec"), {**operators.NAMES, **globals(), **names}, made)
    return made


for _name, _method in written(operators.source(), GENERATED).items():
    _method.__qualname__ = f"Value.{_name}"
    setattr(Value, _name, _method)
for _name, _method in numpys.methods(call).items():
    setattr(Value, _name, _method)
