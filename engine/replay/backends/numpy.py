"""Loops as calls of NumPy: a loop of dots is one `matmul`.

The arrays are views of the row of memory, made once. The generated code is a straight list of
calls that write where the results belong. A very long program runs from a list of steps instead,
with a function for each kind of step, so that its source stays small.
"""

from __future__ import annotations

import builtins
import importlib.util
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from engine.replay.backends.kernel import Kernel, Rows, memory
from engine.replay.backends.steps import MEMORIES, Operand, Step
from engine.replay.roll import Program
from engine.replay.tape import Tape
from engine.replay.views import View

NAME = "numpy"
PRINTED = 10_000  # steps; more of them run from a list
PREFIXES = {"v": "", "a": "d", "scratch": "t", "masks": "m", "ones": "ones"}
NUMBERS = {"0.0": "zero", "1.0": "one"}

Names = dict[str, Any]


class Calls(Kernel):
    """A program as calls of NumPy."""

    def __init__(self, program: Program) -> None:
        import numpy as np

        from engine.replay.backends.arrays import Plan
        from engine.replay.backends.called import NAMES

        plan = Plan(program)
        self.values, self.adjoints = memory(program), array("d", bytes(8 * program.size))
        called = {row.key: row for loop in program.loops for row in loop.op.callees.values()}
        names: Names = {
            **NAMES,
            "ieee": SimpleNamespace(**vars(NAMES["ieee"]), **called),
            **plan.tables,
            "values": self.values,
            "adjoints": self.adjoints,
            "scratch": np.empty(plan.room["scratch"]),
            "masks": np.empty(plan.room["masks"], dtype=bool),
            "ones": np.ones(plan.room["ones"]),
        }
        if sum(map(len, plan.steps.values())) <= PRINTED:
            self.source = _printed(program, plan.steps, names)
        else:
            self.source = _listed(plan.steps, names)
        exec(builtins.compile(self.source, "<numpy calls>", "exec"), names)
        self.forward, self.backward = names.pop("forward"), names.pop("backward")

    def gather(self, place: int, table: Rows, rows: array[int]) -> None:
        """Writes rows of a table into `values`, side by side from a place on."""
        import numpy as np

        width, count = table.width, len(rows)
        grid = np.frombuffer(table.numbers).reshape(-1, width)
        into = np.frombuffer(self.values, count=width * count, offset=8 * place)
        np.take(grid, rows, axis=0, out=into.reshape(count, width), mode="clip")

    def largest(self, places: array[int], width: int) -> Sequence[int]:
        """Which number is the largest of each `width` at these places; of equals the first."""
        import numpy as np

        numbers = np.frombuffer(self.values).take(np.frombuffer(places, np.intc))
        found: list[int] = numbers.reshape(-1, width).argmax(1).tolist()
        return found


def unavailable() -> str | None:
    """Why this backend cannot run here; None where it can."""
    if importlib.util.find_spec("numpy"):
        return None
    return 'the numpy backend needs NumPy: pip install "brickgrad[numpy]"'


def compile(program: Program, tape: Tape, many: bool = False) -> Kernel:
    r"""The kernel of a program; the order in which the tape was made plays no part.

    >>> from engine.replay.roll import roll
    >>> from engine.replay.watch import record
    >>> from engine.value import Value
    >>> xs = [Value(float(i)) for i in range(6)]
    >>> with record() as seen:
    ...     ys = [x.exp() for x in xs]
    >>> tape = seen.tape(xs, ys, [True] * 6)
    >>> print(compile(roll(tape), tape).source.split("\n\n\n")[1])
    @np.errstate(all="ignore")
    def forward():
        np.exp(x1, out=z1_1)
    """
    return Calls(program)


def _printed(program: Program, steps: Mapping[str, Sequence[Step]], names: Names) -> str:
    """The lines that make the views, then the steps line by line."""
    starts = [loop.out for loop in program.loops]
    views: dict[View, str] = {}
    used: Counter[str] = Counter()

    def kind(place: int) -> str:
        """A letter for constants, inputs, parameters and the results of each loop."""
        if place >= program.leaves:
            return f"z{bisect_right(starts, place)}_"
        first = len(program.constants)
        return "c" if place < first else "x" if place < first + program.inputs else "w"

    def name(operand: Operand) -> str:
        if not isinstance(operand, View):
            return str(operand) if isinstance(operand, int) else _number(operand, names)
        if operand.memory.startswith("table"):
            return operand.memory
        if operand not in views:
            prefix = PREFIXES[operand.memory]
            if operand.memory in MEMORIES:
                prefix += kind(operand.base)
            used[prefix] += 1
            views[operand] = f"{prefix}{used[prefix]}"
        return views[operand]

    functions = []
    for direction, own in steps.items():
        lines = [step.text.format(*map(name, step.operands)) for step in own] or ["pass"]
        functions.append("\n    ".join([_head(direction), *lines]))
    made = [
        f"{name} = view({MEMORIES.get(memory, memory)}, {base}, {shape}, {strides})"
        for (memory, base, shape, strides, _), name in views.items()
    ]
    return "\n".join(made) + "\n\n\n" + "\n\n\n".join(functions) + "\n"


def _listed(steps: Mapping[str, Sequence[Step]], names: Names) -> str:
    """A function for each text of a step, and loops over the lists of steps."""
    kinds: dict[tuple[str, int], str] = {}  # a step's text and how many operands it has
    functions, loops = [], []
    arrays: dict[View, Any] = {}

    def real(operand: Operand) -> Any:
        if not isinstance(operand, View):
            return operand if isinstance(operand, int) else names[_number(operand, names)]
        if operand.memory.startswith("table"):
            return names[operand.memory]
        if operand not in arrays:
            memory = MEMORIES.get(operand.memory, operand.memory)
            arrays[operand] = names["view"](names[memory], *operand[1:4])
        return arrays[operand]

    for direction, own in steps.items():
        for text, operands in own:
            kind = text, len(operands)
            if kind not in kinds:
                kinds[kind] = f"step{len(kinds)}"
                slots = [f"a{k}" for k in range(len(operands))]
                head = f"def {kinds[kind]}({', '.join(['seeds', *slots])}):"
                functions.append(f"{head}\n    {text.format(*slots)}")
        seeds = "seeds" if direction == "backward" else "()"
        loops.append(
            f"{_head(direction)}\n    for step, operands in {direction}_steps:\n"
            f"        step({seeds}, *operands)"
        )
    source = "\n\n\n".join([*functions, *loops]) + "\n"
    exec("\n".join(functions), names)
    for direction, own in steps.items():
        names[f"{direction}_steps"] = [
            (names[kinds[text, len(operands)]], tuple(map(real, operands)))
            for text, operands in own
        ]
    return source


def _head(direction: str) -> str:
    parameters = "seeds" if direction == "backward" else ""
    return f'@np.errstate(all="ignore")\ndef {direction}({parameters}):'


def _number(x: float, names: Names) -> str:
    """The name of a number as an array of no axes: NumPy takes it faster than a float."""
    numbers = names.setdefault("numbers", {})
    text = repr(x)
    if text not in numbers:
        numbers[text] = NUMBERS.get(text, f"number{len(numbers)}")
        names[numbers[text]] = names["np"].array(x)
    return str(numbers[text])
