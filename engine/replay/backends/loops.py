"""Results and gradients as loops of one kind, for a printer to write down.

    roll -> lower -> adjoint -> own -> a printer

A `Loop` evaluates an expression at every point of a box of axes, and puts the number where its
target stands. Along axes where the target stands still the numbers are added up. So a matrix
product is a loop, and so are its adjoints, a bias, an activation and its slope.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import isfinite, prod
from typing import NamedTuple

from engine import formula
from engine.ops import OPS, PICK, Op
from engine.replay.backends.kernel import side_by_side
from engine.replay.backends.strides import Lengths, joined, packed
from engine.replay.roll import Access, Program
from engine.replay.roll import Loop as Rolled

ADD, POW = OPS["add"], OPS["pow"]
FOLDS = {"sum": "exact", "logsumexp": "logsumexp"}
MANY_RUNS = 4096  # of a view; more count as one stretch
FEW_RUNS = 4  # of outputs; where there are more, and they are short, their places are a table
MANY_ZEROS = 64  # stretches; instead of more all is set to 0

Run = tuple[int, int]  # the first place, and the one after the last


class View(NamedTuple):
    """Where a loop reads or writes: at `base` and a step along each axis further.

    The memory is "v", the numbers of a program, "a", their adjoints, or "s", the seeds. With a
    table the steps go through the table, which holds the places.
    """

    memory: str
    base: int
    steps: tuple[int, ...]
    table: tuple[int, ...] | None = None

    @property
    def adjoint(self) -> View:
        """The adjoints of these numbers, which lie as they do."""
        return self._replace(memory="a")

    def along(self, axes: int) -> View:
        """The same along the first axes alone."""
        return self._replace(steps=self.steps[:axes])

    def places(self, lengths: Lengths) -> list[int]:
        """All places, those of the last axis innermost."""
        at = [self.base]
        for n, step in zip(lengths, self.steps, strict=True):
            at = [first + i * step for first in at for i in range(n)]
        return at if self.table is None else [self.table[k] for k in at]

    def runs(self, lengths: Lengths) -> tuple[list[Run], bool]:
        """Stretches of memory that it covers, and whether it comes to no place twice.

        Steps of 0 do not count: what is added up along them is written once.

        >>> View("a", 7, (10, 0, 1)).runs((2, 5, 3))
        ([(7, 10), (17, 20)], True)
        """
        if self.table is not None:
            return _runs_of_table(self.table)
        base, span, run, is_once = self.base, 1, 1, True
        outside = [0]
        axes = [(s, n) for s, n in zip(self.steps, lengths, strict=True) if s and n > 1]
        if not axes:
            return [(base, base + 1)], True
        base += sum(step * (n - 1) for step, n in axes if step < 0)
        for step, n in sorted((abs(step), n) for step, n in axes):
            is_once = is_once and step >= span
            span += step * (n - 1)
            if step <= run and len(outside) == 1:
                run += step * (n - 1)
            elif n * len(outside) <= MANY_RUNS:
                outside = [at + i * step for i in range(n) for at in outside]
            else:
                return [(base, base + sum(abs(s) * (m - 1) for s, m in axes) + 1)], False
        return [(base + at, base + at + run) for at in outside], is_once


def _runs_of_table(table: Sequence[int]) -> tuple[list[Run], bool]:
    places = sorted(set(table))
    runs = [(first, first + count) for first, _, count in side_by_side(places)]
    if len(places) < len(table) or len(runs) > MANY_RUNS:
        return [(places[0], places[-1] + 1)], False
    return runs, True


class Loop(NamedTuple):
    """target (sign) expression at every point, added up along axes where the target stands still.

    The expression names the `reads`, and functions of the calculus or of `callees`. A sum begins
    with the reads `starts`, which stand still where the target does; its `fold` is "+", "exact"
    (rounded once) or "logsumexp". Of the last axis `pick`, if there, names the one row that counts.
    `partials` are those by the reads that want a gradient; they may name the result, z.
    """

    name: str
    lengths: Lengths
    target: View
    sign: str
    expression: str
    reads: Mapping[str, View]
    partials: Mapping[str, str] = {}
    starts: tuple[str, ...] = ()
    fold: str = "+"
    pick: View | None = None
    callees: Mapping[str, Op] = {}

    @property
    def rows(self) -> int:
        """How many axes its results have, the first ones."""
        return sum(map(bool, self.target.steps))


def lower(program: Program) -> list[Loop]:
    """The loops that compute the results, in the order they run."""
    return [_lowered(program, rolled) for rolled in program.loops]


def _lowered(program: Program, rolled: Rolled) -> Loop:
    if not rolled.vectors:
        return _row(program, rolled)
    cut, still = len(rolled.shape), (0,) * len(rolled.terms)
    lengths = (*rolled.shape, *rolled.terms)
    target = View("v", rolled.out, (*packed(rolled.shape), *still))
    op, name = rolled.op, rolled.op.name
    scalars = [_view(access, rolled.shape, still) for access in rolled.scalars]
    ones = ("1.0",) * len(scalars)
    if 0 in lengths:
        reads = {x: view.along(cut) for x, view in zip("x", scalars, strict=False)}
        wanted = _wanted(reads, rolled.scalars, ones)
        return Loop(
            name, rolled.shape, target.along(cut), "=", "x" if reads else "0.0", reads, wanted
        )
    reads = {x: _view(a, lengths, ()) for x, a in zip("xy", rolled.vectors, strict=False)}
    wanted = _wanted(reads, rolled.vectors, op.partials if op is not ADD else ("1.0",))
    if op is PICK:
        return Loop(name, lengths, target, "=", "x", reads, wanted, pick=scalars[0])
    starts = {f"b{k}": view for k, view in enumerate(scalars)}
    wanted = _wanted(starts, rolled.scalars, ones) | wanted
    text, fold = " * ".join(reads), FOLDS.get(name, "+")
    return Loop(name, lengths, target, "=", text, reads | starts, wanted, (*starts,), fold)


def _row(program: Program, rolled: Rolled) -> Loop:
    """The loop of an operation with a few operands."""
    op, lengths = rolled.op, rolled.shape
    target = View("v", rolled.out, packed(lengths))
    views = [_view(access, lengths, ()) for access in rolled.scalars]
    text, slopes = op.formula, op.partials
    if op is POW:
        exponent = constant(program, views[1], lengths)
        if exponent is not None and isfinite(exponent):
            views, (text, slopes) = views[:1], with_exponent(exponent)
    reads = dict(zip("xy", views, strict=False))
    wanted = _wanted(reads, rolled.scalars, slopes)
    return Loop(op.name, lengths, target, "=", text, reads, wanted, callees=op.callees)


def constant(program: Program, view: View, lengths: Lengths) -> float | None:
    """The number that a loop reads at all points, where that is one constant."""
    if view.memory != "v":
        return None
    reach = [(n - 1) * step for n, step in zip(lengths, view.steps, strict=True)]
    ends = view.table or [view.base + sum(side(r, 0) for r in reach) for side in (min, max)]
    if not 0 <= min(ends) <= max(ends) < len(program.constants):
        return None
    moving = tuple([n if step else 1 for n, step in zip(lengths, view.steps, strict=True)])
    read = {program.constants[place] for place in view.places(moving)}
    return read.pop() if len(read) == 1 else None


def _view(access: Access, lengths: Lengths, still: tuple[int, ...]) -> View:
    """What a loop reads; it stands still along the axes of `still`, which are more."""
    if access.table is None:
        return View("v", access.base, (*access.strides, *still))
    return View("v", 0, (*packed(lengths), *still), access.table)


def _wanted(
    reads: Iterable[str], accesses: Iterable[Access], partials: Iterable[str]
) -> dict[str, str]:
    """The partials by the reads that want a gradient."""
    columns = zip(reads, accesses, partials, strict=False)
    return {name: partial for name, access, partial in columns if access.needs_grad}


@lru_cache
def with_exponent(y: float) -> tuple[str, tuple[str, ...]]:
    """A power and its slope with an exponent that the compiler knows: x ** 2 is x * x."""
    text, slope = (re.sub(r"\by\b", f"({y!r})", text) for text in (POW.formula, POW.partials[0]))
    return text, (slope,)


def backward(program: Program, forward: Sequence[Loop]) -> list[Loop]:
    """The loops that compute the gradients, after those of the results."""
    results = {loop.target.base: prod(loop.lengths[: loop.rows]) for loop in forward}
    passed = passed_on([*seed(program.outputs), *adjoint(forward)], results, program.size)
    return own(passed, program.size)


def seed(outputs: Sequence[int]) -> Iterator[Loop]:
    """The loops that add d loss / d output to the adjoints of the outputs."""
    runs = list(side_by_side(outputs))
    if len(runs) > FEW_RUNS + len(outputs) // 8:
        table = View("a", 0, (1,), tuple(outputs))
        yield Loop("seed", (len(outputs),), table, "+=", "x", {"x": View("s", 0, (1,))})
        return
    for place, start, count in runs:
        seeds = {"x": View("s", start, (1,))}
        yield Loop("seed", (count,), View("a", place, (1,)), "+=", "x", seeds)


def adjoint(loops: Sequence[Loop]) -> Iterator[Loop]:
    """For each read that wants a gradient a loop that adds its share, from the last one back.

    Both factors of a square get theirs in one.
    """
    for loop in reversed(loops):
        is_square = loop.expression == "x * y" and loop.reads["x"] == loop.reads["y"]
        for name, partial in loop.partials.items():
            text, names = _share(partial)
            if is_square and name == "y":
                continue
            if is_square and name == "x":
                text = f"2.0 * ({text})"
            known = {**loop.reads, "z": loop.target, "g": loop.target.adjoint}
            target, reads = known[name].adjoint, {n: known[n] for n in names}
            lengths = loop.lengths
            if name in loop.starts:
                lengths, target = lengths[: loop.rows], target.along(loop.rows)
                reads = {n: view.along(loop.rows) for n, view in reads.items()}
            title = f"{loop.name}_d{name}" if text != "g" else "share"
            what = title, lengths, target, "+=", text, reads
            yield Loop(*what, pick=loop.pick, callees=loop.callees)


@lru_cache(maxsize=1000)
def _share(partial: str) -> tuple[str, tuple[str, ...]]:
    """The adjoint times a partial, and the names in it.

    >>> _share("-z / y")
    ('g * (-z / y)', ('g', 'y', 'z'))
    """
    slope = formula.tree(partial)
    text = {"1.0": "g", "-1.0": "-g"}.get(partial)
    text = text or ast.unparse(ast.BinOp(ast.Name("g"), ast.Mult(), slope))
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return text, tuple(name for name in "gxyz" if name in names)


def passed_on(loops: Sequence[Loop], results: Mapping[int, int], size: int) -> Iterator[Loop]:
    """The loops without those that only copy an adjoint: it is read where it is.

    That goes where the results of a loop are read once, by an addition. `results` says how many
    numbers there are from each place on that a loop has as its first; `size` is that of memory.
    """
    met, shared = bytearray(size), bytearray(size)
    for loop in loops:
        runs, is_once = loop.target.runs(loop.lengths)
        for start, stop in runs:
            ones = b"\1" * (stop - start)
            if not is_once or met.find(1, start, stop) >= 0:
                shared[start:stop] = ones
            met[start:stop] = ones
    moved: dict[int, tuple[int, int]] = {}  # first place and step
    for each in loops:
        loop, to = each, each.target
        g = loop.reads.get("g")
        if g and g.base in moved:
            base, step = moved[g.base]
            g = View("a", base, tuple([step * s for s in g.steps]))
            loop = loop._replace(reads={**loop.reads, "g": g})
        count = results.get(to.base)
        if g and loop.name == "share" and not loop.pick and prod(loop.lengths) == count:
            _, (own_steps, steps) = joined(loop.lengths, to.steps, g.steps)
            if own_steps in ((), (1,)) and shared.find(1, to.base, to.base + count) < 0:
                moved[to.base] = g.base, steps[0] if steps else 1
                continue
        yield loop


def own(loops: Iterable[Loop], size: int) -> list[Loop]:
    """The loops that add to adjoints, but where nothing is yet they set; before them zeros.

    `size` is how many adjoints there are. A loop that no adjoint reaches is left out.
    """
    holds = bytearray(size)
    zeros: list[Run] = []

    def claim(runs: Iterable[Run]) -> None:
        for start, stop in runs:
            holds[start:stop] = b"\1" * (stop - start)

    def need(runs: Iterable[Run]) -> None:
        """Has zeros put where nothing is yet."""
        for start, stop in runs:
            while (first := holds.find(0, start, stop)) >= 0:
                end = holds.find(1, first, stop)
                zeros.append((first, end if end >= 0 else stop))
                claim(zeros[-1:])

    def is_empty(runs: Iterable[Run]) -> bool:
        return all(holds.find(1, *run) < 0 for run in runs)

    kept = []
    for loop in loops:
        read, _ = loop.reads["g"].runs(loop.lengths) if "g" in loop.reads else ([], True)
        if read and is_empty(read):
            continue
        need(read)
        runs, is_once = loop.target.runs(loop.lengths)
        is_first = is_once and loop.pick is None and is_empty(runs)
        (claim if is_first else need)(runs)
        kept.append(loop._replace(sign="=") if is_first else loop)
    zeros = zeros if len(zeros) <= MANY_ZEROS else [(0, size)]
    return [
        *(Loop("zero", (j - i,), View("a", i, (1,)), "=", "0.0", {}) for i, j in zeros),
        *kept,
    ]
