"""A function run by a backend and eagerly, and both results."""

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, ClassVar

from engine.replay.backends.kernel import Kernel
from engine.replay.roll import Program, roll
from engine.replay.watch import record
from engine.value import Value


class Ran:
    """Outputs, then gradients of the inputs and of the parameters; a subclass names the backend."""

    backend: ClassVar[ModuleType]

    def __init__(
        self, f: Callable[[], Any], inputs: Sequence[Value], seeds: Sequence[float] = ()
    ) -> None:
        with record() as seen:
            result = f()
        outputs = list(result) if isinstance(result, list | tuple) else [result]
        tape = seen.tape(inputs, outputs, [True] * len(inputs))
        self.program: Program = roll(tape)
        self.kernel: Kernel = self.backend.compile(self.program, tape)
        seeds = seeds or [1.0] * len(outputs)
        leaves = [*inputs, *self.program.parameters]
        first = len(self.program.constants)
        for place, leaf in enumerate(leaves, first):
            self.kernel.values[place] = leaf.data
        for _ in range(2):  # nothing of the first run may show in the second
            self.kernel.forward()
            self.kernel.backward(seeds)
        self.data = [self.kernel.values[p] for p in self.program.outputs]
        self.grads = list(self.kernel.adjoints[first : self.program.leaves])
        for leaf in leaves:
            leaf.zero_grad()
        for output, seed in zip(outputs, seeds, strict=True):
            (output * seed if seed != 1 else output).backward()
        self.want = [output.data for output in outputs]
        self.want_grads = [leaf.grad for leaf in leaves]

    def check(self) -> "Ran":
        """Both agree within 1e-12 of the largest."""
        for got, want in ((self.data, self.want), (self.grads, self.want_grads)):
            scale = max((abs(w) for w in want if math.isfinite(w)), default=0.0)
            for k, (g, w) in enumerate(zip(got, want, strict=True)):
                close = abs(g - w) <= 1e-12 * scale if math.isfinite(w) else g == w
                assert close or (g != g and w != w), (k, g, w)
        return self
