"""A graph as straight lines of Python: the standard library alone, and the bits of eager mode.

The order of every addition is that of `Value.backward`. Graphs too large to be written out run as
lists of numbers instead, to the same bits.
"""

from __future__ import annotations

import builtins
from array import array
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from typing import Any, cast

from engine import formula
from engine.ieee import row_of
from engine.op import CAREFUL, MANY, PLAIN, Op
from engine.ops import PICK
from engine.replay.backends.kernel import Kernel, memory
from engine.replay.backends.pythontext import Writer
from engine.replay.backends.unrolled import needs
from engine.replay.roll import Program, watched
from engine.replay.tape import Tape
from engine.replay.views import side_by_side

NAME = "python"
WRITTEN_OUT = 400_000  # operands; to compile the lines of one takes about 0.5 kB and 5 us
RAISED = (ArithmeticError, ValueError)  # what plain arithmetic raises where IEEE has inf or nan
STOPPED = (*RAISED, StopIteration)  # also where a generator was interrupted before

Numbers = Sequence[float]
Run = Generator[Numbers, Numbers, None]
Start = Callable[[list[float]], Run]


def unavailable() -> str | None:
    """Why this backend cannot run here: it always can."""
    return None


def compile(program: Program, tape: Tape, many: bool = False) -> Kernel:
    """Straight lines, or for a very large graph the kernel that needs little memory."""
    operands = sum(len(places) for _, places in tape.rows)
    return Lines(program, tape) if operands <= WRITTEN_OUT else Lists(program, tape)


class Lines(Kernel):
    """A kernel of straight lines: a generator that stops after each forward and each backward.

    Its plain lines raise where IEEE 754 has inf or nan; then careful ones run in their place.
    """

    def __init__(self, program: Program, tape: Tape) -> None:
        self.values, self.adjoints = memory(program).tolist(), [0.0] * program.size
        self.source = Writer(program, tape, formula.plain).source()
        self._program, self._tape = program, tape
        computed = [p for p in watched(program) if p >= program.leaves]
        self._results = [
            (slice(place, place + n), slice(k, k + n)) for place, k, n in side_by_side(computed)
        ]
        self._start = _function(self.source, PLAIN, tape)
        self._start_careful: Start | None = None
        self._leaves: list[float] = []
        self._plain = self._run = self._start(self._leaves)

    def forward(self) -> None:
        """Computes what outputs and guards need."""
        self._leaves[:] = self.values[: self._program.leaves]
        self._run = self._plain
        try:
            results = next(self._run)
        except STOPPED:
            results = self._run_carefully()
        for places, own in self._results:
            self.values[places] = results[own]

    def backward(self, seeds: Numbers) -> None:
        """Computes the gradients of inputs and parameters."""
        try:
            gradients = self._run.send(seeds)
        except STOPPED:
            self._run_carefully()
            gradients = self._run.send(seeds)
        first = len(self._program.constants)
        self.adjoints[first : self._program.leaves] = gradients

    def _run_carefully(self) -> Numbers:
        self._plain = self._start(self._leaves)  # the next time, for the one that is over
        if self._start_careful is None:
            source = Writer(self._program, self._tape, formula.careful).source()
            self._start_careful = _function(source, CAREFUL, self._tape)
        self._run = self._start_careful(self._leaves)
        return next(self._run)


def _function(source: str, functions: dict[str, Callable[..., Any]], tape: Tape) -> Start:
    names = {f"{name}_": function for name, function in {**functions, **MANY}.items()}
    names["row_of_"] = row_of
    for op in {op for op, _ in tape.rows}:
        names |= {f"{row.key}_": row for row in op.callees.values()}
    exec(builtins.compile(source, "<replay>", "exec"), names)
    return cast(Start, names.pop("run"))  # leaves no cycle behind


# --- without lines -------------------------------------------------------------------------------

_AT_HAND = {"1.0", "x", "y", "z"}  # partials that need no place of their own


@dataclass(frozen=True)
class _Group:
    """Rows that do the same and do not need each other; their numbers stand side by side."""

    op: Op
    first: int
    size: int
    operands: list[array[int]]  # for each operand its places, row by row
    slopes: int | None  # where the partials begin, those of the first operand first

    def computed(self, columns: list[list[float]]) -> tuple[Iterable[float], Iterable[Numbers]]:
        """The results, and the partials for each operand."""
        if self.op is PICK:
            rows = len(columns) - 1
            return [row[1 + row_of(row[0], rows)] for row in zip(*columns, strict=True)], ()
        if self.op.many:
            found = [self.op.forward(self.op.arguments(row)) for row in zip(*columns, strict=True)]
            return [z for z, _ in found], zip(*[slopes for _, slopes in found], strict=True)
        try:
            zs, *slopes = zip(*map(self.op.plain, *columns), strict=True)
        except RAISED:
            zs, *slopes = zip(*map(self.op.careful, *columns), strict=True)
        return zs, slopes


