"""A tape as loops: rows that are alike and step evenly through memory become one loop.

A net written one neuron at a time reads its weights and inputs at even steps, so its neurons fold
into one loop of dots: the matrix product is found again. Where the steps are not even a table
holds the places: every graph rolls, regular ones roll smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from math import prod
from operator import sub
from typing import Any, NamedTuple, TypeVar

from engine.op import Op
from engine.ops import OPS, PICK
from engine.replay.tape import Bound, Guard, Tape
from engine.replay.views import Lengths, View, packed
from engine.value import Value, data_of

ADD, MUL, DOT = OPS["add"], OPS["mul"], OPS["dot"]

T = TypeVar("T")
Axes = tuple[tuple[int, int], ...]  # how many steps, and how far apart; from the outermost axis
Point = tuple[int, ...]
Nest = tuple[Point, tuple[tuple[int, Point], ...]]  # the first point, and axes of several steps


@dataclass(frozen=True)
class Rolled:
    """One operation at every point of `shape`; the results lie side by side from place `out` on.

    A row reads one number of each of `scalars`, which have the axes of `shape`, and a list of
    numbers of each of `vectors`, which have those of `terms` too: a dot has a bias or more and two
    vectors, a sum or logsumexp one vector, an addition of many summands one vector, and all other
    operations none. A pick has one vector of candidates, which has one axis of terms, and the
    integer as its scalar. `needs_grad` says which of all these want a gradient, scalars first.
    """

    op: Op
    shape: Lengths
    terms: Lengths
    scalars: tuple[View, ...]
    vectors: tuple[View, ...]
    out: int
    needs_grad: tuple[bool, ...]

    @property
    def rows(self) -> int:
        """How many results there are."""
        return prod(self.shape)


@dataclass(frozen=True)
class Program:
    """Loops in the order they run, on one row of memory of `size` numbers.

    It begins with the constants, the inputs and the parameters; the results follow.
    """

    loops: tuple[Rolled, ...]
    size: int
    constants: tuple[float, ...]
    inputs: int
    parameters: tuple[Value, ...]
    outputs: tuple[int, ...]
    guards: tuple[Guard, ...]
    place: tuple[int, ...]  # by the tape's place; 0 for a row that became part of a dot
    bounds: tuple[Bound, ...] = ()

    def is_of(self, tape: Tape) -> bool:
        """Whether it is the program of all of a tape, and was not stretched out of it."""
        return len(self.place) == len(tape.rows) + len(tape.leaves)

    @property
    def leaves(self) -> int:
        """How many places the leaves take."""
        return len(self.constants) + self.inputs + len(self.parameters)


LONE = 3  # a dot keeps so many plain summands


@dataclass(slots=True)
class _Row:
    """A row of the tape, or a chain of single-use additions and products as one dot."""

    op: Op
    scalars: list[int]
    vectors: tuple[Any, ...] = ()  # lists of places, then tuples: one for all that are equal
    start: tuple[int, int] | None = None  # the dot that a chain began with: its place, its terms


def roll(tape: Tape) -> Program:
    """The loops of a tape.

    >>> from engine.replay.watch import record
    >>> w, xs = Value(3.0), [Value(1.0), Value(2.0), Value(4.0)]
    >>> with record() as seen:
    ...     y = w * xs[0] + w * xs[1] + w * xs[2]
    >>> [(loop.op, loop.terms) for loop in roll(seen.tape(xs, [y])).loops]
    [(Op('dot'), (3,))]
    """
    rows = _lowered(tape)
    kinds = _kinds(rows, tape)
    old = sorted(rows, key=kinds.__getitem__)
    ordered = [rows[place] for place in old]

    used = dict.fromkeys(chain.from_iterable(_first_read(ordered)))
    used.update(dict.fromkeys(watched(tape)))
    free = [p for p in used if p < -tape.inputs]
    constants = [p for p in free if not isinstance(tape.leaves[-1 - p], Value)]
    inputs = list(range(-1, -1 - tape.inputs, -1))
    parameters = {p: v for p in free if isinstance(v := tape.leaves[-1 - p], Value)}

    layout = [*constants, *inputs, *parameters, *old]
    place = [0] * (len(tape.rows) + len(tape.leaves))  # new by old; leaves from the end backwards
    for new, p in enumerate(layout):
        place[p] = new
    needs_grad = [*[False] * len(constants), *tape.input_grads, *[True] * len(parameters)]
    loops: list[Rolled] = []
    layout_of = _Layout(place, needs_grad)
    for kind, group in groupby(old, kinds.__getitem__):
        loops += _loops([rows[p] for p in group], kind.below_outputs, layout_of)
    return Program(
        loops=tuple(loops),
        size=len(layout),
        constants=tuple(data_of(tape.leaves[-1 - p]) for p in constants),
        inputs=tape.inputs,
        parameters=tuple(parameters.values()),
        outputs=tuple(place[p] for p in tape.outputs),
        guards=tuple(replace(g, left=place[g.left], right=place[g.right]) for g in tape.guards),
        place=tuple(place),
        bounds=tuple(b._replace(place=place[b.place]) for b in tape.bounds),
    )


def _first_read(rows: Iterable[_Row]) -> Iterator[Sequence[int]]:
    """The places that rows read, each vector once."""
    met: set[int] = set()
    for row in rows:
        yield row.scalars
        for vector in row.vectors:
            if id(vector) not in met:
                met.add(id(vector))
                yield vector


def watched(graph: Tape | Program) -> list[int]:
    """The places that are looked at after a forward: outputs, what guards compare, what picks."""
    compared = chain.from_iterable((g.left, g.right) for g in graph.guards)
    return [*graph.outputs, *compared, *(bound.place for bound in graph.bounds)]


def _lowered(tape: Tape) -> dict[int, _Row]:
    """The rows by place, with chains of additions and products folded into dots."""
    candidates: dict[tuple[int, ...], tuple[int, ...]] = {}  # many picks have the very same
    uses = _uses(tape)
    rows: dict[int, _Row] = {}
    products: dict[int, Sequence[int]] = {}  # that are used once, and not in a dot yet

    def add(chain_: _Row, p: int) -> None:
        """Appends a summand: as a product where it is one that nobody else reads."""
        product = products.pop(p, None)
        if product:
            chain_.vectors[0].append(product[0])
            chain_.vectors[1].append(product[1])
        else:
            chain_.scalars.append(p)

    for place, (op, operands) in enumerate(tape.rows):
        if op is ADD:
            first, second = operands
            so_far = rows.get(first)
            if so_far is not None and so_far.op is DOT and uses[first] == 1:
                del rows[first]
            else:
                so_far = _Row(DOT, [], ([], []))
                add(so_far, first)
            add(so_far, second)
            rows[place] = so_far
        elif op is MUL and uses[place] == 1:
            products[place] = operands
        elif op is PICK:
            vector = candidates.setdefault(operands[1:], operands[1:])
            rows[place] = _Row(op, [operands[0]], (vector,))
        elif op.many:
            xs, *rest = map(list, op.arguments(operands)[:2])
            bias = [operands[-1]] if rest else []
            rows[place] = _Row(op, bias, (xs, *rest), (place, len(xs)))
        else:
            rows[place] = _Row(op, list(operands))
    rows |= {place: _Row(MUL, list(operands)) for place, operands in products.items()}
    return _without_lone_dots(rows)


def _uses(tape: Tape) -> list[int]:
    """How often each row is read, also after a forward; of leaves the counts are not whole."""
    uses = [0] * (len(tape.rows) + len(tape.leaves))
    for _, operands in tape.rows:
        if len(operands) < 3 or max(operands) >= 0:  # else many leaves alone
            for p in operands:
                uses[p] += 1
    for p in watched(tape):
        uses[p] += 1
    return uses


def _without_lone_dots(rows: dict[int, _Row]) -> dict[int, _Row]:
    """The rows; a dot among many summands goes with its like, and additions alone are no dot."""
    for row in list(rows.values()):
        if row.start and len(row.scalars) > LONE and len(row.vectors[0]) == row.start[1]:
            place, _ = row.start
            bias, *summands = row.scalars
            rows[place] = _Row(DOT, [bias], row.vectors)
            row.scalars, row.vectors = [place, *summands], ([],)
        if row.op is DOT and not row.vectors[0] and len(row.scalars) > 1:
            row.op, row.vectors = ADD, ()
            if len(row.scalars) > 2:
                row.scalars, row.vectors = [], (row.scalars,)
    known: dict[tuple[int, ...], tuple[int, ...]] = {}
    for row in rows.values():
        vectors = map(tuple, row.vectors)
        row.vectors = tuple([known.setdefault(vector, vector) for vector in vectors])
    return dict(sorted(rows.items()))


class _Kind(NamedTuple):
    """Rows of one kind do the same, and do not need each other."""

    level: int
    below_outputs: bool
    op: str
    scalars: int
    terms: int


def _kinds(rows: dict[int, _Row], tape: Tape) -> dict[int, _Kind]:
    """The kind of each row, by its place."""
    kinds: dict[int, _Kind] = {}
    levels = [0] * (len(tape.rows) + len(tape.leaves))
    level = levels.__getitem__
    tops: dict[int, int] = {}  # of vectors, by their ids
    below_outputs = set(tape.order)
    for place, row in rows.items():
        top = max(map(level, row.scalars), default=0)
        for vector in row.vectors:
            if id(vector) not in tops:
                tops[id(vector)] = max(map(level, vector), default=0)
            top = max(top, tops[id(vector)])
        levels[place] = top + 1
        terms = len(row.vectors[0]) if row.vectors else 0
        is_below = place in below_outputs
        kinds[place] = _Kind(top, is_below, row.op.key, len(row.scalars), terms)
    return kinds


class _Vector(NamedTuple):
    """Places in memory."""

    places: Point
    offsets: Point  # from the first: one for all that are equal
    axes: Axes | None
    needs_grad: bool


class _Layout:
    """Where the places of a tape are in memory, and which results need a gradient."""

    def __init__(self, place: list[int], needs_grad: list[bool]) -> None:
        self.place, self.needs_grad = place, needs_grad
        self._vectors: dict[int, _Vector] = {}  # by their ids
        self._steps: dict[Point, tuple[Point, Axes | None]] = {}

    def vector(self, vector: Point) -> _Vector:
        """A vector of the tape; several rows may have the same."""
        if id(vector) not in self._vectors:
            places = tuple([self.place[p] for p in vector])
            offsets = tuple([p - places[0] for p in places])
            if offsets not in self._steps:
                self._steps[offsets] = offsets, _axes(offsets)
            needs_grad = any(map(self.needs_grad.__getitem__, places))
            self._vectors[id(vector)] = _Vector(places, *self._steps[offsets], needs_grad)
        return self._vectors[id(vector)]


def _loops(rows: list[_Row], below_outputs: bool, layout: _Layout) -> Iterator[Rolled]:
    """The loops of rows of one kind; notes in `needs_grad` what their results need."""
    place, needs_grad = layout.place, layout.needs_grad
    scalars = [[(place[p],) for p in column] for column in _columns([r.scalars for r in rows])]
    found = [
        [layout.vector(vector) for vector in column]
        for column in _columns([r.vectors for r in rows])
    ]
    vectors = [[vector.places for vector in column] for column in found]
    columns: list[list[Any]] = [*scalars, *vectors]
    cut = len(scalars)
    wanted = [any(needs_grad[p] for (p,) in cells) for cells in scalars]
    wanted += [any(vector.needs_grad for vector in column) for column in found]
    wanted = [below_outputs and needs_it for needs_it in wanted]
    is_pick = rows[0].op is PICK
    if is_pick:
        wanted[0] = False  # of the integer
    axes: list[Axes | None] = [*[()] * cut, *_alike([_term_axes(c) for c in found])]
    if is_pick and axes[-1] and len(axes[-1]) > 1:
        axes[-1] = None
    terms: tuple[int, ...] = (len(vectors[0][0]),) if vectors else ()
    terms = next((tuple(n for n, _ in steps) for steps in axes if steps), terms)

    even = [k for k, found in enumerate(axes) if found is not None]
    nests = _nests(_columns([[cell[0] for cell in columns[k]] for k in even]))
    if not even or len(nests) > max(4, len(rows) // 8):  # too scattered: tables for all
        even, nests = [], [((), ((len(rows), ()),))]

    start = 0
    for first, steps in nests:
        shape = tuple(n for n, _ in steps)
        stop = start + prod(shape)
        views = []
        for k, column in enumerate(columns):
            lengths = shape if k < cut else (*shape, *terms)
            if k in even:
                position = even.index(k)
                strides = [delta[position] for _, delta in steps] + [n for _, n in axes[k] or ()]
                views.append(View("v", first[position], lengths, tuple(strides)))
            else:
                table = tuple(chain.from_iterable(column[start:stop]))
                views.append(View("v", 0, lengths, packed(lengths), table))
        out = len(needs_grad)
        needs_grad += [any(wanted)] * (stop - start)
        operands = (*views[:cut],), (*views[cut:],)
        yield Rolled(rows[0].op, shape, terms, *operands, out, tuple(wanted))
        start = stop


def _columns(rows: Sequence[Sequence[T]]) -> list[tuple[T, ...]]:
    return list(zip(*rows, strict=True))


def _term_axes(column: list[_Vector]) -> Axes | None:
    """How the terms of every row step through memory; None where they do not do so alike."""
    first = column[0]
    return first.axes if all(vector.offsets is first.offsets for vector in column) else None


def _axes(places: Point) -> Axes | None:
    """Places as one nest of even steps; None where they take several, or there are none."""
    nests = _nests([(p,) for p in places])
    return tuple((n, delta[0]) for n, delta in nests[0][1]) if len(nests) == 1 else None


def _alike(found: list[Axes | None]) -> list[Axes | None]:
    """The same lengths for all vectors of a loop: one long axis is cut to those of the others."""
    finest: Axes = max((axes for axes in found if axes), key=len, default=())
    return [_cut(axes, [n for n, _ in finest]) if axes else None for axes in found]


def _cut(axes: Axes, lengths: list[int]) -> Axes | None:
    if [n for n, _ in axes] == lengths:
        return axes
    if len(axes) != 1:
        return None
    step = axes[0][1]
    return tuple((n, step * prod(lengths[k + 1 :])) for k, n in enumerate(lengths))


def _nests(points: Sequence[Point]) -> list[Nest]:
    """Points in their order as few nests of even steps: runs first, then runs of runs.

    >>> _nests([(0,), (1,), (10,), (11,), (20,), (21,)])
    [((0,), ((3, (10,)), (2, (1,))))]
    """
    nests: list[Nest] = [(point, ()) for point in points]
    while True:
        folded = list(_folded(nests))
        if len(folded) == len(nests):
            return [(first, axes or ((1, (0,) * len(first)),)) for first, axes in nests]
        nests = folded


def _folded(nests: list[Nest]) -> Iterator[Nest]:
    """Neighbours with the same axes, each the same step after the one before, as one nest."""
    i, end = 0, len(nests)
    while i < end:
        first, axes = nests[i]
        j = i + 1
        if j < end and nests[j][1] == axes:
            last = nests[j][0]
            step = tuple(map(sub, last, first))
            j += 1
            while j < end and nests[j][1] == axes and tuple(map(sub, nests[j][0], last)) == step:
                last = nests[j][0]
                j += 1
            axes = ((j - i, step), *axes)
        yield first, axes
        i = j
