# ruff: noqa: E501 (the table is wider than the text)
"""Where PyTorch, JAX and we give different numbers: the reviewed table, and how to print it.

`python tests/helpers/differences.py > tests/DIFFERENCES.md` writes the page.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oracles import torch_functions

from engine.ops import OPS

inf, nan = math.inf, math.nan
PAGE = Path(__file__).parents[1] / "DIFFERENCES.md"
ZERO_SIGN = "a zero has no sign to keep here: `0.0 if x <= 0`"
FIRST = "one operand has the whole slope, so that slopes add up to 1 in every chain of choices"
NAN = "a nan is chosen like a largest number, and the slope goes to it alone"
UNTAKEN = "the branch that is not taken is not looked at: nothing of it may turn to nan"
KINK = "0 at the kink, as for abs"
OUTSIDE = "outside the domain there is none"
FLUSHES = "flushes the smallest numbers to 0"
ROUNDED = "nan, or rounds pi * x first"
POLE = "whole numbers are taken off first; a pole is one from both sides"


@dataclass(frozen=True)
class Difference:
    """A result of a row (0 is z, 1 and 2 the partials) where an engine differs from ours."""

    name: str
    result: int
    where: Callable[..., bool]
    example: tuple[float, ...]
    theirs: str  # what the other engine does
    why: str  # why ours


def _squares_overflow(x: float, y: float) -> bool:
    """Whether those of two operands do, or are too small for all digits."""
    return not 1e-290 < x * x + y * y < inf or 0 < min(abs(x), abs(y)) < 1e-320


# fmt: off
TORCH = [
    Difference("abs", 1, math.isnan, (nan,), "slope 0", "unknown data have an unknown slope"),
    Difference("expm1", 1, lambda x: x == -40, (-40.0,), "computes z + 1, which cancels", "exp(x) keeps its digits"),
    Difference("log1p", 0, lambda x: x == 5e-324, (5e-324,), "flushes the smallest number to 0", "log1p(x) is x there"),
    Difference("tanh", 1, lambda x: abs(x) >= 20, (20.0,), "computes 1 - z * z, which cancels", "at most 4 ulp off everywhere"),
    Difference("sigmoid", 1, lambda x: x >= 20, (40.0,), "computes z * (1 - z), which cancels", "at most 4 ulp off everywhere"),
    Difference("relu", 0, lambda x: x == 0, (-0.0,), "keeps the sign of -0.0", ZERO_SIGN),
    Difference("max", 1, lambda x, y: x == y, (1.0, 1.0), "splits the slope of equals in two", FIRST),
    Difference("max", 2, lambda x, y: x == y, (1.0, 1.0), "splits the slope of equals in two", FIRST),
    Difference("min", 1, lambda x, y: x == y, (1.0, 1.0), "splits the slope of equals in two", FIRST),
    Difference("min", 2, lambda x, y: x == y, (1.0, 1.0), "splits the slope of equals in two", FIRST),
    Difference("max", 1, lambda x, y: y != y, (1.0, nan), "gives both slope 1", NAN),
    Difference("max", 2, lambda x, y: x != x, (nan, 1.0), "gives both slope 1", NAN),
    Difference("min", 1, lambda x, y: y != y, (1.0, nan), "gives both slope 1", NAN),
    Difference("min", 2, lambda x, y: x != x, (nan, 1.0), "gives both slope 1", NAN),
    Difference("pow", 1, lambda x, y: x == 5e-324, (5e-324, -1e-17), "x ** (y - 1) overflows", "y * z / x does not"),
    Difference("pow", 1, lambda x, y: math.copysign(1, x) < 0 and abs(y) >= 2**53, (-1.0, -1e154), "y - 1 rounds to y, the wrong parity", "such a y is even, so y - 1 is odd"),
    Difference("leaky_relu", 1, lambda x, y: x > 0 and y - y != 0, (1.0, inf), "0 * inf from the branch not taken", UNTAKEN),
    Difference("leaky_relu", 2, lambda x, y: x == inf, (inf, 0.5), "0 * inf from the branch not taken", UNTAKEN),
    Difference("log10", 1, lambda x: abs(x) >= 1e308, (1e308,), FLUSHES, "such numbers have digits too"),
    Difference("hypot", 1, lambda x, y: x == y == 0, (0.0, 0.0), "0 / 0", KINK),
    Difference("hypot", 2, lambda x, y: x == y == 0, (0.0, 0.0), "0 / 0", KINK),
    Difference("atan2", 1, _squares_overflow, (1e-300, 1e200), "computes x * x + y * y, which overflows", "divides twice"),
    Difference("atan2", 2, _squares_overflow, (1e200, 0.5), "computes x * x + y * y, which overflows", "divides twice"),
    Difference("asinh", 1, lambda x: 1e154 < abs(x) < inf, (1e200,), "computes 1 + x * x, which overflows", "`hypot` does not"),
    Difference("acosh", 1, lambda x: 1e154 < x < inf, (1e200,), "computes x * x - 1, which overflows", "two roots do not"),
    Difference("acosh", 1, lambda x: x <= -1, (-3.0,), "a slope where there is no result", OUTSIDE),
    Difference("sinc", 0, lambda x: 0.5 < abs(x) < inf, (20.0,), "sin(pi * x), of a pi that was rounded", "whole turns are taken off first"),
    Difference("sinc", 1, lambda x: 0 < abs(x) < 1e-7, (1e-8,), "a difference, which cancels", "a series near 0"),
    Difference("sinc", 1, lambda x: 1e15 < abs(x) < inf, (1e200,), "cos(pi * x), of a pi that was rounded", "whole turns are taken off first"),
    Difference("logit", 1, lambda x: not 0 < x < 1, (-3.0,), "nan where there is no result", "that of log: -1 at -1, in PyTorch too"),
    Difference("trigamma", 0, lambda x: 0 < x < 20, (0.5,), "right to 1e-9", "at most 4 (1 + condition) ulp off"),
    Difference("trigamma", 0, lambda x: x < 0 and x - x == 0, (-3.0,), ROUNDED, POLE),
    Difference("trigamma", 1, lambda x: x == 0, (-0.0,), "another sign of the pole", "that of -2 / x ** 3"),
    Difference("trigamma", 1, lambda x: abs(x) == inf, (inf,), "inf - inf", "the limit, 0; from the left there is none"),
    Difference("digamma", 0, lambda x: x < 0 and x - x == 0, (-3.0,), ROUNDED, POLE),
    Difference("digamma", 1, lambda x: 0 < x < 20, (0.5,), "right to 1e-9", "at most 4 (1 + condition) ulp off"),
    Difference("digamma", 1, lambda x: x < 0 and x - x == 0, (-3.0,), ROUNDED, POLE),
    Difference("lgamma", 1, lambda x: x < 0 and x - x == 0, (-3.0,), ROUNDED, POLE),
    Difference("elu", 1, lambda x, y: x == -40, (-40.0, 2.0), "computes exp(x) - 1, and adds 1", "exp(x) keeps its digits"),
    Difference("selu", 1, math.isnan, (nan,), "slope of the branch above 0", "unknown data have an unknown slope"),
    Difference("logaddexp", 1, lambda x, y: y - x > 700, (0.0, 710.0), FLUSHES, "such numbers have digits too"),
    Difference("logaddexp", 2, lambda x, y: x - y > 700, (710.0, 0.0), FLUSHES, "such numbers have digits too"),
    Difference("xlogy", 2, lambda x, y: x == y == 0, (0.0, 0.0), "0 / 0", "0 for each other y; so p * log(p) has a slope"),
    Difference("sign", 0, math.isnan, (nan,), "0", "unknown data have an unknown sign"),
    Difference("copysign", 1, lambda x, y: abs(x) == inf, (inf, -1.0), "computes z / x", "1 or -1, as for all other x"),
    Difference("fmod", 2, lambda x, y: y == 0 or abs(x) == inf, (1.0, 0.0), "rounds x / y, which is infinite", "there is no result, so no slope"),
    Difference("fmod", 2, lambda x, y: 0 < abs(y) < 1e-7, (1.0, 1e-8), "rounds x / y before it cuts", "(x - z) / y is the whole number"),
    Difference("mod", 0, lambda x, y: y != 0 and x - x == 0 and math.fmod(x, y) == 0, (-4.0, 2.0), "a zero has the sign of x", "that of y, as in Python"),
]
# fmt: on


def by_torch(name: str, operands: tuple[float, ...]) -> list[float]:
    """The result and the partials as PyTorch has them in float64."""
    import torch

    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in operands]
    result = torch_functions(torch)[name](*tensors)
    result.backward()
    return [result.item(), *(t.grad.item() for t in tensors)]


def jax_functions() -> dict[str, Callable[..., Any]]:
    """The twins of the rows in JAX, in float64."""
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)
    own = {"max": "maximum", "min": "minimum", "neg": "negative", "pow": "power"}
    names = (*own, "abs", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "sinh")
    names = (*names, "cosh", "tanh", "asin", "acos", "atan", "add", "div", "mul", "sub")
    names = (*names, "log10", "hypot", "atan2", "asinh", "acosh", "sinc", "logaddexp", "sign")
    names = (*names, "copysign", "fmod", "mod")
    arithmetic = {"div": "divide", "mul": "multiply", "sub": "subtract"}
    found = {name: getattr(jnp, {**own, **arithmetic}.get(name, name)) for name in names}
    return found | {
        "erf": jax.scipy.special.erf,
        "erfc": jax.scipy.special.erfc,
        "sigmoid": jax.nn.sigmoid,
        "softplus": jax.nn.softplus,
        "relu": jax.nn.relu,
        "leaky_relu": jax.nn.leaky_relu,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "selu": jax.nn.selu,
        "elu": jax.nn.elu,
        "digamma": jax.scipy.special.digamma,
        "lgamma": jax.scipy.special.gammaln,
        "logit": jax.scipy.special.logit,
        "trigamma": lambda x: jax.scipy.special.polygamma(1, x),
        "xlogy": jax.scipy.special.xlogy,
    }


def by_jax(name: str, operands: tuple[float, ...]) -> list[float]:
    import jax

    f = jax_functions()[name]
    slopes = jax.grad(f, argnums=tuple(range(len(operands))))(*operands)
    return [float(f(*operands)), *map(float, slopes)]


def page() -> str:
    """The text of DIFFERENCES.md."""
    lines = [
        "# Where PyTorch, JAX and brickgrad differ",
        "",
        "Every operation was tried at 29 special numbers (zeros, subnormals, neighbours of 1, huge",
        "ones, infinities, nan), at 29 x 29 pairs where it has two operands, and compared with",
        "PyTorch in float64: result and partial derivatives, to 1e-12 and to the sign of a zero.",
        "These rows are all the differences. `z` is the result, `dx` and `dy` are its partials;",
        "each row has an example. JAX (float64) stands beside for the same example.",
        "",
        "| operation | of | example | ours | PyTorch | JAX | what PyTorch does | why ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in TORCH:
        ours = OPS[row.name].forward(row.example)
        three = [each[row.result] for each in
                 (ours, by_torch(row.name, row.example), by_jax(row.name, row.example))]  # fmt: skip
        at = ", ".join(f"{x:.6g}" for x in row.example)
        numbers = " | ".join(f"{x:.6g}" for x in three)
        result = ("z", "dx", "dy")[row.result]
        lines.append(f"| {row.name} | {result} | {at} | {numbers} | {row.theirs} | {row.why} |")
    lines += [
        "",
        "Replayed by NumPy or C, a sum is added in another order. Its last digits may differ, and a",
        "sum of nothing but negative zeros may be 0.0 where it is -0.0 without replay. Replayed in",
        "Python it has the same bits. A weight that several replays share gets their gradients one",
        "replay after the other.",
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(page(), end="")
