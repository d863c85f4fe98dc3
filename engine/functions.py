"""Functions of many operands, those made of several rows, and `define`, which makes new ones."""

import builtins
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from itertools import accumulate
from keyword import iskeyword
from typing import Any

from engine import operators
from engine.elementary import *  # noqa: F403 (all functions are found here)
from engine.elementary import exp, sqrt
from engine.integer import Integer
from engine.number import number
from engine.op import BASICS, MANY, Op, Point, enter, row
from engine.operators import GENERATED, described
from engine.ops import OPS, PICK
from engine.sweep import Picked
from engine.value import Operand, Value, call, node, written

DOT = OPS["dot"]
LONGEST = 1000  # terms of a dot that is written out
LIBRARY = frozenset([*OPS, *BASICS, *MANY])  # names that stay as they are
EXAMPLE = "define('cube', 'cube', 'x * x * x', '3 * x * x', at=[(0.5,), (-2.0,)])"
SMALL_STEP = sys.float_info.epsilon ** (1 / 3)  # balances what central differences lose and round


def _function(op: Op) -> Callable[..., Any]:
    """A row as a function."""

    def function(*operands: Any) -> Any:
        if len(operands) != op.arity:
            raise TypeError(f"{op.name} expected {op.arity} operands, got {len(operands)}")
        return call(op, *operands)

    return described(function, op, __name__)


def define(
    name: str, symbol: str, formula: str, *partials: str, at: Sequence[Point]
) -> Callable[..., Any]:
    """Adds an operation: its formula in x (and y), and its partial derivatives in x, y and z.

    It then works like those of the library: in derivatives of any order, in drawings, in checks.
    A comparison counts as 1 or 0 where a number is expected; and, or, not join comparisons. The
    operations that the texts call are those of now, whatever is defined later.
    The texts are run as code: they are trusted. `at` holds points, away from kinks, where the
    partials are compared with small steps. Raises ValueError where they differ, for a name of the
    library, a text that is no formula, or a point of the wrong length, TypeError for arguments
    that are no texts and no numbers. A second definition of a name takes the place of the first;
    results of the first keep it.

    >>> swish = define("swish", "swish", "x * sigmoid(x)",
    ...                "sigmoid(x) * (1 + x * (1 - sigmoid(x)))", at=[(0.3,), (-2.0,)])
    >>> x = Value(0.0)
    >>> swish(x).backward()
    >>> x.grad
    0.5
    """
    texts = {"name": name, "symbol": symbol, "formula": formula}
    texts |= {f"partial d/d{x}": text for x, text in zip("xy", partials, strict=False)}
    for what, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(
                f"define expected a text as {what}, got {type(text).__name__} ({text!r:.40}): "
                f"write {EXAMPLE}"
            )
    if (
        not name.isidentifier()
        or name.startswith("_")
        or iskeyword(name)
        or name in ("x", "y", "z")
    ):
        raise ValueError(f"define expected a name such as 'swish', got {name!r}")
    if name in LIBRARY:
        raise ValueError(f"define: the library has an operation {name!r}; choose another name")
    if len(partials) not in (1, 2):
        raise ValueError(
            f"define({name!r}) expected one partial for each operand, x or x and y, "
            f"got {len(partials)}: write {EXAMPLE}"
        )
    points = _points(name, at, (0.5, 2.0)[: len(partials)])
    op = row(name, symbol, formula, *partials, at=points)
    for point in points:
        _check_partials(op, point)
    return _function(enter(op))


def _points(name: str, at: Any, example: Point) -> list[Point]:
    """The points to test at, as tuples of floats."""
    if not isinstance(at, Iterable) or isinstance(at, str | dict | set):
        kind = type(at).__name__
        raise TypeError(f"define({name!r}) expected points, such as at=[{example}], got {kind}")
    points = list(at)
    if not points:
        raise ValueError(f"define({name!r}) expected points to test at, such as at=[{example}]")
    for point in points:
        if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != len(example):
            raise ValueError(
                f"define({name!r}) has {len(example)} partials and expected points such as "
                f"{example}, got {point!r:.40}"
            )
    return [tuple(map(number, point)) for point in points]


