"""`Value`: a number that remembers how it was computed, and can pass the blame back."""

from __future__ import annotations

import linecache
import math
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from numbers import Real
from operator import add
from typing import TYPE_CHECKING, Any, cast

from engine import operators
from engine.fork import after_fork
from engine.modes import examine_backward, modes, observed
from engine.operators import GENERATED
from engine.ops import OPS, Op

NOT_COMPUTED = float("0")  # reads as 0.0; being this very object tells it from a computed zero


class Value:
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
    # all operands where some are constants. A leaf has none.
    __slots__ = (
        *("data", "grad", "label", "op", "x", "y", "dx", "dy"),
        *("adjoint", "line"),  # belong to the sort and the sweep, and to `detect_anomaly`
    )
    __array_ufunc__ = None  # NumPy's numbers leave the arithmetic to us
    __class__ = property(type)  # type: ignore[assignment]  # a recording puts its watch here

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

    def __init__(self, data: float, label: str = "") -> None:
        if not isinstance(label, str):
            raise TypeError(
                f"Value expected a str as label, got {type(label).__name__} ({_short(label)}); "
                "operations of your own are made with engine.define"
            )
        self.data = number(data)
        self.grad = NOT_COMPUTED
        self.label = label
        self.op = self.x = self.y = self.dx = self.dy = self.adjoint = None

    def __init_subclass__(cls) -> None:
        raise TypeError(
            f"{cls.__name__} cannot be a subclass of Value: operations give plain Values; "
            "hold a Value in it, or make operations of your own with engine.define"
        )

    @property
    def has_grad(self) -> bool:
        """Whether a backward has computed `grad`; until then it reads 0.0."""
        return self.grad is not NOT_COMPUTED

    @property
    def parents(self) -> tuple[Value | float, ...]:
        """The operands in order, constants as floats; `x * x` has two."""
        x, y = self.x, self.y
        if isinstance(y, tuple):
            return tuple(p if type(p) is Value else float(cast(float, p)) for p in y)
        if isinstance(x, tuple):
            return x
        return tuple(p for p in (x, y) if p is not None)

    @property
    def partials(self) -> tuple[float | None, ...]:
        """The derivative of this value for each of the parents; None where that is a constant."""
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

    def backward(self) -> None:
        """Adds d self / d leaf to the `grad` of every leaf below, and sets it on inner values.

        All gradients change at once, at the end: an interrupt leaves them as they were.
        """
        _check_alone()
        with sweeping:
            if getattr(self.dx, "reach_leaves", False) and not modes:
                self._pass_to_leaves()
                return
            order = _sorted(self)
            former = [v.grad for v in order]
            try:
                leaves = _sweep(order)
                if modes:
                    examine_backward(order)
                set_each("grad", leaves, [_summed(v.grad, v.adjoint) for v in leaves])
            except BaseException:
                set_each("grad", order, former)
                raise

    def _pass_to_leaves(self) -> None:
        """The backward of a replayed value, right above all of its leaves: nothing to sort."""
        leaves, slopes = cast(tuple[Value, ...], self.x), self.dx
        grads = [v.grad for v in leaves]
        is_first = grads.count(NOT_COMPUTED) == len(grads)  # quick where it is this very zero
        self.grad = 1.0
        set_each("grad", leaves, slopes if is_first else list(map(add, grads, slopes)))

    def sweep(self) -> list[Value]:
        """Sorts the graph as `toposort` does; `adjoint` of every value is d self / d value then."""
        _check_alone()
        with sweeping:
            order = _sorted(self)
            former = [v.grad for v in order]
            try:
                _sweep(order)
            finally:
                set_each("grad", order, former)
            return order

    def zero_grad(self) -> None:
        """Forgets the gradient: `grad` reads 0.0 and counts as not computed."""
        self.grad = NOT_COMPUTED

    def detach(self) -> Value:
        """The same number as a leaf of its own: no gradient flows through it."""
        return Value(self.data, self.label)

    @property
    def _key(self) -> Any:
        """What formulas compare; a recording puts its watch here."""
        return self.data

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data}, grad={self.grad}{label})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __float__(self) -> float:
        raise TypeError(
            "expected a number, got a Value: functions of Values are in engine, such as "
            "engine.exp(v), and the number is v.data"
        )

    def __bool__(self) -> bool:
        return bool(self.data)

    def __lt__(self, other: Value | float) -> bool:
        return self.data < data_of(other)

    def __le__(self, other: Value | float) -> bool:
        return self.data <= data_of(other)

    def __gt__(self, other: Value | float) -> bool:
        return self.data > data_of(other)

    def __ge__(self, other: Value | float) -> bool:
        return self.data >= data_of(other)

    def leaky_relu(self, slope: Value | float = 0.01) -> Value:
        """`x` above zero, `slope * x` below."""
        return apply(OPS["leaky_relu"], self, slope)

    def __copy__(self) -> Value:
        return _copied(self, {})

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        for v in toposort(self):
            if id(v) not in memo:
                memo[id(v)] = _copied(v, memo)
        return cast(Value, memo[id(self)])

    def __reduce__(self) -> tuple[type[Value], tuple[float, str]]:
        if self.op:
            raise TypeError(
                f"cannot pickle the result of an operation ({self.op.name}): "
                "save the leaves it was computed from, or model.state_dict()"
            )
        return Value, (self.data, self.label)

    if TYPE_CHECKING:  # made from the rows of the calculus, at the end of this file
        # fmt: off
        def __add__(self, other: Value | float) -> Value: ...
        def __radd__(self, other: float) -> Value: ...
        def __sub__(self, other: Value | float) -> Value: ...
        def __rsub__(self, other: float) -> Value: ...
        def __mul__(self, other: Value | float) -> Value: ...
        def __rmul__(self, other: float) -> Value: ...
        def __truediv__(self, other: Value | float) -> Value: ...
        def __rtruediv__(self, other: float) -> Value: ...
        def __pow__(self, other: Value | float) -> Value: ...
        def __rpow__(self, other: float) -> Value: ...
        def __neg__(self) -> Value: ...
        def __abs__(self) -> Value: ...
        def neg(self) -> Value: ...
        def abs(self) -> Value: ...
        def exp(self) -> Value: ...
        def log(self) -> Value: ...
        def expm1(self) -> Value: ...
        def log1p(self) -> Value: ...
        def sqrt(self) -> Value: ...
        def sin(self) -> Value: ...
        def cos(self) -> Value: ...
        def tan(self) -> Value: ...
        def sinh(self) -> Value: ...
        def cosh(self) -> Value: ...
        def tanh(self) -> Value: ...
        def asin(self) -> Value: ...
        def acos(self) -> Value: ...
        def atan(self) -> Value: ...
        def sigmoid(self) -> Value: ...
        def softplus(self) -> Value: ...
        def relu(self) -> Value: ...
        def erf(self) -> Value: ...
        def erfc(self) -> Value: ...
        def gelu(self) -> Value: ...
        # fmt: on


