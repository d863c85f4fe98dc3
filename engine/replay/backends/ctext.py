"""A program as C: a function for each kind of loop, and the calls of them as a table of numbers.

Loops that differ in their places alone share a function, so a net of many equal layers stays
small, and so do programs: a function that was compiled for one is there for the next. Places that
no formula gives are numbers in a table, too.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.replay.backends import vectormath
from engine.replay.backends.ccontraction import PRELUDE, indented
from engine.replay.backends.cformula import Formulas
from engine.replay.backends.cloops import Function, views
from engine.replay.backends.contraction import Machine
from engine.replay.backends.kernel import TINY
from engine.replay.loops import Loop, backward, lower
from engine.replay.roll import Program

SHOWN = 100  # calls in the source that people read
KINDS = 600  # of functions; with more, small loops take their lengths and steps as arguments

_TEXT = Path(__file__).with_suffix(".c").read_text(encoding="ascii").replace("TINY", repr(TINY))
_, HEAD, *_TEXTS = [f"{part.rstrip()}\n" for part in _TEXT.split("\n\n\n")]
FUNCTIONS = {re.findall(r"PUBLIC void (\w+)", text)[0]: text for text in _TEXTS}
TRAINING = {"gather", "largest", "several"}  # take whole steps of training
ARRAYS = {
    **{"v": "m->values + ", "a": "m->adjoints + ", "s": "m->seeds + "},
    **{"w": "m->work + ", "t": "m->table + "},
}
_Pattern = tuple[str, tuple[str, ...], tuple[int, ...]]  # a function, its memories, its numbers


class Call(NamedTuple):
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


def text(program: Program, machine: Machine, many: bool = False) -> Text:
    """The forward and the backward of a program in C.

    `many`: other programs like it will come, so functions take lengths and steps as arguments.
    """
    written = Text(program, machine, general=many)
    if len(written.functions) - len(FUNCTIONS) > KINDS and not many:
        written = Text(program, machine, general=True)
    return written


class Text:
    """A program as calls of functions of C, and the data that goes with them."""

    def __init__(self, program: Program, machine: Machine, general: bool) -> None:
        self.machine, self.general = machine, general
        self.functions = dict(FUNCTIONS)  # by the names they are called by
        self.formulas = Formulas()  # that they use
        self.table = array("i")  # places that no formula gives
        self.work = 0  # how many numbers of working memory they need
        self._patterns: dict[tuple[object, ...], _Pattern] = {}
        self._tables: dict[int, int] = {}  # where each begins
        forward = lower(program)
        self.forward = list(map(self._call, forward))
        self.backward = list(map(self._call, backward(program, forward)))

    def unit(self, names: Sequence[str]) -> str:
        """The source of some of the functions."""
        own = [*self.formulas.functions, *(self.functions[name] for name in names)]
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

    def _call(self, loop: Loop) -> Call:
        """The call of a loop; the text is written once for loops that differ in places alone."""
        if loop.name == "zero" and not loop.reads:
            return Call("zero", ("", ""), (loop.target.base, *loop.shape))
        places: list[int] = []
        kinds: list[object] = []
        for view in views(loop).values():
            kinds.append((view.memory, view.strides, view.table is None))
            places.append(view.base)
            if view.table is not None:
                places.append(self._at(view.table))
        what = loop.name, loop.shape, loop.sign, loop.expression, loop.starts, loop.fold, loop.op
        key = *what, *kinds
        if key not in self._patterns:
            self._patterns[key] = self._define(loop)
        name, memories, numbers = self._patterns[key]
        places += [0] * ("w" in memories)
        return Call(name, memories, (*places, *numbers))

    def _define(self, loop: Loop) -> _Pattern:
        """A function, which is written down; its name tells it from all others."""
        made = Function(loop, self.machine, self.formulas, self.general)
        text = "\n".join([f"({made.head})", "{", *indented(made.lines), "}\n"])
        name = f"{_ascii(loop.name)}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        passed = [f"{ARRAYS.get(memory, '(int)')}p[{k}]" for k, memory in enumerate(made.memories)]
        self.functions[f"call_{name}"] = (
            f"static NEVER_INLINED void {name}{text}"
            f"PUBLIC void call_{name}(const Memory *m, const int64_t *p)\n"
            f"{{\n    {name}({', '.join(passed)});\n}}\n"
        )
        self.work = max(self.work, made.work)
        return name, made.memories, made.numbers

    def _at(self, table: tuple[int, ...]) -> int:
        """Where a table begins among all tables."""
        if id(table) not in self._tables:
            self._tables[id(table)] = len(self.table)
            self.table.extend(table)
        return self._tables[id(table)]


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode().hex()
