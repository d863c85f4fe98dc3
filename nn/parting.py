"""Splits rows in two parts at random, with each class among the rows to learn from."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from nn.checks import generator
from nn.data import Dataset, shuffled


def parted(rows: Dataset, share: float, seed: int) -> tuple[list[int], list[int]]:
    """The places of the rows to learn from, and of about a `share` of them to put away.

    Each class gives its share. One of two rows or more keeps at least one to learn from, and a
    single row is learned from. Where all classes are single rows, they are taken for amounts.
    The first part is empty, or the second, where the share leaves no row there.

    >>> rows = Dataset([[0.0]] * 10, [0] * 7 + [1] * 3, classes=("no", "yes"))
    >>> learned, others = parted(rows, 0.3, seed=0)
    >>> sorted(rows.ys[k] for k in learned), sorted(rows.ys[k] for k in others)
    ([0, 0, 0, 0, 0, 1, 1], [0, 0, 1])
    """
    order = shuffled(len(rows.xs), generator(seed))
    count = len(order) - round((1 - share) * len(order))
    quotas = _quotas(rows.ys, share, count) if rows.classes else {}
    if not sum(quotas.values()):
        return order[: len(order) - count], order[len(order) - count :]
    others = []
    for place in reversed(order):
        if quotas[rows.ys[place]]:
            quotas[rows.ys[place]] -= 1
            others.append(place)
    others.reverse()
    away = {*others}
    return [place for place in order if place not in away], others


def _quotas(ys: Sequence[Any], share: float, count: int) -> dict[Any, int]:
    """How many rows each class puts away, `count` together where there are so many to spare."""
    sizes = Counter(ys)
    quotas = {y: min(int(share * n), n - 1) for y, n in sizes.items()}
    rest = sorted(sizes, key=lambda y: (quotas[y] - share * sizes[y], y))
    for y in rest[: max(0, count - sum(quotas.values()))]:
        quotas[y] += quotas[y] < sizes[y] - 1
    return quotas


def thin_classes(names: Sequence[str], learned: Sequence[int], aside: Sequence[int]) -> list[str]:
    """A line about classes of a single row, and one about those without a row kept aside.

    >>> thin_classes(["a", "b", "c"], [0, 0, 1, 2, 2], [0])[1]
    "kept aside is no row of 'c': what is said of new rows says nothing of it"
    """
    counts, there = Counter(learned), {*aside}
    thin = {
        "a single row in all": [k for k in range(len(names)) if counts[k] == 1 and k not in there],
        "several rows": [k for k in range(len(names)) if counts[k] > 1 and k not in there],
    }
    single, unseen = ([repr(names[k]) for k in places] for places in thin.values())
    found = []
    if single:
        found.append(
            f"of {_listed(single)} there is a single row: it is learned from, and nothing can say "
            "whether others like it would be found"
        )
    if unseen and aside:
        found.append(
            f"kept aside is no row of {_listed(unseen)}: what is said of new rows says nothing of "
            f"{'it' if len(unseen) == 1 else 'them'}"
        )
    return found


def _listed(names: Sequence[str], most: int = 4) -> str:
    """The first of them, and how many others there are."""
    others = len(names) - most
    return ", ".join(names[:most]) + (f" and {others} others" if others > 0 else "")