Operand = Value | float


def number(x: object) -> float:
    """`x` as a float; TypeError unless it is a real number (NumPy's scalars are)."""
    if type(x) is float:
        return x
    if not isinstance(x, Real) and not _is_numpy_bool(x):
        raise TypeError(f"expected a real number, got {type(x).__name__} ({_short(x)})")
    try:
        return float(x)  # type: ignore[arg-type]
    except OverflowError:
        raise OverflowError(
            f"expected a number that fits a float, got {type(x).__name__} above 1.8e308"
        ) from None


def _is_numpy_bool(x: object) -> bool:
    """Whether `x` is a bool of NumPy's, which unlike Python's is not registered as a Real."""
    return type(x).__module__ == "numpy" and type(x).__name__ in ("bool", "bool_")


def data_of(x: Operand) -> float:
    """The number of a Value, or of a constant."""
    return x.data if isinstance(x, Value) else number(x)


def set_each(slot: str, values: Iterable[Value], numbers: Iterable[float]) -> None:
    """Sets `data` or `grad` of every value; Ctrl-C comes through when all of them are set."""
    try:
        _SETTERS[slot](values, numbers)
    except BaseException:
        deque(map(setattr, values, repeat(slot), numbers), 0)  # one call: cannot be cut in half
        raise


def _set_data(values: Iterable[Value], numbers: Iterable[float]) -> None:
    for v, x in zip(values, numbers):  # noqa: B905 (faster than a call each; repeat has no end)
        v.data = x


def _set_grad(values: Iterable[Value], numbers: Iterable[float]) -> None:
    for v, x in zip(values, numbers):  # noqa: B905
        v.grad = x


_SETTERS = {"data": _set_data, "grad": _set_grad}


def forget_each(values: Sequence[Value]) -> None:
    """Forgets the gradient of every value; Ctrl-C comes through when all of them are forgotten."""
    nothing = NOT_COMPUTED
    try:
        for v in values:
            v.grad = nothing
    except BaseException:
        set_each("grad", values, repeat(nothing))
        raise


def _short(x: object) -> str:
    text = repr(x)
    return text if len(text) <= 40 else f"{text[:37]}..."


# --- the sort -------------------------------------------------------------------------------

sweeping = threading.RLock()  # marks and adjoints live in the nodes: one sweep at a time


@after_fork
def _renew() -> None:
    """In the child of a fork other threads are gone, with the locks they held."""
    global sweeping  # noqa: PLW0603
    sweeping = threading.RLock()


def _check_alone() -> None:
    """RuntimeError in code that interrupts a sweep of its own thread."""
    owned = sweeping._is_owned()  # type: ignore[attr-defined]  # as threading.Condition asks
    frame = sys._getframe(1).f_back if owned else None
    while frame:
        if frame.f_code in (Value.backward.__code__, Value.sweep.__code__, toposort.__code__):
            raise RuntimeError(
                "this thread is in the middle of a backward or a sort, interrupted by a signal "
                "handler or __del__: set a flag there, and use graphs afterwards"
            )
        frame = frame.f_back


def toposort(root: Value) -> list[Value]:
    """Every value that `root` was computed from, parents before children, `root` last.

    >>> a = Value(2.0)
    >>> b = a * a
    >>> toposort(b + a)[:2] == [a, b]
    True

    Raises RuntimeError in a signal handler that interrupts another sort or a backward.
    """
    _check_alone()
    with sweeping:
        return _sorted(root)


