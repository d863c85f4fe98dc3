"""Is a recording still what the function does, and is what a kernel computes what the graph has?

The first question is about two tapes and needs no tolerance. The second is about numbers, which
kernels add in another order: they may differ by what rounding can do to them, and no more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, cast

from engine import alone
from engine.ops import OPS
from engine.replay.tape import Tape
from engine.sweep import sort
from engine.value import Operand, Value, apply, data_of, toposort

CLOSE = 1e-12  # so small a share of a number that rounding is taken for granted
UNIT = 2.0**-53
STEP = 50  # units in the last place that one operation may round by, in any library
TINY, HUGE = 1e-300, 1e306  # beyond, the order decides what is lost to 0 or inf
SUMS = {OPS[name] for name in ("add", "sub", "sum", "dot")}  # whose terms may come in any order


class ReplayError(RuntimeError):
    """A function cannot be replayed, or its replay does not do what the function does.

    `result` holds what the function returned, where it ran: its effects are done.
    """

    result: tuple[Any, ...] = ()


# --- tapes --------------------------------------------------------------------------------------


class Change(NamedTuple):
    """How a function differs from its recording, in words."""

    words: str
    is_frozen: bool = False  # a number alone: a new recording would freeze the next one
    is_close: bool = False  # a comparison alone, that rounding may have decided


CLOSE_CALL = Change("a comparison comes out differently", is_close=True)


def change(before: Tape, now: Tape) -> Change | None:
    """How the newer tape of a function differs; None where it is the same function.

    >>> from engine.replay.watch import record
    >>> x, scales = Value(2.0), iter([3.0, 4.0])
    >>> tapes = []
    >>> for scale in scales:
    ...     with record() as seen:
    ...         y = x * scale
    ...     tapes.append(seen.tape([x], [y]))
    >>> change(*tapes).words
    'a number is 3.0 in the recording and 4.0 now'
    """
    return None if _are_same(before, now) else _first_change(before, now)


def _first_change(before: Tape, now: Tape) -> Change | None:
    for old, new in zip(before.guards, now.guards, strict=False):
        if (old.relation, old.outcome) != (new.relation, new.outcome):
            sides = ((old.left, new.left), (old.right, new.right))
            found = [_moved(before, now, *side) for side in sides]
            return next(filter(None, found), CLOSE_CALL)
    if [op for op, _ in before.rows] != [op for op, _ in now.rows]:
        return Change("it does other operations")
    if any(len(old) != len(new) for old, new in _watched(before, now)):
        return Change("it compares or returns another number of Values")
    frozen = None
    for places in zip(_places(before), _places(now), strict=True):
        if len(places[0]) != len(places[1]):
            return Change("an operation has another number of operands")
        for old_place, new_place in zip(*places, strict=True):
            if old_place == new_place >= 0:
                continue
            a, b = _source(before, old_place), _source(now, new_place)
            frozen = frozen or _moved(before, now, old_place, new_place)
            if a != b and not (type(a) is type(b) is float):
                return Change(f"it reads {b!r} in place of {a!r}")
    return frozen


def _watched(before: Tape, now: Tape) -> Iterator[tuple[Sequence[Any], Sequence[Any]]]:
    """What is looked at after a forward."""
    for name in ("guards", "bounds", "outputs"):
        yield getattr(before, name), getattr(now, name)


def _are_same(before: Tape, now: Tape) -> bool:
    """Whether the tapes are written the same: the usual, and fast."""
    if (before.rows, before.guards, before.outputs) != (now.rows, now.guards, now.outputs):
        return False
    if before.bounds != now.bounds:
        return False
    leaves = list(zip(before.leaves, now.leaves, strict=False))[before.inputs :]
    return len(before.leaves) == len(now.leaves) and all(
        a is b or (type(a) is type(b) is float and repr(a) == repr(b)) for a, b in leaves
    )


def _moved(before: Tape, now: Tape, old: int, new: int) -> Change | None:
    """A constant that is another number now."""
    a, b = _source(before, old), _source(now, new)
    if type(a) is type(b) is float and repr(a) != repr(b):
        return Change(f"a number is {a} in the recording and {b} now", is_frozen=True)
    return None


def _places(tape: Tape) -> Iterator[tuple[int, ...]]:
    for _, places in tape.rows:
        yield places
    for guard in tape.guards:
        yield guard.left, guard.right
    yield tuple([bound.place for bound in tape.bounds])
    yield tape.outputs


def _source(tape: Tape, place: int) -> Any:
    """What stands at a place: a row or an input by its number, a parameter, or a constant."""
    if place >= 0:
        return "row", place
    leaf = tape.leaves[-1 - place]
    if -1 - place < tape.inputs:
        return "input", -1 - place
    return leaf if isinstance(leaf, Value) else float(leaf)


# --- numbers ------------------------------------------------------------------------------------


def gradients(
    root: Operand, sources: Sequence[Value], order: list[Value] | None = None
) -> list[float]:
    """d root / d source, where sources count as leaves; no `.grad` changes.

    Of a source that comes twice the last one has it. `order` is what a sort from the root gave, if
    one did.
    """
    last = {v: k for k, v in enumerate(sources)}
    slopes = _swept(root, last, order) if isinstance(root, Value) and sources else {}
    return [slopes.get(v, 0.0) if last[v] == k else 0.0 for k, v in enumerate(sources)]


def _swept(
    root: Value, sources: Mapping[Value, int], order: list[Value] | None
) -> Mapping[Value, float]:
    if not any(v.op for v in sources):
        with alone.lock:
            below = root.adjoints(order)
            return {v: v.adjoint for v in below if v in sources}
    slopes = defaultdict(float, {root: 1.0})
    for v in reversed(toposort(root)):  # as a sweep does, but not past the sources
        g = slopes[v]
        if v in sources or (g == 0 and type(v.x) is tuple and math.isfinite(v.data)):
            continue
        for parent, slope in zip(v.parents, v.partials, strict=bool(v.op)):
            if isinstance(parent, Value):
                slopes[parent] += g * cast(float, slope)
    return slopes


def difference(
    values: Sequence[float],
    slopes: Sequence[float],
    outputs: Sequence[Operand],
    root: Operand,
    sources: Sequence[Value],
    order: list[Value] | None = None,
) -> str | None:
    """How the numbers of a kernel differ from those of a graph: words, or None.

    `values` are those of the outputs, `slopes` the derivatives of `root` for each of the sources.
    `order` is what a sort from the first output gave, if one did.
    """
    got = [*values, *slopes]
    with alone.lock:  # until its end the adjoints of the graph stand where a sweep left them
        if not (order and order[-1] is root):
            order = sort(root) if isinstance(root, Value) else None
        expected = [*map(data_of, outputs), *gradients(root, sources, order)]
        far = [k for k, pair in enumerate(zip(got, expected, strict=True)) if not _are_close(*pair)]
        for slacks_of in (_nearest_slacks, _least_slacks, _slacks):  # each takes far longer
            if far:
                slacks = slacks_of(far, order, outputs, root, sources)
                far = [k for k in far if not _is_within(got[k] - expected[k], slacks[k])]
    if not far:
        return None
    what = "the result" if far[0] < len(values) else "a gradient"
    return f"{what} is {got[far[0]]} replayed and {expected[far[0]]} computed anew"


def _are_close(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= CLOSE * min(abs(a), abs(b)) < math.inf or (a != a and b != b)


def _is_within(distance: float, slack: float) -> bool:
    return abs(distance) <= slack or slack == math.inf


def _nearest_slacks(
    wanted: Collection[int],
    order: list[Value] | None,
    outputs: Sequence[Operand],
    root: Operand,
    sources: Sequence[Value],
) -> list[float]:
    """What `_least_slacks` gives at least, for those that are wanted: each derivative as if ways
    to it from its readers alone could cancel, whose adjoints a sweep of `order` has left."""
    found = [*_of_outputs(wanted, outputs), *[0.0] * len(sources)]
    asked = {sources[k - len(outputs)] for k in wanted if k >= len(outputs)}
    if not (asked and order) or any(v.op for v in sources):
        return found
    sizes = dict.fromkeys(asked, 0.0)
    for v in order:
        many, g = type(v.x) is tuple, v.adjoint
        operands: Any = v.x if many else [p for p in (v.x, v.y) if type(p) is Value]
        if g and not asked.isdisjoint(operands):
            for p, d in _edges(v):
                if p in asked:
                    sizes[p] += abs(g * d)
    slacks = [_slack(sizes.get(v, 0.0)) for v in sources]
    return [*found[: len(outputs)], *slacks]


def _of_outputs(wanted: Collection[int], outputs: Sequence[Operand]) -> list[float]:
    """How far rounding can take those of the outputs that are wanted, at least."""
    found = [0.0] * len(outputs)
    for k in filter(range(len(outputs)).__contains__, wanted):
        v = outputs[k]
        if isinstance(v, Value) and v.op in SUMS:
            found[k] = 4 * _rounded(v, defaultdict(float))[0]
    return found


def _slack(size: float) -> float:
    """How far rounding can take a derivative, at least, whose ways add up to a size."""
    return 4 * STEP * UNIT * size if size < HUGE else 0.0


def _least_slacks(
    wanted: Collection[int],
    order: list[Value] | None,
    outputs: Sequence[Operand],
    root: Operand,
    sources: Sequence[Value],
) -> list[float]:
    """What `_slacks` gives at least: each output as if its operands were exact, each derivative as
    if all the slopes on the way were."""
    found = _of_outputs(wanted, outputs)
    if not isinstance(root, Value):
        return found + [0.0] * len(sources)
    leaves = set(sources)
    with alone.lock:
        order = order or sort(root)
        for v in order:
            v.adjoint = 0.0
        root.adjoint = 1.0
        for v in reversed(order):
            g = v.adjoint
            if not g or v in leaves or not v.op:
                continue
            pairs: Any = _edges(v) if type(v.x) is tuple else ((v.x, v.dx), (v.y, v.dy))
            for p, d in pairs:
                if type(p) is Value:
                    p.adjoint += g * abs(d)
        sizes = [v.adjoint if type(v.adjoint) is float else 0.0 for v in sources]
    return found + list(map(_slack, sizes))


def _slacks(
    wanted: Collection[int],
    order: list[Value] | None,
    outputs: Sequence[Operand],
    root: Operand,
    sources: Sequence[Value],
) -> list[float]:
    """How far rounding can take each output, and the derivative of `root` for each source.

    Each operation rounds; what it gets is a little off already, and so is its slope, by as much as
    it changes when its operands move that far. Near a kink that is a whole step.
    """
    ends = [v for v in outputs if isinstance(v, Value)]
    order = toposort(apply(OPS["sum"], *ends))[:-1] if ends else []
    leaves = set(sources)
    off: dict[Value, float] = {}
    slopes_off: dict[Value, list[float]] = {}
    for v in order:
        off[v] = 0.0
        if v.op and v.op.partials and v not in leaves:
            quick = _QUICK.get(v.op)
            off[v], slopes_off[v] = (quick and quick(v, off)) or _rounded(v, off)
    adjoint, adjoint_off = dict.fromkeys(order, 0.0), dict.fromkeys(order, 0.0)
    if isinstance(root, Value):
        adjoint[root] = 1.0
    uses = dict.fromkeys(order, STEP)
    for v in reversed(order):
        g, g_off = adjoint[v], adjoint_off[v]
        if not g and not g_off:
            continue
        for (p, slope), d_off in zip(_edges(v), slopes_off.get(v, ()), strict=False):
            d = abs(slope)
            share, moved = g * d, g * d_off + g_off * (d + d_off)
            if share != share or moved != moved:  # zero wins over inf
                share = _times(g, d)
                moved = _times(g, d_off) + _times(g_off, d + d_off)
            uses[p] += 1
            adjoint[p] += share
            adjoint_off[p] += moved + uses[p] * UNIT * (share if share < math.inf else 0.0)
            if (share > HUGE or adjoint[p] > HUGE) and max(g, d) < math.inf:
                adjoint_off[p] = math.inf
    found = [off.get(v, 0.0) if isinstance(v, Value) else 0.0 for v in outputs]
    found += [adjoint_off.get(v, 0.0) for v in sources]
    return [math.inf if x != x else 4 * x + TINY for x in found]


def _times(a: float, b: float) -> float:
    """A product in which zero wins over inf."""
    return a * b if a and b else 0.0


def _edges(v: Value) -> list[tuple[Value, float]]:
    """The operands that are Values, with the partials."""
    if type(v.dx) is tuple:
        return list(zip(cast("tuple[Value, ...]", v.x), v.dx, strict=True))
    known = type(v.x) is tuple
    pairs = zip(v.parents, v.partials, strict=True) if known else ((v.x, v.dx), (v.y, v.dy))
    return [(p, cast(float, d)) for p, d in pairs if type(p) is Value]


Off = Mapping[Value, float]


def _rounded(v: Value, off: Off) -> tuple[float, list[float]]:
    """How far a result, and its slopes for the Values, can be off, whose operands are off so far.

    Of any row: it is computed where its operands may be, too.
    """
    op, parents = cast(Any, v.op), v.parents
    xs = [data_of(p) for p in parents]
    offs = [off[p] if isinstance(p, Value) else 0.0 for p in parents]
    z_off, slopes_off = _moved_by(op, xs, offs, v.data)
    of_values = zip(slopes_off, parents, strict=True)
    return z_off, [d_off for d_off, p in of_values if isinstance(p, Value)]


def _moved_by(
    op: Any, xs: Sequence[float], off: Sequence[float], z: float
) -> tuple[float, list[float]]:
    _, slopes = _forward(op, xs)
    shares = [abs(d * x) for d, x in zip(slopes, xs, strict=True)]
    moved = sum([_times(abs(d), e) for d, e in zip(slopes, off, strict=True)])
    unit = (STEP + len(xs)) * UNIT
    size = sum(shares) if op in SUMS else abs(z)
    if op in SUMS and size == math.inf and all(map(math.isfinite, xs)):
        return math.inf, [0.0] * len(xs)  # whether it overflows is a matter of order
    slopes_off = [STEP * UNIT * abs(d) if math.isfinite(d) else 0.0 for d in slopes]
    z_off = 0.0
    if any(off):
        for signs in product((1, -1), repeat=2):
            near = [x + signs[k % 2] * e for k, (x, e) in enumerate(zip(xs, off, strict=True))]
            other_z, other_slopes = _forward(op, near)
            z_off = max(z_off, _apart(z, other_z))
            pairs = zip(slopes_off, slopes, other_slopes, strict=True)
            slopes_off = [max(d_off, _apart(d, other)) for d_off, d, other in pairs]
    if not math.isfinite(z):
        return (math.inf if z_off else 0.0), slopes_off
    return max(z_off, moved) + unit * size, slopes_off


# Sums and products are most of a graph. How far they can be off is a formula, where all is finite.


def _sum_off(v: Value, off: Off) -> tuple[float, list[float]] | None:
    values = v.x if type(v.x) is tuple else [p for p in (v.x, v.y) if type(p) is Value]
    operands: Any = v.y if type(v.y) is tuple else v.x if type(v.x) is tuple else (v.x, v.y)
    size = sum([abs(p._data if type(p) is Value else p) for p in operands])
    z_off = sum([off[p] for p in values]) + (STEP + len(operands)) * UNIT * size
    return (z_off, [STEP * UNIT] * len(values)) if z_off < math.inf else None


def _product_off(v: Value, off: Off) -> tuple[float, list[float]] | None:
    x, y = data_of(cast(Operand, v.x)), data_of(cast(Operand, v.y))
    e_x, e_y = (off[p] if type(p) is Value else 0.0 for p in (v.x, v.y))
    z_off = abs(x) * e_y + abs(y) * e_x + e_x * e_y + (STEP + 2) * UNIT * abs(v.data)
    if not z_off < math.inf:
        return None
    slopes = [max(STEP * UNIT * abs(y), e_y)] * (type(v.x) is Value)
    slopes += [max(STEP * UNIT * abs(x), e_x)] * (type(v.y) is Value)
    return z_off, slopes


def _dot_off(v: Value, off: Off) -> tuple[float, list[float]] | None:
    operands: Any = v.y if type(v.y) is tuple else v.x
    n = len(operands) // 2
    data = [p._data if type(p) is Value else p for p in operands]
    offs = [off[p] if type(p) is Value else 0.0 for p in operands]
    z_off = offs[-1] + sum(
        [
            abs(x) * e_y + abs(y) * e_x + e_x * e_y
            for x, y, e_x, e_y in zip(data[:n], data[n:-1], offs[:n], offs[n:-1], strict=True)
        ]
    )
    size = abs(data[-1]) + 2 * sum([abs(x * y) for x, y in zip(data[:n], data[n:], strict=False)])
    z_off += (STEP + len(data)) * UNIT * size
    if not z_off < math.inf:
        return None
    unit = STEP * UNIT
    slopes = [max(unit * abs(x), e) for x, e in zip(data[n:-1], offs[n:-1], strict=True)]
    slopes += [max(unit * abs(x), e) for x, e in zip(data[:n], offs[:n], strict=True)]
    slopes.append(unit)
    pairs = zip(slopes, operands, strict=True)
    return z_off, [d_off for d_off, p in pairs if type(p) is Value]


_QUICK = {
    **dict.fromkeys((OPS["add"], OPS["sub"], OPS["sum"]), _sum_off),
    OPS["mul"]: _product_off,
    OPS["dot"]: _dot_off,
}


def _forward(op: Any, xs: Sequence[float]) -> tuple[float, Sequence[float]]:
    z, *slopes = op.forward(op.arguments(xs))
    return z, slopes[0] if op.many else slopes


def _apart(a: float, b: float) -> float:
    if a == b or (a != a and b != b):
        return 0.0
    distance = abs(a - b)
    return distance if distance < math.inf else math.inf
