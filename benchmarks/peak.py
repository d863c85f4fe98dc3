"""The most products and sums that the core can do in a second, measured in C."""

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.replay.backends import library

SOURCE = """
#ifdef __AVX512F__
enum { BYTES = 64, CHAINS = 24 };
#elif defined(__AVX__)
enum { BYTES = 32, CHAINS = 12 };
#else
enum { BYTES = 16, CHAINS = 12 };
#endif
typedef double vector __attribute__((vector_size(BYTES)));
double peak(long rounds, double keep, double add)
{
    vector x[CHAINS], m = (vector){0} + keep, a = (vector){0} + add;
    for (int c = 0; c < CHAINS; c++) x[c] = a * c;
    for (long k = 0; k < rounds; k++)
#pragma GCC unroll 24
        for (int c = 0; c < CHAINS; c++) x[c] = x[c] * m + a;
    for (int c = 1; c < CHAINS; c++) x[0] += x[c];
    return x[0][0] == 0 ? 0 : 2.0 * rounds * CHAINS * (BYTES / 8);
}
"""
ROUNDS = 50_000
WAYS = {"a product, then a sum": "off", "both in one instruction": "fast"}  # -ffp-contract


def programs() -> dict[str, Callable[[], float]]:
    """For each way to multiply and add: a function that gives billions of both a second."""
    return {name: _program(contract) for name, contract in WAYS.items()}


def _program(contract: str) -> Callable[[], float]:
    command = library.compiler()
    if command is None:
        raise RuntimeError("no C compiler was found")
    native, _ = library.target(command)
    options = ["-O2", *native, f"-ffp-contract={contract}", "-fPIC", "-shared"]
    with tempfile.TemporaryDirectory() as folder:
        text, made = Path(folder, "peak.c"), Path(folder, "peak.lib")
        text.write_text(SOURCE, encoding="ascii")
        subprocess.run([*command, *options, str(text), "-o", str(made)], check=True)
        peak = ctypes.CDLL(str(made)).peak
    peak.argtypes, peak.restype = (ctypes.c_long, ctypes.c_double, ctypes.c_double), ctypes.c_double

    def run() -> float:
        start = time.perf_counter()
        operations: float = peak(ROUNDS, 0.999999, 1e-6)
        return operations / (time.perf_counter() - start) / 1e9

    return run
