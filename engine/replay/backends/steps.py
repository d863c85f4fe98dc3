"""Lines of generated code, and the room for what they compute on the way."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import NamedTuple

from engine.replay.views import Lengths, View, packed

MEMORIES = {"v": "values", "a": "adjoints", "s": "seeds"}  # as lines call those of loops
Operand = View | float | int  # an array, a number, or a place in memory


class Step(NamedTuple):
    """A line of code; `{0}` stands for the first of its operands."""

    text: str
    operands: tuple[Operand, ...]


class Writer:
    """Collects steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.room: Counter[str] = Counter()  # how many numbers each memory has to hold
        self.used: Counter[str] = Counter()

    def do(self, text: str, *operands: Operand) -> None:
        """Adds a line."""
        self.steps.append(Step(text, operands))

    def temporary(self, shape: Lengths, memory: str = "scratch") -> View:
        """Room for an array, until `clear`."""
        base = self.used[memory]
        self.used[memory] += prod(shape)
        self.room[memory] = max(self.room[memory], self.used[memory])
        return View(memory, base, shape, packed(shape))

    def clear(self) -> None:
        """Gives back the room of all temporaries."""
        self.used.clear()

    def ones(self, n: int) -> View:
        """A row of ones: what is multiplied by it is summed."""
        self.room["ones"] = max(self.room["ones"], n)
        return View("ones", 0, (n,), (1,))
