"""A program as C: a function for each kind of loop, called with the places it works on.

Loops that differ in their places alone share a function, so a net of many equal layers stays
small. Places that no formula gives are numbers in a table, which is data and not text. Where
there are thousands of loops, the calls themselves become a table that a switch reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.backends.cformula import Formulas
from engine.backends.cloops import Function, Writer
from engine.backends.contraction import PRELUDE, Machine, indented
from engine.backends.kernel import side_by_side
from engine.roll import Access, Loop, Program

CALLS = 1500  # more than these are read from a table
KINDS = 600  # of functions; with more, small loops take their lengths and steps as arguments

HEAD = """#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

typedef struct {
    double *values, *adjoints, *work, *seeds;
    const int *table, *forward, *forward_end, *backward, *backward_end;
} Memory;

/* exp within 1 ulp, written without branches so that loops of it run in vector registers */
static inline double power_of_two(double shifted)
{
    uint64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (bits << 52) + ((uint64_t)1023 << 52);
    memcpy(&shifted, &bits, 8);
    return shifted;
}
static inline double exponential(double x)
{
    const double shift = 6755399441055744.0; /* 1.5 times 2^52: the sum holds the nearest integer */
    const double c = x > 710.0 ? 710.0 : x < -746.0 ? -746.0 : x;
    const double n = (c * 1.4426950408889634 + shift) - shift;
    const double r = (c - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    const double half = n * 0.5 + shift;
    const double rest = (n - (half - shift)) + shift;
    double q = 1.6059043836821613e-10;
    q = q * r + 2.0876756987868099e-09;
    q = q * r + 2.505210838544172e-08;
    q = q * r + 2.7557319223985888e-07;
    q = q * r + 2.7557319223985893e-06;
    q = q * r + 2.4801587301587302e-05;
    q = q * r + 0.00019841269841269841;
    q = q * r + 0.0013888888888888889;
    q = q * r + 0.0083333333333333332;
    q = q * r + 0.041666666666666664;
    q = q * r + 0.16666666666666666;
    q = q * r + 0.5;
    return (1.0 + (r + r * r * q)) * power_of_two(half) * power_of_two(rest);
}
static inline double power(double x, double y)
{
    return y == 2.0 ? x * x : y == 1.0 ? x : pow(x, y);
}
"""

# What a training step needs beside the loops.
TAIL = """\
PUBLIC void gather(double *to, const double *from, const int *rows, int count, int width)
{
    for (int k = 0; k < count; k++, to += width)
        memcpy(to, from + (int64_t)rows[k] * width, width * sizeof *to);
}
PUBLIC void largest(int *found, const double *v, const int *places, int count, int width)
{
    for (int k = 0; k < count; k++, places += width) {
        int best = 0;
        for (int j = 1; j < width; j++)
            if (v[places[j]] > v[places[best]]) best = j;
        found[k] = best;
    }
}
"""


@dataclass(frozen=True)
class Text:
    """C code, and the data that goes with it."""

    source: str
    table: array[int]  # places that no formula gives
    calls: tuple[array[int], array[int]]  # forward and backward, where they are too many for text
    work: int  # how many numbers of working memory it needs


def text(program: Program, machine: Machine) -> Text:
    """The forward and the backward of a program in C."""
    written = _Program(program, machine, general=False)
    if len(written.functions) > KINDS:
        written = _Program(program, machine, general=True)
    return written.text()


@dataclass(frozen=True)
class _Call:
    function: str
    memories: tuple[str, ...]
    offsets: tuple[int, ...]

    def text(self, offsets: Sequence[object]) -> str:
        pairs = zip(self.memories, offsets, strict=True)
        arguments = [f"{memory} + {at}" if memory else f"{at}" for memory, at in pairs]
        return f"{self.function}({', '.join(arguments)});"

    def moved(self, places: Sequence[int]) -> _Call:
        """The call with places for the negative offsets of a pattern."""
        pairs = zip(self.memories, self.offsets, strict=True)
        offsets = [places[-1 - at] if memory and at < 0 else at for memory, at in pairs]
        return _Call(self.function, self.memories, tuple(offsets))


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
        self.functions: dict[str, str] = {}  # names by text
        self.patterns: dict[tuple[object, ...], list[_Call]] = {}
        self.table = array("i")
        self.tables: dict[int, int] = {}  # where each begins
        self.work = 0
        self.forward = [call for loop in program.loops for call in self._calls(loop, None)]
        self.adjoints = _Written(program.size)
        for output in program.outputs:
            self.adjoints.need(output, output + 1)
        self.backward: list[_Call] = []
        for loop in reversed(program.loops):
            assigns = tuple(self._assigns(loop))
            if any(assigns):
                self.backward += self._calls(loop, assigns)

    def text(self) -> Text:
        """The whole source."""
        functions = [f"static void {name}{body}" for body, name in self.functions.items()]
        forward, forward_calls = _sequence(self.forward, "forward")
        backward, backward_calls = _sequence(self.backward, "backward")
        zeros = self.adjoints.zeros if len(self.adjoints.zeros) <= 64 else [(0, self.program.size)]
        first = [f"memset(a + {i}, 0, {j - i} * sizeof *a);" for i, j in zeros]
        seeds = [
            f"for (int k = 0; k < {n}; k++) a[{p} + k] += m->seeds[{first_seed} + k];"
            for p, first_seed, n in side_by_side(self.program.outputs)
        ]
        parts = [
            HEAD + PRELUDE,
            *self.formulas.functions,
            *functions,
            *_public("forward", forward),
            *_public("backward", [*first, *seeds, *backward]),
            TAIL,
        ]
        return Text("\n".join(parts), self.table, (forward_calls, backward_calls), self.work)

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
        """A call of a function, which is written down unless its text is there already."""
        head = ", ".join(parameter.declaration for parameter in function.parameters)
        text = "\n".join([f"({head})", "{", *indented(function.lines), "}\n"])
        name = self.functions.setdefault(text, f"{_ascii(function.name)}_{len(self.functions)}")
        self.work = max(self.work, function.work)
        memories = tuple(parameter.memory for parameter in function.parameters)
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


def _sequence(calls: Sequence[_Call], name: str) -> tuple[list[str], array[int]]:
    """The calls one after the other; or, if they are many, a switch and the table it reads."""
    table = array("i")
    if len(calls) <= CALLS:
        return [call.text(call.offsets) for call in calls], table
    kinds = {call.function: call for call in calls}
    numbers = {function: k for k, function in enumerate(kinds)}
    for call in calls:
        table.append(numbers[call.function])
        table.extend(call.offsets)
    cases = []
    for function, call in kinds.items():
        count = len(call.offsets)
        inside = call.text([f"p[{k}]" for k in range(count)])
        cases += [f"case {numbers[function]}:", f"    {inside} p += {count}; break;"]
    head = f"for (const int *p = m->{name}; p < m->{name}_end;) {{"
    return [head, "    switch (*p++) {", *indented(cases), "    }", "}"], table


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode().hex()


def _public(name: str, body: Sequence[str]) -> list[str]:
    return [
        f"PUBLIC void {name}(Memory *m)",
        "{",
        "    double *const v = m->values, *const a = m->adjoints, *const w = m->work;",
        "    const int *const t = m->table;",
        "    (void)v, (void)a, (void)w, (void)t;",
        *indented(body),
        "}\n",
    ]
