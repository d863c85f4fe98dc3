"""Contours: where a function of two variables, known on a grid, is as high as a level."""

from collections.abc import Sequence
from itertools import pairwise

Points = list[tuple[float, float]]
Grid = Sequence[Sequence[float]]  # a row for each y, in it a number for each x

# Of a square of four corners, bit 1 for the one at the lower left, 2 lower right, 4 upper right,
# 8 upper left where the function is above the level: the lines through it, from side to side (0
# below, 1 right, 2 above, 3 left), with what is higher on their left. Of the two squares with
# corners across from each other the first set holds where the middle is not above, else the other.
LINES: dict[int, tuple[tuple[int, int], ...]] = {
    0: (),
    1: ((0, 3),),
    2: ((1, 0),),
    3: ((1, 3),),
    4: ((2, 1),),
    5: ((0, 3), (2, 1)),
    6: ((2, 0),),
    7: ((2, 3),),
    8: ((3, 2),),
    9: ((0, 2),),
    10: ((1, 0), (3, 2)),
    11: ((1, 2),),
    12: ((3, 1),),
    13: ((0, 1),),
    14: ((3, 0),),
    15: (),
}
JOINED = {5: ((0, 1), (2, 3)), 10: ((1, 2), (3, 0))}


def contour(xs: Sequence[float], ys: Sequence[float], rows: Grid, level: float) -> list[Points]:
    """The lines on which a function has this level, by marching squares.

    Each is a list of points (x, y), with what is higher on its left; a closed line ends with the
    point it begins with.

    >>> contour([0.0, 1.0], [0.0, 1.0], [[0.0, 1.0], [0.0, 1.0]], 0.25)
    [[(0.25, 1.0), (0.25, 0.0)]]
    """
    after: dict[tuple[int, int, bool], tuple[int, int, bool]] = {}
    points: dict[tuple[int, int, bool], tuple[float, float]] = {}

    def crossing(i: int, j: int, side: int) -> tuple[int, int, bool]:
        """The side of a square as that of the grid: its first corner, and whether it is upright."""
        i, j, upright = i + (side == 2), j + (side == 1), side % 2 == 1
        side_of_grid = i, j, upright
        if side_of_grid not in points:
            k, m = (i + 1, j) if upright else (i, j + 1)
            a, b = rows[i][j] - level, rows[k][m] - level
            share = a / (a - b)
            x, y = xs[j] + share * (xs[m] - xs[j]), ys[i] + share * (ys[k] - ys[i])
            points[side_of_grid] = x, y
        return side_of_grid

    above = [[height > level for height in row] for row in rows]
    for i, (low, high) in enumerate(pairwise(above)):
        corners = zip(pairwise(low), pairwise(high), strict=True)
        for j, ((a, b), (d, c)) in enumerate(corners):
            kind = a + 2 * b + 4 * c + 8 * d
            lines = LINES[kind]
            if kind in JOINED:
                four = (rows[i][j], rows[i][j + 1], rows[i + 1][j], rows[i + 1][j + 1])
                lines = JOINED[kind] if sum(n - level for n in four) > 0 else lines
            for start, end in lines:
                after[crossing(i, j, start)] = crossing(i, j, end)
    open_ends = after.keys() - set(after.values())
    found = []
    for begin in [*sorted(open_ends), *after]:
        line, here = list[tuple[float, float]](), begin
        while here in after:
            line.append(points[here])
            here = after.pop(here)
        if line:
            found.append([*line, points[here]])
    return found


def areas(xs: Sequence[float], ys: Sequence[float], rows: Grid, level: float) -> list[Points]:
    """What lies above a level, as closed lines around it: some run along the frame.

    >>> (area,) = areas([0.0, 1.0], [0.0, 1.0], [[0.0, 1.0], [0.0, 1.0]], 0.5)
    >>> sorted(set(area))
    [(0.5, 0.0), (0.5, 1.0), (1.0, 0.0), (1.0, 1.0)]
    """
    width = len(xs) + 2
    low = level - max(1.0, abs(level))  # of a frame of no width
    framed = [[low] * width, *([low, *row, low] for row in rows), [low] * width]
    return contour([xs[0], *xs, xs[-1]], [ys[0], *ys, ys[-1]], framed, level)
