"""Warns of numbers so far from the others of their column that a net sees little else."""

import math
from collections.abc import Sequence

from engine.pictures.texts import many, visible
from nn.data import Dataset

FEWEST = 20  # rows, of which a share says something
RARE = 0.01  # of the rows, or a single one, may be extreme
MOST_OF_IT = 0.9  # of the squared distances from the mean: the loss of a net that says the mean
FLAT = 0.01  # of the scale: within so little the others look the same to a net
APART = 3.0  # times the range of all others: so far out stands what may mean a gap, such as -999
FEWEST_OTHERS = 5  # numbers that differ, for their range to say something
SHOWN = 4  # names in a line


def extremes(rows: Dataset, scaled: Dataset) -> list[str]:
    """A line about columns, and one about the target, in which few rows outweigh all others.

    `scaled` are the rows with mean 0 and standard deviation 1.

    >>> xs = [[float(k)] for k in range(99)] + [[1e12]]
    >>> rows = Dataset(xs, [0, 1] * 50, ("a",), ("no", "yes"), "y")
    >>> from nn.task import learn
    >>> print(*extremes(rows, learn(rows).scaled(rows)))
    'a' (1e+12) holds a number so far from the others that these look all the same to the net: is \
it a slip? Mend it, or leave out the row or the column
    """
    n = len(rows.xs)
    if n < FEWEST:
        return []
    few = max(1, int(RARE * n))
    flattened, marks = list[str](), list[str]()
    for k, column in enumerate(zip(*scaled.xs, strict=True)):
        mark = _mark(column)
        if mark is not None:
            where = column.index(mark)
            times = many(column.count(mark), "row")
            marks.append(f"{_name(rows, k)} ({rows.xs[where][k]:.4g} in {times})")
            continue
        least, most = min(column), max(column)
        far_out = max(most, -least)
        if far_out**2 * few < MOST_OF_IT * n:
            continue  # no row is far enough out to outweigh the others
        far = _farthest(column, few)
        others = [z for i, z in enumerate(column) if i not in far]
        if 0 < max(others) - min(others) < FLAT or _is_lost(rows, k, far, others):
            flattened.append(f"{_name(rows, k)} ({rows.xs[far[0]][k]:.4g})")
    found = []
    if marks:
        found.append(
            "far from all other numbers of a column stands one, again and again: "
            f"{_listed(marks)}. Does it stand for a gap? Then empty these cells"
        )
    if flattened:
        is_one = len(flattened) == 1
        found.append(
            f"{_listed(flattened)} {'holds' if is_one else 'hold'} a number so far from the others "
            "that these look all the same to the net: is it a slip? Mend it, or leave out the row "
            "or the column"
        )
    return found + ([] if rows.classes else _targets(rows, scaled.ys, few))


def _name(rows: Dataset, k: int) -> str:
    return repr(visible(rows.features[k]) if rows.features else f"x{k}")


def _mark(column: Sequence[float]) -> float | None:
    """A number that comes again and again, far from all others of a column; None without one.

    >>> _mark([1.0, 2.0, 3.0, 4.0, 5.0, -999.0, -999.0]), _mark([1.0, 2.0, 3.0, 4.0, 5.0, -999.0])
    (-999.0, None)
    """
    for far in (min(column), max(column)):
        if column.count(far) < 2:
            continue
        others = {x for x in column if x != far}
        if len(others) < FEWEST_OTHERS:
            return None
        least, most = min(others), max(others)
        if max(least - far, far - most) > APART * (most - least):
            return far
    return None


def _farthest(column: Sequence[float], few: int) -> list[int]:
    """The places of the numbers farthest from 0, the farthest first."""
    return sorted(range(len(column)), key=lambda i: -abs(column[i]))[:few]


def _is_lost(rows: Dataset, k: int, far: Sequence[int], others: Sequence[float]) -> bool:
    """Whether numbers that differ have become one by scaling."""
    if min(others) < max(others):
        return False
    out = {*far}
    return len({row[k] for i, row in enumerate(rows.xs) if i not in out}) > 1


def _targets(rows: Dataset, ys: Sequence[float], few: int) -> list[str]:
    """A line where few targets make up most of the loss."""
    whole = math.fsum(y * y for y in ys)
    far = _farthest(ys, few)
    part = 0.0
    for count, i in enumerate(far, 1):
        part += ys[i] ** 2
        if part >= MOST_OF_IT * whole > 0:
            return [
                f"{many(count, 'row')} of {len(ys):,} {'has' if count == 1 else 'have'} a "
                f"{visible(rows.target)!r} so far from the others (such as {rows.ys[far[0]]:.4g}) "
                f"that {part / whole:.0%} of the loss is {'its' if count == 1 else 'theirs'}: the "
                "net learns little else. Look whether they are right; a logarithm of the target "
                "may help"
            ]
    return []


def _listed(names: Sequence[str]) -> str:
    others = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {others} others" if others > 0 else "")
