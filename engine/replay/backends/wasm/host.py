"""What runs WebAssembly: in a web page the browser, elsewhere `wasmtime`.

Either gives numbers in the memory that the code works on, and loads code. In a page that memory is
Python's own, so nothing is copied; elsewhere Python looks into the memory of a store.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, Protocol, TypeAlias
from weakref import WeakSet

from engine.fork import after_fork
from engine.replay.backends.wasm.bytes import Function, Module

Numbers: TypeAlias = "array[float] | memoryview[float]"
IS_PAGE = sys.platform == "emscripten"
PAGE = 65536  # bytes by which memory grows
KERNELS, BYTES = 50, 2**26  # in a room, which ends with the last of them; the next has its own


class Room(Protocol):
    """A place for numbers and code."""

    def numbers(self, count: int) -> tuple[Numbers, int]:
        """So many zeros, and their address."""

    def address(self, numbers: array[float] | array[int]) -> int:
        """Where numbers are that nobody changes, or a copy of them."""

    def load(self, module: Module, imported: Mapping[str, Any]) -> Sequence[Callable[..., None]]:
        """What a module exports; `imported` has what it imports: functions of Python, or exports
        of other modules in this room.
        """


def room() -> Room:
    """Where the next kernel lives."""
    if not _rooms or _rooms[0].is_full:
        _rooms[:] = [_Page() if IS_PAGE else _Store()]
    return _rooms[0]


class _Page:
    """In a web page: Python's own memory, and the browser's compiler."""

    is_full = False

    def numbers(self, count: int) -> tuple[Numbers, int]:
        found = array("d", bytes(8 * count))
        return found, found.buffer_info()[0]

    def address(self, numbers: array[float] | array[int]) -> int:
        return numbers.buffer_info()[0]

    def load(self, module: Module, imported: Mapping[str, Any]) -> Sequence[Callable[..., None]]:
        js, ffi, pyodide = map(importlib.import_module, ("js", "pyodide.ffi", "pyodide_js"))
        env = js.Object.new()
        for name, function in imported.items():
            is_code = isinstance(function, ffi.JsProxy)
            setattr(env, name, function if is_code else _proxy(function))
        env.memory = pyodide._module.memory
        code = js.WebAssembly.Module.new(ffi.to_js(module.encoded()))
        made = js.WebAssembly.Instance.new(code, js.Object.fromEntries(ffi.to_js([["env", env]])))
        return [getattr(made.exports, name) for name in module.exported]


@cache
def _proxy(function: Any) -> Any:
    """A function of Python for code to call; it is kept for good."""
    return importlib.import_module("pyodide.ffi").create_proxy(function)


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
        self._copied: dict[int, tuple[object, int]] = {}  # numbers, and the address of their copy
        self._lock = Lock()
        _stores.add(self)

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
            first = self._memory.data_ptr(self._store)
        whole = _bytes().from_address(ctypes.addressof(first.contents))
        whole.room = self  # which lasts as long as somebody looks into it
        return memoryview(whole).cast("B")[start : start + size].cast("d"), start

    def address(self, numbers: array[float] | array[int]) -> int:
        if id(numbers) not in self._copied:
            content = numbers.tobytes()
            room, start = self.numbers(-(-len(content) // 8))
            memoryview(room).cast("B")[: len(content)] = content
            self._copied[id(numbers)] = numbers, start
        return self._copied[id(numbers)][1]

    def load(self, module: Module, imported: Mapping[str, Any]) -> Sequence[Callable[..., None]]:
        try:
            code = self._wasmtime.Module(_engine(), module.encoded())
        except self._wasmtime.WasmtimeError as error:
            raise RuntimeError(
                f"wasmtime refused a program: {error}\n"
                'Please report it, and use backend="numpy" or "python"'
            ) from None
        with self._lock:
            self._kernels += 1
            functions = [
                self._imported(function, imported[function.name]) for function in module.imported
            ]
            made = self._wasmtime.Instance(self._store, code, [self._memory, *functions])
            exports = made.exports(self._store)
            names = module.exported
            return tuple(_Exported(exports[name], self._store, self._lock) for name in names)

    def close(self) -> None:
        """Gives back what it holds, unless a thread is inside."""
        if self._lock.acquire(blocking=False):
            self._store.close()

    def _imported(self, function: Function, does: Any) -> Any:
        """A function of Python, or one that another module exports."""
        if isinstance(does, _Exported):
            return does.function
        number = self._wasmtime.ValType.f64
        kind = self._wasmtime.FuncType([number() for _ in function.parameters], [number()])
        return self._wasmtime.Func(self._store, kind, does)


@dataclass(frozen=True)
class _Exported:
    """A function in a store."""

    function: Any
    store: Any
    lock: Lock

    def __call__(self, *numbers: int) -> None:
        with self.lock:
            self.function(self.store, *numbers)


_rooms: list[_Page | _Store] = []  # the newest one
_stores: WeakSet[_Store] = WeakSet()
after_fork(_rooms.clear)


@atexit.register
def _end() -> None:
    """Ends stores while all of Python is there: wasmtime complains later."""
    for store in list(_stores):
        store.close()
    if _engine.cache_info().currsize:
        _engine().close()


@cache
def _bytes() -> Any:
    """All that a memory may have: a type for each size would be garbage for the collector."""
    return ctypes.c_ubyte * 2**32


@cache
def _engine() -> Any:
    wasmtime = importlib.import_module("wasmtime")
    config = wasmtime.Config()
    config.parallel_compilation = False  # its threads would not outlive a fork
    config.memory_may_move = False  # Python looks into it
    return wasmtime.Engine(config)
