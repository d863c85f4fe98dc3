"""Warns, before training, of columns that give the target away."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any

from nn.columns import Column
from nn.dataset import Dataset
from nn.wording import option

MOST_LOOKED_AT = 2000  # rows
ROWS_A_VALUE = 10
SURE = 0.99
ONE_ORDER = 0.9999  # a rank correlation


def giveaways(rows: Dataset) -> list[str]:
    """A line for each column that alone gives the target, so that nothing is left to learn.

    Looked up in half of the rows, its values, or its gaps, answer 99% of the other half, and are
    ten times less often wrong than the most frequent target. There are at least ten rows a value;
    else numbers are suspect where one threshold parts two classes as well as that, and where they
    are in the order of amounts. Of many rows a part is looked at.

    >>> from nn.columns import Column, Reading
    >>> rows = Dataset(
    ...     [[k % 2, k % 3] for k in range(60)], [k % 2 for k in range(60)], ("a", "b"),
    ...     ("no", "yes"), "y", Reading((Column("a"), Column("b"))),
    ... )
    >>> print(*giveaways(rows))
    'a' gives 'y' away: looked up in half of the rows, it answers 100.0% of the other half; \
--ignore a leaves it out
    """
    count = len(rows.xs)
    if rows.reading is None or count < 2 * ROWS_A_VALUE:
        return []
    chosen: Sequence[int] = range(count)
    if count > MOST_LOOKED_AT:
        chosen = Random(0).sample(chosen, MOST_LOOKED_AT)
    xs, ys = [rows.xs[i] for i in chosen], [rows.ys[i] for i in chosen]
    found, spans = [], rows.reading.spans
    for column in rows.reading.columns:
        values = [row[spans[column.name]] for row in xs]
        if why := next(_reasons(column, values, ys, rows), ""):
            found.append(f"{why}; {option('ignore', column.name)} leaves it out")
    return found


def _reasons(
    column: Column, values: Sequence[Sequence[float]], ys: Sequence[Any], rows: Dataset
) -> Iterator[str]:
    """How a column gives the target away, in each way that it does."""
    gives = f"{column.name!r} gives {rows.target!r} away"
    looked_up = "looked up in half of the rows, it answers {:.1%} of the other half"
    if share := _answered([tuple(value) for value in values], ys):
        yield f"{gives}: {looked_up.format(share)}"
    if column.gap:
        place = column.texts.index(column.gap) if column.texts else -1
        if share := _answered([value[place] for value in values], ys):
            yield f"{gives} by its gaps: {looked_up.format(share)}"
    if column.kind == "text":
        return
    pairs = [(value[0], y) for value, y in zip(values, ys, strict=True) if value[0] == value[0]]
    if len(pairs) < 2 * ROWS_A_VALUE:
        return
    if rows.classes:
        share = _parted(pairs)
        if share:
            yield f"{gives}: one threshold in it answers {share:.1%} of the rows"
    elif sum(x == y for x, y in pairs) >= SURE * len(pairs):
        yield f"{gives}: it holds the same numbers"
    elif abs(_rank_correlation(pairs)) > ONE_ORDER:
        yield f"{gives}: its numbers and the target's stand in one order"


def _answered(values: Sequence[Any], ys: Sequence[Any]) -> float:
    """How well one half of the rows answers the other: a share, or 0 where it is not strange."""
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
    return _strange(wrong, wrong_without, len(others))


def _strange(wrong: int, wrong_without: int, count: int) -> float:
    """The share of right answers, where it is strangely large; else 0."""
    is_strange = wrong <= (1 - SURE) * count and 10 * wrong < wrong_without
    return 1 - wrong / count if is_strange else 0.0


def _parted(pairs: Sequence[tuple[float, int]]) -> float:
    """How well a threshold tells two classes apart: a share, or 0 where it is not strange."""
    counts = Counter(y for _, y in pairs)
    if len(counts) != 2:
        return 0.0
    (one, most), (_, least) = counts.most_common()
    wrong = best = least  # all above the threshold are `one`
    for _, same in groupby(sorted(pairs), key=itemgetter(0)):
        for _, y in same:
            wrong += 1 if y == one else -1
        best = min(best, wrong, most + least - wrong)
    return _strange(best, least, len(pairs))


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's: 1 or -1 where two lists of numbers stand in one order.

    >>> _rank_correlation([(1.0, 10.0), (2.0, 20.0), (5.0, 21.0)])
    1.0
    """
    one, other = (_ranks(numbers) for numbers in zip(*pairs, strict=True))
    middle = (len(pairs) - 1) / 2
    a, b = ([rank - middle for rank in ranks] for ranks in (one, other))
    spread = sum(x * x for x in a) * sum(y * y for y in b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / spread**0.5 if spread else 0.0


def _ranks(numbers: Sequence[float]) -> list[float]:
    """The place of each number among all; the mean of their places for those that are the same."""
    order, ranks, start = sorted(numbers), dict[float, float](), 0
    for number, same in groupby(order):
        n = len([*same])
        ranks[number] = start + (n - 1) / 2
        start += n
    return [ranks[number] for number in numbers]