def _sorted(root: Value) -> list[Value]:
    """The sort. Leaves zero as the adjoint of every value.

    Walks down to the first parent not met yet, and back up where there is none. The way back is
    a list, so the depth of a graph does not matter.
    """
    met = float("0")  # a zero of this call's own: who has it as adjoint has been met
    order: list[Value] = []
    way_back: list[Value] = []
    unread: dict[Value, Iterator[Value]] = {}  # of many operands, those not looked at yet
    v = root
    v.adjoint = met
    while True:
        parent, x, y = None, v.x, v.y
        if type(x) is Value and x.adjoint is not met:
            parent = x
        elif type(y) is Value and y.adjoint is not met:
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


def _sweep(order: Sequence[Value]) -> list[Value]:
    """Passes adjoints down a sorted graph; sets the gradients of inner values; gives the leaves."""
    if not isinstance(order[-1].data, float | int):
        kind = type(order[-1].data).__name__
        raise TypeError(
            f"backward expected floats as data, got {kind}: write an update by hand as "
            "w.data -= lr * w.grad, with lr a float"
        )
    leaves = []
    order[-1].adjoint = 1.0
    for v in reversed(order):
        g, x, y = v.adjoint, v.x, v.y
        if type(x) is Value:
            v.grad = g
            x.adjoint += g * v.dx
            if type(y) is Value:
                y.adjoint += g * v.dy
        elif type(y) is Value:
            v.grad = g
            y.adjoint += g * v.dy
        elif type(x) is tuple:
            v.grad = g
            if type(v.dx) is not tuple:  # a replay goes backward itself
                for parent, share in zip(x, v.dx.shares(g), strict=True):
                    parent.adjoint += share
            elif g != 0 or not math.isfinite(v.data):  # else there are only zeros to pass on
                for parent, d in zip(x, v.dx):  # noqa: B905 (a strict zip is slower)
                    parent.adjoint += g * d
        else:
            leaves.append(v)
    return leaves


def _summed(grad: float, adjoint: float) -> float:
    try:
        return grad + adjoint
    except TypeError:
        raise TypeError(
            "backward expected a number as the grad of every leaf, to add to: "
            "forget a gradient with zero_grad()"
        ) from None


# --- making nodes -----------------------------------------------------------------------------

_new = object.__new__


def node(op: Op, z: float, x: Any, y: Any, dx: Any, dy: Any) -> Value:
    """The result `z` of an operation, its operands, and the partials with respect to them."""
    v = _new(Value)
    v.data, v.op, v.x, v.y, v.dx, v.dy = z, op, x, y, dx, dy
    v.grad, v.label, v.adjoint = NOT_COMPUTED, "", None
    return observed(v) if modes else v


def node_of_many(op: Op, z: float, operands: tuple[Operand, ...], slopes: Sequence[float]) -> Value:
    """The same for many operands with their partials, constants among them."""
    values = tuple(p for p in operands if type(p) is Value)
    kept = tuple(d for p, d in zip(operands, slopes, strict=True) if type(p) is Value)
    return node(op, z, values, None if len(values) == len(operands) else operands, kept, None)


def apply(op: Op, *operands: Operand) -> Value:
    """The node of a row for operands given one after the other (x1, x2, ..., y1, y2, ..., bias).

    >>> apply(OPS["mul"], Value(3.0), 2.0)
    Value(data=6.0, grad=0.0)
    """
    kept = tuple(p if type(p) is Value else number(p) for p in operands)
    if not op.many and len(kept) != op.arity:
        raise TypeError(f"{op.name} expected {op.arity} operands, got {len(kept)}")
    z, *slopes = op.forward(op.arguments([data_of(p) for p in kept]))
    if op.many:
        return node_of_many(op, z, kept, slopes[0])
    return node(op, z, *(*kept, None)[:2], *(*slopes, None)[:2])


def _copied(v: Value, memo: Mapping[int, Value]) -> Value:
    """A copy of one node, its operands replaced by their copies in `memo`."""
    copy = _new(Value)
    for slot in Value.__slots__:
        if hasattr(v, slot):
            setattr(copy, slot, getattr(v, slot))

    def of(p: Any) -> Any:
        return tuple(map(of, p)) if isinstance(p, tuple) else memo.get(id(p), p)

    copy.x, copy.y = of(v.x), of(v.y)
    return copy


def written(source: str, file: str) -> dict[str, Callable[..., Any]]:
    """The functions of a source that makes nodes; a debugger can step into them."""
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    made: dict[str, Callable[..., Any]] = {}
    exec(compile(source, file, "exec"), {**operators.NAMES, **globals()}, made)
    return made


def methods(source: str, file: str = GENERATED) -> dict[str, Callable[..., Any]]:
    """The functions of a source as methods of `Value`."""
    made = written(source, file)
    for name, method in made.items():
        method.__qualname__ = f"Value.{name}"
    return made


for _name, _method in methods(operators.source()).items():
    setattr(Value, _name, _method)
