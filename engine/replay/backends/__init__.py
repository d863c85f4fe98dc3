"""Loops as running code: one module for each way to run them."""

from importlib import import_module
from types import ModuleType

NAMES = ("python", "numpy", "wasm", "c")


def backend(name: str) -> ModuleType:
    """The backend of a name; RuntimeError where it cannot run here, saying what is missing."""
    if name not in NAMES:
        raise ValueError(f"replay expected a backend of {', '.join(NAMES)}, got {name!r}")
    module = import_module(f"{__name__}.{name}")
    missing = module.unavailable()
    if missing:
        raise RuntimeError(f"backend {name!r} cannot run here: {missing}")
    return module


def _runs(name: str) -> bool:
    return import_module(f"{__name__}.{name}").unavailable() is None