class Lists(Kernel):
    """A kernel for large graphs: forward by groups of rows, backward along a list of all shares.

    A zero adjoint is passed on where eager mode leaves that out: to finite partials, so it changes
    nothing.
    """

    source = "for row, into, slope in shares: adjoints[into] += adjoints[row] * numbers[slope]\n"

    def __init__(self, program: Program, tape: Tape) -> None:
        self.values, self.adjoints = memory(program).tolist(), [0.0] * program.size
        self._program, self._tape = program, tape
        self._needs = needs(tape)
        self._groups: list[_Group] = []
        # The numbers: the rows in groups, their partials, 1.0, and the leaves from the end.
        self._at = [*repeat(0, len(tape.rows)), *range(-len(tape.leaves), 0)]
        slopes = self._group()
        self._numbers = [1.0] * (slopes + 1 + len(tape.leaves))
        self._shares = [array("q") for _ in range(3)]  # the row, the operand, the partial
        self._picks: list[tuple[int, list[int]]] = []  # shares of picks, and where those read
        self._list_shares(one=slopes)

    def _group(self) -> int:
        """Finds the groups; gives the place after the last partial."""
        rows, at = self._tape.rows, self._at
        levels = [0] * len(at)
        for row, (_, places) in enumerate(rows):
            levels[row] = 1 + max(map(levels.__getitem__, places))

        def kind(row: int) -> tuple[int, str, int]:
            op, places = rows[row]
            return levels[row], op.key, len(places)

        first, slopes = 0, len(rows)
        for (*_, count), group in groupby(sorted(range(len(rows)), key=kind), kind):
            members = list(group)
            op = rows[members[0]][0]
            for place, row in enumerate(members, first):
                at[row] = place
            columns = [array("q", (at[rows[row][1][k]] for row in members)) for k in range(count)]
            kept = None if _AT_HAND.issuperset(op.partials) else slopes
            self._groups.append(_Group(op, first, len(members), columns, kept))
            first += len(members)
            slopes += 0 if kept is None else count * len(members)
        return slopes

    def _list_shares(self, one: int) -> None:
        at = self._at
        group_of = [group for group in self._groups for _ in range(group.size)]
        for row in reversed(self._tape.order):
            if not self._needs[row]:
                continue
            group = group_of[at[row]]
            slope = (group.slopes or 0) + at[row] - group.first
            op, places = self._tape.rows[row]
            if op is PICK:  # which of them gets the share is known after a forward
                self._picks.append((len(self._shares[0]), [at[p] for p in places]))
                for numbers, number in zip(self._shares, (at[row], at[row], one), strict=True):
                    numbers.append(number)
                continue
            for place, partial, x, y in op.edges(places):
                if self._needs[place]:
                    at_hand = {"1.0": one, "x": at[x], "y": at[y], "z": at[row]}
                    share = (at[row], at[place], at_hand.get(partial, slope))
                    for numbers, number in zip(self._shares, share, strict=True):
                        numbers.append(number)
                slope += group.size

    def forward(self) -> None:
        """Computes all results and partials."""
        numbers, places, values = self._numbers, self._program.place, self.values
        for leaf in range(-len(self._tape.leaves), 0):
            numbers[leaf] = values[places[leaf]]
        for group in self._groups:
            columns = [[numbers[p] for p in column] for column in group.operands]
            zs, slopes = group.computed(columns)
            numbers[group.first : group.first + group.size] = zs
            if group.slopes is not None:
                end = group.slopes + len(columns) * group.size
                numbers[group.slopes : end] = chain.from_iterable(slopes)
        for share, (index, *candidates) in self._picks:
            self._shares[1][share] = candidates[row_of(numbers[index], len(candidates))]
        for place, p in zip(watched(self._program), watched(self._tape), strict=True):
            values[place] = numbers[self._at[p]]

    def backward(self, seeds: Numbers) -> None:
        """Computes the gradients of inputs and parameters."""
        adjoints, numbers, places = [0.0] * len(self._at), self._numbers, self._program.place
        for p, seed in zip(self._tape.outputs, seeds, strict=True):
            adjoints[self._at[p]] += seed
        for row, operand, partial in zip(*self._shares, strict=True):
            adjoints[operand] += adjoints[row] * numbers[partial]
        for leaf in range(-len(self._tape.leaves), 0):
            if self._needs[leaf]:
                self.adjoints[places[leaf]] = adjoints[leaf]
