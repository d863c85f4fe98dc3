"""A program as C: a function for each kind of loop, and the calls of them as a table of numbers.

Loops that differ in their places alone share a function, so a net of many equal layers stays
small, and so do programs: a function that was compiled for one is there for the next. Places that
no formula gives are numbers in a table, too.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from engine.backends import vectormath
from engine.backends.cformula import Formulas, with_exponent
from engine.backends.cloops import Function, Writer
from engine.backends.contraction import PRELUDE, Machine, indented
from engine.backends.kernel import side_by_side
from engine.ops import OPS
from engine.roll import Access, Loop, Program

POW = OPS["pow"]
SHOWN = 100  # calls in the source that people read
KINDS = 600  # of functions; with more, small loops take their lengths and steps as arguments

HEAD = """#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#define NEVER_INLINED __declspec(noinline)
#else
#define PUBLIC __attribute__((visibility("default")))
#define NEVER_INLINED __attribute__((noinline))
#endif

typedef struct {
    double *values, *adjoints, *work, *seeds;
    const int *table;
} Memory;
typedef struct { const Memory *memory; const int64_t *calls, *end; } Pass;

/* the row that an index names, negative ones from the end; row 0 where it names none */
static inline int row_of(double index, int rows)
{
    const double place = index < 0.0 ? index + rows : index;
    return place >= 0.0 && place < rows ? (int)place : 0;
}
"""

# What every program needs beside its loops. A call in a table is the place of a function, how many
# numbers it takes, and these.
ALWAYS = {
    "run": """\
PUBLIC void run(const Pass *pass)
{
    for (const int64_t *p = pass->calls; p < pass->end; p += 2 + p[1]) {
        void (*call)(const Memory *, const int64_t *);
        memcpy(&call, p, sizeof call);
        call(pass->memory, p + 2);
    }
}
""",
    "call_zero": """\
PUBLIC void call_zero(const Memory *m, const int64_t *p)
{
    memset(m->adjoints + p[0], 0, p[1] * sizeof(double));
}
""",
    "call_seed": """\
PUBLIC void call_seed(const Memory *m, const int64_t *p)
{
    for (int k = 0; k < p[2]; k++) m->adjoints[p[0] + k] += m->seeds[p[1] + k];
}
""",
}
# Beside these what takes whole steps of training.
TRAINING = {
    "gather": """\
PUBLIC void gather(double *to, const double *from, const int *rows, int count, int width)
{
    for (int k = 0; k < count; k++, to += width)
        memcpy(to, from + (int64_t)rows[k] * width, width * sizeof *to);
}
""",
    "largest": """\
PUBLIC void largest(int *found, const double *v, const int *places, int count, int width)
{
    for (int k = 0; k < count; k++, places += width) {
        int best = 0;
        for (int j = 1; j < width; j++)
            if (v[places[j]] > v[places[best]]) best = j;
        found[k] = best;
    }
}
""",
    "several": """typedef struct { double *to; const double *from; int64_t count; } Span;
typedef struct {
    const Pass *forward, *backward, *move;
    const double *loss, *squares, *size, *values;
    Span parameters, gradient, rates;    /* lent, taken, given before each move */
    const Span *columns, *copies;        /* of the data; after a move */
    const int *outputs, *labels;
    int64_t column_count, copy_count, width, is_single;
    double twice;                        /* twice the threshold of a single output */
    int64_t done;
} Plan;

static inline void copied(const Span *s) { memcpy(s->to, s->from, s->count * sizeof(double)); }

static int is_exact(const Plan *p)
{
    if (*p->squares > 1e-250) return isfinite(*p->squares) && isfinite(*p->size);
    for (int64_t k = 0; k < p->gradient.count; k++)
        if (p->gradient.to[k] != 0.0) return 0;
    return isfinite(*p->size);
}

static int right(const Plan *p, const int *rows, int64_t points)
{
    int count = 0;
    for (int64_t k = 0; k < points; k++) {
        const int *at = p->outputs + k * p->width;
        int best = 0;
        if (p->is_single) best = p->values[at[0]] > p->twice - p->values[at[0]];
        for (int64_t j = 1; j < p->width; j++)
            if (p->values[at[j]] > p->values[at[best]]) best = j;
        count += best == p->labels[rows ? rows[k] : k];
    }
    return count;
}

