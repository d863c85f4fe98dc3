"""Loops as running code: one module for each way to run them."""

from importlib import import_module
from math import prod
from types import ModuleType

from engine.roll import Program

NAMES = ("python", "numpy", "c")
CALLS = 150  # as many operands take Python as long as the calls of a loop into NumPy


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
        loop.rows * (len(loop.scalars) + len(loop.vectors) * prod(loop.terms))
        for loop in program.loops
    )
    if operands > CALLS * len(program.loops) and _runs("numpy"):
        return backend("numpy")
    return backend("python")


def better(program: Program, seconds: float) -> ModuleType | None:
    """The C backend, once replaying took `seconds` as long as compiling is likely to take."""
    expected = 0.3 + 0.003 * len(program.loops)
    return backend("c") if seconds > expected and _runs("c") else None


def _runs(name: str) -> bool:
    return import_module(f"{__name__}.{name}").unavailable() is None
