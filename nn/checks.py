"""What settings may be: a switch, a size, a finite number, a seed, a model; else an error."""

import math
import random
from operator import index
from reprlib import repr as short
from typing import Any

from engine.number import number

Seed = int | random.Random | None


def switch(name: str, x: Any) -> bool:
    """`x` as True or False, where it is one of them, or 1 or 0, as micrograd's code has; TypeError.

    A text is refused: any text, "False" too, would count as true.
    """
    try:
        known = (0, 1).index(x)  # NumPy's True is 1 as well
    except ValueError:  # it is neither, or an array
        raise TypeError(f"{name} expected True or False, got {short(x)}") from None
    return known == 1


def size(what: str, n: int) -> int:
    """`n`, where it is an int of at least 1."""
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"the number of {what} must be an int, got {short(n)}")
    if index(n) < 1:
        raise ValueError(f"the number of {what} must be at least 1, got {short(n)}")
    return index(n)


def finite(
    name: str,
    x: object,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """`x` as a float, where it is finite, `least <= x < below` and `x <= most`; else ValueError."""
    try:
        z = math.nan if isinstance(x, bool) else number(x)
    except (TypeError, OverflowError):
        z = math.nan
    if not (math.isfinite(z) and least <= z < below and z <= most):
        bounds = f" of at least {least:g}" if least > -math.inf else ""
        bounds += f" and below {below:g}" if below < math.inf else ""
        bounds += f" and at most {most:g}" if most < math.inf else ""
        raise ValueError(f"{name} expected a finite number{bounds}, got {short(x)}")
    return z


def check_model(who: str, model: object) -> None:
    """TypeError for what cannot be called with an example, as a model is."""
    if isinstance(model, type):
        raise TypeError(
            f"{who} expected a model, got the class {model.__name__}: make one, such as "
            "net = MLP(2, [16, 1])"
        )
    if not callable(model):
        has_forward = callable(getattr(model, "forward", None))
        words = "name its method forward __call__" if has_forward else "got no function and no net"
        kind = type(model).__name__
        raise TypeError(f"{who} expected a model to call with one example, {kind}: {words}")


def generator(seed: Seed) -> random.Random:
    """The generator of random numbers that a seed stands for, itself where it is one."""
    if isinstance(seed, random.Random):
        return seed
    try:
        return random.Random(seed)
    except TypeError:
        raise TypeError(f"seed expected an int or a random.Random, got {short(seed)}") from None