/* nothing moves in a step that is not to be taken: it is for the caller, and so are those after */
PUBLIC void several(Plan *p, int64_t steps, int64_t points, const int *rows, const double *rates,
                    double *losses, double *squares, int *rights)
{
    for (int64_t n = 0; n < steps; n++) {
        for (int64_t c = 0; rows && c < p->column_count; c++) {
            const Span *s = p->columns + c;
            gather(s->to, s->from, rows, (int)points, (int)s->count);
        }
        copied(&p->parameters);
        run(p->forward);
        if (!isfinite(*p->loss)) return;
        run(p->backward);
        copied(&p->gradient);
        memcpy(p->rates.to, rates, p->rates.count * sizeof(double));
        run(p->move);
        if (!is_exact(p)) return;
        losses[n] = *p->loss;
        squares[n] = *p->squares;
        rights[n] = p->width ? right(p, rows, points) : 0;
        for (int64_t c = 0; c < p->copy_count; c++) copied(p->copies + c);
        p->done = n + 1;
        rates += p->rates.count;
        if (rows) rows += points;
    }
}
""",
}
ARRAYS = {"v": "m->values + ", "a": "m->adjoints + ", "w": "m->work + ", "t": "m->table + "}


@dataclass(frozen=True)
class Text:
    """C functions by the names they are called by, and the data that goes with them."""

    functions: Mapping[str, str]
    formulas: Sequence[str]  # that the functions use
    table: array[int]  # places that no formula gives
    forward: Sequence[_Call]
    backward: Sequence[_Call]
    work: int  # how many numbers of working memory it needs

    def unit(self, names: Sequence[str]) -> str:
        """The source of some of the functions."""
        own = [*self.formulas, *(self.functions[name] for name in names)]
        return "\n".join([HEAD, vectormath.needed("\n".join(own)), PRELUDE, *own])

    @property
    def source(self) -> str:
        """What computes, with the calls written out, which come from a table when it runs."""
        whole = [self.unit([name for name in self.functions if name not in TRAINING])]
        for name, calls in (("forward", self.forward), ("backward", self.backward)):
            lines = [f"    {call.text()}" for call in calls[:SHOWN]]
            lines += [f"    /* and {len(calls) - SHOWN:,} calls more */"] * (len(calls) > SHOWN)
            whole += [f"void {name}(const Memory *m)", "{", *lines, "}\n"]
        return "\n".join(whole)


def text(program: Program, machine: Machine, many: bool = False) -> Text:
    """The forward and the backward of a program in C.

    `many`: other programs like it will come, so functions take lengths and steps as arguments.
    """
    written = _Program(program, machine, general=many)
    if len(written.functions) > KINDS and not many:
        written = _Program(program, machine, general=True)
    return written.text()


@dataclass(frozen=True)
class _Call:
    """A call of a function: where in which memory it works, and numbers."""

    function: str
    memories: tuple[str, ...]
    offsets: tuple[int, ...]

    def text(self) -> str:
        """The call in C."""
        pairs = zip(self.memories, self.offsets, strict=True)
        return f"{self.function}({', '.join(f'{ARRAYS.get(m, m)}{at}' for m, at in pairs)});"

    def moved(self, places: Sequence[int]) -> _Call:
        """The call with places for the negative offsets of a pattern."""
        pairs = zip(self.memories, self.offsets, strict=True)
        offsets = [places[-1 - at] if memory and at < 0 else at for memory, at in pairs]
        return replace(self, offsets=tuple(offsets))

    def numbers(self, places: Mapping[str, int]) -> list[int]:
        """The call in a table; `places` are those of the functions in memory."""
        return [places[f"call_{self.function}"], len(self.offsets), *self.offsets]


class _Written:
    """Which adjoints hold a number already: the first to come sets it, and need not add to 0."""

    def __init__(self, size: int) -> None:
        self.written = bytearray(size)
        self.zeros: list[tuple[int, int]] = []

    def need(self, start: int, stop: int) -> None:
        """Has zeros put where nothing is written yet."""
        while (first := self.written.find(0, start, stop)) >= 0:
            end = self.written.find(1, first, stop)
            end = stop if end < 0 else end
            self.zeros.append((first, end))
            self.written[first:end] = b"\1" * (end - first)

    def claim(self, access: Access, lengths: Sequence[int], may_set: bool = True) -> str:
        """How to write there: "=" or "+="."""
        runs, distinct = _runs(access, lengths)
        if may_set and distinct and all(self.written.find(1, *run) < 0 for run in runs):
            for start, stop in runs:
                self.written[start:stop] = b"\1" * (stop - start)
            return "="
        for run in runs:
            self.need(*run)
        return "+="


def _runs(access: Access, lengths: Sequence[int]) -> tuple[list[tuple[int, int]], bool]:
    """Stretches of memory that an access covers, and whether it covers no place twice.

    Steps of 0 do not count: what is added up along them is written once.
    """
    if access.table is not None:
        return [(min(access.table), max(access.table) + 1)], False
    base, span, distinct = access.base, 1, True
    if not any(access.strides):
        return [(base, base + 1)], True
    axes: list[tuple[int, int]] = []
    for n, step in zip(lengths, access.strides, strict=True):
        if step and n > 1:
            base += min(0, step * (n - 1))
            axes.append((abs(step), n))
    outside: list[int] = [0]
    run = 1
    for step, n in sorted(axes):
        distinct = distinct and step >= span
        span += step * (n - 1)
        if step <= run and len(outside) == 1:
            run += step * (n - 1)
        else:
            outside = [at + i * step for i in range(n) for at in outside]
        if len(outside) > 4096:
            return [(base, base + sum(s * (m - 1) for s, m in axes) + 1)], False
    return [(base + at, base + at + run) for at in outside], distinct


class _Program:
    """A program as calls of functions."""

    def __init__(self, program: Program, machine: Machine, general: bool) -> None:
        self.program = program
        self.formulas = Formulas()
        self.writer = Writer(machine, self.formulas, general)
        self.functions: dict[str, str] = {}  # by the names they are called by
        self.patterns: dict[tuple[object, ...], list[_Call]] = {}
        self.table = array("i")
        self.tables: dict[int, int] = {}  # where each begins
        self.work = 0
        loops = [_known(program, loop) for loop in program.loops]
        self.forward = [call for loop in loops for call in self._calls(loop, None)]
        self.adjoints = _Written(program.size)
        for output in program.outputs:
            self.adjoints.need(output, output + 1)
        self.backward: list[_Call] = []
        for loop in reversed(loops):
            assigns = tuple(self._assigns(loop))
            if any(assigns):
                self.backward += self._calls(loop, assigns)

    def text(self) -> Text:
        """The functions, and the calls of them."""
        zeros = self.adjoints.zeros if len(self.adjoints.zeros) <= 64 else [(0, self.program.size)]
        first = [_Call("zero", ("", ""), (i, j - i)) for i, j in zeros]
        first += [
            _Call("seed", ("", "", ""), place) for place in side_by_side(self.program.outputs)
        ]
        return Text(
            {**ALWAYS, **TRAINING, **self.functions},
            self.formulas.functions,
            self.table,
            self.forward,
            [*first, *self.backward],
            self.work,
        )

    def _calls(self, loop: Loop, assigns: tuple[str, ...] | None) -> list[_Call]:
        """The calls of a loop; the text is written once for loops that differ in places alone."""
        accesses = (*loop.scalars, *loop.vectors)
        kinds = [(access.strides, type(access.table)) for access in accesses]
        key = loop.op, loop.shape, loop.terms, len(loop.scalars), *kinds, assigns
        if key not in self.patterns:
            self.patterns[key] = list(map(self._define, self._written(loop, assigns)))
        places = [a.base if a.table is None else self._at(a.table) for a in accesses]
        return [call.moved([*places, loop.out]) for call in self.patterns[key]]

    def _written(self, loop: Loop, assigns: tuple[str, ...] | None) -> list[Function]:
        """The functions of a loop, with -1, -2, ... for its places."""
        blank = [
            Access(-1 - k, access.strides, None if access.table is None else (), access.needs_grad)
            for k, access in enumerate((*loop.scalars, *loop.vectors))
        ]
        cut = len(loop.scalars)
        out = -1 - len(blank)
        pattern = replace(loop, scalars=tuple(blank[:cut]), vectors=tuple(blank[cut:]), out=out)
        if assigns is None:
            return self.writer.forward(pattern)
        return self.writer.backward(pattern, assigns)

    def _define(self, function: Function) -> _Call:
        """A call of a function, which is written down; its name tells it from all others."""
        head = ", ".join(parameter.declaration for parameter in function.parameters)
        text = "\n".join([f"({head})", "{", *indented(function.lines), "}\n"])
        name = f"{_ascii(function.name)}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        memories = tuple(parameter.memory for parameter in function.parameters)
        passed = [f"{ARRAYS.get(memory, '(int)')}p[{k}]" for k, memory in enumerate(memories)]
        self.functions[f"call_{name}"] = (
            f"static NEVER_INLINED void {name}{text}"
            f"PUBLIC void call_{name}(const Memory *m, const int64_t *p)\n"
            f"{{\n    {name}({', '.join(passed)});\n}}\n"
        )
        self.work = max(self.work, function.work)
        return _Call(name, memories, tuple(parameter.offset for parameter in function.parameters))

    def _assigns(self, loop: Loop) -> Iterator[str]:
        """How the adjoints of each operand are written; "" for those that are not wanted."""
        lengths = (*loop.shape, *loop.terms)
        sizes: list[tuple[int, ...]] = [loop.shape] * len(loop.scalars)
        sizes += [lengths] * len(loop.vectors)
        for access, over in zip((*loop.scalars, *loop.vectors), sizes, strict=True):
            if access.needs_grad and 0 not in over:
                yield self.adjoints.claim(access, over, self.writer.may_set(loop, access))
            else:
                yield ""

    def _at(self, table: tuple[int, ...]) -> int:
        """Where a table begins among all tables."""
        if id(table) not in self.tables:
            self.tables[id(table)] = len(self.table)
            self.table.extend(table)
        return self.tables[id(table)]


def _known(program: Program, loop: Loop) -> Loop:
    """A loop of powers whose exponent is one constant as a loop of one operand."""
    if loop.op is POW:
        exponent = program.constant(loop.scalars[1], loop.shape)
        if exponent is not None and isfinite(exponent):
            return replace(loop, op=with_exponent(POW, exponent), scalars=loop.scalars[:1])
    return loop


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode().hex()
