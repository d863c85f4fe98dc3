"""`Value`: a number that remembers how it was computed, and finds its derivatives backwards."""

from __future__ import annotations

import linecache
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial, partialmethod
from typing import TYPE_CHECKING, Any, cast

from engine import alone, operators
from engine.alone import check_alone, sweeps
from engine.foreign import OF_YOUR_OWN, refuse_foreign_names
from engine.modes import active, examine_backward, modes
from engine.number import NOT_COMPUTED, number, number_in, short, shown
from engine.op import Op
from engine.operators import GENERATED
from engine.ops import OPS
from engine.sweep import Picked, Shares, are_floats, set_each, sort, summed, sweep

if TYPE_CHECKING:  # the methods that are made from the rows, at the end of this file
    from engine.typed import Methods
else:
    Methods = object


@refuse_foreign_names
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
            gradient = _seed(gradient)
        check_alone()
        with alone.lock:
            if isinstance(self.dx, Shares) and self.dx.reach_leaves and not modes:
                self._pass_to_leaves(gradient)
                return
            order = sort(self)
            former = [v.grad for v in order]
            try:
                leaves = sweep(order, gradient)
                if modes:
                    examine_backward(order)
                set_each("grad", leaves, summed(leaves, [v.adjoint for v in leaves]))
            except BaseException:
                set_each("grad", order, former)
                raise

    def _pass_to_leaves(self, gradient: float) -> None:
        """The backward of a replayed value, right above all of its leaves: nothing to sort."""
        leaves, shares = cast(tuple[Value, ...], self.x), self.dx.shares(gradient)
        grads = [v.grad for v in leaves]
        is_first = grads.count(NOT_COMPUTED) == len(grads)  # quick where it is this very zero
        sums = shares if is_first else summed(leaves, shares)
        self.grad = gradient
        set_each("grad", leaves, sums)

    @sweeps
    def sweep(self, order: list[Value] | None = None) -> list[Value]:
        """Sorts the graph as `toposort` does; `adjoint` of every value is d self / d value then.

        `order` is what a sort gave before, if one did.
        """
        check_alone()
        with alone.lock:
            if order is None:
                order = sort(self)
            else:
                for v in order:
                    v.adjoint = 0.0
            former = [v.grad for v in order]
            try:
                sweep(order, 1.0)
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
        return f"Value(data={shown(self.data)}, grad={self.grad}{label})"

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

    @sweeps
    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        check_alone()
        with alone.lock:
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


def data_of(x: Operand) -> float:
    """The number of a Value, or of a constant; TypeError where it has something else as data.

    `data` is a slot, because all that computes reads it: anything can be set there. What is a
    number but no float, such as NumPy's, is turned into one here and by `backward`.
    """
    if type(x) is Value:
        data = x.data
        return data if type(data) is float else number_in(data, x)
    return number(x)


def _seed(gradient: object) -> float:
    try:
        return number(gradient)
    except TypeError:
        raise TypeError(
            "backward expected a number as the gradient to begin with, "
            f"got {type(gradient).__name__} ({short(gradient)}): write y.backward(5.0)"
        ) from None


def _refused(label: object, op: object, children: object) -> str:
    """Words for a Value that was to be more than a number and its label."""
    if op is not None or children is not None:
        return f"Value expected a number and a label, got children or an operation; {OF_YOUR_OWN}"
    is_micrograds = isinstance(label, tuple | set | list)
    advice = OF_YOUR_OWN if is_micrograds else "operations of your own are made with engine.define"
    return f"Value expected a str as label, got {type(label).__name__} ({short(label)}); {advice}"


@sweeps
def toposort(root: Value) -> list[Value]:
    """Every value that `root` was computed from, parents before children, `root` last.

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
    **{"add": operator.add, "subtract": operator.sub, "multiply": operator.mul},
    **{"divide": operator.truediv, "power": operator.pow, "remainder": operator.mod},
    **{"floor_divide": operator.floordiv, "negative": operator.neg, "positive": operator.pos},
    **{"equal": operator.is_, "not_equal": operator.is_not},
    **{"less": operator.lt, "less_equal": operator.le},
    **{"greater": operator.gt, "greater_equal": operator.ge},
}
for _name in (*operators.NUMPY_NAMES, "fmod", "hypot"):
    setattr(Value, _name, partialmethod(_NUMPYS[_name]))
