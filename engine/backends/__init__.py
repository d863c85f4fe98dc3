"""Loops as running code: one module for each way to run them."""

from importlib import import_module
from math import prod
from types import ModuleType

from engine.ops import PICK
from engine.roll import Program

NAMES = ("python", "numpy", "c")

# Measured with Python 3.11, NumPy 2 and gcc on one x86-64 core, forward and backward together.
# Python is as fast as NumPy at 30 to 175 operands a loop, most often near 80.
CALLS = 80
# gcc takes 0.06 to 3.5 s: these seconds, and for each kind of loop those; mostly within 3 times.
COMPILING = 0.1, 0.02


def backend(name: str) -> ModuleType:
    """The backend of a name; RuntimeError where it cannot run here, saying what is missing."""
    if name not in NAMES:
        raise ValueError(f"replay expected a backend of {', '.join(NAMES)}, got {name!r}")
    module = import_module(f"{__name__}.{name}")
    missing = module.unavailable()
    if missing:
        raise RuntimeError(f"backend {name!r} cannot run here: {missing}")
    return module


def first(program: Program) -> ModuleType:
    """What `auto` begins with: the fastest of those that cost nearly no time to compile."""
    operands = sum(
        loop.rows
        * (2 if loop.op is PICK else len(loop.scalars) + len(loop.vectors) * prod(loop.terms))
        for loop in program.loops
    )
    if operands > CALLS * len(program.loops) and _runs("numpy"):
        return backend("numpy")
    return backend("python")


def better(program: Program, seconds: float) -> ModuleType | None:
    """The C backend, once replaying took `seconds` as long as compiling is likely to take."""
    always, each = COMPILING
    kinds = {(loop.op, loop.shape, loop.terms) for loop in program.loops}
    is_worth_it = seconds > always + each * len(kinds)
    return backend("c") if is_worth_it and _runs("c") else None


def _runs(name: str) -> bool:
    return import_module(f"{__name__}.{name}").unavailable() is None