def _check_partials(op: Op, point: Point) -> None:
    """ValueError where a partial differs from the slope between two points near `point`."""
    z, *slopes = op.forward(point)
    for i, (text, slope) in enumerate(zip(op.partials, slopes, strict=True)):
        step = SMALL_STEP * builtins.max(abs(point[i]), 0.01)
        right, left = ([*point[:i], point[i] + h, *point[i + 1 :]] for h in (step, -step))
        measured = (op(*right) - op(*left)) / (right[i] - left[i])
        rounding = 1e-9 * (1 + abs(z))
        if not abs(slope - measured) <= 1e-5 * (abs(slope) + abs(measured)) + rounding:
            raise ValueError(
                f"define({op.name!r}): the partial d/d{'xy'[i]} {text!r} is {slope:.6g} at "
                f"{point}, but small steps of {op.formula!r} give {measured:.6g}"
            )


def max(*values: Any) -> Any:
    """The largest of several values, or of one list; of equals the first; nan wins.

    >>> max(Value(1.0), 2.0), max([1.0, 3.0])
    (Value(data=2.0, grad=0.0), 3.0)
    """
    return _extreme(OPS["max"], values)


def min(*values: Any) -> Any:
    """The smallest of several values, or of one list; of equals the first; nan wins.

    >>> min(Value(1.0), 2.0), min([1.0, 3.0])
    (Value(data=1.0, grad=0.0), 1.0)
    """
    return _extreme(OPS["min"], values)


def _extreme(op: Op, values: Sequence[Any]) -> Any:
    is_list = len(values) == 1 and isinstance(values[0], Iterable)
    first, *others = _some(op.name, values[0] if is_list else values)
    first = first if isinstance(first, Value) else number(first)
    return reduce(lambda x, y: call(op, x, y), others, first)


def sum(values: Iterable[Operand]) -> Any:
    """The correctly rounded sum, as one node.

    >>> sum([1e16, Value(100.0), -1e16]).data
    100.0
    """
    return call(OPS["sum"], *_listed("sum", values))


def dot(xs: Sequence[Operand], ys: Sequence[Operand], bias: Operand = 0.0) -> Any:
    """bias + x1 * y1 + x2 * y2 + ... from left to right, as one node.

    Raises ValueError where the lengths differ.

    >>> dot([Value(1.0), Value(2.0)], [3.0, 4.0], 0.5)
    Value(data=11.5, grad=0.0)
    """
    # Most calls hold lists of Values or of floats alone. The written dot finds out whether they
    # do; anything else takes the slower way that looks at each operand.
    try:
        written_dot = _written_dot(
            len(xs), type(xs[0]) is Value, type(ys[0]) is Value, type(bias) is Value
        )
        return written_dot(xs, ys, bias)
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError):
        return _dot_of_any(xs, ys, bias)


def _dot_of_any(xs: Iterable[Operand], ys: Iterable[Operand], bias: Operand) -> Any:
    xs, ys = _listed("dot", xs), _listed("dot", ys)
    if len(xs) != len(ys):
        raise ValueError(f"dot expected two lists of one length, got {len(xs)} and {len(ys)}")
    return call(DOT, *xs, *ys, bias)


@lru_cache(maxsize=1000)
def _written_dot(terms: int, xs: bool, ys: bool, bias: bool) -> Callable[..., Any]:
    if terms > LONGEST or not (xs or ys or bias):
        return _dot_of_any
    kinds = ["Values" if are_values else "numbers" for are_values in (xs, ys, bias)]
    file = f"{GENERATED}: dot of {terms} {' and '.join(kinds[:2])}, bias among {kinds[2]}"
    return written(operators.dot_source(terms, xs, ys, bias), file)["dot"]


def logsumexp(values: Iterable[Operand]) -> Any:
    """log(exp(v1) + exp(v2) + ...) without overflow, as one node.

    >>> logsumexp([1000.0, 0.0])
    1000.0
    """
    return call(OPS["logsumexp"], *_some("logsumexp", values))


def _listed(name: str, values: Iterable[Operand]) -> list[Operand]:
    """The values as a list; TypeError for what holds none."""
    try:
        return list(values)
    except TypeError:
        if isinstance(values, Iterable) and not isinstance(values, Value):
            raise  # what makes the values failed
    raise TypeError(f"{name} expected a list of numbers or Values, got {values!r:.60}")


def _some(name: str, values: Iterable[Operand]) -> list[Operand]:
    found = _listed(name, values)
    if not found:
        raise ValueError(f"{name} expected at least one value, got none")
    return found


