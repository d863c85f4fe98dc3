"""WebAssembly beside C on the desktop: the kernels alone, the calls, and what making them takes."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.turns import Measured, Step
from benchmarks.works import MAKING, WORKS
from engine.replay.backends import backend, library
from engine.replay.backends.kernel import Kernel, fill
from engine.replay.backends.wasm.bytes import Function, Module
from engine.replay.backends.wasm.kernel import WasmKernel
from engine.replay.roll import Program
from engine.replay.tape import Tape

BURST = 0.005  # seconds
TURNS = 7
PASSES = ("forward", "backward")


def beside_c(work: str, _: Any) -> Step:
    """Forward and backward in the time of C; in the note the call, and the making in gcc's time."""
    program, tape = ours.rolled(ours.TRAININGS[work](WORKS[work].task()))
    kernels = [_filled(backend(name).compile(program, tape), program) for name in ("wasm", "c")]
    runs = [_repeated(kernels[0]), _called(kernels[1]), _called(kernels[0])]

    def step(number: int) -> Measured:
        taken = [[_seconds(run) for run in runs] for _ in range(TURNS)]
        ours, theirs, called = map(min, zip(*taken, strict=True))
        made, compiled = _making("wasm", program, tape), _making("c", program, tape)
        calls = max(0.0, called - ours)
        note = (
            f"{ours * 1e6:.1f} us and {calls * 1e6:.0f} for two calls, C {theirs * 1e6:.1f} us; "
            f"made in {made * 1000:.0f} ms, C in {compiled * 1000:.0f}"
        )
        return Measured([], ours / theirs, note, {MAKING: made / compiled})

    return step


def _filled(kernel: Kernel, program: Program) -> Kernel:
    fill(kernel.values, len(program.constants), [p.data for p in program.parameters])
    kernel.forward()
    kernel.backward((1.0,))
    return kernel


def _called(kernel: Kernel) -> Callable[[int], None]:
    """So many runs, each called from Python."""

    def run(count: int) -> None:
        for _ in range(count):
            kernel.forward()
            kernel.backward((1.0,))

    return run


def _repeated(kernel: Kernel) -> Callable[[int], None]:
    """So many runs in one call."""
    assert isinstance(kernel, WasmKernel)
    function = Function("repeated", {"count": "i32"})
    function.do(("loop",), *(("call", name) for name in PASSES), ("local.get", "count"))
    function.do(("i32.const", 1), ("i32.sub",), ("local.tee", "count"), ("br_if", 0), ("end",))
    module = Module([function], [Function(name, {}) for name in PASSES], [function.name])
    (run,) = kernel.room.load(module, dict(zip(PASSES, kernel.passes, strict=True)))
    return run


def _seconds(run: Callable[[int], None]) -> float:
    """What one of so many runs takes as fill a burst."""
    count = 1
    while True:
        start = time.perf_counter()
        run(count)
        taken = time.perf_counter() - start
        if taken > BURST:
            return taken / count
        count *= 2


def _making(name: str, program: Program, tape: Tape) -> float:
    """Seconds from a program to a kernel, with nothing cached."""
    with tempfile.TemporaryDirectory() as folder:
        library.folders = lambda: iter([Path(folder)])
        library.forget()
        start = time.perf_counter()
        backend(name).compile(program, tape)
        return time.perf_counter() - start
