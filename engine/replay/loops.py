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
from engine.op import Op
from engine.ops import OPS, PICK
from engine.replay.roll import Program, Rolled
from engine.replay.views import AXES, Lengths, Run, View, joined, packed, side_by_side

ADD, POW = OPS["add"], OPS["pow"]
FOLDS = {"sum": "exact", "logsumexp": "logsumexp"}
FEW_RUNS = 4  # of outputs; where there are more, and they are short, their places are a table
MANY_ZEROS = 64  # stretches; instead of more all is set to 0


class Loop(NamedTuple):
    """target (sign) expression at every point, added up along axes where the target stands still.

    The expression, of the row `op` if any, names the `reads`. A sum begins with the reads `starts`,
    which stand still where the target does; its `fold` is "+", "exact" (rounded once) or
    "logsumexp". Of the last axis `pick`, if there, names the one row that counts. `partials` are
    those by the reads that want a gradient; they may name the result, z.
    """

    name: str
    target: View
    sign: str
    expression: str
    reads: Mapping[str, View]
    partials: Mapping[str, str] = {}
    starts: tuple[str, ...] = ()
    fold: str = "+"
    pick: View | None = None
    op: Op | None = None

    def __str__(self) -> str:
        """The loop in a line: its axes, what it sets or adds, and where that is read."""
        axes = ", ".join(f"{axis} < {n}" for axis, n in zip(AXES, self.shape, strict=False))
        is_sum = any(n > 1 and not s for n, s in zip(self.shape, self.target.strides, strict=True))
        fold = {"+": "sum of ", "exact": "exact sum of "}.get(self.fold, f"{self.fold} of ")
        value = f"{fold if is_sum and not self.pick else ''}{self.expression}"
        value = " + ".join([*self.starts, value])
        reads = {**self.reads, **({AXES[len(self.shape) - 1]: self.pick} if self.pick else {})}
        where = ", ".join(f"{name} = {view}" for name, view in reads.items())
        return f"{axes}: {self.target} {self.sign} {value}{' where ' * bool(where)}{where}"

    @property
    def shape(self) -> Lengths:
        """The lengths of its axes; all that it reads has them too."""
        return self.target.shape

    @property
    def callees(self) -> Mapping[str, Op]:
        """The rows that the expression calls by name."""
        return self.op.callees if self.op else {}

    @property
    def rows(self) -> int:
        """How many axes its results have, the first ones."""
        return sum(map(bool, self.target.strides))


def text(program: Program) -> str:
    """The loops of both passes, each in a line.

    >>> from engine.replay.roll import roll
    >>> from engine.replay.watch import record
    >>> from engine.value import Value
    >>> x, w = Value(2.0), Value(3.0)
    >>> with record() as seen:
    ...     y = w * x
    >>> print(text(roll(seen.tape([x], [y]))))
    forward:
      i < 1: v[2 + i] = x * y where x = v[1], y = v[0]
    backward:
      i < 1: a[2 + i] = x where x = s[i]
      i < 1: a[1] = g * y where g = a[2 + i], y = v[0]
    """
    forward = lower(program)
    passes = {"forward": forward, "backward": backward(program, forward)}
    return "\n".join("\n  ".join([f"{name}:", *map(str, own)]) for name, own in passes.items())


def lower(program: Program) -> list[Loop]:
    """The loops that compute the results, in the order they run."""
    return [_with_exponent(program, lowered(rolled)) for rolled in program.loops]


def lowered(rolled: Rolled) -> Loop:
    """The loop that computes what a rolled one says."""
    op, name, cut = rolled.op, rolled.op.name, len(rolled.scalars)
    results = View("v", rolled.out, rolled.shape, packed(rolled.shape))
    ones = ("1.0",) * cut
    if not rolled.vectors or 0 in rolled.terms:
        reads = dict(zip("xy", rolled.scalars, strict=False))
        if not rolled.vectors:
            wanted = _wanted(reads, rolled.needs_grad, op.partials)
            return Loop(name, results, "=", op.formula, reads, wanted, op=op)
        wanted = _wanted(reads, rolled.needs_grad, ones)
        return Loop(name, results, "=", "x" if reads else "0.0", reads, wanted)
    target = results.repeated(rolled.terms)
    scalars = [view.repeated(rolled.terms) for view in rolled.scalars]
    reads = dict(zip("xy", rolled.vectors, strict=False))
    slopes = op.partials if op is not ADD else ("1.0",)
    wanted = _wanted(reads, rolled.needs_grad[cut:], slopes)
    if op is PICK:
        return Loop(name, target, "=", "x", reads, wanted, pick=scalars[0])
    starts = {f"b{k}": view for k, view in enumerate(scalars)}
    wanted |= _wanted(starts, rolled.needs_grad, ones)
    text, fold = " * ".join(reads), FOLDS.get(name, "+")
    return Loop(name, target, "=", text, reads | starts, wanted, (*starts,), fold)


def _with_exponent(program: Program, loop: Loop) -> Loop:
    """The loop; a power whose exponent is one constant has it in its texts: x ** 2 is x * x."""
    y = constant(program, loop.reads["y"]) if loop.op is POW else None
    if y is None or not isfinite(y):
        return loop
    text, slope = (re.sub(r"\by\b", f"({y!r})", text) for text in (POW.formula, POW.partials[0]))
    partials = {"x": slope} if "x" in loop.partials else {}
    return loop._replace(expression=text, reads={"x": loop.reads["x"]}, partials=partials)


