"""Loops as WebAssembly: made in no time, and fast where there is no C compiler.

In a web page (Pyodide) the browser runs it, elsewhere `wasmtime`.
"""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from engine.ieee import FUNCTIONS, OF_TWO
from engine.replay.backends.kernel import Kernel, Layout, Seen, Several
from engine.replay.backends.wasm import host, several
from engine.replay.backends.wasm.program import Text
from engine.replay.backends.wasm.walk import NUMBER
from engine.replay.roll import Program
from engine.replay.tape import Tape

NAME = "wasm"


def unavailable() -> str | None:
    """Why this backend cannot run here; None where it can."""
    if host.IS_PAGE or importlib.util.find_spec("wasmtime"):
        return None
    return 'the wasm backend needs wasmtime: pip install "brickgrad[wasm]"'


def compile(program: Program, tape: Tape, many: bool = False) -> WasmKernel:
    """The program as WebAssembly."""
    return WasmKernel(program)


class WasmKernel(Kernel):
    """A program as WebAssembly, and the memory it works on."""

    def __init__(self, program: Program, room: host.Room | None = None) -> None:
        self.program, self._text, self.room = program, Text(program), room or host.room()
        memories = {name: self.room.numbers(count) for name, count in self._text.sizes.items()}
        self.values, self.adjoints = memories["v"][0], memories["a"][0]
        self._kept = memories  # while the code works on them
        self._seeds = memories["s"][0]
        self._last: Sequence[float] = ()  # seeds that are in memory
        self.values[: len(program.constants)] = array("d", program.constants)
        self.starts = {name: place for name, (_, place) in memories.items()}
        module = self._text.module(self.starts)
        of_python = {f"python_{name}": (FUNCTIONS | OF_TWO)[name] for name in self._text.imported}
        self.passes = self.room.load(module, of_python)
        self.forward = self.passes[0]

    @cached_property
    def source(self) -> str:  # type: ignore[override]
        """The module in the text format (WAT); its memories lie elsewhere when it runs."""
        return self._text.source

    def backward(self, seeds: Sequence[float]) -> None:
        """Computes the gradients of the leaves at the values of the last forward."""
        self.sow(seeds)
        self.passes[1]()

    def sow(self, seeds: Sequence[float]) -> None:
        """Puts the adjoints of the outputs into memory."""
        if seeds is not self._last:
            self._seeds[:] = array("d", seeds)
            self._last = tuple(seeds)

    def several(self, seeds: Sequence[float], mover: Kernel, layout: Layout) -> Several:
        """What takes steps of training with another kernel, which moves the parameters."""
        if isinstance(mover, WasmKernel):
            return WasmSeveral(self, seeds, mover, layout)
        return super().several(seeds, mover, layout)


class WasmSeveral(Several):
    """Steps of training in one call, which nothing interrupts."""

    def __init__(
        self, loss: WasmKernel, seeds: Sequence[float], mover: WasmKernel, layout: Layout
    ) -> None:
        self._kernel, self._seeds, self._room = loss, seeds, loss.room
        is_near = mover.room is loss.room  # code reaches no other room: there a copy moves
        self._mover, self._own = mover, mover if is_near else WasmKernel(mover.program, loss.room)
        start = loss.starts["v"]
        outputs = array("I", [start + NUMBER * place for place in layout.outputs])
        self._kept = layout, outputs  # while the code works on them
        places = several.Places(
            *(start, loss.starts["a"], self._own.starts["v"]),
            [self._room.address(rows.numbers) for _, rows in layout.columns],
            *map(self._room.address, (outputs, layout.labels)),
        )
        called = [*loss.passes, self._own.forward]
        functions = dict(zip(several.PASSES, called, strict=True))
        module = several.module(layout, places)
        (self._call,) = self._room.load(module, functions)
        room, self._count = self._room.numbers(1)
        self._done = memoryview(room).cast("B").cast("i")
        self._memories: dict[str, tuple[memoryview[Any], int]] = {}  # of the last call

    @property
    def done(self) -> int:  # type: ignore[override]
        """How many steps of the last call were taken."""
        return int(self._done[0])

    def __call__(
        self, steps: int, points: int, rows: array[int] | None, rates: array[float]
    ) -> Seen:
        """Takes so many steps, or fewer: see `Several`."""
        self._kernel.sow(self._seeds)
        self._done[0] = 0
        places = [self._put("rows", rows) if rows is not None else 0, self._put("rates", rates)]
        found = array("d", bytes(8 * steps)), array("d", bytes(8 * steps)), array("i", [0] * steps)
        seen: dict[str, Any] = dict(zip(("losses", "squares", "rights"), found, strict=True))
        places += [self._put(name, numbers) for name, numbers in seen.items()]
        if self._own is not self._mover:
            self._own.values[:] = self._mover.values
        try:
            self._call(steps, points, *places, self._count)
        finally:
            if self._own is not self._mover:
                self._mover.values[:] = self._own.values
        for name, numbers in seen.items():
            memoryview(numbers)[:] = self._memories[name][0][: len(numbers)]
        return found

    def _put(self, name: str, numbers: Any) -> int:
        """The address of a copy in the memory that the code works on."""
        if name not in self._memories or len(self._memories[name][0]) < len(numbers):
            room, start = self._room.numbers(2 * len(numbers) + 1)
            self._memories[name] = memoryview(room).cast("B").cast(numbers.typecode), start
        memory, start = self._memories[name]
        memory[: len(numbers)] = memoryview(numbers)
        return start
