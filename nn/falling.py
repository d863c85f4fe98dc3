"""Finds a learning rate so small that a single step lowers the loss."""

from collections.abc import Callable, Sequence

from engine.sweep import set_each
from engine.value import Value

HALVINGS = 20


def falling_rate(loss: Callable[[], Value], parameters: Sequence[Value], most: float) -> float:
    """The largest of `most`, its half, its quarter, ... at which a step down lowers the loss.

    `most` where none does, as at the bottom. The parameters stay as they are, their gradients not.

    >>> w = Value(1.0)
    >>> falling_rate(lambda: 8 * w * w, [w], 0.5)
    0.0625
    """
    for p in parameters:
        p.grad = 0.0
    total = loss()
    total.backward()
    home, slopes = [p.data for p in parameters], [p.grad for p in parameters]
    try:
        for halving in range(HALVINGS):
            rate = most * 0.5**halving
            set_each("data", parameters, _stepped(home, slopes, rate))
            if loss().data < total.data:
                return rate
    finally:
        set_each("data", parameters, home)
    return most


def _stepped(home: Sequence[float], slopes: Sequence[float], rate: float) -> list[float]:
    return [x - rate * slope for x, slope in zip(home, slopes, strict=True)]
