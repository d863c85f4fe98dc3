"""A tape as loops: rows that are alike and step evenly through memory become one loop.

A net written one neuron at a time reads its weights and inputs at even steps, so its neurons fold
into one loop of dots: the matrix product is found again. Where the steps are not even a table
holds the places: every graph rolls, regular ones roll smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, product
from math import prod
from operator import sub
from typing import NamedTuple, TypeVar

from engine.ops import OPS, PICK, Op
from engine.tape import Bound, Guard, Tape
from engine.value import Value, data_of

ADD, MUL, DOT = OPS["add"], OPS["mul"], OPS["dot"]

T = TypeVar("T")
Axes = tuple[tuple[int, int], ...]  # how many steps, and how far apart; from the outermost axis
Point = tuple[int, ...]
Nest = tuple[Point, tuple[tuple[int, Point], ...]]  # the first point, and axes of several steps


@dataclass(frozen=True)
class Access:
    """Where a loop finds an operand: `base`, plus a stride for each axis; or a table of places.

    The axes are those of the rows, and for a vector then those of the terms. A table lists the
    places in the order of the innermost axis first, as C stores arrays.
    """

    base: int
    strides: tuple[int, ...]
    table: tuple[int, ...] | None
    needs_grad: bool

    def places(self, lengths: Sequence[int]) -> list[int]:
        """All places, in the order of the table."""
        if self.table is not None:
            return list(self.table)
        steps = [[i * s for i in range(n)] for n, s in zip(lengths, self.strides, strict=True)]
        return [self.base + sum(step) for step in product(*steps)]


@dataclass(frozen=True)
class Loop:
    """One operation at every point of `shape`; the results lie side by side from place `out` on.

    A row reads one number of each of `scalars` and, over the axes of `terms`, a list of numbers
    of each of `vectors`: a dot has a bias or more and two vectors, a sum or logsumexp one vector,
    an addition of many summands one vector, and all other operations none. A pick has one vector
    of candidates, which has one axis of terms, and the integer as its scalar.
    """

    op: Op
    shape: tuple[int, ...]
    terms: tuple[int, ...]
    scalars: tuple[Access, ...]
    vectors: tuple[Access, ...]
    out: int

    @property
    def rows(self) -> int:
        """How many results there are."""
        return prod(self.shape)


@dataclass(frozen=True)
class Program:
    """Loops in the order they run, on one row of memory of `size` numbers.

    It begins with the constants, the inputs and the parameters; the results follow.
    """

    loops: tuple[Loop, ...]
    size: int
    constants: tuple[float, ...]
    inputs: int
    parameters: tuple[Value, ...]
    outputs: tuple[int, ...]
    guards: tuple[Guard, ...]
    place: tuple[int, ...]  # by the tape's place; 0 for a row that became part of a dot
    bounds: tuple[Bound, ...] = ()

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
    vectors: tuple[list[int], ...] = ()
    start: tuple[int, int] | None = None  # the dot that a chain began with: its place, its terms
    is_again: bool = False  # a pick from the very list of candidates of another one


def roll(tape: Tape) -> Program:
    """The loops of a tape.

    >>> from engine.tape import record
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

    used = dict.fromkeys(chain.from_iterable(map(_reads, ordered)))
    used.update(dict.fromkeys(_read_outside(tape)))
    free = [p for p in used if p < -tape.inputs]
    constants = [p for p in free if not isinstance(tape.leaves[-1 - p], Value)]
    inputs = list(range(-1, -1 - tape.inputs, -1))
    parameters = {p: v for p in free if isinstance(v := tape.leaves[-1 - p], Value)}

    layout = [*constants, *inputs, *parameters, *old]
    place = [0] * (len(tape.rows) + len(tape.leaves))  # new by old; leaves from the end backwards
    for new, p in enumerate(layout):
        place[p] = new
    needs_grad = [*[False] * len(constants), *tape.input_grads, *[True] * len(parameters)]
    loops: list[Loop] = []
    for kind, group in groupby(old, kinds.__getitem__):
        loops += _loops([rows[p] for p in group], kind.below_outputs, place, needs_grad)
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


def _reads(row: _Row) -> Iterable[int]:
    """The operands, without candidates that another pick has named."""
    return row.scalars if row.is_again else (*row.scalars, *chain(*row.vectors))


def _read_outside(tape: Tape) -> Iterator[int]:
    """The places that are looked at after a forward."""
    yield from tape.outputs
    for guard in tape.guards:
        yield from (guard.left, guard.right)
    for bound in tape.bounds:
        yield bound.place


def _uses(tape: Tape) -> list[int]:
    """How often each place is read; by picks from the same candidates once."""
    uses = [0] * (len(tape.rows) + len(tape.leaves))
    candidates: set[tuple[int, ...]] = set()
    for op, operands in tape.rows:
        is_again = op is PICK and operands[1:] in candidates
        for p in operands[:1] if is_again else operands:
            uses[p] += 1
        if op is PICK:
            candidates.add(operands[1:])
    for p in _read_outside(tape):
        uses[p] += 1
    return uses


