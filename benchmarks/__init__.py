"""How fast, how much memory: `python -m benchmarks` prints every figure that the README gives."""
