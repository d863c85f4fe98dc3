"""`Value`: a number that remembers how it was computed, and can pass the blame back."""

from __future__ import annotations

import linecache
import math
import operator
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, partialmethod
from itertools import repeat
from numbers import Real
from operator import add
from typing import TYPE_CHECKING, Any, cast

from engine import operators
from engine.fork import after_fork
from engine.modes import active, examine_backward, modes
from engine.op import Op
from engine.operators import GENERATED
from engine.ops import OPS

if (
    TYPE_CHECKING
):  # the methods that are made from the rows of the calculus, at the end of this file
    from engine.typed import Methods
else:
    Methods = object

NOT_COMPUTED = float("0")  # reads as 0.0; being this very object tells it from a computed zero


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
    # all operands where some are constants; of a pick, dx is a `Picked`. A leaf has none.
    __slots__ = (
        *("data", "grad", "label", "op", "x", "y", "dx", "dy"),
        *("adjoint", "line"),  # belong to the sort and the sweep, and to `detect_anomaly`
    )
    __class__ = property(type)  # a recording puts its watch here

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
    _data: float
    _grad: float
    _dx: Any
    _dy: Any

    def __init__(
        self, data: float, label: str = "", _op: object = None, _children: object = None
    ) -> None:
        if _op is not None or _children is not None or not isinstance(label, str):
            raise TypeError(_refused(label, _op, _children))
        self._data = data if type(data) is float else number(data)
        self._grad = NOT_COMPUTED
        self.label = label
        self.op = self.x = self.y = self._dx = self._dy = self.adjoint = None

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
            gradient = _seed(gradient)
        _check_alone()
        with sweeping:
            if getattr(self.dx, "reach_leaves", False) and not modes:
                self._pass_to_leaves(gradient)
                return
            order = sort(self)
            former = [v.grad for v in order]
            try:
                leaves = _sweep(order, gradient)
                if modes:
                    examine_backward(order)
                set_each("grad", leaves, _summed(leaves, [v.adjoint for v in leaves]))
            except BaseException:
                set_each("grad", order, former)
                raise

    def _pass_to_leaves(self, gradient: float) -> None:
        """The backward of a replayed value, right above all of its leaves: nothing to sort."""
        leaves, shares = cast(tuple[Value, ...], self.x), self.dx.shares(gradient)
        grads = [v.grad for v in leaves]
        is_first = grads.count(NOT_COMPUTED) == len(grads)  # quick where it is this very zero
        sums = shares if is_first else _summed(leaves, shares)
        self.grad = gradient
        set_each("grad", leaves, sums)

    def sweep(self, order: list[Value] | None = None) -> list[Value]:
        """Sorts the graph as `toposort` does; `adjoint` of every value is d self / d value then.

        `order` is what a sort gave before, if one did.
        """
        _check_alone()
        with sweeping:
            if order is None:
                order = sort(self)
            else:
                for v in order:
                    v.adjoint = 0.0
            former = [v.grad for v in order]
            try:
                _sweep(order, 1.0)
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
        return f"Value(data={_shown(self.data)}, grad={self.grad}{label})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __float__(self) -> float:
        raise TypeError(
            "expected a number, got a Value: those functions that dir(engine) lists are written "
            "engine.exp(v), others are made with operators or engine.define, and the number is "
            "v.data"
        )

    def __int__(self) -> int:
        raise TypeError(
            "int expected a number, got a Value: write int(v.data); no gradient flows through it"
        )

    def __bool__(self) -> bool:
        return bool(data_of(self))

    def __lt__(self, other: Value | float) -> bool:
        try:
            return self.data < (other.data if type(other) is Value else number(other))
        except TypeError:  # says which of them is no number
            return data_of(self) < data_of(other)

    def __le__(self, other: Value | float) -> bool:
        try:
            return self.data <= (other.data if type(other) is Value else number(other))
        except TypeError:  # says which of them is no number
            return data_of(self) <= data_of(other)

    def __gt__(self, other: Value | float) -> bool:
        try:
            return self.data > (other.data if type(other) is Value else number(other))
        except TypeError:  # says which of them is no number
            return data_of(self) > data_of(other)

    def __ge__(self, other: Value | float) -> bool:
        try:
            return self.data >= (other.data if type(other) is Value else number(other))
        except TypeError:  # says which of them is no number
            return data_of(self) >= data_of(other)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions: `np.sin(v)` is `v.sin()`; in arrays each number for itself."""
        f = _NUMPYS.get(ufunc.__name__)
        if f is None or method != "__call__" or options:
            return NotImplemented
        if any(getattr(x, "shape", ()) for x in inputs):
            np = sys.modules["numpy"]
            return np.frompyfunc(f, len(inputs), 1)(*[np.array(x, dtype=object) for x in inputs])
        return f(*[number(x.item()) if hasattr(x, "shape") else x for x in inputs])

    def __pos__(self) -> Value:
        return self

    def __round__(self, digits: int | None = None) -> Value:
        if digits is not None:
            raise TypeError(
                f"round of a Value gives a whole number: for text write f'{{v:.{digits}f}}', and "
                f"for a number round(v.data, {digits})"
            )
        return self.round()

    def __floor__(self) -> Value:
        return self.floor()

    def __ceil__(self) -> Value:
        return self.ceil()

    def __trunc__(self) -> Value:
        return self.trunc()

    def __copy__(self) -> Value:
        return _copied(self, {})

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        _check_alone()
        with sweeping:
            order = sort(self)
        for v in order:
            if id(v) not in memo:
                memo[id(v)] = _copied(v, memo)
        return cast(Value, memo[id(self)])

    def __reduce__(self) -> tuple[type[Value], tuple[float, str]]:
        if self.op:
            raise TypeError(
                f"cannot pickle the result of an operation ({self.op.name}): "
                "save the leaves it was computed from, or model.state_dict()"
            )
        return Value, (data_of(self), self.label)


Operand = Value | float


class Picked:
    """In place of the partials of a pick: 1 for the operand in `place`, and 0 for the others.

    The node has all `size` candidates as operands, so that a backward reaches them in an order that
    does not depend on which one was taken. `index` is what was asked for, from `low` on.
    """

    __slots__ = ("index", "low", "place", "size")

    def __init__(self, place: int, size: int, index: Operand, low: int) -> None:
        self.place, self.size, self.index, self.low = place, size, index, low


_OF_YOUR_OWN = (
    "an operation of your own (micrograd's Value(t, (v,), 'swish') with a _backward) is written "
    "swish = engine.define('swish', 'swish', 'x * sigmoid(x)', 'z + sigmoid(x) * (1 - z)', "
    "at=[(0.3,), (-2.0,)]), and then swish(v)"
)
_STATE = "keep it in a dict, state[v] = 0.0 (a Value is a key), or take an optimiser of nn"
_ELSEWHERE = {
    **dict.fromkeys(("_backward", "_prev", "_op"), _OF_YOUR_OWN),
    **dict.fromkeys(("m", "v", "velocity", "momentum", "cache", "state"), _STATE),
    "name": "write v.label",
    "requires_grad": "all Values have a gradient; v.detach() is a constant, and engine.no_grad()",
}


class _Elsewhere:
    """A name that programs for other engines set on a Value, with where to keep it here.

    Other names meet Python's own AttributeError: a `__setattr__` with words for all of them would
    be called ten times for each new node.
    """

    def __init__(self, name: str, read: Callable[[Value], object] | None = None) -> None:
        self.name, self.read = name, read

    def __get__(self, v: Value | None, owner: type[Value]) -> object:
        if v is None:
            return self
        if self.read:
            return self.read(v)
        raise AttributeError(f"Value has no {self.name}: {_ELSEWHERE[self.name]}")

    def __set__(self, v: Value, x: object) -> None:
        raise AttributeError(
            f"cannot set {self.name} of a Value, which has slots alone: {_ELSEWHERE[self.name]}"
        )


for _name in _ELSEWHERE:
    setattr(Value, _name, _Elsewhere(_name, getattr(vars(Value).get(_name), "fget", None)))


def number(x: object) -> float:
    """`x` as a float; TypeError unless it is a real number (NumPy's scalars are)."""
    if type(x) is float:
        return x
    if type(x) is not int and not isinstance(x, Real) and not _is_numpy_bool(x):
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
    """The number of a Value, or of a constant; TypeError where it has something else as data.

    `data` is a slot, because all that computes reads it: anything can be set there. What is a
    number but no float, such as NumPy's, is turned into one here and by `backward`.
    """
    if type(x) is Value:
        data = x.data
        return data if type(data) is float else _as_float(x)
    return number(x)


def _as_float(v: Value) -> float:
    try:
        return number(v.data)
    except TypeError:
        raise TypeError(
            f"expected a number as the data of a Value, got {type(v.data).__name__}: write an "
            f"update by hand as w.data -= lr * w.grad, with lr a number; it was set on {v!r}"
        ) from None


def _shown(data: object) -> object:
    """What was set as data, as a float where it is a number."""
    try:
        return number(data)
    except (OverflowError, TypeError):
        return data if isinstance(data, Real) else _short(data)


def _seed(gradient: object) -> float:
    try:
        return number(gradient)
    except TypeError:
        raise TypeError(
            "backward expected a number as the gradient to begin with, "
            f"got {type(gradient).__name__} ({_short(gradient)}): write y.backward(5.0)"
        ) from None


def _refused(label: object, op: object, children: object) -> str:
    """Words for a Value that was to be more than a number and its label."""
    if op is not None or children is not None:
        return f"Value expected a number and a label, got children or an operation; {_OF_YOUR_OWN}"
    is_micrograds = isinstance(label, tuple | set | list)
    advice = _OF_YOUR_OWN if is_micrograds else "operations of your own are made with engine.define"
    return f"Value expected a str as label, got {type(label).__name__} ({_short(label)}); {advice}"


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
        order = sort(root)
    if Picked in {type(v._dx) for v in order}:
        met = {root}  # what was not picked has no part in it
        for v in reversed(order):
            if v in met:
                met.update(v._prev)
        order = [v for v in order if v in met]
    return order


def sort(root: Value) -> list[Value]:
    """The sort, of candidates that were not picked too. Leaves zero as every adjoint.

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


def _sweep(order: Sequence[Value], gradient: float) -> list[Value]:
    """Passes adjoints down a sorted graph; sets the gradients of inner values; gives the leaves."""
    leaves = []
    order[-1].adjoint = gradient
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
            if type(v.dx) is not tuple:
                _pass_on(v, g)
            elif g != 0 or not math.isfinite(v.data):  # else there are only zeros to pass on
                for parent, d in zip(x, v.dx):  # noqa: B905 (a strict zip is slower)
                    parent.adjoint += g * d
        else:
            leaves.append(v)
    if type(order[-1].data) is not float or not _are_floats([v.data for v in leaves]):
        _make_floats(order)
        return _sweep(sort(order[-1]), gradient)
    return leaves


def _pass_on(v: Value, g: float) -> None:
    """The shares of a pick, or of a replay, which goes backward itself."""
    if type(v.dx) is Picked:
        for taken in v._prev:
            taken.adjoint += g
    else:
        for parent, share in zip(cast(Any, v.x), v.dx.shares(g), strict=True):
            parent.adjoint += share


def _are_floats(numbers: Sequence[object]) -> bool:
    return list(map(type, numbers)).count(float) == len(numbers)


def _make_floats(order: Sequence[Value]) -> None:
    """Turns numbers that are no floats into those: some were set as data, others came of them.

    TypeError where one is no number, or where a result lost digits that a float has.
    """
    for v in order:
        if v.op and not isinstance(v.data, float | int):
            raise TypeError(
                f"backward expected floats as data, got {type(v.data).__name__} ({_short(v.data)}) "
                f"as the result of {v.op.name}: .data was set to one, as by w.data -= lr * w.grad "
                "with such an lr; make lr a float, and compute the result again"
            )
        v.data = _as_float(v)
        if v.op and type(v.x) is not tuple:
            v.dx, v.dy = (d if d is None else float(d) for d in (v.dx, v.dy))


def _summed(leaves: Sequence[Value], shares: Iterable[float]) -> list[float]:
    """The gradients of leaves with what a backward adds to them."""
    try:
        sums = list(map(add, [v.grad for v in leaves], shares))
        return sums if _are_floats(sums) else list(map(number, sums))
    except TypeError:
        raise TypeError(
            "backward expected a number as the grad of every leaf, to add to: "
            "forget a gradient with zero_grad()"
        ) from None


# --- making nodes -----------------------------------------------------------------------------

_new = partial(object.__new__, Value)  # no call of C, which a witness would be told of

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

    >>> apply(OPS["mul"], Value(3.0), 2.0)
    Value(data=6.0, grad=0.0)
    """
    kept = tuple([p if type(p) is Value else number(p) for p in operands])
    if not op.many and len(kept) != op.arity:
        raise TypeError(f"{op.name} expected {op.arity} operands, got {len(kept)}")
    data = [p._data if type(p) is Value else p for p in kept]
    if not _are_floats(data):
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


def _copied(v: Value, memo: Mapping[int, Value]) -> Value:
    """A copy of one node, its operands replaced by their copies in `memo`."""
    copy = _new()
    for slot in Value.__slots__:
        if hasattr(v, slot):
            setattr(copy, slot, getattr(v, slot))

    def of(p: Any) -> Any:
        return tuple(map(of, p)) if isinstance(p, tuple) else memo.get(id(p), p)

    copy.x, copy.y = of(v.x), of(v.y)
    return copy


def written(source: str, file: str, **names: Any) -> dict[str, Callable[..., Any]]:
    """The functions of a source that makes nodes; a debugger can step into them."""
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    made: dict[str, Callable[..., Any]] = {}
    exec(compile(source, file, "exec"), {**operators.NAMES, **globals(), **names}, made)
    return made


def methods(source: str, file: str = GENERATED, **names: Any) -> dict[str, Callable[..., Any]]:
    """The functions of a source as methods of `Value`."""
    made = written(source, file, **names)
    for name, method in made.items():
        method.__qualname__ = f"Value.{name}"
    return made


for _name, _method in methods(operators.source()).items():
    setattr(Value, _name, _method)

# What NumPy's functions do with Values. On arrays of objects it calls methods of its own names.
_NUMPYS: dict[str, Callable[..., Any]] = {
    **{name: partial(call, op) for name, op in OPS.items() if op.arity},
    **{name: partial(call, OPS[row]) for name, row in operators.NUMPY_NAMES.items()},
    **{"add": add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv},
    **{"power": operator.pow, "remainder": operator.mod, "floor_divide": operator.floordiv},
    **{"negative": operator.neg, "positive": operator.pos, "equal": operator.is_},
    **{"not_equal": operator.is_not, "less": operator.lt, "less_equal": operator.le},
    **{"greater": operator.gt, "greater_equal": operator.ge},
}
for _name in (*operators.NUMPY_NAMES, "fmod", "hypot"):
    setattr(Value, _name, partialmethod(_NUMPYS[_name]))
