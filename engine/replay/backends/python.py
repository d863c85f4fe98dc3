"""A graph as straight lines of Python: the standard library alone, and the bits of eager mode.

The order of every addition is that of `Value.backward`. Graphs too large to be written out run as
lists of numbers instead, to the same bits.
"""

from __future__ import annotations

import ast
import builtins
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, repeat
from typing import Any, NamedTuple, cast

from engine import formula
from engine.ops import CAREFUL, MANY, OPS, PICK, PLAIN, Op, kept_by_row, row_of
from engine.replay.backends.kernel import Gathering, Kernel, side_by_side
from engine.replay.roll import Program
from engine.replay.tape import Tape, graded
from engine.value import Value

NAME = "python"
DOT = OPS["dot"]
WRITTEN_OUT = 400_000  # operands; to compile the lines of one takes about 0.5 kB and 5 us
ONE_LINE = 100  # operations and operands: deep expressions overflow the stack of the compiler
RAISED = (ArithmeticError, ValueError)  # what plain arithmetic raises where IEEE has inf or nan
STOPPED = (*RAISED, StopIteration)  # also where a generator was interrupted before

Rewrite = Callable[[str], str]
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


class Lines(Gathering):
    """A kernel of straight lines: a generator that stops after each forward and each backward.

    Its plain lines raise where IEEE 754 has inf or nan; then careful ones run in their place.
    """

    def __init__(self, program: Program, tape: Tape) -> None:
        self.values, self.adjoints = _memories(program)
        self.source = _Writer(program, tape, formula.plain).source()
        self._program, self._tape = program, tape
        computed = [p for p in _watched(program) if p >= program.leaves]
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
            source = _Writer(self._program, self._tape, formula.careful).source()
            self._start_careful = _function(source, CAREFUL, self._tape)
        self._run = self._start_careful(self._leaves)
        return next(self._run)


def _memories(program: Program) -> tuple[list[float], list[float]]:
    """The values, with the constants filled in, and the adjoints."""
    zeros = [0.0] * program.size
    return [*program.constants, *zeros[len(program.constants) :]], zeros


def _function(source: str, functions: dict[str, Callable[..., Any]], tape: Tape) -> Start:
    names = {f"{name}_": function for name, function in {**functions, **MANY}.items()}
    names["row_of_"] = row_of
    for op in {op for op, _ in tape.rows}:
        names |= {f"{row.key}_": row for row in op.callees.values()}
    exec(builtins.compile(source, "<replay>", "exec"), names)
    return cast(Start, names.pop("run"))  # leaves no cycle behind


# --- the texts of the calculus as parts of lines -------------------------------------------------


@dataclass(frozen=True)
class _Text:
    """A formula with {x}, {y}, {z}, {g} or {xs}, {ys}, {bias} to fill in."""

    text: str
    reads: Counter[str]
    binds: bool  # it has a `:=`
    kills: bool = False  # it can be zero where g is not


