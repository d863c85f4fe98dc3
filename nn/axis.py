"""Axes of a chart: where a number stands, and which round numbers are written along it."""

import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from nn.dataset import is_apart

MOST = sys.float_info.max
TINY = 1e-300  # numbers that are closer than this stand at one place
MARGIN = 0.05  # of the numbers' range, at each end
LOG_FROM = 20.0  # numbers of which the largest is so many times the smallest
PLAIN = (-4, 7)  # powers of ten between which a number is written without one


class Tick(NamedTuple):
    """A number on an axis, and what is written there."""

    number: float
    text: str


class Axis(NamedTuple):
    """An axis from `low` to `high`; a logarithmic one has the powers of ten at equal steps."""

    low: float
    high: float
    is_log: bool = False

    def places(self, numbers: Iterable[float]) -> list[float]:
        """Where numbers stand: 0 at `low`, 1 at `high`; far below for what a logarithm lacks.

        >>> Axis(0.0, 10.0).places([5.0, 12.0]), Axis(1.0, 100.0, is_log=True).places([10.0])
        ([0.5, 1.2], [0.5])
        """
        if not self.is_log:
            low, span = self.low / 2, self.high / 2 - self.low / 2
            return [(x / 2 - low) / span for x in numbers]
        low, span = math.log10(self.low), math.log10(self.high) - math.log10(self.low)
        return [(math.log10(x) - low) / span if x > 0 else -math.inf for x in numbers]


def axis_of(numbers: Iterable[float], is_log: bool = False, margin: float = MARGIN) -> Axis:
    """An axis with room for these numbers, some more at its ends.

    >>> axis_of([0.0, 10.0])
    Axis(low=-0.5, high=10.5, is_log=False)
    >>> axis_of([3.0])
    Axis(low=2.0, high=4.0, is_log=False)
    """
    both = list(numbers)
    low, high = min(both), max(both)
    if is_log:
        ratio = math.log10(high) - math.log10(low)
        factor = 10 ** (margin * ratio) if is_apart(low, high) else 2.0
        return Axis(max(low / factor, math.ulp(0.0)), min(high * factor, MOST), is_log=True)
    half, alone = high / 2 - low / 2, max(1.0, 1e-6 * abs(low))
    more = 2 * margin * half if is_apart(low, high) and half > TINY else alone
    return Axis(max(low - more, -MOST), min(high + more, MOST))


def is_wide(numbers: Sequence[float]) -> bool:
    """Whether numbers are so far apart that a logarithmic axis shows them better.

    >>> is_wide([1.0, 100.0]), is_wide([1.0, 10.0]), is_wide([0.0, 100.0])
    (True, False, False)
    """
    low, high = min(numbers), max(numbers)
    return low > 0 and high / LOG_FROM > low


def are_steps_of_ratio(numbers: Iterable[float]) -> bool:
    """Whether each number is rather a multiple of the one before than a step away from it.

    >>> are_steps_of_ratio([0.03, 0.1, 0.3]), are_steps_of_ratio([0.1, 0.2, 0.3])
    (True, False)
    >>> are_steps_of_ratio([1e10, 1e10 + 2e-6, 1e10 + 4e-6])
    False
    """
    each = sorted(set(numbers))
    if len(each) < 3 or each[0] <= 0:
        return False
    return _evenness(list(map(math.log, each))) > _evenness(each)


def _evenness(numbers: Sequence[float]) -> float:
    """The least gap as a part of the largest; 0 where logarithms are too near to be told apart."""
    gaps = [b - a for a, b in pairwise(numbers)]
    return min(gaps) / max(gaps) if any(gaps) else 0.0


def ticks(axis: Axis, most: int) -> list[Tick]:
    """At most so many round numbers on an axis, at equal steps of 1, 2 or 5 times a power of ten.

    A logarithmic axis has powers of ten, and where it has less than two of them also 2 and 5 times
    these.

    >>> [text for _, text in ticks(Axis(-0.2, 2.1), 5)]
    ['0.0', '0.5', '1.0', '1.5', '2.0']
    >>> [text for _, text in ticks(Axis(1e-6, 1.0, is_log=True), 4)]
    ['1e-6', '0.0001', '0.01', '1']
    """
    return (_powers(axis, most) if axis.is_log else []) or _even(axis, most)


def _even(axis: Axis, most: int) -> list[Tick]:
    low, high = (Fraction(repr(end)) for end in (axis.low, axis.high))  # as people write them
    power = math.floor(math.log10((high - low) / 4 / most))
    while True:
        for times in (1, 2, 5):
            step = times * Fraction(10) ** power
            counts = range(math.ceil(low / step), math.floor(high / step) + 1)
            if len(counts) <= most:
                numbers = [float(count * step) for count in counts]
                plain = all(abs(number) < 10 ** PLAIN[1] for number in numbers)
                digits = power if plain and power >= PLAIN[0] else None
                return [Tick(number, _text(number, power, digits)) for number in numbers]
        power += 1


def _powers(axis: Axis, most: int) -> list[Tick]:
    """Powers of ten; each second or third of them where there are many."""
    powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    found = [p for p in powers if axis.low <= float(f"1e{p}") <= axis.high]
    if len(found) < 2:
        pairs = [(times, p) for p in powers for times in (1, 2, 5)]
        pairs = [(t, p) for t, p in pairs if axis.low <= float(f"{t}e{p}") <= axis.high]
    else:
        every = math.ceil(len(found) / most)
        pairs = [(1, p) for p in found if p % every == 0]
    if not 2 <= len(pairs) <= most:
        return []
    return [
        Tick(x := float(f"{times}e{p}"), _text(x, p, p if PLAIN[0] <= p < PLAIN[1] else None))
        for times, p in pairs
    ]


def _text(number: float, power: int, plain: int | None) -> str:
    """A number in digits down to that of a power of ten; 2e-7 unless it can be written plainly."""
    if number == 0:
        power, plain = (power, plain) if plain is not None else (0, 0)
    if plain is not None:
        return f"{number:,.{max(0, -plain)}f}"
    digits = max(0, math.floor(math.log10(abs(number))) - power)
    head, tail = f"{number:.{digits}e}".split("e")
    return f"{head}e{int(tail)}"
