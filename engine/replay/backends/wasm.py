"""Loops as WebAssembly: made in no time, and fast where there is no C compiler.

In a web page (Pyodide) the browser runs it, elsewhere `wasmtime`.
"""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Sequence
from functools import cached_property

from engine.ieee import FUNCTIONS, OF_TWO
from engine.replay.backends import wasmhost
from engine.replay.backends.kernel import Kernel
from engine.replay.backends.wasmprogram import Text
from engine.replay.roll import Program
from engine.replay.tape import Tape

NAME = "wasm"


def unavailable() -> str | None:
    """Why this backend cannot run here; None where it can."""
    if wasmhost.IS_PAGE or importlib.util.find_spec("wasmtime"):
        return None
    return 'the wasm backend needs wasmtime: pip install "brickgrad[wasm]"'


def compile(program: Program, tape: Tape, many: bool = False) -> WasmKernel:
    """The program as WebAssembly."""
    return WasmKernel(program)


class WasmKernel(Kernel):
    """A program as WebAssembly, and the memory it works on."""

    def __init__(self, program: Program) -> None:
        self._text, room = Text(program), wasmhost.room()
        self._kept = {name: room.numbers(count) for name, count in self._text.sizes.items()}
        self.values, self.adjoints = self._kept["v"][0], self._kept["a"][0]
        self._seeds = self._kept["s"][0]
        self._last: Sequence[float] = ()  # seeds that are in memory
        self.values[: len(program.constants)] = array("d", program.constants)
        module = self._text.module({name: place for name, (_, place) in self._kept.items()})
        of_python = {f"python_{name}": (FUNCTIONS | OF_TWO)[name] for name in self._text.imported}
        self.forward, self._backward = room.load(module, of_python)

    @cached_property
    def source(self) -> str:  # type: ignore[override]
        """The module in the text format (WAT); its memories lie elsewhere when it runs."""
        return self._text.source

    def backward(self, seeds: Sequence[float]) -> None:
        """Computes the gradients of the leaves at the values of the last forward."""
        if seeds is not self._last:
            self._seeds[:] = array("d", seeds)
            self._last = tuple(seeds)
        self._backward()