def softmax(logits: Iterable[Operand]) -> list[Any]:
    """exp(x) / (exp(x1) + exp(x2) + ...) for each x: positive numbers that add up to 1.

    >>> softmax([1000.0, 0.0])
    [1.0, 0.0]
    """
    logits = _some("softmax", logits)
    total = logsumexp(logits)
    return [exp(x - total) for x in logits]


def log_softmax(logits: Iterable[Operand]) -> list[Any]:
    """log of what `softmax` gives, without its underflow.

    >>> log_softmax([1000.0, 0.0])
    [0.0, -1000.0]
    """
    logits = _some("log_softmax", logits)
    total = logsumexp(logits)
    return [x - total for x in logits]


def mean(values: Iterable[Operand]) -> Any:
    """The sum of the values, divided by how many there are.

    >>> mean([Value(1.0), 2.0, 6.0])
    Value(data=3.0, grad=0.0)
    """
    values = _some("mean", values)
    return sum(values) / len(values)


def var(values: Iterable[Operand], ddof: int = 0) -> Any:
    """The mean of the squared distances from the mean; n - `ddof` divides them.

    0 as in NumPy and JAX; PyTorch's default is 1. Raises ValueError for no more values than `ddof`.

    >>> var([1.0, 2.0, 6.0]), var([1.0, 2.0, 6.0], ddof=1)
    (4.666666666666667, 7.0)
    """
    values = _some("var", values)
    if not len(values) > ddof:
        raise ValueError(f"var expected more than ddof={ddof} values, got {len(values)}")
    middle = mean(values)
    distances = [x - middle for x in values]
    return dot(distances, distances) / (len(values) - ddof)


def std(values: Iterable[Operand], ddof: int = 0) -> Any:
    """The square root of `var`; where that is 0 the gradient is 0.

    >>> std([1.0, 2.0, 3.0], ddof=1)
    1.0
    """
    return _root(var(values, ddof))


def norm(values: Iterable[Operand]) -> Any:
    """The length of a vector: the root of the sum of squares; at the origin the gradient is 0.

    >>> norm([Value(3.0), 4.0])
    Value(data=5.0, grad=0.0)
    """
    values = _listed("norm", values)
    return _root(dot(values, values))


def _root(square: Any) -> Any:
    """The square root; at 0, where its slope is infinite, 0 with the slope 0 of squares there."""
    return sqrt(square) if square > 0 else square


def prod(values: Iterable[Operand]) -> Any:
    """The product of the values from left to right; 1.0 of none.

    >>> prod([Value(2.0), 3.0, 4.0])
    Value(data=24.0, grad=0.0)
    """
    factors = [x if type(x) is Value else number(x) for x in _listed("prod", values)]
    return reduce(operator.mul, factors) if factors else 1.0


def cumsum(values: Iterable[Operand]) -> list[Any]:
    """The sums of the first value, of the first two, and so on.

    >>> cumsum([1.0, 2.0, 3.0])
    [1.0, 3.0, 6.0]
    """
    return list(accumulate(x if type(x) is Value else number(x) for x in _listed("cumsum", values)))


def argmax(values: Iterable[Operand]) -> int:
    """The place of the largest value, as an int; of equals the first; nan counts as largest.

    It has no gradient. In a function that is replayed it is a decision: where another value is the
    largest, the function is recorded anew.

    >>> argmax([Value(1.0), 5.0, Value(3.0)])
    1
    """
    first, *others = _some("argmax", values)
    best, place = first, 0
    for k, x in enumerate(others, 1):
        if not x <= best and best == best:
            best, place = x, k
    return place


def clip(x: Operand, low: Operand | None = None, high: Operand | None = None) -> Any:
    """`x`, but no less than `low` and no more than `high`; None is no bound.

    From `low` to `high`, both too, `x` has the slope 1, as in PyTorch.

    >>> clip(Value(3.0), -1.0, 1.0), clip(-3.0, 0.0)
    (Value(data=1.0, grad=0.0), 0.0)
    """
    above = x if low is None else call(OPS["max"], x, low)
    return above if high is None else call(OPS["min"], above, high)


def where(condition: Operand, x: Operand, y: Operand) -> Any:
    """`x` where the condition is not 0, `y` where it is; the other one gets a gradient of 0.

    The condition is a number; nan is not 0. In a function that is replayed a Value as condition is
    data, while a comparison, such as a > b, is a decision that is recorded.

    >>> where(Value(0.0), Value(1.0), 2.0)
    Value(data=2.0, grad=0.0)
    >>> where(2.0 > 1.0, 1.0, 2.0)
    1.0
    """
    return pick([y, x], call(OPS["truth"], condition))


