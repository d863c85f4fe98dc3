"""Ticks against a search in decimal arithmetic; places against exact fractions."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from nn.axis import MOST, Axis, axis_of, is_wide, ticks


def spelled(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def finest(low: float, high: float, most: int) -> list[Decimal]:
    """The multiples of the smallest 1, 2 or 5 times a power of ten that are few enough."""
    a, b = Decimal(repr(low)), Decimal(repr(high))
    for power in range(-330, 310):
        for times in (1, 2, 5):
            step = Decimal(times).scaleb(power)
            if (b - a) / step > most + 1:
                continue
            first, last = (
                math.ceil(Fraction(a) / Fraction(step)),
                math.floor(Fraction(b) / Fraction(step)),
            )
            if last - first + 1 <= most:
                return [step * k for k in range(first, last + 1)]
    raise AssertionError


def axes():
    draw = Random(0)
    for _ in range(200):
        size, middle = 10 ** draw.uniform(-8, 8), draw.uniform(-3, 3)
        yield Axis(middle * size, (middle + draw.uniform(0.01, 5)) * size)
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 1e-300), (1e17, 1.00001e17), (-MOST, MOST)):
        yield Axis(low, high)


@pytest.mark.whole
def test_ticks_are_the_finest_round_numbers_for_which_there_is_room():
    for axis in axes():
        for most in (2, 5, 8):
            found = ticks(axis, most)
            exact = finest(axis.low, axis.high, most)
            assert [tick.number for tick in found] == [float(number) for number in exact]
            assert [spelled(tick.text) for tick in found] == exact, axis


def test_ticks_are_short():
    assert [text for _, text in ticks(Axis(0, 100_000), 5)] == ["0", "50,000", "100,000"]
    assert [text for _, text in ticks(Axis(0, 3e-7), 4)] == ["0", "1e-7", "2e-7", "3e-7"]
    assert [text for _, text in ticks(Axis(-0.25, 0.25), 5)] == [
        "-0.2",
        "-0.1",
        "0.0",
        "0.1",
        "0.2",
    ]
    assert [text for _, text in ticks(Axis(0, 2.5e9), 3)] == ["0", "1e9", "2e9"]


def test_a_logarithmic_axis_has_powers_of_ten():
    draw = Random(1)
    for _ in range(200):
        low = 10 ** draw.uniform(-12, 8)
        axis = Axis(low, low * 10 ** draw.uniform(2, 15), is_log=True)
        for most in (3, 6):
            found = ticks(axis, most)
            assert 1 <= len(found) <= most
            for number, text in found:
                assert axis.low <= number <= axis.high
                assert spelled(text) == Decimal(10) ** spelled(text).adjusted()
                assert float(spelled(text)) == number
            powers = [spelled(text).adjusted() for _, text in found]
            assert len({b - a for a, b in pairwise(powers)}) <= 1


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (1.1, 25, ["2", "5", "10", "20"]),
        (3, 4, ["3.0", "3.2", "3.4", "3.6", "3.8", "4.0"]),
        (0.5, 2e6, ["1", "100", "10,000", "1,000,000"]),
        (1e-9, 1e-7, ["1e-9", "1e-8", "1e-7"]),
    ],
)
def test_a_logarithmic_axis_of_few_powers_has_more(low, high, texts):
    assert [text for _, text in ticks(Axis(low, high, is_log=True), 6)] == texts


def test_places_are_where_exact_arithmetic_has_them():
    draw = Random(2)
    for axis in axes():
        low, high = Fraction(axis.low), Fraction(axis.high)
        numbers = [axis.low + draw.random() * (axis.high / 2 - axis.low / 2) for _ in range(5)]
        for number, place in zip(numbers, axis.places(numbers), strict=True):
            assert place == pytest.approx(float((Fraction(number) - low) / (high - low)), abs=1e-9)


def test_places_on_a_logarithmic_axis():
    axis = Axis(1e-3, 1e3, is_log=True)
    assert axis.places([1e-3, 1, 1e3, 0, -5]) == pytest.approx([0, 0.5, 1, -math.inf, -math.inf])


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize(
    "numbers",
    [
        [3.0],
        [3.0, 3.0],
        [0.3, 0.1 + 0.2],
        [1e17, 1e17],
        [5e-324],
        [5e-324, 1e-323],
        [MOST],
        [1, MOST],
    ],
)
def test_every_axis_has_room(numbers, is_log):
    axis = axis_of(numbers, is_log)
    assert -MOST <= axis.low < axis.high <= MOST
    assert all(0 <= place <= 1 for place in axis.places(numbers))
    for most in range(2, 9):
        assert len(ticks(axis, most)) <= most


def test_numbers_far_apart():
    assert is_wide([1e-300, 1e300])
    assert not is_wide([-1.0, 100.0])
