"""Loops as WebAssembly: `kernel.py` runs them, and the other files write them."""

from engine.replay.backends.wasm.kernel import NAME as NAME
from engine.replay.backends.wasm.kernel import compile as compile
from engine.replay.backends.wasm.kernel import unavailable as unavailable