def pick(rows: Iterable[Any], index: Operand) -> Any:
    """rows[index], by an integer that is data: a letter, a word, a label.

    `rows` are Values, or lists of Values of one length: of an embedding all numbers of a row are
    picked. `index` is an int, or a Value or a float that is a whole number; a negative one counts
    from the end. The gradient goes to what was picked; the other rows get one of 0, as in PyTorch.
    In a function that is replayed, another integer needs no new recording.

    Raises IndexError for an index that is no row, TypeError for what is no whole number, ValueError
    for no rows and for rows of several lengths.

    >>> rows = [Value(1.0), Value(5.0), Value(7.0)]
    >>> pick(rows, 1).backward()
    >>> [row.grad for row in rows], rows[0].has_grad
    ([0.0, 1.0, 0.0], True)
    >>> pick([[0.5, 1.5], [2.5, 3.5]], -1)
    [2.5, 3.5]
    """
    rows = _some("pick", rows)
    place = _whole(index)
    if place is None:
        raise TypeError(
            f"pick expected a whole number as index, got {type(index).__name__} ({index!r:.40})"
        )
    if not -len(rows) <= place < len(rows):
        raise IndexError(
            f"pick expected an index from {-len(rows)} to {len(rows) - 1}, one of {len(rows)} "
            f"rows, got {place}"
        )
    return _picked(rows, place, index, -len(rows))


def _whole(index: Any) -> int | None:
    """An index as an int; None for what is no whole number."""
    if type(index) is Integer:
        return index.n
    if isinstance(index, Value):
        index = _read(index)
    if isinstance(index, float) and index.is_integer():
        return int(index)
    try:
        return operator.index(index)
    except TypeError:
        return None


def _picked(rows: Sequence[Any], place: int, index: Any, low: int) -> Any:
    """The row at a place, which is known to be there; `low` is the least index of one."""
    if type(index) is Integer:
        index = index.n if index.v is None else index.v
    if _is_row(rows[0]):
        lengths = sorted({len(row) if _is_row(row) else 0 for row in rows})
        if len(lengths) > 1:
            raise ValueError(
                f"pick expected rows of one length, got {lengths[0]} and {lengths[-1]} numbers"
            )
        return [_picked(column, place, index, low) for column in zip(*rows, strict=True)]
    kinds = list(map(type, rows))
    if Value not in kinds and not isinstance(index, Value):
        return number(rows[place])
    values, operands = tuple(rows), None
    if kinds.count(Value) < len(rows):
        operands = tuple([x if type(x) is Value else number(x) for x in rows])
        values = tuple([x for x in operands if type(x) is Value])
    asked = index if isinstance(index, Value) else float(place)
    slopes = Picked(place % len(rows), len(rows), asked, low)
    return node(PICK, _read((operands or values)[place]), values, operands, slopes, None)


def _read(x: Operand) -> float:
    """The number of an operand; a recording does not mind, since it stays in the graph."""
    return number(x._data if type(x) is Value else x)


def _is_row(thing: object) -> bool:
    return hasattr(thing, "__len__") and not isinstance(thing, str)


def cross_entropy(logits: Iterable[Operand], target: Operand | Sequence[float]) -> Any:
    """-log of the probability that softmax(logits) gives the target; stable at any gap.

    `target` is a class index, as `pick` takes it but not negative, or a probability for each
    class. Raises ValueError for an index outside the logits or for another number of
    probabilities, TypeError for other targets.

    >>> cross_entropy([1000.0, 0.0], 1)
    1000.0
    """
    logits = _some("cross_entropy", logits)
    total = logsumexp(logits)
    if isinstance(target, Sequence) and not isinstance(target, str):
        if len(target) != len(logits):
            raise ValueError(
                f"cross_entropy expected {len(logits)} probabilities, got {len(target)}"
            )
        return dot(target, [total - x for x in logits])
    index = _whole(target)
    if index is None:
        raise TypeError(
            "cross_entropy expected a class index or a list of probabilities, "
            f"got {type(target).__name__} ({target!r:.40})"
        )
    if not 0 <= index < len(logits):
        raise ValueError(f"cross_entropy expected a class from 0 to {len(logits) - 1}, got {index}")
    return total - _picked(logits, index, target, 0)
