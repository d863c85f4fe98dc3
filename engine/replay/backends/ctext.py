"""A program as C: a function for each kind of loop, and the calls of them as a table of numbers.

Loops that differ in their places alone share a function, so a net of many equal layers stays
small, and so do programs: a function that was compiled for one is there for the next. Places that
no formula gives are numbers in a table, too.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.replay.backends import vectormath
from engine.replay.backends.cformula import Formulas
from engine.replay.backends.cloops import Function, function, views
from engine.replay.backends.contraction import PRELUDE, Machine, indented
from engine.replay.backends.kernel import TINY
from engine.replay.loops import Loop, backward, lower
from engine.replay.roll import Program

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
    if (*p->squares > TINY) return isfinite(*p->squares) && isfinite(*p->size);
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
""".replace("TINY", repr(TINY)),
}
ARRAYS = {
    **{"v": "m->values + ", "a": "m->adjoints + ", "s": "m->seeds + "},
    **{"w": "m->work + ", "t": "m->table + "},
}


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

    def numbers(self, places: Mapping[str, int]) -> list[int]:
        """The call in a table; `places` are those of the functions in memory."""
        return [places[f"call_{self.function}"], len(self.offsets), *self.offsets]


class _Program:
    """A program as calls of functions."""

    def __init__(self, program: Program, machine: Machine, general: bool) -> None:
        self.machine, self.general = machine, general
        self.formulas = Formulas()
        self.functions: dict[str, str] = {}  # by the names they are called by
        self.patterns: dict[tuple[object, ...], tuple[str, Function]] = {}
        self.table = array("i")
        self.tables: dict[int, int] = {}  # where each begins
        self.work = 0
        forward = lower(program)
        self.forward = list(map(self._call, forward))
        self.backward = list(map(self._call, backward(program, forward)))

    def text(self) -> Text:
        """The functions, and the calls of them."""
        return Text(
            {**ALWAYS, **TRAINING, **self.functions},
            self.formulas.functions,
            self.table,
            self.forward,
            self.backward,
            self.work,
        )

    def _call(self, loop: Loop) -> _Call:
        """The call of a loop; the text is written once for loops that differ in places alone."""
        if loop.name == "zero" and not loop.reads:
            return _Call("zero", ("", ""), (loop.target.base, *loop.shape))
        places: list[int] = []
        kinds: list[object] = []
        for view in views(loop).values():
            kinds.append((view.memory, view.strides, view.table is None))
            places.append(view.base)
            if view.table is not None:
                places.append(self._at(view.table))
        what = loop.name, loop.shape, loop.sign, loop.expression, loop.starts, loop.fold, loop.op
        key = *what, *kinds
        if key not in self.patterns:
            self.patterns[key] = self._define(loop)
        name, function = self.patterns[key]
        if function.work:
            places.append(0)
        return _Call(name, function.memories, (*places, *function.numbers))

    def _define(self, loop: Loop) -> tuple[str, Function]:
        """A function, which is written down; its name tells it from all others."""
        made = function(loop, self.machine, self.formulas, self.general)
        text = "\n".join([f"({made.head})", "{", *indented(made.lines), "}\n"])
        name = f"{_ascii(made.name)}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        passed = [f"{ARRAYS.get(memory, '(int)')}p[{k}]" for k, memory in enumerate(made.memories)]
        self.functions[f"call_{name}"] = (
            f"static NEVER_INLINED void {name}{text}"
            f"PUBLIC void call_{name}(const Memory *m, const int64_t *p)\n"
            f"{{\n    {name}({', '.join(passed)});\n}}\n"
        )
        self.work = max(self.work, made.work)
        return name, made

    def _at(self, table: tuple[int, ...]) -> int:
        """Where a table begins among all tables."""
        if id(table) not in self.tables:
            self.tables[id(table)] = len(self.table)
            self.table.extend(table)
        return self.tables[id(table)]


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode().hex()
