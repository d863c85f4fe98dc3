"""A tape as the text of straight lines of Python, in the order of eager mode.

What a row computes and what it adds to which adjoint comes from the loops of the tape's rows; here
it is written down, row after row, and backwards as eager mode goes: each number in a variable, or
inside the one line that reads it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress, islice, repeat
from typing import NamedTuple

from engine.op import Op, kept_by_row
from engine.ops import OPS, PICK
from engine.replay.backends.blanks import with_blanks
from engine.replay.backends.unrolled import needs, unrolled
from engine.replay.loops import Loop, adjoint
from engine.replay.roll import Program, watched
from engine.replay.tape import Tape

ONE_LINE = 100  # operations and operands: deep expressions overflow the stack of the compiler

Rewrite = Callable[[str], str]
# What a row adds to an adjoint: its place, the text with {0} for the adjoint of the row, whether it
# can be zero where that is not.
Share = tuple[int, str, bool]

_TIGHTNESS = {"{0}": 0, "{0} + {1}": 1, "{0} - {1}": 1, "{0} * {1}": 2, "{0} / {1}": 2}
_ATOM = 3

# --- the expressions of loops as parts of lines --------------------------------------------------


class _Text(NamedTuple):
    """An expression with a blank, {0} and so on, for each of the names that its loop reads."""

    text: str
    repeated: list[int]  # the blanks that do not come just once
    binds: bool  # it has a `:=`
    within: tuple[int, ...]  # by the blanks, how tight what fills them has to bind
    tightness: int  # how tight it binds itself


@kept_by_row
def _formula(op: Op, expression: str, names: tuple[str, ...], rewrite: Rewrite) -> _Text:
    """What a row computes from these names."""
    tree = with_blanks(rewrite(expression), op.callees, names)
    nodes = list(ast.walk(tree))
    reads = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    repeated = [k for k in range(len(names)) if reads[f"{{{k}}}"] != 1]
    binds = any(isinstance(node, ast.NamedExpr) for node in nodes)
    text = ast.unparse(tree)
    tightness = _TIGHTNESS.get(text)
    within = (_ATOM,) * len(names) if tightness is None else (tightness, tightness + 1)
    return _Text(text, repeated, binds, within[: len(names)], tightness or 0)


@kept_by_row
def _passed(op: Op, expression: str, names: tuple[str, ...], rewrite: Rewrite) -> tuple[str, bool]:
    """What a row passes on, with its adjoint, the first blank, inside `a if condition else b`;
    and whether it can be zero where that is not.
    """
    tree = with_blanks(rewrite(expression), op.callees, names)
    if not isinstance(tree, ast.BinOp):  # the adjoint, or its opposite
        return ast.unparse(tree), False
    choices = [node for node in ast.walk(tree) if isinstance(node, ast.IfExp)]
    branches = [ast.unparse(branch) for node in choices for branch in (node.body, node.orelse)]
    text = ast.unparse(_times_g(tree.right))
    return f"({text})" if tree.right in choices else text, "0.0" in branches


def _times_g(tree: ast.expr) -> ast.expr:
    g = ast.Name("{0}", ast.Load())
    if isinstance(tree, ast.IfExp):
        return ast.IfExp(tree.test, _times_g(tree.body), _times_g(tree.orelse))
    match ast.unparse(tree):
        case "1.0":
            return g
        case "-1.0":
            return ast.UnaryOp(ast.USub(), g)
    return ast.BinOp(g, ast.Mult(), tree)


# --- the lines -----------------------------------------------------------------------------------

_FOLDS = {"exact": "fsum_({})", "logsumexp": "logsumexp_({})"}

# Finite results of these have finite operands alone: where the adjoint is zero too there are only
# zeros to pass on, and the lines that do it can be left out.
_FRANK = {OPS[name] for name in ("add", "sub", "mul", "neg", "dot", "sum")}


class _Expression(NamedTuple):
    text: str
    tightness: int
    size: int  # operations and operands

    def within(self, tightness: int) -> str:
        """The text as a part of a formula whose operators bind that tight."""
        return self.text if self.tightness >= tightness else f"({self.text})"


class Writer:
    """The source for a tape: rows are v0, v1, ..., leaves x0, x1, ..., their adjoints a and d."""

    def __init__(self, program: Program, tape: Tape, rewrite: Rewrite) -> None:
        self.program, self.tape, self.rewrite = program, tape, rewrite
        leaves = program.place[len(tape.rows) :]  # from the end backwards, as the tape counts them
        self.value = [*(f"v{k}" for k in range(len(tape.rows))), *(f"x{n}" for n in leaves)]
        self.adjoint = [*(f"a{k}" for k in range(len(tape.rows))), *(f"d{n}" for n in leaves)]
        self.needs = needs(tape)
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
        self.kept = {*watched(tape), *(p for p, n in self.uses.items() if n > 1)}
        self.pool = self._pool()
        # By operation and number of operands; with the tightness of what stands around each.
        self.kinds: dict[tuple[Op, int], tuple[Loop, _Text, list[int]]] = {}
        self.passed: list[list[Share]] = [[] for _ in tape.rows]
        self._unroll()

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
                f"  seeds = yield {_tuple(self.value[p] for p in watched(self.tape) if p >= 0)}",
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
        self.kept.update(*picks)
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

    def _unroll(self) -> None:
        """Notes what each row computes and passes on, and what needs a variable for that.

        It does where it is read more than once, or again in the backward.
        """
        for op, loop in unrolled(self.tape, self.needs):
            names = tuple(name for name in loop.reads if name not in loop.starts)
            formula = _formula(op, loop.expression, names, self.rewrite)
            rows, reads = loop.target.places(), list(loop.reads.values())
            for k in formula.repeated:
                self.kept.update(reads[k].places())
            self.kept.update(rows if formula.binds else ())
            _, places = self.tape.rows[rows[0]]
            columns = zip((*formula.within, 1), filter(None, op.columns(places)), strict=False)
            tight = [tightness for tightness, column in columns for _ in column]
            self.kinds[op, len(places)] = loop, formula, tight
            for share in adjoint([loop], squares=False):
                self._note(op, share, rows[:: len(rows) // loop.shape[0]])

    def _note(self, op: Op, share: Loop, rows: Sequence[int]) -> None:
        """Notes of each row what it adds to the adjoints of one of the names that it reads."""
        into, (_, *columns) = share.target.places(), [v.places() for v in share.reads.values()]
        for column in columns:
            self.kept.update(compress(column, map(self.needs.__getitem__, into)))
        text, kills = _passed(op, share.expression, (*share.reads,), self.rewrite)
        names = [map(self.value.__getitem__, column) for column in columns]
        found = zip(into, map(text.format, repeat("{0}"), *names), repeat(kills), strict=False)
        each = len(into) // len(rows)
        for row in rows:
            self.passed[row] += islice(found, each)

    def _write_forward(self) -> None:
        for row, (op, places) in enumerate(self.tape.rows):
            if op is PICK:
                table, taken = self._picked(places[0], places[1:])
                terms, tightness, size = [f"{table}[{taken}]"], _ATOM, 1
            else:
                terms, tightness, size = self._computed(row)
            first, *others = terms
            if row in self.kept or size > ONE_LINE:
                name = self.value[row]
                self.lines.append(f"  {name} = {first}")
                self.lines += [f"  {name} = {name} + {other}" for other in others]
            else:
                self.inlined[row] = _Expression(first, tightness, size)

    def _computed(self, row: int) -> tuple[list[str], int, int]:
        """What a row computes, how tight that binds, how large it is.

        Of a long sum it is the first part, and what is added then.
        """
        op, places = self.tape.rows[row]
        loop, formula, tight = self.kinds[op, len(places)]
        texts, size = [], 1 + len(places)
        for place, tightness in zip(places, tight, strict=True):
            inlined = self.inlined.get(place)
            if inlined is None:
                texts.append(self.value[place])
            else:
                self.reader[place] = row
                texts.append(inlined.within(tightness))
                size += inlined.size - 1
        if not op.many:
            return [formula.text.format(*texts)], formula.tightness, size
        columns = list(filter(None, op.columns(texts)))
        starts = columns.pop() if loop.starts else ()
        terms = [*starts, *(map(formula.text.format, *columns) if columns else [formula.text])]
        if loop.fold in _FOLDS:
            return [_FOLDS[loop.fold].format(_tuple(terms))], 0, size
        if loop.starts:
            parts = range(0, len(terms), ONE_LINE)
            return [" + ".join(terms[k : k + ONE_LINE]) for k in parts], 1, size
        return terms, formula.tightness, size

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
        g = self._settled(row)
        zero = self.can_be_zero[row]
        test = ""
        if zero and op in _FRANK and row in self.head:
            head = self.value[self.head[row]]
            test = f"{g} or {head} - {head}"
        for place, share, kills in self.passed[row]:
            if self.needs[place]:
                alone = self.uses[place] == 1  # then it is one line, or another name for it
                self._add(place, share.format(g), zero or kills, "" if alone else test)

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


def _tuple(texts: Iterable[str]) -> str:
    several = list(texts)
    return f"({several[0]},)" if len(several) == 1 else f"({', '.join(several)})"
