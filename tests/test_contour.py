"""Contours against circles, exact areas and each other."""

import math
from itertools import pairwise
from random import Random

import pytest

from nn.contour import areas, contour


def places(count: int, low: float = -1.0, high: float = 1.0) -> list[float]:
    return [low + (high - low) * k / (count - 1) for k in range(count)]


def area_of(line) -> float:
    """By the shoelace formula: above 0 where it runs against the clock."""
    return math.fsum(a * d - b * c for (a, b), (c, d) in pairwise(line)) / 2


def test_a_circle_is_one_closed_line_with_what_is_higher_on_its_left():
    xs = places(80)
    rows = [[0.5 - x * x - y * y for x in xs] for y in xs]
    (line,) = contour(xs, xs, rows, 0.0)
    assert line[0] == line[-1]
    assert all(math.hypot(x, y) == pytest.approx(math.sqrt(0.5), abs=2e-4) for x, y in line)
    assert area_of(line) == pytest.approx(math.pi / 2, rel=1e-3)
    (below,) = contour(xs, xs, [[-height for height in row] for row in rows], 0.0)
    assert area_of(below) == pytest.approx(-area_of(line))


def test_a_line_through_the_plane_is_open():
    xs, ys = places(5), places(7)
    rows = [[x + 0.3 * y for x in xs] for y in ys]
    (line,) = contour(xs, ys, rows, 0.1)
    assert all(x + 0.3 * y == pytest.approx(0.1) for x, y in line)
    assert {line[0][1], line[-1][1]} == {-1.0, 1.0}
    (closed,) = areas(xs, ys, rows, 0.1)
    assert closed[0] == closed[-1]
    assert area_of(closed) == pytest.approx(2 * 0.9)


def test_nothing_and_everything_lie_above():
    xs = places(4)
    rows = [[1.0] * 4] * 4
    assert contour(xs, xs, rows, 0.0) == contour(xs, xs, rows, 2.0) == []
    assert areas(xs, xs, rows, 2.0) == []
    (whole,) = areas(xs, xs, rows, 0.0)
    assert area_of(whole) == 4.0


def test_what_lies_above_and_what_does_not_make_up_the_plane():
    """On noise, where saddles are many; the areas of holes count as negative."""
    draw = Random(0)
    for count in (2, 3, 8, 30):
        for _ in range(10):
            xs, ys = places(count), places(count + 1, 5.0, 9.0)
            rows = [[draw.uniform(-1, 1) for _ in xs] for _ in ys]
            other = [[-height for height in row] for row in rows]
            level = draw.uniform(-0.5, 0.5)
            found = [areas(xs, ys, rows, level), areas(xs, ys, other, -level)]
            assert all(line[0] == line[-1] for lines in found for line in lines)
            above, below = (math.fsum(map(area_of, lines)) for lines in found)
            assert above + below == pytest.approx(8.0, rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 1e300, -1e300, 1e17])
def test_levels_of_any_size(level):
    xs = [0.0, 1.0]
    ((a, b),) = contour(xs, xs, [[level, 2 * level or 1.0]] * 2, 1.5 * level or 0.25)
    assert {a[0], b[0]} == {0.5 if level else 0.25}
    (area,) = areas(xs, xs, [[level, 2 * level or 1.0]] * 2, 1.5 * level or 0.25)
    assert area_of(area) == (0.5 if level else 0.75)
