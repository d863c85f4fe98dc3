"""What looks wrong in rows before a net learns from them: columns that give the target away."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from random import Random
from typing import Any

from nn.dataset import Dataset
from nn.wording import option

MOST_LOOKED_AT = 20_000  # rows
ROWS_A_VALUE = 10
SURE = 0.99


def giveaways(rows: Dataset) -> list[str]:
    """A line for each column that alone gives the target, so that nothing is left to learn.

    Looked up in half of the rows, its values answer 99% of the other half, and are ten times less
    often wrong than the most frequent target. There are at least ten rows a value, or else
    the column is the target once more.

    >>> from nn.columns import Column, Reading
    >>> rows = Dataset(
    ...     [[k % 2, k % 3] for k in range(60)], [k % 2 for k in range(60)], ("a", "b"),
    ...     ("no", "yes"), "y", Reading((Column("a"), Column("b"))),
    ... )
    >>> print(*giveaways(rows))
    'a' gives 'y' away: looked up in half of the rows, it answers 100.0% of the other half; \
--ignore a leaves it out
    """
    if rows.reading is None or len(rows.xs) < 2 * ROWS_A_VALUE:
        return []
    xs, ys = rows.xs[:MOST_LOOKED_AT], rows.ys[:MOST_LOOKED_AT]
    found = []
    for name, span in rows.reading.spans.items():
        start, is_one = span.start, span.stop - span.start == 1
        values = [row[start] for row in xs] if is_one else [tuple(row[span]) for row in xs]
        share = _answered(values, ys)
        copies = 0 if rows.classes else sum(row[start] == y for row, y in zip(xs, ys, strict=True))
        if share:
            found.append(
                f"{name!r} gives {rows.target!r} away: looked up in half of the rows, it answers "
                f"{share:.1%} of the other half; {option('ignore', name)} leaves it out"
            )
        elif copies >= SURE * len(ys):
            found.append(
                f"{name!r} gives {rows.target!r} away: it holds the same numbers; "
                f"{option('ignore', name)} leaves it out"
            )
    return found


def _answered(values: Sequence[Any], ys: Sequence[Any]) -> float:
    """The share of half of the rows that the other half answers; 0 where it is nothing strange."""
    if len({*values}) * ROWS_A_VALUE > len(values):
        return 0.0
    seen: dict[Hashable, Counter[Any]] = defaultdict(Counter)
    others = list[tuple[Hashable, Any]]()
    draw = Random(0).random  # rows may stand in an order
    for value, y in zip(values, ys, strict=True):
        if draw() < 0.5:
            seen[value][y] += 1
        else:
            others.append((value, y))
    table = {value: counts.most_common(1)[0][0] for value, counts in seen.items()}
    usual = sum(seen.values(), Counter[Any]()).most_common(1)[0][0]
    if not others:
        return 0.0
    wrong = sum(table.get(value) != y for value, y in others)
    wrong_without = sum(y != usual for _, y in others)
    is_strange = wrong <= (1 - SURE) * len(others) and 10 * wrong < wrong_without
    return 1 - wrong / len(others) if is_strange else 0.0