def _lowered(tape: Tape) -> dict[int, _Row]:
    """The rows by place, with chains of additions and products folded into dots."""
    uses = _uses(tape)
    candidates: dict[tuple[int, ...], list[int]] = {}  # many picks have the very same
    rows: dict[int, _Row] = {}

    def add(chain_: _Row, p: int) -> None:
        """Appends a summand: as a product where it is one that nobody else reads."""
        summand = rows.get(p)
        if summand is not None and summand.op is MUL and uses[p] == 1:
            del rows[p]
            chain_.vectors[0].append(summand.scalars[0])
            chain_.vectors[1].append(summand.scalars[1])
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
        elif op is PICK:
            named = operands[1:]
            is_again = named in candidates
            vector = candidates.setdefault(named, list(named))
            rows[place] = _Row(op, [operands[0]], (vector,), is_again=is_again)
        elif op.many:
            xs, *rest = map(list, op.arguments(operands)[:2])
            bias = [operands[-1]] if rest else []
            rows[place] = _Row(op, bias, (xs, *rest), (place, len(xs)))
        else:
            rows[place] = _Row(op, list(operands))
    return _without_lone_dots(rows)


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
    below_outputs = set(tape.order)
    tops: dict[int, int] = {}  # of lists of candidates
    for place, row in rows.items():
        top = max(map(level, row.scalars), default=0)
        if row.op is PICK:
            (vector,) = row.vectors
            if id(vector) not in tops:
                tops[id(vector)] = max(map(level, vector))
            top = max(top, tops[id(vector)])
        else:
            for vector in row.vectors:
                top = max(top, max(map(level, vector), default=0))
        levels[place] = top + 1
        terms = len(row.vectors[0]) if row.vectors else 0
        is_below = place in below_outputs
        kinds[place] = _Kind(top, is_below, row.op.key, len(row.scalars), terms)
    return kinds


def _loops(
    rows: list[_Row], below_outputs: bool, place: list[int], needs_grad: list[bool]
) -> Iterator[Loop]:
    """The loops of rows of one kind; appends to `needs_grad` what their results need."""
    scalars: list[list[Point]] = [
        [(place[p],) for p in column] for column in _columns([r.scalars for r in rows])
    ]
    is_pick = rows[0].op is PICK
    by_row = _columns([r.vectors for r in rows])
    if is_pick:
        (lists,) = by_row
        distinct = {id(vector): vector for vector in lists}
        cells = {key: tuple([place[p] for p in vector]) for key, vector in distinct.items()}
        vectors: list[list[Point]] = [[cells[id(vector)] for vector in lists]]
    else:
        vectors = [[tuple([place[p] for p in vector]) for vector in column] for column in by_row]
    columns = [*scalars, *vectors]
    needs = needs_grad.__getitem__
    wanted = [below_outputs and any(map(needs, chain.from_iterable(cells))) for cells in columns]
    if is_pick:
        wanted[0] = False  # of the integer
    axes: list[Axes | None] = [
        *[()] * len(scalars),
        *_alike([_term_axes(list(cells.values()) if is_pick else c) for c in vectors]),
    ]
    if is_pick and axes[-1] and len(axes[-1]) > 1:
        axes[-1] = None
    terms: tuple[int, ...] = (len(vectors[0][0]),) if vectors else ()
    terms = next((tuple(n for n, _ in found) for found in axes if found), terms)

    even = [k for k, found in enumerate(axes) if found is not None]
    nests = _nests(_columns([[cell[0] for cell in columns[k]] for k in even]))
    if not even or len(nests) > max(4, len(rows) // 8):  # too scattered: tables for all
        even, nests = [], [((), ((len(rows), ()),))]

    start = 0
    for first, steps in nests:
        shape = tuple(n for n, _ in steps)
        stop = start + prod(shape)
        accesses = []
        for k, (column, needs_it) in enumerate(zip(columns, wanted, strict=True)):
            if k in even:
                at = even.index(k)
                own = [step for _, step in axes[k] or ()]
                strides = *[delta[at] for _, delta in steps], *own
                accesses.append(Access(first[at], strides, None, needs_it))
            else:
                table = tuple(chain.from_iterable(column[start:stop]))
                accesses.append(Access(0, (), table, needs_it))
        out = len(needs_grad)
        needs_grad += [any(wanted)] * (stop - start)
        cut = len(scalars)
        yield Loop(rows[0].op, shape, terms, (*accesses[:cut],), (*accesses[cut:],), out)
        start = stop


def _columns(rows: Sequence[Sequence[T]]) -> list[tuple[T, ...]]:
    return list(zip(*rows, strict=True))


def _term_axes(column: list[Point]) -> Axes | None:
    """How the terms of every row step through memory; None where they do not do so alike."""
    found = _axes(column[0])
    if found is None:
        return None
    offsets = [p - column[0][0] for p in column[0]]
    for cell in column:
        first = cell[0]
        if [p - first for p in cell] != offsets:
            return None
    return found


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