class _Blanks(ast.NodeTransformer):
    """Variables become blanks; functions end in `_`, parts that a formula names in `_part`."""

    def __init__(self, op: Op, variables: Collection[str]) -> None:
        self.op = op
        self.variables = variables

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = cast(ast.Name, node.func).id
        key = self.op.callees[name].key if name in self.op.callees else name
        arguments = [self.visit(argument) for argument in node.args]
        return ast.Call(ast.Name(f"{key}_", ast.Load()), arguments, [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        blank = node.id in self.variables
        return ast.Name(f"{{{node.id}}}" if blank else f"{node.id}_part", node.ctx)


def _blanks(op: Op, text: str, variables: Collection[str]) -> ast.expr:
    node = ast.parse(text, mode="eval").body
    return cast(ast.expr, _Blanks(op, variables).visit(node))


def _text(tree: ast.expr, kills: bool = False) -> _Text:
    reads = Counter(node.id.strip("{}") for node in ast.walk(tree) if isinstance(node, ast.Name))
    binds = any(isinstance(node, ast.NamedExpr) for node in ast.walk(tree))
    return _Text(ast.unparse(tree), reads, binds, kills)


@kept_by_row
def _formula(op: Op, rewrite: Rewrite) -> _Text:
    return _text(_blanks(op, rewrite(op.formula), op.variables.split(", ")))


@kept_by_row
def _share(op: Op, partial: str, rewrite: Rewrite) -> _Text:
    """g * partial, without the product where that is 1, and inside `a if condition else b`."""
    tree = _blanks(op, rewrite(partial), "xyz")
    kills = any(
        ast.unparse(branch) == "0.0"
        for node in ast.walk(tree)
        if isinstance(node, ast.IfExp)
        for branch in (node.body, node.orelse)
    )
    share = _text(_times_g(tree), kills)
    return replace(share, text=f"({share.text})") if isinstance(tree, ast.IfExp) else share


@kept_by_row
def _reads(
    op: Op, rewrite: Rewrite
) -> tuple[bool, tuple[int, ...], tuple[tuple[int, tuple[int, ...]], ...]]:
    """Whether the formula has a `:=`, the operands it does not read just once, and those that each
    partial reads, where it reads any; -1 is the result.
    """
    formula, variables = _formula(op, rewrite), op.variables.split(", ")
    partials = [_share(op, partial, rewrite).reads for partial in op.partials]
    z = {"x": 0, "y": 1, "z": -1}
    reads = [tuple(k for name, k in z.items() if counts[name]) for counts in partials]
    return (
        formula.binds,
        tuple(k for k, name in enumerate(variables) if formula.reads[name] != 1),
        tuple((k, read) for k, read in enumerate(reads) if read),
    )


def _times_g(tree: ast.expr) -> ast.expr:
    g = ast.Name("{g}", ast.Load())
    if isinstance(tree, ast.IfExp):
        return ast.IfExp(tree.test, _times_g(tree.body), _times_g(tree.orelse))
    match ast.unparse(tree):
        case "1.0":
            return g
        case "-1.0":
            return ast.UnaryOp(ast.USub(), g)
    return ast.BinOp(g, ast.Mult(), tree)


# --- the lines -----------------------------------------------------------------------------------

_TIGHTNESS = {"{x} + {y}": 1, "{x} - {y}": 1, "{x} * {y}": 2, "{x} / {y}": 2}
_ATOM = 3

# Finite results of these have finite operands alone: where the adjoint is zero too there are only
# zeros to pass on, and the lines that do it can be left out.
_FRANK = {OPS[name] for name in ("add", "sub", "mul", "neg", "dot", "sum")}


class _Expression(NamedTuple):
    text: str
    tightness: int = _ATOM
    size: int = 1

    def within(self, tightness: int) -> str:
        """The text as a part of a formula whose operators bind that tight."""
        return self.text if self.tightness >= tightness else f"({self.text})"


class _Writer:
    """The source for a tape: rows are v0, v1, ..., leaves x0, x1, ..., their adjoints a and d."""

    def __init__(self, program: Program, tape: Tape, rewrite: Rewrite) -> None:
        self.program, self.tape, self.rewrite = program, tape, rewrite
        leaves = program.place[len(tape.rows) :]  # from the end backwards, as the tape counts them
        self.value = [*(f"v{k}" for k in range(len(tape.rows))), *(f"x{n}" for n in leaves)]
        self.adjoint = [*(f"a{k}" for k in range(len(tape.rows))), *(f"d{n}" for n in leaves)]
        self.needs = _needs(tape)
        self.uses = Counter(chain(tape.outputs, *(places for _, places in tape.rows)))
        self.inlined: dict[int, _Expression] = {}
        self.reader: dict[int, int] = {}  # of an inlined row, the row in whose line it stands
        self.head: dict[int, int] = {}  # of a row, a variable that is finite only where it is
        self.shares: dict[int, list[str]] = {}  # of an adjoint, what is still to be added
        self.started: set[int] = set()  # the adjoints that have a variable
        self.zeros: list[str] = []  # those of them that start as 0.0
        self.can_be_zero: dict[int, bool] = {}  # whether all shares of an adjoint can
        self.test = ""  # under which the last line stands
        self.lines: list[str] = []
        self.tables: dict[tuple[int, ...], str] = {}  # of candidates, their tuple
        self.taken: dict[tuple[int, int], str] = {}  # of an integer and a number of rows, the row
        self.pool = self._pool()

    def source(self) -> str:
        """The text of the generator `run(leaves)`: a forward at `next`, a backward for seeds."""
        self._write_forward()
        forward, self.lines = self.lines, []
        self._write_backward()
        gradients = self._gradients()
        return "\n".join(
            [
                "def run(leaves):",
                " while True:",
                f"  {_tuple(f'x{n}' for n in range(self.program.leaves))} = leaves",
                *forward,
                f"  seeds = yield {_tuple(self.value[p] for p in _watched(self.tape) if p >= 0)}",
                "  while seeds is not None:",
                f"   {_tuple(f's{k}' for k in range(len(self.tape.outputs)))} = seeds",
                *(f"   {name} = 0.0" for name in self.zeros),
                *([f"   pool = [0.0] * {len(self.pool) + 1}"] if self.pool else []),
                *self.lines,
                f"   seeds = yield {_tuple(gradients)}",
                "",
            ]
        )

    def _pool(self) -> dict[int, int]:
        """The adjoints of candidates stand in one list, where a row that was picked finds its."""
        picks = [places for op, places in self.tape.rows if op is PICK]
        found = dict.fromkeys(p for _, *places in picks for p in places if self.needs[p])
        pool = {place: k for k, place in enumerate(found)}
        for place, k in pool.items():
            self.adjoint[place] = f"pool[{k}]"
        self.started.update(pool)
        return pool

    def _picked(self, index: int, candidates: tuple[int, ...]) -> tuple[str, str]:
        """The tuple of candidates and the row in it; both are written down once."""
        if candidates not in self.tables:
            self.tables[candidates] = name = f"t{len(self.tables)}"
            self.lines.append(f"  {name} = {_tuple(self.value[p] for p in candidates)}")
        asked = index, len(candidates)
        if asked not in self.taken:
            self.taken[asked] = name = f"k{len(self.taken)}"
            self.lines.append(f"  {name} = row_of_({self.value[index]}, {len(candidates)})")
        return self.tables[candidates], self.taken[asked]

    def _write_forward(self) -> None:
        kept = self._kept()
        for row, (op, places) in enumerate(self.tape.rows):
            if op is PICK:
                table, taken = self._picked(places[0], places[1:])
                operands, texts = [], [f"{table}[{taken}]"]
            else:
                operands = [self._operand(p, row) for p in places]
                texts = self._texts(op, operands)
            size = 1 + sum([operand.size for operand in operands])
            first, *others = texts
            if row in kept or size > ONE_LINE:
                name = self.value[row]
                self.lines.append(f"  {name} = {first}")
                self.lines += [f"  {name} = {name} + {other}" for other in others]
            else:
                tightness = 1 if op is DOT else _TIGHTNESS.get(_formula(op, self.rewrite).text, 0)
                tightness = _ATOM if op is PICK else tightness
                self.inlined[row] = _Expression(first, tightness, size)

    def _operand(self, place: int, row: int) -> _Expression:
        if place not in self.inlined:
            return _Expression(self.value[place])
        self.reader[place] = row
        return self.inlined[place]

    def _kept(self) -> set[int]:
        """What needs a variable: it is read more than once, or again in the backward."""
        kept = {*_watched(self.tape), *(p for p, n in self.uses.items() if n > 1)}
        for row, (op, places) in enumerate(self.tape.rows):
            if op is PICK:
                kept.update(places)
                continue
            binds, repeated, reads = _reads(op, self.rewrite)
            if binds:
                kept.add(row)
            if repeated or reads:
                columns = [*op.columns(places), [row]]
                kept.update(*(columns[k] for k in repeated))
                for k, read in reads:
                    if any(map(self.needs.__getitem__, columns[k])):
                        kept.update(*(columns[j] for j in read))
        return kept

    def _texts(self, op: Op, operands: list[_Expression]) -> list[str]:
        """The formula of a row; of a long dot, the first part of it and what is added then."""
        if op is DOT:
            xs, ys, bias = op.arguments(operands)
            terms = [f"{x.within(2)} * {y.within(_ATOM)}" for x, y in zip(xs, ys, strict=True)]
            return [" + ".join(part) for part in _parts([bias.within(1), *terms])]
        text = _formula(op, self.rewrite).text
        if op.many:
            xs, *rest = op.arguments([operand.within(0) for operand in operands])
            ys, bias = rest or ((), "")
            return [text.format(xs=_tuple(xs), ys=_tuple(ys), bias=bias)]
        tightness = _TIGHTNESS.get(text)
        x, y = operands[0], operands[-1]
        if tightness:
            return [text.format(x=x.within(tightness), y=y.within(tightness + 1))]
        return [text.format(x=x.within(_ATOM), y=y.within(_ATOM))]

    def _write_backward(self) -> None:
        for k, place in enumerate(self.tape.outputs):
            if self.needs[place]:
                self._add(place, f"s{k}", can_be_zero=False)
        for row in reversed(self.tape.order):
            if self.needs[row]:
                self._pass_on(row)

    def _pass_on(self, row: int) -> None:
        """The shares that a row adds to the adjoints of its operands."""
        op, places = self.tape.rows[row]
        if op is PICK:
            self._scatter(row, places[0], places[1:])
            return
        if row not in self.inlined:
            self.head[row] = row
        elif self.reader[row] in self.head and self.tape.rows[self.reader[row]][0] in _FRANK:
            self.head[row] = self.head[self.reader[row]]
        g, z = self._settled(row), self.value[row]
        zero = self.can_be_zero[row]
        test = ""
        if zero and op in _FRANK and row in self.head:
            head = self.value[self.head[row]]
            test = f"{g} or {head} - {head}"
        for place, partial, x, y in op.edges(places):
            if self.needs[place]:
                share = _share(op, partial, self.rewrite)
                text = share.text.format(g=g, x=self.value[x], y=self.value[y], z=z)
                alone = self.uses[place] == 1  # then it is one line, or another name for it
                self._add(place, text, zero or share.kills, "" if alone else test)

    def _scatter(self, row: int, index: int, candidates: tuple[int, ...]) -> None:
        """The share of the row that was picked, after all that came to the others before."""
        g = self._settled(row)
        for place in candidates:
            if place in self.pool:
                self._start(place)
                self.can_be_zero.setdefault(place, True)
        into = [self.pool.get(place, -1) for place in candidates]  # the last one is nobody's
        first, step = into[0], into[1] - into[0] if len(into) > 1 else 1
        taken = self.taken[index, len(candidates)]
        where = f"{_tuple(map(str, into))}[{taken}]"
        if step > 0 and into == [first + k * step for k in range(len(into))]:
            where = f"{first} + {step} * {taken}"
        self._write(f"pool[{where}] += {g}")

    def _add(self, place: int, share: str, can_be_zero: bool, test: str = "") -> None:
        """Adds to an adjoint: now under a test; without one later, in one line with others."""
        self.can_be_zero[place] = can_be_zero and self.can_be_zero.get(place, True)
        if test:
            self._start(place)
            self._write(f"{self.adjoint[place]} += {share}", test)
            return
        shares = self.shares.setdefault(place, [])
        shares.append(share)
        if len(shares) == ONE_LINE:
            self._start(place)

    def _start(self, place: int) -> None:
        """Gives an adjoint a variable that holds all shares so far."""
        name, shares = self.adjoint[place], self.shares.pop(place, [])
        if place in self.started:
            shares = shares and [name, *shares]
        elif not shares:
            self.zeros.append(name)
        self.started.add(place)
        if shares:
            self._write(f"{name} = {' + '.join(shares)}")

    def _settled(self, place: int) -> str:
        """The name of an adjoint that has all its shares."""
        shares = self.shares.get(place, [])
        if place not in self.started and len(shares) == 1 and shares[0].isidentifier():
            return shares[0]
        self._start(place)
        return self.adjoint[place]

    def _write(self, line: str, test: str = "") -> None:
        if test and test != self.test:
            self.lines.append(f"   if {test}:")
        self.test = test
        self.lines.append(f"    {line}" if test else f"   {line}")

    def _gradients(self) -> list[str]:
        """The adjoints of inputs and parameters; added to 0.0, as a -0.0 is in eager mode."""
        places = {self.program.place[p]: p for p in self.can_be_zero if p < 0}
        wanted = range(len(self.program.constants), self.program.leaves)
        return [f"0.0 + {self._settled(places[n])}" if n in places else "0.0" for n in wanted]


def _needs(tape: Tape) -> list[bool]:
    """By place, whether a gradient is wanted there or below; leaves from the end backwards."""
    leaves = [
        tape.input_grads[k] if k < tape.inputs else isinstance(leaf, Value)
        for k, leaf in enumerate(tape.leaves)
    ]
    needs = [*[False] * len(tape.rows), *reversed(leaves)]
    for place, row in enumerate(tape.rows):
        needs[place] = any(map(needs.__getitem__, graded(row)))
    return needs


def _watched(graph: Tape | Program) -> list[int]:
    """The places that the caller reads: the outputs, what the guards compare, what picks."""
    compared = chain.from_iterable((g.left, g.right) for g in graph.guards)
    return [*graph.outputs, *compared, *(bound.place for bound in graph.bounds)]


def _parts(texts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), ONE_LINE):
        yield texts[start : start + ONE_LINE]


def _tuple(texts: Iterable[str]) -> str:
    several = list(texts)
    return f"({several[0]},)" if len(several) == 1 else f"({', '.join(several)})"


# --- without lines -------------------------------------------------------------------------------


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


class Lists(Gathering):
    """A kernel for large graphs: forward by groups of rows, backward along a list of all shares.

    A zero adjoint is passed on where eager mode leaves that out: to finite partials, so it changes
    nothing.
    """

    source = "for row, into, slope in shares: adjoints[into] += adjoints[row] * numbers[slope]\n"

    def __init__(self, program: Program, tape: Tape) -> None:
        self.values, self.adjoints = _memories(program)
        self._program, self._tape = program, tape
        self._needs = _needs(tape)
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
        for place, p in zip(_watched(self._program), _watched(self._tape), strict=True):
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


_AT_HAND = {"1.0", "x", "y", "z"}  # partials that need no place of their own
