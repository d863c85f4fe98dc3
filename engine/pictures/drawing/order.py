"""Order and positions of a layout: sweeps sort the spots, and then make the wires straight."""

from dataclasses import dataclass
from itertools import pairwise

from engine.pictures.drawing.places import GAP, Link, Padding, Path, Spot

Ends = list[tuple[int, float, float]]  # other ends of a spot's wires: spot, offset, weight
# of a mark: sorting key, spot, columns, room above, room below
_Entry = tuple[list[tuple[float, int]], int | None, range, float, float]

ROUNDS = 11  # odd: the last sweep for the order starts at the root
LARGE = 2000


def arrange(
    spots: list[Spot], links: list[Link], ranges: list[tuple[int, int]], padding: Padding
) -> None:
    """Sets every `y`: sweeps find the order, and then how to make wires straight in that order."""
    before: list[Ends] = [[] for _ in spots]
    after: list[Ends] = [[] for _ in spots]
    for link in links:
        before[link.right].append((link.left, -link.offset, link.weight))
        after[link.left].append((link.right, link.offset, link.weight))
    both = [a + b for a, b in zip(before, after, strict=True)]
    columns: list[list[int]] = [[] for _ in range(1 + max([s.column for s in spots], default=0))]
    for n, spot in enumerate(spots):
        columns[spot.column].append(n)

    rounds = ROUNDS if len(spots) < LARGE else 3
    order = _Order([], [])
    for turn in range(rounds):
        back = turn % 2 == 0
        ends = after if back else before
        for column in reversed(columns) if back else columns:
            wishes = {n: _mean(spots, n, ends[n]) for n in column}
            _spread(spots, sorted(column, key=lambda n: (wishes[n], n)), wishes)
        order = _ordered(spots, ranges, padding)
        _settle(spots, order)
    for turn in range(rounds):
        _drift(spots, links)
        for column in columns if turn % 2 == 0 else reversed(columns):
            for n in column:
                spots[n].y = _median(spots, n, both[n])
        _settle(spots, order)


def _mean(spots: list[Spot], n: int, ends: Ends) -> float:
    weights = sum(weight for _, _, weight in ends)
    if not weights:
        return spots[n].y
    return sum(weight * (spots[end].y + offset) for end, offset, weight in ends) / weights


def _median(spots: list[Spot], n: int, ends: Ends) -> float:
    """The weighted median: unlike the mean it leaves the heavier wire straight."""
    if not ends:
        return spots[n].y
    found = sorted((spots[end].y + offset, weight) for end, offset, weight in ends)
    left = sum(weight for _, weight in found) / 2
    for (y, weight), (following, _) in zip(found, found[1:] + found[-1:], strict=True):
        left -= weight
        if left < 0:
            return y
        if left == 0:
            return (y + following) / 2
    return found[-1][0]


def _spread(spots: list[Spot], ranked: list[int], wishes: dict[int, float]) -> None:
    """Puts a column's spots near their wishes, in this order, with room between them."""
    gaps = [(spots[a].breadth + spots[b].breadth) / 2 + GAP for a, b in pairwise(ranked)]
    down = [wishes[n] for n in ranked]
    up = down[:]
    for i, gap in enumerate(gaps):
        down[i + 1] = max(down[i + 1], down[i] + gap)
        up[-i - 2] = min(up[-i - 2], up[-i - 1] - gaps[-i - 1])
    for n, a, b in zip(ranked, down, up, strict=True):
        spots[n].y = (a + b) / 2


def _drift(spots: list[Spot], links: list[Link]) -> None:
    """Moves each outermost box, as a whole, towards what it is wired to."""
    pulls: dict[int, list[float]] = {}
    for link in links:
        left, right = spots[link.left], spots[link.right]
        pull = right.y + link.offset - left.y
        if left.path[:1] != right.path[:1]:
            for path, force in ((left.path, pull), (right.path, -pull)):
                if path:
                    pulls.setdefault(path[0], []).append(force)
    for spot in spots:
        forces = pulls.get(spot.path[0]) if spot.path else None
        if forces:
            spot.y += sum(forces) / len(forces)


@dataclass(frozen=True, slots=True)
class _Order:
    """Marks from top to bottom: a spot, or None for an edge of a box; and the room they keep.

    The rules, (upper mark, lower mark, distance), are sorted by their lower mark.
    """

    marks: list[int | None]
    rules: list[tuple[int, int, float]]


def _ordered(spots: list[Spot], ranges: list[tuple[int, int]], padding: Padding) -> _Order:
    """The order by `y`, a box by the mean of what is in it."""
    inside: list[list[float]] = [[] for _ in ranges]
    paths: dict[int, Path] = {}
    for spot in spots:
        for n, box in enumerate(spot.path, 1):
            inside[box].append(spot.y)
            paths[box] = spot.path[:n]
    key = [(sum(ys) / len(ys) if ys else 0.0, box) for box, ys in enumerate(inside)]
    half = GAP / 2
    entries: list[_Entry] = []
    for n, spot in enumerate(spots):
        room = spot.breadth / 2 + half
        place = (spot.y, len(ranges) + n)
        columns = range(spot.column, spot.column + 1)
        entries.append(([key[box] for box in spot.path] + [place], n, columns, room, room))
    for box, path in paths.items():
        around = [key[b] for b in path]
        columns = range(ranges[box][0], ranges[box][1] + 1)
        top, bottom = (float("-inf"), -1), (float("inf"), -1)
        entries.append(([*around, top], None, columns, half, padding.above - half))
        entries.append(([*around, bottom], None, columns, padding.below - half, half))
    entries.sort(key=lambda entry: entry[0])

    lowest: dict[int, tuple[int, float]] = {}  # in a column: a mark and the room below it
    rules = []
    for mark, (_, _, columns, above, below) in enumerate(entries):
        for column in columns:
            if column in lowest:
                upper, room = lowest[column]
                rules.append((upper, mark, room + above))
            lowest[column] = (mark, below)
    return _Order([entry[1] for entry in entries], rules)


def _settle(spots: list[Spot], order: _Order) -> None:
    """The mean of two solutions near where the spots are; a mean of solutions is one, too."""
    down = [float("-inf") if n is None else spots[n].y for n in order.marks]
    up = [float("inf") if n is None else spots[n].y for n in order.marks]
    for upper, lower, distance in order.rules:
        down[lower] = max(down[lower], down[upper] + distance)
    for upper, lower, distance in reversed(order.rules):
        up[upper] = min(up[upper], up[lower] - distance)
    for mark, n in enumerate(order.marks):
        if n is not None:
            spots[n].y = (down[mark] + up[mark]) / 2
