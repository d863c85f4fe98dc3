"""What runs WebAssembly: in a web page the browser, elsewhere `wasmtime`.

Either gives numbers in the memory that the code works on, and loads code. In a page that memory is
Python's own, so nothing is copied; elsewhere Python looks into the memory of a store.
"""

from __future__ import annotations

import importlib
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from threading import Lock
from typing import Any, Protocol, TypeAlias

from engine.fork import after_fork
from engine.replay.backends.wasmbytes import Function, Module

Numbers: TypeAlias = "array[float] | memoryview[float]"
IS_PAGE = sys.platform == "emscripten"
PAGE = 65536  # bytes by which memory grows
KERNELS, BYTES = 50, 2**26  # in a room, which ends with the last of them; the next has its own


class Room(Protocol):
    """A place for numbers and code."""

    def numbers(self, count: int) -> tuple[Numbers, int]:
        """So many zeros, and their address."""

    def load(
        self, module: Module, imported: Mapping[str, Callable[..., Any]]
    ) -> Sequence[Callable[[], None]]:
        """What a module exports; `imported` are the functions that it imports, in their order."""


def room() -> Room:
    """Where the next kernel lives."""
    if IS_PAGE:
        return _Page()
    if not _rooms or _rooms[0].is_full:
        _rooms[:] = [_Store()]
    return _rooms[0]


class _Page:
    """In a web page: Python's own memory, and the browser's compiler."""

    def numbers(self, count: int) -> tuple[Numbers, int]:
        found = array("d", bytes(8 * count))
        return found, found.buffer_info()[0]

    def load(
        self, module: Module, imported: Mapping[str, Callable[..., Any]]
    ) -> Sequence[Callable[[], None]]:
        js, ffi, pyodide = map(importlib.import_module, ("js", "pyodide.ffi", "pyodide_js"))
        given = {name: ffi.create_proxy(function) for name, function in imported.items()}
        env = js.Object.fromEntries(ffi.to_js([*given.items()]))
        env.memory = pyodide._module.wasmExports.memory
        code = js.WebAssembly.Module.new(ffi.to_js(module.encoded()))
        made = js.WebAssembly.Instance.new(code, js.Object.fromEntries(ffi.to_js([["env", env]])))
        return [getattr(made.exports, name) for name in module.exported]


class _Store:
    """Elsewhere: a store of wasmtime and its memory, for some kernels that may call each other.

    What is in it goes when none of them is left. One thread at a time is inside.
    """

    def __init__(self) -> None:
        self._wasmtime = wasmtime = importlib.import_module("wasmtime")
        self._store = wasmtime.Store(_engine())
        kind = wasmtime.MemoryType(wasmtime.Limits(1, None))
        self._memory = wasmtime.Memory(self._store, kind)
        self._used, self._kernels = 16, 0
        self._lock = Lock()

    @property
    def is_full(self) -> bool:
        return self._kernels >= KERNELS or self._used >= BYTES

    def numbers(self, count: int) -> tuple[Numbers, int]:
        with self._lock:
            start, size = self._used, 8 * count
            self._used += -(-size // 16) * 16
            missing = self._used - self._memory.data_len(self._store)
            if missing > 0:
                self._memory.grow(self._store, -(-missing // PAGE))
            buffer = self._memory.get_buffer_ptr(self._store, size, start)
        buffer.room = self  # which lasts as long as somebody looks into it
        return memoryview(buffer).cast("B").cast("d"), start

    def load(
        self, module: Module, imported: Mapping[str, Callable[..., Any]]
    ) -> Sequence[Callable[[], None]]:
        code = self._wasmtime.Module(_engine(), module.encoded())
        with self._lock:
            self._kernels += 1
            functions = [
                self._imported(function, imported[function.name]) for function in module.imported
            ]
            made = self._wasmtime.Instance(self._store, code, [self._memory, *functions])
            exports = made.exports(self._store)
            return [self._called(exports[name]) for name in module.exported]

    def _imported(self, function: Function, does: Callable[..., Any]) -> Any:
        number = self._wasmtime.ValType.f64
        kind = self._wasmtime.FuncType([number() for _ in function.parameters], [number()])
        return self._wasmtime.Func(self._store, kind, does)

    def _called(self, function: Any) -> Callable[[], None]:
        store, lock = self._store, self._lock

        def call() -> None:
            with lock:
                function(store)

        return call


_rooms: list[_Store] = []  # the newest one
after_fork(_rooms.clear)


@cache
def _engine() -> Any:
    wasmtime = importlib.import_module("wasmtime")
    config = wasmtime.Config()
    config.parallel_compilation = False  # its threads would not outlive a fork
    return wasmtime.Engine(config)
