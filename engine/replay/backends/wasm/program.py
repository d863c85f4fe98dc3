"""A program as a WebAssembly module: a function for each kind of loop, and two that call them.

Loops that differ in their places alone share a function. Places that no formula gives are numbers
in a table, which is the data of the module.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.replay.backends.cloops import views
from engine.replay.backends.wasm.bytes import Function, Instruction, Module, wrapped
from engine.replay.backends.wasm.formula import Formulas
from engine.replay.backends.wasm.loops import LoopFunction
from engine.replay.backends.wasm.walk import NUMBER, PLACE
from engine.replay.loops import Loop, backward, lower
from engine.replay.roll import Program

PASSES = ("forward", "backward")
CALLS = 10_000  # in a function; engines refuse larger ones than 7 MB


class Call(NamedTuple):
    """Where a loop works, as memories and bytes further on, and what runs it there."""

    places: Sequence[tuple[str, int]]
    instructions: Sequence[Instruction]

    def code(self, starts: Mapping[str, int]) -> list[Instruction]:
        """The call, for memories that begin at these addresses."""
        places = [wrapped(starts[memory] + far) for memory, far in self.places]
        return [*(("i32.const", place) for place in places), *self.instructions]


class Text:
    """A program as functions, and what calls them; where its memory lies is said later."""

    def __init__(self, program: Program) -> None:
        self.formulas = Formulas()
        self.table = array("i")  # places that no formula gives, in bytes
        self._made: dict[tuple[object, ...], LoopFunction] = {}
        self._tables: dict[int, int] = {}  # where each begins
        forward = lower(program)
        passes = forward, backward(program, forward)
        self._calls = [[self._call(loop) for loop in each] for each in passes]
        work = max([made.work for made in self._made.values()], default=0)
        self.sizes = {  # how many numbers each memory holds: those of loops, working memory, table
            **{"v": program.size, "a": program.size, "s": len(program.outputs), "w": work},
            "t": -(-PLACE * len(self.table) // NUMBER),
        }

    @property
    def imported(self) -> Mapping[str, Function]:
        """What it asks of Python, by the names of `ieee.py`."""
        of_python = self.formulas.imported
        return {name.removeprefix("python_"): function for name, function in of_python.items()}

    def module(self, starts: Mapping[str, int]) -> Module:
        """The module, for memories that begin at these addresses."""
        passes = [
            function
            for name, calls in zip(PASSES, self._calls, strict=True)
            for function in _pass(name, [call.code(starts) for call in calls])
        ]
        loops = [made.function for made in self._made.values()]
        functions = [*self.formulas.functions.values(), *loops, *passes]
        data = (starts["t"], self.table.tobytes()) if self.table else None
        return Module(functions, [*self.imported.values()], PASSES, data)

    @property
    def source(self) -> str:
        """The module in the text format (WAT), its memories one after the other."""
        starts, used = {}, 0
        for memory, size in self.sizes.items():
            starts[memory], used = used, used + NUMBER * size
        return self.module(starts).text()

    def _call(self, loop: Loop) -> Call:
        """The call of a loop; the function is written once for loops that differ in places."""
        if loop.name == "zero" and not loop.reads:
            place = [("a", NUMBER * loop.target.base)]
            size = ("i32.const", NUMBER * loop.shape[0])
            return Call(place, [("i32.const", 0), size, ("memory.fill",)])
        kinds: list[object] = []
        places: list[tuple[str, int]] = []
        for name, view in views(loop).items():
            kinds.append((name, view.memory, view.strides, view.table is None))
            places.append((view.memory, 0 if view.table is not None else NUMBER * view.base))
            if view.table is not None:
                places.append(("t", PLACE * (self._at(view.table) + view.base)))
        what = loop.name, loop.shape, loop.sign, loop.expression, loop.starts, loop.fold, loop.op
        key = *what, *kinds
        if key not in self._made:
            name = "".join(letter for letter in loop.name if letter.isascii())
            self._made[key] = LoopFunction(f"{name}_{len(self._made)}", loop, self.formulas)
        return Call([*places, ("w", 0)], [("call", self._made[key].function.name)])

    def _at(self, table: tuple[int, ...]) -> int:
        """Where a table begins among all tables."""
        if id(table) not in self._tables:
            self._tables[id(table)] = len(self.table)
            self.table.extend([NUMBER * place for place in table])
        return self._tables[id(table)]


def _pass(name: str, calls: Sequence[Sequence[Instruction]]) -> list[Function]:
    """The function that makes these calls, the last one, and those that take a part of them."""
    parts = [calls[k : k + CALLS] for k in range(0, len(calls), CALLS)] if calls else [calls]
    made = [
        Function(f"{name}_{k}", {}, code=[instruction for call in part for instruction in call])
        for k, part in enumerate(parts)
    ]
    if len(made) == 1:
        made[0].name = name
        return made
    return [*made, Function(name, {}, code=[("call", function.name) for function in made])]