def constant(program: Program, view: View) -> float | None:
    """The number that a loop reads at all points, where that is one constant."""
    if view.memory != "v":
        return None
    reach = [(n - 1) * step for n, step in zip(view.shape, view.strides, strict=True)]
    ends = view.table or [view.base + sum(side(r, 0) for r in reach) for side in (min, max)]
    if not 0 <= min(ends) <= max(ends) < len(program.constants):
        return None
    moving = tuple([n if step else 1 for n, step in zip(view.shape, view.strides, strict=True)])
    read = {program.constants[place] for place in view._replace(shape=moving).places()}
    return read.pop() if len(read) == 1 else None


def _wanted(
    reads: Iterable[str], needs_grad: Iterable[bool], partials: Iterable[str]
) -> dict[str, str]:
    """The partials by the reads that want a gradient."""
    columns = zip(reads, needs_grad, partials, strict=False)
    return {name: partial for name, is_wanted, partial in columns if is_wanted}


def backward(program: Program, forward: Sequence[Loop]) -> list[Loop]:
    """The loops that compute the gradients, after those of the results."""
    results = {loop.target.base: prod(loop.shape[: loop.rows]) for loop in forward}
    shares = [*seed(program.outputs), *adjoint(forward)]
    return own(passed_on(shares, results, program.size), program.size)


def seed(outputs: Sequence[int]) -> Iterator[Loop]:
    """The loops that add d loss / d output to the adjoints of the outputs."""
    runs = list(side_by_side(outputs))
    if len(runs) > FEW_RUNS + len(outputs) // 8:
        shape = (len(outputs),)
        seeds = {"x": View("s", 0, shape, (1,))}
        yield Loop("seed", View("a", 0, shape, (1,), tuple(outputs)), "+=", "x", seeds)
        return
    for place, start, count in runs:
        seeds = {"x": View("s", start, (count,), (1,))}
        yield Loop("seed", View("a", place, (count,), (1,)), "+=", "x", seeds)


def adjoint(loops: Sequence[Loop], squares: bool = True) -> Iterator[Loop]:
    """For each read that wants a gradient a loop that adds its share, from the last one back.

    They come in the order of eager mode: x, y, what a sum begins with. Both factors of a square
    get theirs in one; without `squares` one after the other, as there.
    """
    for loop in reversed(loops):
        is_square = squares and loop.expression == "x * y" and loop.reads["x"] == loop.reads["y"]
        for name, partial in loop.partials.items():
            text, names = _share(partial)
            if is_square and name == "y":
                continue
            if is_square and name == "x":
                text = f"2.0 * ({text})"
            known = {**loop.reads, "z": loop.target, "g": loop.target.adjoint}
            target, reads = known[name].adjoint, {n: known[n] for n in names}
            if name in loop.starts:
                target = target.first(loop.rows)
                reads = {n: view.first(loop.rows) for n, view in reads.items()}
            title = f"{loop.name}_d{name}" if text != "g" else "share"
            yield Loop(title, target, "+=", text, reads, pick=loop.pick, op=loop.op)


@lru_cache(maxsize=1000)
def _share(partial: str) -> tuple[str, tuple[str, ...]]:
    """The adjoint times a partial, and the names in it.

    >>> _share("-z / y")
    ('g * (-z / y)', ('g', 'y', 'z'))
    """
    slope = re.sub(r"\bg\b(?!\()", "g_", ast.unparse(formula.tree(partial)))  # a part of its own
    text = {"1.0": "g", "-1.0": "-g"}.get(slope) or ast.unparse(ast.parse(f"g * ({slope})"))
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return text, tuple(name for name in "gxyz" if name in names)


def passed_on(loops: Sequence[Loop], results: Mapping[int, int], size: int) -> Iterator[Loop]:
    """The loops without those that only copy an adjoint: it is read where it is.

    That goes where the results of a loop are read once, by an addition. `results` says how many
    numbers there are from each place on that a loop has as its first; `size` is that of memory.
    """
    met, shared = bytearray(size), bytearray(size)
    for loop in loops:
        runs, is_once = loop.target.runs()
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
            g = View("a", base, g.shape, tuple([step * s for s in g.strides]))
            loop = loop._replace(reads={**loop.reads, "g": g})
        count = results.get(to.base)
        if g and loop.name == "share" and not loop.pick and prod(loop.shape) == count:
            _, (own_strides, strides) = joined(loop.shape, to.strides, g.strides)
            if own_strides in ((), (1,)) and shared.find(1, to.base, to.base + count) < 0:
                moved[to.base] = g.base, strides[0] if strides else 1
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
        read, _ = loop.reads["g"].runs() if "g" in loop.reads else ([], True)
        if read and is_empty(read):
            continue
        need(read)
        runs, is_once = loop.target.runs()
        is_first = is_once and loop.pick is None and is_empty(runs)
        (claim if is_first else need)(runs)
        kept.append(loop._replace(sign="=") if is_first else loop)
    zeros = zeros if len(zeros) <= MANY_ZEROS else [(0, size)]
    return [
        *(Loop("zero", View("a", i, (j - i,), (1,)), "=", "0.0", {}) for i, j in zeros),
        *kept,
    ]
